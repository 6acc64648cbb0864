//! The nodes of a world: how they start, end, stop for a while, and what they leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use simurgh_runtime as runtime;
use simurgh_runtime::signal::Signal;
use simurgh_runtime::sim::BoxFuture;

use crate::clock::WallClock;
use crate::core::{Core, WORLD};
use crate::disk::Disk;
use crate::draws::{Purpose, Stream, entity};
use crate::effects::Effect;
use crate::heap::{ConnId, Due};
use crate::physics::Clocks;
use crate::tasks::Task;
use crate::trace::{Kind, mix};

/// The address of the first node, 10.0.0.0; the next ones follow.
pub(crate) const FIRST_IP: u32 = 0x0A00_0000;

/// Makes the future of a node's program, anew for each start.
pub(crate) type Start = Rc<dyn Fn() -> BoxFuture>;

/// A node and its machine.
pub(crate) struct NodeState {
    pub(crate) rt: Arc<runtime::Node>,
    pub(crate) entity: u64,
    /// The node whose machine it runs on: itself, or for a child its parent.
    pub(crate) host: u32,
    pub(crate) ip: IpAddr,
    pub(crate) start: Option<Start>,
    /// The machine has power.
    pub(crate) powered: bool,
    /// The process is stopped for a while.
    pub(crate) paused: Option<u32>,
    pub(crate) parked: Vec<(u32, u32)>,
    pub(crate) ready: bool,
    pub(crate) exit: Option<Exit>,
    /// Who waits for it to be ready or to end.
    pub(crate) watchers: Vec<Waker>,
    pub(crate) conns: BTreeSet<(ConnId, u8)>,
    pub(crate) listeners: BTreeSet<u32>,
    pub(crate) udp: BTreeSet<u32>,
    pub(crate) udp_opened: u64,
    /// Host look-ups so far, and whether they fail.
    pub(crate) lookups: u64,
    pub(crate) lookups_fail: bool,
    pub(crate) connects: u64,
    /// Resets from outside that were drawn for it.
    pub(crate) resets: u64,
    pub(crate) next_port: u16,
    pub(crate) handles: u64,
    pub(crate) handles_max: u64,
    pub(crate) signals: BTreeMap<u8, SignalState>,
    pub(crate) disk: Disk,
    pub(crate) clock: WallClock,
    pub(crate) user: Stream,
    pub(crate) choices: Stream,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) args: Vec<String>,
    pub(crate) output: Vec<String>,
}

/// How a node's process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Its program returned.
    Finished,
    /// Its program returned an error or panicked.
    Failed(String),
    /// It was killed.
    Killed,
}

/// The end of a process, for a person.
fn how_in_words(how: &Exit, kill: Option<Kill>) -> String {
    match (how, kill) {
        (_, Some(Kill::Crash)) => "killed: the process crashed".into(),
        (_, Some(Kill::Power)) => "killed: the machine lost its power".into(),
        (_, Some(Kill::Wipe)) => "killed: the machine is lost, with its disk".into(),
        (Exit::Finished, None) => "the process ended by itself: its program returned".into(),
        (Exit::Failed(why), None) => format!("the process ended by itself: its program failed: {why}"),
        (Exit::Killed, None) => "killed".into(),
    }
}

/// How often a signal came, and who waits for it.
#[derive(Default)]
pub(crate) struct SignalState {
    pub(crate) count: u64,
    pub(crate) watchers: Vec<Waker>,
}

/// How a process is killed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The process dies, its kernel lives: peers get a reset, the disk keeps what was written.
    Crash,
    /// The machine loses power: silence, no FIN, nothing that a `Drop` does is seen. Of what was written and not
    /// synced, the disk keeps a part.
    Power,
    /// The machine is lost with its disk: as [`Kill::Power`], and whatever starts next finds an empty disk.
    Wipe,
}

impl NodeState {
    pub(crate) fn new(core: &Core, index: u32, name: &str) -> Self {
        let entity = entity(name);
        let ip = Ipv4Addr::from(FIRST_IP + index);
        Self {
            rt: runtime::Node::new(runtime::NodeId(index), name, 0),
            entity,
            host: index,
            ip: IpAddr::V4(ip),
            start: None,
            powered: true,
            paused: None,
            parked: Vec::new(),
            ready: false,
            exit: None,
            watchers: Vec::new(),
            conns: BTreeSet::new(),
            listeners: BTreeSet::new(),
            udp: BTreeSet::new(),
            udp_opened: 0,
            lookups: 0,
            lookups_fail: false,
            connects: 0,
            resets: 0,
            next_port: 0,
            handles: 0,
            handles_max: u64::MAX,
            signals: BTreeMap::new(),
            disk: Disk::new(core.physics.disk.faults, core.draws.stream(Purpose::Disk, entity)),
            clock: draw_clock(core, index, entity),
            user: core.draws.stream(Purpose::User, entity),
            choices: core.draws.stream(Purpose::Schedule, mix(entity, 7)),
            vars: BTreeMap::new(),
            args: vec![name.to_owned()],
            output: Vec::new(),
        }
    }

    /// Whether its process lives.
    pub(crate) fn is_running(&self) -> bool {
        !self.rt.is_dead() && self.exit.is_none()
    }

    /// Whether its process is this one, and lives.
    pub(crate) fn is_running_as(&self, incarnation: u32) -> bool {
        self.rt.incarnation() == incarnation && self.is_running()
    }
}

/// The world's own clock is right.
fn draw_clock(core: &Core, index: u32, entity: u64) -> WallClock {
    let Clocks { skew_max_ns, drift_max_ppb } = core.physics.clocks;
    if index == WORLD {
        return WallClock::default();
    }
    WallClock::draw(skew_max_ns, drift_max_ppb, &mut core.draws.stream(Purpose::Clock, entity))
}

