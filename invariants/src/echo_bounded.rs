//! `echo.buffer_bounded`

use simurgh_sim::{Invariant, Seen};

/// What the echo service keeps for a peer that does not read stays below its bound.
///
/// Reads `echo.buffer`. Planted bug: `echo.unbounded-buffer` reads on while the peer does not.
#[derive(Debug, Default)]
pub struct EchoBounded;

impl Invariant for EchoBounded {
    fn name(&self) -> &'static str {
        "echo.buffer_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "echo.buffer" {
            return Ok(());
        }
        match (seen.event.measurement("bytes"), seen.event.u64("cap")) {
            (Some(bytes), Some(cap)) if bytes > cap as f64 => {
                Err(format!("{}: {bytes} bytes are kept for one peer, {cap} are allowed", seen.node))
            }
            _ => Ok(()),
        }
    }
}
