//! The contract between the server and what stands on it.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;

use crate::{Request, Response};

/// What answers requests. Every `async fn(Request, Client) -> Response` is one.
///
/// ```
/// use simurgh_http::{Body, Client, Request, Response, Service};
///
/// struct Greeter(&'static str);
///
/// impl Service for Greeter {
///     async fn call(&self, request: Request, client: &Client) -> Response {
///         Response::new(format!("{}, {} at {}", self.0, client.peer().ip(), request.uri().path()).into())
///     }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let client = Client::test("192.0.2.7:1234".parse().unwrap());
/// let response = Greeter("hello").call(Request::new(Body::empty()), &client).await;
/// assert_eq!(response.into_body().collect(100).await.unwrap(), "hello, 192.0.2.7 at /");
/// # });
/// ```
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// When the client goes away before the answer, the future is dropped at its next await if the request's
    /// method is safe (GET, HEAD, OPTIONS, TRACE). Any other is a write that has begun, and
    /// [runs to its end](crate::Options::shield_timeout) as a process of its own. A panic is answered with 500,
    /// ends the connection, and is its process's exit reason.
    fn call(&self, request: Request, client: &Client) -> impl Future<Output = Response> + Send;
}

impl<F, R> Service for F
where
    F: Fn(Request, Client) -> R + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    fn call(&self, request: Request, client: &Client) -> impl Future<Output = Response> + Send {
        self(request, client.clone())
    }
}

/// The connection that a request came on.
#[derive(Clone)]
pub struct Client {
    peer: SocketAddr,
    local: SocketAddr,
    number: u64,
}

impl Client {
    pub(crate) fn new(peer: SocketAddr, local: SocketAddr, number: u64) -> Self {
        Self { peer, local, number }
    }

    /// A connection that there is not, for requests without a socket: to port 80 of this machine.
    pub fn test(peer: SocketAddr) -> Self {
        Self::new(peer, SocketAddr::from(([127, 0, 0, 1], 80)), 0)
    }

    /// The other end's address: the client's, or that of the proxy before us.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our end's address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The number of the connection, counted from its listener's start.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How the client reached us: `http`.
    pub fn scheme(&self) -> &'static str {
        "http"
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} from {})", self.number, self.peer)
    }
}
