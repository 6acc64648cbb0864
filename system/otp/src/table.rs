//! A node's processes, by number.

#[allow(clippy::disallowed_types)] // with a hash of its own
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Label, Node, Slot};
use simurgh_sync::mailbox::Counts;

use crate::cell::Process;
use crate::recent::Recent;
use crate::{Name, Pid, Registry, Strategy, stuck};

const SHARDS: usize = 16;
/// Places for the young in a shard.
const YOUNG: usize = 32;

/// All processes of a node. Sharded, so that spawns on several threads seldom meet.
///
/// Most processes live for long or end very soon. Each begins in a place that its number says, and is
/// put among the old when another needs that place: who ends before was never hashed.
pub(crate) struct Table {
    shards: [Shard; SHARDS],
    pub(crate) recent: Recent,
    /// The node's own registry of names.
    names: OnceLock<Registry<Name>>,
}

type Shard = Mutex<Ages>;

#[derive(Default)]
struct Ages {
    young: [Option<Arc<dyn Process>>; YOUNG],
    old: ByNumber,
}

impl Ages {
    #[inline]
    fn place(&mut self, number: u64) -> &mut Option<Arc<dyn Process>> {
        &mut self.young[number as usize / SHARDS % YOUNG]
    }

    #[inline]
    fn insert(&mut self, number: u64, process: Arc<dyn Process>) {
        if let Some(elder) = self.place(number).replace(process) {
            self.old.insert(elder.pid().number(), elder);
        }
    }

    #[inline]
    fn remove(&mut self, number: u64) -> Option<Arc<dyn Process>> {
        let young = self.place(number).take_if(|process| process.pid().number() == number);
        young.or_else(|| self.old.remove(&number))
    }

    fn get(&mut self, number: u64) -> Option<&Arc<dyn Process>> {
        if self.place(number).as_ref().is_some_and(|process| process.pid().number() == number) {
            return self.place(number).as_ref();
        }
        self.old.get(&number)
    }

    fn len(&self) -> usize {
        self.young.iter().flatten().count() + self.old.len()
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Process>> {
        self.young.iter().flatten().chain(self.old.values())
    }
}

/// Processes by their number.
#[allow(clippy::disallowed_types)] // with a hash of its own
pub(crate) type ByNumber = HashMap<u64, Arc<dyn Process>, BuildHasherDefault<Spread>>;

/// The hash of a process's number. We give out the numbers, one after the other: nobody can choose
/// them badly, and to multiply spreads them well.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32);
    }
}

impl Table {
    fn new(node: &Node) -> Self {
        stuck::tell_of(node);
        Self { shards: std::array::from_fn(|_| Mutex::default()), recent: Recent::default(), names: OnceLock::new() }
    }

    pub(crate) fn of(node: &Node) -> &Table {
        node.slot(Slot::Processes, || Table::new(node))
    }

    pub(crate) fn names(&self) -> &Registry<Name> {
        self.names.get_or_init(|| Registry::unique("names"))
    }

    fn shard(&self, number: u64) -> &Shard {
        &self.shards[number as usize % SHARDS]
    }

    pub(crate) fn insert(&self, process: Arc<dyn Process>) {
        let number = process.pid().number();
        self.shard(number).lock().insert(number, process);
    }

    pub(crate) fn remove(&self, pid: Pid) {
        // What is dropped may be the last of it: not under the lock.
        let process = self.shard(pid.number()).lock().remove(pid.number());
        drop(process);
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<dyn Process>> {
        self.shard(pid.number()).lock().get(pid.number()).filter(|process| process.pid() == pid).cloned()
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A future, without a supervisor.
    Process,
    /// A future, below a supervisor.
    Worker,
    /// A server.
    Server,
    /// A supervisor, by its strategy.
    Supervisor(Strategy),
}

impl Kind {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Worker => "worker",
            Self::Server => "server",
            Self::Supervisor(Strategy::OneForOne) => "one_for_one",
            Self::Supervisor(Strategy::OneForAll) => "one_for_all",
            Self::Supervisor(Strategy::RestForOne) => "rest_for_one",
        }
    }
}

/// What can be told of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Who it is.
    pub pid: Pid,
    /// What people call it.
    pub label: Label,
    /// What it is.
    pub kind: Kind,
    /// How long it has lived; zero if it is a process without a mailbox, of which that is not kept.
    pub age: Duration,
    /// How often it has been polled.
    pub polls: u64,
    /// How long its polls have taken, by sampling: [`Header::poll_time_sampled`](simurgh_runtime::Header::poll_time_sampled).
    pub poll_time: Duration,
    /// Messages that it has handled.
    pub handled: u64,
    /// What its mailbox has counted, if it has one.
    pub mailbox: Option<Counts>,
    /// An estimate of the memory that it takes, in bytes: its task, its records and its mailbox's ring,
    /// but not what its state and its messages own.
    pub memory: usize,
    /// The supervisor that started it.
    pub parent: Option<Pid>,
    /// The processes that it is linked to.
    pub links: Vec<Pid>,
}

impl ProcessInfo {
    pub(crate) fn of(process: &dyn Process) -> Self {
        let core = process.core();
        let mailbox = process.counts();
        let ring = mailbox.as_ref().map_or(0, |counts| counts.bytes);
        Self {
            pid: core.pid(),
            label: core.header.label(),
            kind: core.kind,
            age: process.age(),
            polls: core.header.polls(),
            poll_time: core.header.poll_time_sampled(),
            handled: core.handled.load(Ordering::Relaxed),
            memory: core.task_bytes() + process.bytes() + ring,
            mailbox,
            parent: core.parent.as_ref().map(|parent| parent.pid()),
            links: core.links(),
        }
    }
}

/// The current node's processes, oldest first.
pub fn list() -> Vec<ProcessInfo> {
    let node = Node::current();
    let mut list: Vec<ProcessInfo> = Vec::new();
    for shard in &Table::of(&node).shards {
        list.extend(shard.lock().iter().map(|process| ProcessInfo::of(&**process)));
    }
    list.sort_unstable_by_key(|info| info.pid);
    list
}

/// What can be told of one process of the current node, if it is alive.
pub fn info(pid: Pid) -> Option<ProcessInfo> {
    Table::of(&Node::current()).get(pid).map(|process| ProcessInfo::of(&*process))
}

/// How many processes the current node has.
pub fn count() -> usize {
    Table::of(&Node::current()).shards.iter().map(|shard| shard.lock().len()).sum()
}
