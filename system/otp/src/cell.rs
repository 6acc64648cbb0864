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
//! is gone, with all that it held, its names are free again and the children that a supervisor may
//! leave behind are killed; only when the last of them has ended is the end of the process itself told:
//! whoever hears of it, a parent that starts it anew for one, finds nothing left over.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::task::Grip;
use simurgh_runtime::{Header, Instant, planted, sim};
use simurgh_sync::mailbox::{Counts, Mailbox};
use simurgh_sync::port;
use simurgh_telemetry::{Parcel, event};
use slab::Slab;

use crate::crash::CrashReport;
use crate::crowd::{Crowd, NoRoom};
use crate::signal::{Exit, Signal};
use crate::table::{ByNumber, Table};
use crate::{Down, ExitReason, Kind, Pid};

/// What all processes have.
pub(crate) struct Core {
    pub(crate) header: Arc<Header>,
    /// The supervisor that started it.
    pub(crate) parent: Option<Arc<dyn Process>>,
    /// A member of its parent's [`Crowd`]: the parent hears neither that it is ready nor that it ended.
    pub(crate) member: bool,
    /// What it is, for operators.
    pub(crate) kind: Kind,
    /// What its task takes, in units of 16 bytes: a larger number would make every process larger.
    task_size: u16,
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
    /// None until it has started.
    task: Option<Grip>,
    /// Why it is told to end, or has ended.
    reason: Option<ExitReason>,
    /// What many processes never have.
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
pub(crate) struct Rare {
    watchers: Slab<Watcher>,
    pub(crate) links: Vec<Pid>,
    children: ByNumber,
    /// A dynamic supervisor's account of its children.
    crowd: Option<Box<Crowd>>,
    /// What it leaves behind: done when it is gone, before anybody hears of that.
    farewell: Option<Box<dyn FnOnce() + Send>>,
    /// The registries that know it. Weak: a registry holds its processes.
    names: Vec<Weak<dyn Names>>,
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
    /// When it was started, if it is of those that live long enough to be asked.
    fn since(&self) -> Option<Instant>;
    /// What its record takes, in bytes.
    fn bytes(&self) -> usize;
    /// Its mailbox takes no more, and what waits in it is dropped; tells how much that was.
    fn close(&self) -> usize;
    /// For who knows the type.
    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// What knows processes by names, and forgets those that end.
pub(crate) trait Names: Send + Sync {
    /// This process ends: from when this returns on it is not to be found any more.
    fn forget(&self, pid: Pid);
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
    pub(crate) since: Instant,
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

