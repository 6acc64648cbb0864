//! From messages to bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Clocks, Delta, Message, Part, ReplicaId};
use super::{GOODBYE, HEARTBEAT, HEARTBEAT_WITH_DELTA, MAGIC, TRANSFER_ACK, TRANSFER_REQUEST, VERSION};

pub(super) fn message(message: &Message) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::with_capacity(128), replicas: BTreeMap::new() };
    writer.bytes.extend(MAGIC);
    writer.bytes.push(VERSION);
    let none = (Clocks::new(), None);
    let (kind, id, clocks, delta) = match message {
        Message::Heartbeat { delta: None, clocks, .. } => (HEARTBEAT, None, clocks, None),
        Message::Heartbeat { delta: Some(delta), clocks, .. } => (HEARTBEAT_WITH_DELTA, None, clocks, Some(delta)),
        Message::TransferRequest { id, clocks, .. } => (TRANSFER_REQUEST, Some(*id), clocks, None),
        Message::TransferAck { id, delta, .. } => (TRANSFER_ACK, Some(*id), &none.0, Some(delta)),
        Message::Goodbye { .. } => (GOODBYE, None, &none.0, none.1),
    };
    writer.bytes.push(kind);
    let of_clocks = clocks.iter().map(|(id, _)| id);
    let of_parts = delta.into_iter().flat_map(|delta| &delta.parts).map(|part| &part.replica);
    writer.replicas(std::iter::once(message.from()).chain(of_clocks).chain(of_parts));
    if let Some(id) = id {
        writer.number(id);
    }
    if matches!(kind, HEARTBEAT | HEARTBEAT_WITH_DELTA | TRANSFER_REQUEST) {
        writer.clocks(clocks);
    }
    if let Some(delta) = delta {
        writer.delta(delta);
    }
    writer.bytes
}

struct Writer<'a> {
    bytes: Vec<u8>,
    replicas: BTreeMap<&'a ReplicaId, u64>,
}

impl<'a> Writer<'a> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    fn replicas(&mut self, all: impl Iterator<Item = &'a ReplicaId>) {
        let mut order: Vec<&ReplicaId> = Vec::new();
        for id in all {
            self.replicas.entry(id).or_insert_with(|| {
                order.push(id);
                order.len() as u64 - 1
            });
        }
        self.number(order.len() as u64);
        for id in order {
            self.text(id.name());
            self.number(id.version().started_us);
            self.number(id.version().unique);
        }
    }

    fn replica(&mut self, id: &ReplicaId) {
        let index = self.replicas[id];
        self.number(index);
    }

    fn clocks(&mut self, clocks: &Clocks) {
        self.number(clocks.len() as u64);
        for (id, clock) in clocks {
            self.replica(id);
            self.number(*clock);
        }
    }

    fn delta(&mut self, delta: &Delta) {
        self.bytes.push(u8::from(delta.is_full));
        self.number(delta.parts.len() as u64);
        let mut order: Vec<&Arc<str>> = Vec::new();
        let mut topics: BTreeMap<&str, u64> = BTreeMap::new();
        for item in delta.parts.iter().flat_map(|part| part.values.values()) {
            topics.entry(&item.topic).or_insert_with(|| {
                order.push(&item.topic);
                order.len() as u64 - 1
            });
        }
        self.number(order.len() as u64);
        for topic in order {
            self.text(topic);
        }
        delta.parts.iter().for_each(|part| self.part(part, &topics));
    }

    fn part(&mut self, part: &Part, topics: &BTreeMap<&str, u64>) {
        self.replica(&part.replica);
        self.number(part.start);
        self.number(part.end - part.start);
        self.number(part.dots.runs().len() as u64);
        let mut last = 0;
        for (first, end) in part.dots.runs() {
            self.number(first - last);
            self.number(end - first);
            last = end;
        }
        self.number(part.values.len() as u64);
        let mut last = 0;
        for (clock, item) in &part.values {
            self.number(clock - last);
            last = *clock;
            self.number(topics[&*item.topic]);
            self.text(&item.key);
            self.number(item.owner);
            self.text(item.meta.as_json());
        }
    }
}
