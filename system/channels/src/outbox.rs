//! What waits to be sent to one client.
//!
//! ```text
//!   channels: pushes, replies, ends ──┐
//!   the session: replies, closes ─────┼──> [ one ring, in the order it came, bounded ] ──> the socket's process,
//!   broadcasts, encoded once ─────────┘                                                    which writes all at once
//! ```
//!
//! Whoever puts something in never waits. What a channel's end and a close tell has room always: there are few of
//! them. Frames are counted, and at the bound the policy says what becomes of them. A ring is there only while
//! something waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use simurgh_http::ws::CloseCode;
use simurgh_runtime::planted;
use simurgh_runtime::sync::Mutex;
use simurgh_telemetry::event;

use crate::Frame;

/// What happens to a frame for which a client has no room, because it reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The socket is closed with 1013, and the client comes again: it misses nothing without knowing.
    #[default]
    Close,
    /// The oldest broadcast or push that waits is dropped and counted; replies are not. If there is none, as
    /// [`Close`](Self::Close).
    DropOldest,
    /// A broadcast takes the place of one of the same topic and event that still waits. If there is none, as
    /// [`DropOldest`](Self::DropOldest).
    LatestPerKey,
}

/// How much may wait for one client, and what happens at the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxOptions {
    /// Frames that wait. Default: 4,096.
    pub frames_max: usize,
    /// Bytes that wait. Default: 8 MiB. One frame alone may be larger.
    pub bytes_max: usize,
    /// What happens at either bound.
    pub overflow: Overflow,
}

impl Default for OutboxOptions {
    fn default() -> Self {
        let limits = simurgh_config::Limits::DEFAULT;
        Self {
            frames_max: limits.channels_outbox_frames_max,
            bytes_max: limits.channels_outbox_len_max.as_usize(),
            overflow: Overflow::default(),
        }
    }
}

/// What outboxes of one mount have counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) replaced: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    /// The most frames that have waited in one of them.
    pub(crate) high_water: AtomicU64,
}

impl Counters {
    fn waited(&self, frames: u32) {
        let frames = u64::from(frames);
        // It seldom rises: all outboxes look at it, and none writes.
        if frames > self.high_water.load(Ordering::Relaxed) {
            self.high_water.fetch_max(frames, Ordering::Relaxed);
        }
    }
}

/// What the socket's process takes out.
#[derive(Debug)]
pub(crate) enum Item {
    Frame(Frame),
    /// A channel of this number tells the client that it has ended; after this it has no channel any more.
    Closing(u32),
    /// A channel's process has ended, in whatever way.
    Ended(u32),
}

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// The client reads too slowly.
    Overflow,
    /// Somebody broadcast `disconnect` to the socket's id.
    Disconnect,
    /// The server goes down.
    Drain,
    /// The client breaks its budget.
    Flood,
}

impl Close {
    pub(crate) fn code(self) -> CloseCode {
        match self {
            Self::Overflow => CloseCode::TRY_AGAIN_LATER,
            Self::Disconnect => CloseCode::GOING_AWAY,
            Self::Drain => CloseCode::SERVICE_RESTART,
            Self::Flood => CloseCode::POLICY,
        }
    }

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Overflow => "reads too slowly",
            Self::Disconnect => "disconnected",
            Self::Drain => "service restart",
            Self::Flood => "rate limited",
        }
    }
}

/// What kind of frame it is, for the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A reply, or the end of a channel: never dropped.
    Needed,
    /// A push of a channel.
    Push,
    /// A broadcast, with its topic and event in one number.
    Keyed(u64),
}

struct Entry {
    item: Item,
    weight: Weight,
}

pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    options: OutboxOptions,
}

#[derive(Default)]
struct Inner {
    ring: VecDeque<Entry>,
    frames: u32,
    bytes: usize,
    close: Option<Close>,
    /// Nobody reads any more.
    is_gone: bool,
    /// The client reads nothing for now: only a close is news.
    is_stalled: bool,
    wakes: Wakes,
}

#[derive(Default)]
enum Wakes {
    #[default]
    Nobody,
    Task(Waker),
    /// Called once.
    Call(Box<dyn FnOnce() + Send>),
}

impl Outbox {
    pub(crate) fn new(options: OutboxOptions) -> Self {
        Self { inner: Mutex::default(), options }
    }

