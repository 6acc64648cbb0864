//! What a node keeps of a process, and how a process ends.
//!
//! ```text
//!            doomed                    its future is dropped         no child of it is left
//!   ALIVE ───────────> ALIVE, doomed ───────────────────────> ENDING ─────────────────────> ENDED
//!     └─── returns, panics ─────────────────────────────────────^          monitors, links and
//!                                                                          the parent are told
//! ```
//!
//! A process is told to end by dooming it: its future is dropped at its next await. When the future
//! is gone, with all that it held, the children that a supervisor may leave behind are killed, and
//! only when the last of them has ended is the end of the process itself told: whoever hears of it,
//! a parent that starts it anew for one, finds nothing left over.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Header, Instant, JoinHandle, planted, sim};
use simurgh_sync::mailbox::{Counts, Mailbox};
use simurgh_sync::port;
use simurgh_telemetry::{Parcel, event};
use slab::Slab;

use crate::crash::CrashReport;
use crate::signal::{Exit, Signal};
use crate::table::Table;
use crate::{Down, ExitReason, Kind, Pid};

/// What all processes have.
pub(crate) struct Core {
    pub(crate) pid: Pid,
    pub(crate) header: Arc<Header>,
    /// The supervisor that started it.
    pub(crate) parent: Option<Arc<dyn Process>>,
    /// What it is, for operators.
    pub(crate) kind: Kind,
    /// What its task takes, in bytes.
    pub(crate) task_bytes: u32,
    pub(crate) since: Instant,
    task: OnceLock<JoinHandle<()>>,
    doomed: AtomicBool,
    /// Exits of linked processes come as messages.
    pub(crate) traps_exits: AtomicBool,
    /// Messages handled.
    pub(crate) handled: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Somebody looks after it, or did.
    watched: bool,
    /// Why it is told to end, or has ended.
    reason: Option<ExitReason>,
    /// What many processes never have.
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
pub(crate) struct Rare {
    watchers: Slab<Watcher>,
    pub(crate) links: Vec<Pid>,
    children: HashMap<u64, Arc<dyn Process>>,
    /// The message at work when it ended.
    pub(crate) last_message: Option<&'static str>,
    /// What waited in its mailbox when it ended.
    pub(crate) waiting: usize,
    /// The linked process whose exit ends it.
    pub(crate) exit_of: Option<Pid>,
}

impl Rare {
    /// How many monitor it.
    pub(crate) fn monitors(&self) -> usize {
        self.watchers.iter().filter(|(_, watcher)| watcher.caller().is_none()).count()
    }
}

impl State {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Alive,
    Ending,
    Ended,
}

/// Who wants to hear of a process's end.
pub(crate) enum Watcher {
    /// A [`Monitor`](crate::Monitor) that is awaited.
    Port(port::Sender<ExitReason>),
    /// A server, by a signal.
    Server { process: Arc<dyn Process>, monitor: u64 },
    /// A call that waits for an answer: it looks again.
    Caller(Waker),
}

/// A process, whatever its messages are.
pub(crate) trait Process: Any + Send + Sync {
    /// What all processes have.
    fn core(&self) -> &Core;
    /// Puts a signal into its mailbox; gives it back if it has none, or has ended.
    fn signal(&self, signal: Box<Signal>) -> Result<(), Box<Signal>>;
    /// What its mailbox has counted, if it has one.
    fn counts(&self) -> Option<Counts>;
    /// What its record takes, in bytes.
    fn bytes(&self) -> usize;
    /// Its mailbox takes no more, and what waits in it is dropped; tells how much that was.
    fn close(&self) -> usize;
    /// For who knows the type.
    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A process without a mailbox.
pub(crate) struct Plain {
    pub(crate) core: Core,
}

/// A process with a mailbox.
pub(crate) struct Served<M> {
    pub(crate) core: Core,
    pub(crate) mailbox: Mailbox<Parcel<M>, Box<Signal>>,
    /// Of two messages with the same key the later takes the place of the earlier.
    pub(crate) key: Option<fn(&M) -> Option<u64>>,
    /// Senders wait while it is full.
    pub(crate) waits_when_full: bool,
    /// Its number among the simulated world's resources, which callers wait for; 0 in production.
    pub(crate) resource: u64,
}

impl Process for Plain {
    fn core(&self) -> &Core {
        &self.core
    }

    fn signal(&self, signal: Box<Signal>) -> Result<(), Box<Signal>> {
        Err(signal)
    }

    fn counts(&self) -> Option<Counts> {
        None
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn close(&self) -> usize {
        0
    }

    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<M: Send + 'static> Process for Served<M> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn signal(&self, signal: Box<Signal>) -> Result<(), Box<Signal>> {
        self.mailbox.signal(signal)
    }

