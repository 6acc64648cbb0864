//! `supervisor.no_orphans`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number};

/// No child outlives its supervisor: when the end of a process is told, its children are gone; and a
/// supervisor that says it is over has none left to be killed.
///
/// Reads `otp.process.start` {`process`, `parent`}, `otp.process.stop` {`process`} and
/// `otp.supervisor.over` {`supervisor`}. Planted bugs: `otp.orphans-live` tells the end of a process
/// first; `supervisor.forgets-rollback` leaves those that run when a boot fails.
#[derive(Debug, Default)]
pub struct NoOrphans {
    nodes: ByNode<Families>,
}

#[derive(Debug, Default)]
struct Families {
    children: BTreeMap<u64, BTreeSet<u64>>,
    parents: BTreeMap<u64, u64>,
}

impl Invariant for NoOrphans {
    fn name(&self) -> &'static str {
        "supervisor.no_orphans"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let families = self.nodes.of(seen.node);
        match seen.event.name {
            "otp.process.start" => {
                let (child, parent) = (number(seen, "process"), number(seen, "parent"));
                if parent != 0 {
                    families.children.entry(parent).or_default().insert(child);
                    families.parents.insert(child, parent);
                }
            }
            "otp.process.stop" => {
                let process = number(seen, "process");
                if let Some(parent) = families.parents.remove(&process)
                    && let Some(children) = families.children.get_mut(&parent)
                {
                    children.remove(&process);
                }
                let left = families.children.remove(&process).unwrap_or_default();
                if !left.is_empty() {
                    return Err(format!("{}: process {process} has ended, its children {left:?} live", seen.node));
                }
            }
            "otp.supervisor.over" => {
                let supervisor = number(seen, "supervisor");
                let left = families.children.get(&supervisor).filter(|left| !left.is_empty());
                if let Some(left) = left {
                    return Err(format!("{}: supervisor {supervisor} is over, its children {left:?} live", seen.node));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
