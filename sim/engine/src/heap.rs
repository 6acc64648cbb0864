//! What is due when: the event heap that decides virtual time.

/// Something that will happen at a moment. With a tag of four bytes it is copied by whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Due {
    /// A timer; stale if its generation moved on.
    Timer { id: u32, generation: u32 },
    /// The first segments in flight arrive.
    Arrive { flow: FlowId },
    /// A sender tries again what a broken link swallowed.
    Retry { flow: FlowId },
    /// A blocked sender learns that the reader has read.
    Window { flow: FlowId },
    /// A reset reaches one end of a connection.
    Reset { conn: ConnId, end: u8 },
    /// A connection request reaches its target.
    Syn { attempt: u32, generation: u32 },
    /// Its answer reaches the one who asked.
    SynAck { attempt: u32, generation: u32 },
    /// The acknowledgement of that reaches the target.
    Ack { conn: ConnId },
    /// A connection request has been repeated for long enough.
    ConnectTimeout { attempt: u32, generation: u32 },
    /// A sender has tried for long enough what is held back, if it still is.
    GiveUp { flow: FlowId },
    /// A datagram arrives.
    Datagram { index: u32 },
    /// A paused node goes on.
    Resume { node: u32, generation: u32 },
    /// A wake from outside the simulation, made part of it.
    Wake { slot: u32, generation: u32 },
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// One direction of a connection, named by the end that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowId {
    pub(crate) conn: ConnId,
    pub(crate) from: u8,
}

/// Entries below one.
const BELOW: usize = 4;
/// Where the first entry lies: the last place of the first row, so that what is below an entry is a row of its own.
const FIRST: usize = BELOW - 1;
/// The lower bits of a key say where its entry is kept, so there may be 16 million of them; the bits above those count,
/// up to 2^40, which at a million a second is twelve days.
const INDEX_BITS: u32 = 24;
/// Where there is no entry: behind all that are.
const NOTHING: u128 = u128::MAX;

/// All that is due, earliest first; what is due at the same moment goes in the order it was added.
///
/// Each entry has four below it, which lie in one line of the cache, and what is compared and moved is one number of
/// 16 bytes: of thousands of entries the next one is found in half of a binary heap's steps.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    /// Keys: when it is due, when it was added, and where it is kept. Below the one at place `p` is row `p - 2`.
    rows: Vec<Row>,
    len: usize,
    kept: Vec<Due>,
    free: Vec<u32>,
    sequence: u64,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Row([u128; BELOW]);

impl Row {
    /// The earliest of its keys, and which one that is.
    #[inline]
    fn least(&self) -> (usize, u128) {
        let earlier = |one: (usize, u128), other: (usize, u128)| if other.1 < one.1 { other } else { one };
        let [a, b, c, d] = self.0;
        earlier(earlier((0, a), (1, b)), earlier((2, c), (3, d)))
    }
}

impl Heap {
    /// Adds an entry.
    pub(crate) fn push(&mut self, at: u64, due: Due) {
        self.sequence += 1;
        let index = self.keep(due);
        assert!(
            index >> INDEX_BITS == 0 && self.sequence >> (u64::BITS - INDEX_BITS) == 0,
            "a world has room for 2^24 things that are due at once, and for 2^40 in all"
        );
        let key = u128::from(at) << 64 | u128::from(self.sequence << INDEX_BITS | u64::from(index));
        let mut place = FIRST + self.len;
        if place / BELOW == self.rows.len() {
            self.rows.push(Row([NOTHING; BELOW]));
        }
        self.len += 1;
        while place > FIRST {
            let above = place / BELOW + 2;
            if self.key(above) < key {
                break;
            }
            self.put(place, self.key(above));
            place = above;
        }
        self.put(place, key);
    }

    fn keep(&mut self, due: Due) -> u32 {
        if let Some(index) = self.free.pop() {
            self.kept[index as usize] = due;
            return index;
        }
        self.kept.push(due);
        self.kept.len() as u32 - 1
    }

