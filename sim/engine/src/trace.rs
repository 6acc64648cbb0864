//! The trace of a run: a rolling hash over everything that happened, a checkpoint of it every 1,024
//! events, the last events of each node, and, on request, every event in words.
//!
//! Two runs of one seed must agree in every event. The hash tells whether they do, the checkpoints
//! tell where to look, and [`first_difference`] shows both sides of the first event that differs.

use std::collections::VecDeque;
use std::fmt;
use std::fmt::Write as _;

use crate::net::flight::Stop;

/// Events between two checkpoints.
pub(crate) const CHECKPOINT_EVERY: u64 = 1024;
/// Events kept of each node, for a failure's report.
const LAST_EVENTS: usize = 24;
const ONE: u64 = 0x9E37_79B9_7F4A_7C15;
const TWO: u64 = 0xD6E8_FEB8_6659_FD93;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // the names say it, and `describe` says the rest
pub(crate) enum Kind {
    Start = 1,
    Spawn,
    Poll,
    Preempt,
    Exit,
    Panic,
    Abort,
    Listen,
    Connect,
    Accept,
    Refused,
    Write,
    Arrive,
    Read,
    Fin,
    Reset,
    Blocked,
    Fault,
    Kill,
    Pause,
    Resume,
    Ready,
    Signal,
    Event,
    Probe,
    Buggify,
    Print,
    File,
    Random,
    DeadCall,
    Wait,
    Held,
    Datagram,
    Lookup,
    Note,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) at: u64,
    pub(crate) node: u32,
    pub(crate) task: u64,
    pub(crate) kind: Kind,
    pub(crate) a: u64,
    pub(crate) b: u64,
}

/// One event, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEvent {
    /// The virtual time.
    pub at: Moment,
    /// Its number, from 1. A note is no event, and has that of the event before it.
    pub number: u64,
    /// The node's name.
    pub node: String,
    /// The number of the task within its node; 0 is the node itself.
    pub task: u64,
    /// What kind of thing happened: `poll`, `write`, `arrive`, `event`, `probe`, ...
    pub kind: String,
    /// What happened.
    pub words: String,
}

/// One message that arrived: bytes of a stream, or a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's name.
    pub from: String,
    /// The receiver's name.
    pub to: String,
    /// When it was sent; when it arrived.
    pub sent: Moment,
    /// When it arrived.
    pub arrived: Moment,
    /// The number of the event of its arrival.
    pub event: u64,
    /// The connection: equal for all messages of one.
    pub connection: u64,
    /// Its length in bytes.
    pub len: usize,
    /// Its first bytes, as text where they are.
    pub begins: String,
}

/// One message that never arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The sender's name.
    pub from: String,
    /// The name of whom it was for.
    pub to: String,
    /// When it was sent.
    pub sent: Moment,
    /// When it was stopped.
    pub stopped: Moment,
    /// By what.
    pub stop: Stop,
    /// The connection, as in [`Message`]; 0 for the request for one.
    pub connection: u64,
    /// Its length in bytes; 0 for a request for a connection.
    pub len: usize,
    /// Its first bytes, as text where they are.
    pub begins: String,
}

/// An event with its number and words.
type Kept = (u64, Record, Box<str>);

/// The trace of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    checkpoints: Vec<u64>,
    last: Vec<VecDeque<Kept>>,
    full: Option<Vec<String>>,
    names: Vec<String>,
    in_words: bool,
    /// The last events of all nodes, and the last messages, at most so many of each.
    keep: usize,
    kept: VecDeque<Kept>,
    messages: VecDeque<Message>,
    undelivered: VecDeque<Undelivered>,
}

impl Trace {
    /// An empty trace. `in_words` keeps the last events of each node, `full` keeps every event, `keep` the last so many
    /// events and messages of all.
    pub(crate) fn new(in_words: bool, full: bool, keep: usize) -> Self {
        Self {
            hash: ONE,
            events: 0,
            checkpoints: Vec::new(),
            last: Vec::new(),
            full: full.then(Vec::new),
            names: Vec::new(),
            in_words: in_words || full || keep > 0,
            keep,
            kept: VecDeque::new(),
            messages: VecDeque::new(),
            undelivered: VecDeque::new(),
        }
    }

    /// Gives node number `names.len()` its name.
    pub(crate) fn add_node(&mut self, name: &str) {
        self.names.push(name.to_owned());
        self.last.push(VecDeque::new());
    }

