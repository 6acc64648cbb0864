//! The presences that one shard knows, found by topic, by key, by process.
//!
//! Entries of one key form a chain, the first of each chain a list by topic, and those of one process of this node
//! another list. All of it is links between numbered places: an entry costs one record and no allocation of its own,
//! and to list a topic costs what is in it.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use simurgh_runtime::collections::{HashMap, SeededState};
use slab::Slab;

use super::super::Item;

/// No place.
const NONE: u32 = u32::MAX;
/// The place of this node's own replica.
pub(super) const ME: u32 = 0;

pub(super) struct Entry {
    pub(super) item: Arc<Item>,
    pub(super) clock: u64,
    pub(super) replica: u32,
    /// The next of the same key.
    next: u32,
    /// Among the first ones of their keys in this topic.
    topic: Links,
    /// Among those of the same process.
    owner: Links,
}

#[derive(Clone, Copy)]
struct Links {
    before: u32,
    after: u32,
}

impl Links {
    const NONE: Self = Self { before: NONE, after: NONE };
}

/// The two ends of a topic's list.
struct Ends {
    first: u32,
    last: u32,
}

#[derive(Default)]
pub(super) struct Entries {
    places: Slab<Entry>,
    /// The first of each key.
    keys: HashTable<u32>,
    topics: HashMap<Arc<str>, Ends>,
    /// The latest of each process of this node.
    owners: HashMap<u64, u32>,
    hasher: SeededState,
}

impl Entries {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn get(&self, place: u32) -> &Entry {
        &self.places[place as usize]
    }

    fn at(&mut self, place: u32) -> &mut Entry {
        &mut self.places[place as usize]
    }

    fn hash(&self, topic: &str, key: &str) -> u64 {
        self.hasher.hash_one((topic, key))
    }

    fn first_of(&self, topic: &str, key: &str) -> Option<u32> {
        let is_it = |place: &u32| {
            let item = &*self.places[*place as usize].item;
            *item.key == *key && *item.topic == *topic
        };
        self.keys.find(self.hash(topic, key), is_it).copied()
    }

