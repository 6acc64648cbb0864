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
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Headed, Header, Instant, planted};
use simurgh_sync::mailbox::{Counts, Mailbox};
use simurgh_sync::port;
use simurgh_telemetry::Parcel;
use slab::Slab;

use crate::crowd::{Crowd, NoRoom};
use crate::signal::Signal;
use crate::table::ByNumber;
use crate::{ExitReason, Kind, Pid};

mod end;

/// What all processes have.
pub(crate) struct Core {
    /// Its task's: a part of the record, so that a process is one allocation beside its task.
    pub(crate) header: Header,
    /// The supervisor that started it.
    pub(crate) parent: Option<Arc<dyn Process>>,
    /// A member of its parent's [`Crowd`]: the parent hears neither that it is ready nor that it ended.
    pub(crate) member: bool,
    /// What it is, for operators.
    pub(crate) kind: Kind,
    /// What its task takes, in units of 16 bytes: a larger number would make every process larger.
    task_size: u16,
    doomed: AtomicBool,
    /// A [`Phase`]; changes under the state's lock. It stands here, as the next does, where it costs no room.
    phase: AtomicU8,
    /// Somebody looks after it, or did.
    watched: AtomicBool,
    /// Exits of linked processes come as messages.
    pub(crate) traps_exits: AtomicBool,
    /// Messages handled.
    pub(crate) handled: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Wakes its task; none until that waits for the first time. A task has one waker for life.
    waker: Option<Waker>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
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
pub(crate) trait Process: Any + Headed {
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

impl Headed for Plain {
    #[inline]
    fn header(&self) -> &Header {
        &self.core.header
    }
}

impl<M: Send + 'static> Headed for Served<M> {
    #[inline]
    fn header(&self) -> &Header {
        &self.core.header
    }
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
    pub(crate) fn new(header: Header, parent: Option<Arc<dyn Process>>, member: bool, watched: bool) -> Self {
        Self {
            header,
            kind: if parent.is_some() { Kind::Worker } else { Kind::Process },
            parent,
            member,
            task_size: 0,
            doomed: AtomicBool::new(false),
            traps_exits: AtomicBool::new(false),
            handled: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Alive as u8),
            watched: AtomicBool::new(watched),
            state: Mutex::default(),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::of(&self.header)
    }

    /// How far it has come; for who holds the state's lock.
    #[inline]
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Alive,
            1 => Phase::Ending,
            _ => Phase::Ended,
        }
    }

    /// For who holds the state's lock.
    #[inline]
    fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_task_bytes(&mut self, bytes: usize) {
        self.task_size = u16::try_from(bytes.div_ceil(16)).unwrap_or(u16::MAX);
    }

    /// What its task takes, in bytes, at most a mebibyte.
    pub(crate) fn task_bytes(&self) -> usize {
        usize::from(self.task_size) * 16
    }

    /// Its task waits for the first time. Who asks `is_doomed` after this misses no doom: either that
    /// found the waker, under this lock, or it came before.
    pub(crate) fn waits(&self, waker: &Waker) {
        self.state.lock().waker = Some(waker.clone());
    }

    /// It is to end for this reason: its future is dropped at its next await. The first reason counts,
    /// but for a kill, which no other reason can soften.
    pub(crate) fn doom(&self, reason: ExitReason) {
        let waker = {
            let mut state = self.state.lock();
            if self.phase() != Phase::Alive {
                return;
            }
            if state.reason.is_none() || reason == ExitReason::Kill {
                state.reason = Some(reason);
            }
            self.doomed.store(true, Ordering::Release);
            state.waker.clone()
        };
        // Without this a process that waits would live until something else wakes it.
        if let Some(waker) = waker
            && !planted!("otp.kill-forgotten")
        {
            waker.wake();
        }
    }

    /// The exit of `other`, to which it is linked, is about to end it.
    pub(crate) fn note_exit_of(&self, other: Pid) {
        let mut state = self.state.lock();
        if self.phase() == Phase::Alive && state.reason.is_none() {
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
        let _state = self.state.lock();
        self.phase() != Phase::Alive
    }

    /// Somebody looks after it.
    pub(crate) fn set_watched(&self) {
        self.watched.store(true, Ordering::Relaxed);
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
        if self.phase() == over || self.phase() == Phase::Ended {
            return Err(watcher);
        }
        if !matches!(watcher, Watcher::Caller(_)) {
            self.set_watched();
        }
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
        if self.phase() != Phase::Alive {
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
        if self.phase() != Phase::Alive || state.reason.is_some() {
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
        if self.phase() != Phase::Alive {
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
        if self.phase() != Phase::Alive {
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
}

impl fmt::Debug for dyn Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.pid(), self.core().header.label())
    }
}
