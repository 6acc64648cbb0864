//! `http.memory_bounded`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{measured, number};

/// What a server keeps of one client is bounded, whatever that client sends, says or leaves unread.
///
/// Three accounts of each request, in bytes. What a client has sent and the application has not been given lies with the
/// server, or in sockets: it stays within the bound of the wire. So does what the application has made and the client
/// has not read. What the application has been given of a body stays within the bound that the application says.
///
/// Reads `http.client.sent` and `http.client.heard` {`bytes`, `request`} of clients: in all, without what the
/// application never sees (the lines of chunks); and `http.app.took` {`bytes`, `most`, `request`} and `http.app.made`
/// {`bytes`, `request`} of the application. Planted bugs: `http.head-unbounded` lets a head grow,
/// `http.chunks-unbounded` a chunked body, `web.part-head-unbounded` the head of a part, `web.part-text-unbounded` its
/// text.
#[derive(Debug)]
pub struct HttpMemoryBounded {
    wire_max: u64,
    requests: BTreeMap<u64, Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    sent: u64,
    took: u64,
    made: u64,
    heard: u64,
}

impl HttpMemoryBounded {
    /// With the bytes that may lie between a client and the application, in one direction.
    pub fn of_wire(wire_max: u64) -> Self {
        Self { wire_max, requests: BTreeMap::new() }
    }
}

impl Invariant for HttpMemoryBounded {
    fn name(&self) -> &'static str {
        "http.memory_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let name = seen.event.name;
        if !matches!(name, "http.client.sent" | "http.client.heard" | "http.app.took" | "http.app.made") {
            return Ok(());
        }
        let (request, bytes) = (number(seen, "request"), measured(seen, "bytes"));
        let accounts = self.requests.entry(request).or_default();
        match name {
            "http.client.sent" => accounts.sent = bytes,
            "http.client.heard" => accounts.heard = bytes,
            "http.app.made" => accounts.made = bytes,
            _ => {
                accounts.took = bytes;
                let most = measured(seen, "most");
                if bytes > most {
                    return Err(format!("request {request}: the application was given {bytes} bytes, {most} at most"));
                }
            }
        }
        let Accounts { sent, took, made, heard } = accounts;
        for (what, kept) in
            [("of a request", sent.saturating_sub(*took)), ("of an answer", made.saturating_sub(*heard))]
        {
            if kept > self.wire_max {
                let most = self.wire_max;
                return Err(format!("request {request}: {kept} bytes {what} are kept, {most} may be"));
            }
        }
        Ok(())
    }
}
