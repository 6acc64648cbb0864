//! Where sockets are mounted: the plug that takes requests, and what all its sockets share.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Map, Value};
use simurgh_otp::Pid;
use simurgh_pubsub::PubSub;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, planted, sleep};
use simurgh_telemetry::event;
use simurgh_web::{Assigns, Body, Conn, Error, Plug, Result, fetch_session};
use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connected::Connected;
use crate::long_poll::Sessions;
use crate::outbox::{Close, Counters};
use crate::resume::Rings;
use crate::shared::Shared;
use crate::{Channels, ConnectInfo, Params, Refused, SocketOptions, UserSocket, Vsn, long_poll, websocket};

/// The sockets of one kind of user, mounted at a path: a plug to forward to.
///
/// ```
/// use simurgh_channels::prelude::*;
/// use simurgh_pubsub::PubSub;
/// use simurgh_web::{Endpoint, router};
///
/// struct User;
/// # struct Room;
/// # impl Channel for Room {
/// #     type Info = ();
/// #     async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> { Ok(Room.into()) }
/// # }
///
/// impl UserSocket for User {
///     async fn connect(_: Params, _: &ConnectInfo) -> Result<Self, Refused> { Ok(User) }
///     fn channels() -> Channels { Channels::new().channel::<Room>("room:*") }
/// }
///
/// fn sockets() -> Sockets<User> {
///     Sockets::new(PubSub::local("chat"), SocketOptions::default())
/// }
///
/// router! { socket "/socket" => sockets(); } // WebSockets are opened at /socket/websocket
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(router());
/// # let _ = endpoint;
/// # });
/// ```
///
/// Order of what is checked of a WebSocket, and the answers:
///
/// | | answer |
/// | --- | --- |
/// | another method than GET | 400 |
/// | the origin ([`CheckOrigin`](crate::CheckOrigin)) | 403 |
/// | the token among the sub-protocols is no base64 | 400 |
/// | no sub-protocol is spoken here | 403 |
/// | the version (`vsn`) is not spoken here | 403 |
/// | [`UserSocket::connect`] refuses | 403, or as it says |
/// | it is no WebSocket's handshake | 400, with text |
pub struct Sockets<U> {
    mount: Arc<Mount>,
    user: PhantomData<fn() -> U>,
}

impl<U> Clone for Sockets<U> {
    fn clone(&self) -> Self {
        Self { mount: Arc::clone(&self.mount), user: PhantomData }
    }
}

/// What all sockets of a mount share.
pub(crate) struct Mount {
    pub(crate) pubsub: PubSub,
    pub(crate) options: SocketOptions,
    /// What the application keeps for its sockets.
    state: Arc<Assigns>,
    pub(crate) channels: Channels,
    pub(crate) counters: Counters,
    pub(crate) websocket: websocket::Settings,
    pub(crate) sessions: Sessions,
    pub(crate) rings: Rings,
    live: Mutex<Slab<Arc<Shared>>>,
    is_draining: AtomicBool,
}

/// A socket's place among those of its mount, which it leaves when this is dropped.
pub(crate) struct Place {
    mount: Arc<Mount>,
    at: usize,
}

/// What the sockets of a mount have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketCounts {
    /// Sockets, over any transport, that are connected now.
    pub sockets: usize,
    /// Long-poll sessions among them.
    pub sessions: usize,
    /// Frames that were put into outboxes.
    pub sent: u64,
    /// Frames that full outboxes have dropped.
    pub dropped: u64,
    /// Frames in whose place a later one of the same topic and event was put.
    pub replaced: u64,
    /// Sockets that were closed because they read too slowly.
    pub overflowed: u64,
    /// The most frames that have waited for one client.
    pub high_water: u64,
}

