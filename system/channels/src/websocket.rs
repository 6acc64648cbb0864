//! The transport that clients like best: a WebSocket, in the connection's own process.
//!
//! One poll of that process does three things, in this order: it takes what the client has sent, until a message has
//! to wait; it moves what waits in the outbox into the socket; it writes all of that with one call. While the client
//! reads too slowly nothing is moved, so that the outbox's bound and policy are what counts.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderValue, Method, StatusCode, header};
use simurgh_http::ws::handshake::ServerHandshake;
use simurgh_http::ws::{self, CloseCode, Config, DeflatePolicy, Message, SocketError};
use simurgh_http::{OnUpgrade, Upgraded};
use simurgh_telemetry::event;
use simurgh_web::{Body, Conn, Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connected::{Connected, Waited};
use crate::mount::{Mount, Sockets, answer_with, info_of, params_of};
use crate::outbox::Taken;
use crate::process::Waiting;
use crate::{Incoming, SocketOptions, UserSocket};

/// What a sub-protocol begins with that is a token.
const BEARER: &str = "base64url.bearer.phx.";

/// Messages that are taken before others go first.
const BURST: usize = 64;

/// Bytes that are moved into the socket at once.
const MOVED_MAX: usize = 256 << 10;

/// What is the same for all sockets of a mount.
pub(crate) struct Settings {
    options: ws::Options,
}

impl Settings {
    pub(crate) fn new(options: &SocketOptions) -> Self {
        let mut protocols: Vec<&str> = Vec::new();
        if options.auth_token {
            protocols.push("phoenix");
        }
        protocols.extend(options.protocols.iter().map(String::as_str));
        let config = Config {
            frame_len_max: options.frame_len_max,
            message_len_max: options.message_len_max,
            inflate_ratio_max: simurgh_config::Limits::DEFAULT.channels_inflate_ratio_max,
            ..Config::default()
        };
        let options = ws::Options {
            config: config.shared(),
            deflate: options.compress.then(DeflatePolicy::default),
            idle_timeout: Some(options.timeout),
            close_on_drain: false,
            ..ws::Options::default()
        };
        Self { options: options.protocols(&protocols) }
    }
}

/// Answers a request for a WebSocket.
pub(crate) async fn answer<U: UserSocket>(sockets: &Sockets<U>, conn: &mut Conn) -> Result {
    let options = &sockets.mount().options;
    if conn.method() != Method::GET {
        answer_with(conn, StatusCode::BAD_REQUEST, "");
        return Ok(());
    }
    let Some(params) = params_of(conn) else { return Err(Error::bad_request("bad_query", "The query is too long.")) };
    if !options.check_origin.allows(conn) {
        refused(conn, "origin");
        return Ok(());
    }
    let token = if options.auth_token { take_token(conn)? } else { None };
    let settings = &sockets.mount().websocket.options;
    let offered = offered(conn);
    let protocol = settings.protocols.iter().find(|spoken| offered.iter().any(|offered| **offered == ***spoken));
    let protocol = protocol.cloned();
    if !offered.is_empty() && !settings.protocols.is_empty() && protocol.is_none() {
        refused(conn, "protocol");
        return Ok(());
    }
    let info = info_of(conn, sockets.mount(), &params, token).await?;
    let shared = match sockets.connect(params, &info, "websocket").await {
        Ok(shared) => shared,
        Err(refused) => {
            answer_with(conn, refused.status, &refused.text);
            return Ok(());
        }
    };
    let handshake = match ServerHandshake::read(conn.method(), conn.version(), conn.request_headers()) {
        Ok(handshake) => handshake,
        Err(error) => {
            answer_with(conn, StatusCode::BAD_REQUEST, &error.to_string());
            return Ok(());
        }
    };
    let (headers, deflate) = handshake.accept(protocol.as_deref(), settings.deflate);
    conn.put_status(StatusCode::SWITCHING_PROTOCOLS);
    conn.response_headers_mut().extend(headers);
    conn.put_body(Body::empty());
    let mount = Arc::clone(sockets.mount());
    conn.response_extensions_mut().insert(OnUpgrade::new(move |upgraded| {
        let socket = ws::Socket::server(upgraded, &mount.websocket.options, deflate, None);
        drop(mount);
        pump(socket, Connected::new(shared), Upgraded::poll_draining)
    }));
    Ok(())
}

/// Serves a client over any stream of bytes, after the handshake.
pub(crate) async fn serve<T: Stream>(io: T, connected: Connected) {
    let socket = ws::Socket::server(io, &connected.shared.mount.websocket.options, None, None);
    pump(socket, connected, |_, _| Poll::Pending).await;
}

/// What a WebSocket can be spoken on.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

fn pump<T: Stream>(
    socket: ws::Socket<T>,
    connected: Connected,
    poll_draining: fn(&mut T, &mut Context<'_>) -> Poll<()>,
) -> impl Future<Output = ()> + Send {
    let mut pump = Pump {
        socket,
        poll_draining,
        connected: Some(connected),
        waiting: None,
        taken: Taken::default(),
        is_draining: false,
    };
    async move {
        poll_fn(|cx| pump.poll(cx)).await;
        event!("channels.disconnect", {}, { transport: "websocket" });
    }
}

fn refused(conn: &mut Conn, why: &'static str) {
    event!("channels.refused", { count: 1 }, { why: why });
    answer_with(conn, StatusCode::FORBIDDEN, "");
}

/// The sub-protocols that the client speaks.
fn offered(conn: &Conn) -> Vec<&str> {
    let values = conn.request_headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|protocol| !protocol.is_empty()).collect()
}

/// The token among the sub-protocols, which is then none of them any more. Of several it is none.
fn take_token(conn: &mut Conn) -> Result<Option<String>> {
    let (tokens, rest): (Vec<&str>, Vec<&str>) =
        offered(conn).into_iter().partition(|protocol| protocol.starts_with(BEARER));
    let [token] = tokens[..] else { return Ok(None) };
    let token = decoded(&token[BEARER.len()..]).ok_or_else(|| {
        Error::bad_request("bad_auth_token", "The token among the sub-protocols is no base64 of text.")
    })?;
    let rest = HeaderValue::from_str(&rest.join(", "))?;
    if rest.is_empty() {
        conn.request_headers_mut().remove(header::SEC_WEBSOCKET_PROTOCOL);
    } else {
        conn.request_headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, rest);
    }
    Ok(Some(token))
}

