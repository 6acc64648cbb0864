//! Every way to split a stream in two gives the same events.

use simurgh_http::ws::{Codec, DeflateParams};

use crate::frames::*;

const DEFLATE: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};

/// Mixed frames from a client: plain and compressed, whole and in fragments, with control frames between.
fn stream() -> Vec<u8> {
    let mut sender = Codec::client(config(), Some(DEFLATE), || [0xa1, 0x02, 0xf3, 0x44]);
    sender.text(&"compressed и по-русски, ".repeat(20)).unwrap();
    sender.text(&"compressed и по-русски, ".repeat(20)).unwrap();
    sender.binary(&[3; 1_300]).unwrap();
    let compressed = sent(&mut sender);
    [
        client(TEXT, "ёлка 中文 🦅".as_bytes()),
        compressed,
        masked(TEXT, "cut \u{1f985}".as_bytes().split_at(6).0, [1, 2, 3, 4]),
        client(PING, b"ping"),
        masked(FIN, "cut \u{1f985}".as_bytes().split_at(6).1, [5, 6, 7, 8]),
        client(BINARY, &[0xee; 200]),
        client(PONG, b""),
        client(BINARY, &[0xee; 1_500]),
        client(CLOSE, b"\x03\xe8done"),
    ]
    .concat()
}

#[test]
fn at_every_byte() {
    let bytes = stream();
    let want = feed(&mut Codec::server(config(), Some(DEFLATE)), [&bytes[..]]);
    assert_eq!(want.len(), 10);
    assert!(want.iter().all(Result::is_ok), "{want:?}");
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(feed(&mut Codec::server(config(), Some(DEFLATE)), [head, tail]), want, "split at {at}");
    }
    for len in 1..40 {
        assert_eq!(feed(&mut Codec::server(config(), Some(DEFLATE)), bytes.chunks(len)), want, "pieces of {len}");
    }
}

#[test]
fn and_the_same_failure() {
    for bad in [client(TEXT, b"good until \xff here"), masked(FIN | 5, b"", [1; 4]), client(CLOSE, b"\x00\x00")] {
        let bytes = [client(TEXT, b"before"), bad].concat();
        let want = serve(&bytes);
        assert_eq!(want.len(), 2);
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(feed(&mut Codec::server(config(), None), [head, tail]), want, "split at {at}");
        }
    }
}
