//! The golden vectors, and what is no message.

use simurgh_http::ws::Message;

use super::*;
use crate::Payload;

fn of(json: &str) -> Option<Ref> {
    Ref::of_json(json.as_bytes())
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn binary_frames_are_those_of_the_golden_vectors() {
    let data = Payload::binary(vec![1, 1]);
    let push = Frame::push(Vsn::V2, of("\"123\"").as_ref(), "top", "some-event", &data).unwrap();
    let head = "00 03 03 0a 31 32 33 74 6f 70 73 6f 6d 65 2d 65 76 65 6e 74 01 01";
    assert_eq!((push.as_bytes(), push.is_text()), (&bytes(head)[..], false));

    let reply = Frame::reply(Vsn::V2, of("\"100\"").as_ref(), of("\"12\"").as_ref(), "top", "ok", &data).unwrap();
    assert_eq!(reply.as_bytes(), bytes("01 03 02 03 02 31 30 30 31 32 74 6f 70 6f 6b 01 01"));

    let broadcast = Frame::broadcast(Vsn::V2, "top", "some-event", &data).unwrap();
    assert_eq!(broadcast.as_bytes(), bytes("02 03 0a 74 6f 70 73 6f 6d 65 2d 65 76 65 6e 74 01 01"));

    let pushed = bytes("00 01 01 06 01 33 35 72 6f 6f 6d 3a 31 62 01 02 03");
    let message = Incoming::decode(Vsn::V2, &Message::binary(pushed)).unwrap();
    assert_eq!((message.join_ref, message.reference), (of("\"3\""), of("\"5\"")));
    assert_eq!((message.topic.as_str(), message.event.as_str()), ("room:1", "b"));
    assert_eq!(message.payload, Payload::binary(vec![1, 2, 3]));
}

#[test]
fn an_empty_field_is_null_both_ways() {
    let message = Incoming::decode(Vsn::V2, &Message::binary(bytes("00 00 00 01 01 74 65"))).unwrap();
    assert_eq!((message.join_ref, message.reference), (None, None));
    assert_eq!(message.payload, Payload::binary(vec![]));
    let frame = Frame::reply(Vsn::V2, None, None, "t", "ok", &Payload::binary(vec![])).unwrap();
    assert_eq!(frame.as_bytes(), bytes("01 00 00 01 02 74 6f 6b"));
}

#[test]
fn text_frames_echo_references_as_they_came() {
    let payload = Payload::Json(r#"{"a": 1}"#.into());
    for (vsn, json_ref, want) in [
        (Vsn::V2, "\"7\"", r#"["7","7","room:\"1\"","phx_reply",{"status":"ok","response":{"a": 1}}]"#),
        (Vsn::V2, "7", r#"[7,7,"room:\"1\"","phx_reply",{"status":"ok","response":{"a": 1}}]"#),
        (Vsn::V2, "null", r#"[null,null,"room:\"1\"","phx_reply",{"status":"ok","response":{"a": 1}}]"#),
        (
            Vsn::V1,
            "0",
            r#"{"topic":"room:\"1\"","event":"phx_reply","payload":{"status":"ok","response":{"a": 1}},"ref":0}"#,
        ),
    ] {
        let reference = of(json_ref);
        let frame = Frame::reply(vsn, reference.as_ref(), reference.as_ref(), "room:\"1\"", "ok", &payload).unwrap();
        assert_eq!(std::str::from_utf8(frame.as_bytes()).unwrap(), want);
        assert!(frame.is_text());
    }
    for (frame, want) in [
        (Frame::broadcast(Vsn::V2, "t", "e", &payload).unwrap(), r#"[null,null,"t","e",{"a": 1}]"#),
        (Frame::push(Vsn::V2, of("3").as_ref(), "t", "e", &payload).unwrap(), r#"[3,null,"t","e",{"a": 1}]"#),
        (
            Frame::push(Vsn::V1, of("3").as_ref(), "t", "e", &payload).unwrap(),
            r#"{"topic":"t","event":"e","payload":{"a": 1},"ref":null}"#,
        ),
        (Frame::close(Vsn::V2, of("\"3\"").as_ref(), "t"), r#"["3","3","t","phx_close",{}]"#),
        (Frame::error(Vsn::V2, of("\"3\"").as_ref(), "t"), r#"["3","3","t","phx_error",{"reason":"channel_crash"}]"#),
    ] {
        assert_eq!(std::str::from_utf8(frame.as_bytes()).unwrap(), want);
    }
}

#[test]
fn what_cannot_be_sent_is_said() {
    let (long, data) = ("x".repeat(256), Payload::binary(vec![1]));
    let field = |field| Err(EncodeError::FieldTooLong { field, len: 256 });
    for (frame, want) in [
        (Frame::push(Vsn::V2, None, &long, "e", &data), field("topic")),
        (Frame::push(Vsn::V2, None, "t", &long, &data), field("event")),
        (Frame::reply(Vsn::V2, None, None, "t", &long, &data), field("status")),
        (Frame::push(Vsn::V1, None, "t", "e", &data), Err(EncodeError::BinaryInV1)),
        (Frame::push(Vsn::V2, None, "t", "e", &Payload::Json("[1]".into())), Err(EncodeError::NotAnObject)),
        (Frame::broadcast(Vsn::V2, "t", "e", &Payload::Json("1".into())), Err(EncodeError::NotAnObject)),
        (Frame::push(Vsn::V2, None, "t", "e", &Payload::Json(b"{\"\xff\":1}"[..].into())), Err(EncodeError::NotUtf8)),
    ] {
        assert_eq!(frame.map(drop), want);
    }
    // 255 characters of two bytes are too many bytes
    assert!(Frame::push(Vsn::V2, None, &"\u{e9}".repeat(128), "e", &data).is_err());
    assert!(Frame::push(Vsn::V2, None, &"\u{e9}".repeat(127), "e", &data).is_ok());
}

#[test]
fn text_that_is_a_message() {
    for (vsn, text, topic, payload) in [
        (Vsn::V2, r#"["1","2","t","e",{}]"#, "t", "{}"),
        (Vsn::V2, r#" [ null , null , "t" , "e" , 5 ] "#, "t", "5"),
        (Vsn::V2, r#"[1,2,"\u0074","e",[1, 2],"more",{"and":"more"}]"#, "t", "[1, 2]"),
        (Vsn::V1, r#"{"topic":"t","event":"e","payload":null,"ref":null}"#, "t", "null"),
        (Vsn::V1, r#"{"ref":1,"x":[2],"payload":{},"event":"e","topic":"t","join_ref":"4"}"#, "t", "{}"),
    ] {
        let message = Incoming::decode(vsn, &Message::text(text)).unwrap();
        assert_eq!((message.topic.as_str(), message.event.as_str()), (topic, "e"), "{text}");
        assert_eq!(message.payload.as_bytes(), payload.as_bytes(), "{text}");
    }
    let message = r#"{"topic":"t","event":"e","payload":{},"ref":3,"join_ref":4}"#;
    let binary = Incoming::decode(Vsn::V1, &Message::binary(message)).unwrap();
    assert_eq!((binary.reference, binary.join_ref), (of("3"), of("4")));
}

#[test]
fn text_that_is_none() {
    let deep = format!("[null,null,\"t\",\"e\",{}", "[".repeat(100_000));
    let long_topic = format!("[null,null,\"{}\",\"e\",{{}}]", "t".repeat(TOPIC_LEN_MAX + 1));
    let long_ref = format!("[null,\"{}\",\"t\",\"e\",{{}}]", "9".repeat(REF_LEN_MAX));
    for (vsn, text) in [
        (Vsn::V2, ""),
        (Vsn::V2, "hello"),
        (Vsn::V2, "[]"),
        (Vsn::V2, r#"[null,null,"t","e"]"#),
        (Vsn::V2, r#"[null,null,"t","e",{}"#),
        (Vsn::V2, r#"[null,null,"t","e",{}]x"#),
        (Vsn::V2, r#"[null,null,1,"e",{}]"#),
        (Vsn::V2, r#"[null,null,"t",null,{}]"#),
        (Vsn::V2, r#"{"topic":"t","event":"e","payload":{},"ref":null}"#),
        (Vsn::V2, &deep),
        (Vsn::V2, &long_topic),
        (Vsn::V2, &long_ref),
        (Vsn::V1, r#"[null,null,"t","e",{}]"#),
        (Vsn::V1, r#"{"topic":"t","event":"e","payload":{}}"#),
        (Vsn::V1, r#"{"topic":"t","event":"e","ref":1}"#),
        (Vsn::V1, r#"{"event":"e","payload":{},"ref":1}"#),
        (Vsn::V1, r#"{"topic":"t","payload":{},"ref":1}"#),
        (Vsn::V1, "5"),
    ] {
        assert!(Incoming::decode(vsn, &Message::text(text)).is_err(), "{vsn:?} {}", &text[..text.len().min(80)]);
    }
    for frame in
        ["", "00", "00 00 00 00", "00 01 00 00 00", "01 00 00 01 01 74 65", "03 00 00 01 01 74 65", "00 00 00 01 00 ff"]
    {
        assert!(Incoming::decode(Vsn::V2, &Message::binary(bytes(frame))).is_err(), "{frame}");
    }
    assert_eq!(Incoming::decode(Vsn::V1, &Message::binary(vec![0xff])), Err(DecodeError::Utf8));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes: Vec<u8>, text: String) {
        for vsn in [Vsn::V1, Vsn::V2] {
            let _ = Incoming::decode(vsn, &Message::binary(bytes.clone()));
            let _ = Incoming::decode(vsn, &Message::text(text.clone()));
        }
    }

    #[test]
    fn what_is_said_in_text_is_read_as_it_was_said(topic in ".{0,40}", event in ".{0,40}", join_ref in ".{1,20}") {
        let json = serde_json::json!([join_ref, 7, topic, event, {"a": topic}]).to_string();
        let message = Incoming::decode(Vsn::V2, &Message::text(json)).unwrap();
        proptest::prop_assert_eq!(message.topic.as_str(), topic.as_str());
        proptest::prop_assert_eq!(message.event.as_str(), event);
        let quoted = serde_json::to_string(&join_ref).unwrap();
        let join_ref = message.join_ref.unwrap();
        proptest::prop_assert_eq!(join_ref.as_json(), quoted.as_bytes());
        let payload: serde_json::Value = message.payload.deserialize().unwrap();
        proptest::prop_assert_eq!(&payload["a"], &serde_json::Value::from(topic.clone()));
        let reply = Frame::reply(Vsn::V2, Some(&join_ref), None, &topic, "ok", &message.payload).unwrap();
        let parts: serde_json::Value = serde_json::from_slice(reply.as_bytes()).unwrap();
        proptest::prop_assert_eq!(&parts[2], &serde_json::Value::from(topic));
    }
}
