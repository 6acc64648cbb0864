//! A WebSocket on a stream of bytes.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, future::Future};

use bytes::{Buf, BufMut, BytesMut};
use simurgh_runtime::time::Alarm;
use simurgh_runtime::{Instant, planted, random};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{
    CloseCode, CloseFrame, Codec, DeflateParams, Event, Message, Options, Prepared, ProtocolError, SendError, spare,
};

/// Bytes that are read at once, on the stack, when nothing of a message is there: a socket whose peer is silent
/// has no buffer.
const READ_LEN: usize = 4 << 10;

/// Slices of one vectored write.
const SLICES: usize = 32;

/// Bytes of a peer that failed which are thrown away, so that no reset overtakes the close frame.
const LINGER_LEN_MAX: usize = 1 << 20;

/// Why a socket is of no more use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The connection broke.
    #[error("the WebSocket's connection broke")]
    Io(#[from] io::Error),
    /// The peer broke the protocol's rules; it has been told with a close frame.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A message was not sent. The connection is as it was, and other messages may be.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The peer ended the connection without a close frame (1006).
    #[error("the peer went away without a close frame")]
    Gone,
    /// The peer has been silent for too long.
    #[error("the peer was silent for {} ms (ws::Options::idle_timeout)", limit.as_millis())]
    TimedOut {
        /// For how long it may be.
        limit: Duration,
    },
}

impl SocketError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "ws.io",
            Self::Protocol(error) => error.code(),
            Self::Send(error) => error.code(),
            Self::Gone => "ws.gone",
            Self::TimedOut { .. } => "ws.timeout",
        }
    }
}