    fn counts(&self) -> Option<Counts> {
        Some(self.mailbox.counts())
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn close(&self) -> usize {
        self.mailbox.close().len()
    }

    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Core {
    pub(crate) fn new(header: Arc<Header>, parent: Option<Arc<dyn Process>>, watched: bool) -> Self {
        Self {
            pid: Pid::of(&header),
            header,
            kind: if parent.is_some() { Kind::Worker } else { Kind::Process },
            parent,
            task_bytes: 0,
            since: Instant::now(),
            task: OnceLock::new(),
            doomed: AtomicBool::new(false),
            traps_exits: AtomicBool::new(false),
            handled: AtomicU64::new(0),
            state: Mutex::new(State { watched, ..State::default() }),
        }
    }

    /// The task has started. Another thread may poll the process, and doom it, before: the fence pairs
    /// with that of `doom`, so that either it finds the handle or this finds the flag.
    pub(crate) fn started(&self, task: JoinHandle<()>) {
        let _ = self.task.set(task);
        fence(Ordering::SeqCst);
        if self.doomed.load(Ordering::Relaxed) {
            self.abort_task();
        }
    }

    fn abort_task(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// It is to end for this reason: its future is dropped at its next await. The first reason counts,
    /// but for a kill, which no other reason can soften.
    pub(crate) fn doom(&self, reason: ExitReason) {
        {
            let mut state = self.state.lock();
            if state.phase != Phase::Alive {
                return;
            }
            if state.reason.is_none() || reason == ExitReason::Kill {
                state.reason = Some(reason);
            }
        }
        self.doomed.store(true, Ordering::Release);
        fence(Ordering::SeqCst); // pairs with that of `started`
        // Without this a process that waits would live until something else wakes it.
        if !planted!("otp.kill-forgotten") {
            self.abort_task();
        }
    }

    /// The exit of `other`, to which it is linked, is about to end it.
    pub(crate) fn note_exit_of(&self, other: Pid) {
        let mut state = self.state.lock();
        if state.phase == Phase::Alive && state.reason.is_none() {
            state.rare().exit_of = Some(other);
        }
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Acquire)
    }

    /// Why it ended, or is about to.
    pub(crate) fn reason(&self) -> Option<ExitReason> {
        self.state.lock().reason.clone()
    }

    /// Whether its future is gone, or going.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().phase != Phase::Alive
    }

    /// Somebody looks after it.
    pub(crate) fn set_watched(&self) {
        self.state.lock().watched = true;
    }

    /// The message that was at work when the process ended.
    pub(crate) fn note_last_message(&self, name: &'static str) {
        self.state.lock().rare().last_message = Some(name);
    }

    /// Adds one who wants to hear of its end; gives it back if there is nothing more to hear.
    pub(crate) fn watch(&self, watcher: Watcher) -> Result<usize, Watcher> {
        let mut state = self.state.lock();
        // A caller looks for itself whether an end has begun; the others hear when it is complete.
        let over = if matches!(watcher, Watcher::Caller(_)) { Phase::Ending } else { Phase::Ended };
        if state.phase == over || state.phase == Phase::Ended {
            return Err(watcher);
        }
        state.watched |= !matches!(watcher, Watcher::Caller(_));
        Ok(state.rare().watchers.insert(watcher))
    }

    /// Takes one back.
    pub(crate) fn unwatch(&self, key: usize) {
        // What is dropped may be the last of something that looks at this process: not under its lock.
        let watcher = self.state.lock().rare.as_mut().and_then(|rare| rare.watchers.try_remove(key));
        drop(watcher);
    }

    /// A caller's other waker.
    pub(crate) fn rewatch(&self, key: usize, waker: &Waker) {
        if let Some(Watcher::Caller(known)) = self.state.lock().rare().watchers.get_mut(key) {
            known.clone_from(waker);
        }
    }

    /// Adds a link to `other`; false if this process has ended.
    pub(crate) fn add_link(&self, other: Pid) -> bool {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive {
            return false;
        }
        let links = &mut state.rare().links;
        if !links.contains(&other) {
            links.push(other);
        }
        true
    }

    pub(crate) fn remove_link(&self, other: Pid) {
        if let Some(rare) = &mut self.state.lock().rare {
            rare.links.retain(|linked| *linked != other);
        }
    }

    /// The processes it is linked to.
    pub(crate) fn links(&self) -> Vec<Pid> {
        self.state.lock().rare.as_ref().map_or_else(Vec::new, |rare| rare.links.clone())
    }

    /// Adds a child; false if this process has ended.
    pub(crate) fn add_child(&self, child: Arc<dyn Process>) -> bool {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive {
            return false;
        }
        state.rare().children.insert(child.core().pid.number(), child);
        true
    }

    /// Its children, oldest first.
    pub(crate) fn children(&self) -> Vec<Arc<dyn Process>> {
        let state = self.state.lock();
        let mut children: Vec<_> = state.rare.iter().flat_map(|rare| rare.children.values().cloned()).collect();
        drop(state);
        children.sort_unstable_by_key(|child| child.core().pid);
        children
    }

    /// How many children it has.
    pub(crate) fn children_count(&self) -> usize {
        self.state.lock().rare.as_ref().map_or(0, |rare| rare.children.len())
    }
}

impl dyn Process {
    pub(crate) fn pid(&self) -> Pid {
        self.core().pid
    }

