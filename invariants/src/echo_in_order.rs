//! `echo.in_order`

use simurgh_sim::{Invariant, Seen};

/// Each byte comes back once and in order.
///
/// Reads `echo.client.mismatch`, which a client emits when what it reads is not what it said.
#[derive(Debug, Default)]
pub struct EchoInOrder;

impl Invariant for EchoInOrder {
    fn name(&self) -> &'static str {
        "echo.in_order"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name == "echo.client.mismatch" {
            let at = seen.event.measurement("offset").unwrap_or(0.0);
            return Err(format!("{} read something else than it said, from byte {at} of a line on", seen.node));
        }
        Ok(())
    }
}
