//! Answers that are made while they are sent.

use std::future::Future;

use http::HeaderValue;
use simurgh_http::{Body, BodyError, Chunks};

use crate::Conn;

impl Conn {
    /// Answers with parts that are made one after the other while the client takes them.
    ///
    /// ```
    /// use simurgh_web::{Conn, Endpoint, test};
    ///
    /// async fn count(conn: &mut Conn) {
    ///     conn.stream(|mut chunks| async move {
    ///         for number in 1..=3 {
    ///             chunks.send(format!("{number}\n")).await?;
    ///         }
    ///         Ok(())
    ///     });
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let response = test::get(&Endpoint::new(count), "/").await;
    /// assert_eq!(test::text(response).await, "1\n2\n3\n");
    /// # });
    /// ```
    ///
    /// The maker runs after the handler and all plugs, owns what it needs, and is at most one part ahead of
    /// the wire. It is polled by whoever sends the body: when the client goes away it is dropped at its next
    /// await, and what it has begun and must finish belongs into
    /// [`shield`](simurgh_runtime::shield). An error, and a panic, cut the answer off, so that the client does
    /// not take it for whole. The length is not known, so that HTTP/1.1 sends it chunked (RFC 9112, 7.1);
    /// with a known one there is [`stream_sized`](Self::stream_sized).
    ///
    /// The type is `application/octet-stream` unless one was set before.
    pub fn stream<F, R>(&mut self, make: F)
    where
        F: FnOnce(Chunks) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        self.respond_with(HeaderValue::from_static("application/octet-stream"), Body::stream(make));
    }

    /// The same with a length in bytes that is known before. Parts that make more or less of it cut the
    /// answer off.
    pub fn stream_sized<F, R>(&mut self, len: u64, make: F)
    where
        F: FnOnce(Chunks) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        self.respond_with(HeaderValue::from_static("application/octet-stream"), Body::sized(len, make));
    }
}
