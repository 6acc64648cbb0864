//! Another protocol on a connection that began with HTTP (RFC 9110, 7.8).

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use simurgh_net::Connection;
use simurgh_runtime::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Client;

/// The other protocol, while it is spoken.
pub(crate) type Protocol = Pin<Box<dyn Future<Output = ()> + Send>>;

type Begin = Box<dyn FnOnce(Upgraded) -> Protocol + Send>;

/// What a connection goes on with after the answer 101: an extension of the response.
///
/// The protocol runs in the connection's process, once the answer is written and nothing of HTTP is left in memory. It
/// begins only if the request asked for it (`Connection: Upgrade`, no body) and the status is 101; otherwise it is
/// dropped, and 101 becomes 500.
///
/// ```
/// use http::StatusCode;
/// use simurgh_http::{Body, Client, OnUpgrade, Request, Response};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// async fn shout(_: Request, _: Client) -> Response {
///     let mut response = Response::new(Body::empty());
///     *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
///     response.headers_mut().insert("connection", "upgrade".parse().unwrap());
///     response.headers_mut().insert("upgrade", "shout".parse().unwrap());
///     response.extensions_mut().insert(OnUpgrade::new(async |mut connection| {
///         while let Ok(byte) = connection.read_u8().await {
///             if connection.write_u8(byte.to_ascii_uppercase()).await.is_err() {
///                 break;
///             }
///         }
///     }));
///     response
/// }
/// # let _ = shout;
/// ```
#[derive(Clone)]
pub struct OnUpgrade(Arc<Mutex<Option<Begin>>>);

impl OnUpgrade {
    /// What to do with the connection; it closes when that returns.
    pub fn new<F, R>(begin: F) -> Self
    where
        F: FnOnce(Upgraded) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let begin: Begin = Box::new(|upgraded| Box::pin(begin(upgraded)));
        Self(Arc::new(Mutex::new(Some(begin))))
    }

    /// Begins, unless a clone has.
    pub(crate) fn begin(self, upgraded: Upgraded) -> Option<Protocol> {
        let begin = self.0.lock().take()?;
        Some(begin(upgraded))
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnUpgrade")
    }
}

/// A connection after HTTP. What the client sent early is read first.
#[derive(Debug)]
pub struct Upgraded {
    connection: Connection,
    early: Bytes,
    client: Client,
}

impl Upgraded {
    pub(crate) fn new(connection: Connection, early: Bytes, client: Client) -> Self {
        Self { connection, early, client }
    }

    /// Where it comes from.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The connection, and bytes that were read of the new protocol already.
    pub fn into_parts(self) -> (Connection, Bytes) {
        (self.connection, self.early)
    }

    /// Ready once a read would not wait.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() { self.connection.poll_readable(cx) } else { Poll::Ready(Ok(())) }
    }

    /// Waits until the server drains: time to say goodbye and return.
    pub async fn draining(&mut self) {
        self.connection.draining().await;
    }

    /// Ready once the server drains.
    pub fn poll_draining(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_draining(cx)
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.connection).poll_read(cx, into);
        }
        let len = self.early.len().min(into.remaining());
        into.put_slice(&self.early[..len]);
        self.early.advance(len);
        if self.early.is_empty() {
            self.early = Bytes::new(); // gives its memory back
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
