//! `supervisor.intensity_respected`

use std::collections::{BTreeMap, VecDeque};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// A supervisor never decides on more restarts within its window than its intensity bears.
///
/// Reads `otp.supervisor.start` {`restarts`, `within_ns`, `supervisor`} and `otp.supervisor.decision`
/// {`supervisor`, `decision`}. Planted bug: `supervisor.intensity-off-by-one` bears one more.
#[derive(Debug, Default)]
pub struct IntensityRespected {
    nodes: ByNode<BTreeMap<u64, Window>>,
}

#[derive(Debug)]
struct Window {
    restarts: u64,
    within_ns: u64,
    times_ns: VecDeque<u64>,
}

impl Invariant for IntensityRespected {
    fn name(&self) -> &'static str {
        "supervisor.intensity_respected"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let windows = self.nodes.of(seen.node);
        let supervisor = number(seen, "supervisor");
        match seen.event.name {
            "otp.supervisor.start" => {
                let (restarts, within_ns) = (measured(seen, "restarts"), measured(seen, "within_ns"));
                windows.insert(supervisor, Window { restarts, within_ns, times_ns: VecDeque::new() });
            }
            "otp.supervisor.decision" if text(seen, "decision").starts_with("restarted") => {
                let Some(window) = windows.get_mut(&supervisor) else { return Ok(()) };
                let now = seen.at.0;
                window.times_ns.retain(|then| now - then <= window.within_ns);
                window.times_ns.push_back(now);
                let count = window.times_ns.len() as u64;
                if count > window.restarts {
                    return Err(format!(
                        "{}: supervisor {supervisor} restarts {} for the {count}th time within {} ns; it may {} times",
                        seen.node,
                        text(seen, "child"),
                        window.within_ns,
                        window.restarts
                    ));
                }
            }
            "otp.supervisor.over" => drop(windows.remove(&supervisor)),
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
