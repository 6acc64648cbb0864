//! Who holds one key.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cell::Process;
use crate::{Entry, Pid};

/// One who holds a key.
pub(super) struct Held<V> {
    pub(super) pid: Pid,
    pub(super) process: Arc<dyn Process>,
    pub(super) value: V,
}

/// All who hold one key. Most keys have one holder; of a key with many, one is found and removed
/// without a look at the others.
pub(super) enum Holders<V> {
    One(Held<V>),
    /// By pid, then by the order in which a process has registered.
    Many(BTreeMap<(Pid, u32), Held<V>>),
}

impl<V: Clone> Held<V> {
    pub(super) fn entry(&self) -> Entry<V> {
        Entry { pid: self.pid, value: self.value.clone() }
    }
}

impl<V> Holders<V> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Held<V>> {
        match self {
            Self::One(held) => Some(held),
            Self::Many(many) => many.values().next(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held<V>> {
        let (one, many) = match self {
            Self::One(held) => (Some(held), None),
            Self::Many(many) => (None, Some(many.values())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// What one process holds.
    pub(super) fn of_mut(&mut self, pid: Pid) -> impl Iterator<Item = &mut Held<V>> {
        let (one, many) = match self {
            Self::One(held) => (Some(held), None),
            Self::Many(many) => (None, Some(many.range_mut(all_of(pid)).map(|(_, held)| held))),
        };
        one.into_iter().filter(move |held| held.pid == pid).chain(many.into_iter().flatten())
    }

    pub(super) fn add(&mut self, held: Held<V>) {
        let before = std::mem::replace(self, Self::Many(BTreeMap::new()));
        let mut many = match before {
            Self::One(one) => BTreeMap::from([((one.pid, 0), one)]),
            Self::Many(many) => many,
        };
        let last = many.range(all_of(held.pid)).next_back().map(|((_, number), _)| *number);
        many.insert((held.pid, last.map_or(0, |last| last + 1)), held);
        *self = Self::Many(many);
    }

    /// Takes out what one process holds and is meant; tells whether something of it is left.
    pub(super) fn take(&mut self, pid: Pid, mut is_meant: impl FnMut(&V) -> bool, taken: &mut Vec<Held<V>>) -> bool {
        match self {
            Self::One(held) if held.pid != pid => false,
            Self::One(held) if !is_meant(&held.value) => true,
            Self::One(_) => {
                if let Self::One(held) = std::mem::replace(self, Self::Many(BTreeMap::new())) {
                    taken.push(held);
                }
                false
            }
            Self::Many(many) => {
                let meant: Vec<_> =
                    many.range(all_of(pid)).filter(|(_, held)| is_meant(&held.value)).map(|(key, _)| *key).collect();
                taken.extend(meant.iter().filter_map(|key| many.remove(key)));
                many.range(all_of(pid)).next().is_some()
            }
        }
    }
}

fn all_of(pid: Pid) -> std::ops::RangeInclusive<(Pid, u32)> {
    (pid, 0)..=(pid, u32::MAX)
}
