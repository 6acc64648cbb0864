//! `net.drain_leaves_none`

use simurgh_sim::{Invariant, Seen};

/// When a drain is over, no connection is left, in whatever state it was.
///
/// Reads `net.listener.drained`. Planted bug: `net.drain-forgets-state` takes no notice of
/// connections whose first byte has not come.
#[derive(Debug, Default)]
pub struct DrainLeavesNone;

impl Invariant for DrainLeavesNone {
    fn name(&self) -> &'static str {
        "net.drain_leaves_none"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.measurement("left") {
            Some(left) if seen.event.name == "net.listener.drained" && left > 0.0 => {
                Err(format!("{}: {left} connections are left after the drain", seen.node))
            }
            _ => Ok(()),
        }
    }
}