    #[inline]
    fn key(&self, place: usize) -> u128 {
        self.rows[place / BELOW].0[place % BELOW]
    }

    #[inline]
    fn put(&mut self, place: usize, key: u128) {
        self.rows[place / BELOW].0[place % BELOW] = key;
    }

    /// The key of the earliest entry.
    #[inline]
    fn first(&self) -> Option<u128> {
        self.rows.first().map(|row| row.0[FIRST]).filter(|&key| key != NOTHING)
    }

    #[inline]
    fn due(&self, key: u128) -> Due {
        self.kept[index_of(key) as usize]
    }

    /// When the earliest entry is due.
    #[inline]
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.first().map(at_of)
    }

    /// The earliest entry.
    #[inline]
    pub(crate) fn peek(&self) -> Option<(u64, Due)> {
        self.first().map(|key| (at_of(key), self.due(key)))
    }

    /// The one after the earliest.
    #[inline]
    pub(crate) fn peek_second(&self) -> Option<Due> {
        self.rows.get(1).map(|row| row.least().1).filter(|&key| key != NOTHING).map(|key| self.due(key))
    }

    /// Takes the earliest entry.
    pub(crate) fn pop(&mut self) -> Option<(u64, Due)> {
        let first = self.first()?;
        self.len -= 1;
        let end = FIRST + self.len;
        let last = self.key(end);
        self.put(end, NOTHING);
        if end.is_multiple_of(BELOW) {
            self.rows.pop();
        }
        if self.len > 0 {
            self.sink(last);
        }
        self.free.push(index_of(first));
        Some((at_of(first), self.due(first)))
    }

    /// Finds a place for a key when that of the first is empty.
    #[inline]
    fn sink(&mut self, key: u128) {
        let mut place = FIRST;
        while let Some(below) = self.rows.get(place - 2) {
            let (which, least) = below.least();
            if key < least {
                break;
            }
            self.put(place, least);
            place = (place - 2) * BELOW + which;
        }
        self.put(place, key);
    }
}

#[inline]
fn at_of(key: u128) -> u64 {
    (key >> 64) as u64
}

#[inline]
fn index_of(key: u128) -> u32 {
    key as u32 & ((1 << INDEX_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::draws::{Draws, Purpose};

    #[test]
    fn earliest_first_and_equal_times_in_order() {
        let mut heap = Heap::default();
        let timer = |id| Due::Timer { id, generation: 0 };
        for (at, id) in [(5, 1), (3, 2), (5, 0), (3, 9)] {
            heap.push(at, timer(id));
        }
        let order: Vec<_> = std::iter::from_fn(|| heap.pop()).collect();
        assert_eq!(order, [(3, timer(2)), (3, timer(9)), (5, timer(1)), (5, timer(0))]);
    }

    #[test]
    fn any_pushes_and_pops_give_what_a_sorted_map_gives() {
        let mut draws = Draws::new(3).stream(Purpose::User, 0);
        let (mut heap, mut map) = (Heap::default(), BTreeMap::new());
        for step in 0..20_000u32 {
            // Now more are added than taken, now fewer: it grows to hundreds and is empty now and then.
            if draws.chance(if step / 1000 % 2 == 0 { 0.7 } else { 0.3 }) {
                let (at, due) = (draws.below(50), Due::Timer { id: step, generation: 0 });
                heap.push(at, due);
                map.insert((at, step), due);
            } else {
                assert_eq!(heap.pop(), map.pop_first().map(|((at, _), due)| (at, due)));
            }
            assert_eq!(heap.peek(), map.first_key_value().map(|(&(at, _), &due)| (at, due)));
            assert_eq!(heap.next_at(), map.first_key_value().map(|(&(at, _), _)| at));
            assert_eq!(heap.peek_second(), map.values().nth(1).copied());
        }
    }
}
