//! `dynamic.limit_kept`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// A dynamic supervisor never has more children alive than its limit, and when its end is told it has
/// none, and gets none.
///
/// Reads `otp.child.start` {`child`, `process`}, `otp.process.start` {`process`, `parent`},
/// `otp.process.stop` {`process`}, and of those who build the tree `dynamic.limit` {`limit`, `child`}:
/// under which name the supervisor stands. Planted bug: `dynamic.limit-check-then-act` counts when it
/// is asked, and not when the child joins.
#[derive(Debug, Default)]
pub struct DynamicLimitKept {
    nodes: ByNode<Crowds>,
}

#[derive(Debug, Default)]
struct Crowds {
    /// By the supervisor's name among its siblings.
    limits: BTreeMap<String, u64>,
    by_supervisor: BTreeMap<u64, Crowd>,
    /// Dynamic supervisors that have ended.
    ended: BTreeSet<u64>,
    parents: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Crowd {
    limit: u64,
    alive: BTreeSet<u64>,
}

impl Invariant for DynamicLimitKept {
    fn name(&self) -> &'static str {
        "dynamic.limit_kept"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let crowds = self.nodes.of(seen.node);
        let process = number(seen, "process");
        let wrong = match seen.event.name {
            "dynamic.limit" => {
                crowds.limits.insert(text(seen, "child").to_owned(), measured(seen, "limit"));
                None
            }
            "otp.child.start" => {
                if let Some(&limit) = crowds.limits.get(text(seen, "child")) {
                    crowds.by_supervisor.insert(process, Crowd { limit, alive: BTreeSet::new() });
                }
                None
            }
            "otp.process.start" => crowds.join(number(seen, "parent"), process),
            "otp.process.stop" => crowds.leave(process),
            _ => None,
        };
        wrong.map_or(Ok(()), |wrong| Err(format!("{}: {wrong}", seen.node)))
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Crowds {
    fn join(&mut self, parent: u64, process: u64) -> Option<String> {
        if self.ended.contains(&parent) {
            return Some(format!("supervisor {parent} has ended, and gets process {process}"));
        }
        let crowd = self.by_supervisor.get_mut(&parent)?;
        crowd.alive.insert(process);
        self.parents.insert(process, parent);
        let (alive, limit) = (crowd.alive.len() as u64, crowd.limit);
        (alive > limit).then(|| format!("supervisor {parent} has {alive} children alive, its limit is {limit}"))
    }

    fn leave(&mut self, process: u64) -> Option<String> {
        if let Some(parent) = self.parents.remove(&process)
            && let Some(crowd) = self.by_supervisor.get_mut(&parent)
        {
            crowd.alive.remove(&process);
        }
        let Crowd { alive, .. } = self.by_supervisor.remove(&process)?;
        self.ended.insert(process);
        (!alive.is_empty()).then(|| format!("supervisor {process} has ended, its children {alive:?} live"))
    }
}
