use http::{Method, StatusCode, Version};

use super::super::{DeflateParams, DeflatePolicy};
use super::*;

/// The request of RFC 6455, 1.3, with changes: a value replaces a header's, an empty one removes it.
fn request(changes: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let rfc = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];
    for (name, value) in rfc.iter().chain(changes) {
        headers.remove(*name);
        if !value.is_empty() {
            headers.insert(*name, value.parse().unwrap());
        }
    }
    headers
}

fn read(headers: &HeaderMap) -> Result<ServerHandshake, HandshakeError> {
    ServerHandshake::read(&Method::GET, Version::HTTP_11, headers)
}

#[test]
fn the_request_of_the_rfc_is_answered_as_there() {
    let (headers, deflate) = read(&request(&[])).unwrap().accept(None, None);
    assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(
        (&headers["upgrade"], &headers["connection"], headers.len()),
        (&"websocket".parse().unwrap(), &"Upgrade".parse().unwrap(), 3)
    );
    assert_eq!(deflate, None);
}

#[test]
fn what_a_server_takes_and_refuses() {
    for (change, want) in [
        (("connection", "keep-alive, Upgrade"), Ok(())),
        (("upgrade", "WebSocket"), Ok(())),
        (("upgrade", ""), Err(HandshakeError::NoUpgrade)),
        (("upgrade", "h2c"), Err(HandshakeError::NoUpgrade)),
        (("connection", "close"), Err(HandshakeError::NoUpgrade)),
        (("sec-websocket-version", "8"), Err(HandshakeError::BadVersion)),
        (("sec-websocket-version", ""), Err(HandshakeError::BadVersion)),
        (("sec-websocket-key", ""), Err(HandshakeError::BadKey)),
        (("sec-websocket-key", "c2hvcnQ="), Err(HandshakeError::BadKey)),
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ!=="), Err(HandshakeError::BadKey)),
        (("sec-websocket-protocol", "chat, v2.chat"), Ok(())),
        (("sec-websocket-protocol", "a b"), Err(HandshakeError::BadProtocols)),
        (("sec-websocket-extensions", "a; b=\""), Err(HandshakeError::BadExtensions)),
    ] {
        let got = read(&request(&[change])).map(drop);
        assert_eq!(got, want, "{change:?}");
    }
    assert_eq!(ServerHandshake::read(&Method::POST, Version::HTTP_11, &request(&[])), Err(HandshakeError::NotGet));
    assert_eq!(ServerHandshake::read(&Method::GET, Version::HTTP_10, &request(&[])), Err(HandshakeError::NotGet));
    let mut twice = request(&[]);
    twice.append("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
    assert_eq!(read(&twice), Err(HandshakeError::BadKey));
}

#[test]
fn a_subprotocol_is_chosen_among_those_offered() {
    let server = read(&request(&[("sec-websocket-protocol", "chat, v2.chat")])).unwrap();
    assert!(server.protocols().eq(["chat", "v2.chat"]));
    assert_eq!(server.accept(Some("v2.chat"), None).0["sec-websocket-protocol"], "v2.chat");
    assert!(!server.accept(Some("other"), None).0.contains_key("sec-websocket-protocol"));
}

#[test]
fn what_a_client_takes_and_refuses() {
    let client = ClientHandshake::new(*b"the sample nonce", &["chat"], None);
    let (good, _) = read(&client.headers()).unwrap().accept(Some("chat"), None);
    let check = |name: &'static str, value: &str| {
        let mut headers = good.clone();
        headers.insert(name, value.parse().unwrap());
        client.check(StatusCode::SWITCHING_PROTOCOLS, &headers).map(|accepted| accepted.protocol)
    };
    assert_eq!(check("x", "y"), Ok(Some("chat".into())));
    assert_eq!(check("upgrade", "h2c"), Err(HandshakeError::NoUpgrade));
    assert_eq!(check("sec-websocket-accept", "wrong"), Err(HandshakeError::BadAccept));
    assert_eq!(check("sec-websocket-protocol", "other"), Err(HandshakeError::UnofferedProtocol));
    assert_eq!(check("sec-websocket-extensions", "permessage-deflate"), Err(HandshakeError::BadExtensions));
    assert_eq!(client.check(StatusCode::OK, &good), Err(HandshakeError::BadStatus(StatusCode::OK)));
}

#[test]
fn both_sides_agree_on_compression_whatever_they_want() {
    for case in 0..4 * 8 * 8 {
        let policy = |no_takeover: u32, server: u32, client: u32| DeflatePolicy {
            server_no_context_takeover: no_takeover & 1 != 0,
            client_no_context_takeover: no_takeover & 2 != 0,
            server_max_window_bits: 8 + server as u8,
            client_max_window_bits: 8 + client as u8,
        };
        let ours = policy(case % 4, case / 4 % 8, case / 32);
        for theirs in [DeflatePolicy::default(), policy(case / 2 % 4, case / 32, case / 4 % 8)] {
            let client = ClientHandshake::new([0; 16], &[], Some(theirs));
            let (headers, server_side) = read(&client.headers()).unwrap().accept(None, Some(ours));
            let client_side = client.check(StatusCode::SWITCHING_PROTOCOLS, &headers).unwrap().deflate;
            let (server_side, client_side): (DeflateParams, DeflateParams) =
                (server_side.unwrap(), client_side.unwrap());
            assert_eq!(server_side, client_side, "{ours:?} and {theirs:?}");
        }
    }
}
