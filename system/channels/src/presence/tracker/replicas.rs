//! The replicas that are known, and those that are gone for good.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::super::{Clocks, Dots, ReplicaId, Version};

/// Lives of one name that are remembered as gone.
const BURIED_MAX: usize = 16;

pub(super) struct Replica {
    pub(super) id: ReplicaId,
    pub(super) is_up: bool,
    /// When it was last heard.
    pub(super) heard: Duration,
    /// Its context and cloud.
    pub(super) seen: Dots,
    /// The places of its entries by their clocks; not kept for this node's own.
    pub(super) entries: BTreeMap<u64, u32>,
    /// What it said it has seen, while that is more than was seen here.
    pub(super) claims: Option<Clocks>,
    /// The transfer that it was asked for.
    pub(super) asked: Option<u64>,
    /// The tick in which it was answered.
    pub(super) answered: Option<u64>,
    /// While it is down: an earlier life of its node that was heard, and when for the first time.
    pub(super) rival: Option<(Version, Duration)>,
}

impl Replica {
    pub(super) fn new(id: ReplicaId, heard: Duration) -> Self {
        let (seen, entries) = (Dots::default(), BTreeMap::new());
        Self { id, is_up: true, heard, seen, entries, claims: None, asked: None, answered: None, rival: None }
    }
}

pub(super) struct Replicas {
    places: Slab<Replica>,
    names: BTreeMap<Arc<str>, u32>,
    buried: BTreeMap<Arc<str>, VecDeque<Version>>,
    max: usize,
}

impl Replicas {
    /// Of this node, at place 0, and at most `max` others.
    pub(super) fn new(me: ReplicaId, max: usize) -> Self {
        let mut places = Slab::new();
        places.insert(Replica::new(me, Duration::ZERO));
        Self { places, names: BTreeMap::new(), buried: BTreeMap::new(), max }
    }

    pub(super) fn at(&self, place: u32) -> &Replica {
        &self.places[place as usize]
    }

    pub(super) fn at_mut(&mut self, place: u32) -> &mut Replica {
        &mut self.places[place as usize]
    }

    /// The place of another node's current life.
    pub(super) fn named(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// The place of a replica, this node's own included.
    pub(super) fn of(&self, id: &ReplicaId) -> Option<u32> {
        if self.places[0].id == *id {
            return Some(0);
        }
        self.named(id.name()).filter(|place| self.at(*place).id == *id)
    }

    /// The places of the others, by name.
    pub(super) fn others(&self) -> impl Iterator<Item = u32> + '_ {
        self.names.values().copied()
    }

    /// All that are not down, this node's own first.
    pub(super) fn up(&self) -> impl Iterator<Item = &Replica> + '_ {
        std::iter::once(&self.places[0]).chain(self.others().map(|place| self.at(place)).filter(|other| other.is_up))
    }

    /// Adds one that is heard for the first time, if there is room.
    pub(super) fn add(&mut self, id: ReplicaId, now: Duration) -> Option<u32> {
        if self.names.len() >= self.max {
            return None;
        }
        let name = Arc::clone(id.name());
        let place = self.places.insert(Replica::new(id, now)) as u32;
        self.names.insert(name, place);
        Some(place)
    }

    pub(super) fn remove(&mut self, place: u32) -> Replica {
        let replica = self.places.remove(place as usize);
        self.names.remove(replica.id.name());
        replica
    }

    /// Only for planted bugs: another replica takes the name, and this one stays.
    pub(super) fn abandon(&mut self, place: u32) {
        let name = Arc::clone(self.at(place).id.name());
        self.names.remove(&name);
    }

    /// Only for a planted bug: those of the name that were abandoned.
    pub(super) fn abandoned(&self, name: &str) -> Vec<u32> {
        let current = self.named(name);
        let all = self.places.iter().map(|(place, replica)| (place as u32, replica));
        all.filter(|(place, replica)| **replica.id.name() == *name && Some(*place) != current)
            .map(|(at, _)| at)
            .collect()
    }

    /// Remembers that a life of a node is over: nothing that it sent counts any more.
    pub(super) fn bury(&mut self, id: &ReplicaId) {
        if self.is_buried(id) {
            return;
        }
        if self.buried.len() > self.max
            && let Some(other) = self.buried.keys().find(|name| *name != id.name()).cloned()
        {
            self.buried.remove(&other);
        }
        let lives = self.buried.entry(Arc::clone(id.name())).or_default();
        if lives.len() >= BURIED_MAX {
            lives.pop_front();
        }
        lives.push_back(id.version());
    }

    pub(super) fn is_buried(&self, id: &ReplicaId) -> bool {
        self.buried.get(id.name()).is_some_and(|lives| lives.contains(&id.version()))
    }
}
