//! Listening, connecting, accepting.
//!
//! ```text
//!   client                            server
//!   connect      request  ─────────>  a place in the listener's backlog
//!   connected    <───────── answer
//!                acknowledgement ──>  may be accepted
//! ```
//!
//! Each of the three may be lost and is repeated. A server never sees a connection whose client has had no answer.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::{Poll, Waker};

use super::conn::{Conn, End};
use super::flight::Stop;
use super::link::segment_latency;
use crate::core::Core;
use crate::draws::Purpose;
use crate::effects::Effect;
use crate::heap::{ConnId, Due};
use crate::node::FIRST_IP;
use crate::trace::{Kind, mix};

/// First wait before a connection request is repeated, as Linux has it; then doubled.
const SYN_RETRY_NS: u64 = 1_000_000_000;
/// How often a request is sent before it fails (Linux: once, and 6 repetitions).
const SYN_TRIES: u32 = 7;
/// How often an answer that nobody acknowledges is repeated before it is forgotten (Linux: 5 times).
const ANSWER_TRIES: u32 = 5;
/// How long these take: 1 + 2 + 4 + 8 + 16 + 32 seconds.
const ANSWER_GIVE_UP_NS: u64 = 63_000_000_000;
/// How long all tries of a request take: 1 + 2 + 4 + 8 + 16 + 32 + 64 seconds.
const CONNECT_GIVE_UP_NS: u64 = 127_000_000_000;
/// Most connections that may wait to be accepted, whatever the program asks for.
const BACKLOG_MAX: u32 = 4096;
const EPHEMERAL_FIRST: u16 = 32_768;

/// A listening socket.
pub(crate) struct Listening {
    pub(crate) generation: u32,
    pub(crate) node: u32,
    pub(crate) addr: SocketAddr,
    backlog: usize,
    /// Those whose clients have not acknowledged the answer, and how often that was tried.
    asked: BTreeMap<ConnId, u32>,
    queue: VecDeque<ConnId>,
    acceptor: Option<Waker>,
}

/// A connection being made.
pub(crate) struct Attempt {
    pub(crate) generation: u32,
    node: u32,
    local: SocketAddr,
    to: SocketAddr,
    target: Option<u32>,
    tries: u32,
    asked_at: u64,
    /// When the request was first stopped, and by what.
    stopped: Option<(u64, Stop)>,
    entity: u64,
    state: Asking,
    waker: Option<Waker>,
}

/// The steps of a handshake, each with draws of its own.
#[derive(Debug, Clone, Copy)]
enum Step {
    Request = 1,
    Acknowledgement,
    Answer,
}

/// How far a connection request is.
enum Asking {
    /// The process had no file handle for it.
    NoHandle,
    /// On its way to the target.
    Asked,
    /// The target has answered; the answer is on its way back.
    Answered(Result<ConnId, ErrorKind>),
    /// The answer is here.
    Known(Result<ConnId, ErrorKind>),
}