/// A WebSocket after its handshake, on any stream of bytes: [`Codec`] and the loop around it.
///
/// Pings and closes are answered while [`recv`](Self::recv) waits. What is [fed](Self::feed) goes out with the next
/// flush, all in one write; `recv` flushes before it waits, so that answers to a burst of messages leave together.
/// Every method can be given up half-way (in a `select!`) and loses nothing.
///
/// Between messages it owns no buffer. It is dropped without a word: the peer then sees the connection end, which is
/// 1006; [`close`](Self::close) is the polite way.
///
/// ```
/// use simurgh_http::ws::{CloseCode, Message, Options, Socket};
///
/// simurgh_runtime::run("doc", async {
///     let (here, there) = tokio::io::duplex(1_024); // any AsyncRead + AsyncWrite
///     let mut server = Socket::server(here, &Options::default(), None, None);
///     let mut client = Socket::client(there, &Options::default(), None, None);
///     client.feed(Message::text("one"))?;
///     client.feed(Message::text("two"))?;
///     client.flush().await?;
///     assert_eq!(server.recv().await?, Some(Message::text("one")));
///     assert_eq!(server.recv().await?, Some(Message::text("two")));
///
///     let (closed, last) = simurgh_runtime::join!(client.close(CloseCode::NORMAL, "done"), server.recv());
///     assert!(closed.is_ok() && last?.is_none());
///     assert_eq!(server.peer_close().unwrap().reason.as_str(), "done");
///     Ok::<(), simurgh_http::ws::SocketError>(())
/// })
/// .unwrap();
/// ```
pub struct Socket<T> {
    io: T,
    codec: Codec,
    input: BytesMut,
    alarm: Alarm,
    /// Since when the present limit counts.
    since: Option<Instant>,
    idle_timeout: Option<Duration>,
    close_timeout: Duration,
    poll_draining: Option<fn(&mut T, &mut Context<'_>) -> Poll<()>>,
    protocol: Option<Box<str>>,
    rare: Option<Box<Rare>>,
    end: End,
}

/// What only the end of a socket needs.
#[derive(Debug, Default)]
struct Rare {
    peer_close: Option<CloseFrame>,
    failure: Option<ProtocolError>,
    thrown_away: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Frames may come.
    NotYet,
    /// Ours: the output, then our side of the stream.
    Saying,
    /// Theirs: a client waits for the server to end the connection (RFC 6455, 7.1.1), and a failed peer may be talking.
    Hearing,
    Over,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket<T> {
    /// The server's side, after [the handshake](super::handshake::ServerHandshake) by other means than
    /// [`upgrade`](super::upgrade).
    pub fn server(io: T, options: &Options, deflate: Option<DeflateParams>, protocol: Option<Box<str>>) -> Self {
        Self::new(io, Codec::server(options.config.clone(), deflate), options, protocol)
    }

    /// The client's side, after [the handshake](super::handshake::ClientHandshake) by other means than
    /// [`connect`](super::connect).
    pub fn client(io: T, options: &Options, deflate: Option<DeflateParams>, protocol: Option<Box<str>>) -> Self {
        Self::new(io, Codec::client(options.config.clone(), deflate, mask_key), options, protocol)
    }

    fn new(io: T, codec: Codec, options: &Options, protocol: Option<Box<str>>) -> Self {
        Self {
            io,
            codec,
            input: BytesMut::new(),
            alarm: Alarm::default(),
            since: None,
            idle_timeout: options.idle_timeout,
            close_timeout: options.close_timeout,
            poll_draining: None,
            protocol,
            rare: None,
            end: End::NotYet,
        }
    }

    /// Says goodbye once the stream's server drains.
    pub(crate) fn leaves_on_drain(
        mut self,
        poll_draining: fn(&mut T, &mut Context<'_>) -> Poll<()>,
        options: &Options,
    ) -> Self {
        self.poll_draining = options.close_on_drain.then_some(poll_draining);
        self
    }

    /// The same on another stream, made of the one that it is on.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Socket<U> {
        Socket {
            io: make(self.io),
            codec: self.codec,
            input: self.input,
            alarm: self.alarm,
            since: self.since,
            idle_timeout: self.idle_timeout,
            close_timeout: self.close_timeout,
            poll_draining: None,
            protocol: self.protocol,
            rare: self.rare,
            end: self.end,
        }
    }

    /// Bytes that were read with the handshake.
    pub(crate) fn push_front(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// What the peer said when it closed; nothing if it has not, or said nothing.
    pub fn peer_close(&self) -> Option<&CloseFrame> {
        self.rare.as_ref()?.peer_close.as_ref()
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.codec.is_open()
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The stream, to ask it about its connection; what is read from it is lost to the socket.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// As [`flush`](Self::flush), for a future of one's own.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.poll_write_out(cx).map_err(Into::into)
    }

    /// The next message; nothing once both sides have closed, and ever after.
    ///
    /// # Errors
    /// [`SocketError::Protocol`] once the peer has been told, [`SocketError::Gone`], [`SocketError::TimedOut`],
    /// [`SocketError::Io`]: none of them leaves anything to do with the socket but to drop it.
    pub async fn recv(&mut self) -> Result<Option<Message>, SocketError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for a future of one's own.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, SocketError>> {
        loop {
            if self.end != End::NotYet {
                return self.poll_end(cx);
            }
            match self.codec.feed(&mut self.input) {
                Ok(Some(Event::Message(_))) if planted!("ws.close-race") && !self.codec.is_open() => continue,
                Ok(Some(Event::Message(message))) => return Poll::Ready(Ok(Some(message))),
                Ok(Some(Event::Close(frame))) => {
                    self.rare().peer_close = frame;
                    continue;
                }
                Ok(Some(_)) => continue, // pings are answered
                Ok(None) => {}
                Err(error) => self.rare().failure = Some(error),
            }
            if self.codec.is_closed() {
                self.since = Some(Instant::now());
                self.end = End::Saying;
                continue;
            }
            if let Some(poll_draining) = self.poll_draining
                && poll_draining(&mut self.io, cx).is_ready()
            {
                self.poll_draining = None;
                self.begin_close(CloseCode::GOING_AWAY, "")?;
            }
            // Whether or not the peer reads, what it says is heard.
            let _ = self.poll_write_out(cx)?;
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(SocketError::Gone)),
                Poll::Ready(Ok(_)) if self.codec.is_open() => self.since = self.idle_timeout.map(|_| Instant::now()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    let Some(limit) = self.limit() else { return Poll::Pending };
                    ready!(self.poll_late(limit, cx));
                    return Poll::Ready(Err(SocketError::TimedOut { limit }));
                }
            }
        }
    }

    /// Puts a message into the output; it goes out with the next [`flush`](Self::flush) or `recv`.
    ///
    /// # Errors
    /// If the connection is closing, or the peer reads so slowly that too much waits already.
    pub fn feed(&mut self, message: Message) -> Result<(), SendError> {
        self.codec.send(message)
    }

