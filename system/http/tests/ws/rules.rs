//! The rules of RFC 6455, by section.

use bytes::{Buf, BytesMut};
use simurgh_http::ws::{CloseCode, CloseFrame, Codec, Config, Event, Message, Prepared, ProtocolError, SendError};

use crate::frames::*;

/// A server that is fed these bytes fails so, and tells its client.
#[track_caller]
fn fails(bytes: &[u8], error: ProtocolError) {
    let mut codec = Codec::server(config(), None);
    let code = error.close_code();
    assert_eq!(feed(&mut codec, [bytes]).pop(), Some(Err(error)), "{bytes:x?}");
    let close = sent(&mut codec);
    assert_eq!((close[0], &close[2..4]), (FIN | CLOSE, &code.0.to_be_bytes()[..]));
    assert!(codec.is_closed() && !codec.is_open());
    assert_eq!(feed(&mut codec, [&client(TEXT, b"more")[..]]), [], "nothing after a failure");
    assert_eq!(codec.text("more"), Err(SendError::Closing));
}

#[test]
fn section_5_1_clients_mask_and_servers_do_not() {
    fails(&frame(FIN | TEXT, b"x"), ProtocolError::Unmasked);
    let mut from_server = Codec::client(config(), None, || [0; 4]);
    assert_eq!(feed(&mut from_server, [&client(TEXT, b"x")[..]]), [Err(ProtocolError::Masked)]);
    let mut from_server = Codec::client(config(), None, || [0; 4]);
    assert_eq!(feed(&mut from_server, [&frame(FIN | TEXT, b"x")[..]]), [text("x")]);
}

#[test]
fn section_5_2_reserved_bits_opcodes_and_lengths() {
    for (first, error) in [
        (FIN | TEXT | 0x20, ProtocolError::ReservedBits),
        (FIN | TEXT | 0x10, ProtocolError::ReservedBits),
        (FIN | TEXT | RSV1, ProtocolError::UnexpectedCompression), // nothing was negotiated
        (FIN | PING | RSV1, ProtocolError::UnexpectedCompression),
        (FIN | 3, ProtocolError::ReservedOpcode(3)),
        (FIN | 0xb, ProtocolError::ReservedOpcode(0xb)),
    ] {
        fails(&masked(first, b"x", [1; 4]), error);
    }
    fails(&[FIN | BINARY, 0xfe, 0, 125], ProtocolError::BadLength);
    fails(&[FIN | BINARY, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], ProtocolError::BadLength);
    for len in [0, 1, 125, 126, 127, 1_024, 1_025, 65_535, 65_536, 200_000] {
        let payload = vec![0x5a; len];
        assert_eq!(serve(&client(BINARY, &payload)), [binary(&payload)], "{len}");
    }
}

#[test]
fn section_5_4_fragments_with_control_frames_between() {
    let bytes = [
        masked(TEXT, b"Hel", [1, 2, 3, 4]),
        client(PING, b"between"),
        masked(0, b"", [9; 4]),
        masked(0, b"lo ", [5, 6, 7, 8]),
        client(PONG, b""),
        masked(FIN, "κόσμε".as_bytes(), [0; 4]),
        client(BINARY, b"next"),
    ]
    .concat();
    let want =
        [Ok(Event::Ping(b"between"[..].into())), Ok(Event::Pong([][..].into())), text("Hello κόσμε"), binary(b"next")];
    assert_eq!(serve(&bytes), want);

    fails(&masked(FIN, b"x", [1; 4]), ProtocolError::UnexpectedContinuation);
    fails(&masked(0, b"x", [1; 4]), ProtocolError::UnexpectedContinuation);
    fails(&[masked(TEXT, b"x", [1; 4]), client(TEXT, b"y")].concat(), ProtocolError::InterruptedMessage);
    fails(&[client(TEXT, b"x"), masked(FIN, b"y", [1; 4])].concat(), ProtocolError::UnexpectedContinuation);
}

#[test]
fn section_5_4_a_message_sent_in_parts() {
    for (mut from, mut to) in [
        (Codec::server(config(), None), Codec::client(config(), None, || [1, 2, 3, 4])),
        (Codec::client(config(), None, || [1, 2, 3, 4]), Codec::server(config(), None)),
    ] {
        let text_of = |text: &str| Message::Text(text.into());
        from.part(text_of("part "), false).unwrap();
        from.ping(b"").unwrap();
        assert_eq!(from.text("another"), Err(SendError::InParts));
        assert_eq!(from.shared(&Prepared::text("another")), Err(SendError::InParts));
        from.part(text_of(""), false).unwrap();
        from.part(text_of(&"by part".repeat(1_000)), true).unwrap();
        from.text("another").unwrap();
        let bytes = sent(&mut from);
        let want =
            [Ok(Event::Ping([][..].into())), text(&format!("part {}", "by part".repeat(1_000))), text("another")];
        assert_eq!(feed(&mut to, bytes.chunks(100)), want);
    }
}

