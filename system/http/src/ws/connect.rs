//! The client's way to a socket.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use http::{HeaderValue, StatusCode, header};
use hyper::client::conn::http1;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::random;
use thiserror::Error;

use super::handshake::{ClientHandshake, HandshakeError};
use super::{Options, Socket};
use crate::client::{ClientError, Io, split};
use crate::{Body, Request};

/// Why there is no socket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection, or no response.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server answered, and not as it should.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Opens a socket at `ws://address:port/path`, offering what the options say. For more headers there is
/// [`connect_with`].
///
/// # Errors
/// Any [`ConnectError`].
pub async fn connect(uri: &str, options: &Options) -> Result<Socket<TcpStream>, ConnectError> {
    connect_with(uri, options, |_| {}).await
}

/// As [`connect`], with a request that may be changed: cookies, an origin.
///
/// # Errors
/// Any [`ConnectError`].
pub async fn connect_with(
    uri: &str,
    options: &Options,
    change: impl FnOnce(&mut Request),
) -> Result<Socket<TcpStream>, ConnectError> {
    let (addr, target) = split(uri, "ws").ok_or_else(|| ClientError::Uri { uri: uri.to_owned() })?;
    let mut key = [0; 16];
    random::fill(&mut key);
    let protocols: Vec<&str> = options.protocols.iter().map(AsRef::as_ref).collect();
    let handshake = ClientHandshake::new(key, &protocols, options.deflate);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target;
    *request.headers_mut() = handshake.headers();
    let host = HeaderValue::from_str(&addr.to_string()).expect("an address is visible ASCII");
    request.headers_mut().insert(header::HOST, host);
    change(&mut request);

    let stream = TcpStream::connect(addr).await.map_err(|source| ClientError::Connect { addr, source })?;
    let _ = stream.set_nodelay(true); // a peer that is gone already is found out by reading
    let (mut sender, mut http) = http1::handshake(Io(stream)).await.map_err(ClientError::Http)?;
    let mut answer = pin!(sender.send_request(request));
    let mut response = None;
    let mut is_over = false;
    poll_fn(|cx| {
        if !is_over && let Poll::Ready(result) = http.poll_without_shutdown(cx) {
            is_over = true;
            result?;
        }
        if response.is_none()
            && let Poll::Ready(result) = answer.as_mut().poll(cx)
        {
            response = Some(result?);
        }
        // After 101 hyper lets go of the connection; until then it may hold bytes of it.
        match &response {
            Some(response) if is_over || response.status() != StatusCode::SWITCHING_PROTOCOLS => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    })
    .await
    .map_err(ClientError::Http)?;
    let response = response.expect("it is there when the wait is over");
    let accepted = handshake.check(response.status(), response.headers())?;
    let parts = http.into_parts();
    let mut socket = Socket::client(parts.io.0, options, accepted.deflate, accepted.protocol.map(Into::into));
    socket.push_front(&parts.read_buf);
    Ok(socket)
}
