//! permessage-deflate: the rules and examples of RFC 7692, windows, and bombs.

use bytes::{Buf, Bytes};
use simurgh_http::ws::{Codec, Config, DeflateParams, Event, Message, ProtocolError};

use crate::frames::*;
use crate::window::{Client, repeats_after};

pub(crate) const TAKEOVER: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};

pub(crate) const NO_TAKEOVER: DeflateParams =
    DeflateParams { server_no_context_takeover: true, client_no_context_takeover: true, ..TAKEOVER };

fn compressed(payload: &[u8]) -> Vec<u8> {
    masked(FIN | RSV1 | TEXT, payload, [3, 1, 4, 1])
}

#[test]
fn section_7_2_3_the_examples() {
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for (what, messages) in [
        ("7.2.3.1, one block", vec![compressed(HELLO)]),
        (
            "7.2.3.1, fragments",
            vec![[masked(RSV1 | TEXT, &HELLO[..3], [1; 4]), masked(FIN, &HELLO[3..], [2; 4])].concat()],
        ),
        ("7.2.3.2, the window is shared", vec![compressed(HELLO), compressed(&[0xf2, 0x00, 0x11, 0x00, 0x00])]),
        ("7.2.3.3, no compression", vec![compressed(b"\x00\x05\x00\xfa\xffHello\x00")]),
        (
            "7.2.3.4, a final block",
            vec![compressed(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), compressed(HELLO)],
        ),
        ("a final block, not padded", vec![compressed(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), compressed(HELLO)]),
        (
            "7.2.3.5, two blocks",
            vec![compressed(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00])],
        ),
        (
            "not compressed after all",
            vec![compressed(HELLO), client(TEXT, b"Hello"), compressed(&[0xf2, 0x00, 0x11, 0x00, 0x00])],
        ),
    ] {
        let bytes = messages.concat();
        let want = vec![text("Hello"); messages.len()];
        assert_eq!(feed(&mut Codec::server(config(), Some(TAKEOVER)), [&bytes[..]]), want, "{what}");
        assert_eq!(feed(&mut Codec::server(config(), Some(TAKEOVER)), bytes.chunks(1)), want, "{what}, byte by byte");
    }
    for (what, payload) in [("7.2.3.6, the empty message", &[0][..]), ("no bytes at all", &[])] {
        let bytes = [compressed(payload), compressed(HELLO)].concat();
        assert_eq!(
            feed(&mut Codec::server(config(), Some(TAKEOVER)), [&bytes[..]]),
            [text(""), text("Hello")],
            "{what}"
        );
    }
}

#[test]
fn section_6_where_rsv1_may_stand() {
    for (what, bytes) in [
        ("on a control frame", masked(FIN | RSV1 | PING, b"", [1; 4])),
        ("on a later fragment", [masked(RSV1 | TEXT, b"\xf2", [1; 4]), masked(FIN | RSV1, b"", [1; 4])].concat()),
        ("on a later fragment of a plain one", [masked(TEXT, b"x", [1; 4]), masked(FIN | RSV1, b"", [1; 4])].concat()),
    ] {
        let got = feed(&mut Codec::server(config(), Some(TAKEOVER)), [&bytes[..]]);
        assert_eq!(got, [Err(ProtocolError::UnexpectedCompression)], "{what}");
    }
}

#[test]
fn what_does_not_inflate_and_text_that_is_none() {
    for (what, payload, error) in [
        ("a reserved block type", &b"\xff\xff\xff"[..], ProtocolError::InvalidDeflate),
        ("a distance before the start", &[0xf2, 0x00, 0x11, 0x00, 0x00], ProtocolError::InvalidDeflate),
        ("not UTF-8", b"\x00\x02\x00\xfd\xff\xce\xff\x00", ProtocolError::InvalidUtf8),
        ("a cut character", b"\x00\x01\x00\xfe\xff\xce\x00", ProtocolError::InvalidUtf8),
    ] {
        let bytes = compressed(payload);
        let mut codec = Codec::server(config(), Some(TAKEOVER));
        assert_eq!(feed(&mut codec, [&bytes[..]]), [Err(error)], "{what}");
    }
    // Fail fast: the wrong byte is in what has come, the message is not complete.
    let begun = &compressed(b"\x00\x02\x00\xfd\xff\xce\xff\x00")[..6 + 7];
    assert_eq!(feed(&mut Codec::server(config(), Some(TAKEOVER)), [begun]), [Err(ProtocolError::InvalidUtf8)]);
}

#[test]
fn every_agreement_carries_messages_both_ways() {
    let long = "the quick brown fox, он же лиса, ".repeat(3_000);
    for bits in 8..=15 {
        for (server, client) in [(false, false), (false, true), (true, false), (true, true)] {
            let params = DeflateParams {
                server_no_context_takeover: server,
                client_no_context_takeover: client,
                server_max_window_bits: bits,
                client_max_window_bits: 23 - bits,
            };
            let mut server = Codec::server(config(), Some(params));
            let mut client = Codec::client(config(), Some(params), || [1, 2, 3, 4]);
            for _ in 0..3 {
                for message in [&long[..], &long[..1_000], "short", ""] {
                    server.text(message).unwrap();
                    client.text(message).unwrap();
                }
                let want = [text(&long), text(&long[..1_000]), text("short"), text("")];
                let (down, up) = (sent(&mut server), sent(&mut client));
                assert!(down.len() < long.len() / 4 && up.len() < long.len() / 4);
                assert_eq!(feed(&mut client, [&down[..]]), want, "{params:?}");
                assert_eq!(feed(&mut server, [&up[..]]), want, "{params:?}");
            }
        }
    }
}