#[test]
fn section_5_5_control_frames_are_whole_and_short() {
    fails(&masked(PING, b"", [1; 4]), ProtocolError::FragmentedControl);
    fails(&client(PING, &[0; 126]), ProtocolError::ControlTooLong);
    let mut codec = Codec::server(config(), None);
    assert_eq!(codec.ping(&[0; 126]), Err(SendError::ControlTooLong));
    codec.ping(&[7; 125]).unwrap();
    assert_eq!(sent(&mut codec), frame(FIN | PING, &[7; 125]));
    codec.pong(b"unasked").unwrap();
    assert_eq!(sent(&mut codec), frame(FIN | PONG, b"unasked"));
}

#[test]
fn section_5_5_1_close_is_echoed_once_and_ends_all() {
    for (payload, echo) in [
        (&b""[..], &b""[..]),
        (b"\x03\xe8", b"\x03\xe8"),
        (b"\x03\xe9bye", b"\x03\xe9"),
        (b"\x0b\xb8", b"\x0b\xb8"),
        (b"\x13\x87", b"\x13\x87"),
    ] {
        let mut codec = Codec::server(config(), None);
        let bytes = [client(CLOSE, payload), client(TEXT, b"late"), client(CLOSE, b"")].concat();
        let events = feed(&mut codec, [&bytes[..]]);
        let [Ok(Event::Close(frame_seen))] = &events[..] else { panic!("{events:?}") };
        assert_eq!(frame_seen.is_some(), !payload.is_empty());
        assert_eq!(sent(&mut codec), frame(FIN | CLOSE, echo));
        assert!(codec.is_closed());
    }
}

#[test]
fn section_5_5_1_messages_still_come_after_our_close() {
    let mut codec = Codec::server(config(), None);
    codec.text("last").unwrap();
    codec.close(Some(CloseFrame::new(CloseCode::SERVICE_RESTART, "restart"))).unwrap();
    let want = [frame(FIN | TEXT, b"last"), frame(FIN | CLOSE, b"\x03\xf4restart")].concat();
    assert_eq!(sent(&mut codec), want);
    assert!(!codec.is_open() && !codec.is_closed());
    assert_eq!(codec.close(None), Err(SendError::Closing));
    assert_eq!(codec.text("later"), Err(SendError::Closing));

    let bytes = [client(TEXT, b"crossing"), client(PING, b"?"), client(CLOSE, b"\x03\xf4")].concat();
    let events = feed(&mut codec, [&bytes[..]]);
    assert_eq!(events[..2], [text("crossing"), Ok(Event::Ping(b"?"[..].into()))]);
    assert_eq!(sent(&mut codec), b"", "nothing follows a close frame, no pong and no second close");
    assert!(codec.is_closed());
}

#[test]
fn section_5_5_2_pings_are_answered_until_too_many_wait() {
    let mut codec = Codec::server(Config { pongs_pending_max: 2, ..Config::default() }.shared(), None);
    let pings = [client(PING, b"a"), client(PING, b"b")].concat();
    for _ in 0..3 {
        assert_eq!(feed(&mut codec, [&pings[..]]).len(), 2);
        assert_eq!(sent(&mut codec), [frame(FIN | PONG, b"a"), frame(FIN | PONG, b"b")].concat());
    }
    feed(&mut codec, [&pings[..]]);
    let error = ProtocolError::TooManyPings { pongs_max: 2 };
    assert_eq!(feed(&mut codec, [&pings[..]]), [Err(error)]);
}

#[test]
fn section_7_4_codes_that_no_close_frame_carries() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        fails(&client(CLOSE, &u16::to_be_bytes(code)), ProtocolError::BadCloseCode(CloseCode(code)));
        let mut codec = Codec::server(config(), None);
        let refused = codec.close(Some(CloseFrame::new(CloseCode(code), "")));
        assert_eq!(refused, Err(SendError::BadCloseCode(CloseCode(code))));
        assert!(codec.is_open());
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        assert!(serve(&client(CLOSE, &u16::to_be_bytes(code)))[0].is_ok(), "{code}");
    }
    fails(&client(CLOSE, b"\x03"), ProtocolError::BadCloseFrame);
    fails(&client(CLOSE, b"\x03\xe8\xff"), ProtocolError::InvalidUtf8);
    let long = CloseFrame::new(CloseCode::NORMAL, "x".repeat(124));
    assert_eq!(Codec::server(config(), None).close(Some(long)), Err(SendError::ControlTooLong));
}