    /// Who is called, once, when something comes, in place of a task; while it is stalled, only when the socket is to
    /// end.
    pub(crate) fn call(&self, is_stalled: bool, call: impl FnOnce() + Send + 'static) {
        let mut inner = self.inner.lock();
        inner.is_stalled = is_stalled;
        let former = std::mem::replace(&mut inner.wakes, Wakes::Call(Box::new(call)));
        drop(inner);
        drop(former);
    }

    /// Puts in the place of what channels have told of their ends what the client is told of it, if anything.
    pub(crate) fn resolve(&self, mut resolve: impl FnMut(&Item) -> Option<Option<Frame>>) {
        let mut inner = self.inner.lock();
        let (mut frames, mut bytes) = (0, 0);
        inner.ring.retain_mut(|entry| match resolve(&entry.item) {
            None => true,
            Some(None) => false,
            Some(Some(frame)) => {
                (frames, bytes) = (frames + 1, bytes + frame.as_bytes().len());
                entry.item = Item::Frame(frame);
                true
            }
        });
        inner.frames += frames;
        inner.bytes += bytes;
    }

    /// Looks at what [`push`](Self::push) begins with.
    pub(crate) fn approach(&self) {
        self.inner.approach();
    }

    /// Puts a frame in; false if the client will not get it.
    pub(crate) fn push(&self, frame: Frame, weight: Weight, counters: &Counters) -> bool {
        let mut inner = self.inner.lock();
        if inner.is_gone || inner.close.is_some() {
            return false;
        }
        let len = frame.as_bytes().len();
        let mut shed = None;
        while inner.is_full(len, &self.options) {
            match inner.make_room(self.options.overflow, weight, counters) {
                Room::Made(entry) => shed = Some(entry),
                Room::None => {
                    inner.close = Some(Close::Overflow);
                    counters.overflowed.fetch_add(1, Ordering::Relaxed);
                    event!("channels.outbox.overflow", { count: 1, waiting: u64::from(inner.frames) }, {});
                    break;
                }
            }
        }
        let is_taken = inner.close.is_none();
        if is_taken {
            inner.frames += 1;
            inner.bytes += len;
            counters.sent.fetch_add(1, Ordering::Relaxed);
            let entry = Entry { item: Item::Frame(frame), weight };
            let is_needed = |entry: &Entry| entry.weight == Weight::Needed;
            if planted!("channels.outbox-overtakes")
                && !is_needed(&entry)
                && let Some(last) = inner.ring.pop_back_if(|last| !is_needed(last))
            {
                inner.ring.extend([entry, last]);
            } else {
                inner.ring.push_back(entry);
            }
            counters.waited(inner.frames);
        }
        let wake = inner.wake();
        drop(inner);
        drop(shed);
        wake.wake();
        is_taken
    }

    /// Puts in what a channel tells of its end.
    pub(crate) fn tell(&self, item: Item) {
        let mut inner = self.inner.lock();
        if inner.is_gone {
            return;
        }
        inner.ring.push_back(Entry { item, weight: Weight::Needed });
        let wake = inner.wake();
        drop(inner);
        wake.wake();
    }

    /// The socket is to end. The first reason counts.
    pub(crate) fn close(&self, why: Close) {
        let mut inner = self.inner.lock();
        if inner.is_gone || inner.close.is_some() {
            return;
        }
        inner.close = Some(why);
        let wake = inner.wake();
        drop(inner);
        wake.wake();
    }

    /// Nobody reads it any more.
    pub(crate) fn leave(&self) {
        let mut inner = self.inner.lock();
        inner.is_gone = true;
        let (ring, wakes) = (std::mem::take(&mut inner.ring), std::mem::take(&mut inner.wakes));
        (inner.frames, inner.bytes) = (0, 0);
        drop(inner);
        drop((ring, wakes)); // which may be the last of something, and run anything
    }

    /// Whether anybody reads it.
    pub(crate) fn is_gone(&self) -> bool {
        self.inner.lock().is_gone
    }

    /// Why the socket is to end, if it is.
    pub(crate) fn closing(&self) -> Option<Close> {
        self.inner.lock().close
    }

