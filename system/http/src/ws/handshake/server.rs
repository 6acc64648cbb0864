//! The server's side of the handshake (RFC 6455, 4.2).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method, Version, header};

use super::super::deflate::{DeflateParams, DeflatePolicy};
use super::super::extensions;
use super::{HandshakeError, VERSION, accept_key, has_word, list, tokens};

/// A request for a WebSocket, judged. Who may come (origin, session) is for others to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHandshake {
    accept: String,
    protocols: Vec<String>,
    extensions: String,
}

impl ServerHandshake {
    /// Reads a request's head (RFC 6455, 4.2.1).
    ///
    /// # Errors
    /// The first thing that is wrong; [`HandshakeError::status`] is the answer.
    pub fn read(method: &Method, version: Version, headers: &HeaderMap) -> Result<Self, HandshakeError> {
        if method != Method::GET || version < Version::HTTP_11 {
            return Err(HandshakeError::NotGet);
        }
        if !has_word(headers, &header::CONNECTION, "upgrade") || !has_word(headers, &header::UPGRADE, "websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        let only = |name| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok()).map(str::trim)
        };
        if only(header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
            return Err(HandshakeError::BadVersion);
        }
        let key = only(header::SEC_WEBSOCKET_KEY).ok_or(HandshakeError::BadKey)?;
        if BASE64_STANDARD.decode(key).map_or(0, |bytes| bytes.len()) != 16 {
            return Err(HandshakeError::BadKey);
        }
        let protocols = list(headers, &header::SEC_WEBSOCKET_PROTOCOL).as_deref().and_then(tokens);
        let extensions = list(headers, &header::SEC_WEBSOCKET_EXTENSIONS).ok_or(HandshakeError::BadExtensions)?;
        extensions::parse(&extensions).map_err(|_| HandshakeError::BadExtensions)?;
        let protocols = protocols.ok_or(HandshakeError::BadProtocols)?;
        Ok(Self { accept: accept_key(key), protocols, extensions })
    }

    /// The subprotocols that the client speaks, the one it likes best first.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.protocols.iter().map(String::as_str)
    }

    /// The headers of the answer 101 (RFC 6455, 4.2.2), and what was agreed on compression.
    ///
    /// `protocol` is one of [`protocols`](Self::protocols); another is left out, since a client would have to
    /// refuse it. Without a policy nothing is compressed.
    pub fn accept(&self, protocol: Option<&str>, deflate: Option<DeflatePolicy>) -> (HeaderMap, Option<DeflateParams>) {
        let mut headers = HeaderMap::with_capacity(5);
        let value = |text: &str| HeaderValue::from_str(text).expect("tokens and base64 are visible ASCII");
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value(&self.accept));
        if let Some(protocol) = protocol.filter(|protocol| self.protocols().any(|offered| offered == *protocol)) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value(protocol));
        }
        let granted = deflate.and_then(|policy| policy.answer(&self.extensions).expect("the grammar was checked"));
        let Some((params, answer)) = granted else { return (headers, None) };
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
        (headers, Some(params))
    }
}
