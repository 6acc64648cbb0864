//! The transport for where a WebSocket does not get through: a client polls, and posts.
//!
//! ```text
//!   GET ─── waits at most the window ──┐                  ┌── a process for each channel
//!                                      ├──> the session's ┤
//!   POST ── lines, one after another ──┘      process     └── outbox, bounded
//! ```
//!
//! The session is a process, which a client names by a signed token. What it sends waits in the same bounded outbox
//! as a WebSocket's; a client that does not poll is closed, or loses the oldest, as the mount's options say. It ends
//! when nobody has polled for one and a half windows.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use simurgh_http::ws::Message;
use simurgh_otp::{CallError, ServerRef, Start};
use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Node, random};
use simurgh_telemetry::event;
use simurgh_web::{Body, Conn, Error, Result};

use crate::frame::{push_str, text_frame};
use crate::mount::{answer_with, info_of, params_of};
use crate::{Frame, LongPollOptions, Params, Sockets, UserSocket};

mod session;

use session::{Ask, Polled, Poller};

/// Lines of one body that are read.
const LINES_MAX: usize = simurgh_config::Limits::DEFAULT.channels_poll_lines_max;

/// Characters of one line that are bytes in base64.
const BINARY_LEN_MAX: usize = simurgh_config::Limits::DEFAULT.channels_poll_binary_len_max.as_usize();

/// What a token is signed for.
const PURPOSE: &str = "channels long-poll";

/// The answer of a session may be a moment late.
const SLACK: Duration = Duration::from_secs(5);

/// The sessions of one mount.
#[derive(Default)]
pub(crate) struct Sessions {
    by_number: Mutex<HashMap<u64, ServerRef<Poller>>>,
    next: AtomicU64,
    /// Tells this life of the mount from others, whose tokens may still be about.
    life: OnceLock<u64>,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.by_number.lock().len()
    }

    fn leave(&self, number: u64) {
        let session = self.by_number.lock().remove(&number);
        drop(session);
    }

    /// Node, life of the mount, number.
    fn handle_of(&self, number: u64) -> [u8; 20] {
        let life = *self.life.get_or_init(random::u64);
        let mut handle = [0; 20];
        handle[..4].copy_from_slice(&Node::current().id().0.to_be_bytes());
        handle[4..12].copy_from_slice(&life.to_be_bytes());
        handle[12..].copy_from_slice(&number.to_be_bytes());
        handle
    }

    fn find(&self, options: &LongPollOptions, token: &str) -> Option<ServerRef<Poller>> {
        let opened = options.keys.verify(PURPOSE, token, Some(options.token_max_age)).ok()?;
        let number = u64::from_be_bytes(opened.payload().last_chunk().copied()?);
        if opened.payload() != self.handle_of(number) {
            return None;
        }
        self.by_number.lock().get(&number).cloned()
    }
}

/// What stands in an answer's body.
#[derive(Debug, Default)]
struct Answer<'a> {
    status: u16,
    token: Option<&'a str>,
    messages: Option<&'a [Frame]>,
}

impl Answer<'_> {
    fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    fn put(&self, conn: &mut Conn) -> Result {
        let mut json = format!("{{\"status\":{}", self.status).into_bytes();
        if let Some(token) = self.token {
            json.extend_from_slice(b",\"token\":");
            push_str(&mut json, token);
        }
        if let Some(messages) = self.messages {
            json.extend_from_slice(b",\"messages\":[");
            for (at, frame) in messages.iter().enumerate() {
                if at > 0 {
                    json.push(b',');
                }
                push_str(&mut json, &String::from_utf8_lossy(frame.as_bytes()));
            }
            json.push(b']');
        }
        json.push(b'}');
        conn.put_status(StatusCode::OK);
        conn.try_put_header(header::CONTENT_TYPE, "application/json; charset=utf-8")?;
        conn.put_body(json);
        Ok(())
    }
}

/// Answers a poll, a post, or a question of a page of another site.
pub(crate) async fn answer<U: UserSocket>(sockets: &Sockets<U>, conn: &mut Conn) -> Result {
    let options = &sockets.mount().options;
    let Some(long_poll) = &options.long_poll else { return Err(Error::not_found()) };
    conn.put_header("cache-control", "no-store");
    conn.put_header("access-control-allow-origin", "*");
    let Some(params) = params_of(conn) else { return Err(Error::bad_request("bad_query", "The query is too long.")) };
    let is_get = match *conn.method() {
        Method::GET => true,
        Method::POST => false,
        Method::OPTIONS => {
            preflight(conn);
            return Ok(());
        }
        _ => {
            answer_with(conn, StatusCode::BAD_REQUEST, "");
            return Ok(());
        }
    };
    if !options.check_origin.allows(conn) {
        event!("channels.refused", { count: 1 }, { why: "origin" });
        return Answer::of(403).put(conn);
    }
    let token = conn.header("x-phoenix-longpoll-token").or(params.get("token")).filter(|token| !token.is_empty());
    let token = token.map(ToOwned::to_owned);
    let session = token.as_deref().and_then(|token| sockets.mount().sessions.find(long_poll, token));
    match (session, is_get) {
        (None, true) => open(sockets, conn, long_poll, params).await,
        (None, false) => {
            // What is not read would end the connection.
            conn.take_body().unwrap_or_default().collect(long_poll.body_len_max).await?;
            Answer::of(410).put(conn)
        }
        (Some(session), true) => poll(conn, &session, long_poll, token.as_deref()).await,
        (Some(session), false) => post(conn, &session, long_poll).await,
    }
}