    /// As [`feed`](Self::feed), of a message that is encoded once for many.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.codec.shared(prepared)
    }

    /// As [`feed`](Self::feed), of a ping with at most 125 bytes.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn feed_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.codec.ping(payload)
    }

    /// Writes all that was fed.
    ///
    /// # Errors
    /// [`SocketError::Io`].
    pub async fn flush(&mut self) -> Result<(), SocketError> {
        poll_fn(|cx| self.poll_write_out(cx)).await.map_err(Into::into)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As [`feed`](Self::feed) and [`flush`](Self::flush).
    pub async fn send(&mut self, message: Message) -> Result<(), SocketError> {
        self.feed(message)?;
        self.flush().await
    }

    /// Sends a message that is encoded once for many.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SocketError> {
        self.feed_prepared(prepared)?;
        self.flush().await
    }

    /// Says that nothing more will be sent. What the peer has still to say comes by [`recv`](Self::recv), which gives
    /// nothing once it has closed too.
    ///
    /// # Errors
    /// If the code or the reason cannot be sent. It is no error if a side has closed already.
    pub fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let frame = (code != CloseCode::NO_STATUS).then(|| CloseFrame::new(code, reason));
        match self.codec.close(frame) {
            Ok(()) => {
                self.since = Some(Instant::now());
                Ok(())
            }
            Err(SendError::Closing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Says goodbye, throws away what the peer still says, and waits for its goodbye.
    ///
    /// # Errors
    /// As [`begin_close`](Self::begin_close) and [`recv`](Self::recv).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SocketError> {
        self.begin_close(code, reason)?;
        while self.recv().await?.is_some() {}
        Ok(())
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// How long the peer may be silent now.
    fn limit(&self) -> Option<Duration> {
        if self.codec.is_open() { self.idle_timeout } else { Some(self.close_timeout) }
    }

    /// Ready once `limit` has passed.
    fn poll_late(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let deadline = *self.since.get_or_insert(now) + limit;
        self.alarm.poll(deadline, now, cx)
    }

    /// Both sides have closed, or the peer has failed: says so to the end, and waits for the connection's end if that is
    /// the peer's affair.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, SocketError>> {
        if self.end != End::Over {
            let ended = self.poll_say_and_hear(cx);
            if ended.is_pending() && self.poll_late(self.close_timeout, cx).is_pending() {
                return Poll::Pending;
            }
            // That the peer is gone already, or late, is no concern of a connection that is over.
            self.end = End::Over;
            self.input = BytesMut::new();
            self.alarm.clear();
        }
        Poll::Ready(self.rare().failure.take().map_or(Ok(None), |failure| Err(failure.into())))
    }

    fn poll_say_and_hear(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end == End::Saying {
            ready!(self.poll_write_out(cx))?;
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.end = End::Hearing;
        }
        let has_failed = self.rare().failure.is_some();
        if !has_failed && !self.codec.is_client() {
            return Poll::Ready(Ok(()));
        }
        while self.rare().thrown_away < LINGER_LEN_MAX {
            self.input.clear();
            match ready!(self.poll_fill(cx))? {
                0 => break,
                len => self.rare().thrown_away += len,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that waits, as much as possible with one call.
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let output = self.codec.output();
        if !output.has_remaining() {
            return Poll::Ready(Ok(()));
        }
        while output.has_remaining() {
            let io = Pin::new(&mut self.io);
            let written = if output.chunk().len() < output.remaining() && io.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = output.chunks_vectored(&mut slices);
                ready!(io.poll_write_vectored(cx, &slices[..count]))?
            } else {
                ready!(io.poll_write(cx, output.chunk()))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // All of a chunk, however little of it was taken.
            let forgotten = if planted!("ws.short-write") { output.chunk().len() } else { 0 };
            output.advance(written.max(forgotten));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Reads once. When nothing of a message is there it reads into the stack, so that waiting takes no buffer.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if planted!("ws.short-read") {
            self.input.clear(); // as if a frame came whole or not at all
        }
        let room = self.codec.room(&self.input);
        if !self.input.is_empty() || room > READ_LEN {
            self.input.reserve(room);
            return pin!(self.io.read_buf(&mut (&mut self.input).limit(room))).poll(cx);
        }
        let mut space = [const { MaybeUninit::uninit() }; READ_LEN];
        let mut buffer = ReadBuf::uninit(&mut space);
        let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(cx, &mut buffer) else {
            spare::give(&mut self.input);
            return Poll::Pending;
        };
        read?;
        if self.input.capacity() == 0 {
            self.input = spare::take(buffer.filled().len());
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<T: fmt::Debug> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("io", &self.io).field("codec", &self.codec).finish_non_exhaustive()
    }
}

/// RFC 6455, 10.3: nobody may guess it.
fn mask_key() -> [u8; 4] {
    let mut key = [0; 4];
    random::fill(&mut key);
    key
}
