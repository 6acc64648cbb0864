//! `echo.no_bystander_hurt`

use std::collections::BTreeSet;

use simurgh_sim::{Invariant, Seen};

/// While nothing but single handlers is killed, no connection breaks but theirs.
///
/// Reads `echo.handler_killed` {`peer`}, `echo.client.broken` {`local`} and `world.chaos`, from which
/// on connections may break for other reasons.
#[derive(Debug, Default)]
pub struct NoBystanderHurt {
    killed: BTreeSet<String>,
    chaos: bool,
}

impl Invariant for NoBystanderHurt {
    fn name(&self) -> &'static str {
        "echo.no_bystander_hurt"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "world.chaos" => self.chaos = true,
            "echo.handler_killed" => {
                self.killed.extend(seen.event.str("peer").map(str::to_owned));
            }
            "echo.client.broken" if !self.chaos => {
                let local = seen.event.str("local").unwrap_or_default();
                if !self.killed.contains(local) {
                    let why = seen.event.str("error").unwrap_or_default();
                    return Err(format!(
                        "{}: the connection from {local} broke ({why}), and its handler was not killed",
                        seen.node
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
