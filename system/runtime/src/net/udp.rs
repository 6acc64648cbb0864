//! Datagrams.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::ReadBuf;

use super::{at_once, with_budget};
use crate::sim;

/// A UDP socket: datagrams that may be lost, doubled, or overtake each other (RFC 768).
///
/// ```
/// use simurgh_runtime::net::UdpSocket;
///
/// simurgh_runtime::run("doc", async {
///     let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).await?;
///     let client = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"ping").await?;
///
///     let mut buffer = [0; 1500];
///     let (len, from) = server.recv_from(&mut buffer).await?;
///     server.send_to(&buffer[..len], from).await?;
///     assert_eq!(client.recv(&mut buffer).await?, 4);
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
///
/// A datagram holds at most 65,507 bytes over IPv4; one of up to 1,472 fits a common network's MTU of
/// 1,500 bytes. Larger ones travel in fragments and are lost with any of them, and some networks pass
/// no fragments at all. What the receiver's buffer has no room for is lost, and so is what comes while
/// the kernel's queue is full: nobody is told.
///
/// # Errors
/// A *connected* socket is told on its next call, with `ConnectionRefused`, that nobody had the port
/// open to which it sent before (ICMP port unreachable). A datagram that is too long is
/// `EMSGSIZE`. Sending without an address on a socket that is not connected is `EDESTADDRREQ`.
pub struct UdpSocket {
    arm: UdpArm,
}

enum UdpArm {
    Real(tokio::net::UdpSocket),
    Sim(Box<dyn sim::Udp>),
}

impl UdpSocket {
    /// Opens a socket on `addr`; port 0 takes a free one.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        if let Some(socket) = sim::world(|world| world.udp(addr)) {
            return Ok(Self { arm: UdpArm::Sim(socket?) });
        }
        Ok(Self { arm: UdpArm::Real(tokio::net::UdpSocket::bind(addr).await?) })
    }

    /// From now on, sends to `addr` and takes datagrams from there alone. Nothing is sent for it.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        match &self.arm {
            UdpArm::Real(socket) => socket.connect(addr).await,
            UdpArm::Sim(socket) => socket.connect(addr),
        }
    }

    /// Sends a datagram to where the socket is connected. Dropping the future sends nothing.
    pub async fn send(&self, from: &[u8]) -> io::Result<usize> {
        match &self.arm {
            UdpArm::Real(socket) => socket.send(from).await,
            UdpArm::Sim(socket) => poll_fn(|cx| with_budget(cx, |_| Poll::Ready(socket.send(from, None)))).await,
        }
    }

    /// Sends a datagram to `to`. Dropping the future sends nothing.
    pub async fn send_to(&self, from: &[u8], to: SocketAddr) -> io::Result<usize> {
        match &self.arm {
            UdpArm::Real(socket) => socket.send_to(from, to).await,
            UdpArm::Sim(socket) => poll_fn(|cx| with_budget(cx, |_| Poll::Ready(socket.send(from, Some(to))))).await,
        }
    }

    /// Takes the next datagram from where the socket is connected. Dropping the future loses none.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.arm {
            UdpArm::Real(socket) => socket.recv(into).await,
            UdpArm::Sim(_) => self.recv_from(into).await.map(|(len, _)| len),
        }
    }

    /// Takes the next datagram: its length, cut to that of `into`, and its sender. Dropping the future
    /// loses none.
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.arm {
            UdpArm::Real(socket) => socket.recv_from(into).await,
            UdpArm::Sim(socket) => poll_fn(|cx| with_budget(cx, |cx| socket.poll_recv(cx, into))).await,
        }
    }

    /// As [`UdpSocket::send_to`], for hand-written futures.
    pub fn poll_send_to(&self, cx: &mut Context<'_>, from: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        match &self.arm {
            UdpArm::Real(socket) => socket.poll_send_to(cx, from, to),
            UdpArm::Sim(socket) => with_budget(cx, |_| Poll::Ready(socket.send(from, Some(to)))),
        }
    }

    /// As [`UdpSocket::recv_from`], for hand-written futures.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        match &self.arm {
            UdpArm::Real(socket) => {
                let mut buffer = ReadBuf::new(into);
                let from = ready!(socket.poll_recv_from(cx, &mut buffer))?;
                Poll::Ready(Ok((buffer.filled().len(), from)))
            }
            UdpArm::Sim(socket) => with_budget(cx, |cx| socket.poll_recv(cx, into)),
        }
    }

    /// Sends a datagram now, to where the socket is connected.
    ///
    /// # Errors
    /// `WouldBlock` if the kernel has no room for it.
    pub fn try_send(&self, from: &[u8]) -> io::Result<usize> {
        match &self.arm {
            UdpArm::Real(socket) => socket.try_send(from),
            UdpArm::Sim(socket) => socket.send(from, None),
        }
    }

    /// Sends a datagram to `to`, now.
    ///
    /// # Errors
    /// `WouldBlock` if the kernel has no room for it.
    pub fn try_send_to(&self, from: &[u8], to: SocketAddr) -> io::Result<usize> {
        match &self.arm {
            UdpArm::Real(socket) => socket.try_send_to(from, to),
            UdpArm::Sim(socket) => socket.send(from, Some(to)),
        }
    }

    /// Takes a datagram that is there already.
    ///
    /// # Errors
    /// `WouldBlock` if none is.
    pub fn try_recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.arm {
            UdpArm::Real(socket) => socket.try_recv_from(into),
            UdpArm::Sim(socket) => at_once(socket.poll_recv(&mut Context::from_waker(Waker::noop()), into)),
        }
    }

    /// This socket's address, with the port that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.arm {
            UdpArm::Real(socket) => socket.local_addr(),
            UdpArm::Sim(socket) => socket.local_addr(),
        }
    }

    /// Where it is connected.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.arm {
            UdpArm::Real(socket) => socket.peer_addr(),
            UdpArm::Sim(socket) => socket.peer_addr(),
        }
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local_addr().ok())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
