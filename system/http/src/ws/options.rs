//! What an endpoint's sockets are like.

use std::sync::Arc;
use std::time::Duration;

use simurgh_config::Limits;

use super::{Config, DeflatePolicy};

/// How a WebSocket is opened and kept: one explicit struct, cheap to clone.
///
/// ```
/// use simurgh_http::ws::{DeflatePolicy, Options};
///
/// let options = Options { deflate: Some(DeflatePolicy::default()), ..Options::default() }.protocols(&["v2.chat", "chat"]);
/// assert_eq!(options.close_timeout.as_secs(), 5);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// The codec's bounds; all sockets of an endpoint share them.
    pub config: Arc<Config>,
    /// Whether and how messages are compressed (RFC 7692). Default: not, since it costs memory for each connection.
    pub deflate: Option<DeflatePolicy>,
    /// The subprotocols that are spoken, the best first.
    pub protocols: Arc<[Box<str>]>,
    /// How long a peer may say nothing before its socket fails with
    /// [`SocketError::TimedOut`](super::SocketError::TimedOut); a pong is something. Default: without limit.
    pub idle_timeout: Option<Duration>,
    /// How long to wait for the peer's close frame, and for it to end the connection. Default: 5 s.
    pub close_timeout: Duration,
    /// Says goodbye with 1001 when the server drains. Default: yes.
    pub close_on_drain: bool,
}

impl Options {
    /// With these subprotocols, the best first.
    pub fn protocols(self, protocols: &[&str]) -> Self {
        Self { protocols: protocols.iter().map(|protocol| (*protocol).into()).collect(), ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            config: Config::default().shared(),
            deflate: None,
            protocols: Arc::new([]),
            idle_timeout: limits.ws_idle_timeout,
            close_timeout: limits.ws_close_timeout,
            close_on_drain: true,
        }
    }
}