    /// Adds an event. `words` is asked only when somebody will read it.
    #[inline]
    pub(crate) fn add(&mut self, record: Record, words: impl FnOnce() -> String) {
        self.events += 1;
        let who = (u64::from(record.node) << 40) ^ record.task ^ ((record.kind as u64) << 56);
        self.hash = mix(mix(self.hash ^ record.at, who), record.a ^ record.b.rotate_left(32));
        if self.events.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoints.push(self.hash);
        }
        if self.in_words {
            self.put_in_words(record, words()); // who wants to read it else runs the seed again, in words
        }
    }

    /// Adds a note: words for who reads, and no part of the hash.
    pub(crate) fn note(&mut self, record: Record, words: impl FnOnce() -> String) {
        if self.in_words {
            self.put_in_words(record, words());
        }
    }

    fn put_in_words(&mut self, record: Record, words: String) {
        let text = words.into_boxed_str();
        if let Some(full) = &mut self.full {
            full.push(line(self.events, &record, &text, &self.names[record.node as usize]));
        }
        if self.keep > 0 {
            if self.kept.len() == self.keep {
                self.kept.pop_front();
            }
            self.kept.push_back((self.events, record, text.clone()));
        }
        let last = &mut self.last[record.node as usize];
        if last.len() == LAST_EVENTS {
            last.pop_front();
        }
        last.push_back((self.events, record, text));
    }

    /// Whether messages are kept.
    #[inline]
    pub(crate) fn keeps_messages(&self) -> bool {
        self.keep > 0
    }

    /// Keeps a message whose arrival was the last event.
    pub(crate) fn message(
        &mut self,
        (from, to): (u32, u32),
        connection: u64,
        (sent, arrived): (u64, u64),
        bytes: &[u8],
    ) {
        if self.messages.len() == self.keep {
            self.messages.pop_front();
        }
        let begins = begins(bytes);
        self.messages.push_back(Message {
            from: self.names[from as usize].clone(),
            to: self.names[to as usize].clone(),
            sent: Moment(sent),
            arrived: Moment(arrived),
            event: self.events,
            connection,
            len: bytes.len(),
            begins,
        });
    }

    /// Keeps a message that will never arrive: a request for a connection if it has no bytes.
    pub(crate) fn undelivered(
        &mut self,
        (from, to): (u32, u32),
        connection: u64,
        (sent, stopped): (u64, u64),
        bytes: &[u8],
        stop: Stop,
    ) {
        if self.undelivered.len() == self.keep {
            self.undelivered.pop_front();
        }
        self.undelivered.push_back(Undelivered {
            from: self.names[from as usize].clone(),
            to: self.names[to as usize].clone(),
            sent: Moment(sent),
            stopped: Moment(stopped),
            stop,
            connection,
            len: bytes.len(),
            begins: begins(bytes),
        });
    }

    /// The last events, in the order of time.
    pub(crate) fn take_kept(&mut self) -> Vec<TraceEvent> {
        let kept = std::mem::take(&mut self.kept);
        let event = |(number, record, words): Kept| TraceEvent {
            at: Moment(record.at),
            number,
            node: self.names[record.node as usize].clone(),
            task: record.task,
            kind: format!("{:?}", record.kind).to_lowercase(),
            words: words.into(),
        };
        kept.into_iter().map(event).collect()
    }

    /// The last messages, in the order of their arrival.
    pub(crate) fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages).into()
    }

    /// The last messages that never arrived, in the order in which they were sent.
    pub(crate) fn take_undelivered(&mut self) -> Vec<Undelivered> {
        let mut undelivered: Vec<Undelivered> = std::mem::take(&mut self.undelivered).into();
        undelivered.sort_by_key(|message| (message.sent, message.stopped));
        undelivered
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn checkpoints(&self) -> &[u64] {
        &self.checkpoints
    }

    /// Every event, if they were kept.
    pub(crate) fn take_full(&mut self) -> Option<Vec<String>> {
        self.full.take()
    }

    /// The last events of the nodes that were active last, in words. A node's stand in the order of
    /// time; the world comes first.
    pub(crate) fn last_events(&self, nodes: usize, each: usize) -> String {
        let last_of = |index: usize| self.last[index].back().map_or(0, |(number, ..)| *number);
        let mut active: Vec<usize> = (0..self.last.len()).filter(|&index| last_of(index) > 0).collect();
        active.sort_by_key(|&index| (index != 0, std::cmp::Reverse(last_of(index))));
        let left_out = active.len().saturating_sub(nodes);
        active.truncate(nodes);
        let mut text = String::new();
        for index in active {
            let _ = writeln!(text, "  {}", self.names[index]);
            let events = &self.last[index];
            for (number, record, words) in events.iter().skip(events.len().saturating_sub(each)) {
                let _ = writeln!(text, "    {}", line(*number, record, words, ""));
            }
        }
        if left_out > 0 {
            let _ = writeln!(text, "  and {left_out} nodes that were active before");
        }
        text
    }
}

/// The first bytes of a message, as text where they are.
fn begins(bytes: &[u8]) -> String {
    const BEGINS: usize = 48;
    bytes.iter().take(BEGINS).copied().flat_map(std::ascii::escape_default).map(char::from).collect()
}

