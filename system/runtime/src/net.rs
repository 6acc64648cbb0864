//! TCP: listeners and streams.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use crate::sim;

/// Options for listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindOptions {
    /// How many connections may wait to be accepted. The kernel may lower it (`net.core.somaxconn`).
    pub backlog: u32,
    /// Several sockets may listen on the same port, and the kernel shares out connections.
    pub reuse_port: bool,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self { backlog: 1024, reuse_port: false }
    }
}

/// A socket that accepts connections.
pub struct TcpListener {
    arm: ListenerArm,
}

enum ListenerArm {
    Real(tokio::net::TcpListener),
    Sim(Box<dyn sim::Listener>),
}

impl TcpListener {
    /// Listens on `addr` with the default options; port 0 takes a free one.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        Self::bind_with(addr, BindOptions::default()).await
    }

    /// Listens on `addr`; port 0 takes a free one. The address may be reused at once after a restart.
    #[allow(clippy::unused_async)] // a runtime may have to wait here
    pub async fn bind_with(addr: SocketAddr, options: BindOptions) -> io::Result<Self> {
        if let Some(listener) = sim::world(|world| world.listen(addr, options.backlog)) {
            return Ok(Self { arm: ListenerArm::Sim(listener?) });
        }
        let socket = if addr.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(options.reuse_port)?;
        socket.bind(addr)?;
        Ok(Self { arm: ListenerArm::Real(socket.listen(options.backlog)?) })
    }

    /// A listener that was inherited, from a service manager or an older process.
    ///
    /// # Errors
    /// If the descriptor is not a listening TCP socket, or in a simulation, where there are none.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        no_descriptors()?;
        let listener = std::net::TcpListener::from(fd);
        listener.set_nonblocking(true)?;
        Ok(Self { arm: ListenerArm::Real(tokio::net::TcpListener::from_std(listener)?) })
    }

    /// The listener's descriptor, to hand on.
    ///
    /// # Errors
    /// In a simulation, where there are none.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        match self.arm {
            ListenerArm::Real(listener) => Ok(listener.into_std()?.into()),
            ListenerArm::Sim(_) => Err(unsupported()),
        }
    }

    /// The listener's descriptor, to look at.
    ///
    /// # Errors
    /// In a simulation, where there are none.
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        match &self.arm {
            ListenerArm::Real(listener) => Ok(listener.as_fd()),
            ListenerArm::Sim(_) => Err(unsupported()),
        }
    }

    /// The next connection and who made it. Dropping the future loses no connection.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`TcpListener::accept`], for hand-written futures.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &mut self.arm {
            ListenerArm::Real(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, peer)| (TcpStream { arm: StreamArm::Real(stream) }, peer))
            }
            ListenerArm::Sim(listener) => {
                let coop = ready!(coop::poll_proceed(cx));
                let accepted = ready!(listener.poll_accept(cx));
                coop.made_progress();
                Poll::Ready(accepted.map(|(stream, peer)| (TcpStream { arm: StreamArm::Sim(stream) }, peer)))
            }
        }
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.arm {
            ListenerArm::Real(listener) => listener.local_addr(),
            ListenerArm::Sim(listener) => listener.local_addr(),
        }
    }
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a simulated socket has no file descriptor")
}

fn no_descriptors() -> io::Result<()> {
    if sim::is_simulated() { Err(unsupported()) } else { Ok(()) }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpListener").field(&self.local_addr().ok()).finish()
    }
}

/// A connection: [`AsyncRead`] and [`AsyncWrite`]. Dropping it closes it.
///
/// ```
/// use simurgh_runtime::net::{TcpListener, TcpStream};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// simurgh_runtime::run("doc", async {
///     let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _peer) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     client.shutdown().await?;
///     let mut said = String::new();
///     server.read_to_string(&mut said).await?;
///     assert_eq!(said, "hello");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct TcpStream {
    arm: StreamArm,
}

