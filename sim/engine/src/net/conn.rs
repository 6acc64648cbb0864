//! One connection: two ends, two flows.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use slab::Slab;
use tokio::io::ReadBuf;

use super::flight::Stop;
use super::link::{GIVE_UP_NS, RTO_FIRST_NS, RTO_MAX_NS, segment_latency};
use super::segments::{Segment, Segments};
use crate::core::Core;
use crate::draws::Stream;
use crate::effects::Effect;
use crate::heap::{ConnId, Due, FlowId};
use crate::trace::{Kind, checksum};
use crate::waiter::Waiter;

/// Bytes that may be under way or unread in one direction, as a small kernel buffer has it.
const WINDOW: usize = 64 * 1024;

/// A connection between two sockets.
pub(crate) struct Conn {
    pub(crate) generation: u32,
    pub(crate) ends: [End; 2],
    pub(super) flows: [Flow; 2],
    stream: Stream,
    pair: u64,
}

/// One socket of a connection.
#[allow(clippy::struct_excessive_bools)] // a socket's flags are independent of each other
pub(crate) struct End {
    pub(crate) node: u32,
    pub(crate) addr: SocketAddr,
    /// Handles that the program holds; more than one after a split.
    pub(crate) handles: u8,
    /// The socket exists: held by the program, or waiting to be accepted.
    pub(crate) open: bool,
    /// Counted among the file handles of its process.
    pub(crate) counted: bool,
    /// The connection is over for this end, by a reset or a time-out.
    gone: bool,
    /// And the other end was not told: what still comes is answered with a reset.
    forgotten: bool,
    /// The error that the next call returns.
    error: Option<ErrorKind>,
    reader: Option<Waiter>,
    writer: Option<Waiter>,
    read_shut: bool,
    write_shut: bool,
    pub(crate) nodelay: bool,
    pub(crate) zero_linger: bool,
}

/// One direction.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // and so are a flow's
pub(super) struct Flow {
    /// What was written and not yet read: first what has arrived, then what is in flight.
    pub(super) bytes: VecDeque<u8>,
    pub(super) arrived: usize,
    pub(super) segments: Segments,
    last_at: u64,
    /// Room taken in the window, as the sender knows it.
    used: usize,
    /// What the reader has read since the sender last learned of it, and when.
    freed: usize,
    freed_at: u64,
    armed: bool,
    window_armed: bool,
    /// Since when the way is known to be cut, and the wait before the next try.
    pub(super) blocked_since: Option<u64>,
    /// And what it was that stopped it then.
    pub(super) stop: Option<Stop>,
    rto: u64,
    fin_arrived: bool,
    /// The sending machine is off: nothing is sent again.
    orphaned: bool,
}

impl End {
    pub(crate) fn new(node: u32, addr: SocketAddr, handles: u8) -> Self {
        Self {
            node,
            addr,
            handles,
            open: true,
            counted: handles > 0,
            gone: false,
            forgotten: false,
            error: None,
            reader: None,
            writer: None,
            read_shut: false,
            write_shut: false,
            nodelay: false,
            zero_linger: false,
        }
    }

    /// The connection is over for this end.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }
}

impl Conn {
    pub(crate) fn new(generation: u32, ends: [End; 2], stream: Stream, pair: u64) -> Self {
        Self { generation, ends, flows: [Flow::default(), Flow::default()], stream, pair }
    }

    /// Who waits to read at an end.
    pub(crate) fn reader(&self, end: u8) -> Option<&Waiter> {
        self.ends[end as usize].reader.as_ref()
    }

    /// Where both directions keep bytes: only for `prefetch`.
    pub(crate) fn buffers(&self, fetch: impl Fn(*const u8)) {
        for flow in &self.flows {
            fetch(flow.bytes.as_slices().0.as_ptr());
        }
    }

    fn is_local(&self) -> bool {
        self.ends[0].node == self.ends[1].node
    }
}