/// One event on one line.
fn line(number: u64, record: &Record, words: &str, node: &str) -> String {
    let at = Moment(record.at);
    let kind = format!("{:?}", record.kind).to_lowercase();
    let gap = if node.is_empty() { "" } else { " " };
    format!("{at} #{number}{gap}{node} task {} {kind} {words}", record.task)
}

/// A moment of virtual time, printed as seconds with nine digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// The first event in which two full traces differ, both sides, with the two events before it.
pub fn first_difference(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|&index| one.get(index) != other.get(index))?;
    let mut text = String::new();
    for line in &one[at.saturating_sub(2)..at] {
        let _ = writeln!(text, "  both   {line}");
    }
    let ended = "(the run had ended)";
    let _ = writeln!(text, "  first  {}", one.get(at).map_or(ended, String::as_str));
    let _ = write!(text, "  second {}", other.get(at).map_or(ended, String::as_str));
    Some(text)
}

/// Mixes `value` into `hash`: a 64 by 64 bit multiplication, folded.
#[inline]
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ ONE) * u128::from(value ^ TWO);
    (product as u64) ^ ((product >> 64) as u64) ^ hash.rotate_left(23)
}

/// A digest of what is written, equal on all machines: as [`digest`], in two lanes of 16 bytes at a time, so that no
/// multiplication waits for the one before.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut lanes = [bytes.len() as u64 ^ ONE, TWO];
    let mut chunks = bytes.chunks_exact(32);
    for chunk in &mut chunks {
        let word = |at: usize| u64::from_le_bytes(chunk[at..at + 8].try_into().expect("eight bytes"));
        lanes[0] = mix(lanes[0] ^ word(0), word(8));
        lanes[1] = mix(lanes[1] ^ word(16), word(24));
    }
    mix(mix(lanes[0], lanes[1]), digest(chunks.remainder()))
}

/// A digest of bytes, equal on all machines.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64 ^ TWO;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        hash = mix(hash, u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(hash, u64::from_le_bytes(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace_of(values: &[u64]) -> Trace {
        let mut trace = Trace::new(false, true, 0);
        trace.add_node("world");
        for &a in values {
            trace.add(Record { at: 1, node: 0, task: 1, kind: Kind::Event, a, b: 0 }, || format!("value {a}"));
        }
        trace
    }

    #[test]
    fn the_hash_sees_every_value_and_their_order() {
        assert_eq!(trace_of(&[1, 2, 3]).hash(), trace_of(&[1, 2, 3]).hash());
        assert_ne!(trace_of(&[1, 2, 3]).hash(), trace_of(&[1, 3, 2]).hash());
        assert_ne!(trace_of(&[0]).hash(), trace_of(&[0, 0]).hash());
    }

    #[test]
    fn a_note_is_kept_in_words_and_changes_neither_the_hash_nor_the_count() {
        let (mut with, without) = (trace_of(&[1, 2]), trace_of(&[1, 2]));
        with.note(Record { at: 1, node: 0, task: 1, kind: Kind::Note, a: 0, b: 0 }, || "waits".into());
        assert_eq!((with.hash(), with.events()), (without.hash(), without.events()));
        assert!(with.take_full().unwrap().last().unwrap().ends_with("#2 world task 1 note waits"));
        let mut blind = Trace::new(false, false, 0);
        blind.note(Record { at: 1, node: 0, task: 1, kind: Kind::Note, a: 0, b: 0 }, || unreachable!("nobody reads"));
    }

    #[test]
    fn a_difference_is_shown_with_both_sides() {
        let (mut one, mut other) = (trace_of(&[1, 2, 3]), trace_of(&[1, 2, 4]));
        let (one, other) = (one.take_full().unwrap(), other.take_full().unwrap());
        let text = first_difference(&one, &other).unwrap();
        assert!(text.contains("first     0.000000001s #3 world task 1 event value 3"), "{text}");
        assert!(text.contains("second    0.000000001s #3 world task 1 event value 4"), "{text}");
        assert_eq!(first_difference(&one, &one), None);
        assert!(first_difference(&one, &one[..2]).unwrap().contains("had ended"));
    }

    #[test]
    fn digests_differ_for_lengths_of_zeros() {
        let digests: std::collections::BTreeSet<u64> = (0..200).map(|n| digest(&vec![0; n])).collect();
        let checksums: std::collections::BTreeSet<u64> = (0..200).map(|n| checksum(&vec![0; n])).collect();
        assert_eq!((digests.len(), checksums.len()), (200, 200));
    }

    #[test]
    fn a_checksum_sees_each_bit_and_the_order_of_lanes() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut seen = std::collections::BTreeSet::from([checksum(&bytes)]);
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(checksum(&other)), "bit {bit}");
        }
        let mut turned = bytes.clone();
        turned[..32].rotate_left(16);
        assert!(seen.insert(checksum(&turned)));
    }
}
