//! The opening handshake over HTTP/1.1 (RFC 6455, 4), with `http`'s types and no HTTP library.
//!
//! ```
//! use http::{HeaderMap, Method, StatusCode, Version};
//! use simurgh_http::ws::{DeflatePolicy, handshake::{ClientHandshake, ServerHandshake}};
//!
//! let client = ClientHandshake::new([7; 16], &["phoenix"], Some(DeflatePolicy::default()));
//! let request: HeaderMap = client.headers();
//!
//! let server = ServerHandshake::read(&Method::GET, Version::HTTP_11, &request)?;
//! assert!(server.protocols().eq(["phoenix"]));
//! let (response, deflate) = server.accept(Some("phoenix"), Some(DeflatePolicy::default()));
//!
//! let accepted = client.check(StatusCode::SWITCHING_PROTOCOLS, &response)?;
//! assert_eq!(accepted.protocol.as_deref(), Some("phoenix"));
//! assert!(deflate.is_some() && accepted.deflate == deflate);
//! # Ok::<(), simurgh_http::ws::handshake::HandshakeError>(())
//! ```

mod client;
mod error;
mod server;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName};

use super::extensions::token;
use super::sha1::sha1;

pub use client::{Accepted, ClientHandshake};
pub use error::HandshakeError;
pub use server::ServerHandshake;

/// The version of the protocol (RFC 6455, 4.1).
const VERSION: &str = "13";

/// What `Sec-WebSocket-Accept` says to a `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
///
/// ```
/// use simurgh_http::ws::handshake::accept_key;
///
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64_STANDARD.encode(sha1(format!("{key}{GUID}").as_bytes()))
}

/// All values of a header as one list (RFC 9110, 5.3); `None` if one is not plain text.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().ok());
    Some(values.collect::<Option<Vec<_>>>()?.join(", "))
}

/// Whether a list has a word, in any case.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    list(headers, name).is_some_and(|list| list.split(',').any(|element| element.trim().eq_ignore_ascii_case(word)))
}

/// The tokens of a list; `None` if one is none.
fn tokens(list: &str) -> Option<Vec<String>> {
    let elements = list.split(',').map(str::trim).filter(|element| !element.is_empty());
    elements.map(|element| token(element).ok().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests;
