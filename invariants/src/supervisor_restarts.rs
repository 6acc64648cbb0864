//! `supervisor.restarts`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{ByNode, is, measured, number, text};

/// How long a restart may take beside its delay: siblings that have to stop first take 5 s each at most.
const BOUND_NS: u64 = 30_000_000_000;

/// A permanent child that has ended runs again, soon, unless its supervisor ends too. (Not for
/// supervisors whose operators terminate children.)
///
/// Reads `otp.child.start` {`supervisor`, `child`, `process`, `permanent`}, `otp.process.stop`,
/// `otp.supervisor.decision` {`delay_ns`}, `.ending`; and any event as a look at the clock. Planted
/// bug: `supervisor.lost-restart` forgets a child that ends while another starts.
#[derive(Debug, Default)]
pub struct SupervisorRestarts {
    nodes: ByNode<Children>,
}

#[derive(Debug, Default)]
struct Children {
    /// The supervisor and name of each living permanent child.
    living: BTreeMap<u64, (u64, String)>,
    /// Those that are to run again: until when.
    due_ns: BTreeMap<(u64, String), u64>,
}

impl Invariant for SupervisorRestarts {
    fn name(&self) -> &'static str {
        "supervisor.restarts"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let children = self.nodes.of(seen.node);
        let late = children.due_ns.iter().find(|(_, due_ns)| seen.at.0 > **due_ns);
        if let Some(((supervisor, child), due_ns)) = late {
            let due = Moment(*due_ns);
            return Err(format!("{}: supervisor {supervisor} has not restarted {child} until {due}", seen.node));
        }
        let (supervisor, process) = (number(seen, "supervisor"), number(seen, "process"));
        match seen.event.name {
            "otp.child.start" if is(seen, "permanent") => {
                let child = (supervisor, text(seen, "child").to_owned());
                children.due_ns.remove(&child);
                children.living.insert(process, child);
            }
            "otp.process.stop" => {
                children.give_up(process);
                if let Some(child) = children.living.remove(&process) {
                    children.due_ns.insert(child, seen.at.0 + BOUND_NS);
                }
            }
            // It, and perhaps its group, waits for the delay.
            "otp.supervisor.decision" => {
                let delay_ns = measured(seen, "delay_ns");
                let of_it = |child: &(u64, String)| child.0 == supervisor;
                children
                    .due_ns
                    .iter_mut()
                    .filter(|(child, _)| of_it(child))
                    .for_each(|(_, due_ns)| *due_ns += delay_ns);
            }
            "otp.supervisor.ending" => children.give_up(supervisor),
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Children {
    fn give_up(&mut self, supervisor: u64) {
        self.living.retain(|_, child| child.0 != supervisor);
        self.due_ns.retain(|child, _| child.0 != supervisor);
    }
}
