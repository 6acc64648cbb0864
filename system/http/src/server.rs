//! The HTTP/1.1 server.
//!
//! ```text
//!   socket ─> Wire ─> Framing ──> hyper ──> Adapter ─> Service
//!              │      refuses      reads      │ one event each way; connection: close
//!              │      what is      and writes │
//!              │      ambiguous               └─> Shields: writes whose client has gone
//!              └─ seen by the connection's process: who waits for whom, and whether the client has gone
//! ```

mod answer;
mod arriving;
mod connection;
mod date;
mod options;
mod shield;
mod wire;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simurgh_net::{DrainReport, ListenError, Listener};
use simurgh_otp::{self as otp, ChildSpec, Context, ExitReason, Flow, IntoChild, Shutdown, Supervisor};

use crate::Service;
use connection::Endpoint;
use shield::Shields;

pub use options::Options;

/// How long a stop waits for what only has to be dropped.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// An HTTP/1.1 server: a listener, a process for each connection, and the writes that go on after
/// their clients have gone.
///
/// ```
/// use simurgh_http::{Client, Options, Request, Response, Server, client};
///
/// async fn hello(request: Request, _: Client) -> Response {
///     Response::new(format!("You asked for {}", request.uri().path()).into())
/// }
///
/// simurgh_runtime::run("doc", async {
///     let server = Server::start("127.0.0.1:0".parse()?, Options::default(), hello).await?;
///     let response = client::get(&format!("http://{}/news", server.local_addr())).await?;
///     assert_eq!(response.into_body().collect(100).await?, "You asked for /news");
///     assert_eq!(server.drain().await.killed, 0);
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// })
/// .unwrap();
/// ```
///
/// [`Server::start`] starts it by itself; [`Server::bind`] and [`Server::child`] put it into a tree of one's own.
/// This is a handle, cheap to clone. When the last handle of a server that was started by itself is dropped, it stops
/// accepting; connections that are open go on.
///
/// What a client sends is read as RFC 9112 has it and strictly: what two programs could read in two ways is refused
/// with 400 and the connection closed, before a parser sees it. Limits are those of [`Options`].
#[derive(Clone)]
pub struct Server {
    listener: Listener,
    shields: Arc<Shields>,
    shield_timeout: Duration,
}

impl Server {
    /// Listens on `addr` and serves each connection in a process of its own. Port 0 takes a free one.
    ///
    /// # Errors
    /// If the operating system refuses the address.
    pub async fn start(addr: SocketAddr, options: Options, service: impl Service) -> Result<Self, ListenError> {
        let (shields, shield_timeout, endpoint, listener) = parts(options, service);
        let listener = Listener::start(addr, listener, endpoint).await?;
        Ok(Self { listener, shields, shield_timeout })
    }

    /// Listens, and accepts nobody yet: that begins with [`Server::child`]. Who connects meanwhile
    /// waits in the kernel's backlog.
    ///
    /// # Errors
    /// If the operating system refuses the address.
    pub async fn bind(addr: SocketAddr, options: Options, service: impl Service) -> Result<Self, ListenError> {
        let (shields, shield_timeout, endpoint, listener) = parts(options, service);
        let listener = Listener::bind(addr, listener, endpoint).await?;
        Ok(Self { listener, shields, shield_timeout })
    }

    /// Its tree, as a child of a supervisor. When that stops it, it drains and closes the socket; when
    /// that starts it again, it listens on the same address again.
    pub fn child(&self) -> ChildSpec {
        let (shields, limit) = (Arc::clone(&self.shields), self.shield_timeout);
        Supervisor::one_for_one()
            .child(
                "shields",
                ChildSpec::server(move || Keeper(Arc::clone(&shields))).shutdown(Shutdown::Timed(limit + DROP_GRACE)),
            )
            .child("listener", self.listener.child())
            .into_child()
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// What it stands on: its connections, counters, suspend and resume.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Handlers that go on although their clients have gone.
    pub fn shielded(&self) -> usize {
        self.shields.count()
    }

    /// Ends in order: stops accepting, answers what is under way with `connection: close`, tells other protocols
    /// ([`Upgraded::draining`](crate::Upgraded::draining)), closes connections that wait for a request, kills what
    /// is left after the listener's drain time-out, and waits for writes whose clients have gone. When it returns,
    /// no connection and no handler is left.
    pub async fn drain(&self) -> DrainReport {
        let report = self.listener.drain().await;
        self.shields.finished().await;
        report
    }

    /// Ends now: as [`Server::drain`], but waits for nobody.
    pub async fn stop(&self) -> DrainReport {
        let report = self.listener.stop().await;
        self.shields.end().await;
        report
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

fn parts<S: Service>(options: Options, service: S) -> (Arc<Shields>, Duration, Endpoint<S>, simurgh_net::Options) {
    // What a read may wait for depends on what is read, which the connection's process knows.
    let listener = simurgh_net::Options { read_timeout: Duration::MAX, ..options.listener.clone() };
    let shields = Shields::new(options.shielded_max, options.shield_timeout);
    let shield_timeout = options.shield_timeout;
    let endpoint = Endpoint { service: Arc::new(service), options: Arc::new(options), shields: Arc::clone(&shields) };
    (shields, shield_timeout, endpoint, listener)
}

/// Waits for writes without clients when its supervisor stops: started first, it is stopped last.
struct Keeper(Arc<Shields>);

impl otp::Server for Keeper {
    type Message = Infallible;

    async fn handle(&mut self, message: Infallible, _: &mut Context<Self>) -> Flow {
        match message {}
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.0.finished().await;
    }
}
