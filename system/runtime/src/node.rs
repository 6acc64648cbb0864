//! A node: one instance of a whole system, and all that its tasks share.
//!
//! In production there is one node in an OS process, made by [`crate::run`]. In a simulation there
//! are many in one thread, and they share nothing: what a crate would keep in a `static`, it keeps
//! in a [`Slot`] of the node.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::Header;

/// One instance of a system.
pub struct Node {
    id: NodeId,
    name: Box<str>,
    incarnation: u32,
    next_task: AtomicU64,
    dead: AtomicBool,
    slots: [OnceLock<Box<dyn Any + Send + Sync>>; Slot::COUNT],
}

/// The number of a node, unique among the nodes of one world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What a node keeps for the crates above: one value each, made at first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Slot {
    /// `simurgh-telemetry`: the handlers.
    Telemetry,
    /// `simurgh-telemetry`: what the node logs, and how.
    Logs,
    /// `simurgh-otp`: the processes.
    Processes,
    /// `simurgh-net`: the listeners.
    Listeners,
    /// This crate: what the watchdog knows.
    Watchdog,
    /// This crate: the tasks that have threads of their own.
    Isolated,
    /// `simurgh-web`: where it has looked for uploads that were left.
    Uploads,
    /// `simurgh-pubsub`: the named publish/subscribe systems.
    PubSubs,
}

impl Slot {
    const COUNT: usize = 8;
}

impl Node {
    /// A node that is alive. A restart of the same node has the next incarnation.
    pub fn new(id: NodeId, name: &str, incarnation: u32) -> Arc<Self> {
        Arc::new(Self {
            id,
            name: name.into(),
            incarnation,
            next_task: AtomicU64::new(1),
            dead: AtomicBool::new(false),
            slots: [const { OnceLock::new() }; Slot::COUNT],
        })
    }

    /// The node whose code is running.
    ///
    /// # Panics
    /// Outside of a task: there is no node there.
    pub fn current() -> Arc<Self> {
        Self::try_current()
            .expect("no node: this code does not run inside a task of simurgh_runtime::run or a simulation")
    }

    /// The node whose code is running, or none outside of a task.
    pub fn try_current() -> Option<Arc<Self>> {
        Header::with(|header| header.map(|header| Arc::clone(header.node())))
    }

    /// Its number.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it has been started before.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Whether it was killed; its code may still run, in `Drop`.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Marks it dead. For the simulator.
    #[doc(hidden)]
    pub fn mark_dead(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// The number for the next task; never given twice.
    pub(crate) fn next_task(&self) -> u64 {
        self.next_task.fetch_add(1, Ordering::Relaxed)
    }

    /// What `slot` holds, made by `init` if it is the first time.
    ///
    /// # Panics
    /// If the slot holds a value of another type: a slot has one owner.
    #[doc(hidden)]
    pub fn slot<T: Any + Send + Sync>(&self, slot: Slot, init: impl FnOnce() -> T) -> &T {
        self.slots[slot as usize]
            .get_or_init(|| Box::new(init()))
            .downcast_ref()
            .expect("a slot is used by one crate with one type")
    }

    /// What `slot` holds, if anything.
    #[doc(hidden)]
    pub fn slot_if_set<T: Any + Send + Sync>(&self, slot: Slot) -> Option<&T> {
        self.slots[slot as usize].get()?.downcast_ref()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id.0)
            .field("name", &self.name)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Says that this node is ready to serve: whoever started it may go on.
///
/// A simulation's `nodes(..)` waits for it; in production the service manager is told, if it has asked for that
/// (systemd: `Type=notify`, and `AF_UNIX` among the address families that the unit may use).
pub fn ready() {
    if crate::sim::world(|world| world.ready()).is_none() {
        crate::service::tell("READY=1");
    }
}

/// Says that this node has been asked to end, and takes its time for that: in production the service manager is told.
pub fn stopping() {
    if !crate::sim::is_simulated() {
        crate::service::tell("STOPPING=1");
    }
}