enum StreamArm {
    Real(tokio::net::TcpStream),
    Sim(Box<dyn sim::Stream>),
}

impl TcpStream {
    /// Connects to `addr`.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let Some(mut connect) = sim::world(|world| world.connect(addr)) else {
            return Ok(Self { arm: StreamArm::Real(tokio::net::TcpStream::connect(addr).await?) });
        };
        let stream = poll_fn(|cx| with_budget(cx, |cx| connect.poll_connect(cx))).await?;
        Ok(Self { arm: StreamArm::Sim(stream) })
    }

    /// Waits until a read would not wait: bytes, the end, or an error are there.
    #[inline]
    pub async fn readable(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    /// Ready once a read would not wait.
    #[inline]
    pub fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            StreamArm::Real(stream) => stream.poll_read_ready(cx),
            StreamArm::Sim(stream) => with_budget(cx, |cx| stream.poll_read_ready(cx)),
        }
    }

    /// Ready once a write would not wait.
    #[inline]
    pub fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            StreamArm::Real(stream) => stream.poll_write_ready(cx),
            StreamArm::Sim(stream) => with_budget(cx, |cx| stream.poll_write_ready(cx)),
        }
    }

    /// Reads what is there now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is.
    #[inline]
    pub fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.arm {
            StreamArm::Real(stream) => stream.try_read(into),
            StreamArm::Sim(stream) => at_once(stream.poll_read(&mut Context::from_waker(Waker::noop()), into)),
        }
    }

    /// Writes what fits now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing does.
    #[inline]
    pub fn try_write(&mut self, from: &[u8]) -> io::Result<usize> {
        match &mut self.arm {
            StreamArm::Real(stream) => stream.try_write(from),
            StreamArm::Sim(stream) => at_once(stream.poll_write(&mut Context::from_waker(Waker::noop()), from)),
        }
    }

    /// Sends small writes at once instead of gathering them.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.arm {
            StreamArm::Real(stream) => stream.set_nodelay(nodelay),
            StreamArm::Sim(stream) => stream.set_nodelay(nodelay),
        }
    }

    /// Whether small writes are sent at once.
    pub fn nodelay(&self) -> io::Result<bool> {
        match &self.arm {
            StreamArm::Real(stream) => stream.nodelay(),
            StreamArm::Sim(stream) => stream.nodelay(),
        }
    }

    /// Makes dropping the stream send a reset: the peer gets an error, not an end.
    pub fn set_zero_linger(&mut self) -> io::Result<()> {
        match &mut self.arm {
            StreamArm::Real(stream) => stream.set_zero_linger(),
            StreamArm::Sim(stream) => stream.set_zero_linger(),
        }
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.arm {
            StreamArm::Real(stream) => stream.local_addr(),
            StreamArm::Sim(stream) => stream.local_addr(),
        }
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.arm {
            StreamArm::Real(stream) => stream.peer_addr(),
            StreamArm::Sim(stream) => stream.peer_addr(),
        }
    }

    /// Two halves for two tasks. Dropping the writing half ends the stream for the peer; the
    /// connection closes when both are gone.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        match self.arm {
            StreamArm::Real(stream) => {
                let (read, write) = stream.into_split();
                (OwnedReadHalf { arm: ReadArm::Real(read) }, OwnedWriteHalf { arm: WriteArm::Real(write) })
            }
            StreamArm::Sim(mut stream) => {
                let read = stream.share();
                (OwnedReadHalf { arm: ReadArm::Sim(read) }, OwnedWriteHalf { arm: WriteArm::Sim(stream) })
            }
        }
    }
}

