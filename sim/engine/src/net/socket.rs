//! What the runtime holds of the network: ids into the world, hence `Send`.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};

use simurgh_runtime::sim;
use tokio::io::ReadBuf;

use crate::engine::with_core;
use crate::heap::ConnId;

/// A UDP socket.
pub(crate) struct UdpSocket {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// One end of a connection.
pub(crate) struct Socket {
    pub(crate) id: ConnId,
    pub(crate) end: u8,
}

/// A listening socket.
pub(crate) struct ListenerSocket {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A connection being made.
pub(crate) struct Connecting {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A socket of a node that is dead or of a run that is over.
fn over<T>() -> io::Result<T> {
    Err(ErrorKind::NotConnected.into())
}

impl sim::Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with_core(|core| core.read(self.id, self.end, into, cx.waker())).unwrap_or_else(|| Poll::Ready(over()))
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_core(|core| core.readable(self.id, self.end, cx.waker())).unwrap_or(Poll::Ready(())).map(Ok)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        with_core(|core| core.write(self.id, self.end, from, cx.waker())).unwrap_or_else(|| Poll::Ready(over()))
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_core(|core| core.writable(self.id, self.end, cx.waker())).unwrap_or(Poll::Ready(())).map(Ok)
    }

    fn shutdown(&mut self, how: Shutdown) -> io::Result<()> {
        with_core(|core| core.shutdown(self.id, self.end, how)).unwrap_or_else(over)
    }

    fn set_zero_linger(&mut self) -> io::Result<()> {
        self.option(|end| end.zero_linger = true)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.option(|end| end.nodelay = nodelay)
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.option(|end| end.nodelay)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.option(|end| end.addr)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        let addr = with_core(|core| core.conn(self.id).map(|conn| conn.ends[1 - self.end as usize].addr));
        addr.flatten().map_or_else(over, Ok)
    }

    fn share(&mut self) -> Box<dyn sim::Stream> {
        with_core(|core| core.conn(self.id).map(|conn| conn.ends[self.end as usize].handles += 1));
        Box::new(Socket { id: self.id, end: self.end })
    }
}

impl Socket {
    fn option<R>(&self, f: impl FnOnce(&mut super::conn::End) -> R) -> io::Result<R> {
        let answer = with_core(|core| core.conn(self.id).map(|conn| f(&mut conn.ends[self.end as usize])));
        answer.flatten().map_or_else(over, Ok)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        with_core(|core| core.close_handle(self.id, self.end));
    }
}

impl sim::Listener for ListenerSocket {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn sim::Stream>, SocketAddr)>> {
        let accepted = with_core(|core| core.accept(self.index, self.generation, cx.waker()));
        accepted.unwrap_or_else(|| Poll::Ready(over())).map_ok(|(id, peer)| {
            let stream: Box<dyn sim::Stream> = Box::new(Socket { id, end: 1 });
            (stream, peer)
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        with_core(|core| core.listening_addr(self.index, self.generation)).unwrap_or_else(over)
    }
}

impl Drop for ListenerSocket {
    fn drop(&mut self) {
        with_core(|core| core.close_listener(self.index, self.generation));
    }
}

impl sim::Connect for Connecting {
    fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn sim::Stream>>> {
        let made = with_core(|core| core.poll_connect(self.index, self.generation, cx.waker()));
        made.unwrap_or_else(|| Poll::Ready(over()))
            .map_ok(|id| -> Box<dyn sim::Stream> { Box::new(Socket { id, end: 0 }) })
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        with_core(|core| core.give_up(self.index, self.generation));
    }
}

impl sim::Udp for UdpSocket {
    fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        with_core(|core| core.udp_connect(self.index, self.generation, addr)).unwrap_or_else(over)
    }

    fn send(&self, from: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        with_core(|core| core.udp_send(self.index, self.generation, from, to)).unwrap_or_else(over)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        with_core(|core| core.udp_recv(self.index, self.generation, into, cx.waker()))
            .unwrap_or_else(|| Poll::Ready(over()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        with_core(|core| core.udp_addr(self.index, self.generation)).unwrap_or_else(over)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        with_core(|core| core.udp_peer(self.index, self.generation)).unwrap_or_else(over)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        with_core(|core| core.close_udp(self.index, self.generation));
    }
}
