//! Datagrams: lost, doubled, damaged, out of order, and nobody is told.
//!
//! A datagram is drawn for when it is sent (by its socket's own stream) and judged when it arrives: is the way
//! open, is there power, does anybody listen, has the queue room. What meets a closed port is answered with
//! "port unreachable", which only a connected socket hears of, on its next call, as on Linux.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Poll, Waker};

use crate::core::Core;
use crate::draws::{Purpose, Stream};
use crate::effects::Effect;
use crate::heap::Due;
use crate::trace::{Kind, digest, mix};

/// The longest datagram over IPv4.
const PAYLOAD_MAX: usize = 65_507;
/// Payload of the first packet and of each fragment, with an MTU of 1,500 bytes.
const PACKET: usize = 1_472;
/// What may wait in a socket, as Linux counts it (`net.core.rmem_default`): each datagram with its overhead.
const QUEUE_MAX: usize = 212_992;
const OVERHEAD: usize = 768;
/// How much later one that is held back arrives, at most.
const HELD_BACK_NS: u64 = 50_000_000;

/// A UDP socket.
pub(crate) struct UdpState {
    generation: u32,
    node: u32,
    addr: SocketAddr,
    peer: Option<SocketAddr>,
    queue: VecDeque<(Vec<u8>, SocketAddr)>,
    queued: usize,
    /// Told by "port unreachable".
    error: Option<ErrorKind>,
    readers: Vec<Waker>,
    stream: Stream,
    sent: u64,
    /// The sender and number of what arrived last.
    last: Option<(SocketAddr, u64)>,
}

/// Something on its way from one socket to another.
pub(crate) struct Datagram {
    node: u32,
    target: u32,
    from: SocketAddr,
    to: SocketAddr,
    /// None: it says that the port is unreachable.
    bytes: Option<Vec<u8>>,
    number: u64,
}