/// What a browser asks before it lets a page of another site poll.
fn preflight(conn: &mut Conn) {
    if let Some(asked) = conn.request_headers().get("access-control-request-headers").cloned() {
        conn.response_headers_mut().insert("access-control-allow-headers", asked);
    }
    conn.put_header("access-control-allow-methods", "get, post, options");
    conn.put_header("access-control-max-age", "3600");
    conn.put_status(StatusCode::OK);
    conn.put_body(Body::empty());
}

async fn open<U: UserSocket>(
    sockets: &Sockets<U>,
    conn: &mut Conn,
    long_poll: &LongPollOptions,
    params: Params,
) -> Result {
    let (mount, options) = (sockets.mount(), &sockets.mount().options);
    let token = if options.auth_token { conn.header("x-phoenix-authtoken").map(ToOwned::to_owned) } else { None };
    let info = info_of(conn, mount, &params, token).await?;
    let Ok(shared) = sockets.connect(params, &info, "longpoll").await else { return Answer::of(403).put(conn) };
    if mount.sessions.len() >= long_poll.sessions_max {
        event!("channels.refused", { count: 1 }, { why: "sessions" });
        answer_with(conn, StatusCode::SERVICE_UNAVAILABLE, "");
        return Ok(());
    }
    let number = mount.sessions.next.fetch_add(1, Ordering::Relaxed);
    let poller = Poller::new(shared, number, long_poll.window);
    let started = Start::new("long-poll session", poller).start().await;
    let session = started.map_err(Error::internal)?;
    mount.sessions.by_number.lock().insert(number, session.clone());
    if !session.is_alive() {
        mount.sessions.leave(number); // it was closed at once: its own leave came before
    }
    let token = long_poll.keys.sign(PURPOSE, mount.sessions.handle_of(number));
    Answer { status: 410, token: Some(&token), messages: Some(&[]) }.put(conn)
}

async fn poll(
    conn: &mut Conn,
    session: &ServerRef<Poller>,
    long_poll: &LongPollOptions,
    token: Option<&str>,
) -> Result {
    match session.call_within(long_poll.window + SLACK, Ask::Poll).await {
        Ok(Polled::Messages(frames)) => Answer { status: 200, token, messages: Some(&frames) }.put(conn),
        Ok(Polled::Nothing) => Answer { status: 204, token, messages: Some(&[]) }.put(conn),
        Err(_) => Answer::of(410).put(conn),
    }
}

async fn post(conn: &mut Conn, session: &ServerRef<Poller>, long_poll: &LongPollOptions) -> Result {
    let content_type = conn.header(header::CONTENT_TYPE).unwrap_or_default();
    let is_lines = content_type.split(';').next().is_some_and(|kind| kind.trim() == "application/x-ndjson");
    let body = conn.take_body().unwrap_or_default().collect(long_poll.body_len_max).await?;
    let frames = if is_lines { lines(&body) } else { text_frame(body).map(|frame| vec![frame]).ok() };
    let Some(frames) = frames else {
        answer_with(conn, StatusCode::BAD_REQUEST, "");
        return Ok(());
    };
    for frame in frames {
        match session.call_within(long_poll.window, |done| Ask::Publish(frame, done)).await {
            Ok(()) => {}
            Err(CallError::TimedOut { .. }) => return Answer::of(408).put(conn),
            Err(_) => return Answer::of(410).put(conn),
        }
    }
    Answer::of(200).put(conn)
}

/// The frames of a body: a line that begins with a bracket is text, any other is bytes in base64.
fn lines(body: &Bytes) -> Option<Vec<Message>> {
    let lines = body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.filter(|line| !line.is_empty()).take(LINES_MAX);
    let frames = lines.map(|line| {
        if line.starts_with(b"[") {
            return text_frame(body.slice_ref(line)).ok();
        }
        if line.len() > BINARY_LEN_MAX {
            return None;
        }
        BASE64_STANDARD.decode(line).ok().map(Message::binary)
    });
    frames.collect()
}
