use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Delivered, Message};

struct Nobody;

impl Subscriber for Nobody {
    fn deliver(&self, _: &Message) -> Delivered {
        Delivered::Gone
    }
}

fn entry(id: u64) -> Entry {
    Entry { id: SubscriberId(id), subscriber: Arc::new(Nobody) }
}

fn ids(snapshot: &Snapshot) -> BTreeMap<u32, u64> {
    snapshot.iter().map(|(slot, entry)| (slot, entry.id.0)).collect()
}

/// One step of the life of a table.
#[derive(Debug, Clone)]
enum Step {
    /// So many come.
    Come(u8),
    /// The one at this share of all leaves.
    Leave(f64),
    /// Somebody who has left before leaves again.
    Stale,
    /// Somebody looks at the whole, and keeps what it sees.
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1_u8..80).prop_map(Step::Come),
        12 => (0.0..1.0).prop_map(Step::Leave),
        1 => Just(Step::Stale),
        2 => Just(Step::Look),
    ];
    proptest::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A table holds who came and did not leave, each in a place that stays; a look does not change.
    #[test]
    fn a_table_is_a_map(steps in steps()) {
        let mut table = Table::new();
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut looks: Vec<(Snapshot, BTreeMap<u32, u64>)> = Vec::new();
        let (mut next, mut left) = (0, None);
        for step in steps {
            match step {
                Step::Come(many) => for _ in 0..many {
                    let slot = table.insert(entry(next));
                    prop_assert!(model.insert(slot, next).is_none(), "place {} was taken", slot);
                    next += 1;
                },
                Step::Leave(share) => {
                    let at = (model.len() as f64 * share) as usize;
                    let Some((slot, id)) = model.iter().nth(at).map(|(slot, id)| (*slot, *id)) else { continue };
                    model.remove(&slot);
                    left = Some((slot, SubscriberId(id)));
                    prop_assert_eq!(table.remove(slot, SubscriberId(id)).map(|entry| entry.id.0), Some(id));
                }
                Step::Stale => if let Some((slot, id)) = left {
                    prop_assert!(table.remove(slot, id).is_none());
                },
                Step::Look => looks.push((table.snapshot(), model.clone())),
            }
            prop_assert_eq!(table.len(), model.len());
        }
        prop_assert_eq!(ids(&table.snapshot()), model);
        for (snapshot, model) in looks {
            prop_assert_eq!(ids(&snapshot), model);
        }
    }
}

#[test]
fn places_are_given_again_and_an_empty_table_is_small() {
    let mut table = Table::new();
    for _ in 0..3 {
        let slots: Vec<u32> = (0..10_000).map(|id| table.insert(entry(id))).collect();
        assert!(slots.iter().all(|slot| *slot < 10_048), "it grows though there are free places");
        for (id, slot) in slots.iter().enumerate() {
            assert!(table.remove(*slot, SubscriberId(id as u64)).is_some());
        }
        assert_eq!(table.len(), 0);
        assert!(table.snapshot().chunks().iter().all(|chunk| chunk.entries.capacity() == 0));
    }
}

#[test]
fn an_entry_is_small() {
    assert_eq!(size_of::<Option<Entry>>(), 24);
}
