//! `memory.bounded`

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{number, text};

/// What has a bound keeps to it.
///
/// Reads `bound.level` {`what`, `len`, `max`}. Planted bug: `register.queue-unbounded` queues without a bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryBounded;

impl Invariant for MemoryBounded {
    fn name(&self) -> &'static str {
        "memory.bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "bound.level" {
            return Ok(());
        }
        let (len, max) = (number(seen, "len"), number(seen, "max"));
        if len <= max { Ok(()) } else { Err(format!("{}: {len} {}, at most {max}", seen.node, text(seen, "what"))) }
    }
}
