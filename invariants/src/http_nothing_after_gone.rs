//! `http.nothing_after_gone`

use std::collections::BTreeMap;
use std::time::Duration;

use simurgh_sim::{Invariant, Seen};

/// What a client's leaving may take to reach the server, lost segments included, and 50 ms for the server.
const GRACE: Duration = Duration::from_millis(10_050);

/// Nobody works on a read whose client has gone.
///
/// Reads `http.client.gone` {`request`} and `http.app.runs` {`request`}, which the handler of a read emits while it
/// runs. Planted bug: `http.ignores-gone` does not look for the client.
#[derive(Debug)]
pub struct HttpNothingAfterGone {
    grace_ns: u64,
    gone_at_ns: BTreeMap<u64, u64>,
}

impl Default for HttpNothingAfterGone {
    /// In a network that loses segments.
    fn default() -> Self {
        Self::within(GRACE)
    }
}

impl HttpNothingAfterGone {
    /// With the time that a client's leaving may take to end the work: on its way, and in the server.
    pub fn within(grace: Duration) -> Self {
        Self { grace_ns: grace.as_nanos() as u64, gone_at_ns: BTreeMap::new() }
    }
}

impl Invariant for HttpNothingAfterGone {
    fn name(&self) -> &'static str {
        "http.nothing_after_gone"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let Some(request) = seen.event.u64("request") else { return Ok(()) };
        match seen.event.name {
            "http.client.gone" => {
                self.gone_at_ns.insert(request, seen.at.0);
            }
            "http.app.runs" => {
                let since_ns = self.gone_at_ns.get(&request).map_or(0, |gone| seen.at.0 - gone);
                if since_ns > self.grace_ns {
                    return Err(format!("read {request} runs {} ms after its client has gone", since_ns / 1_000_000));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
