//! What is due when: the event heap that decides virtual time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

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

/// All that is due, earliest first; what is due at the same moment goes in the order it was added.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    entries: BinaryHeap<Placed<Due>>,
    sequence: u64,
}

/// Something with its place in a queue: the greatest is the one with the lowest place, and of equal places
/// that which was added first. What it is does not count, so a comparison is one of two numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<T> {
    pub(crate) place: u64,
    pub(crate) sequence: u64,
    pub(crate) what: T,
}

impl<T> Placed<T> {
    #[inline]
    fn key(&self) -> u128 {
        u128::from(self.place) << 64 | u128::from(self.sequence)
    }
}

impl<T> PartialEq for Placed<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Placed<T> {}

impl<T> PartialOrd for Placed<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Placed<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl Heap {
    /// Adds an entry.
    pub(crate) fn push(&mut self, at: u64, due: Due) {
        self.sequence += 1;
        self.entries.push(Placed { place: at, sequence: self.sequence, what: due });
    }

    /// The earliest entry.
    pub(crate) fn peek(&self) -> Option<(u64, Due)> {
        self.entries.peek().map(|entry| (entry.place, entry.what))
    }

    /// The one after the earliest, as far as can be told at a glance.
    #[inline]
    pub(crate) fn peek_second(&self) -> Option<Due> {
        // A heap's root stands first, and the next one is among its two children.
        self.entries.as_slice().get(1..)?.iter().take(2).max().map(|entry| entry.what)
    }

    /// Takes the earliest entry.
    pub(crate) fn pop(&mut self) -> Option<(u64, Due)> {
        self.entries.pop().map(|entry| (entry.place, entry.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
