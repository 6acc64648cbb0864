//! What a mount of sockets allows.

use std::time::Duration;

use simurgh_config::Limits;
use simurgh_web::{Filter, Keys};

use crate::{Budget, CheckOrigin, OutboxOptions, ResumeOptions, Vsn};

/// How sockets are opened and kept: one explicit struct.
///
/// ```
/// use simurgh_channels::{CheckOrigin, SocketOptions};
///
/// let options = SocketOptions {
///     check_origin: CheckOrigin::list(["https://chat.example"]),
///     auth_token: true,
///     ..SocketOptions::default()
/// };
/// ```
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own, said by its name")]
pub struct SocketOptions {
    /// Which pages may open a socket. Default: those of the request's host.
    pub check_origin: CheckOrigin,
    /// Whether the session is read from its cookie ([`Sessions`](simurgh_web::Sessions) come before). Default: no.
    pub session: bool,
    /// Whether the session is given only to a request that has its token as the parameter `_csrf_token`. Not to be
    /// off together with the check of the origin. Default: yes.
    pub check_csrf: bool,
    /// Whether a token is taken from the sub-protocols, as the official client's `authToken` puts it there. Default:
    /// no.
    pub auth_token: bool,
    /// Sub-protocols that are spoken, the best first. With `auth_token` the first is `phoenix`. Default: none, and
    /// none is asked for.
    pub protocols: Vec<String>,
    /// Versions of the protocol that are spoken. Default: both.
    pub versions: Vec<Vsn>,
    /// The last part of a WebSocket's path; none turns them off. Default: `websocket`.
    pub websocket: Option<&'static str>,
    /// Long-poll; none turns it off. Default: off.
    pub long_poll: Option<LongPollOptions>,
    /// How long a client may say nothing: the official one says something each 30 s. Default: 60 s.
    pub timeout: Duration,
    /// Whether messages are compressed (RFC 7692), if the client likes. It costs memory for each connection. Default:
    /// no.
    pub compress: bool,
    /// Bytes of a frame; one that is longer ends the socket with 1009. Default: 10 MB.
    pub frame_len_max: usize,
    /// Bytes of a message in all its frames, inflated; as above. Default: 8 MB.
    pub message_len_max: usize,
    /// Topics that one socket has joined; one more is refused. Default: 100.
    pub channels_max: usize,
    /// How long a join may take. Default: 30 s.
    pub join_timeout: Duration,
    /// What may wait for one client.
    pub outbox: OutboxOptions,
    /// How often clients may send. Default: as often as they like.
    pub budget: Budget,
    /// Whether topics can be resumed by clients that ask. Default: no.
    pub resume: Option<ResumeOptions>,
    /// How sockets are closed when the server goes down.
    pub drain: DrainOptions,
    /// Which parameters are not shown in the log.
    pub filter: Filter,
}

impl Default for SocketOptions {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            check_origin: CheckOrigin::default(),
            session: false,
            check_csrf: true,
            auth_token: false,
            protocols: Vec::new(),
            versions: vec![Vsn::V1, Vsn::V2],
            websocket: Some("websocket"),
            long_poll: None,
            timeout: limits.channels_timeout,
            compress: false,
            frame_len_max: limits.channels_frame_len_max.as_usize(),
            message_len_max: limits.channels_message_len_max.as_usize(),
            channels_max: limits.channels_max,
            join_timeout: limits.channels_join_timeout,
            outbox: OutboxOptions::default(),
            budget: Budget::default(),
            resume: None,
            drain: DrainOptions::default(),
            filter: Filter::default(),
        }
    }
}

/// How long-poll goes.
#[derive(Debug, Clone)]
pub struct LongPollOptions {
    /// The last part of the path. Default: `longpoll`.
    pub path: &'static str,
    /// How long a poll waits for something. A session ends when it was not polled for half as long again. Default:
    /// 10 s.
    pub window: Duration,
    /// How old the token of a session may become. Default: two weeks.
    pub token_max_age: Duration,
    /// Sessions at once; one more is answered with 503. Default: 16,384.
    pub sessions_max: usize,
    /// Bytes of a body. Default: 8 MB.
    pub body_len_max: usize,
    /// What tokens are signed with: all nodes that the client may reach have the same.
    pub keys: Keys,
}

impl LongPollOptions {
    /// The defaults, with these keys.
    pub fn new(keys: Keys) -> Self {
        let limits = Limits::DEFAULT;
        Self {
            path: "longpoll",
            window: limits.channels_poll_window,
            token_max_age: limits.channels_poll_token_max_age,
            sessions_max: limits.channels_poll_sessions_max,
            body_len_max: limits.channels_poll_body_len_max.as_usize(),
            keys,
        }
    }
}

/// How sockets are closed when the server goes down: in batches, since all of them come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOptions {
    /// Sockets of one batch. Default: 10,000.
    pub batch: usize,
    /// Time from one batch to the next. Default: 2 s.
    pub interval: Duration,
    /// Time for all of them; what is left then is closed at once. The listener has to wait as long
    /// ([`drain_timeout`](simurgh_http::Options)). Default: 30 s.
    pub limit: Duration,
}

impl Default for DrainOptions {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            batch: limits.channels_drain_batch,
            interval: limits.channels_drain_interval,
            limit: limits.channels_drain_limit,
        }
    }
}
