//! Bodies: what a request brings along and what a response takes with it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use thiserror::Error;
use tokio::sync::mpsc;

/// Whoever makes the body's parts is this far ahead of the wire.
const CHUNKS_AHEAD: usize = 1;

type Boxed = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A body: nothing, bytes that are there, or a stream.
///
/// ```
/// use simurgh_http::Body;
///
/// # simurgh_runtime::run("doc", async {
/// let body = Body::stream(|mut chunks| async move {
///     chunks.send("one, ").await?;
///     chunks.send("two").await
/// });
/// assert_eq!(body.collect(1_024).await.unwrap(), "one, two");
/// # });
/// ```
pub struct Body(Kind);

enum Kind {
    /// What is left of the bytes; empty when they were taken.
    Bytes(Bytes),
    Stream(Boxed),
}

/// Why a body came to no good end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It has more bytes than are allowed.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// Its next part did not come in time.
    #[error("the body's next part did not come in time")]
    TimedOut,
    /// The other side went away in the middle of it.
    #[error("the peer went away before the body's end")]
    Gone,
    /// It is not what its headers promise.
    #[error("the body is malformed: {0}")]
    Malformed(String),
    /// Whoever makes it failed.
    #[error("the body's source failed: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BodyError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body_too_large",
            Self::TimedOut => "body_timeout",
            Self::Gone => "body_gone",
            Self::Malformed(_) => "body_malformed",
            Self::Source(_) => "body_source",
        }
    }

    /// What a client is told; the connection ends after it, since the rest of the body is not read.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::TooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            Self::TimedOut => http::StatusCode::REQUEST_TIMEOUT,
            Self::Gone | Self::Malformed(_) => http::StatusCode::BAD_REQUEST,
            Self::Source(_) => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Infallible> for BodyError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Kind::Bytes(Bytes::new()))
    }

    /// Any other body.
    pub fn new(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self(Kind::Stream(Box::pin(body)))
    }

    /// Another library's body; what fails in it is the source's failure.
    pub fn from_any<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::new(Foreign(Box::pin(body)))
    }

    /// A body whose parts are made one after the other while it is sent, at most one ahead of the wire. What makes them is
    /// no task of its own: it is polled by whoever sends the body, and dropped with it when the client
    /// goes away. Sent chunked, as its length is not known; an error cuts the response off, so that the
    /// client does not take it for complete.
    pub fn stream<F, R>(make: F) -> Self
    where
        F: FnOnce(Chunks) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let maker = Box::pin(make(Chunks { sender }));
        Self::new(Made { maker: Some(maker), receiver, failed: None })
    }

    /// The bytes, if they are all there.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Bytes(bytes) => Some(bytes),
            Kind::Stream(_) => None,
        }
    }

    /// Whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.is_end_stream() || self.size_hint().exact() == Some(0)
    }

    /// The next part; none at the end. Trailers are skipped.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await?;
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// All of it, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] before more than that was kept, and whatever ends the body early.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let too_large = || BodyError::TooLarge { limit: limit as u64 };
        if self.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let Some(first) = self.chunk().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() > limit {
            return Err(too_large());
        }
        let Some(second) = self.chunk().await.transpose()? else { return Ok(first) };
        let mut all = BytesMut::with_capacity(self.room_for(first.len() + second.len(), limit));
        all.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(part) = next {
            if all.len() + part.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&part);
            next = self.chunk().await.transpose()?;
        }
        Ok(all.freeze())
    }

    /// What to reserve once `here` bytes are here: what is promised, but a promise costs nothing, so
    /// never more than four times what came.
    fn room_for(&self, here: usize, limit: usize) -> usize {
        let promised = usize::try_from(self.size_hint().lower()).unwrap_or(usize::MAX);
        here.saturating_add(promised.min(here * 3)).min(limit)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Stream(stream) => write!(f, "Body(stream, {:?})", stream.size_hint()),
        }
    }
}

/// Where the parts of a [streamed](Body::stream) body go.
#[derive(Debug)]
pub struct Chunks {
    sender: mpsc::Sender<Bytes>,
}

impl Chunks {
    /// Sends a part, and waits while the one before it has not been taken. Empty parts are left out.
    ///
    /// # Errors
    /// [`BodyError::Gone`] if nobody takes the body any more.
    pub async fn send(&mut self, part: impl Into<Bytes>) -> Result<(), BodyError> {
        let part = part.into();
        if part.is_empty() {
            return Ok(());
        }
        self.sender.send(part).await.map_err(|_| BodyError::Gone)
    }
}