impl Core {
    /// Adds a node; it does not run yet.
    pub(crate) fn add_node(&mut self, name: &str, start: Option<Start>) -> u32 {
        let index = self.nodes.len() as u32;
        let mut state = NodeState::new(self, index, name);
        state.start = start;
        self.nodes.push(state);
        self.trace.add_node(name);
        index
    }

    /// A new process for a node whose last one is gone.
    pub(crate) fn reincarnate(&mut self, node: u32) {
        let state = &mut self.nodes[node as usize];
        let incarnation = state.rt.incarnation() + 1;
        state.rt = runtime::Node::new(state.rt.id(), state.rt.name(), incarnation);
        (state.powered, state.ready, state.exit, state.handles, state.paused) = (true, false, None, 0, None);
        state.signals.clear();
        state.handles_max = u64::MAX;
        state.user = self.draws.stream(Purpose::User, mix(state.entity, u64::from(incarnation)));
    }

    /// Ends a node's process: marks it dead, lets its kernel act, and hands out its tasks, whose
    /// futures the caller drops when no borrow is held.
    pub(crate) fn end_process(&mut self, node: u32, how: &Exit, kill: Option<Kill>) -> Vec<(u32, Task)> {
        self.nodes[node as usize].rt.mark_dead();
        if matches!(kill, Some(Kill::Power | Kill::Wipe)) {
            self.cut_power(node, kill == Some(Kill::Wipe));
        }
        self.nodes[node as usize].disk.state.crash = None;
        for (id, end) in self.nodes[node as usize].conns.clone() {
            match kill {
                Some(Kill::Power | Kill::Wipe) => {
                    self.effects.add(Effect::Power);
                    self.vanish(id, end);
                }
                Some(Kill::Crash) => {
                    self.effects.add(Effect::Crash);
                    self.abort(id, end);
                }
                None => self.close(id, end),
            }
        }
        for index in self.nodes[node as usize].listeners.clone() {
            let generation = self.listeners[index as usize].generation;
            self.close_listener(index, generation);
        }
        self.close_pipes(node);
        self.close_udp_of(node);
        let slots = self.tasks.of_node(node);
        let tasks: Vec<(u32, Task)> = slots.into_iter().map(|(slot, _)| (slot, self.tasks.remove(slot))).collect();
        for (_, task) in &tasks {
            self.waits.forget((node, task.header().number()));
        }
        let state = &mut self.nodes[node as usize];
        state.parked.clear();
        (state.paused, state.exit) = (None, Some(how.clone()));
        let watchers = std::mem::take(&mut state.watchers);
        self.wakes.extend(watchers);
        let kind = if kill.is_some() { Kind::Kill } else { Kind::Exit };
        self.record(node, 0, kind, tasks.len() as u64, kill.map_or(0, |kill| kill as u64), || {
            format!("{}, with {} tasks", how_in_words(how, kill), tasks.len())
        });
        tasks
    }

    /// A machine loses its power, and its disk what it had not synced, or everything.
    pub(crate) fn cut_power(&mut self, node: u32, wipes: bool) {
        let state = &mut self.nodes[node as usize];
        if !std::mem::replace(&mut state.powered, false) && !wipes {
            return;
        }
        if wipes {
            self.effects.add_many(Effect::Wipe, state.disk.wipe());
            return;
        }
        // Keyed by the process that ends: a cut shifts no draw of the next one.
        let key = mix(state.entity, 1 << 32 | u64::from(state.rt.incarnation()));
        let lost = state.disk.power_cut(self.physics.disk.loses_unsynced, self.draws.stream(Purpose::Disk, key));
        self.effects.add_many(Effect::Unsynced, lost.sectors);
        self.effects.add_many(Effect::Undone, lost.entries);
        if lost.sectors + lost.entries > 0 {
            self.record(node, 0, Kind::Fault, lost.sectors, lost.entries, || {
                let (one, other) = (lost.sectors, lost.entries);
                format!("lost, as they were not synced: sectors of files {one}, changes of directories {other}")
            });
        }
    }

    /// Stops a process for a while.
    pub(crate) fn pause(&mut self, node: u32, ns: u64) {
        if !self.nodes[node as usize].is_running() || self.nodes[node as usize].paused.is_some() {
            return;
        }
        let generation = self.next_generation();
        self.nodes[node as usize].paused = Some(generation);
        self.heap.push(self.now + ns, Due::Resume { node, generation });
        self.record(node, 0, Kind::Pause, ns, 0, || format!("for {} ms", ns / 1_000_000));
    }

    /// Lets a stopped process go on.
    pub(crate) fn resume(&mut self, node: u32) {
        self.nodes[node as usize].paused = None;
        for (slot, generation) in std::mem::take(&mut self.nodes[node as usize].parked) {
            if let Some(task) = self.tasks.get(slot, generation) {
                task.queued = false;
                self.make_ready(slot, generation);
            }
        }
        self.record(node, 0, Kind::Resume, 0, 0, || "the process goes on".into());
    }

    /// Delivers a signal to a node's process.
    pub(crate) fn raise(&mut self, node: u32, signal: Signal) {
        let state = self.nodes[node as usize].signals.entry(signal as u8).or_default();
        state.count += 1;
        let watchers = std::mem::take(&mut state.watchers);
        self.wakes.extend(watchers);
        self.record(node, 0, Kind::Signal, signal as u64, 0, || format!("{signal:?}"));
    }

    /// Kinds of node that a fault may strike: those of `nodes` that run.
    pub(crate) fn running(&self, nodes: &[u32]) -> Vec<u32> {
        nodes.iter().copied().filter(|&node| self.nodes[node as usize].is_running()).collect()
    }
}