#[test]
fn section_8_1_wrong_text_fails_at_the_wrong_byte() {
    let bytes = client(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited");
    let mut codec = Codec::server(config(), None);
    assert_eq!(feed(&mut codec, [&bytes[..6 + 12]]), [], "as far as it goes it can become right");
    let mut input = BytesMut::from(&bytes[..6 + 12]);
    let mut codec = Codec::server(config(), None);
    assert_eq!(codec.feed(&mut input), Ok(None));
    input.extend_from_slice(&bytes[6 + 12..6 + 13]);
    assert_eq!(codec.feed(&mut input), Err(ProtocolError::InvalidUtf8), "the byte 0x90 cannot follow 0xf4");

    fails(&client(TEXT, b"\xce"), ProtocolError::InvalidUtf8);
    fails(&[masked(TEXT, b"\xce", [1; 4]), masked(FIN, b"", [1; 4])].concat(), ProtocolError::InvalidUtf8);
    fails(&[masked(TEXT, b"\xce", [1; 4]), masked(0, b"\xce", [1; 4])].concat(), ProtocolError::InvalidUtf8);
    let cut = [masked(TEXT, b"\xce", [1; 4]), masked(0, b"", [2; 4]), masked(FIN, b"\xba", [3; 4])].concat();
    assert_eq!(serve(&cut), [text("κ")]);
}

#[test]
fn section_10_4_limits_are_refused_when_they_are_known() {
    let config = Config { frame_len_max: 1_000, message_len_max: 1_500, ..Config::default() }.shared();
    let run = |bytes: &[u8]| feed(&mut Codec::server(config.clone(), None), [bytes]).pop();
    let header_only = &client(BINARY, &[0; 1_001])[..8];
    assert_eq!(run(header_only), Some(Err(ProtocolError::FrameTooBig { len: 1_001, len_max: 1_000 })));
    let first = masked(BINARY, &[0; 1_000], [1; 4]);
    let rest = |len: usize| [&first[..], &masked(FIN, &vec![0; len], [1; 4])[..8]].concat();
    assert_eq!(run(&rest(501)), Some(Err(ProtocolError::MessageTooBig { len_max: 1_500 })));
    assert_eq!(run(&rest(500)), None);
}

#[test]
fn a_slow_reader_is_told_of() {
    let mut codec = Codec::server(Config { pending_len_max: 5_000, ..Config::default() }.shared(), None);
    codec.binary(&[0; 9_000]).unwrap(); // one message always fits
    assert_eq!(codec.text("x"), Err(SendError::Full { pending: 9_004, len_max: 5_000 }));
    codec.output().advance(4_100);
    codec.text("x").unwrap();
    assert_eq!(feed(&mut codec, [&client(PING, b"")[..]]).len(), 1, "answers are bounded by themselves");
}

#[test]
fn the_room_for_a_read_follows_what_has_come() {
    let codec = &mut Codec::server(config(), None);
    let bytes = client(BINARY, &vec![0; 1 << 20]);
    let mut input = BytesMut::new();
    assert_eq!(codec.room(&input), 4 << 10);
    input.extend_from_slice(&bytes[..14]);
    assert_eq!(codec.feed(&mut input), Ok(None));
    assert_eq!(codec.room(&input), 16 << 10, "a header alone does not earn a mebibyte");
    input.extend_from_slice(&bytes[14..100_000]);
    assert_eq!(codec.feed(&mut input), Ok(None));
    assert_eq!(codec.room(&input), 4 * input.len());
    input.extend_from_slice(&bytes[100_000..bytes.len() - 10_000]);
    assert_eq!(codec.room(&input), 10_014, "what is missing, and the next header");
}

#[test]
fn whoever_sends_chooses_how() {
    let large = "κ".repeat(2_000);
    let mut server = Codec::server(config(), None);
    let mut client = Codec::client(config(), None, || [1, 2, 3, 4]);
    for codec in [&mut server, &mut client] {
        codec.text("small").unwrap();
        codec.text(&large).unwrap();
        codec.send(bytes::Bytes::from(vec![9; 5_000]).into()).unwrap();
        codec.binary(b"").unwrap();
    }
    let want = [text("small"), text(&large), binary(&[9; 5_000]), binary(b"")];
    let (from_server, from_client) = (sent(&mut server), sent(&mut client));
    assert_eq!(feed(&mut client, [&from_server[..]]), want);
    assert_eq!(feed(&mut server, [&from_client[..]]), want);
}
