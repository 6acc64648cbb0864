//! The task header: the one record that stands around every poll, on both runtimes.
//!
//! Identity, logging, telemetry, randomness and the watchdog all ask it who is running. Entering it
//! is two thread-local stores and one counter; asking it is one load.

#![allow(unsafe_code)] // One cell that only the running task touches.

use std::cell::UnsafeCell;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::time::Kept;
use crate::{Node, watchdog};

mod current;

use current::Entered;
pub(crate) use current::{Inspection, Owner, Place};

/// Who a task is. One for each task, shared by all that refer to it: by itself, or as a part of the
/// record that another crate keeps of the task ([`Headed`]).
pub struct Header {
    node: Arc<Node>,
    number: u64,
    polls: AtomicU64,
    waits_for: AtomicU64,
    samples: AtomicU32,
    may_hold: bool,
    label: std::sync::Mutex<Label>,
    carried: UnsafeCell<Option<Arc<Carried>>>,
    kept: UnsafeCell<Option<Pin<Box<Kept>>>>,
}

// SAFETY: `carried` and `kept` are the only fields that are not Sync by themselves. They are touched in
// `new`, in `take_kept` and `keep`, and by
// `Carried::current` and `Carried::set`, which act on the header of the task that is being polled
// on this very thread; a task is polled by one thread at a time.
unsafe impl Sync for Header {}

/// What has a task's header inside, and is shared instead of it: one allocation less for each task.
#[doc(hidden)]
pub trait Headed: Send + Sync + 'static {
    /// Who the task is.
    fn header(&self) -> &Header;
}

impl Headed for Header {
    fn header(&self) -> &Header {
        self
    }
}

/// What people call a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Label {
    /// No name was given.
    #[default]
    None,
    /// A fixed name.
    Static(&'static str),
    /// A fixed name with a number, formatted only when somebody looks: `connection 17`.
    Numbered(&'static str, u64),
    /// A name made at run time.
    Owned(Arc<str>),
}

/// What travels along with a task's spawns and sends: trace context and locale, one word when unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The W3C trace context.
    pub trace: Option<TraceContext>,
    /// The language tag for texts made for a person, such as `de-CH`.
    pub locale: Option<Arc<str>>,
}

