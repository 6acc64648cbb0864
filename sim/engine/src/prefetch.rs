//! Asking for memory before its turn comes.
//!
//! A world of thousands of connections does not fit into a processor's cache, and what happens next in it lies
//! anywhere: a delivery would wait some twenty times for memory. But the heap knows what is due next. So the
//! connection is asked for two events early, the task that waits there one event early, and that task's own memory
//! after the poll before: each step reads what the step before has fetched. Nothing here changes what happens.

#![allow(unsafe_code)] // One instruction, a hint: it reads nothing and cannot fail.

use simurgh_runtime::Header;

use crate::core::Core;
use crate::heap::{Due, FlowId};
use crate::tasks::Task;
use crate::waiter::Waiter;

/// Connections that a cache holds: below this there is nothing to gain.
const SMALL: usize = 200;
/// The size of a line of the cache, and how much of a task's memory is asked for.
const LINE: usize = 64;
const FUTURE_MAX: usize = 1024;

/// Asks for the lines of a value.
#[inline]
fn fetch<T: ?Sized>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..size_of_val(value).min(FUTURE_MAX)).step_by(LINE) {
        fetch_line(start.wrapping_add(offset));
    }
}

/// Asks for one line.
#[inline]
pub(crate) fn fetch_line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction only hints: it reads nothing, whatever the address, and cannot fail.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

fn flow_of(due: Option<Due>) -> Option<FlowId> {
    match due {
        Some(Due::Arrive { flow }) => Some(flow),
        _ => None,
    }
}

impl Core {
    /// While an event is handled: the connection of the one after the next; of the next one, whose connection is
    /// here already, who waits there and what is in flight.
    #[inline]
    pub(crate) fn look_ahead(&self) {
        if self.conns.len() < SMALL {
            return;
        }
        if let Some(flow) = flow_of(self.heap.peek_second())
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
        {
            fetch(conn);
        }
        if let Some(flow) = flow_of(self.heap.peek().map(|(_, due)| due))
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
        {
            if let Some(task) = self.waiting(conn.reader(1 - flow.from)) {
                fetch(task);
            }
            conn.buffers(fetch_line);
        }
    }

    /// After a poll: the header and the future of the task that the next event wakes.
    #[inline]
    pub(crate) fn fetch_task(&self) {
        if self.conns.len() >= SMALL
            && let Some(flow) = flow_of(self.heap.peek().map(|(_, due)| due))
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
            && let Some(task) = self.waiting(conn.reader(1 - flow.from))
        {
            // Not through what leads to it, which is not here yet.
            (0..size_of::<Header>()).step_by(LINE).for_each(|offset| fetch_line(task.header_at.wrapping_add(offset)));
            fetch_line(std::rc::Rc::as_ptr(&task.fixed).cast());
            if let Some(future) = &task.future {
                fetch(&**future);
            }
        }
    }

    #[inline]
    fn waiting(&self, waiter: Option<&Waiter>) -> Option<&Task> {
        match waiter {
            Some(Waiter::Task { slot, .. }) => self.tasks.peek(*slot),
            _ => None,
        }
    }
}
