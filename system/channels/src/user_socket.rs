//! What an application writes: the user's socket, and which channels it has.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use simurgh_config::Secret;
use simurgh_web::Assigns;

use crate::process::{Started, Waiting, start};
use crate::shared::Link;
use crate::topic::Pattern;
use crate::{Channel, Params, Payload};

/// One client that has connected: who it is, and which channels it may ask for. It is shared by its channels, who get
/// it with [`Socket::user`](crate::Socket::user).
///
/// ```
/// use simurgh_channels::prelude::*;
/// # struct Room;
/// # impl Channel for Room {
/// #     type Info = ();
/// #     async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> { Ok(Room.into()) }
/// # }
///
/// struct User { name: String }
///
/// impl UserSocket for User {
///     async fn connect(params: Params, _info: &ConnectInfo) -> Result<Self, Refused> {
///         match params.get("name") {
///             Some(name) if !name.is_empty() => Ok(User { name: name.to_owned() }),
///             _ => Err(Refused::new()),
///         }
///     }
///
///     // A broadcast of `disconnect` to this topic ends all connections of this user.
///     fn id(&self) -> Option<String> {
///         Some(format!("users_socket:{}", self.name))
///     }
///
///     fn channels() -> Channels {
///         Channels::new().channel::<Room>("room:*")
///     }
/// }
/// ```
pub trait UserSocket: Sized + Send + Sync + 'static {
    /// A client wants to connect. The connection, with all that is known of it, waits for this.
    fn connect(params: Params, info: &ConnectInfo) -> impl Future<Output = Result<Self, Refused>> + Send;

    /// The topic at which a broadcast of `disconnect` ends this socket; by default none.
    fn id(&self) -> Option<String> {
        None
    }

    /// The channels, by the topics that they are for. Asked once, at the start.
    fn channels() -> Channels;
}

/// A client may not connect: 403 without a body, unless something else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Refused {
    /// 403.
    pub fn new() -> Self {
        Self::with(StatusCode::FORBIDDEN, "")
    }

    /// Another status, and text.
    pub fn with(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a connection. Cookies and other headers are left out on purpose: a page of another site may have
/// them sent.
#[derive(Debug, Clone)]
pub struct ConnectInfo {
    pub(crate) peer: SocketAddr,
    pub(crate) remote_ip: IpAddr,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) session: Option<Map<String, Value>>,
    pub(crate) auth_token: Option<Secret<String>>,
    pub(crate) state: Arc<Assigns>,
}

impl ConnectInfo {
    /// Of a client of this address, of which nothing else is known: for [`Sockets::accept`](crate::Sockets::accept).
    pub fn of(peer: SocketAddr) -> Self {
        let (uri, headers) = (Uri::from_static("/"), HeaderMap::new());
        Self { peer, remote_ip: peer.ip(), uri, headers, session: None, auth_token: None, state: Arc::default() }
    }

    /// The same with a token, as the client's `authToken`.
    pub fn with_auth_token(self, token: impl Into<String>) -> Self {
        Self { auth_token: Some(Secret::new(token.into())), ..self }
    }

    /// The other end of the connection.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client's address: the other end's, or what a trusted proxy says.
    pub fn remote_ip(&self) -> IpAddr {
        self.remote_ip
    }

    /// The target of the request.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The header `user-agent`.
    pub fn user_agent(&self) -> Option<&str> {
        self.header("user-agent")
    }

    /// A header whose name begins with `x-` or `sec-websocket-`, `traceparent`, `tracestate` or `user-agent`; others
    /// are not here.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers that are here.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A value of the session, if the mount reads it ([`SocketOptions::session`](crate::SocketOptions)) and the
    /// request has shown its token (`_csrf_token`).
    pub fn session<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.session.as_ref()?.get(key)?).ok()
    }

    /// Whether there is a session.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// What the application has put beside the mount for all its sockets.
    ///
    /// ```
    /// use simurgh_channels::prelude::*;
    /// use simurgh_pubsub::PubSub;
    ///
    /// #[derive(Clone)]
    /// struct Database(&'static str);
    ///
    /// struct User {
    ///     database: Database,
    /// }
    ///
    /// impl UserSocket for User {
    ///     async fn connect(_: Params, info: &ConnectInfo) -> Result<Self, Refused> {
    ///         let database = info.state::<Database>().ok_or_else(Refused::new)?;
    ///         Ok(User { database: database.clone() })
    ///     }
    ///     fn channels() -> Channels { Channels::new() }
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let sockets = Sockets::<User>::new(PubSub::local("chat"), SocketOptions::default()).with_state(Database("users"));
    /// # let _ = sockets;
    /// # });
    /// ```
    pub fn state<T: 'static>(&self) -> Option<&T> {
        self.state.get()
    }

    /// The token that the client gave as `authToken`, if the mount takes one
    /// ([`SocketOptions::auth_token`](crate::SocketOptions)).
    pub fn auth_token(&self) -> Option<&str> {
        self.auth_token.as_ref().map(|token| token.expose().as_str())
    }
}

type Starter = fn(Arc<Link>, Payload, Duration) -> Waiting<Started>;

/// Which channel is for which topics, in order: the first that fits.
#[derive(Default)]
pub struct Channels {
    entries: Vec<(Pattern, Starter, &'static str)>,
}

impl Channels {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more: for one topic (`lobby`), or all that begin so (`room:*`).
    ///
    /// # Panics
    /// If a star stands elsewhere than at the end.
    pub fn channel<C: Channel>(mut self, pattern: &'static str) -> Self {
        self.entries.push((Pattern::new(pattern), start::<C>, std::any::type_name::<C>()));
        self
    }

    pub(crate) fn find(&self, topic: &str) -> Option<usize> {
        self.entries.iter().position(|(pattern, ..)| pattern.fits(topic))
    }

    pub(crate) fn start(&self, at: usize, link: Arc<Link>, params: Payload, limit: Duration) -> Waiting<Started> {
        (self.entries[at].1)(link, params, limit)
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|(pattern, _, name)| (pattern.as_str(), name))).finish()
    }
}
