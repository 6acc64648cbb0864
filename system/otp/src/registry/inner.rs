//! The two maps of a registry, and how they are kept in step.
//!
//! Locks are taken in one order: a part of `held`, then one of `owned`, then the process's own state or
//! the listeners' queue. An end marks the process as ending first, and then forgets it here: whoever
//! registers it at the same time is either refused, or done before its entry is looked for.
//!
//! Nothing of the caller's is dropped under a lock: its drop may come back here.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Weak};

use simurgh_runtime::collections::{HashSet, SeededState};
use simurgh_runtime::planted;
use simurgh_sync::shards::Shards;
use simurgh_telemetry::event;

use super::holders::{Held, Holders};
use super::listeners::{Change, Listeners};
use super::{Key, Keys, RegisterError, Stored};
use crate::Pid;
use crate::cell::{Names, Process};

pub(super) struct Inner<K, V> {
    pub(super) name: Arc<str>,
    keys: Keys,
    /// The number of its node, and which run of it.
    node: (u32, u32),
    hasher: SeededState,
    pub(super) held: Shards<K, Holders<V>, SeededState>,
    pub(super) owned: Shards<Pid, HashSet<K>, SeededState>,
    pub(super) listeners: Listeners<K, V>,
}

/// Why an entry was not made.
enum Refusal {
    Taken(Pid),
    Ended,
}

impl<K: Key, V: Stored> Inner<K, V> {
    pub(super) fn new(name: &str, keys: Keys, partitions: usize, node: (u32, u32)) -> Self {
        let hasher = SeededState::default();
        Self {
            name: name.into(),
            keys,
            node,
            hasher,
            held: Shards::new(partitions, hasher),
            owned: Shards::new(partitions, hasher),
            listeners: Listeners::default(),
        }
    }

    pub(super) fn insert(self: &Arc<Self>, process: &Arc<dyn Process>, key: K, value: V) -> Result<(), RegisterError> {
        let pid = process.pid();
        if (pid.node(), pid.incarnation()) != self.node {
            return Err(RegisterError::OtherNode { registry: Arc::clone(&self.name), pid });
        }
        let weak = Arc::downgrade(self) as Weak<dyn Names>;
        let look = key.clone();
        let mut offered = Some((key, Held { pid, process: Arc::clone(process), value }));
        let mut owned_key = Some(look.clone());
        let done = self.held.change(&look, |part| {
            let holders = part.get_mut(&look);
            if let (Keys::Unique, Some(holder)) = (self.keys, holders.as_ref().and_then(|holders| holders.first()))
                && !planted!("registry.two-owners")
            {
                return Err(Refusal::Taken(holder.pid));
            }
            self.owned.change(&pid, |owners| {
                if !process.core().add_names(&weak) {
                    return Err(Refusal::Ended);
                }
                let owned = owners.entry(pid).or_insert_with(|| HashSet::with_hasher(self.hasher));
                if !owned.contains(&look) {
                    owned.extend(owned_key.take());
                }
                Ok(())
            })?;
            let (key, held) = offered.take().expect("it is offered once");
            self.listeners.note(|| Change::Registered { key: key.clone(), pid, value: held.value.clone() });
            match holders {
                Some(holders) => {
                    holders.add(held);
                    offered = None;
                    owned_key.get_or_insert(key);
                }
                None => drop(part.insert(key, Holders::One(held))),
            }
            Ok(())
        });
        match done {
            Ok(()) => {
                self.told_registered(&look, pid);
                Ok(())
            }
            Err(Refusal::Ended) => Err(RegisterError::Ended { pid }),
            Err(Refusal::Taken(pid)) => {
                let (registry, key) = (Arc::clone(&self.name), format!("{look:?}"));
                Err(RegisterError::AlreadyRegistered { registry, key, pid })
            }
        }
    }

    /// Removes what a process holds of this key and is meant; how many entries that were.
    pub(super) fn remove<Q>(&self, key: &Q, pid: Pid, is_meant: impl FnMut(&V) -> bool) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut taken = Vec::new();
        let gone = self.held.change(key, |part| {
            let (known, _) = part.get_key_value(key)?;
            let known = known.clone();
            let holders = part.get_mut(key)?;
            let some_left = holders.take(pid, is_meant, &mut taken);
            for _ in &taken {
                self.listeners.note(|| Change::Unregistered { key: known.clone(), pid });
            }
            let entry = if holders.len() == 0 { part.remove_entry(key) } else { None };
            let owned = if some_left { None } else { self.disown(key, pid) };
            Some((known, entry, owned))
        });
        if !taken.is_empty() {
            self.told_unregistered(key, pid, taken.len());
        }
        drop(gone);
        taken.len()
    }

    /// A process does not hold this key any more.
    fn disown<Q>(&self, key: &Q, pid: Pid) -> Option<(Option<K>, Option<HashSet<K>>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.owned.change(&pid, |owners| {
            let owned = owners.get_mut(&pid)?;
            let key = owned.take(key);
            let empty = if owned.is_empty() { owners.remove(&pid) } else { None };
            Some((key, empty))
        })
    }

    fn told_registered(&self, key: &K, pid: Pid) {
        event!("otp.registry.register", {}, {
            registry: &*self.name, key: self.hasher.hash_one(key), process: pid.number(),
        });
        self.listeners.deliver();
    }

    fn told_unregistered<Q: Hash + ?Sized>(&self, key: &Q, pid: Pid, entries: usize) {
        event!("otp.registry.unregister", { entries: entries }, {
            registry: &*self.name, key: self.hasher.hash_one(key), process: pid.number(),
        });
        self.listeners.deliver();
    }
}

impl<K: Key, V: Stored> Names for Inner<K, V> {
    fn forget(&self, pid: Pid) {
        let owned = self.owned.change(&pid, |owners| owners.remove(&pid));
        for key in owned.into_iter().flatten() {
            self.remove(&key, pid, |_| true);
        }
    }
}
