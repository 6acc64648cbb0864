//! `http.one_response`

use std::collections::BTreeSet;

use simurgh_sim::{Invariant, Seen};

/// Each request is served once, ends once, and its client hears the answer to it and to no other.
///
/// Reads `http.request.start` and `http.request.stop` of a server, and `http.client.mismatch` {`request`}, which a
/// client emits when an answer is another's. Planted bug: `http.double-response` serves some requests twice.
#[derive(Debug, Default)]
pub struct HttpOneResponse {
    /// Node, connection, request.
    open: BTreeSet<(String, u64, u64)>,
    begun: BTreeSet<(String, u64, u64)>,
}

impl Invariant for HttpOneResponse {
    fn name(&self) -> &'static str {
        "http.one_response"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let key = || {
            let number = |name| seen.event.u64(name).unwrap_or_default();
            (seen.node.to_owned(), number("connection"), number("request"))
        };
        let is_right = match seen.event.name {
            "http.request.start" => self.begun.insert(key()) && self.open.insert(key()),
            "http.request.stop" => self.open.remove(&key()),
            "http.client.mismatch" => return Err(format!("{} got an answer to something else", seen.node)),
            _ => true,
        };
        if is_right { Ok(()) } else { Err(format!("{:?}: {} twice", key(), seen.event.name)) }
    }

    fn node_ended(&mut self, node: &str) {
        self.open.retain(|(of, ..)| of != node);
        self.begun.retain(|(of, ..)| of != node);
    }
}
