//! Asking for memory before its turn comes.
//!
//! A world of thousands of connections does not fit into a processor's cache, and what happens next in it lies
//! anywhere: a delivery would wait some twenty times for memory. But the heap knows what is due next. While one event is
//! handled, the next one's connection is asked for, then the task that waits there, then that task's own
//! memory: each step reads what the step before has fetched. Nothing here changes what happens.

#![allow(unsafe_code)] // One instruction, a hint: it reads nothing, and its address is that of a live value.

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
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of_val(value).min(FUTURE_MAX)).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address lies inside of `value`, and the instruction only hints.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast::<i8>().add(offset)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

impl Core {
    #[inline]
    fn next_flow(&self) -> Option<FlowId> {
        if self.conns.len() < SMALL {
            return None;
        }
        match self.heap.peek() {
            Some((_, Due::Arrive { flow })) => Some(flow),
            _ => None,
        }
    }

    #[inline]
    fn waiting(&self, waiter: Option<&Waiter>) -> Option<&Task> {
        match waiter {
            Some(Waiter::Task { slot, .. }) => self.tasks.peek(*slot),
            _ => None,
        }
    }

    /// First step, while an event is handled: the connection of the next one.
    #[inline]
    pub(crate) fn fetch_connection(&self) {
        if let Some(flow) = self.next_flow()
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
        {
            fetch(conn);
        }
    }

    /// Second step, before a task is polled: who waits there, and what is in flight.
    #[inline]
    pub(crate) fn fetch_reader(&self) {
        if let Some(flow) = self.next_flow()
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
        {
            if let Some(task) = self.waiting(conn.reader(1 - flow.from)) {
                fetch(task);
            }
            conn.fetch_in_flight(flow.from, fetch::<[u8]>);
        }
    }

    /// Third step, after the poll: that task's header and future.
    #[inline]
    pub(crate) fn fetch_task(&self) {
        if let Some(flow) = self.next_flow()
            && let Some(conn) = self.conns.get(flow.conn.index as usize)
            && let Some(task) = self.waiting(conn.reader(1 - flow.from))
        {
            fetch(task.header());
            if let Some(future) = &task.future {
                fetch(&**future);
            }
        }
    }
}