#[test]
fn a_kept_context_makes_the_second_message_small() {
    let message = (0..400).map(|at| (at * 7_919).to_string()).collect::<Vec<_>>().join(" ");
    let twice = |params| {
        let mut codec = Codec::server(config(), Some(params));
        [(); 2].map(|()| {
            codec.text(&message).unwrap();
            sent(&mut codec).len()
        })
    };
    let [first, second] = twice(TAKEOVER);
    assert!(second * 10 < first, "{first}, then {second}");
    let [first, second] = twice(NO_TAKEOVER);
    assert_eq!(first, second);
}

#[test]
fn small_messages_and_those_that_do_not_shrink_go_as_they_are() {
    let mut codec = Codec::server(Config { deflate_threshold: 10, ..Config::default() }.shared(), Some(NO_TAKEOVER));
    codec.text("aaaaaaaaa").unwrap();
    codec.binary(b"0123456789").unwrap();
    assert_eq!(sent(&mut codec), [frame(FIN | TEXT, b"aaaaaaaaa"), frame(FIN | BINARY, b"0123456789")].concat());
    codec.text("aaaaaaaaaa").unwrap();
    assert_eq!(sent(&mut codec)[0], FIN | RSV1 | TEXT);
}

#[test]
fn section_7_1_2_distances_stay_in_the_window_that_was_agreed_on() {
    for bits in 8..=15u8 {
        let params = DeflateParams { server_max_window_bits: bits, ..TAKEOVER };
        for level in [1, 2, 3, 6, 9] {
            let mut codec = Codec::server(Config { deflate_level: level, ..Config::default() }.shared(), Some(params));
            let mut client = Client::new(params);
            for distance in [200, 249, 250, 251, 255, 256, 257, 300, 512, 1_000, 1 << bits, 2 << bits] {
                let plain = repeats_after(distance, 3 * distance);
                codec.binary(&plain).unwrap();
                let is_same = client.messages(&sent(&mut codec)) == [plain];
                assert!(is_same, "{bits} bits, level {level}, distance {distance}");
            }
        }
    }
}

#[test]
fn a_message_earns_its_ratio_by_itself() {
    let config = Config { inflate_ratio_max: 100, ..Config::default() }.shared();
    let mut sender = Codec::client(config.clone(), Some(TAKEOVER), || [0; 4]);
    let mut receiver = Codec::server(config, Some(TAKEOVER));
    sender.binary(&repeats_after(100_000, 100_000)).unwrap();
    let long = sent(&mut sender);
    assert!(feed(&mut receiver, [&long[..]])[0].is_ok());
    sender.binary(&vec![0; 1_000_000]).unwrap();
    let bomb = sent(&mut sender);
    assert_eq!(feed(&mut receiver, [&bomb[..]]), [Err(ProtocolError::InflatesTooMuch { ratio_max: 100 })]);
}

fn bomb(len: usize) -> Vec<u8> {
    let limits = Config { pending_len_max: usize::MAX, ..Config::default() }.shared();
    let mut sender = Codec::client(limits, Some(NO_TAKEOVER), || [1, 2, 3, 4]);
    sender.send(Message::Binary(Bytes::from(vec![0; len]))).unwrap();
    sent(&mut sender)
}

#[test]
fn bombs_are_refused_at_the_bound() {
    let small = || Config { message_len_max: 1 << 20, inflate_ratio_max: 2_000, ..Config::default() };
    let run = |config: Config, bytes: &[u8]| feed(&mut Codec::server(config.shared(), Some(NO_TAKEOVER)), [bytes]);
    let many = bomb(64 << 20);
    assert!(many.len() < 100_000);
    assert_eq!(run(small(), &many), [Err(ProtocolError::MessageTooBig { len_max: 1 << 20 })]);
    assert_eq!(run(Config::default(), &many), [Err(ProtocolError::InflatesTooMuch { ratio_max: 200 })]);

    assert!(run(small(), &bomb(1 << 20))[0].is_ok(), "exactly the bound is allowed");
    assert!(run(small(), &bomb((1 << 20) + 1))[0].is_err());
    assert!(run(Config::default(), &bomb(Config::INFLATE_FREE))[0].is_ok(), "small ones may shrink as they like");
    assert!(run(Config::default(), &bomb(Config::INFLATE_FREE + 1))[0].is_err());
}

#[test]
fn a_bound_in_the_middle_of_fragments() {
    let bytes = bomb(200_000);
    let payload: Vec<u8> = bytes[8..].iter().enumerate().map(|(at, byte)| byte ^ [1, 2, 3, 4][at % 4]).collect();
    assert!(payload.len() > 126);
    let config = Config { message_len_max: 150_000, inflate_ratio_max: 2_000, ..Config::default() }.shared();
    let mut codec = Codec::server(config, Some(NO_TAKEOVER));
    let mut pieces = payload.chunks(20).map(|piece| masked(0, piece, [5; 4])).collect::<Vec<_>>();
    pieces[0][0] = RSV1 | BINARY;
    let events = feed(&mut codec, pieces.iter().map(|piece| &piece[..]));
    assert_eq!(events, [Err(ProtocolError::MessageTooBig { len_max: 150_000 })]);
}

#[test]
fn a_message_that_fits_can_be_kept_and_shared() {
    let mut client = Codec::client(config(), Some(TAKEOVER), || [0; 4]);
    let mut server = Codec::server(config(), Some(TAKEOVER));
    server.text(&"large ".repeat(10_000)).unwrap();
    let bytes = sent(&mut server);
    let events = feed(&mut client, bytes.chunks(7));
    let [Ok(Event::Message(message))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(message.as_bytes().len(), 60_000);
    assert!(!server.output().has_remaining());
}
