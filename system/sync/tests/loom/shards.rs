//! A map in parts.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

use loom::sync::Arc;
use loom::thread;
use simurgh_sync::shards::Shards;

use crate::model;

type Map = Shards<u8, u8, BuildHasherDefault<DefaultHasher>>;

/// Two parts; keys 1 and 2 stand in the same one or not, as it happens.
fn map() -> Arc<Map> {
    Arc::new(Shards::new(2, BuildHasherDefault::default()))
}

#[test]
fn a_change_is_one_step() {
    model(&[2, 1, 1], &["both counted"], || {
        let map = map();
        let count = |map: &Map| map.change(&1, |part| *part.entry(1).or_insert(0) += 1);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let map = Arc::clone(&map);
                thread::spawn(move || count(&map))
            })
            .collect();
        let seen = map.get(&1, |value| *value);
        assert!(seen.is_none_or(|seen| seen <= 2));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(map.get(&1, |value| *value), Some(2));
        "both counted"
    });
}

#[test]
fn of_two_inserts_each_replaces_what_was_there() {
    model(&[1, 1, 1], &["1 was last", "2 was last"], || {
        let map = map();
        let insert = |value| {
            let map = Arc::clone(&map);
            thread::spawn(move || map.insert(7, value))
        };
        let (one, two) = (insert(1), insert(2));
        let seen = map.get(&7, |value| *value);
        assert!(matches!(seen, None | Some(1 | 2)));
        match (one.join().unwrap(), two.join().unwrap(), map.remove(&7)) {
            (Some(2), None, Some(1)) => "1 was last",
            (None, Some(1), Some(2)) => "2 was last",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_entry_is_removed_once() {
    model(&[1, 1, 1], &["by 1", "by 2"], || {
        let map = map();
        map.insert(7, 3);
        let remove = || {
            let map = Arc::clone(&map);
            thread::spawn(move || map.remove(&7))
        };
        let (one, two) = (remove(), remove());
        assert!(matches!(map.get(&7, |value| *value), None | Some(3)));
        match (one.join().unwrap(), two.join().unwrap()) {
            (Some(3), None) => "by 1",
            (None, Some(3)) => "by 2",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn keys_do_not_disturb_each_other() {
    model(&[3, 2], &["seen", "not seen"], || {
        let map = map();
        let other = {
            let map = Arc::clone(&map);
            thread::spawn(move || (map.insert(2, 20), map.insert(2, 21)))
        };
        map.insert(1, 10);
        let seen = map.get(&2, |value| *value);
        assert_eq!(map.remove(&1), Some(10));
        assert_eq!(other.join().unwrap(), (None, Some(20)));
        assert_eq!((map.len(), map.get(&2, |value| *value)), (1, Some(21)));
        if seen.is_some() { "seen" } else { "not seen" }
    });
}
