//! One accepted connection, as its process sees it.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use simurgh_runtime::net::TcpStream;
use simurgh_runtime::time::Alarm;
use simurgh_runtime::{Instant, planted};
use simurgh_telemetry::event;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use crate::table::{ConnectionShared, ConnectionState, Shared};

/// Serves connections. Every `async fn(Connection) -> io::Result<()>` is one.
pub trait Handler: Send + Sync + 'static {
    /// Serves one connection; its end is the connection's. A panic or an error ends this one only.
    fn handle(&self, connection: Connection) -> impl Future<Output = io::Result<()>> + Send;
}

impl<F, R> Handler for F
where
    F: Fn(Connection) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<()>> + Send,
{
    fn handle(&self, connection: Connection) -> impl Future<Output = io::Result<()>> + Send {
        self(connection)
    }
}

/// A connection: a byte stream with time limits. Dropping it closes it.
///
/// Reads that wait too long fail with [`io::ErrorKind::TimedOut`]. One [`Alarm`] serves all limits, and is asked
/// when a read or write has to wait.
pub struct Connection {
    stream: TcpStream,
    shared: Arc<ConnectionShared>,
    limits: Limits,
    alarm: Alarm,
    read_waits_since: Option<Instant>,
    last_byte: Option<Instant>,
    drain_waker: Option<Waker>,
}

#[derive(Clone, Copy)]
struct Limits {
    handshake: Duration,
    read: Duration,
    idle: Option<Duration>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, (listener, shared): (&Shared, Arc<ConnectionShared>)) -> Self {
        let options = &listener.options;
        let limits =
            Limits { handshake: options.handshake_timeout, read: options.read_timeout, idle: options.idle_timeout };
        Self {
            stream,
            shared,
            limits,
            alarm: Alarm::default(),
            read_waits_since: None,
            last_byte: None,
            drain_waker: None,
        }
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.shared.peer
    }

    /// Our end's address.
    ///
    /// # Errors
    /// If the connection is gone already.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The number of the connection, counted from the listener's start.
    pub fn number(&self) -> u64 {
        self.shared.number
    }

    /// The handshake is done, whatever has been read: from now on the read limit holds.
    pub fn handshaken(&self) {
        self.shared.set_state(ConnectionState::Active);
    }

    /// Waits until a read would not wait: bytes, the end, or an error are there. A handler that waits
    /// here needs no buffer while its peer is silent.
    ///
    /// # Errors
    /// `TimedOut`, as a read.
    pub async fn readable(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// Ready once a read would not wait.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.poll_read_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready),
            Poll::Pending => self.poll_read_waits(cx),
        }
    }

    /// A read has to wait: since when, and not too long.
    fn poll_read_waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.limits.read != Duration::MAX {
            self.read_waits_since.get_or_insert_with(Instant::now);
        }
        self.poll_limits(cx).map(Err)
    }

    /// Waits until the listener drains: time to finish and return.
    pub async fn draining(&mut self) {
        poll_fn(|cx| self.poll_draining(cx)).await;
    }

    /// Ready once the listener drains.
    pub fn poll_draining(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_draining(&self.shared, &mut self.drain_waker, cx)
    }

    /// The same, for who has the connection in other hands.
    pub fn drain_signal(&self) -> DrainSignal {
        DrainSignal { shared: Arc::clone(&self.shared), waker: None }
    }

    /// When the limit that comes first is up; none if nothing is limited now.
    fn deadline(&self) -> Option<Instant> {
        let state = self.shared.state();
        let reading = match (state, self.read_waits_since) {
            (ConnectionState::Active, Some(since)) => Some(since + self.limits.read),
            (ConnectionState::Active, None) => None,
            (ConnectionState::Accepted | ConnectionState::Handshake, _) => {
                Some(self.shared.since + self.limits.handshake)
            }
        };
        let idle = self.limits.idle.map(|idle| self.last_byte.unwrap_or(self.shared.since) + idle);
        reading.into_iter().chain(idle).min()
    }

    /// Ready, with an error, once a limit is up. Called when a read or write has to wait.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.deadline() else {
            self.alarm.clear();
            return Poll::Pending;
        };
        ready!(self.alarm.poll(deadline, Instant::now(), cx));
        let what = if self.shared.state() == ConnectionState::Active {
            "waited too long for the peer"
        } else {
            "no first byte in time"
        };
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what))
    }

    fn note_bytes(&mut self, counter: impl Fn(&ConnectionShared) -> &AtomicU64, count: usize) {
        let counter = counter(&self.shared);
        // One writer, so no read-modify-write is needed.
        counter.store(counter.load(Ordering::Relaxed) + count as u64, Ordering::Relaxed);
        if self.limits.idle.is_some() {
            self.last_byte = Some(Instant::now());
        }
    }
}

