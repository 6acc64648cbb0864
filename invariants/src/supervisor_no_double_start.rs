//! `supervisor.no_double_start`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number, text};

/// A child is started only when its last life has ended, with all that it held.
///
/// Reads `otp.child.start` {`supervisor`, `child`, `process`} and `otp.process.stop` {`process`}.
/// Planted bug: `supervisor.double-start` starts one that is still stopping.
#[derive(Debug, Default)]
pub struct NoDoubleStart {
    nodes: ByNode<Lives>,
}

#[derive(Debug, Default)]
struct Lives {
    /// By supervisor and child.
    running: BTreeMap<(u64, String), u64>,
    who: BTreeMap<u64, (u64, String)>,
}

impl Invariant for NoDoubleStart {
    fn name(&self) -> &'static str {
        "supervisor.no_double_start"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let lives = self.nodes.of(seen.node);
        let process = number(seen, "process");
        match seen.event.name {
            "otp.child.start" => {
                let child = (number(seen, "supervisor"), text(seen, "child").to_owned());
                lives.who.insert(process, child.clone());
                if let Some(last) = lives.running.insert(child.clone(), process) {
                    let (supervisor, child) = child;
                    return Err(format!(
                        "{}: supervisor {supervisor} starts {child} as process {process} while its process {last} lives",
                        seen.node
                    ));
                }
            }
            "otp.process.stop" => {
                if let Some(child) = lives.who.remove(&process)
                    && lives.running.get(&child) == Some(&process)
                {
                    lives.running.remove(&child);
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
