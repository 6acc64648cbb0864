use super::super::{Clocks, Delta, Dots, Item, Meta, Part, Ref, ReplicaId, Version};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn replica() -> impl Strategy<Value = ReplicaId> {
    ("[a-c]", 0u64..3, prop_oneof![Just(0), Just(u64::MAX), any::<u64>()])
        .prop_map(|(name, started_us, unique)| ReplicaId::new(name, Version { started_us, unique }))
}

fn clocks() -> impl Strategy<Value = Clocks> {
    prop::collection::vec((replica(), any::<u64>()), 0..4)
}

fn item() -> impl Strategy<Value = Arc<Item>> {
    ("room:[ab]", ".{1,8}", any::<u64>(), any::<u64>(), ".{0,8}").prop_map(|(topic, key, owner, at, text)| {
        let before = (at % 2 == 0).then(|| Ref::new(at / 2, 0, 1));
        let meta = Meta::new(&serde_json::json!({ "text": text }), Ref::new(at, 1, 2), before, 4096).unwrap();
        Arc::new(Item { topic: topic.into(), key: key.into(), owner, meta })
    })
}

fn part() -> impl Strategy<Value = Part> {
    let runs = prop::collection::vec((1u64..1_000, 0u64..20), 0..5);
    let values = prop::collection::vec((1u64..1_000, item()), 0..4);
    (replica(), 0u64..50, 0u64..50, runs, values).prop_map(|(replica, start, len, runs, values)| {
        let mut dots: Dots = runs.into_iter().map(|(first, len)| first..=first + len).collect();
        let values: BTreeMap<u64, Arc<Item>> = values.into_iter().collect();
        for clock in values.keys() {
            dots.insert(*clock..=*clock);
        }
        if len > 0 {
            dots.insert(start + 1..=start + len);
        }
        Part { replica, start, end: start + len, dots, values }
    })
}

fn delta() -> impl Strategy<Value = Delta> {
    (any::<bool>(), prop::collection::vec(part(), 0..4)).prop_map(|(is_full, parts)| Delta { is_full, parts })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (replica(), prop::option::of(delta()), clocks()).prop_map(|(from, delta, clocks)| Message::Heartbeat {
            from,
            delta,
            clocks
        }),
        (any::<u64>(), replica(), clocks()).prop_map(|(id, from, clocks)| Message::TransferRequest {
            id,
            from,
            clocks
        }),
        (any::<u64>(), replica(), delta()).prop_map(|(id, from, delta)| Message::TransferAck { id, from, delta }),
        replica().prop_map(|from| Message::Goodbye { from }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_message_survives_the_wire_and_no_prefix_of_it_is_one(message in message()) {
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        for len in 0..bytes.len() {
            prop_assert!(Message::decode(&bytes[..len]).is_err(), "{} of {} bytes", len, bytes.len());
        }
        let mut longer = bytes;
        longer.push(0);
        let is_malformed = matches!(Message::decode(&longer), Err(DecodeError::Malformed { .. }));
        prop_assert!(is_malformed);
    }

    #[test]
    fn bytes_that_were_changed_are_refused_or_mean_something_else(message in message(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        // A form with one way to write each message: whatever is read is written the same.
        if let Ok(other) = Message::decode(&bytes) {
            prop_assert_ne!(&other, &message);
            if let Message::Heartbeat { delta: Some(delta), .. } | Message::TransferAck { delta, .. } = &other {
                prop_assert!(delta.parts.iter().all(Part::is_sound));
            }
        }
    }

    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(&noise);
        let _ = Message::decode(&bytes);
        prop_assert!(noise.starts_with(&MAGIC) || Message::decode(&noise).is_err());
    }
}

/// A message without its sender: what follows the replicas.
fn check(kind: u8, body: &[u8], expected: &str) {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, kind, 1, 1, b'a', 1, 1]);
    bytes.extend(body);
    let error = Message::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains(expected), "{kind} {body:?}: {error}");
}

#[test]
fn what_cannot_be_is_named() {
    check(9, &[], "no such kind");
    check(HEARTBEAT, &[1, 5, 1], "not in the list");
    check(HEARTBEAT, &[200, 1], "ends in the middle");
    check(HEARTBEAT, &[0x80, 0], "could be shorter");
    check(HEARTBEAT, &[0xFF; 12], "more than 64 bits");
    check(HEARTBEAT, &[0, 0], "more bytes");
    check(TRANSFER_ACK, &[7, 2, 0, 0], "neither yes nor no");
    // A part: replica 0, start 0, length 0, a run of the clock 0.
    check(TRANSFER_ACK, &[7, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0], "the clock 0");
    // Clocks 1 to 2 are promised, and only 1 is there.
    check(TRANSFER_ACK, &[7, 0, 1, 0, 0, 0, 2, 1, 1, 0, 0], "contradicts itself");
    // Two runs that touch.
    check(TRANSFER_ACK, &[7, 0, 1, 0, 0, 0, 0, 2, 1, 0, 1, 0, 0], "runs that touch");
    // A topic without a name.
    check(TRANSFER_ACK, &[7, 0, 0, 1, 0], "ends in the middle");
    check(TRANSFER_ACK, &[7, 0, 0, 1, 0, 0], "an empty topic");
}

#[test]
fn other_versions_and_other_protocols_are_told_apart() {
    let mut bytes = Message::Goodbye { from: ReplicaId::new("a", Version { started_us: 1, unique: 1 }) }.encode();
    bytes[4] = 2;
    assert_eq!(Message::decode(&bytes), Err(DecodeError::UnknownVersion(2)));
    assert_eq!(Message::decode(b"GET / HTTP/1.1"), Err(DecodeError::NotAMessage));
    assert_eq!(Message::decode(b""), Err(DecodeError::Truncated));
}
