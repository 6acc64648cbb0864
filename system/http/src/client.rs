//! A small HTTP/1.1 client, over the runtime's sockets: for tests, labs and the simulator. It follows no
//! redirects, keeps no pool, and looks up no names: a server is known by its address.

mod io;

use std::net::SocketAddr;

use http::{HeaderValue, Uri, header};
use hyper::client::conn::http1;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::spawn;
use thiserror::Error;

use crate::{Body, Request, Response};

pub(crate) use io::Io;

/// Why there is no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URI is not one of `http`, or `ws`, with an address in it.
    #[error("{uri} is no address of a server: http://127.0.0.1:4000/path is one")]
    Uri {
        /// What was asked for.
        uri: String,
    },
    /// Nobody answers there.
    #[error("no connection to {addr}")]
    Connect {
        /// Where.
        addr: SocketAddr,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke, or what came is no response.
    #[error("no response from the server: {0}")]
    Http(#[source] hyper::Error),
}

/// A connection to a server; one request at a time.
///
/// ```
/// use simurgh_http::client::Connection;
/// use simurgh_http::{Body, Client, Options, Request, Response, Server};
///
/// async fn echo(request: Request, _: Client) -> Response {
///     Response::new(request.into_body())
/// }
///
/// simurgh_runtime::run("doc", async {
///     let server = Server::start("127.0.0.1:0".parse()?, Options::default(), echo).await?;
///     let mut connection = Connection::connect(server.local_addr()).await?;
///     for text in ["one", "two"] {
///         let request = http::Request::post("/").body(Body::from(text))?;
///         assert_eq!(connection.send(request).await?.into_body().collect(10).await?, text);
///     }
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct Connection {
    sender: http1::SendRequest<Body>,
    host: HeaderValue,
}

impl Connection {
    /// Connects. A task of its own moves the bytes, until this is dropped and the last body is read or dropped.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub async fn connect(addr: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(addr).await.map_err(|source| ClientError::Connect { addr, source })?;
        let (sender, connection) = http1::handshake(Io(stream)).await.map_err(ClientError::Http)?;
        drop(spawn(async move {
            let _ = connection.await; // whoever waits for a response or a body hears of it
        }));
        let host = HeaderValue::from_str(&addr.to_string()).expect("an address is visible ASCII");
        Ok(Self { sender, host })
    }

    /// Sends a request, with `Host` if it has none, and waits for the head of its response. The body of the one
    /// before must have been read or dropped.
    ///
    /// # Errors
    /// [`ClientError::Http`].
    pub async fn send(&mut self, mut request: Request) -> Result<Response, ClientError> {
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        self.sender.ready().await.map_err(ClientError::Http)?;
        let response = self.sender.send_request(request).await.map_err(ClientError::Http)?;
        Ok(response.map(Body::from_any))
    }
}

/// Asks for one page, over a connection of its own.
///
/// # Errors
/// Any [`ClientError`].
pub async fn get(uri: &str) -> Result<Response, ClientError> {
    let (addr, target) = split(uri, "http").ok_or_else(|| ClientError::Uri { uri: uri.to_owned() })?;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target;
    Connection::connect(addr).await?.send(request).await
}

/// The server's address and what to ask it for.
pub(crate) fn split(uri: &str, scheme: &str) -> Option<(SocketAddr, Uri)> {
    let uri: Uri = uri.parse().ok()?;
    if uri.scheme_str() != Some(scheme) {
        return None;
    }
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let addr = SocketAddr::new(host.parse().ok()?, authority.port_u16().unwrap_or(80));
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    Some((addr, target.parse().ok()?))
}
