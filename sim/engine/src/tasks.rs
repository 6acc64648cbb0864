//! The tasks of a world, and how they are woken.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use simurgh_runtime::sim::BoxFuture;
use simurgh_runtime::{Headed, Header};
use slab::Slab;

use crate::core::{Core, WORLD};
use crate::draws::{Purpose, Stream};
use crate::engine;
use crate::schedule::Scheduler;
use crate::trace::{Kind, mix};

/// All tasks.
#[derive(Default)]
pub(crate) struct Tasks {
    slots: Slab<Task>,
}

/// One task.
pub(crate) struct Task {
    pub(crate) generation: u32,
    pub(crate) node: u32,
    /// Within its node, as its header has it.
    pub(crate) number: u64,
    /// A poll holds it, too.
    pub(crate) fixed: Rc<Fixed>,
    /// Where its header lies, to ask for it early.
    pub(crate) header_at: *const u8,
    /// Not here while it is being polled.
    pub(crate) future: Option<BoxFuture>,
    /// Stands in the ready queue, or is parked with its node.
    pub(crate) queued: bool,
    /// To be dropped as soon as its poll ends.
    pub(crate) aborted: bool,
    /// The node's first task: the node ends with it.
    pub(crate) is_main: bool,
    pub(crate) stream: Stream,
    /// Its standing under PCT.
    pub(crate) priority: u64,
}

/// What does not change in a task's life, behind a count that is not atomic.
pub(crate) struct Fixed {
    pub(crate) headed: Arc<dyn Headed>,
    pub(crate) waker: Waker,
}

/// What a waker refers to.
struct TaskWaker {
    run: u64,
    slot: u32,
    generation: u32,
    node: u32,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        engine::wake(self.run, self.slot, self.generation, self.node);
    }
}

impl Tasks {
    pub(crate) fn get(&mut self, slot: u32, generation: u32) -> Option<&mut Task> {
        self.slots.get_mut(slot as usize).filter(|task| task.generation == generation)
    }

    /// The task at a place, if there is one.
    #[inline]
    pub(crate) fn peek(&self, slot: u32) -> Option<&Task> {
        self.slots.get(slot as usize)
    }

    /// Takes a task away.
    pub(crate) fn remove(&mut self, slot: u32) -> Task {
        self.slots.remove(slot as usize)
    }

    /// The tasks of a node, in the order of their numbers.
    pub(crate) fn of_node(&self, node: u32) -> Vec<(u32, u32)> {
        let mut found: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, task)| task.node == node)
            .map(|(slot, task)| (task.number, slot as u32, task.generation))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, slot, generation)| (slot, generation)).collect()
    }

    /// All tasks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.slots.iter().map(|(_, task)| task)
    }

    /// Takes all futures away, for the end of a run.
    pub(crate) fn take_all(&mut self) -> Vec<Task> {
        self.slots.drain().collect()
    }
}

impl Core {
    /// Adds a task, ready to be polled for the first time.
    pub(crate) fn add_task(
        &mut self,
        run: u64,
        headed: Arc<dyn Headed>,
        future: BoxFuture,
        is_main: bool,
    ) -> (u32, u32) {
        let header = headed.header();
        let generation = self.next_generation();
        let node = header.node().id().0;
        let entity = mix(self.nodes[node as usize].entity ^ u64::from(header.node().incarnation()), header.number());
        let mut stream = self.draws.stream(Purpose::Schedule, entity);
        let priority = Scheduler::first_priority(&mut stream);
        let entry = self.tasks.slots.vacant_entry();
        let slot = entry.key() as u32;
        let waker = Waker::from(Arc::new(TaskWaker { run, slot, generation, node }));
        let number = header.number();
        let header_at = std::ptr::from_ref(header).cast();
        let label = header.label();
        entry.insert(Task {
            generation,
            node,
            number,
            fixed: Rc::new(Fixed { headed, waker }),
            header_at,
            future: Some(future),
            queued: false,
            aborted: false,
            is_main,
            stream,
            priority,
        });
        self.record(node, number, Kind::Spawn, entity, 0, || label.to_string());
        self.make_ready(slot, generation);
        (slot, generation)
    }

    /// Puts a task among those that are ready.
    pub(crate) fn make_ready(&mut self, slot: u32, generation: u32) {
        let Some(task) = self.tasks.get(slot, generation) else { return };
        if !std::mem::replace(&mut task.queued, true) {
            let ticket = self.scheduler.ticket(&mut task.stream, task.priority, task.node == WORLD);
            self.scheduler.push(ticket, slot, generation, task.node);
        }
    }
}

impl Task {
    /// Who it is.
    pub(crate) fn header(&self) -> &Header {
        self.fixed.headed.header()
    }

    /// Stands for a task whose slot was taken away while it was being polled.
    pub(crate) fn gone(node: u32, fixed: Rc<Fixed>) -> Self {
        let stream = crate::draws::Draws::new(0).stream(Purpose::Schedule, 0);
        Self {
            generation: 0,
            node,
            number: 0,
            fixed,
            header_at: std::ptr::null(),
            future: None,
            queued: false,
            aborted: false,
            is_main: false,
            stream,
            priority: 0,
        }
    }
}
