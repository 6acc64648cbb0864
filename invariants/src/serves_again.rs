//! `net.serves_again`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Moment, Seen};

/// A listener that was resumed accepts again, soon; and when all faults are mended, it serves.
///
/// Reads `net.listener.resume`, `.suspend`, `.accepting`, and `net.listener.census`, which somebody
/// in the node emits now and then: two in a row without having begun to accept are too many. Reads
/// `probe.connect` {`result`, `server`, `waited_ns`} of a client that tries in the end. Planted bug:
/// `net.lost-wakeup` does not hear a resume that comes between its look and its wait.
#[derive(Debug, Default)]
pub struct ServesAgain {
    /// By node: when it was resumed, and the censuses since.
    resumed: BTreeMap<String, (Moment, u32)>,
}

impl Invariant for ServesAgain {
    fn name(&self) -> &'static str {
        "net.serves_again"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "net.listener.resume" => {
                self.resumed.insert(seen.node.to_owned(), (seen.at, 0));
            }
            "net.listener.suspend" | "net.listener.accepting" | "net.listener.drain" => {
                self.resumed.remove(seen.node);
            }
            "net.listener.census" => {
                if let Some((since, censuses)) = self.resumed.get_mut(seen.node) {
                    *censuses += 1;
                    if *censuses >= 2 {
                        return Err(format!("{} was resumed at {since} and has not begun to accept", seen.node));
                    }
                }
            }
            "probe.connect" if seen.event.str("result") == Some("given_up") => {
                let server = seen.event.str("server").unwrap_or("the server");
                let waited = seen.event.measurement("waited_ns").unwrap_or(0.0);
                return Err(format!("{server} has not served {} in {waited} ns, with all faults mended", seen.node));
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.resumed.remove(node);
    }
}
