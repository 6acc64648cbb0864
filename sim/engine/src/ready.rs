//! The tasks that are ready, in the order that a strategy gives them.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::draws::Stream;
use crate::physics::Schedule;

/// A task in the queue, with what its wake drew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) node: u32,
    /// 32 random bits.
    pub(crate) draw: u32,
    pub(crate) cost_ns: u8,
    /// How many awaits that are ready may pass, if not all.
    pub(crate) budget: Option<u8>,
}

/// The queue of one strategy. What stands in it has the number of its wake, which says who came first.
#[derive(Debug)]
pub(crate) enum Ready {
    /// As they came.
    Fifo(VecDeque<(u64, Entry)>),
    /// In no order, and what says which one is next.
    Random(Vec<(u64, Entry)>, u32),
    /// The lowest place first.
    Pct(BinaryHeap<Placed<Entry>>),
    /// The lowest place first, and places change.
    Pos(Vec<Placed<Entry>>),
    /// None: the order of arrival is all that a replay needs.
    Replay,
}

impl Ready {
    pub(crate) fn new(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Fifo => Self::Fifo(VecDeque::new()),
            Schedule::Random => Self::Random(Vec::new(), 0),
            Schedule::Pct { .. } => Self::Pct(BinaryHeap::new()),
            Schedule::Pos => Self::Pos(Vec::new()),
            Schedule::Replay => Self::Replay,
        }
    }

    /// Adds a task; by `place` it is put in order, if it is by places.
    #[inline]
    pub(crate) fn push(&mut self, place: u64, sequence: u64, entry: Entry) {
        match self {
            Self::Fifo(queue) => queue.push_back((sequence, entry)),
            Self::Random(queue, _) => queue.push((sequence, entry)),
            Self::Pct(queue) => queue.push(Placed { place, sequence, what: entry }),
            Self::Pos(queue) => queue.push(Placed { place, sequence, what: entry }),
            Self::Replay => {}
        }
    }

    /// Takes the next one: the number of its wake, the task, and whether it is known to come before its turn.
    #[inline]
    pub(crate) fn pop(&mut self, redraws: &mut Stream) -> Option<(u64, Entry, bool)> {
        match self {
            Self::Fifo(queue) => queue.pop_front().map(|(sequence, entry)| (sequence, entry, false)),
            Self::Random(queue, chooses) => {
                // What the one before drew, and nobody else has seen: so the choice waits for no draw of the poll
                // that has just ended.
                let at = (u64::from(*chooses) * queue.len() as u64) >> 32;
                if queue.is_empty() {
                    return None;
                }
                let (sequence, entry) = queue.swap_remove(at as usize);
                *chooses = entry.draw;
                Some((sequence, entry, queue.first().is_some_and(|(other, _)| *other < sequence)))
            }
            Self::Pct(queue) => {
                let next = queue.pop()?;
                let is_early = queue.peek().is_some_and(|other| other.sequence < next.sequence);
                Some((next.sequence, next.what, is_early))
            }
            Self::Pos(queue) => {
                // The greatest is the one with the lowest place.
                let first = queue.iter().enumerate().max_by(|(_, one), (_, other)| one.cmp(other))?.0;
                let next = queue.remove(first);
                // Those of its node, whom it may concern, draw theirs again, in the order of their arrival.
                let of_node = queue.iter_mut().filter(|other| other.what.node == next.what.node);
                of_node.for_each(|other| other.place = redraws.u64() >> 32);
                let is_early = queue.iter().any(|other| other.sequence < next.sequence);
                Some((next.sequence, next.what, is_early))
            }
            Self::Replay => None,
        }
    }
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
