//! `deadline.kept`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number};

/// What is late by this much is late: nobody who watches a deadline looks less often.
const LATE_NS: u64 = 1_000_000_000;

/// Something with a limit expires when the limit is over, by time that passes: not before, and not much later, whatever
/// somebody does to the wall clock.
///
/// Reads `deadline.set` {`id`, `limit_ns`} and `deadline.expired` {`id`}. Planted bug: `clock.deadline-by-wall` compares
/// with the wall clock.
#[derive(Debug, Default)]
pub struct DeadlineKept {
    nodes: ByNode<BTreeMap<u64, u64>>,
}

impl Invariant for DeadlineKept {
    fn name(&self) -> &'static str {
        "deadline.kept"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let (id, now) = (number(seen, "id"), seen.at.0);
        let due = self.nodes.of(seen.node);
        match seen.event.name {
            "deadline.set" => drop(due.insert(id, now + number(seen, "limit_ns"))),
            "deadline.expired" => {
                let Some(due) = due.remove(&id) else { return Err(format!("{}: {id} expired twice", seen.node)) };
                if now < due {
                    return Err(format!("{}: {id} expired {} ns early", seen.node, due - now));
                }
            }
            _ => {}
        }
        match due.iter().find(|(_, due)| now > **due + LATE_NS) {
            Some((id, due)) => Err(format!("{}: {id} is {} ns late, and has not expired", seen.node, now - due)),
            None => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
