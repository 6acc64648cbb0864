//! Connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::split::{OwnedReadHalf, OwnedWriteHalf};
use super::{at_once, raw, sim_read, sim_try_read, sim_write_vectored, with_budget};
use crate::sim;

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
    pub(super) fn real(stream: tokio::net::TcpStream) -> Self {
        Self { arm: StreamArm::Real(stream) }
    }

    pub(super) fn simulated(stream: Box<dyn sim::Stream>) -> Self {
        Self { arm: StreamArm::Sim(stream) }
    }

    /// Connects to `addr`.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let Some(mut connect) = sim::world(|world| world.connect(addr)) else {
            return tokio::net::TcpStream::connect(addr).await.map(Self::real);
        };
        poll_fn(|cx| with_budget(cx, |cx| connect.poll_connect(cx))).await.map(Self::simulated)
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

    /// Waits until a write would not wait: there is room, or an error.
    #[inline]
    pub async fn writable(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
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
            StreamArm::Real(stream) => raw::try_read(stream, into),
            StreamArm::Sim(stream) => sim_try_read(stream.as_mut(), into),
        }
    }

    /// Writes what fits now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing does.
    #[inline]
    pub fn try_write(&mut self, from: &[u8]) -> io::Result<usize> {
        match &mut self.arm {
            StreamArm::Real(stream) => raw::try_write(stream, from),
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
                (OwnedReadHalf::real(read), OwnedWriteHalf::real(write))
            }
            StreamArm::Sim(mut stream) => {
                let read = stream.share();
                (OwnedReadHalf::simulated(read), OwnedWriteHalf::simulated(stream))
            }
        }
    }
}

impl AsyncRead for TcpStream {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            StreamArm::Real(stream) => raw::poll_read(stream, cx, into),
            StreamArm::Sim(stream) => sim_read(stream.as_mut(), cx, into),
        }
    }
}

impl AsyncWrite for TcpStream {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            StreamArm::Real(stream) => raw::poll_write(stream, cx, from),
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
            StreamArm::Sim(stream) => sim_write_vectored(stream.as_mut(), cx, from),
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
