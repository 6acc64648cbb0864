//! `http.writes_finish`

use simurgh_sim::{Invariant, Seen};

/// A write that began runs to its end, whatever becomes of its client.
///
/// Reads `http.app.end` {`request`, `is_write`, `result`}: a handler that was dropped half-way says `dropped`. Planted
/// bug: `http.write-not-shielded` drops it with its client.
#[derive(Debug, Default)]
pub struct HttpWritesFinish;

impl Invariant for HttpWritesFinish {
    fn name(&self) -> &'static str {
        "http.writes_finish"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let event = seen.event;
        let is_half_done =
            event.name == "http.app.end" && event.u64("is_write") == Some(1) && event.str("result") == Some("dropped");
        if !is_half_done {
            return Ok(());
        }
        Err(format!("{}: the write {} was given up half-way", seen.node, event.u64("request").unwrap_or_default()))
    }
}