/// Base64 of either alphabet, with or without padding.
fn decoded(text: &str) -> Option<String> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let standard = text.replace('-', "+").replace('_', "/");
    String::from_utf8(ENGINE.decode(standard).ok()?).ok()
}

/// The process of a WebSocket.
struct Pump<T> {
    socket: ws::Socket<T>,
    poll_draining: fn(&mut T, &mut Context<'_>) -> Poll<()>,
    /// None once the socket is being closed.
    connected: Option<Connected>,
    /// What the last message waits for; the next one is not taken before.
    waiting: Option<Waiting<Waited>>,
    /// Taken from the outbox, and not yet in the socket.
    taken: Taken,
    is_draining: bool,
}

impl<T: Stream> Pump<T> {
    /// Ready once the socket has closed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connected) = &mut self.connected else { return self.poll_closed(cx) };
        if !self.is_draining && (self.poll_draining)(self.socket.get_mut(), cx).is_ready() {
            self.is_draining = true;
            Mount::begin_drain(&connected.shared.mount);
        }
        let mut taken = 0;
        loop {
            if let Some(waiting) = &mut self.waiting {
                let Poll::Ready(waited) = waiting.as_mut().poll(cx) else { break };
                self.waiting = None;
                connected.finish(waited);
            }
            if taken == BURST {
                cx.waker().wake_by_ref();
                break;
            }
            taken += 1;
            match self.socket.poll_recv(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(message))) => match Incoming::decode(connected.shared.vsn, &message) {
                    Ok(message) => self.waiting = connected.begin(message),
                    Err(error) => {
                        tracing::debug!(%error, "a client sends what is no message");
                        return self.close(CloseCode::INTERNAL, "malformed message", cx);
                    }
                },
                Poll::Ready(Err(SocketError::TimedOut { .. })) => {
                    return self.close(CloseCode::PROTOCOL, "idle for too long", cx);
                }
                Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(()),
            }
        }
        self.poll_send(cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(connected) = &mut self.connected else { return self.poll_closed(cx) };
            let is_free = match self.socket.poll_flush(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            if !is_free {
                let Poll::Ready(close) = connected.shared.outbox.poll_close(cx) else { return Poll::Pending };
                return self.close(close.code(), close.reason(), cx);
            }
            if self.taken.is_empty() {
                let Poll::Ready(()) = connected.shared.outbox.poll_take(&mut self.taken, cx) else {
                    self.taken = Taken::default();
                    return Poll::Pending;
                };
            }
            let mut moved = 0;
            while moved < MOVED_MAX
                && let Some(item) = self.taken.pop()
            {
                let Some(frame) = connected.frame_of(item) else { continue };
                moved += frame.as_bytes().len();
                if self.socket.feed_prepared(frame.prepared()).is_err() {
                    return self.poll_closed(cx); // the client has closed
                }
            }
            if self.taken.is_empty()
                && let Some(close) = connected.closing()
            {
                return self.close(close.code(), close.reason(), cx);
            }
        }
    }

    /// Closes: the channels end, and the client is told.
    fn close(&mut self, code: CloseCode, reason: &str, cx: &mut Context<'_>) -> Poll<()> {
        self.connected = None;
        self.waiting = None;
        self.taken = Taken::default();
        if self.socket.begin_close(code, reason).is_err() {
            return Poll::Ready(());
        }
        self.poll_closed(cx)
    }

    /// Throws away what the client still says, until it has closed too.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.socket.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(Message::Text(_) | Message::Binary(_)))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }
}
