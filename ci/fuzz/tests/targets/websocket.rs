//! Frames, in both roles, with and without compression.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use fuzz::{Target, byte_by_byte};
use simurgh_http::ws::{CloseCode, CloseFrame, Codec, Config, DeflateParams, Event, Message, Prepared, ProtocolError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// Small bounds, so that inputs reach them.
fn config() -> Arc<Config> {
    let (frame_len_max, message_len_max) = (1_000, 1_500);
    Config { frame_len_max, message_len_max, deflate_threshold: 1, pongs_pending_max: 4, ..Config::default() }.shared()
}

fn params(spare: usize) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: spare & 1 == 0,
        client_no_context_takeover: spare & 2 == 0,
        server_max_window_bits: 8 + (spare >> 2 & 7) as u8,
        client_max_window_bits: 8 + (spare >> 5 & 7) as u8,
    }
}

fn codec(role: Role, config: &Arc<Config>, deflate: Option<DeflateParams>) -> Codec {
    match role {
        Role::Server => Codec::server(config.clone(), deflate),
        Role::Client => Codec::client(config.clone(), deflate, || [0x12, 0x80, 0xff, 0x00]),
    }
}

fn written(codec: &mut Codec) -> BytesMut {
    let mut wire = BytesMut::new();
    wire.put(codec.output());
    wire
}

/// What the other role would send: a few conversations.
fn samples(role: Role, deflate: Option<DeflateParams>) -> Vec<Vec<u8>> {
    let peer = if role == Role::Server { Role::Client } else { Role::Server };
    let said = |say: fn(&mut Codec)| {
        let mut codec = codec(peer, &config(), deflate);
        say(&mut codec);
        written(&mut codec).to_vec()
    };
    let close = |code, reason| CloseFrame::new(CloseCode(code), reason);
    let mut all = vec![
        said(|codec| codec.text("κόσμε and many words and many words").unwrap()),
        said(|codec| codec.binary(&[0; 300]).unwrap()),
        said(|codec| {
            codec.part(Message::text("in "), false).unwrap();
            codec.ping(b"?").unwrap();
            codec.part(Message::text("parts"), true).unwrap();
            codec.pong(b"!").unwrap();
            codec.text("").unwrap();
        }),
    ];
    for frame in [None, Some(close(1000, "done")), Some(close(4999, ""))] {
        let mut codec = codec(peer, &config(), deflate);
        codec.text("last words").unwrap();
        codec.close(frame).unwrap();
        all.push(written(&mut codec).to_vec());
    }
    all
}

/// Bytes of headers: opcodes, RSV1, lengths in every form, keys.
const WORDS: &[&[u8]] = &[
    b"\x81",
    b"\x82\x7e\x00\x7d",
    b"\x01",
    b"\x80",
    b"\x00",
    b"\xc1",
    b"\x41",
    b"\x88\x02\x03\xe8",
    b"\x88\x01",
    b"\x89\x00",
    b"\x89\x80\0\0\0\0",
    b"\x81\xfe\x01\x00\0\0\0\0",
    b"\x82\x7f\0\0\0\0\0\0\x03\xe8",
    b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\0\0\xff\xff",
    b"\x03\0",
];

/// All that a codec makes of bytes in these parts.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    events: Vec<Event>,
    error: Option<ProtocolError>,
    answers: Vec<u8>,
}

fn hear(parts: &[&[u8]], role: Role, deflate: Option<DeflateParams>) -> Heard {
    let config = config();
    let mut codec = codec(role, &config, deflate);
    let (mut input, mut heard) = (BytesMut::new(), Heard::default());
    'read: for part in parts {
        input.extend_from_slice(part);
        loop {
            match codec.feed(&mut input) {
                Ok(Some(event)) => {
                    if let Event::Message(message) = &event {
                        assert!(message.as_bytes().len() <= config.message_len_max, "a message beyond its bound");
                    }
                    heard.events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(codec.is_closed() && input.is_empty(), "a failure is the end");
                    heard.error = Some(error);
                    break 'read;
                }
            }
        }
        assert!(codec.room(&input) <= 16 << 10, "memory on the mere word of a header");
        assert!(input.len() <= config.frame_len_max + 14, "more is held than one frame");
    }
    heard.answers = written(&mut codec).to_vec();
    heard
}

fn alike_at_splits(name: &'static str, role: Role, deflate: Option<DeflateParams>) {
    Target::new(name).samples(samples(role, deflate)).words(WORDS.iter().copied()).check(|input| {
        let whole = hear(&[&input.bytes], role, deflate);
        for parts in [input.parts(), byte_by_byte(&input.bytes)] {
            let mut parted = hear(&parts, role, deflate);
            if deflate.is_some() && whole.error.is_some() && parted.error.is_some() {
                // Of several things that are wrong with one compressed message the reads say which is found first.
                (parted.error, parted.answers) = (whole.error.clone(), whole.answers.clone());
            }
            assert_eq!(parted, whole);
        }
    });
}

/// A server hears the same events and gives the same answers wherever the bytes are cut, and keeps no more than a frame.
#[test]
fn websocket_server() {
    alike_at_splits("websocket_server", Role::Server, None);
}

