//! Listening sockets.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use super::{TcpStream, with_budget};
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
                listener.poll_accept(cx).map_ok(|(stream, peer)| (TcpStream::real(stream), peer))
            }
            ListenerArm::Sim(listener) => {
                let accepted = with_budget(cx, |cx| listener.poll_accept(cx));
                accepted.map_ok(|(stream, peer)| (TcpStream::simulated(stream), peer))
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
