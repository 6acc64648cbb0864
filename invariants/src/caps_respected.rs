//! `net.caps_respected`

use simurgh_sim::{Invariant, Seen};

/// No listener has more connections than it may have, in all and from one address.
///
/// Reads `net.connection.start`. Planted bug: `net.cap-check-then-act` looks at an address's count,
/// awaits, and only then counts.
#[derive(Debug, Default)]
pub struct CapsRespected;

impl Invariant for CapsRespected {
    fn name(&self) -> &'static str {
        "net.caps_respected"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "net.connection.start" {
            return Ok(());
        }
        for (count, cap) in [("active", "max_connections"), ("from_address", "max_per_address")] {
            let (Some(count_is), Some(cap_is)) = (seen.event.measurement(count), seen.event.u64(cap)) else { continue };
            if count_is > cap_is as f64 {
                return Err(format!("{}: {count} is {count_is}, {cap} is {cap_is}", seen.node));
            }
        }
        Ok(())
    }
}
