//! The state of a world: everything that a run consists of, but for what is being polled.
//!
//! `Core` is borrowed for the length of one operation and never while user code runs. Operations do
//! not wake tasks themselves: they leave wakers in [`Core::wakes`], which the engine calls when the
//! borrow is over.

use std::collections::BTreeMap;

use simurgh_runtime::Header;
use slab::Slab;

use crate::children::Children;
use crate::draws::{Draws, Stream};
use crate::effects::Effects;
use crate::heap::{Due, FlowId, Heap};
use crate::net::clog::Clogs;
use crate::net::conn::Conn;
use crate::net::link::{Cuts, Links};
use crate::net::listen::{Attempt, Listening};
use crate::net::udp::{Datagram, UdpState};
use crate::node::{Kill, NodeState};
use crate::physics::Physics;
use crate::schedule::Scheduler;
use crate::tally::Tally;
use crate::tasks::Tasks;
use crate::trace::{Kind, Record, Trace};
use crate::verdict::Verdict;
use crate::waiter::{Polled, Waiter, Wakes};
use crate::waits::Waits;

/// The number of the world's own node, which runs the test's body.
pub(crate) const WORLD: u32 = 0;

/// The state of a world.
pub(crate) struct Core {
    /// Virtual time in nanoseconds since the start of the run.
    pub(crate) now: u64,
    pub(crate) heap: Heap,
    pub(crate) trace: Trace,
    pub(crate) draws: Draws,
    pub(crate) physics: Physics,
    pub(crate) effects: Effects,
    pub(crate) nodes: Vec<NodeState>,
    pub(crate) tasks: Tasks,
    pub(crate) polled: Polled,
    pub(crate) scheduler: Scheduler,
    pub(crate) timers: Slab<TimerState>,
    pub(crate) conns: Slab<Conn>,
    pub(crate) listeners: Slab<Listening>,
    pub(crate) ports: BTreeMap<(u32, u16), u32>,
    pub(crate) attempts: Slab<Attempt>,
    pub(crate) cuts: Cuts,
    pub(crate) clogs: Clogs,
    pub(crate) links: Links,
    pub(crate) udp: Slab<UdpState>,
    pub(crate) udp_ports: BTreeMap<(u32, u16), u32>,
    pub(crate) datagrams: Slab<Datagram>,
    /// When what is under way was sent, if messages are kept.
    pub(crate) sent: BTreeMap<FlowId, std::collections::VecDeque<u64>>,
    /// Swizzles so far.
    pub(crate) swizzles: u64,
    pub(crate) waits: Waits,
    pub(crate) children: Children,
    pub(crate) probes: BTreeMap<&'static str, u64>,
    /// Who waits for a probe to be passed.
    pub(crate) probe_watchers: BTreeMap<String, Vec<std::task::Waker>>,
    pub(crate) tally: Tally,
    pub(crate) sites: BTreeMap<&'static str, Option<Stream>>,
    pub(crate) planted: Option<String>,
    /// The world without faults.
    pub(crate) is_calm: bool,
    /// When a node last emitted an event that is no heartbeat, and how long ago that may be.
    pub(crate) last_progress: u64,
    pub(crate) no_progress_ns: Option<u64>,
    /// The run is decided: what its tasks do while they are dropped is no part of it.
    pub(crate) closed: bool,
    /// The first thing that went wrong.
    pub(crate) failure: Option<Verdict>,
    /// Nodes whose processes ended inside the poll that runs, and how.
    pub(crate) dying: Vec<(u32, Kill)>,
    /// To be called when the borrow is over.
    pub(crate) wakes: Wakes,
    generations: u32,
}

/// A timer that somebody waits for.
pub(crate) struct TimerState {
    pub(crate) generation: u32,
    pub(crate) waiter: Waiter,
}

impl Core {
    pub(crate) fn new(draws: Draws, physics: Physics, trace: Trace, scheduler: Scheduler) -> Self {
        Self {
            now: 0,
            heap: Heap::default(),
            trace,
            physics,
            effects: Effects::default(),
            nodes: Vec::new(),
            tasks: Tasks::default(),
            polled: Polled::default(),
            scheduler,
            timers: Slab::new(),
            conns: Slab::new(),
            listeners: Slab::new(),
            ports: BTreeMap::new(),
            attempts: Slab::new(),
            cuts: Cuts::default(),
            clogs: Clogs::default(),
            links: Links::default(),
            udp: Slab::new(),
            udp_ports: BTreeMap::new(),
            datagrams: Slab::new(),
            sent: BTreeMap::new(),
            swizzles: 0,
            waits: Waits::default(),
            children: Children::default(),
            probes: BTreeMap::new(),
            probe_watchers: BTreeMap::new(),
            tally: Tally::default(),
            sites: BTreeMap::new(),
            planted: None,
            is_calm: false,
            last_progress: 0,
            no_progress_ns: None,
            closed: false,
            failure: None,
            dying: Vec::new(),
            wakes: Wakes::default(),
            draws,
            generations: 0,
        }
    }