/// Another library's body.
struct Foreign<B>(Pin<Box<B>>);

impl<B> HttpBody for Foreign<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.as_mut().poll_frame(cx).map_err(|error| BodyError::Source(error.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A body that is being made.
struct Made<R> {
    maker: Option<Pin<Box<R>>>,
    receiver: mpsc::Receiver<Bytes>,
    /// How the maker failed, until it is said.
    failed: Option<BodyError>,
}

impl<R: Future<Output = Result<(), BodyError>> + Send> HttpBody for Made<R> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(Some(part)) = this.receiver.poll_recv(cx) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if let Some(maker) = &mut this.maker
            && let Poll::Ready(outcome) = maker.as_mut().poll(cx)
        {
            this.maker = None;
            this.failed = outcome.err();
        }
        // An error comes after the parts that were made before it.
        match ready!(this.receiver.poll_recv(cx)) {
            Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
            None => Poll::Ready(this.failed.take().map(Err)),
        }
    }
}

impl Body {
    /// A [stream](Self::stream) whose length is known before it is made, so that it is sent with a
    /// `content-length`. One that turns out longer or shorter fails, and the response is cut off.
    ///
    /// ```
    /// use simurgh_http::Body;
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let body = Body::sized(5, |mut chunks| async move { chunks.send("hello").await });
    /// assert_eq!(body.collect(5).await.unwrap(), "hello");
    /// let body = Body::sized(6, |mut chunks| async move { chunks.send("hello").await });
    /// assert!(body.collect(6).await.is_err());
    /// # });
    /// ```
    pub fn sized<F, R>(len: u64, make: F) -> Self
    where
        F: FnOnce(Chunks) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        if len == 0 {
            return Self::empty();
        }
        Self::new(Sized { body: Self::stream(make), left: len })
    }
}

/// A body that is as long as was said.
struct Sized {
    body: Body,
    left: u64,
}

impl HttpBody for Sized {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let len = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => return Poll::Ready(frame),
            None if self.left == 0 => return Poll::Ready(None),
            None => {
                self.left = 0;
                return Poll::Ready(Some(Err(BodyError::Source("the body is shorter than was said".into()))));
            }
        };
        match self.left.checked_sub(len) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(BodyError::Source("the body is longer than was said".into())))),
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
        simurgh_runtime::run("test", body)
    }

    fn counted(parts: usize, then: Result<(), BodyError>) -> Body {
        Body::stream(move |mut chunks| async move {
            for number in 0..parts {
                chunks.send(format!("{number} ")).await?;
            }
            then
        })
    }

    #[test]
    fn what_is_made_arrives_in_order_and_ends() {
        assert_eq!(run(counted(5, Ok(())).collect(100)).unwrap(), "0 1 2 3 4 ");
        assert_eq!(run(counted(0, Ok(())).collect(100)).unwrap(), "");
    }

    #[test]
    fn a_failing_maker_ends_the_body_after_its_parts() {
        run(async {
            let mut body = counted(2, Err(BodyError::Malformed("no".into())));
            assert_eq!(body.chunk().await.unwrap().unwrap(), "0 ");
            assert_eq!(body.chunk().await.unwrap().unwrap(), "1 ");
            assert!(matches!(body.chunk().await, Some(Err(BodyError::Malformed(_)))));
            assert!(body.chunk().await.is_none());
        });
    }

    #[test]
    fn a_limit_is_exact() {
        run(async {
            assert_eq!(Body::from("12345").collect(5).await.unwrap(), "12345");
            assert!(matches!(Body::from("123456").collect(5).await, Err(BodyError::TooLarge { limit: 5 })));
            assert_eq!(counted(3, Ok(())).collect(6).await.unwrap(), "0 1 2 ");
            assert!(matches!(counted(3, Ok(())).collect(5).await, Err(BodyError::TooLarge { limit: 5 })));
        });
    }

    #[test]
    fn a_length_that_was_said_is_kept() {
        let sized = |len| {
            run(async move {
                Body::sized(len, |mut chunks| async move {
                    chunks.send("ab").await?;
                    chunks.send("cd").await
                })
                .collect(10)
                .await
                .ok()
            })
        };
        assert_eq!(sized(4).unwrap(), "abcd");
        assert_eq!([sized(3), sized(5)], [None, None]);
    }
}
