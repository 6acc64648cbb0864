//! `net.serves_again`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Moment, Seen};

/// A listener that was resumed accepts again: its clients say what they found.
///
/// Reads `probe.connect` {`waited_ns`}, which a client emits when a connection to a listener that is
/// running, with all faults mended, was served or given up. Planted bug: `net.lost-wakeup` does not
/// hear a resume that comes between its look and its wait.
#[derive(Debug, Default)]
pub struct ServesAgain {
    resumed: BTreeMap<String, Moment>,
}

impl Invariant for ServesAgain {
    fn name(&self) -> &'static str {
        "net.serves_again"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "net.listener.resume" => {
                self.resumed.insert(seen.node.to_owned(), seen.at);
                Ok(())
            }
            "probe.connect" if seen.event.str("result") == Some("given_up") => {
                let server = seen.event.str("server").unwrap_or("the server");
                let since = self.resumed.get(server).map_or_else(String::new, |at| format!(", resumed at {at},"));
                Err(format!("{server}{since} has not served {} in {} ns", seen.node, seen.event.measurement("waited_ns").unwrap_or(0.0)))
            }
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.resumed.remove(node);
    }
}