/// Calls a simulated operation as part of the task's budget, as tokio's own operations are.
#[inline]
fn with_budget<T>(cx: &mut Context<'_>, f: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let coop = ready!(coop::poll_proceed(cx));
    let value = ready!(f(cx));
    coop.made_progress();
    Poll::Ready(value)
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn sim_read(stream: &mut dyn sim::Stream, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    with_budget(cx, |cx| {
        let len = ready!(stream.poll_read(cx, into.initialize_unfilled()))?;
        into.advance(len);
        Poll::Ready(Ok(()))
    })
}

impl AsyncRead for TcpStream {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            StreamArm::Real(stream) => Pin::new(stream).poll_read(cx, into),
            StreamArm::Sim(stream) => sim_read(stream.as_mut(), cx, into),
        }
    }
}

impl AsyncWrite for TcpStream {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            StreamArm::Real(stream) => Pin::new(stream).poll_write(cx, from),
            StreamArm::Sim(stream) => with_budget(cx, |cx| stream.poll_write(cx, from)),
        }
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            StreamArm::Real(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            StreamArm::Sim(stream) => {
                let first = from.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
                with_budget(cx, |cx| stream.poll_write(cx, first))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self.arm, StreamArm::Real(_))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // a TCP stream holds nothing back
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            StreamArm::Real(stream) => Pin::new(stream).poll_shutdown(cx),
            StreamArm::Sim(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
        }
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}

/// The reading half of a stream.
pub struct OwnedReadHalf {
    arm: ReadArm,
}

enum ReadArm {
    Real(tokio::net::tcp::OwnedReadHalf),
    Sim(Box<dyn sim::Stream>),
}

/// The writing half of a stream.
pub struct OwnedWriteHalf {
    arm: WriteArm,
}

enum WriteArm {
    Real(tokio::net::tcp::OwnedWriteHalf),
    Sim(Box<dyn sim::Stream>),
}

impl AsyncRead for OwnedReadHalf {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            ReadArm::Real(half) => Pin::new(half).poll_read(cx, into),
            ReadArm::Sim(stream) => sim_read(stream.as_mut(), cx, into),
        }
    }
}

impl AsyncWrite for OwnedWriteHalf {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            WriteArm::Real(half) => Pin::new(half).poll_write(cx, from),
            WriteArm::Sim(stream) => with_budget(cx, |cx| stream.poll_write(cx, from)),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            WriteArm::Real(half) => Pin::new(half).poll_shutdown(cx),
            WriteArm::Sim(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
        }
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if let WriteArm::Sim(stream) = &mut self.arm {
            let _ = stream.shutdown(Shutdown::Write); // tokio's own half does the same
        }
    }
}

impl fmt::Debug for OwnedReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedReadHalf")
    }
}

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedWriteHalf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair() -> (TcpStream, TcpStream) {
        let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[test]
    fn dropping_the_writing_half_ends_the_stream_and_reading_goes_on() {
        crate::run("test", async {
            let (client, mut server) = pair().await;
            let (mut read, mut write) = client.into_split();
            write.write_all(b"question").await.unwrap();
            drop(write);
            let mut question = String::new();
            server.read_to_string(&mut question).await.unwrap();
            server.write_all(b"answer").await.unwrap();
            drop(server);
            let mut answer = String::new();
            read.read_to_string(&mut answer).await.unwrap();
            assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
        });
    }

    #[test]
    fn trying_does_not_wait() {
        crate::run("test", async {
            let (mut client, mut server) = pair().await;
            let mut buffer = [0; 8];
            assert_eq!(server.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            client.write_all(b"x").await.unwrap();
            poll_fn(|cx| server.poll_read_ready(cx)).await.unwrap();
            assert_eq!(server.try_read(&mut buffer).unwrap(), 1);
        });
    }

    #[test]
    fn a_listener_survives_the_way_through_its_descriptor() {
        crate::run("test", async {
            let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let mut inherited = TcpListener::from_fd(listener.into_fd().unwrap()).unwrap();
            assert_eq!(inherited.local_addr().unwrap(), addr);
            let client = TcpStream::connect(addr).await.unwrap();
            assert_eq!(inherited.accept().await.unwrap().1, client.local_addr().unwrap());
        });
    }
}
