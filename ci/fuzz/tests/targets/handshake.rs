//! The opening handshake of a WebSocket, and what it negotiates.

use fuzz::{Input, Target};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use simurgh_http::ws::{
    DeflateParams, DeflatePolicy,
    handshake::{ClientHandshake, ServerHandshake},
};

const EXTENSIONS: &[&str] = &[
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9, permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "x-webkit-deflate-frame, foo; bar=\"baz\"",
];

const WORDS: &[&str] =
    &[";", ",", "=", "\"", "8", "15", "16", "010", "+9", " ", "server_max_window_bits", "client_no_context_takeover"];

fn policy(input: &Input, at: usize) -> DeflatePolicy {
    DeflatePolicy {
        server_no_context_takeover: input.pick(at, 2) == 0,
        client_no_context_takeover: input.pick(at + 1, 2) == 0,
        server_max_window_bits: input.pick(at + 2, 18) as u8,
        client_max_window_bits: input.pick(at + 3, 18) as u8,
    }
}

fn is_within(params: DeflateParams, policy: DeflatePolicy) -> bool {
    let windows = [params.server_max_window_bits, params.client_max_window_bits];
    windows.iter().all(|bits| (8..=15).contains(bits))
        && params.server_max_window_bits <= policy.server_max_window_bits.clamp(8, 15)
        && (params.server_no_context_takeover || !policy.server_no_context_takeover)
        && (params.client_no_context_takeover || !policy.client_no_context_takeover)
}

/// Whatever is offered, a server grants no more than its policy and answers one extension at most; a client that had
/// offered it all reads from the answer what the server believes.
#[test]
fn handshake_offers() {
    Target::new("handshake_offers").samples(EXTENSIONS.iter().copied()).words(WORDS.iter().copied()).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let client = ClientHandshake::new([7; 16], &["a"], Some(DeflatePolicy::TAKEOVER));
        let mut request = client.headers();
        request.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
        let Ok(server) = ServerHandshake::read(&Method::GET, Version::HTTP_11, &request) else { return };
        let ours = policy(input, 0);
        let (answer, granted) = server.accept(Some("a"), Some(ours));
        assert_eq!(answer.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().count(), usize::from(granted.is_some()));
        let accepted = client.check(StatusCode::SWITCHING_PROTOCOLS, &answer).expect("an answer to what was offered");
        assert_eq!(accepted.deflate, granted);
        assert!(granted.is_none_or(|params| is_within(params, ours)), "{granted:?} beyond {ours:?}");
    });
}

/// A client takes no answer that goes beyond its policy, nor a subprotocol that it has not offered.
#[test]
fn handshake_answers() {
    Target::new("handshake_answers").samples(EXTENSIONS.iter().copied()).words(WORDS.iter().copied()).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let ours = policy(input, 0);
        let client = ClientHandshake::new([7; 16], &["a", "b"], Some(ours));
        let server = ServerHandshake::read(&Method::GET, Version::HTTP_11, &client.headers()).expect("a request");
        let (mut answer, _) = server.accept(None, None);
        if input.pick(4, 2) == 0 {
            answer.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
        } else {
            answer.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        let Ok(accepted) = client.check(StatusCode::SWITCHING_PROTOCOLS, &answer) else { return };
        assert!(accepted.protocol.is_none_or(|protocol| protocol == "a" || protocol == "b"));
        let Some(params) = accepted.deflate else { return };
        assert!(is_within(params, ours), "{params:?} beyond {ours:?}");
        assert!(params.client_max_window_bits <= ours.client_max_window_bits.clamp(8, 15));
    });
}

/// Both sides believe the same, whatever their policies; and a request is only one with all that RFC 6455 wants of it.
#[test]
fn handshake_agreement() {
    let samples = ["dGhlIHNhbXBsZSBub25jZQ==", "13", "websocket", "Upgrade, keep-alive"];
    Target::new("handshake_agreement").samples(samples).words(["=", ",", " ", "websocket", "13"]).check(|input| {
        let (theirs, ours) = (policy(input, 0), policy(input, 4));
        let client = ClientHandshake::new([9; 16], &["a", "b"], (input.pick(1, 5) > 0).then_some(theirs));
        let read = |request: &HeaderMap| ServerHandshake::read(&Method::GET, Version::HTTP_11, request);
        let mut request = client.headers();
        let server = read(&request).expect("a client's request is one");
        let (answer, granted) = server.accept(Some("b"), (input.pick(2, 5) > 0).then_some(ours));
        let accepted = client.check(StatusCode::SWITCHING_PROTOCOLS, &answer);
        // A client that insists on a window that the server was not told to keep to refuses.
        if let Ok(accepted) = accepted {
            assert_eq!(accepted.deflate, granted);
            assert_eq!(accepted.protocol.as_deref(), Some("b"));
        } else {
            panic!("{theirs:?} and {ours:?}: {accepted:?} of {answer:?}");
        }
        let Some(value) = crate::value(input) else { return };
        let all = [
            (header::SEC_WEBSOCKET_KEY, None),
            (header::SEC_WEBSOCKET_VERSION, Some("13")),
            (header::UPGRADE, Some("websocket")),
            (header::CONNECTION, Some("upgrade")),
        ];
        let (name, wanted) = &all[input.pick(0, all.len())];
        request.insert(name, value.clone());
        if read(&request).is_ok() {
            let text = value.to_str().expect("text").to_ascii_lowercase();
            match wanted {
                Some(wanted) => assert!(text.contains(wanted), "{name}: {text}"),
                None => assert_eq!(text.trim().len(), 24, "sixteen bytes in base64"),
            }
        }
        request.append(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(read(&request).is_err(), "two keys");
    });
}
