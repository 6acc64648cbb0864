//! Prepared frames among a connection's own, judged by other inflaters with one context for the whole connection.

use proptest::prelude::*;
use simurgh_http::ws::{Codec, Config, DeflateParams, Prepared};

use crate::compression::{NO_TAKEOVER, TAKEOVER};
use crate::frames::*;
use crate::window::{Client, repeats_after};

/// Texts that refer to one another if their context allows.
fn message(which: usize, len: usize) -> String {
    let words: Vec<String> = (0..=len / 4).map(|at| ((at + which) * (which % 3 + 1) * 40_503).to_string()).collect();
    let mut text = words.join("-long-");
    assert!(text.len() >= len || len < 4);
    text.truncate(len);
    text
}

fn check(params: DeflateParams, steps: &[(bool, usize, usize)], level: u8) {
    let config = Config { deflate_level: level, ..Config::default() }.shared();
    let prepared: Vec<(Prepared, String)> = [0, 40, 200, 240, 900, 9_000, 70_000]
        .iter()
        .map(|&len| message(1, len))
        .map(|text| (Prepared::text(&text), text))
        .collect();
    // Two subscribers, of which one keeps quiet, share the same frames.
    let mut codecs = [(); 2].map(|()| Codec::server(config.clone(), Some(params)));
    let mut peers = [(); 2].map(|()| Client::new(params));
    let mut ours = [(); 2].map(|()| Codec::client(config.clone(), Some(params), || [0; 4]));
    let mut want = [(); 2].map(|()| Vec::new());
    for &(is_shared, which, len) in steps {
        if is_shared {
            let (frame, text) = &prepared[which % prepared.len()];
            for (codec, want) in codecs.iter_mut().zip(&mut want) {
                codec.shared(frame).unwrap();
                want.push(text.clone());
            }
        } else {
            let text = message(which, len);
            codecs[0].text(&text).unwrap();
            want[0].push(text);
        }
    }
    for (((codec, peer), ours), want) in codecs.iter_mut().zip(&mut peers).zip(&mut ours).zip(&want) {
        let bytes = sent(codec);
        let by_others = peer.messages(&bytes);
        assert!(by_others.iter().map(|bytes| String::from_utf8_lossy(bytes)).eq(want.iter().map(|text| &text[..])));
        let by_us = feed(ours, [&bytes[..]]);
        assert_eq!(by_us, want.iter().map(|want| text(want)).collect::<Vec<_>>());
    }
}

#[test]
fn one_after_another() {
    let own = |which| (false, which, 3_000);
    let shared = (true, 5, 0);
    for params in [TAKEOVER, NO_TAKEOVER] {
        check(params, &[own(1), shared, own(1), shared, shared, own(1), own(2), own(1)], 6);
    }
}

#[test]
fn a_shared_frame_refers_no_further_back_than_each_window_holds() {
    let distances = [100, 250, 300, 1_000, 3_000, 10_000, 30_000];
    let messages: Vec<_> = distances.iter().map(|&distance| repeats_after(distance, 3 * distance)).collect();
    let prepared: Vec<_> = messages.iter().map(|message| Prepared::binary(message)).collect();
    for bits in 8..=15 {
        for params in [TAKEOVER, NO_TAKEOVER].map(|params| DeflateParams { server_max_window_bits: bits, ..params }) {
            let (mut codec, mut client) = (Codec::server(config(), Some(params)), Client::new(params));
            for (message, prepared) in messages.iter().zip(&prepared) {
                codec.shared(prepared).unwrap();
                let is_same = client.messages(&sent(&mut codec)) == [&message[..]];
                assert!(is_same, "{params:?}, {} bytes", message.len());
            }
        }
    }
}

#[test]
fn a_shared_frame_is_compressed_once_and_its_bytes_are_shared() {
    let config = config();
    let plain = message(1, 9_000);
    let prepared = Prepared::text(&plain);
    let mut pointers = Vec::new();
    for _ in 0..3 {
        let mut codec = Codec::server(config.clone(), Some(TAKEOVER));
        codec.shared(&prepared).unwrap();
        let chunk = bytes::Buf::chunk(codec.output());
        assert!(chunk.len() < plain.len() / 2);
        pointers.push(chunk.as_ptr());
    }
    assert!(pointers.iter().all(|pointer| *pointer == pointers[0]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order(
        steps in prop::collection::vec((any::<bool>(), 0..20usize, 0..5_000usize), 1..30),
        bits in 8..=15u8,
        level in 1..=9u8,
        takeover in any::<bool>(),
    ) {
        let params = DeflateParams { server_no_context_takeover: !takeover, server_max_window_bits: bits, ..TAKEOVER };
        check(params, &steps, level);
    }
}
