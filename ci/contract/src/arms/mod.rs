//! The three arms.

mod kernel;
mod sim;
mod turmoil;

use std::time::Duration;

use crate::arm::Scene;
use crate::cases::Case;

/// A case that goes on for longer, in the arm's own time, hangs.
const HANGS: Duration = Duration::from_secs(20);

/// The arms by name, each with how it runs a case.
pub const ARMS: [(&str, fn(&Case, u16) -> Result<Vec<String>, String>); 3] =
    [("kernel", kernel::run), ("ours", sim::run), ("turmoil", turmoil::run)];

/// What was seen, with a word on how it ended if it did not end well.
fn outcome(scene: &Scene, ended: Result<(), String>) -> Result<Vec<String>, String> {
    let mut seen = scene.outcome()?;
    if let Err(why) = ended {
        seen.push(why);
    }
    Ok(seen)
}