/// The same of a client.
#[test]
fn websocket_client() {
    alike_at_splits("websocket_client", Role::Client, None);
}

/// The same of a server that inflates, with a context that it keeps; no message is larger than its bound.
#[test]
fn websocket_server_inflates() {
    alike_at_splits("websocket_server_inflates", Role::Server, Some(params(0xff)));
}

/// The same of a client whose peer begins each message anew, in the smallest window.
#[test]
fn websocket_client_inflates() {
    alike_at_splits("websocket_client_inflates", Role::Client, Some(params(0)));
}

/// What one role sends the other hears: every message of at most the bound, in order, cut anywhere, whatever was
/// negotiated and however it was sent; a longer one is refused with 1009.
#[test]
fn websocket_round_trip() {
    let words = ["many words ", "κόσμε", "\0\0\0\0\0\0\0\0", "🦅"];
    Target::new("websocket_round_trip").samples(["a|bb|", "many words many words|x", "|"]).words(words).check(
        |input| {
            let text = input.text();
            let messages: Vec<Message> = text
                .split('|')
                .enumerate()
                .map(|(at, part)| {
                    let part = part.repeat(1 + input.pick(at, 40));
                    if at % 3 == 2 { Message::binary(part.into_bytes()) } else { Message::text(part) }
                })
                .collect();
            let deflate = (input.pick(0, 4) > 0).then(|| params(input.pick(1, 256)));
            let (from, to) =
                if input.pick(2, 2) == 0 { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
            let config =
                Config { message_len_max: 1_500, deflate_threshold: input.pick(3, 200), ..Config::default() }.shared();
            let (mut sender, mut receiver) = (codec(from, &config, deflate), codec(to, &config, deflate));
            for (at, message) in messages.iter().enumerate() {
                match input.pick(at, 3) {
                    0 => sender.send(message.clone()).unwrap(),
                    1 => sender.shared(&Prepared::from(message)).unwrap(),
                    _ => {
                        let (first, second) = halves(message);
                        sender.part(first, false).unwrap();
                        sender.part(second, true).unwrap();
                    }
                }
            }
            let wire = written(&mut sender);
            let (mut rest, mut held, mut heard, mut failure) = (&wire[..], BytesMut::new(), Vec::new(), None);
            while !rest.is_empty() && failure.is_none() {
                let (part, after) = rest.split_at(rest.len().min(1 + input.pick(4, 100)));
                held.extend_from_slice(part);
                rest = after;
                loop {
                    match receiver.feed(&mut held) {
                        Ok(Some(Event::Message(message))) => heard.push(message),
                        Ok(Some(event)) => panic!("nobody said {event:?}"),
                        Ok(None) => break,
                        Err(error) => {
                            failure = Some(error);
                            break;
                        }
                    }
                }
            }
            let fitting = messages.iter().take_while(|message| message.as_bytes().len() <= 1_500).count();
            assert_eq!(heard, messages[..fitting]);
            assert_eq!(
                failure.map(|error| error.close_code()),
                (fitting < messages.len()).then_some(CloseCode::TOO_BIG)
            );
        },
    );
}

fn halves(message: &Message) -> (Message, Message) {
    let bytes = message.as_bytes();
    match message {
        Message::Binary(_) => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            (Message::binary(first.to_vec()), Message::binary(second.to_vec()))
        }
        Message::Text(text) => {
            let text = text.as_str();
            let at = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at)).expect("its end is one");
            (Message::text(&text[..at]), Message::text(&text[at..]))
        }
    }
}

/// No message is inflated to more than its bound, nor to more than the ratio allows beyond the free part: what is
/// heard is within both, what is not is refused for that.
#[test]
fn websocket_bombs() {
    let config =
        |len_max| Config { message_len_max: len_max, inflate_ratio_max: 20, deflate_threshold: 1, ..Config::default() };
    Target::new("websocket_bombs").samples(["\0", "many words ", "0123456789"]).times(300).check(|input| {
        let (len_max, deflate) = (50_000 + 1_000 * input.pick(0, 256), Some(params(input.pick(1, 256))));
        let plain = input.bytes.repeat(200 * (1 + input.pick(2, 256)) / input.bytes.len().max(1));
        let mut sender = Codec::client(Config::default().shared(), deflate, || [1; 4]);
        sender.binary(&plain).unwrap();
        let mut wire = written(&mut sender);
        let wire_len = wire.len();
        let mut receiver = Codec::server(config(len_max).shared(), deflate);
        let may_become = len_max.min((20 * wire_len).max(Config::INFLATE_FREE));
        match receiver.feed(&mut wire) {
            Ok(Some(Event::Message(message))) => {
                assert_eq!(message.as_bytes(), plain);
                assert!(plain.len() <= may_become, "{} bytes of {wire_len}", plain.len());
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.close_code(), CloseCode::TOO_BIG);
                // The header's bytes do not earn anything.
                let earned = (20 * wire_len.saturating_sub(16)).max(Config::INFLATE_FREE).min(len_max);
                assert!(plain.len() > earned, "{} bytes of {wire_len} are refused", plain.len());
            }
        }
    });
}
