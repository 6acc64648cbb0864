//! `ws.close_loses_nothing`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

/// When both sides of a WebSocket have closed in order, the server has received every message that its client sent
/// before it closed, whoever closed first.
///
/// Reads `ws.client.closed` {`socket`, `sent`} and `ws.app.closed` {`socket`, `received`}. Planted bug: `ws.close-race`
/// throws away what comes after one's own close frame.
#[derive(Debug, Default)]
pub struct WsCloseLosesNothing {
    sent: BTreeMap<u64, u64>,
    received: BTreeMap<u64, u64>,
}

impl Invariant for WsCloseLosesNothing {
    fn name(&self) -> &'static str {
        "ws.close_loses_nothing"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let number = |name| seen.event.u64(name).unwrap_or_default();
        match seen.event.name {
            "ws.client.closed" => self.sent.insert(number("socket"), number("sent")),
            "ws.app.closed" => self.received.insert(number("socket"), number("received")),
            _ => return Ok(()),
        };
        let socket = number("socket");
        match (self.sent.get(&socket), self.received.get(&socket)) {
            (Some(sent), Some(received)) if sent != received => {
                Err(format!("socket {socket}: {sent} messages were sent before the close, {received} received"))
            }
            _ => Ok(()),
        }
    }
}