impl Core {
    /// Opens a socket on an address of a node.
    pub(crate) fn open_udp(&mut self, node: u32, addr: SocketAddr) -> io::Result<(u32, u32)> {
        let ip = self.nodes[node as usize].ip;
        if !addr.ip().is_unspecified() && !addr.ip().is_loopback() && addr.ip() != ip {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let port = if addr.port() == 0 { self.free_udp_port(node)? } else { addr.port() };
        if self.udp_ports.contains_key(&(node, port)) {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.take_handle(node)?;
        let addr = SocketAddr::new(addr.ip(), port);
        let generation = self.next_generation();
        let me = &mut self.nodes[node as usize];
        me.udp_opened += 1;
        let stream = self.draws.stream(Purpose::Net, mix(mix(me.entity, me.udp_opened), 2));
        let index = self.udp.insert(UdpState {
            generation,
            node,
            addr,
            peer: None,
            queue: VecDeque::new(),
            queued: 0,
            error: None,
            readers: Vec::new(),
            stream,
            sent: 0,
            last: None,
        }) as u32;
        self.udp_ports.insert((node, port), index);
        self.nodes[node as usize].udp.insert(index);
        self.record_here(Kind::Listen, u64::from(port), 1, || format!("on {addr} for datagrams"));
        Ok((index, generation))
    }

    fn free_udp_port(&mut self, node: u32) -> io::Result<u16> {
        let first = 32_768 + (self.nodes[node as usize].udp_opened % 28_000) as u16;
        let mut ports = (first..=60_999).chain(32_768..first);
        ports.find(|port| !self.udp_ports.contains_key(&(node, *port))).ok_or(ErrorKind::AddrInUse.into())
    }

    fn udp(&mut self, index: u32, generation: u32) -> io::Result<&mut UdpState> {
        let socket = self.udp.get_mut(index as usize).filter(|socket| socket.generation == generation);
        socket.ok_or(ErrorKind::NotConnected.into())
    }

    /// Where a socket is.
    pub(crate) fn udp_addr(&mut self, index: u32, generation: u32) -> io::Result<SocketAddr> {
        self.udp(index, generation).map(|socket| socket.addr)
    }

    /// Where it is connected.
    pub(crate) fn udp_peer(&mut self, index: u32, generation: u32) -> io::Result<SocketAddr> {
        self.udp(index, generation)?.peer.ok_or(ErrorKind::NotConnected.into())
    }

    /// Ties a socket to one peer. It then has the address from which that peer is reached.
    pub(crate) fn udp_connect(&mut self, index: u32, generation: u32, peer: SocketAddr) -> io::Result<()> {
        let node = self.udp(index, generation)?.node;
        let own = self.source(node, self.udp[index as usize].addr, peer.ip())?;
        let socket = self.udp(index, generation)?;
        (socket.peer, socket.addr) = (Some(peer), own);
        Ok(())
    }

    /// The address that a peer sees.
    fn source(&self, node: u32, addr: SocketAddr, peer: IpAddr) -> io::Result<SocketAddr> {
        if !addr.ip().is_unspecified() {
            // Linux: nothing that comes from the loopback address leaves the machine.
            let leaves = !peer.is_loopback() && peer != self.nodes[node as usize].ip;
            return if addr.ip().is_loopback() && leaves { Err(ErrorKind::InvalidInput.into()) } else { Ok(addr) };
        }
        let ip = if peer.is_loopback() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { self.nodes[node as usize].ip };
        Ok(SocketAddr::new(ip, addr.port()))
    }

    /// Sends one datagram.
    pub(crate) fn udp_send(
        &mut self,
        index: u32,
        generation: u32,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        let socket = self.udp(index, generation)?;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let to = to.or(socket.peer).ok_or_else(|| io::Error::from_raw_os_error(libc::EDESTADDRREQ))?;
        if bytes.len() > PAYLOAD_MAX {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        if to.port() == 0 {
            return Err(ErrorKind::InvalidInput.into());
        }
        let (node, addr) = (socket.node, socket.addr);
        socket.sent += 1;
        let number = socket.sent;
        let from = self.source(node, addr, to.ip())?;
        self.record_here(Kind::Datagram, digest(bytes), u64::from(to.port()) << 1, || {
            format!("{} bytes from {from} to {to}", bytes.len())
        });
        let target = if to.ip().is_loopback() { Some(node) } else { self.node_at(to.ip()) };
        if let Some(target) = target {
            let datagram = Datagram { node, target, from, to, bytes: Some(bytes.to_vec()), number };
            self.send_datagram(index, datagram);
        }
        Ok(bytes.len())
    }

    /// Draws for a datagram, and puts it, and perhaps its double, on the way.
    fn send_datagram(&mut self, index: u32, mut datagram: Datagram) {
        let (node, target, now) = (datagram.node, datagram.target, self.now);
        let pair = self.pair(node, target);
        if node == target {
            return self.put(now + pair.latency, datagram);
        }
        if pair.far {
            self.effects.add(Effect::SlowPair);
        }
        let chances = self.physics.datagrams;
        let bytes = datagram.bytes.as_mut().expect("it was made with bytes");
        let fragments = bytes.len().div_ceil(PACKET).max(1);
        let stream = &mut self.udp[index as usize].stream;
        let lost = (0..fragments).filter(|_| stream.chance(chances.loss_max)).count() > 0;
        let latency = self.physics.latency.draw(stream);
        let held_back = if stream.chance(chances.reorder_max) { stream.between(0, HELD_BACK_NS) } else { 0 };
        let double = stream.chance(chances.duplicate_max).then(|| self.physics.latency.draw(stream));
        if stream.chance(chances.corrupt_max) && !bytes.is_empty() {
            let bit = stream.below(bytes.len() as u64 * 8);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            self.effects.add(Effect::UdpCorrupt);
        }
        if fragments > 1 && pair.no_fragments {
            self.effects.add(Effect::UdpMtu);
            return;
        }
        if lost {
            self.effects.add(Effect::UdpLoss);
            return;
        }
        let Some(left) = self.links.pass(now, node, target, bytes.len(), &mut self.effects) else { return };
        if let Some(again) = double {
            self.effects.add(Effect::UdpDuplicate);
            let copy = Datagram { bytes: datagram.bytes.clone(), ..datagram };
            self.put(left + pair.latency + again, copy);
        }
        self.put(left + pair.latency + latency + held_back, datagram);
    }

    fn put(&mut self, at: u64, datagram: Datagram) {
        let index = self.datagrams.insert(datagram) as u32;
        self.heap.push(at, Due::Datagram { index });
    }

    /// A datagram arrives at a machine, if the way is open.
    pub(crate) fn on_datagram(&mut self, index: u32) {
        let (node, target) = (self.datagrams[index as usize].node, self.datagrams[index as usize].target);
        if node != target && !self.passes(node, target) {
            self.datagrams.remove(index as usize);
            return;
        }
        if self.holds(node, target, Due::Datagram { index }) {
            return;
        }
        let datagram = self.datagrams.remove(index as usize);
        match datagram.bytes {
            Some(bytes) => self.take_datagram(target, datagram.from, datagram.to, bytes, datagram.number),
            None => self.on_unreachable(target, datagram.from, datagram.to),
        }
    }

    fn take_datagram(&mut self, target: u32, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, number: u64) {
        let socket = self.udp_ports.get(&(target, to.port())).copied().filter(|&socket| {
            let bound = self.udp[socket as usize].addr.ip();
            bound.is_unspecified() || bound == to.ip()
        });
        let Some(index) = socket.filter(|&socket| self.udp[socket as usize].peer.is_none_or(|peer| peer == from))
        else {
            let sender = if from.ip().is_loopback() { Some(target) } else { self.node_at(from.ip()) };
            if let Some(sender) = sender {
                let latency = self.pair(sender, target).latency.max(15_000);
                let answer = Datagram { node: target, target: sender, from: to, to: from, bytes: None, number };
                self.put(self.now + latency, answer);
            }
            return;
        };
        let socket = &mut self.udp[index as usize];
        if socket.last.is_some_and(|(last, after)| last == from && after > number) {
            self.effects.add(Effect::UdpReorder);
        }
        socket.last = Some((from, number));
        let size = bytes.len() + OVERHEAD;
        if socket.queued + size > QUEUE_MAX {
            self.effects.add(Effect::UdpOverflow);
            return;
        }
        socket.queued += size;
        let (facts, len) = (digest(&bytes), bytes.len());
        socket.queue.push_back((bytes, from));
        self.wakes.append(&mut socket.readers);
        self.record(target, 0, Kind::Datagram, facts, u64::from(to.port()) << 1 | 1, || {
            format!("{len} bytes arrived from {from} at {to}")
        });
    }

    /// A socket of `node` hears that nobody has `from` open, if it is connected there.
    fn on_unreachable(&mut self, node: u32, from: SocketAddr, to: SocketAddr) {
        let Some(&index) = self.udp_ports.get(&(node, to.port())) else { return };
        let socket = &mut self.udp[index as usize];
        if socket.peer == Some(from) {
            socket.error = Some(ErrorKind::ConnectionRefused);
            self.wakes.append(&mut socket.readers);
            self.effects.add(Effect::UdpRefused);
            self.record(node, 0, Kind::Refused, u64::from(from.port()), 2, || {
                format!("nobody takes datagrams on {from}")
            });
        }
    }

    /// Takes the next datagram.
    pub(crate) fn udp_recv(
        &mut self,
        index: u32,
        generation: u32,
        into: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let socket = self.udp(index, generation)?;
        if let Some(error) = socket.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        let Some((bytes, from)) = socket.queue.pop_front() else {
            if !socket.readers.iter().any(|reader| reader.will_wake(waker)) {
                socket.readers.push(waker.clone());
            }
            return Poll::Pending;
        };
        socket.queued -= bytes.len() + OVERHEAD;
        let len = bytes.len().min(into.len());
        into[..len].copy_from_slice(&bytes[..len]);
        self.record_here(Kind::Read, digest(&into[..len]), len as u64, || format!("{len} bytes from {from}"));
        Poll::Ready(Ok((len, from)))
    }

    /// Closes a socket; what it had not read is lost.
    pub(crate) fn close_udp(&mut self, index: u32, generation: u32) {
        let Ok(socket) = self.udp(index, generation) else { return };
        let (node, port) = (socket.node, socket.addr.port());
        self.udp.remove(index as usize);
        self.udp_ports.remove(&(node, port));
        self.nodes[node as usize].udp.remove(&index);
        self.release_handle(node);
    }

    /// Closes all sockets of a node whose process ends.
    pub(crate) fn close_udp_of(&mut self, node: u32) {
        for index in self.nodes[node as usize].udp.clone() {
            let generation = self.udp[index as usize].generation;
            self.close_udp(index, generation);
        }
    }
}