    /// The places of one key, oldest first.
    pub(super) fn of_key(&self, topic: &str, key: &str) -> impl Iterator<Item = u32> + '_ {
        self.chain(self.first_of(topic, key))
    }

    fn chain(&self, first: Option<u32>) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(first, |place| Some(self.get(*place).next).filter(|next| *next != NONE))
    }

    /// The places of a topic, key by key.
    pub(super) fn of_topic(&self, topic: &str) -> impl Iterator<Item = u32> + '_ {
        let first = self.topics.get(topic).map(|ends| ends.first);
        let firsts = std::iter::successors(first, |place| Some(self.get(*place).topic.after).filter(|at| *at != NONE));
        firsts.flat_map(|first| self.chain(Some(first)))
    }

    /// The places of a process of this node, latest first.
    pub(super) fn of_owner(&self, owner: u64) -> impl Iterator<Item = u32> + '_ {
        let first = self.owners.get(&owner).copied();
        std::iter::successors(first, |place| Some(self.get(*place).owner.after).filter(|at| *at != NONE))
    }

    /// The processes of this node that are present somewhere.
    pub(super) fn owners(&self) -> impl Iterator<Item = u64> + '_ {
        self.owners.keys().copied()
    }

    /// The topics in which somebody is.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> + '_ {
        self.topics.keys()
    }

    /// All entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.places.iter().map(|(_, entry)| entry)
    }

    /// The name of a topic as it is kept, so that all its entries share it.
    pub(super) fn topic_name(&self, topic: &str) -> Arc<str> {
        self.topics.get_key_value(topic).map_or_else(|| topic.into(), |(name, _)| Arc::clone(name))
    }

    pub(super) fn insert(&mut self, item: Arc<Item>, replica: u32, clock: u64) -> u32 {
        let (topic, owner) = (Arc::clone(&item.topic), item.owner);
        let last = self.of_key(&topic, &item.key).last();
        let hash = self.hash(&topic, &item.key);
        let entry = Entry { item, clock, replica, next: NONE, topic: Links::NONE, owner: Links::NONE };
        let place = self.places.insert(entry) as u32;
        if let Some(last) = last {
            self.at(last).next = place;
        } else {
            let (places, hasher) = (&self.places, &self.hasher);
            let rehash = |place: &u32| {
                let item = &*places[*place as usize].item;
                hasher.hash_one((&*item.topic, &*item.key))
            };
            self.keys.insert_unique(hash, place, rehash);
            self.link_topic(topic, place);
        }
        if replica == ME {
            self.link_owner(owner, place);
        }
        place
    }

    fn link_topic(&mut self, topic: Arc<str>, place: u32) {
        let ends = self.topics.entry(topic).or_insert(Ends { first: place, last: NONE });
        let before = std::mem::replace(&mut ends.last, place);
        self.at(place).topic = Links { before, after: NONE };
        if before != NONE {
            self.at(before).topic.after = place;
        }
    }

    fn link_owner(&mut self, owner: u64, place: u32) {
        let after = self.owners.insert(owner, place).unwrap_or(NONE);
        self.at(place).owner = Links { before: NONE, after };
        if after != NONE {
            self.at(after).owner.before = place;
        }
    }

    pub(super) fn remove(&mut self, place: u32) -> Entry {
        let item = Arc::clone(&self.get(place).item);
        let first = self.first_of(&item.topic, &item.key).expect("each entry is in the chain of its key");
        let next = self.get(place).next;
        if first == place {
            self.replace_first(&item, place, next);
        } else {
            let before = self.chain(Some(first)).find(|at| self.get(*at).next == place);
            self.at(before.expect("it is in the chain")).next = next;
        }
        if self.get(place).replica == ME {
            self.unlink_owner(item.owner, place);
        }
        let entry = self.places.remove(place as usize);
        if self.places.is_empty() {
            *self = Self { hasher: self.hasher, ..Self::default() }; // a quiet shard keeps no memory of a busy hour
        }
        entry
    }

    /// The first of a key goes: the next takes its place, or the key is gone.
    fn replace_first(&mut self, item: &Item, place: u32, next: u32) {
        let hash = self.hash(&item.topic, &item.key);
        let found = self.keys.find_entry(hash, |at| *at == place);
        let Ok(mut found) = found else { return };
        let Links { before, after } = self.places[place as usize].topic;
        if next == NONE {
            found.remove();
        } else {
            *found.get_mut() = next;
            self.at(next).topic = Links { before, after };
        }
        // Whoever stood beside it now stands beside its successor, or they beside each other.
        let (left, right) = if next == NONE { (after, before) } else { (next, next) };
        if before != NONE {
            self.at(before).topic.after = left;
        }
        if after != NONE {
            self.at(after).topic.before = right;
        }
        if before == NONE && left == NONE {
            self.topics.remove(&*item.topic);
        } else if let Some(ends) = self.topics.get_mut(&*item.topic) {
            if before == NONE {
                ends.first = left;
            }
            if after == NONE {
                ends.last = right;
            }
        }
    }

    fn unlink_owner(&mut self, owner: u64, place: u32) {
        let Links { before, after } = self.get(place).owner;
        if after != NONE {
            self.at(after).owner.before = before;
        }
        if before != NONE {
            self.at(before).owner.after = after;
        } else if after != NONE {
            self.owners.insert(owner, after);
        } else {
            self.owners.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Meta, Ref};
    use super::*;
    use proptest::prelude::*;

    fn item(topic: u8, key: u8, owner: u8) -> Arc<Item> {
        let meta = Meta::new(&(), Ref::new(0, 0, 0), None, 4096).unwrap();
        Arc::new(Item {
            topic: format!("t{topic}").into(),
            key: format!("k{key}").into(),
            owner: u64::from(owner),
            meta,
        })
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, u8, u8, u32),
        Remove(usize),
    }

    proptest! {
        #[test]
        fn lists_hold_what_was_put_in(steps in prop::collection::vec(prop_oneof![
            3 => (0u8..3, 0u8..4, 0u8..4, 0u32..2).prop_map(|(topic, key, owner, replica)| Step::Insert(topic, key, owner, replica)),
            2 => (0usize..100).prop_map(Step::Remove),
        ], 0..200)) {
            let mut entries = Entries::default();
            let mut model: Vec<(u32, Arc<Item>, u32)> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(topic, key, owner, replica) => {
                        let new = item(topic, key, owner);
                        let place = entries.insert(Arc::clone(&new), replica, 1);
                        model.push((place, new, replica));
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let (place, removed, _) = model.remove(at % model.len());
                        prop_assert!(Arc::ptr_eq(&entries.remove(place).item, &removed));
                    }
                    Step::Remove(_) => {}
                }
                let places = |keep: &dyn Fn(&Item, u32) -> bool| -> Vec<u32> {
                    let kept = model.iter().filter(|(_, item, replica)| keep(item, *replica));
                    let mut places: Vec<u32> = kept.map(|(place, ..)| *place).collect();
                    places.sort_unstable();
                    places
                };
                let sorted = |found: &mut dyn Iterator<Item = u32>| -> Vec<u32> {
                    let mut found: Vec<u32> = found.collect();
                    found.sort_unstable();
                    found
                };
                prop_assert_eq!(entries.len(), model.len());
                for topic in 0..3 {
                    let topic = format!("t{topic}");
                    let all: Vec<u32> = entries.of_topic(&topic).collect();
                    let keys: Vec<&str> = all.iter().map(|place| &*entries.get(*place).item.key).collect();
                    let groups = keys.chunk_by(|a, b| a == b).count();
                    let mut distinct = keys.clone();
                    distinct.sort_unstable();
                    distinct.dedup();
                    prop_assert_eq!(groups, distinct.len(), "a key stands together");
                    prop_assert_eq!(sorted(&mut all.into_iter()), places(&|item, _| *item.topic == *topic));
                    for key in 0..4 {
                        let key = format!("k{key}");
                        let expected: Vec<u32> = model.iter().filter(|(_, item, _)| *item.topic == *topic && *item.key == *key).map(|(place, ..)| *place).collect();
                        prop_assert_eq!(entries.of_key(&topic, &key).collect::<Vec<_>>(), expected, "oldest first");
                    }
                }
                for owner in 0..4 {
                    prop_assert_eq!(sorted(&mut entries.of_owner(owner)), places(&|item, replica| item.owner == owner && replica == ME));
                }
                prop_assert_eq!(entries.topics().count(), { let mut topics: Vec<_> = model.iter().map(|(_, item, _)| &item.topic).collect(); topics.sort(); topics.dedup(); topics.len() });
            }
        }
    }
}
