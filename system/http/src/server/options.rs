//! What a server allows.

use std::time::Duration;

use simurgh_config::Limits;

use crate::framing::Bounds;

/// The limits of a server: one explicit struct. Defaults are those of the one table,
/// [`Limits`].
///
/// | limit | default | at the limit |
/// | --- | --- | --- |
/// | `uri_len_max` | 8 KiB | 414 |
/// | `head_len_max` | 32 KiB | 431 |
/// | `fields_max` | 100 | 431 |
/// | `body_len_max` | 16 MiB | 413; of a chunked body [`BodyError::TooLarge`](crate::BodyError::TooLarge) |
/// | `requests_max` | 100,000 | the answer says `connection: close` |
/// | `head_timeout` | 15 s | 408 |
/// | `keep_alive_timeout` | 60 s | the connection is closed |
/// | `body_timeout` | 30 s | [`BodyError::TimedOut`](crate::BodyError::TimedOut), which is 408 |
/// | `write_timeout` | 30 s | the connection is closed |
/// | `linger_timeout` | 2 s | the connection is closed |
/// | `shield_timeout` | 30 s | the handler is dropped |
/// | `shielded_max` | 1,024 | the handler is dropped |
///
/// Each tells of itself in one event, `http.refused`, `http.closed` or `http.shield.stop`, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Connections: how many, from where, until their first byte, how long a drain waits. Its
    /// `read_timeout` is not used: what a read may wait for is said below.
    pub listener: simurgh_net::Options,
    /// Bytes of a request's target.
    pub uri_len_max: usize,
    /// Bytes of a request's head, its first line included.
    pub head_len_max: usize,
    /// Fields in a request's head.
    pub fields_max: usize,
    /// Bytes of a request's body.
    pub body_len_max: u64,
    /// Requests of one connection.
    pub requests_max: u64,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub keep_alive_timeout: Duration,
    /// How long a body may take for the next kilobyte while its handler waits for it.
    pub body_timeout: Duration,
    /// How long a client may take to read anything of what waits for it.
    pub write_timeout: Duration,
    /// How long the rest of what a client sends is thrown away after the last answer, so that a reset does not
    /// overtake that answer (RFC 9112, 9.6).
    pub linger_timeout: Duration,
    /// How long the handler of a write (POST, PUT, PATCH, DELETE, and methods that are not known) goes on after
    /// its client has gone.
    pub shield_timeout: Duration,
    /// Handlers that go on without a client, at once.
    pub shielded_max: usize,
    /// A client that has ended its stream still reads; without this it has gone.
    pub half_close: bool,
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            listener: simurgh_net::Options::default(),
            uri_len_max: limits.http_uri_len_max.as_usize(),
            head_len_max: limits.http_head_len_max.as_usize(),
            fields_max: limits.http_fields_max,
            body_len_max: limits.http_body_len_max.0,
            requests_max: limits.http_requests_max,
            head_timeout: limits.http_head_timeout,
            keep_alive_timeout: limits.http_keep_alive_timeout,
            body_timeout: limits.http_body_timeout,
            write_timeout: limits.http_write_timeout,
            linger_timeout: limits.http_linger_timeout,
            shield_timeout: limits.http_shield_timeout,
            shielded_max: limits.http_shielded_max,
            half_close: false,
        }
    }
}

impl Options {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            uri_len_max: self.uri_len_max,
            head_len_max: self.head_len_max,
            fields_max: self.fields_max,
            body_len_max: self.body_len_max,
        }
    }
}
