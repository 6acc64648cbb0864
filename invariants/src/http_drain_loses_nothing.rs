//! `http.drain_loses_nothing`

use std::collections::BTreeSet;

use simurgh_sim::{Invariant, Seen};

/// A request whose handler began is answered, also in a drain, if its client stays.
///
/// Reads `http.app.begin` {`request`} and `http.client.unanswered` {`request`}, which a client emits that was left
/// without an answer. Planted bug: `http.drain-drops-request` closes connections that are at work.
#[derive(Debug, Default)]
pub struct HttpDrainLosesNothing {
    begun: BTreeSet<u64>,
    unanswered: BTreeSet<u64>,
}

impl Invariant for HttpDrainLosesNothing {
    fn name(&self) -> &'static str {
        "http.drain_loses_nothing"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let Some(request) = seen.event.u64("request") else { return Ok(()) };
        match seen.event.name {
            "http.app.begin" => self.begun.insert(request),
            "http.client.unanswered" => self.unanswered.insert(request),
            _ => return Ok(()),
        };
        if self.begun.contains(&request) && self.unanswered.contains(&request) {
            return Err(format!("request {request} was taken, and never answered"));
        }
        Ok(())
    }
}
