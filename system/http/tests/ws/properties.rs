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
    fn text_is_what_the_standard_library_says(bytes in prop::collection::vec(any::<u8>(), 0..12), good in "\\PC{0,100}", piece in 1..20usize) {
        let bytes = [good.as_bytes(), &bytes].concat();
        let stream = client(TEXT, &bytes);
        let got = feed(&mut Codec::server(config(), None), stream.chunks(piece));
        prop_assert_eq!(got[0].is_ok(), std::str::from_utf8(&bytes).is_ok());
    }
}
