//! `supervisor.stop_bounded`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{ByNode, is, number};

/// How long a kill may take: a process ends at its next await, and its children with it.
const KILL_NS: u64 = 1_000_000_000;

/// Stopping a child ends: one that is asked and is prompt stops by itself, and one that is killed is
/// gone soon.
///
/// Reads `otp.child.stop` {`process`, `asked`}, `otp.process.stop` {`process`}, and of children
/// that stop at once when asked `tree.prompt` {`process`}. Planted bug: `otp.shutdown-ignored` goes
/// on, until it is killed.
#[derive(Debug, Default)]
pub struct SupervisorStopBounded {
    nodes: ByNode<Stops>,
}

#[derive(Debug, Default)]
struct Stops {
    prompt: BTreeSet<u64>,
    asked: BTreeSet<u64>,
    killed_ns: BTreeMap<u64, u64>,
}

impl Invariant for SupervisorStopBounded {
    fn name(&self) -> &'static str {
        "supervisor.stop_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let stops = self.nodes.of(seen.node);
        if let Some((process, at)) = stops.killed_ns.iter().find(|(_, at)| seen.at.0 > **at + KILL_NS) {
            return Err(format!("{}: process {process} was killed at {} and lives", seen.node, Moment(*at)));
        }
        let process = number(seen, "process");
        match seen.event.name {
            "tree.prompt" => drop(stops.prompt.insert(process)),
            "otp.child.stop" if is(seen, "asked") => drop(stops.asked.insert(process)),
            "otp.child.stop" => {
                stops.killed_ns.insert(process, seen.at.0);
                if stops.prompt.contains(&process) && stops.asked.contains(&process) {
                    return Err(format!("{}: process {process} was asked to stop, and had to be killed", seen.node));
                }
            }
            "otp.process.stop" => {
                stops.prompt.remove(&process);
                stops.asked.remove(&process);
                stops.killed_ns.remove(&process);
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