/// W3C trace context: which request this work belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace, one for each request that came from outside.
    pub trace_id: u128,
    /// The span that this work is part of.
    pub span_id: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl Header {
    /// A header for a new task of `node`.
    pub(crate) fn new(node: Arc<Node>, label: Label, carried: Option<Arc<Carried>>) -> Arc<Self> {
        Arc::new(Self::with_hold(node, label, carried, false))
    }

    /// A header for a new task of `node`, and whether the task may hold its thread as long as it
    /// likes, because it has one for itself.
    #[inline]
    pub(crate) fn with_hold(node: Arc<Node>, label: Label, carried: Option<Arc<Carried>>, may_hold: bool) -> Self {
        let number = node.next_task();
        Self {
            node,
            number,
            polls: AtomicU64::new(0),
            waits_for: AtomicU64::new(0),
            samples: AtomicU32::new(0),
            may_hold,
            label: std::sync::Mutex::new(label),
            carried: UnsafeCell::new(carried),
            kept: UnsafeCell::new(None),
        }
    }

    /// A header for the first task of a simulated node.
    #[doc(hidden)]
    pub fn for_world(node: Arc<Node>, label: &'static str) -> Arc<Self> {
        Self::new(node, Label::Static(label), None)
    }

    /// Calls `f` with the header of the task that is being polled on this thread.
    #[inline]
    pub fn with<R>(f: impl FnOnce(Option<&Header>) -> R) -> R {
        current::with(f)
    }

    /// Makes this the current header until the guard is dropped, unseen by any watchdog. For the
    /// simulator, which has a watchdog of its own.
    #[inline]
    #[doc(hidden)]
    pub fn enter(&self) -> Entered<'_> {
        current::enter_privately(self)
    }

    /// Counts one poll and makes this the current header, as `enter` does.
    #[inline]
    #[doc(hidden)]
    pub fn enter_poll(&self) -> Entered<'_> {
        self.count_poll();
        self.enter()
    }

    #[inline]
    fn count_poll(&self) {
        // One writer at a time, so no read-modify-write is needed; readers see a recent number.
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The sleep that the running task kept from its last limit.
    pub(crate) fn take_kept() -> Option<Pin<Box<Kept>>> {
        // SAFETY: the header is that of the task being polled on this thread (see `Sync` above).
        Header::with(|header| header.and_then(|header| unsafe { (*header.kept.get()).take() }))
    }

    /// Keeps a sleep for the running task's next limit. What it kept before, or the sleep itself if
    /// there is no task, comes back to be dropped.
    pub(crate) fn keep(kept: Pin<Box<Kept>>) -> Option<Pin<Box<Kept>>> {
        // SAFETY: as in `take_kept`; the old value is moved out, not dropped in place.
        Header::with(|header| match header {
            Some(header) => unsafe { (*header.kept.get()).replace(kept) },
            None => Some(kept),
        })
    }

    /// The node that owns the task.
    #[inline]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The task's number, unique within an incarnation of its node.
    #[inline]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How often it has been polled.
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// The number of the task whose answer it awaits; 0 if none. Set by whoever knows of calls.
    #[doc(hidden)]
    pub fn waits_for(&self) -> &AtomicU64 {
        &self.waits_for
    }

    /// How much time its polls have taken, by sampling: what the watchdog found being polled at a
    /// tick counts for the whole tick ([`watchdog::TICK`]). Good for shares of long times, and for
    /// nothing shorter than a few seconds. Zero in the simulator, where time is not the machine's.
    pub fn poll_time_sampled(&self) -> Duration {
        watchdog::TICK * self.samples.load(Ordering::Relaxed)
    }

    /// Counts one tick in which it was being polled.
    pub(crate) fn sample(&self) {
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it may hold its thread as long as it likes: it has one for itself.
    pub(crate) fn may_hold(&self) -> bool {
        self.may_hold
    }

    /// Its label.
    pub fn label(&self) -> Label {
        self.label.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names the task.
    pub fn set_label(&self, label: impl Into<Label>) {
        *self.label.lock().unwrap_or_else(PoisonError::into_inner) = label.into();
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {:?}", self.node, self.number, self.label())
    }
}

impl Carried {
    /// What the running task carries.
    #[inline]
    pub fn current() -> Option<Arc<Carried>> {
        // SAFETY: the header is that of the task being polled on this thread (see `Sync` above);
        // the reference does not outlive this statement.
        Header::with(|header| header.and_then(|header| unsafe { (*header.carried.get()).clone() }))
    }

    /// Changes what the running task carries; tells what it carried before. Does nothing outside of a task.
    pub fn set(carried: Option<Arc<Carried>>) -> Option<Arc<Carried>> {
        // SAFETY: as in `current`. The old value is moved out, not dropped in place: its drop
        // could run code that comes back here.
        Header::with(|header| {
            header.and_then(|header| std::mem::replace(unsafe { &mut *header.carried.get() }, carried))
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::None => f.write_str("unnamed"),
            Label::Static(name) => f.write_str(name),
            Label::Numbered(name, number) => write!(f, "{name} {number}"),
            Label::Owned(name) => f.write_str(name),
        }
    }
}

impl From<&'static str> for Label {
    fn from(name: &'static str) -> Self {
        Label::Static(name)
    }
}

impl From<String> for Label {
    fn from(name: String) -> Self {
        Label::Owned(name.into())
    }
}

impl From<(&'static str, u64)> for Label {
    fn from((name, number): (&'static str, u64)) -> Self {
        Label::Numbered(name, number)
    }
}