impl Core {
    /// The connection, if it still is the one meant.
    pub(crate) fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        find(&mut self.conns, id)
    }

    /// Writes what fits.
    pub(crate) fn write(&mut self, id: ConnId, end: u8, from: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let split = self.physics.split;
        let Some(conn) = find(&mut self.conns, id) else { return Poll::Ready(Err(ErrorKind::BrokenPipe.into())) };
        let me = &mut conn.ends[end as usize];
        if let Some(error) = me.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        if me.gone || me.write_shut {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = WINDOW - conn.flows[end as usize].used;
        if room == 0 {
            me.writer = Some(self.polled.waiter(waker));
            self.arm_window(FlowId { conn: id, from: end });
            return Poll::Pending;
        }
        let fits = room.min(from.len());
        let len =
            if fits > 1 && conn.stream.chance(split) { 1 + conn.stream.below(fits as u64 - 1) as usize } else { fits };
        conn.flows[end as usize].bytes.extend(&from[..len]);
        conn.flows[end as usize].used += len;
        if len < fits {
            self.effects.add(Effect::SplitWrite);
        }
        self.record_here(Kind::Write, checksum(&from[..len]), len as u64, || {
            format!("{len} bytes on {}", Name(id, end))
        });
        self.send(FlowId { conn: id, from: end }, len, false);
        Poll::Ready(Ok(len))
    }

    /// Reads what has arrived.
    pub(crate) fn read(&mut self, id: ConnId, end: u8, into: &mut ReadBuf<'_>, waker: &Waker) -> Poll<io::Result<()>> {
        let (split, now) = (self.physics.split, self.now);
        let Some(conn) = self.conn(id) else { return Poll::Ready(Err(ErrorKind::ConnectionReset.into())) };
        let flow = &mut conn.flows[1 - end as usize];
        if flow.arrived == 0 || conn.ends[end as usize].read_shut {
            if self.readable(id, end, waker).is_pending() {
                return Poll::Pending;
            }
            let error = self.conn(id).and_then(|conn| conn.ends[end as usize].error.take());
            return Poll::Ready(error.map_or(Ok(()), |error| Err(error.into())));
        }
        let fits = flow.arrived.min(into.remaining());
        let len =
            if fits > 1 && conn.stream.chance(split) { 1 + conn.stream.below(fits as u64 - 1) as usize } else { fits };
        let (front, back) = flow.bytes.as_slices();
        let from_front = front.len().min(len);
        into.put_slice(&front[..from_front]);
        into.put_slice(&back[..len - from_front]);
        flow.bytes.drain(..len);
        flow.arrived -= len;
        flow.freed += len;
        flow.freed_at = now;
        if flow.bytes.is_empty() && flow.bytes.capacity() > 4096 {
            flow.bytes = VecDeque::new(); // an idle connection keeps no buffer
        }
        let writer_waits = conn.ends[1 - end as usize].writer.is_some();
        if len < fits {
            self.effects.add(Effect::SplitRead);
        }
        if writer_waits {
            self.arm_window(FlowId { conn: id, from: 1 - end });
        }
        // Not what it read: that is what was written, of which this is the next part.
        let socket = u64::from(id.index) << 1 | u64::from(end);
        self.record_here(Kind::Read, socket, len as u64, || format!("{len} bytes on {}", Name(id, end)));
        Poll::Ready(Ok(()))
    }

    /// Ready once a read would not wait: there are bytes, an error or the end.
    pub(crate) fn readable(&mut self, id: ConnId, end: u8, waker: &Waker) -> Poll<()> {
        // By field: who waits is asked of the task that is polled.
        let Some(conn) = find(&mut self.conns, id) else { return Poll::Ready(()) };
        let flow = &conn.flows[1 - end as usize];
        let me = &mut conn.ends[end as usize];
        if flow.arrived > 0 || flow.fin_arrived || me.error.is_some() || me.read_shut || me.gone {
            return Poll::Ready(());
        }
        me.reader = Some(self.polled.waiter(waker));
        Poll::Pending
    }

    /// Whether a write would not wait.
    pub(crate) fn writable(&mut self, id: ConnId, end: u8, waker: &Waker) -> Poll<()> {
        let Some(conn) = find(&mut self.conns, id) else { return Poll::Ready(()) };
        let me = &mut conn.ends[end as usize];
        if me.gone || me.write_shut || me.error.is_some() || conn.flows[end as usize].used < WINDOW {
            return Poll::Ready(());
        }
        me.writer = Some(self.polled.waiter(waker));
        self.arm_window(FlowId { conn: id, from: end });
        Poll::Pending
    }

    /// Closes one direction or both, as `shutdown(2)`.
    pub(crate) fn shutdown(&mut self, id: ConnId, end: u8, how: Shutdown) -> io::Result<()> {
        let Some(conn) = self.conn(id) else { return Err(ErrorKind::NotConnected.into()) };
        let me = &mut conn.ends[end as usize];
        if me.gone {
            return Ok(()); // "not connected" says the kernel, which tokio leaves out
        }
        let reader = if how == Shutdown::Write {
            None
        } else {
            me.read_shut = true;
            me.reader.take()
        };
        self.wakes.extend(reader);
        if how != Shutdown::Read {
            self.send_fin(id, end);
        }
        Ok(())
    }

    /// The program let go of one handle.
    pub(crate) fn close_handle(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        let me = &mut conn.ends[end as usize];
        me.handles = me.handles.saturating_sub(1);
        if me.handles == 0 && me.open {
            self.close(id, end);
        }
    }

    /// Closes an end as the kernel does: with a reset if bytes are unread, else with a FIN.
    pub(crate) fn close(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        let abort = conn.ends[end as usize].zero_linger || conn.flows[1 - end as usize].arrived > 0;
        if abort {
            self.abort(id, end);
        } else {
            self.send_fin(id, end);
            self.detach(id, end);
        }
    }

    /// Ends a connection from one side with a reset.
    pub(crate) fn abort(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        if !conn.ends[end as usize].gone {
            conn.ends[end as usize].gone = true;
            self.send_reset(id, 1 - end);
        }
        self.detach(id, end);
    }

    /// The socket of one end is no more, whatever still travels. `silent`: its machine is off.
    pub(crate) fn vanish(&mut self, id: ConnId, end: u8) {
        if let Some(conn) = self.conn(id) {
            conn.ends[end as usize].gone = true;
            conn.flows[end as usize].orphaned = true;
            self.detach(id, end);
        }
    }

    fn detach(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        let me = &mut conn.ends[end as usize];
        (me.open, me.handles, me.reader, me.writer) = (false, 0, None, None);
        let (node, counted) = (me.node, std::mem::take(&mut me.counted));
        let over = conn.ends.iter().all(|end| !end.open);
        if counted {
            self.release_handle(node);
        }
        self.nodes[node as usize].conns.remove(&(id, end));
        if over {
            self.keep_flights(id, Stop::Broken);
            self.conns.remove(id.index as usize);
        }
    }

    fn send_fin(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        let me = &mut conn.ends[end as usize];
        if me.write_shut || me.gone {
            return;
        }
        me.write_shut = true;
        self.record_here(Kind::Fin, u64::from(id.index), u64::from(end), || format!("on {}", Name(id, end)));
        self.send(FlowId { conn: id, from: end }, 0, true);
    }

    /// Puts a segment on its way.
    fn send(&mut self, flow: FlowId, len: usize, fin: bool) {
        // By field: the connection, the physics and the counters are used at once.
        let conn = &mut self.conns[flow.conn.index as usize];
        debug_assert_eq!(conn.generation, flow.conn.generation, "the caller holds the connection");
        let local = conn.is_local();
        let (node, peer) = (conn.ends[flow.from as usize].node, conn.ends[1 - flow.from as usize].node);
        let left = self.links.pass_at_last(self.now, node, peer, len, &mut self.effects);
        let tries = (RTO_FIRST_NS, GIVE_UP_NS);
        let took = segment_latency(&self.physics, &mut self.effects, &mut conn.stream, conn.pair, local, tries);
        let state = &mut conn.flows[flow.from as usize];
        let at = (left + took.unwrap_or(GIVE_UP_NS)).max(state.last_at);
        state.last_at = at;
        state.segments.push_back(Segment { at, len: len as u32, fin, lost: took.is_none() });
        if self.trace.keeps_messages() {
            self.sent.entry(flow).or_default().push_back(self.now);
        }
        if !state.armed {
            state.armed = true;
            self.heap.push(at, Due::Arrive { flow });
        }
    }

    /// A reset travels to one end.
    fn send_reset(&mut self, id: ConnId, end: u8) {
        if !self.conn(id).is_some_and(|conn| conn.ends[end as usize].open) {
            return;
        }
        let conn = &mut self.conns[id.index as usize];
        // Nothing repeats a reset: it is lost, or takes one trip.
        let latency = if conn.is_local() { conn.pair } else { conn.pair + self.physics.latency.draw(&mut conn.stream) };
        self.heap.push(self.now + latency, Due::Reset { conn: id, end });
    }

    /// Both ends are reset at once, as by something between them.
    pub(crate) fn reset_both(&mut self, id: ConnId) {
        for end in 0..2 {
            self.heap.push(self.now, Due::Reset { conn: id, end });
        }
        self.effects.add(Effect::Reset);
    }

    /// A reset reaches an end: what is in flight is lost, what has arrived can still be read.
    pub(crate) fn on_reset(&mut self, id: ConnId, end: u8) {
        let Some(conn) = self.conn(id) else { return };
        let (node, peer) = (conn.ends[end as usize].node, conn.ends[1 - end as usize].node);
        if conn.ends[end as usize].gone || (node != peer && !self.passes(peer, node)) {
            return;
        }
        if self.holds(peer, node, Due::Reset { conn: id, end }) || (end == 1 && self.forget_request(id)) {
            return;
        }
        self.fail_end(id, end, ErrorKind::ConnectionReset);
        self.record(node, 0, Kind::Reset, u64::from(id.index), u64::from(end), || format!("on {}", Name(id, end)));
    }

    fn fail_end(&mut self, id: ConnId, end: u8, error: ErrorKind) {
        self.keep_flight(FlowId { conn: id, from: 1 - end }, Stop::Broken);
        let Some(conn) = self.conn(id) else { return };
        let flow = &mut conn.flows[1 - end as usize];
        flow.segments.clear();
        flow.bytes.truncate(flow.arrived);
        // A reset after the end of the stream changes nothing for who reads; who writes has a broken pipe.
        let ended = flow.fin_arrived && error == ErrorKind::ConnectionReset;
        let me = &mut conn.ends[end as usize];
        me.gone = true;
        me.error = (!ended).then_some(error);
        let (reader, writer) = (me.reader.take(), me.writer.take());
        self.wakes.extend(reader);
        self.wakes.extend(writer);
    }

    /// The first segments of a flow are due.
    pub(crate) fn on_arrive(&mut self, id: FlowId) {
        let Some(conn) = self.conn(id.conn) else { return };
        conn.flows[id.from as usize].armed = false;
        if conn.flows[id.from as usize].segments.is_empty() {
            return;
        }
        let (from, to) = (conn.ends[id.from as usize].node, conn.ends[1 - id.from as usize].node);
        if conn.flows[id.from as usize].segments.front().is_some_and(|segment| segment.lost) {
            self.give_up_sending(id);
        } else if from != to && !self.passes(from, to) {
            self.try_later(id, RTO_FIRST_NS);
        } else if self.holds(from, to, Due::Arrive { flow: id }) {
            self.held_back(id);
        } else {
            self.deliver(id, to);
        }
    }

    /// A clog holds a flow: its sender waits for an acknowledgement, but not forever.
    fn held_back(&mut self, id: FlowId) {
        let now = self.now;
        let flow = &mut self.conn(id.conn).expect("the caller holds the connection").flows[id.from as usize];
        flow.armed = true;
        let since = *flow.blocked_since.get_or_insert(now);
        flow.stop.get_or_insert(Stop::Clogged);
        self.heap.push(since + GIVE_UP_NS, Due::GiveUp { flow: id });
    }

    /// Whether a flow has waited so long that its sender gives up at `at`.
    pub(crate) fn still_blocked(&self, id: FlowId, at: u64) -> bool {
        let conn = self.conns.get(id.conn.index as usize).filter(|conn| conn.generation == id.conn.generation);
        conn.is_some_and(|conn| {
            conn.flows[id.from as usize].blocked_since.is_some_and(|since| since + GIVE_UP_NS == at)
        })
    }

    /// Nobody has acknowledged what a flow sent for as long as a sender waits.
    pub(crate) fn give_up_sending(&mut self, id: FlowId) {
        self.keep_flight(id, Stop::Cut);
        let Some(conn) = self.conn(id.conn) else { return };
        conn.flows[id.from as usize].blocked_since = None;
        conn.flows[id.from as usize].segments.clear();
        let me = &conn.ends[id.from as usize];
        let (node, told) = (me.node, me.open && !me.gone);
        if told {
            self.effects.add(Effect::GiveUp);
            self.fail_end(id.conn, id.from, ErrorKind::TimedOut);
            self.conn(id.conn).expect("checked above").ends[id.from as usize].forgotten = true;
            self.record(node, 0, Kind::Reset, u64::from(id.conn.index), 2 + u64::from(id.from), || {
                format!("given up, {}", Name(id.conn, id.from))
            });
        }
    }

    /// One end loses the connection, as if something between the two had reset this side alone: the
    /// other is told nothing, and learns of it when it next sends. False if it is over already.
    pub(crate) fn forget(&mut self, id: ConnId, end: u8) -> bool {
        let Some(conn) = self.conn(id) else { return false };
        let alive = conn.ends.iter().all(|end| end.open && !end.gone);
        if alive {
            self.effects.add(Effect::HalfOpen);
            self.fail_end(id, end, ErrorKind::ConnectionReset);
            let conn = self.conn(id).expect("checked above");
            conn.ends[end as usize].forgotten = true;
            conn.flows[end as usize].orphaned = true;
        }
        alive
    }

    /// A sender tries again.
    pub(crate) fn on_retry(&mut self, id: FlowId) {
        let now = self.now;
        let Some(conn) = self.conn(id.conn) else { return };
        let flow = &mut conn.flows[id.from as usize];
        flow.armed = false;
        let (rto, since) = (flow.rto, flow.blocked_since.unwrap_or(now));
        let (from, to) = (conn.ends[id.from as usize].node, conn.ends[1 - id.from as usize].node);
        if conn.flows[id.from as usize].orphaned || conn.flows[id.from as usize].segments.is_empty() {
            self.keep_flight(id, Stop::Off);
            self.conns[id.conn.index as usize].flows[id.from as usize].segments.clear();
        } else if self.passes(from, to) {
            if self.holds(from, to, Due::Retry { flow: id }) {
                self.held_back(id);
            } else {
                self.deliver(id, to);
            }
        } else if now - since >= GIVE_UP_NS {
            self.give_up_sending(id);
        } else {
            self.try_later(id, (rto * 2).min(RTO_MAX_NS));
        }
    }

    fn try_later(&mut self, id: FlowId, rto: u64) {
        let now = self.now;
        let to = self.conns[id.conn.index as usize].ends[1 - id.from as usize].node;
        let stop = if self.nodes[to as usize].powered { Stop::Cut } else { Stop::Off };
        let flow = &mut self.conn(id.conn).expect("the caller holds the connection").flows[id.from as usize];
        flow.blocked_since.get_or_insert(now);
        flow.stop.get_or_insert(stop);
        flow.rto = rto;
        flow.armed = true;
        self.heap.push(now + rto, Due::Retry { flow: id });
    }

    /// Hands over all segments that are due.
    fn deliver(&mut self, id: FlowId, to: u32) {
        let (now, keeps) = (self.now, self.trace.keeps_messages());
        let conn = &mut self.conns[id.conn.index as usize];
        debug_assert_eq!(conn.generation, id.conn.generation, "the caller holds the connection");
        let forgotten = conn.ends[1 - id.from as usize].forgotten;
        let flow = &mut conn.flows[id.from as usize];
        (flow.blocked_since, flow.stop) = (None, None);
        let (mut len, mut segments) = (0, 0);
        while let Some(segment) = flow.segments.front().copied().filter(|segment| segment.at <= now && !segment.lost) {
            flow.segments.pop_front();
            segments += 1;
            len += segment.len as usize;
            flow.fin_arrived |= segment.fin;
        }
        let bytes: Vec<u8> =
            if keeps { flow.bytes.range(flow.arrived..flow.arrived + len).copied().collect() } else { Vec::new() };
        if forgotten {
            flow.bytes.drain(flow.arrived..flow.arrived + len);
        } else {
            flow.arrived += len;
        }
        let fin = flow.fin_arrived;
        let next = flow.segments.front().map(|segment| segment.at);
        flow.armed = next.is_some();
        let receiver = &mut conn.ends[1 - id.from as usize];
        let (open, reader) = (receiver.open, receiver.reader.take());
        let is_accepted = receiver.handles > 0;
        if let Some(at) = next {
            self.heap.push(at, Due::Arrive { flow: id });
        }
        if open && !is_accepted {
            self.acknowledged(id.conn); // whatever a client sends says that it has had its answer
        }
        self.wakes.extend(reader);
        self.record(to, 0, Kind::Arrive, u64::from(id.conn.index), (len as u64) << 1 | u64::from(fin), || {
            let end = if fin { " and the end" } else { "" };
            format!("{len} bytes{end} on {}", Name(id.conn, 1 - id.from))
        });
        let is_unread = (!open && len > 0) || forgotten;
        if keeps {
            self.keep_message(id, segments, &bytes, is_unread);
        }
        if is_unread {
            // Nobody is there to read it: the kernel answers with a reset.
            self.send_reset(id.conn, id.from);
        }
    }

    /// Makes the sender learn, one latency from now, what the reader has read.
    fn arm_window(&mut self, id: FlowId) {
        let latest = self.now;
        let conn = self.conn(id.conn).expect("the caller holds the connection");
        let latency = conn.pair + if conn.is_local() { 0 } else { 500_000 };
        let flow = &mut conn.flows[id.from as usize];
        if flow.freed > 0 && !flow.window_armed {
            flow.window_armed = true;
            let at = latest.max(flow.freed_at + latency);
            self.heap.push(at, Due::Window { flow: id });
        }
    }

    /// The news of what was read reaches the sender.
    pub(crate) fn on_window(&mut self, id: FlowId) {
        let Some(conn) = self.conn(id.conn) else { return };
        let (from, to) = (conn.ends[id.from as usize].node, conn.ends[1 - id.from as usize].node);
        if from != to && !self.passes(to, from) {
            self.heap.push(self.now + RTO_FIRST_NS, Due::Window { flow: id });
            return;
        }
        if self.holds(to, from, Due::Window { flow: id }) {
            return;
        }
        let conn = self.conn(id.conn).expect("checked above");
        let flow = &mut conn.flows[id.from as usize];
        flow.window_armed = false;
        flow.used -= std::mem::take(&mut flow.freed);
        let writer = conn.ends[id.from as usize].writer.take();
        self.wakes.extend(writer);
    }
}

/// The connection, if it still is the one meant.
fn find(conns: &mut Slab<Conn>, id: ConnId) -> Option<&mut Conn> {
    conns.get_mut(id.index as usize).filter(|conn| conn.generation == id.generation)
}

/// A connection's end, in words.
pub(crate) struct Name(pub(crate) ConnId, pub(crate) u8);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection {}.{} {}", self.0.index, self.0.generation, if self.1 == 0 { "client" } else { "server" })
    }
}
