use super::*;

/// What a server that keeps contexts answers to an offer.
fn answer(offer: &str) -> Option<String> {
    let granted = DeflatePolicy::TAKEOVER.answer(offer).expect("of the grammar")?;
    Some(granted.1.to_str().unwrap().to_owned())
}

#[test]
fn the_first_offer_that_can_be_granted_is() {
    for (offer, want) in [
        ("permessage-deflate", Some("permessage-deflate")),
        ("x-webkit-deflate-frame", None),
        ("foo, permessage-deflate", Some("permessage-deflate")),
        // 7.1.1
        ("permessage-deflate; server_no_context_takeover", Some("permessage-deflate; server_no_context_takeover")),
        ("permessage-deflate; client_no_context_takeover", Some("permessage-deflate; client_no_context_takeover")),
        ("permessage-deflate; server_no_context_takeover=1", None),
        // 7.1.2
        ("permessage-deflate; client_max_window_bits", Some("permessage-deflate")),
        ("permessage-deflate; client_max_window_bits=9", Some("permessage-deflate; client_max_window_bits=9")),
        ("permessage-deflate; server_max_window_bits=10", Some("permessage-deflate; server_max_window_bits=10")),
        ("permessage-deflate; server_max_window_bits=\"15\"", Some("permessage-deflate; server_max_window_bits=15")),
        ("permessage-deflate; server_max_window_bits=8", Some("permessage-deflate; server_max_window_bits=8")),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=x", None),
        // 7.1: unknown, doubled
        ("permessage-deflate; level=9", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", None),
        // 5.1: a second choice
        ("permessage-deflate; server_max_window_bits=99, permessage-deflate", Some("permessage-deflate")),
    ] {
        assert_eq!(answer(offer).as_deref(), want, "{offer}");
    }
    assert_eq!(DeflatePolicy::TAKEOVER.answer("permessage-deflate; ="), Err(Malformed));
}

#[test]
fn a_server_asks_for_less_where_it_may() {
    let small = DeflatePolicy { server_max_window_bits: 9, client_max_window_bits: 10, ..DeflatePolicy::default() };
    let answer = |offer| small.answer(offer).unwrap().unwrap();
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let (params, header) = answer("permessage-deflate");
    assert_eq!(header, format!("{both}; server_max_window_bits=9"));
    assert_eq!(params.client_max_window_bits, 15, "a client that does not know the parameter cannot be told");
    let (params, header) = answer("permessage-deflate; client_max_window_bits");
    assert_eq!(header, format!("{both}; server_max_window_bits=9; client_max_window_bits=10"));
    assert_eq!(params.client_max_window_bits, 10);
}

#[test]
fn a_client_takes_only_answers_to_its_offer() {
    let small = DeflatePolicy { server_max_window_bits: 10, client_max_window_bits: 11, ..DeflatePolicy::TAKEOVER };
    assert_eq!(small.offer(), "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11");
    assert_eq!(DeflatePolicy::TAKEOVER.offer(), "permessage-deflate; client_max_window_bits");
    for (answer, is_good) in [
        ("permessage-deflate; server_max_window_bits=10", true),
        ("permessage-deflate; server_max_window_bits=9; client_max_window_bits=11", true),
        ("permessage-deflate; server_max_window_bits=10; server_no_context_takeover", true),
        ("permessage-deflate", false), // the width that was asked for is not granted
        ("permessage-deflate; server_max_window_bits=11", false),
        ("permessage-deflate; server_max_window_bits=10; client_max_window_bits=12", false),
        ("permessage-deflate; server_max_window_bits=10; client_max_window_bits", false),
        ("permessage-deflate; server_max_window_bits=10; level=1", false),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=10", false),
        ("foo", false),
    ] {
        assert_eq!(small.accept(answer).is_ok(), is_good, "{answer}");
    }
    assert_eq!(small.accept(""), Ok(None));
}
