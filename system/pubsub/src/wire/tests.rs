use proptest::prelude::*;

use super::*;

fn messages() -> impl Strategy<Value = Message> {
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Payload::Binary(bytes.into())),
        any::<String>().prop_map(|text| Payload::Json(serde_json::to_vec(&text).unwrap().into())),
        Just(Payload::Json(" {\"a\" : [1.0, null]} ".into())),
    ];
    let dispatcher = proptest::option::of("[a-z]{1,20}");
    (any::<String>(), any::<String>(), payload, dispatcher).prop_map(|(topic, event, payload, dispatcher)| {
        let message = Message::of(&topic, &event, payload);
        dispatcher.iter().fold(message, |message, name| message.dispatched_by(name))
    })
}

fn wire(message: &Message) -> Bytes {
    message.encoded::<Wire>().unwrap().as_ref().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_survives_the_way(message in messages()) {
        prop_assert_eq!(Message::from_wire(&wire(&message)), Ok(message));
    }

    /// Cut anywhere, or longer by a byte, it is refused.
    #[test]
    fn no_other_length_is_a_message(message in messages()) {
        let bytes = wire(&message);
        for len in 0..bytes.len() {
            prop_assert!(Message::from_wire(&bytes.slice(..len)).is_err(), "{} of {} bytes", len, bytes.len());
        }
        let mut longer = bytes.to_vec();
        longer.push(b' ');
        let is_refused = matches!(Message::from_wire(&longer.into()), Err(WireError::Length { .. }));
        prop_assert!(is_refused);
    }

    /// A changed byte is refused, or is another message that is written as those bytes.
    #[test]
    fn what_is_read_is_what_is_written(message in messages(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = wire(&message).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let bytes = Bytes::from(bytes);
        if let Ok(other) = Message::from_wire(&bytes) {
            prop_assert_eq!(wire(&other), bytes);
        }
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let good = wire(&Message::json("t", "e", &1).unwrap());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Message::from_wire(&bytes.into()).map(drop).map_err(|error| error.code())
    };
    assert_eq!(Message::from_wire(&Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")), Err(WireError::NotAMessage));
    assert_eq!(Message::from_wire(&Bytes::new()), Err(WireError::NotAMessage));
    assert_eq!(with(0, b'X'), Err("pubsub.wire.not_a_message"));
    assert_eq!(with(3, 2), Err("pubsub.wire.version"));
    assert_eq!(with(4, 7), Err("pubsub.wire.malformed"), "an unknown kind");
    assert_eq!(with(13, 9), Err("pubsub.wire.length"));
    assert_eq!(with(14, 0xFF), Err("pubsub.wire.malformed"), "a topic that is no text");
    assert_eq!(with(16, b'x'), Err("pubsub.wire.malformed"), "a payload that is no JSON");
}

#[test]
fn what_does_not_fit_is_said() {
    let long = "x".repeat(70_000);
    for message in [
        Message::binary(&long, "e", ""),
        Message::binary("t", &long, ""),
        Message::binary("t", "e", "").dispatched_by(&long[..256]),
    ] {
        assert_eq!(message.encoded::<Wire>().unwrap_err().code(), "pubsub.encode");
    }
}
