//! How a request reaches what answers it.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use ::http::Method;
use simurgh_http::client::Connection;
use simurgh_web::{Body, Client, Endpoint, Plug};

/// Why there is no response.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A response to come.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<::http::Response<Body>, Failure>> + Send + 'a>>;

/// How a request reaches what answers it: in memory, over a socket, between nodes of a simulation.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request. If it has a [`SocketAddr`] among its extensions, that is the client's address,
    /// where the transport can choose it.
    fn send(&self, request: ::http::Request<Body>) -> Sending<'_>;
}

/// Over TCP, with a connection for each request: to a server of this process, of another, or of another
/// node of a simulation.
///
/// ```
/// use simurgh_http::{Options, Server};
/// use simurgh_test::{Http, Socket};
/// use simurgh_web::{Conn, Endpoint};
///
/// async fn home(_: &mut Conn) -> &'static str { "Welcome!" }
/// simurgh_web::router! { get "/" => home; }
///
/// # simurgh_runtime::run("doc", async {
/// let server = Server::start("127.0.0.1:0".parse()?, Options::default(), Endpoint::new(router())).await?;
/// let http = Http::over(Socket::to(server.local_addr()));
/// assert_eq!(http.get("/").await.text_response(200), "Welcome!");
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Socket(SocketAddr);

impl Socket {
    /// To the server that listens there.
    pub fn to(addr: SocketAddr) -> Self {
        Self(addr)
    }
}

impl Transport for Socket {
    fn send(&self, request: ::http::Request<Body>) -> Sending<'_> {
        Box::pin(async move {
            let mut connection = Connection::connect(self.0).await?;
            Ok(connection.send(request).await?)
        })
    }
}

/// Straight into an endpoint.
pub struct InMemory<P>(Endpoint<P>);

impl<P: Plug> InMemory<P> {
    /// Into this one.
    pub fn new(endpoint: &Endpoint<P>) -> Self {
        Self(endpoint.clone())
    }
}

impl<P> fmt::Debug for InMemory<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemory")
    }
}

impl<P: Plug> Transport for InMemory<P> {
    fn send(&self, mut request: ::http::Request<Body>) -> Sending<'_> {
        Box::pin(async move {
            let peer = request.extensions_mut().remove::<SocketAddr>();
            let client = Client::test(peer.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 50_000))));
            let is_head = request.method() == Method::HEAD;
            let mut response = self.0.answer(request, &client).await;
            if is_head {
                // A server sends none either.
                *response.body_mut() = Body::empty();
            }
            Ok(response)
        })
    }
}
