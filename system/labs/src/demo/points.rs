//! The points of a demonstration: each is shown with the fact that it rests on.

use simurgh::prelude::*;

/// Prints points as they are shown, and remembers whether all passed.
#[derive(Debug, Default)]
pub struct Points {
    failed: Vec<String>,
}

impl Points {
    /// Shows a point.
    pub fn show(&mut self, number: &str, what: &str, fact: &str, passed: bool) {
        let verdict = if passed { "PASS" } else { "FAIL" };
        out!("[{number}] {verdict}  {what}: {fact}");
        if !passed {
            self.failed.push(number.to_owned());
        }
    }

    /// The end: an error that names what failed, if anything.
    ///
    /// # Errors
    /// If a point failed.
    pub fn end(self) -> Result<(), String> {
        if self.failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", self.failed.join(", "))) }
    }
}
