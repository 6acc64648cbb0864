//! From bytes to messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Clocks, Delta, Dots, Item, Message, Meta, Part, ReplicaId, Version};
use super::{
    DecodeError, GOODBYE, HEARTBEAT, HEARTBEAT_WITH_DELTA, MAGIC, MESSAGE_LEN_MAX, TRANSFER_ACK, TRANSFER_REQUEST,
    VERSION,
};

type Result<T> = std::result::Result<T, DecodeError>;

pub(super) fn message(bytes: &[u8]) -> Result<Message> {
    if bytes.len() > MESSAGE_LEN_MAX {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let begins = bytes.iter().zip(MAGIC).all(|(byte, expected)| *byte == expected);
    if !begins {
        return Err(DecodeError::NotAMessage);
    }
    let mut reader = Reader { bytes, at: MAGIC.len().min(bytes.len()) };
    match reader.byte()? {
        VERSION => {}
        other => return Err(DecodeError::UnknownVersion(other)),
    }
    let kind = reader.byte()?;
    let replicas = reader.replicas()?;
    let from = replicas[0].clone();
    let message = match kind {
        HEARTBEAT => Message::Heartbeat { from, clocks: reader.clocks(&replicas)?, delta: None },
        HEARTBEAT_WITH_DELTA => {
            let clocks = reader.clocks(&replicas)?;
            Message::Heartbeat { from, clocks, delta: Some(reader.delta(&replicas)?) }
        }
        TRANSFER_REQUEST => Message::TransferRequest { id: reader.number()?, from, clocks: reader.clocks(&replicas)? },
        TRANSFER_ACK => Message::TransferAck { id: reader.number()?, from, delta: reader.delta(&replicas)? },
        GOODBYE => Message::Goodbye { from },
        _ => return Err(DecodeError::Malformed { at: MAGIC.len() + 1, what: "there is no such kind of message" }),
    };
    if reader.at < bytes.len() {
        return Err(reader.malformed("more bytes than the message has"));
    }
    Ok(message)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { at: self.at, what }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or(DecodeError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(self.malformed("a number of more than 64 bits"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.malformed("a number that could be shorter"));
                }
                return Ok(number);
            }
        }
        Err(self.malformed("a number of more than 64 bits"))
    }

    /// A count of things of which each takes some bytes: no more than there can be.
    fn count(&mut self, each: usize) -> Result<usize> {
        let count = self.number()?;
        let left = self.bytes.len() - self.at;
        if count > (left / each) as u64 { Err(DecodeError::Truncated) } else { Ok(count as usize) }
    }

    fn text(&mut self) -> Result<&'a str> {
        let len = self.count(1)?;
        let text = &self.bytes[self.at..self.at + len];
        let text = std::str::from_utf8(text).map_err(|_| self.malformed("a text that is not UTF-8"))?;
        self.at += len;
        Ok(text)
    }

    fn replicas(&mut self) -> Result<Vec<ReplicaId>> {
        let count = self.count(3)?;
        if count == 0 {
            return Err(self.malformed("a message without a sender"));
        }
        let mut replicas = Vec::with_capacity(count);
        for _ in 0..count {
            let name = self.text()?;
            let version = Version { started_us: self.number()?, unique: self.number()? };
            if name.is_empty() {
                return Err(self.malformed("a replica without a name"));
            }
            replicas.push(ReplicaId::new(name, version));
        }
        Ok(replicas)
    }

    fn replica(&mut self, replicas: &[ReplicaId]) -> Result<ReplicaId> {
        let index = self.number()?;
        let id = usize::try_from(index).ok().and_then(|index| replicas.get(index));
        id.cloned().ok_or_else(|| self.malformed("a replica that is not in the list"))
    }

    fn clocks(&mut self, replicas: &[ReplicaId]) -> Result<Clocks> {
        let count = self.count(2)?;
        (0..count).map(|_| Ok((self.replica(replicas)?, self.number()?))).collect()
    }

    fn delta(&mut self, replicas: &[ReplicaId]) -> Result<Delta> {
        let is_full = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(self.malformed("neither yes nor no")),
        };
        let parts = self.count(4)?;
        let topics = self.count(2)?;
        let topics: Vec<Arc<str>> = (0..topics).map(|_| self.name().map(Into::into)).collect::<Result<_>>()?;
        let parts = (0..parts).map(|_| self.part(replicas, &topics)).collect::<Result<_>>()?;
        Ok(Delta { is_full, parts })
    }

    fn name(&mut self) -> Result<&'a str> {
        let name = self.text()?;
        if name.is_empty() { Err(self.malformed("an empty topic or key")) } else { Ok(name) }
    }

    /// The number that lies so far behind `from`.
    fn further(&mut self, from: u64) -> Result<u64> {
        let by = self.number()?;
        from.checked_add(by).ok_or_else(|| self.malformed("a clock of more than 64 bits"))
    }

    fn part(&mut self, replicas: &[ReplicaId], topics: &[Arc<str>]) -> Result<Part> {
        let replica = self.replica(replicas)?;
        let start = self.number()?;
        let end = self.further(start)?;
        let part = Part { replica, start, end, dots: self.dots()?, values: self.values(topics)? };
        if part.is_sound() { Ok(part) } else { Err(self.malformed("a delta that contradicts itself")) }
    }

    fn dots(&mut self) -> Result<Dots> {
        let count = self.count(2)?;
        let mut dots = Dots::default();
        let mut last = 0;
        for at in 0..count {
            let first = self.further(last)?;
            // Runs that touch would be one run.
            if first == 0 || (at > 0 && first - last < 2) {
                return Err(self.malformed("runs that touch, or the clock 0"));
            }
            last = self.further(first)?;
            dots.insert(first..=last);
        }
        Ok(dots)
    }

    fn values(&mut self, topics: &[Arc<str>]) -> Result<BTreeMap<u64, Arc<Item>>> {
        let count = self.count(5)?;
        let mut values = BTreeMap::new();
        let mut clock = 0;
        for _ in 0..count {
            let next = self.further(clock)?;
            if next == clock {
                return Err(self.malformed("two values of one clock"));
            }
            clock = next;
            let topic = self.number()?;
            let topic = usize::try_from(topic).ok().and_then(|topic| topics.get(topic));
            let topic = topic.cloned().ok_or_else(|| self.malformed("a topic that is not in the list"))?;
            let key = self.name()?.into();
            let owner = self.number()?;
            let meta = Meta::received(self.text()?).ok_or_else(|| self.malformed("a meta that is none"))?;
            values.insert(clock, Arc::new(Item { topic, key, owner, meta }));
        }
        Ok(values)
    }
}
