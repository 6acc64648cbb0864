//! Laws: what one side sends the other receives, whatever the roles, keys, fragments, pieces and compression.

use proptest::prelude::*;
use simurgh_http::ws::{Codec, Config, DeflateParams, Event, Message};

use crate::frames::*;

fn any_message() -> impl Strategy<Value = Message> {
    let len = prop_oneof![0..200usize, 1_000..1_100usize, 60_000..70_000usize];
    let binary = (any::<u8>(), len.clone()).prop_map(|(byte, len)| Message::Binary(vec![byte; len].into()));
    let noise = prop::collection::vec(any::<u8>(), 0..2_000).prop_map(|bytes| Message::Binary(bytes.into()));
    let text = ("\\PC{0,40}", 0..40usize).prop_map(|(text, times)| Message::Text(text.repeat(times).into()));
    prop_oneof![binary, noise, text]
}

fn any_params() -> impl Strategy<Value = Option<DeflateParams>> {
    let params =
        (any::<bool>(), any::<bool>(), 8..=15u8, 8..=15u8).prop_map(|(server, client, down, up)| DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: down,
            client_max_window_bits: up,
        });
    prop::option::of(params)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_received(
        messages in prop::collection::vec(any_message(), 1..8),
        params in any_params(),
        piece in 1..5_000usize,
        threshold in 0..300usize,
        is_server in any::<bool>(),
    ) {
        let config = Config { deflate_threshold: threshold, inflate_ratio_max: 2_000, ..Config::default() }.shared();
        let server = Codec::server(config.clone(), params);
        let client = Codec::client(config, params, || [0x12, 0x34, 0x56, 0x78]);
        let (mut from, mut to) = if is_server { (server, client) } else { (client, server) };
        for message in &messages {
            from.send(message.clone()).unwrap();
        }
        let bytes = sent(&mut from);
        let got = feed(&mut to, bytes.chunks(piece));
        let want: Vec<_> = messages.into_iter().map(|message| Ok(Event::Message(message))).collect();
        prop_assert_eq!(got, want);
    }

    #[test]
    fn fragments_and_pieces_do_not_matter(
        text_sent in "\\PC{0,300}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        keys in prop::collection::vec(any::<[u8; 4]>(), 8),
        piece in 1..50usize,
    ) {
        let bytes = text_sent.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.insert(0, 0);
        cuts.push(bytes.len());
        let last = cuts.len() - 2;
        let mut stream = Vec::new();
        for (at, ends) in cuts.windows(2).enumerate() {
            let opcode = if at == 0 { TEXT } else { 0 };
            let fin = if at == last { FIN } else { 0 };
            stream.extend(masked(fin | opcode, &bytes[ends[0]..ends[1]], keys[at]));
            if fin == 0 {
                stream.extend(masked(FIN | PONG, b"between", keys[at]));
            }
        }
        let mut got = feed(&mut Codec::server(config(), None), stream.chunks(piece));
        got.retain(|event| !matches!(event, Ok(Event::Pong(_))));
        prop_assert_eq!(got, [text(&text_sent)]);
    }

    #[test]
    fn what_inflates_too_much_does_so_at_every_split(
        runs in prop::collection::vec((0..60_000usize, 0..700usize, any::<u64>()), 1..8),
        ratio in prop_oneof![5..60u32, 150..400u32],
        len_max in prop_oneof![50_000..150_000usize, Just(16 << 20)],
        bad_at in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        opcode in prop_oneof![Just(TEXT), Just(BINARY)],
        frame_cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        piece in 1..3_000usize,
    ) {
        // zeros, which shrink a lot, and text of noise, which does not
        let mut plain = Vec::new();
        for (zeros, noise, seed) in runs {
            plain.resize(plain.len() + zeros, 0);
            let mut state = seed;
            plain.extend((0..noise).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 57) as u8 & 0x7f
            }));
        }
        if let (Some(at), true) = (bad_at, !plain.is_empty()) {
            let at = at.index(plain.len());
            plain[at] = 0xff;
        }
        let params = Some(DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        });
        let mut from = Codec::server(Config { deflate_threshold: 0, ..Config::default() }.shared(), params);
        from.binary(&plain).unwrap();
        let frame = sent(&mut from);
        let header = match frame[1] { 126 => 4, 127 => 10, _ => 2 };
        let payload = &frame[header..];

        let config = || Config { inflate_ratio_max: ratio, message_len_max: len_max, ..Config::default() }.shared();
        let whole = masked(FIN | RSV1 | opcode, payload, [1, 2, 3, 4]);
        let want = feed(&mut Codec::server(config(), params), [&whole[..]]);
        let got = feed(&mut Codec::server(config(), params), whole.chunks(piece));
        prop_assert!(got == want, "in pieces of {}: {:?}, and whole {:?}", piece, got.last(), want.last());

        let mut cuts: Vec<usize> = frame_cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();
        let last = cuts.len() - 2;
        let fragments = cuts.windows(2).enumerate().map(|(at, ends)| {
            let first = if at == 0 { RSV1 | opcode } else { 0 } | if at == last { FIN } else { 0 };
            masked(first, &payload[ends[0]..ends[1]], [at as u8; 4])
        });
        let stream: Vec<u8> = fragments.flatten().collect();
        let got = feed(&mut Codec::server(config(), params), stream.chunks(piece));
        prop_assert!(got == want, "in fragments {:?}: {:?}, and whole {:?}", cuts, got.last(), want.last());
        let is_too_much = plain.len() > (payload.len() * ratio as usize).max(Config::INFLATE_FREE).min(len_max);
        prop_assert!(!is_too_much || want[0].is_err());
    }

    #[test]
    fn text_is_what_the_standard_library_says(bytes in prop::collection::vec(any::<u8>(), 0..12), good in "\\PC{0,100}", piece in 1..20usize) {
        let bytes = [good.as_bytes(), &bytes].concat();
        let stream = client(TEXT, &bytes);
        let got = feed(&mut Codec::server(config(), None), stream.chunks(piece));
        prop_assert_eq!(got[0].is_ok(), std::str::from_utf8(&bytes).is_ok());
    }
}
