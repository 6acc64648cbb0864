//! What a listener allows.

use std::time::Duration;

use simurgh_config::Limits;

/// The limits of a listener: one explicit struct.
///
/// | limit | default | at the limit |
/// | --- | --- | --- |
/// | `max_connections` | 16,384 | further ones wait in the kernel's backlog until one ends |
/// | `max_per_address` | 16,384 | further ones of that address are reset |
/// | `backlog` | 1,024 | the kernel drops requests, and clients repeat them |
/// | `handshake_timeout` | 5 s | the connection's read fails with `TimedOut` |
/// | `read_timeout` | 60 s | the same |
/// | `idle_timeout` | none | reads and writes fail with `TimedOut` |
/// | `drain_timeout` | 15 s | what is left is killed |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_per_address: usize,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// How long a connection may take to send its first byte (or until
    /// [`Connection::handshaken`](crate::Connection::handshaken)).
    pub handshake_timeout: Duration,
    /// How long a read may wait; [`Duration::MAX`] is without limit.
    pub read_timeout: Duration,
    /// How long a connection may go without a byte in either direction.
    pub idle_timeout: Option<Duration>,
    /// How long a drain waits for connections to end by themselves.
    pub drain_timeout: Duration,
    /// Whether small writes are sent at once.
    pub nodelay: bool,
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            max_connections: limits.connections_max,
            max_per_address: limits.connections_per_address_max,
            backlog: limits.accept_backlog,
            handshake_timeout: limits.handshake_timeout,
            read_timeout: limits.read_timeout,
            idle_timeout: limits.idle_timeout,
            drain_timeout: limits.drain_timeout,
            nodelay: true,
        }
    }
}
