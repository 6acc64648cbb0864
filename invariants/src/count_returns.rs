//! `net.count_returns`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

/// Connections that are accepted and have not started are counted too; they start soon. A count that
/// stays too high over this many censuses, with nothing started or stopped in between, is wrong.
const CENSUSES: u32 = 5;

/// What a listener counts as open is what has started and not stopped: each end takes one off.
///
/// Reads `net.connection.start`, `net.connection.stop` and `net.listener.census` {`open`}, which
/// somebody in the node emits now and then. Planted bug: `net.count-not-decremented` forgets the
/// connections that end with a reset.
#[derive(Debug, Default)]
pub struct CountReturns {
    nodes: BTreeMap<String, Open>,
}

#[derive(Debug, Default)]
struct Open {
    count: i64,
    too_high: u32,
}

impl Invariant for CountReturns {
    fn name(&self) -> &'static str {
        "net.count_returns"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let change = match seen.event.name {
            "net.connection.start" => 1,
            "net.connection.stop" => -1,
            "net.listener.census" => return self.census(seen),
            _ => return Ok(()),
        };
        let open = self.nodes.entry(seen.node.to_owned()).or_default();
        open.count += change;
        open.too_high = 0;
        if open.count < 0 { Err(format!("{}: a connection stopped that had not started", seen.node)) } else { Ok(()) }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.remove(node);
    }
}

impl CountReturns {
    fn census(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let open = self.nodes.entry(seen.node.to_owned()).or_default();
        let counted = seen.event.measurement("open").unwrap_or(0.0) as i64;
        open.too_high = if counted > open.count { open.too_high + 1 } else { 0 };
        if counted < open.count || open.too_high >= CENSUSES {
            return Err(format!("{} counts {counted} connections, {} are open", seen.node, open.count));
        }
        Ok(())
    }
}
