//! Presences as clients get them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{Change, Item, Meta};

/// More about each key, beside its `metas`: what a fetch hook gives.
pub type Extras = BTreeMap<String, Map<String, Value>>;

/// Who is present in a topic, at one moment: the payload of `presence_state`.
///
/// ```
/// use simurgh_channels::presence::Presence;
///
/// simurgh_runtime::run("doc", async {
///     let presence = Presence::new(|_: &str, _: &_| ());
///     let me = simurgh_otp::spawn("alice", std::future::pending::<()>());
///     presence.track(me, "room:lobby", "alice", &()).unwrap();
///     let list = presence.list("room:lobby");
///     assert_eq!((list.len(), list.keys().next()), (1, Some("alice")));
///     let json = serde_json::to_value(&list).unwrap();
///     assert_eq!(json["alice"]["metas"].as_array().map(Vec::len), Some(1));
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Presences {
    /// Those of one key stand together.
    items: Vec<Arc<Item>>,
    extras: Extras,
}

impl Presences {
    /// Of these, which are sorted by key if they do not stand together.
    pub(super) fn of(items: Vec<Arc<Item>>) -> Self {
        Self { items, extras: Extras::new() }
    }

    fn grouped(mut items: Vec<Arc<Item>>) -> Self {
        if items.len() > 1 {
            items.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Self::of(items)
    }

    pub(super) fn with_extras(mut self, extras: Extras) -> Self {
        self.extras = extras;
        self
    }

    /// How many keys there are: people, not their tabs.
    pub fn len(&self) -> usize {
        self.keys().count()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The keys, each once.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.groups().map(|group| &*group[0].key)
    }

    /// The metas of a key, the oldest first.
    pub fn metas(&self, key: &str) -> impl Iterator<Item = &Meta> + '_ {
        let from = self.items.iter().position(|item| *item.key == *key).unwrap_or(self.items.len());
        let key = self.items.get(from).map(|item| &item.key);
        self.items[from..].iter().take_while(move |item| Some(&item.key) == key).map(|item| &item.meta)
    }

    /// All of them, key by key.
    pub fn items(&self) -> &[Arc<Item>] {
        &self.items
    }

    fn groups(&self) -> impl Iterator<Item = &[Arc<Item>]> + '_ {
        self.items.chunk_by(|a, b| a.key == b.key)
    }
}

impl Serialize for Presences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for group in self.groups() {
            let key = &*group[0].key;
            map.serialize_entry(key, &Entry { metas: group, extra: self.extras.get(key) })?;
        }
        map.end()
    }
}

/// What stands under a key.
struct Entry<'a> {
    metas: &'a [Arc<Item>],
    extra: Option<&'a Map<String, Value>>,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metas", &Metas(self.metas))?;
        for (name, value) in self.extra.into_iter().flatten().filter(|(name, _)| *name != "metas") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Metas<'a>(&'a [Arc<Item>]);

impl Serialize for Metas<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| &item.meta))
    }
}

/// What changed in a topic: the payload of `presence_diff`.
///
/// Clients take the joins first, each meta behind those that they have, and then drop the metas whose ref is among the
/// leaves. An update is in both, the new meta among the joins and the old one among the leaves.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    /// Who came.
    pub joins: Presences,
    /// Who went.
    pub leaves: Presences,
}

impl Diff {
    /// Of changes of one topic, in their order. What came and went, or went and came back, is not in it.
    pub(super) fn of(changes: &[Change]) -> Self {
        let mut skip = vec![false; changes.len()];
        if changes.len() > 1 {
            cancel(changes, &mut skip);
        }
        let side = |joined: bool| {
            let kept = changes.iter().zip(&skip).filter(|(change, skip)| change.joined == joined && !**skip);
            Presences::grouped(kept.map(|(change, _)| Arc::clone(&change.item)).collect())
        };
        Self { joins: side(true), leaves: side(false) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }

    /// The keys of both sides, each once.
    pub(super) fn keys(&self) -> Vec<String> {
        let both: BTreeSet<&str> = self.joins.keys().chain(self.leaves.keys()).collect();
        both.into_iter().map(str::to_owned).collect()
    }
}

impl Serialize for Diff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("joins", &self.joins)?;
        map.serialize_entry("leaves", &self.leaves)?;
        map.end()
    }
}

/// Marks each pair of opposite changes of one presence.
fn cancel(changes: &[Change], skip: &mut [bool]) {
    let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        let presence = (&*change.item.key, change.item.meta.phx_ref());
        match open.remove(&presence) {
            Some(before) if changes[before].joined != change.joined => (skip[before], skip[at]) = (true, true),
            _ => drop(open.insert(presence, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ref;
    use super::*;
    use serde_json::json;

    fn item(key: &str, number: u64) -> Arc<Item> {
        let meta = Meta::new(&json!({}), Ref::new(number, 0, 0), None, 4096).unwrap();
        Arc::new(Item { topic: "t".into(), key: key.into(), owner: number, meta })
    }

    /// `+` and `-`, a key, a number.
    fn check(changes: &[(char, &str, u64)], joins: &[(&str, usize)], leaves: &[(&str, usize)]) {
        let changes: Vec<Change> = changes
            .iter()
            .map(|(sign, key, number)| Change { joined: *sign == '+', item: item(key, *number) })
            .collect();
        let diff = serde_json::to_value(Diff::of(&changes)).unwrap();
        for (side, expected) in [("joins", joins), ("leaves", leaves)] {
            let found = diff[side].as_object().expect("both are there always");
            let found: Vec<(&str, usize)> =
                found.iter().map(|(key, entry)| (key.as_str(), entry["metas"].as_array().unwrap().len())).collect();
            assert_eq!(found, expected, "{side} of {changes:?}");
        }
    }

    #[test]
    fn a_diff_says_what_is_different_and_gathers_by_key() {
        check(&[], &[], &[]);
        check(&[('+', "a", 1)], &[("a", 1)], &[]);
        check(&[('-', "a", 1), ('+', "a", 2)], &[("a", 1)], &[("a", 1)]);
        check(&[('+', "b", 1), ('+', "a", 2), ('+', "b", 3)], &[("a", 1), ("b", 2)], &[]);
        check(&[('+', "a", 1), ('-', "a", 1)], &[], &[]);
        check(&[('-', "a", 1), ('+', "a", 1)], &[], &[]);
        check(&[('-', "a", 1), ('+', "a", 1), ('-', "a", 1)], &[], &[("a", 1)]);
        check(&[('-', "a", 1), ('+', "a", 2), ('-', "a", 2), ('+', "a", 3)], &[("a", 1)], &[("a", 1)]);
    }

    #[test]
    fn extras_stand_beside_the_metas_and_cannot_hide_them() {
        let extras: Extras =
            [("a".to_owned(), json!({"name": "Alice", "metas": 1}).as_object().unwrap().clone())].into();
        let list = Presences::of(vec![item("a", 1), item("__proto__", 2)]).with_extras(extras);
        let json = serde_json::to_string(&list).unwrap();
        assert_eq!(
            json,
            r#"{"a":{"metas":[{"phx_ref":"AAAAAAAAAAEAAAAA"}],"name":"Alice"},"__proto__":{"metas":[{"phx_ref":"AAAAAAAAAAIAAAAA"}]}}"#
        );
        assert_eq!((list.metas("a").count(), list.metas("none").count()), (1, 0));
    }
}
