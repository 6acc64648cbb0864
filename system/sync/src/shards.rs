//! A map in parts: those who write to different keys seldom meet, and those who read do not wait for
//! each other.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::PoisonError;

use hashbrown::HashMap;

use crate::atomics::RwLock;

/// A map in a fixed number of parts, each under a lock of its own. Locks are held only while a
/// closure of the caller runs: it must be short, and must not come back to the same map.
#[derive(Debug)]
pub struct Shards<K, V, S> {
    parts: Box<[RwLock<HashMap<K, V, S>>]>,
    hasher: S,
}

impl<K: Hash + Eq, V, S: BuildHasher + Clone> Shards<K, V, S> {
    /// An empty map of `parts` parts (rounded up to a power of two).
    pub fn new(parts: usize, hasher: S) -> Self {
        let part = || RwLock::new(HashMap::with_hasher(hasher.clone()));
        Self { parts: (0..parts.max(1).next_power_of_two()).map(|_| part()).collect(), hasher }
    }

    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<HashMap<K, V, S>> {
        self.part_of(self.hasher.hash_one(key))
    }

    #[inline]
    fn part_of(&self, hash: u64) -> &RwLock<HashMap<K, V, S>> {
        // The map inside takes the low bits of the same hash for the place and the top seven as a
        // tag: the part takes bits from between.
        &self.parts[(hash >> 32) as usize & (self.parts.len() - 1)]
    }

    /// Calls `f` with the value of `key`, if there is one.
    #[inline]
    pub fn get<Q, R>(&self, key: &Q, f: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // One hash for the part and for the place in it: that is most of what a look costs.
        let hash = self.hasher.hash_one(key);
        let part = self.part_of(hash).read().unwrap_or_else(PoisonError::into_inner);
        part.raw_entry().from_hash(hash, |known| known.borrow() == key).map(|(_, value)| f(value))
    }

    /// Calls `f` with the part that `key` belongs to, for a change that must be one step.
    #[inline]
    pub fn change<Q, R>(&self, key: &Q, f: impl FnOnce(&mut HashMap<K, V, S>) -> R) -> R
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        f(&mut self.part(key).write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a value; gives back the one that it replaces.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        // What is replaced is dropped by the caller, after the lock.
        let part = self.part(&key);
        part.write().unwrap_or_else(PoisonError::into_inner).insert(key, value)
    }

    /// Takes a value away.
    pub fn remove(&self, key: &K) -> Option<V> {
        self.change(key, |part| part.remove(key))
    }

    /// Calls `f` with every entry, part by part: not one moment's picture of the whole.
    pub fn each(&self, mut f: impl FnMut(&K, &V)) {
        for part in &self.parts {
            part.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(key, value)| f(key, value));
        }
    }

    /// How many entries there are, part by part.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::hash::RandomState;

    #[test]
    fn it_is_a_map() {
        let map = Shards::new(5, RandomState::new());
        for key in 0..1000 {
            assert_eq!(map.insert(key, key * 2), None);
        }
        assert_eq!(map.insert(7, 1), Some(14));
        assert_eq!((map.get(&7, |value| *value), map.get(&1000, |value| *value)), (Some(1), None));
        assert_eq!((map.remove(&7), map.remove(&7)), (Some(1), None));
        assert_eq!(map.len(), 999);
        let mut sum = 0;
        map.each(|key, _| sum += key);
        assert_eq!(sum, 999 * 1000 / 2 - 7);
    }
}