    /// A number that no living thing at the same index has.
    pub(crate) fn next_generation(&mut self) -> u32 {
        self.generations = self.generations.wrapping_add(1);
        self.generations
    }

    /// Adds an event of a node to the trace.
    #[inline]
    pub(crate) fn record(&mut self, node: u32, task: u64, kind: Kind, a: u64, b: u64, words: impl FnOnce() -> String) {
        if self.closed {
            return;
        }
        self.trace.add(Record { at: self.now, node, task, kind, a, b }, words);
    }

    /// Adds an event of a node in which another node has a part, whose name `words` gets.
    pub(crate) fn record_with(
        &mut self,
        node: u32,
        kind: Kind,
        (a, b): (u64, u64),
        other: u32,
        words: impl FnOnce(&str) -> String,
    ) {
        if self.closed {
            return;
        }
        let name = self.nodes[other as usize].rt.name();
        self.trace.add(Record { at: self.now, node, task: 0, kind, a, b }, || words(name));
    }

    /// Adds an event of the task that is running, or of the world if none is.
    #[inline]
    pub(crate) fn record_here(&mut self, kind: Kind, a: u64, b: u64, words: impl FnOnce() -> String) {
        let (node, task) = current();
        self.record(node, task, kind, a, b, words);
    }

    /// Adds a note of the task that is running: for who reads, and no event.
    pub(crate) fn note_here(&mut self, words: impl FnOnce() -> String) {
        let (node, task) = current();
        if !self.closed {
            self.trace.note(Record { at: self.now, node, task, kind: Kind::Note, a: 0, b: 0 }, words);
        }
    }

    /// The run has failed; the first failure counts.
    pub(crate) fn fail(&mut self, verdict: Verdict) {
        self.failure.get_or_insert(verdict);
    }

    /// Whether an entry of the heap still means something.
    fn is_live(&self, at: u64, due: Due) -> bool {
        match due {
            Due::Timer { id, generation } => {
                self.timers.get(id as usize).is_some_and(|timer| timer.generation == generation)
            }
            Due::Arrive { flow } | Due::Retry { flow } | Due::Window { flow } => {
                self.conns.get(flow.conn.index as usize).is_some_and(|conn| conn.generation == flow.conn.generation)
            }
            Due::Reset { conn: id, .. } | Due::Ack { conn: id } => {
                self.conns.get(id.index as usize).is_some_and(|conn| conn.generation == id.generation)
            }
            Due::Syn { attempt, generation } | Due::SynAck { attempt, generation } => {
                self.attempts.get(attempt as usize).is_some_and(|attempt| attempt.generation == generation)
            }
            Due::ConnectTimeout { attempt, generation } => self.still_asking(attempt, generation),
            Due::GiveUp { flow } => self.still_blocked(flow, at),
            Due::Resume { node, generation } => self.nodes[node as usize].paused == Some(generation),
            Due::Datagram { .. } | Due::Wake { .. } => true,
        }
    }

    /// When the next thing is due. Entries that mean nothing any more are dropped: they move no clock.
    pub(crate) fn next_due(&mut self) -> Option<u64> {
        while let Some((at, due)) = self.heap.peek() {
            if self.is_live(at, due) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }

    /// Whether the next thing is due now, without a look at whether it means anything still, which lies anywhere in
    /// memory.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.heap.next_at().is_some_and(|at| at <= self.now)
    }

    /// Does the next thing that is due now, if any.
    pub(crate) fn do_due(&mut self) -> bool {
        if !self.is_due() || self.next_due().is_none_or(|at| at > self.now) {
            return false;
        }
        let Some((_, due)) = self.heap.pop() else { return false };
        self.look_ahead();
        match due {
            Due::Timer { id, .. } => {
                let timer = self.timers.remove(id as usize);
                self.wakes.extend([timer.waiter]);
            }
            Due::Arrive { flow } => self.on_arrive(flow),
            Due::Retry { flow } => self.on_retry(flow),
            Due::Window { flow } => self.on_window(flow),
            Due::Reset { conn, end } => self.on_reset(conn, end),
            Due::Syn { attempt, generation } => self.on_syn(attempt, generation),
            Due::SynAck { attempt, generation } => self.on_syn_ack(attempt, generation),
            Due::Ack { conn } => self.on_ack(conn),
            Due::ConnectTimeout { attempt, generation } => self.on_connect_timeout(attempt, generation),
            Due::GiveUp { flow } => self.give_up_sending(flow),
            Due::Datagram { index } => self.on_datagram(index),
            Due::Resume { node, .. } => self.resume(node),
            Due::Wake { slot, generation } => self.make_ready(slot, generation),
        }
        true
    }
}

/// The node and number of the task that is running; the world's if none is.
pub(crate) fn current() -> (u32, u64) {
    Header::with(|header| header.map_or((WORLD, 0), |header| (header.node().id().0, header.number())))
}
