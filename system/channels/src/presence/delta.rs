//! What replicas tell each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Dots, Item, ReplicaId};

/// How far somebody has seen each replica: the highest clock without a gap before it.
pub type Clocks = Vec<(ReplicaId, u64)>;

/// A message from one replica of a tracker to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To all, now and then: the sender is alive, has these changes since the last one, and has seen that much.
    Heartbeat {
        /// Who.
        from: ReplicaId,
        /// What changed, if anything did.
        delta: Option<Delta>,
        /// What it has seen of those that it does not take to be down.
        clocks: Clocks,
    },
    /// To one: the sender lacks something that the receiver has seen.
    TransferRequest {
        /// Names the request.
        id: u64,
        /// Who.
        from: ReplicaId,
        /// What it has seen.
        clocks: Clocks,
    },
    /// The answer.
    TransferAck {
        /// The request.
        id: u64,
        /// Who answers.
        from: ReplicaId,
        /// What was asked for, or more.
        delta: Delta,
    },
    /// To all: the replica ends in order, and what it tracked is gone.
    Goodbye {
        /// Who.
        from: ReplicaId,
    },
}

impl Message {
    /// Who sent it.
    pub fn from(&self) -> &ReplicaId {
        match self {
            Self::Heartbeat { from, .. }
            | Self::TransferRequest { from, .. }
            | Self::TransferAck { from, .. }
            | Self::Goodbye { from } => from,
        }
    }
}

/// Changes, or the whole state, of some replicas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Whether it is all that the sender knows.
    pub is_full: bool,
    /// A part for each replica.
    pub parts: Vec<Part>,
}

impl Delta {
    /// How many presences it adds.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.values.len()).sum()
    }

    /// Whether it adds none; it may remove some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a delta says of one replica.
///
/// Two rules hold of each part, also of those that are received: all clocks after `start` up to `end` are in
/// `dots`, and so is the clock of each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose entries.
    pub replica: ReplicaId,
    /// It has everything that happened after this clock,
    pub start: u64,
    /// up to this one.
    pub end: u64,
    /// The clocks that it knows of: of what was added, of what was removed, and of the removals themselves. One without
    /// a value is of something that is gone.
    pub dots: Dots,
    /// What was added and is still there, by clock.
    pub values: BTreeMap<u64, Arc<Item>>,
}

impl Part {
    /// Nothing, since `clock`.
    pub fn since(replica: ReplicaId, clock: u64) -> Self {
        Self { replica, start: clock, end: clock, dots: Dots::default(), values: BTreeMap::new() }
    }

    /// Whether the rules hold.
    pub fn is_sound(&self) -> bool {
        self.start <= self.end
            && self.dots.contains_all(self.start.saturating_add(1), self.end)
            && !self.dots.contains(0)
            && self.values.keys().all(|clock| self.dots.contains(*clock))
    }

    /// How much there is to keep.
    pub fn size(&self) -> u64 {
        self.dots.count()
    }

    /// Takes in what another part says, if the two leave no gap between them; else says so.
    pub fn merge(&mut self, other: &Part) -> bool {
        if other.start > self.end || self.start > other.end {
            return false;
        }
        self.values.retain(|clock, _| !other.dots.contains(*clock) || other.values.contains_key(clock));
        for (clock, item) in &other.values {
            // What was seen here and has no value is gone, whatever the other still holds.
            if !self.dots.contains(*clock) {
                self.values.insert(*clock, Arc::clone(item));
            }
        }
        self.dots.union(&other.dots);
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        true
    }
}