    fn since(&self) -> Option<Instant> {
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

    fn since(&self) -> Option<Instant> {
        Some(self.since)
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
    pub(crate) fn new(header: Arc<Header>, parent: Option<Arc<dyn Process>>, member: bool, watched: bool) -> Self {
        Self {
            header,
            kind: if parent.is_some() { Kind::Worker } else { Kind::Process },
            parent,
            member,
            task_size: 0,
            doomed: AtomicBool::new(false),
            traps_exits: AtomicBool::new(false),
            handled: AtomicU64::new(0),
            state: Mutex::new(State { watched, ..State::default() }),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::of(&self.header)
    }

    pub(crate) fn set_task_bytes(&mut self, bytes: usize) {
        self.task_size = u16::try_from(bytes.div_ceil(16)).unwrap_or(u16::MAX);
    }

    /// What its task takes, in bytes, at most a mebibyte.
    pub(crate) fn task_bytes(&self) -> usize {
        usize::from(self.task_size) * 16
    }

    /// The task has started. Another thread may have polled the process, and doomed it, before.
    pub(crate) fn started(&self, task: Grip) {
        // Under the lock, as in `doom`: either it finds the task, or this finds it doomed.
        let mut state = self.state.lock();
        let abort = self.is_doomed().then(|| task.abort_handle());
        state.task = Some(task);
        drop(state);
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    /// It is to end for this reason: its future is dropped at its next await. The first reason counts,
    /// but for a kill, which no other reason can soften.
    pub(crate) fn doom(&self, reason: ExitReason) {
        let abort = {
            let mut state = self.state.lock();
            if state.phase != Phase::Alive {
                return;
            }
            if state.reason.is_none() || reason == ExitReason::Kill {
                state.reason = Some(reason);
            }
            self.doomed.store(true, Ordering::Release);
            state.task.as_ref().map(Grip::abort_handle)
        };
        // Without this a process that waits would live until something else wakes it. Not under the
        // lock: in the simulator it drops the future here and now.
        if let Some(abort) = abort
            && !planted!("otp.kill-forgotten")
        {
            abort.abort();
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

    /// Something to do when it is gone, before anybody hears of that.
    pub(crate) fn set_farewell(&self, farewell: impl FnOnce() + Send + 'static) {
        self.state.lock().rare().farewell = Some(Box::new(farewell));
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

    /// A registry that has to hear of its end before anybody else; false if it has ended, or is about to.
    pub(crate) fn add_names(&self, names: &Weak<dyn Names>) -> bool {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive || state.reason.is_some() {
            return false;
        }
        let known = &mut state.rare().names;
        if !known.iter().any(|known| known.ptr_eq(names)) {
            known.push(Weak::clone(names));
        }
        true
    }

    /// Adds a child, if this process has not ended and its crowd, if the child is to be a member, has
    /// room: under one lock, so that a limit holds whoever comes at the same time.
    pub(crate) fn add_child(&self, child: Arc<dyn Process>) -> Result<(), NoRoom> {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive {
            return Err(NoRoom::Ended);
        }
        let rare = state.rare();
        if child.core().member {
            rare.crowd.as_mut().map_or(Err(NoRoom::Ended), |crowd| crowd.join())?;
        }
        rare.children.insert(child.core().pid().number(), child);
        Ok(())
    }

    /// From now on it may have members.
    pub(crate) fn open_crowd(&self, crowd: Crowd) {
        self.state.lock().rare().crowd = Some(Box::new(crowd));
    }

    /// Looks at the crowd, or changes it; none if it has none, or has ended.
    pub(crate) fn crowd<R>(&self, look: impl FnOnce(&mut Crowd) -> R) -> Option<R> {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive {
            return None;
        }
        state.rare.as_mut()?.crowd.as_deref_mut().map(look)
    }

    /// Its children, oldest first.
    pub(crate) fn children(&self) -> Vec<Arc<dyn Process>> {
        let state = self.state.lock();
        let mut children: Vec<_> = state.rare.iter().flat_map(|rare| rare.children.values().cloned()).collect();
        drop(state);
        children.sort_unstable_by_key(|child| child.core().pid());
        children
    }
}

impl dyn Process {
    /// How long it has lived, if that is kept.
    pub(crate) fn age(&self) -> Duration {
        self.since().map_or(Duration::ZERO, Instant::elapsed)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.core().pid()
    }

    /// Its future is about to be dropped: from now on whoever misses an answer knows why.
    pub(crate) fn announce(&self, reason: ExitReason) -> ExitReason {
        let mut state = self.core().state.lock();
        // Doomed and ended by itself in the same poll: what it said itself counts, but for a kill.
        let reason = if state.reason == Some(ExitReason::Kill) { ExitReason::Kill } else { reason };
        state.reason = Some(reason.clone());
        reason
    }

    /// Its future is gone, and with it all that it held.
    pub(crate) fn end(self: Arc<Self>, reason: &ExitReason) {
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
        let Some(rare) = &mut state.rare else {
            let watched = state.watched;
            drop(state);
            return self.tell(reason, None, watched);
        };
        let callers: Vec<Waker> = rare.watchers.iter().filter_map(|(_, watcher)| watcher.caller()).collect();
        let orphans: Vec<_> = rare.children.values().cloned().collect();
        let names = if planted!("registry.stale-name") { Vec::new() } else { std::mem::take(&mut rare.names) };
        drop(state);
        // Before anybody hears of the end: who starts it anew finds its name free.
        forget(&names, core.pid());
        callers.into_iter().for_each(Waker::wake);
        if orphans.is_empty() || planted!("otp.orphans-live") {
            return self.finish();
        }
        for orphan in orphans {
            orphan.core().doom(ExitReason::Kill);
        }
    }

    /// A child has ended.
    fn child_ended(self: Arc<Self>, child: &Core, reason: &ExitReason, report: Option<Box<CrashReport>>) {
        let mut heard = !child.member;
        let ending = {
            let mut state = self.core().state.lock();
            let left = state.rare.as_mut().map_or(0, |rare| {
                if rare.children.remove(&child.pid().number()).is_some()
                    && child.member
                    && let Some(crowd) = &mut rare.crowd
                {
                    heard = crowd.leave();
                }
                rare.children.len()
            });
            match state.phase {
                Phase::Ending => left == 0,
                Phase::Alive | Phase::Ended => false,
            }
        };
        // The parent tells of the crash, together with what it does about it. About a member nothing is
        // ever done, so that nobody has to wait for it to say so: a storm of crashes queues nothing.
        let report = if child.member { report.and_then(CrashReport::not_restarted) } else { report };
        let exit = Exit { pid: child.pid(), reason: reason.clone() };
        if heard
            && let Err(signal) = self.signal(Box::new(Signal::ChildExit(exit, report)))
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
        let reason = state.reason.clone().unwrap_or(ExitReason::Kill);
        let (rare, watched) = (state.rare.take(), state.watched);
        drop(state);
        self.tell(&reason, rare, watched);
    }

    /// Tells everybody of the end.
    fn tell(self: Arc<Self>, reason: &ExitReason, mut rare: Option<Box<Rare>>, watched: bool) {
        let core = self.core();
        let table = Table::of(core.header.node());
        table.remove(core.pid());
        // The task at work may be another: the last child of a supervisor ends it too.
        event!("otp.process.stop", {}, { process: core.pid().number(), reason: reason.kind() });
        let mut report = (!reason.is_orderly()).then(|| Box::new(CrashReport::of(&*self, reason, rare.as_deref())));
        if let (ExitReason::Panic(report), false) = (reason, watched) {
            sim::world(|world| world.unsupervised_panic(&core.header, &report.to_string()));
        }
        // A member gives up its place before anybody hears of its end: who waits for that finds room.
        if let Some(parent) = core.parent.as_ref().filter(|_| core.member) {
            Arc::clone(parent).child_ended(core, reason, report.take());
        }
        let late_names = rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.names));
        if let Some(rare) = rare {
            rare.tell(core.pid(), reason, table);
        }
        match &core.parent {
            Some(_) if core.member => {}
            Some(parent) => Arc::clone(parent).child_ended(core, reason, report),
            None => report.into_iter().for_each(CrashReport::tell),
        }
        if planted!("registry.stale-name") && Header::with(|header| header.is_some()) {
            // As a registry does that is a process itself, and monitors those that it knows.
            let pid = core.pid();
            drop(simurgh_runtime::spawn(async move { forget(&late_names, pid) }));
        }
    }
}

impl Rare {
    /// Bids farewell, tells those who watch, then those who are linked.
    fn tell(self, pid: Pid, reason: &ExitReason, table: &Table) {
        if let Some(farewell) = self.farewell {
            // What it drops is the user's, and no panic of that may keep the end from being told.
            let _ = catch_unwind(AssertUnwindSafe(farewell));
        }
        for (_, watcher) in self.watchers {
            watcher.tell(pid, reason);
        }
        for linked in self.links {
            if let Some(other) = table.get(linked) {
                other.core().remove_link(pid);
                crate::link::deliver(&*other, pid, reason);
            }
        }
    }
}

fn forget(names: &[Weak<dyn Names>], pid: Pid) {
    names.iter().filter_map(Weak::upgrade).for_each(|names| names.forget(pid));
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
