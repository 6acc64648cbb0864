//! The client's side of the handshake (RFC 6455, 4.1).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::super::deflate::{DeflateParams, DeflatePolicy};
use super::super::extensions::token;
use super::{HandshakeError, VERSION, accept_key, has_word, list};

/// A request for a WebSocket, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
    deflate: Option<DeflatePolicy>,
}

/// What the server agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The subprotocol, if it chose one.
    pub protocol: Option<String>,
    /// Compression, for [`Codec::client`](super::super::Codec::client).
    pub deflate: Option<DeflateParams>,
}

impl ClientHandshake {
    /// With a key drawn for this connection, the subprotocols in order of liking, and what to offer of compression.
    ///
    /// # Panics
    /// If a subprotocol is not a token.
    pub fn new(key: [u8; 16], protocols: &[&str], deflate: Option<DeflatePolicy>) -> Self {
        let protocols = protocols.iter().map(|protocol| token(protocol).expect("a subprotocol is a token").to_owned());
        Self { key: BASE64_STANDARD.encode(key), protocols: protocols.collect(), deflate }
    }

    /// The headers of the request, but for `Host` and `Origin`; it is a GET with HTTP/1.1.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        let value = |text: &str| HeaderValue::from_str(text).expect("tokens and base64 are visible ASCII");
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        headers.insert(header::SEC_WEBSOCKET_KEY, value(&self.key));
        if !self.protocols.is_empty() {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value(&self.protocols.join(", ")));
        }
        if let Some(policy) = self.deflate {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, policy.offer());
        }
        headers
    }

    /// Judges the answer (RFC 6455, 4.1, the list at its end).
    ///
    /// # Errors
    /// The first thing that is wrong; the connection is then of no use.
    pub fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<Accepted, HandshakeError> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(HandshakeError::BadStatus(status));
        }
        if !has_word(headers, &header::CONNECTION, "upgrade") || !has_word(headers, &header::UPGRADE, "websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT).and_then(|value| value.to_str().ok());
        if accept.map(str::trim) != Some(&accept_key(&self.key)) {
            return Err(HandshakeError::BadAccept);
        }
        let protocol = match list(headers, &header::SEC_WEBSOCKET_PROTOCOL) {
            Some(list) if list.is_empty() => None,
            Some(chosen) if self.protocols.contains(&chosen) => Some(chosen),
            _ => return Err(HandshakeError::UnofferedProtocol),
        };
        let answer = list(headers, &header::SEC_WEBSOCKET_EXTENSIONS).ok_or(HandshakeError::BadExtensions)?;
        let deflate = match self.deflate {
            Some(policy) => policy.accept(&answer).map_err(|_| HandshakeError::BadExtensions)?,
            None if answer.is_empty() => None,
            None => return Err(HandshakeError::BadExtensions),
        };
        Ok(Accepted { protocol, deflate })
    }
}