impl<U: UserSocket> Sockets<U> {
    /// Sockets whose topics are those of this publish/subscribe system.
    ///
    /// # Panics
    /// If neither origins nor tokens against forged requests are checked while the session is read.
    pub fn new(pubsub: PubSub, options: SocketOptions) -> Self {
        let is_open = options.session && options.check_origin.is_off() && !options.check_csrf;
        assert!(!is_open, "check_origin and check_csrf are off together: any page could act with a user's session");
        let mount = Mount {
            pubsub,
            websocket: websocket::Settings::new(&options),
            options,
            state: Arc::default(),
            channels: U::channels(),
            counters: Counters::default(),
            sessions: Sessions::default(),
            rings: Rings::default(),
            live: Mutex::default(),
            is_draining: AtomicBool::new(false),
        };
        Self { mount: Arc::new(mount), user: PhantomData }
    }

    /// With something of the application, which [`UserSocket::connect`] finds by its type:
    /// [`ConnectInfo::state`](crate::ConnectInfo::state). One of each type.
    ///
    /// # Panics
    /// If it is mounted or cloned already.
    pub fn with_state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        let state = Arc::get_mut(&mut self.mount).and_then(|mount| Arc::get_mut(&mut mount.state));
        state.expect("what sockets share is put in before they are mounted").insert(value);
        self
    }

    /// What its sockets have done so far.
    pub fn counts(&self) -> SocketCounts {
        let counters = &self.mount.counters;
        SocketCounts {
            sockets: self.mount.live.lock().len(),
            sessions: self.mount.sessions.len(),
            sent: counters.sent.load(Ordering::Relaxed),
            dropped: counters.dropped.load(Ordering::Relaxed),
            replaced: counters.replaced.load(Ordering::Relaxed),
            overflowed: counters.overflowed.load(Ordering::Relaxed),
            high_water: counters.high_water.load(Ordering::Relaxed),
        }
    }

    /// Closes all sockets with 1012 (service restart), in batches, and those that still come. A WebSocket begins it by
    /// itself when their listener drains. Returns when none is left, or the time for it is over.
    pub async fn drain(&self) {
        let deadline = Instant::now() + self.mount.options.drain.limit;
        Mount::begin_drain(&self.mount);
        while self.counts().sockets > 0 && Instant::now() < deadline {
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Serves a client over any stream of bytes, as a WebSocket of which the handshake is done: for tests without
    /// sockets, and for transports of one's own. Its process is another than the caller's.
    ///
    /// # Errors
    /// As [`UserSocket::connect`] says, or if the version is not spoken here.
    pub async fn accept<T>(&self, io: T, params: Params, info: &ConnectInfo) -> Result<Pid, Refused>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let info = ConnectInfo { state: Arc::clone(&self.mount.state), ..info.clone() };
        let shared = self.connect(params, &info, "stream").await?;
        Ok(simurgh_otp::spawn("channels client", websocket::serve(io, Connected::new(shared))))
    }

    pub(crate) fn mount(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// A client wants to connect: its version and the application's own word.
    pub(crate) async fn connect(
        &self,
        params: Params,
        info: &ConnectInfo,
        transport: &'static str,
    ) -> Result<Arc<Shared>, Refused> {
        let since = Instant::now();
        let filter = &self.mount.options.filter;
        tracing::debug!(transport, params = %crate::filter::shown(filter, params.as_value()), "a socket connects");
        let outcome = self.connected(params, info).await;
        event!("channels.connect", { duration_ns: since.elapsed().as_nanos() }, {
            transport: transport, ok: outcome.is_ok(),
        });
        outcome
    }

    async fn connected(&self, params: Params, info: &ConnectInfo) -> Result<Arc<Shared>, Refused> {
        let is_text = !params.has("vsn") || params.get("vsn").is_some();
        let vsn = Vsn::of_query(params.get("vsn")).ok();
        let vsn = vsn.filter(|vsn| is_text && self.mount.options.versions.contains(vsn)).ok_or_else(Refused::new)?;
        let user = U::connect(params, info).await?;
        Ok(Shared::new(vsn, Arc::clone(&self.mount), user.id(), Box::new(user)))
    }
}

impl Mount {
    /// A socket is there.
    pub(crate) fn enter(self: &Arc<Self>, shared: &Arc<Shared>) -> Place {
        let at = self.live.lock().insert(Arc::clone(shared));
        if self.is_draining.load(Ordering::Acquire) {
            shared.outbox.close(Close::Drain);
        }
        Place { mount: Arc::clone(self), at }
    }

    /// Closes all sockets in batches, once.
    pub(crate) fn begin_drain(self: &Arc<Self>) {
        if self.is_draining.swap(true, Ordering::AcqRel) {
            return;
        }
        let sockets: Vec<Arc<Shared>> = self.live.lock().iter().map(|(_, shared)| Arc::clone(shared)).collect();
        event!("channels.drain.start", { sockets: sockets.len() }, {});
        let drain = self.options.drain;
        simurgh_otp::spawn("channels drainer", async move {
            let deadline = Instant::now() + drain.limit;
            for (at, batch) in sockets.chunks(drain.batch.max(1)).enumerate() {
                if at > 0 && !planted!("channels.drain-at-once") && Instant::now() + drain.interval < deadline {
                    sleep(drain.interval).await;
                }
                for shared in batch {
                    shared.outbox.close(Close::Drain);
                }
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = self.mount.live.lock().try_remove(self.at);
        drop(shared);
    }
}

impl<U: UserSocket> Plug for Sockets<U> {
    async fn call(&self, conn: &mut Conn) -> Result {
        let options = &self.mount.options;
        let path = conn.path_info().trim_matches('/');
        if options.websocket.is_some_and(|websocket| websocket == path) {
            return websocket::answer(self, conn).await;
        }
        if options.long_poll.as_ref().is_some_and(|long_poll| long_poll.path == path) {
            return long_poll::answer(self, conn).await;
        }
        Err(Error::not_found())
    }

    fn name(&self) -> &'static str {
        "sockets"
    }
}

/// What the query and the path say. It is empty if it is too much to read.
pub(crate) fn params_of(conn: &Conn) -> Option<Params> {
    let mut params = Params::of_query(conn.query_string())?;
    for (name, value) in conn.path_params() {
        params.insert(name, value);
    }
    Some(params)
}

/// What the application is shown of a request.
pub(crate) async fn info_of(
    conn: &mut Conn,
    mount: &Mount,
    params: &Params,
    auth_token: Option<String>,
) -> Result<ConnectInfo> {
    let options = &mount.options;
    let is_shown = |name: &HeaderName| {
        let name = name.as_str();
        ["x-", "sec-websocket-"].iter().any(|start| name.starts_with(start))
            || ["traceparent", "tracestate", "user-agent"].contains(&name)
    };
    let session = if options.session { session_of(conn, options, params).await? } else { None };
    let mut headers = HeaderMap::new();
    for (name, value) in conn.request_headers().iter().filter(|(name, _)| is_shown(name)) {
        headers.append(name, value.clone());
    }
    Ok(ConnectInfo {
        peer: conn.client().peer(),
        remote_ip: conn.remote_ip(),
        uri: conn.uri().clone(),
        headers,
        session,
        auth_token: auth_token.map(simurgh_config::Secret::new),
        state: Arc::clone(&mount.state),
    })
}

/// The session, if the request shows that a page of this application has sent it.
async fn session_of(conn: &mut Conn, options: &SocketOptions, params: &Params) -> Result<Option<Map<String, Value>>> {
    fetch_session(conn).await?;
    let is_ours = !options.check_csrf || params.get("_csrf_token").is_some_and(|token| conn.is_csrf_token(token));
    let Some(session) = conn.try_session().filter(|session| is_ours && !session.is_empty()) else { return Ok(None) };
    Ok(Some(session.keys().filter_map(|key| Some((key.to_owned(), session.get(key)?))).collect()))
}

/// Answers with a status and no more than this text.
pub(crate) fn answer_with(conn: &mut Conn, status: StatusCode, text: &str) {
    conn.put_status(status);
    if text.is_empty() {
        conn.put_body(Body::empty());
    } else {
        conn.text(text.to_owned());
    }
}