    /// Frames that wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().frames as usize
    }

    /// The oldest.
    pub(crate) fn try_next(&self) -> Option<Item> {
        let mut inner = self.inner.lock();
        let entry = inner.ring.pop_front()?;
        inner.settle(&entry);
        Some(entry.item)
    }

    /// All that waits, at once, in place of what was taken before. Ready also when the socket is to end; what comes later
    /// wakes the task.
    pub(crate) fn poll_take(&self, taken: &mut Taken, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.lock();
        inner.is_stalled = false;
        if inner.ring.is_empty() && inner.close.is_none() {
            let former = inner.wake_later(cx);
            drop(inner);
            drop(former);
            return Poll::Pending;
        }
        let ring = std::mem::take(&mut inner.ring);
        (inner.frames, inner.bytes) = (0, 0);
        drop(inner);
        taken.0 = ring;
        Poll::Ready(())
    }

    /// Ready when the socket is to end. Until the next [`poll_take`](Self::poll_take) nothing else wakes the task: the
    /// client does not read.
    pub(crate) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<Close> {
        let mut inner = self.inner.lock();
        if let Some(close) = inner.close {
            return Poll::Ready(close);
        }
        inner.is_stalled = true;
        let former = inner.wake_later(cx);
        drop(inner);
        drop(former);
        Poll::Pending
    }
}

/// What was taken out, in order: the ring itself.
#[derive(Default)]
pub(crate) struct Taken(VecDeque<Entry>);

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        self.0.pop_front().map(|entry| entry.item)
    }
}

enum Room {
    Made(Entry),
    None,
}

impl Inner {
    fn is_full(&self, len: usize, options: &OutboxOptions) -> bool {
        if planted!("channels.outbox-unbounded") {
            return false;
        }
        self.frames > 0 && (self.frames as usize >= options.frames_max || self.bytes + len > options.bytes_max)
    }

    fn make_room(&mut self, overflow: Overflow, weight: Weight, counters: &Counters) -> Room {
        let same = |entry: &Entry| matches!(weight, Weight::Keyed(_)) && entry.weight == weight;
        let is_droppable = |entry: &Entry| entry.weight != Weight::Needed;
        let (at, counter) = match overflow {
            Overflow::Close => return Room::None,
            Overflow::DropOldest => (self.ring.iter().position(is_droppable), &counters.dropped),
            Overflow::LatestPerKey => match self.ring.iter().position(same) {
                Some(at) => (Some(at), &counters.replaced),
                None => (self.ring.iter().position(is_droppable), &counters.dropped),
            },
        };
        let Some(entry) = at.and_then(|at| self.ring.remove(at)) else { return Room::None };
        counter.fetch_add(1, Ordering::Relaxed);
        self.settle(&entry);
        Room::Made(entry)
    }

    /// An entry is taken out.
    fn settle(&mut self, entry: &Entry) {
        if let Item::Frame(frame) = &entry.item {
            self.frames -= 1;
            self.bytes -= frame.as_bytes().len();
        }
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
    }

    fn wake_later(&mut self, cx: &Context<'_>) -> Wakes {
        match &self.wakes {
            Wakes::Task(known) if known.will_wake(cx.waker()) => Wakes::Nobody,
            _ => std::mem::replace(&mut self.wakes, Wakes::Task(cx.waker().clone())),
        }
    }

    /// Who is to be woken, to be done without the lock.
    fn wake(&mut self) -> Wake {
        if self.is_stalled && self.close.is_none() {
            return Wake::Nobody;
        }
        match &self.wakes {
            Wakes::Nobody => Wake::Nobody,
            Wakes::Task(_) => match std::mem::take(&mut self.wakes) {
                Wakes::Task(waker) => Wake::Task(waker),
                _ => Wake::Nobody,
            },
            Wakes::Call(_) => match std::mem::take(&mut self.wakes) {
                Wakes::Call(call) => Wake::Call(call),
                _ => Wake::Nobody,
            },
        }
    }
}

enum Wake {
    Nobody,
    Task(Waker),
    Call(Box<dyn FnOnce() + Send>),
}

impl Wake {
    fn wake(self) {
        match self {
            Self::Nobody => {}
            Self::Task(waker) => waker.wake(),
            Self::Call(call) => call(),
        }
    }
}

#[cfg(test)]
mod tests;
