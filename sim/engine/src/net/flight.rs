//! What is under way between nodes, for reports: messages that arrived, and those that never did, with what stopped
//! them. Only a run that keeps messages pays for it, and nothing here changes what happens.

use crate::core::Core;
use crate::heap::{ConnId, FlowId};

/// What stopped a message that never arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The way was cut.
    Cut,
    /// The way was clogged.
    Clogged,
    /// The machine that it was for was off, or the one that would have sent it again.
    Off,
    /// Its connection was over, for one end or both, before it came.
    Broken,
    /// It reached the machine, and nobody was there to read it any more.
    Unread,
    /// The run ended first.
    End,
}

impl Stop {
    /// In one word: `cut`, `clogged`, `off`, `broken`, `unread`, `end`.
    pub fn word(self) -> &'static str {
        match self {
            Stop::Cut => "cut",
            Stop::Clogged => "clogged",
            Stop::Off => "off",
            Stop::Broken => "broken",
            Stop::Unread => "unread",
            Stop::End => "end",
        }
    }
}

impl Core {
    /// Keeps what has just reached a machine: read there, or by nobody.
    pub(super) fn keep_message(&mut self, id: FlowId, segments: usize, bytes: &[u8], is_unread: bool) {
        let queue = self.sent.entry(id).or_default();
        let sent = queue.drain(..segments.min(queue.len())).next().unwrap_or(self.now);
        let ways = self.nodes_of(id);
        if is_unread && !bytes.is_empty() {
            self.trace.undelivered(ways, connection(id.conn), (sent, self.now), bytes, Stop::Unread);
        } else {
            self.trace.message(ways, connection(id.conn), (sent, self.now), bytes);
        }
    }

    /// Keeps what is under way on a connection that is over.
    pub(super) fn keep_flights(&mut self, id: ConnId, otherwise: Stop) {
        for from in 0..2 {
            self.keep_flight(FlowId { conn: id, from }, otherwise);
        }
    }

    /// Keeps what is under way in one direction and will never arrive: stopped by what stops the flow, or else so.
    pub(super) fn keep_flight(&mut self, id: FlowId, otherwise: Stop) {
        if !self.trace.keeps_messages() || self.conn(id.conn).is_none() {
            return;
        }
        let sent = self.sent.remove(&id).unwrap_or_default();
        let (ways, now) = (self.nodes_of(id), self.now);
        let flow = &self.conns[id.conn.index as usize].flows[id.from as usize];
        let (mut at, since) = (flow.arrived, flow.blocked_since);
        for (place, segment) in flow.segments.iter().enumerate() {
            let bytes: Vec<u8> = flow.bytes.iter().skip(at).take(segment.len as usize).copied().collect();
            at += segment.len as usize;
            let sent = sent.get(place).copied().unwrap_or(now);
            // What was sent into a way that was closed already is stopped when it is due.
            let stopped = since.map_or(now, |since| since.max(segment.at).min(now));
            let stop = if since.is_some() { flow.stop.unwrap_or(otherwise) } else { otherwise };
            if !bytes.is_empty() {
                self.trace.undelivered(ways, connection(id.conn), (sent, stopped), &bytes, stop);
            }
        }
    }

    /// The run is over: keeps all that is still under way.
    pub(crate) fn keep_all_flights(&mut self) {
        if !self.trace.keeps_messages() {
            return;
        }
        let ids: Vec<ConnId> = self
            .conns
            .iter()
            .map(|(index, conn)| ConnId { index: index as u32, generation: conn.generation })
            .collect();
        for id in ids {
            self.keep_flights(id, Stop::End);
        }
        let attempts: Vec<(usize, u32)> =
            self.attempts.iter().map(|(index, attempt)| (index, attempt.generation)).collect();
        for (index, generation) in attempts {
            self.keep_request(index as u32, generation);
        }
    }

    fn nodes_of(&self, id: FlowId) -> (u32, u32) {
        let ends = &self.conns[id.conn.index as usize].ends;
        (ends[id.from as usize].node, ends[1 - id.from as usize].node)
    }
}

fn connection(id: ConnId) -> u64 {
    u64::from(id.index) << 32 | u64::from(id.generation)
}