    /// Its future is about to be dropped: from now on whoever misses an answer knows why.
    pub(crate) fn announce(&self, reason: &ExitReason) -> ExitReason {
        let mut state = self.core().state.lock();
        // Doomed and ended by itself in the same poll: what it said itself counts, but for a kill.
        match &state.reason {
            Some(ExitReason::Kill) => ExitReason::Kill,
            _ => {
                state.reason = Some(reason.clone());
                reason.clone()
            }
        }
    }

    /// Its future is gone, and with it all that it held.
    pub(crate) fn end(self: Arc<Self>) {
        let core = self.core();
        if core.header.node().is_dead() {
            return; // nobody is left to tell
        }
        let waiting = self.close();
        let mut state = core.state.lock();
        if waiting > 0 {
            state.rare().waiting = waiting;
        }
        state.phase = if state.rare.is_none() { Phase::Ended } else { Phase::Ending };
        let Some(rare) = &state.rare else {
            let watched = state.watched;
            drop(state);
            return self.tell(Rare::default(), watched);
        };
        let callers: Vec<Waker> = rare.watchers.iter().filter_map(|(_, watcher)| watcher.caller()).collect();
        let orphans: Vec<_> = rare.children.values().cloned().collect();
        drop(state);
        callers.into_iter().for_each(Waker::wake);
        if orphans.is_empty() || planted!("otp.orphans-live") {
            return self.finish();
        }
        for orphan in orphans {
            orphan.core().doom(ExitReason::Kill);
        }
    }

    /// A child has ended.
    fn child_ended(self: Arc<Self>, child: Pid, reason: &ExitReason, report: Option<Box<CrashReport>>) {
        let ending = {
            let mut state = self.core().state.lock();
            let left = state.rare.as_mut().map_or(0, |rare| {
                rare.children.remove(&child.number());
                rare.children.len()
            });
            match state.phase {
                Phase::Ending => left == 0,
                Phase::Alive | Phase::Ended => false,
            }
        };
        // The parent tells of the crash, together with what it does about it.
        let exit = Exit { pid: child, reason: reason.clone() };
        if let Err(signal) = self.signal(Box::new(Signal::ChildExit(exit, report)))
            && let Signal::ChildExit(_, Some(report)) = *signal
        {
            report.decided("none: its supervisor has ended").tell();
        }
        if ending {
            self.finish();
        }
    }

    /// Nothing of it is left.
    fn finish(self: Arc<Self>) {
        let mut state = self.core().state.lock();
        if state.phase == Phase::Ended {
            return;
        }
        state.phase = Phase::Ended;
        let (rare, watched) = (state.rare.take().unwrap_or_default(), state.watched);
        drop(state);
        self.tell(*rare, watched);
    }

    /// Tells everybody of the end.
    fn tell(self: Arc<Self>, rare: Rare, watched: bool) {
        let core = self.core();
        Table::of(core.header.node()).remove(core.pid);
        let reason = core.reason().unwrap_or(ExitReason::Kill);
        event!("otp.process.stop", {}, { reason: reason.kind() });
        let report = (!reason.is_orderly()).then(|| Box::new(CrashReport::of(&*self, &reason, &rare)));
        let Rare { watchers, links, .. } = rare;
        if let (ExitReason::Panic(report), false) = (&reason, watched) {
            sim::world(|world| world.unsupervised_panic(&core.header, &report.to_string()));
        }
        for (_, watcher) in watchers {
            watcher.tell(core.pid, &reason);
        }
        let table = Table::of(core.header.node());
        for linked in links {
            if let Some(other) = table.get(linked) {
                other.core().remove_link(core.pid);
                crate::link::deliver(&*other, core.pid, &reason);
            }
        }
        match &core.parent {
            Some(parent) => Arc::clone(parent).child_ended(core.pid, &reason, report),
            None => report.into_iter().for_each(CrashReport::tell),
        }
    }
}

impl Watcher {
    fn caller(&self) -> Option<Waker> {
        match self {
            Self::Caller(waker) => Some(waker.clone()),
            Self::Port(_) | Self::Server { .. } => None,
        }
    }

    fn tell(self, pid: Pid, reason: &ExitReason) {
        match self {
            Self::Port(port) => drop(port.send(reason.clone())), // a monitor that was dropped meanwhile
            Self::Server { process, monitor } => {
                let down = Down { pid, reason: reason.clone() };
                let _ = process.signal(Box::new(Signal::Down { monitor, down }));
            }
            Self::Caller(waker) => waker.wake(),
        }
    }
}

impl fmt::Debug for dyn Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.pid(), self.core().header.label())
    }
}