/// Tells a connection's process that the listener drains. It is the one process of the connection that waits, here or
/// at the [`Connection`].
pub struct DrainSignal {
    shared: Arc<ConnectionShared>,
    waker: Option<Waker>,
}

impl DrainSignal {
    /// Ready once the listener drains.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_draining(&self.shared, &mut self.waker, cx)
    }
}

impl std::fmt::Debug for DrainSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DrainSignal({})", self.shared.number)
    }
}

/// Ready once the listener drains. The waker seldom changes; only then is the shared place locked.
fn poll_draining(shared: &ConnectionShared, known: &mut Option<Waker>, cx: &mut Context<'_>) -> Poll<()> {
    if shared.is_draining() {
        return Poll::Ready(());
    }
    if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
        *known = Some(cx.waker().clone());
        shared.wake_on_drain(cx.waker());
        if shared.is_draining() {
            return Poll::Ready(());
        }
    }
    Poll::Pending
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, into) {
            Poll::Ready(Ok(())) => {
                let count = into.filled().len() - before;
                self.read_waits_since = None;
                if count > 0 {
                    self.note_bytes(|shared| &shared.bytes_in, count);
                    if self.shared.state() != ConnectionState::Active {
                        self.shared.set_state(ConnectionState::Active);
                    }
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_read_waits(cx),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, from) {
            Poll::Ready(Ok(count)) => {
                self.note_bytes(|shared| &shared.bytes_out, count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_limits(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, from) {
            Poll::Ready(Ok(count)) => {
                self.note_bytes(|shared| &shared.bytes_out, count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_limits(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} from {})", self.shared.number, self.shared.peer)
    }
}

/// A connection's stay at its listener: gives back its slot, its address's count and its place in
/// the table when it is dropped, which every way for a process to end does.
pub(crate) struct Stay {
    listener: Arc<Shared>,
    connection: Arc<ConnectionShared>,
    slot: Option<OwnedSemaphorePermit>,
    admitted: bool,
    ended: Option<&'static str>,
}

impl Stay {
    pub(crate) fn new(listener: Arc<Shared>, connection: Arc<ConnectionShared>, slot: OwnedSemaphorePermit) -> Self {
        Self { listener, connection, slot: Some(slot), admitted: false, ended: None }
    }

    /// Whether the peer's address may have this connection too.
    pub(crate) async fn admit(&mut self) -> bool {
        let peer = self.connection.peer;
        self.connection.set_state(ConnectionState::Handshake);
        let Some(from_address) = self.listener.admit(peer.ip()).await else {
            self.listener.refused.fetch_add(1, Ordering::Relaxed);
            self.ended = Some("refused");
            event!("net.connection.refused", { count: 1 }, { connection: self.connection.number });
            return false;
        };
        self.admitted = true;
        event!("net.connection.start", { active: self.listener.count(), from_address: from_address }, {
            connection: self.connection.number,
            max_connections: self.listener.options.max_connections,
            max_per_address: self.listener.options.max_per_address,
        });
        true
    }

    pub(crate) fn connection(&self) -> (&Shared, Arc<ConnectionShared>) {
        (&self.listener, Arc::clone(&self.connection))
    }

    /// The handler has returned.
    pub(crate) fn ended(&mut self, error: Option<&io::Error>) {
        self.ended = Some(match error.map(io::Error::kind) {
            None => "closed",
            Some(io::ErrorKind::TimedOut) => "timeout",
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "reset",
            Some(_) => "error",
        });
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let interrupted = if std::thread::panicking() { "panic" } else { "kill" };
        let reason = self.ended.unwrap_or(interrupted);
        let forgets = (planted!("net.count-not-decremented") && reason == "reset")
            || (planted!("net.kill-leaves-entry") && reason == "kill");
        if self.admitted {
            self.listener.dismiss(self.connection.peer.ip());
        }
        let active = if forgets { self.listener.count() } else { self.listener.leave(self.connection.number) };
        drop(self.slot.take());
        if !self.admitted {
            return; // it never started: refused, or killed before
        }
        event!("net.connection.stop", {
            duration_ns: self.connection.since.elapsed().as_nanos(),
            bytes_in: self.connection.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.connection.bytes_out.load(Ordering::Relaxed),
            active: active,
        }, { connection: self.connection.number, reason: reason });
    }
}
