//! A node's processes, by number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Label, Node, Slot};

use crate::Pid;
use crate::process::Cell;

const SHARDS: usize = 16;

/// All processes of a node. Sharded, so that spawns on several threads seldom meet.
pub(crate) struct Table {
    shards: [Mutex<HashMap<u64, Arc<Cell>>>; SHARDS],
    count: AtomicUsize,
}

impl Table {
    fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), count: AtomicUsize::new(0) }
    }

    pub(crate) fn of(node: &Node) -> &Table {
        node.slot(Slot::Processes, Table::new)
    }

    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Arc<Cell>>> {
        &self.shards[number as usize % SHARDS]
    }

    pub(crate) fn insert(&self, cell: Arc<Cell>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.shard(cell.pid.number()).lock().insert(cell.pid.number(), cell);
    }

    pub(crate) fn remove(&self, pid: Pid) {
        if self.shard(pid.number()).lock().remove(&pid.number()).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<Cell>> {
        self.shard(pid.number()).lock().get(&pid.number()).filter(|cell| cell.pid == pid).cloned()
    }
}

/// What can be told of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Who it is.
    pub pid: Pid,
    /// What people call it.
    pub label: Label,
    /// How often it has been polled.
    pub polls: u64,
}

/// The current node's processes, oldest first.
pub fn list() -> Vec<ProcessInfo> {
    let node = Node::current();
    let mut list: Vec<ProcessInfo> = Vec::new();
    for shard in &Table::of(&node).shards {
        list.extend(shard.lock().values().map(|cell| cell.info()));
    }
    list.sort_unstable_by_key(|info| info.pid);
    list
}

/// How many processes the current node has.
pub fn count() -> usize {
    Table::of(&Node::current()).count.load(Ordering::Relaxed)
}