impl Core {
    /// Listens on an address of a node.
    pub(crate) fn listen(&mut self, node: u32, addr: SocketAddr, backlog: u32) -> io::Result<(u32, u32)> {
        let ip = self.nodes[node as usize].ip;
        if !addr.ip().is_unspecified() && !addr.ip().is_loopback() && addr.ip() != ip {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let port = if addr.port() == 0 { self.free_port(node) } else { addr.port() };
        if self.ports.contains_key(&(node, port)) {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.take_handle(node)?;
        let addr = SocketAddr::new(addr.ip(), port);
        let generation = self.next_generation();
        let backlog = backlog.clamp(1, BACKLOG_MAX) as usize;
        let (asked, queue) = (BTreeMap::new(), VecDeque::new());
        let listening = Listening { generation, node, addr, backlog, asked, queue, acceptor: None };
        let index = self.listeners.insert(listening) as u32;
        self.ports.insert((node, port), index);
        self.nodes[node as usize].listeners.insert(index);
        self.record_here(Kind::Listen, u64::from(port), 0, || format!("on {addr}"));
        Ok((index, generation))
    }

    fn listening(&mut self, index: u32, generation: u32) -> Option<&mut Listening> {
        self.listeners.get_mut(index as usize).filter(|listening| listening.generation == generation)
    }

    /// Where a listener listens.
    pub(crate) fn listening_addr(&mut self, index: u32, generation: u32) -> io::Result<SocketAddr> {
        self.listening(index, generation).map(|listening| listening.addr).ok_or(ErrorKind::NotConnected.into())
    }

    /// Takes the next connection from a listener's queue.
    pub(crate) fn accept(
        &mut self,
        index: u32,
        generation: u32,
        waker: &Waker,
    ) -> Poll<io::Result<(ConnId, SocketAddr)>> {
        loop {
            let Some(listening) = self.listening(index, generation) else {
                return Poll::Ready(Err(ErrorKind::NotConnected.into()));
            };
            let node = listening.node;
            let Some(id) = listening.queue.front().copied() else {
                listening.acceptor = Some(waker.clone());
                return Poll::Pending;
            };
            if let Err(error) = self.take_handle(node) {
                return Poll::Ready(Err(error));
            }
            if let Some(listening) = self.listening(index, generation) {
                listening.queue.pop_front();
            }
            let Some(conn) = self.conn(id) else {
                self.release_handle(node);
                continue;
            };
            let me = &mut conn.ends[1];
            (me.handles, me.counted) = (1, true);
            let peer = conn.ends[0].addr;
            self.record_here(Kind::Accept, u64::from(id.index), 0, || format!("connection {} from {peer}", id.index));
            return Poll::Ready(Ok((id, peer)));
        }
    }

    /// Closes a listener; connections that nobody accepted are reset.
    pub(crate) fn close_listener(&mut self, index: u32, generation: u32) {
        let Some(listening) = self.listening(index, generation) else { return };
        let (node, port) = (listening.node, listening.addr.port());
        let asked = std::mem::take(&mut listening.asked);
        let waiting: Vec<ConnId> = asked.into_keys().chain(std::mem::take(&mut listening.queue)).collect();
        self.listeners.remove(index as usize);
        self.ports.remove(&(node, port));
        self.nodes[node as usize].listeners.remove(&index);
        self.release_handle(node);
        for id in waiting {
            if self.nodes[node as usize].powered {
                self.abort(id, 1);
            } else {
                self.vanish(id, 1);
            }
        }
    }

    /// Begins to connect.
    pub(crate) fn connect(&mut self, node: u32, to: SocketAddr) -> (u32, u32) {
        let generation = self.next_generation();
        let target = if to.ip().is_loopback() { Some(node) } else { self.node_at(to.ip()) };
        let me = &mut self.nodes[node as usize];
        me.connects += 1;
        let entity = mix(me.entity, me.connects);
        let ip = if to.ip().is_loopback() { to.ip() } else { me.ip };
        let local = SocketAddr::new(ip, self.free_port(node));
        let refused = self.take_handle(node).is_err();
        let state = if refused { Asking::NoHandle } else { Asking::Asked };
        let asked_at = self.now;
        let (tries, stopped) = (0, None);
        let attempt =
            Attempt { generation, node, local, to, target, tries, asked_at, stopped, entity, state, waker: None };
        let index = self.attempts.insert(attempt) as u32;
        self.record_here(Kind::Connect, u64::from(to.port()), entity, || format!("to {to}"));
        if !refused {
            match self.step_latency(node, target, entity, Step::Request) {
                Some(latency) => self.heap.push(self.now + latency, Due::Syn { attempt: index, generation }),
                None => self.bound_attempt(index, generation),
            }
        }
        (index, generation)
    }

    fn attempt(&mut self, index: u32, generation: u32) -> Option<&mut Attempt> {
        self.attempts.get_mut(index as usize).filter(|attempt| attempt.generation == generation)
    }

    /// The answer to a connection request, once it is there.
    pub(crate) fn poll_connect(&mut self, index: u32, generation: u32, waker: &Waker) -> Poll<io::Result<ConnId>> {
        let Some(attempt) = self.attempt(index, generation) else {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        };
        let node = attempt.node;
        let answer = match &attempt.state {
            Asking::NoHandle => Err(emfile()),
            Asking::Known(Ok(id)) => Ok(*id),
            Asking::Known(Err(kind)) => {
                let kind = *kind;
                self.release_handle(node);
                Err(kind.into())
            }
            Asking::Asked | Asking::Answered(_) => {
                attempt.waker = Some(waker.clone());
                return Poll::Pending;
            }
        };
        self.attempts.remove(index as usize);
        Poll::Ready(answer)
    }

    /// The program no longer waits for the answer.
    pub(crate) fn give_up(&mut self, index: u32, generation: u32) {
        self.keep_request(index, generation);
        let Some(attempt) = self.attempt(index, generation) else { return };
        let node = attempt.node;
        match self.attempts.remove(index as usize).state {
            Asking::NoHandle => {}
            Asking::Answered(Ok(id)) => self.abort_request(id),
            Asking::Known(Ok(id)) => self.abort(id, 0),
            Asking::Asked | Asking::Answered(Err(_)) | Asking::Known(Err(_)) => self.release_handle(node),
        }
    }

    /// A connection request reaches its target, or not.
    pub(crate) fn on_syn(&mut self, index: u32, generation: u32) {
        let Some(attempt) = self.attempt(index, generation) else { return };
        let (node, to, local, target, entity) =
            (attempt.node, attempt.to, attempt.local, attempt.target, attempt.entity);
        if target.is_some_and(|target| self.holds(node, target, Due::Syn { attempt: index, generation })) {
            self.stop_request(index, generation, Stop::Clogged);
            return self.bound_attempt(index, generation);
        }
        let reached =
            target.filter(|&target| node == target || (self.passes(node, target) && self.passes(target, node)));
        let Some(target) = reached else {
            let is_off = target.is_some_and(|target| !self.nodes[target as usize].powered);
            self.stop_request(index, generation, if is_off { Stop::Off } else { Stop::Cut });
            return self.ask_later(index, generation, Due::Syn { attempt: index, generation });
        };
        let listener = self.ports.get(&(target, to.port())).copied().filter(|&listener| {
            let bound = self.listeners[listener as usize].addr.ip();
            bound.is_unspecified() || bound == to.ip()
        });
        let Some(latency) = self.step_latency(node, Some(target), entity, Step::Answer) else {
            return self.bound_attempt(index, generation);
        };
        let Some(listener) = listener else {
            self.record(target, 0, Kind::Refused, u64::from(to.port()), entity, || format!("nobody listens on {to}"));
            let attempt = self.attempt(index, generation).expect("checked above");
            attempt.state = Asking::Answered(Err(ErrorKind::ConnectionRefused));
            self.heap.push(self.now + latency, Due::SynAck { attempt: index, generation });
            return;
        };
        let listening = &self.listeners[listener as usize];
        if listening.asked.len() + listening.queue.len() >= listening.backlog {
            return self.ask_later(index, generation, Due::Syn { attempt: index, generation });
        }
        let pair = self.pair(node, target);
        if pair.far {
            self.effects.add(Effect::SlowPair);
        }
        let stream = self.draws.stream(Purpose::Net, entity);
        let server_addr =
            SocketAddr::new(if to.ip().is_loopback() { to.ip() } else { self.nodes[target as usize].ip }, to.port());
        let ends = [End::new(node, local, 1), End::new(target, server_addr, 0)];
        let conn_generation = self.next_generation();
        let conn = Conn::new(conn_generation, ends, stream, pair.latency);
        let id = ConnId { index: self.conns.insert(conn) as u32, generation: conn_generation };
        self.nodes[node as usize].conns.insert((id, 0));
        self.nodes[target as usize].conns.insert((id, 1));
        self.listeners[listener as usize].asked.insert(id, 0);
        self.attempt(index, generation).expect("checked above").state = Asking::Answered(Ok(id));
        self.heap.push(self.now + latency, Due::SynAck { attempt: index, generation });
    }

    fn stop_request(&mut self, index: u32, generation: u32, stop: Stop) {
        let now = self.now;
        if let Some(attempt) = self.attempt(index, generation) {
            attempt.stopped.get_or_insert((now, stop));
        }
    }

    /// Keeps, for a report, a request that never came to its target.
    pub(super) fn keep_request(&mut self, index: u32, generation: u32) {
        let Some(attempt) = self.attempt(index, generation) else { return };
        let (Some(target), Some((stopped, stop)), Asking::Asked) = (attempt.target, attempt.stopped, &attempt.state)
        else {
            return;
        };
        let (node, asked_at) = (attempt.node, attempt.asked_at);
        if self.trace.keeps_messages() {
            self.trace.undelivered((node, target), 0, (asked_at, stopped), &[], stop);
        }
    }

    /// A request or its answer came to nothing, and is repeated.
    fn ask_later(&mut self, index: u32, generation: u32, due: Due) {
        let now = self.now;
        let attempt = self.attempt(index, generation).expect("the caller holds the attempt");
        attempt.tries += 1;
        if attempt.tries < SYN_TRIES {
            let wait = SYN_RETRY_NS << (attempt.tries - 1);
            self.heap.push(now + wait, due);
        } else {
            self.bound_attempt(index, generation);
        }
    }

    /// Whatever becomes of a request: it fails when its time is over.
    fn bound_attempt(&mut self, index: u32, generation: u32) {
        let now = self.now;
        let Some(attempt) = self.attempt(index, generation) else { return };
        let at = (attempt.asked_at + CONNECT_GIVE_UP_NS).max(now);
        self.heap.push(at, Due::ConnectTimeout { attempt: index, generation });
    }

    /// Whether a request still waits for its answer.
    pub(crate) fn still_asking(&self, index: u32, generation: u32) -> bool {
        let attempt = self.attempts.get(index as usize).filter(|attempt| attempt.generation == generation);
        attempt.is_some_and(|attempt| matches!(attempt.state, Asking::Asked | Asking::Answered(_)))
    }

    /// The time of a connection request is over.
    pub(crate) fn on_connect_timeout(&mut self, index: u32, generation: u32) {
        let Some(attempt) = self.attempt(index, generation) else { return };
        let (node, to, waker) = (attempt.node, attempt.to, attempt.waker.take());
        self.keep_request(index, generation);
        let attempt = self.attempt(index, generation).expect("checked above");
        let before = std::mem::replace(&mut attempt.state, Asking::Known(Err(ErrorKind::TimedOut)));
        if let Asking::Answered(Ok(id)) = before {
            // The handle is the attempt's until the program takes its answer.
            if let Some(conn) = self.conn(id) {
                conn.ends[0].counted = false;
            }
            self.abort_request(id);
        }
        self.effects.add(Effect::ConnectTimeout);
        self.record(node, 0, Kind::Refused, u64::from(to.port()), 1, || format!("no answer from {to} in time"));
        self.wakes.extend(waker);
    }

    /// The answer to a connection request arrives.
    pub(crate) fn on_syn_ack(&mut self, index: u32, generation: u32) {
        let Some(attempt) = self.attempt(index, generation) else { return };
        let (node, target) = (attempt.node, attempt.target);
        let due = Due::SynAck { attempt: index, generation };
        if target.is_some_and(|target| self.holds(target, node, due)) {
            return self.bound_attempt(index, generation);
        }
        if target.is_some_and(|target| target != node && !self.passes(target, node)) {
            return self.ask_later(index, generation, due);
        }
        let Some(attempt) = self.attempt(index, generation) else { return };
        let Asking::Answered(answer) = attempt.state else { return };
        attempt.state = Asking::Known(answer);
        let (entity, waker) = (attempt.entity, attempt.waker.take());
        self.wakes.extend(waker);
        if let Ok(conn) = answer {
            match self.step_latency(node, target, entity, Step::Acknowledgement) {
                Some(latency) => self.heap.push(self.now + latency, Due::Ack { conn }),
                None => drop(self.forget_request(conn)),
            }
        }
    }

    /// The acknowledgement of an answer arrives, or not.
    pub(crate) fn on_ack(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        let (node, target, is_gone) = (conn.ends[0].node, conn.ends[1].node, conn.ends[0].is_gone());
        if is_gone {
            self.forget_request(id);
            return;
        }
        if self.holds(node, target, Due::Ack { conn: id }) {
            return;
        }
        if node == target || self.passes(node, target) {
            return self.acknowledged(id);
        }
        let now = self.now;
        let Some(tries) = self.listening_for(id).and_then(|listening| listening.asked.get_mut(&id)) else { return };
        if *tries < ANSWER_TRIES {
            let wait = SYN_RETRY_NS << *tries;
            *tries += 1;
            self.heap.push(now + wait, Due::Ack { conn: id });
        } else {
            self.forget_request(id);
        }
    }

    /// The server knows that its answer has come: the connection may be accepted, if it was not before.
    pub(super) fn acknowledged(&mut self, id: ConnId) {
        let Some(listening) = self.listening_for(id) else { return };
        if listening.asked.remove(&id).is_some() {
            listening.queue.push_back(id);
            let acceptor = listening.acceptor.take();
            self.wakes.extend(acceptor);
        }
    }

    /// The server knows nothing of a connection any more that nobody has acknowledged; false if somebody has.
    pub(super) fn forget_request(&mut self, id: ConnId) -> bool {
        let was_asked = self.listening_for(id).is_some_and(|listening| listening.asked.remove(&id).is_some());
        if was_asked {
            self.vanish(id, 1);
        }
        was_asked
    }

    /// The client ends a connection before it has had an answer.
    fn abort_request(&mut self, id: ConnId) {
        self.abort(id, 0);
        // If nothing tells the server, it has waited for long enough then.
        self.heap.push(self.now + ANSWER_GIVE_UP_NS, Due::Ack { conn: id });
    }

    /// The listener on the port of a connection's server.
    fn listening_for(&mut self, id: ConnId) -> Option<&mut Listening> {
        let end = &self.conn(id)?.ends[1];
        let place = (end.node, end.addr.port());
        let &listener = self.ports.get(&place)?;
        self.listeners.get_mut(listener as usize)
    }

    /// How long a step of a handshake takes, lost tries included; None if all are lost.
    fn step_latency(&mut self, node: u32, target: Option<u32>, entity: u64, step: Step) -> Option<u64> {
        let Some(target) = target else { return Some(0) };
        let pair = self.pair(node, target).latency;
        let mut stream = self.draws.stream(Purpose::Net, mix(entity, step as u64));
        let tries = (SYN_RETRY_NS, CONNECT_GIVE_UP_NS);
        segment_latency(&self.physics, &mut self.effects, &mut stream, pair, node == target, tries)
    }

    /// The node with this address: nodes are numbered by it.
    pub(crate) fn node_at(&self, ip: IpAddr) -> Option<u32> {
        let IpAddr::V4(v4) = ip else { return None };
        let index = u32::from(v4).wrapping_sub(FIRST_IP);
        self.nodes.get(index as usize).filter(|node| node.ip == ip).map(|_| index)
    }

    /// A port that nothing on the node uses.
    fn free_port(&mut self, node: u32) -> u16 {
        loop {
            let next = &mut self.nodes[node as usize].next_port;
            *next = if *next < EPHEMERAL_FIRST || *next >= 60_999 { EPHEMERAL_FIRST } else { *next + 1 };
            let port = *next;
            if !self.ports.contains_key(&(node, port)) {
                return port;
            }
        }
    }

    /// Counts a file handle of a process, if it may have one more.
    pub(crate) fn take_handle(&mut self, node: u32) -> io::Result<()> {
        let state = &mut self.nodes[node as usize];
        if state.handles >= state.handles_max {
            self.effects.add(Effect::Emfile);
            return Err(emfile());
        }
        state.handles += 1;
        Ok(())
    }

    /// Counts a file handle less.
    pub(crate) fn release_handle(&mut self, node: u32) {
        let handles = &mut self.nodes[node as usize].handles;
        *handles = handles.saturating_sub(1);
    }
}

/// "Too many open files", as the kernel says it.
pub(crate) fn emfile() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}
