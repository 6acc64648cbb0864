//! A bounded outbox: what waits for one subscriber that reads at its own pace.
//!
//! The first message that waits stands in the outbox itself, so a subscriber that keeps up never
//! allocates; a ring is made when a second one comes, and given back when a long one is empty.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll, Waker};

use simurgh_config::Limits;
use simurgh_runtime::planted;
use simurgh_runtime::sync::{Mutex, MutexGuard};

use crate::{Closed, Delivered, Message, Subscriber};

#[cfg(test)]
mod tests;

/// Messages for which an empty ring keeps its room.
const KEPT: usize = 32;

/// What a subscription is made with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Messages that may wait; at least one. 1,024 unless told otherwise.
    pub capacity: usize,
    /// What happens when one more comes.
    pub policy: Overflow,
}

impl Default for Options {
    fn default() -> Self {
        Self { capacity: Limits::DEFAULT.pubsub_outbox_max, policy: Overflow::DropOldest }
    }
}

impl Options {
    /// At most so many messages wait, and then the oldest is dropped.
    pub fn drop_oldest(capacity: usize) -> Self {
        Self { capacity, policy: Overflow::DropOldest }
    }

    /// At most so many messages wait, and of each key only the latest.
    pub fn latest_per_key(capacity: usize, key: Key) -> Self {
        Self { capacity, policy: Overflow::LatestPerKey(key) }
    }

    /// At most so many messages wait, and then the subscription is closed.
    pub fn close(capacity: usize) -> Self {
        Self { capacity, policy: Overflow::Close }
    }
}

/// Says which messages replace each other; a message without a key replaces none.
pub type Key = fn(&Message) -> Option<u64>;

/// What happens to a slow subscriber.
#[derive(Clone, Copy)]
pub enum Overflow {
    /// The oldest message makes room, and is counted.
    DropOldest,
    /// A message takes the place of an earlier one of the same key that still waits, at any time; if the
    /// outbox is full of other keys, the oldest makes room. Order holds among messages of one key.
    ///
    /// To look for the key costs a look at each message that waits: for outboxes of some dozens.
    LatestPerKey(Key),
    /// The subscription is closed: the subscriber gets what waits, and then [`Closed`].
    Close,
}

impl fmt::Debug for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOldest => "DropOldest",
            Self::LatestPerKey(_) => "LatestPerKey",
            Self::Close => "Close",
        })
    }
}

/// What an outbox has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxCounts {
    /// Messages that wait now.
    pub waiting: usize,
    /// The most that ever waited.
    pub high_water: usize,
    /// Messages that came, those that were dropped or replaced among them.
    pub came: u64,
    /// Messages that were dropped for want of room.
    pub dropped: u64,
    /// Messages whose place a later one of the same key has taken.
    pub replaced: u64,
    /// The bound.
    pub capacity: usize,
    /// Whether it was closed, since it was full and its policy is to close.
    pub closed: bool,
}

/// See the module.
pub(crate) struct Outbox {
    key: Option<Key>,
    state: Mutex<State>,
}

struct State {
    /// The oldest message, if there is no key.
    first: Option<Message>,
    more: Option<Box<More>>,
    waker: Option<Waker>,
    capacity: u32,
    closes: bool,
    phase: Phase,
    came: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// It was full once too often.
    Overflowed,
    /// The subscriber has gone.
    Left,
}

/// What only an outbox has in which more than one message has waited.
#[derive(Default)]
struct More {
    ring: VecDeque<Message>,
    /// The keys of what is in the ring, if there is a key.
    keys: VecDeque<Option<u64>>,
    high_water: u32,
    dropped: u64,
    replaced: u64,
}

impl Outbox {
    pub(crate) fn new(options: Options) -> Self {
        let key = if let Overflow::LatestPerKey(key) = options.policy { Some(key) } else { None };
        let capacity = options.capacity.clamp(1, u32::MAX as usize) as u32;
        let closes = matches!(options.policy, Overflow::Close);
        let state = State { first: None, more: None, waker: None, capacity, closes, phase: Phase::Open, came: 0 };
        Self { key, state: Mutex::new(state) }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Ready with the oldest message, or with why there will be none.
    #[inline]
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Message, Closed>> {
        let mut state = self.lock();
        if let Some(next) = state.next() {
            return Poll::Ready(next);
        }
        match &state.waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => {
                let before = state.waker.replace(cx.waker().clone());
                drop(state);
                drop(before); // which may be the last of its task, and run anything
            }
        }
        Poll::Pending
    }

    pub(crate) fn try_next(&self) -> Result<Option<Message>, Closed> {
        self.lock().next().transpose()
    }

    /// The subscriber goes.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.phase = Phase::Left;
        let left = (state.first.take(), state.more.take(), state.waker.take());
        drop(state);
        drop(left);
    }

    pub(crate) fn counts(&self) -> OutboxCounts {
        let state = self.lock();
        let more = state.more.as_deref();
        let waiting = state.len();
        OutboxCounts {
            waiting,
            high_water: more.map_or(usize::from(state.came > 0), |more| more.high_water as usize),
            came: state.came,
            dropped: more.map_or(0, |more| more.dropped),
            replaced: more.map_or(0, |more| more.replaced),
            capacity: state.capacity as usize,
            closed: state.phase == Phase::Overflowed,
        }
    }
}

impl Subscriber for Outbox {
    #[inline]
    fn deliver(&self, message: &Message) -> Delivered {
        // The key is the caller's code: it runs before the lock.
        let key = self.key.map(|key| key(message));
        let message = message.clone();
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Delivered::Gone;
        }
        state.came += 1;
        let (delivered, dropped) = match key {
            None if state.first.is_none() => {
                state.first = Some(message);
                (Delivered::Taken, None)
            }
            None => state.push(message),
            Some(key) => state.push_keyed(message, key),
        };
        let waker = state.waker.take();
        drop(state);
        drop(dropped);
        if let Some(waker) = waker {
            waker.wake();
        }
        delivered
    }
}

impl State {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.ring.len())
    }

    fn is_full(&self) -> bool {
        let room = self.capacity as usize + usize::from(planted!("pubsub.outbox-off-by-one"));
        self.len() >= room
    }

    #[inline]
    fn next(&mut self) -> Option<Result<Message, Closed>> {
        if planted!("pubsub.outbox-overtakes")
            && self.first.is_some()
            && let Some(message) = self.more.as_mut().and_then(|more| more.ring.pop_back())
        {
            return Some(Ok(message));
        }
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.more.as_mut().and_then(|more| more.pop()),
        };
        if let Some(message) = next {
            if let Some(more) = &mut self.more {
                if self.first.is_none() && more.keys.is_empty() {
                    self.first = more.ring.pop_front();
                }
                more.settle();
            }
            return Some(Ok(message));
        }
        (self.phase == Phase::Overflowed).then_some(Err(Closed { capacity: self.capacity as usize }))
    }

    /// Adds a message behind the first; gives back the one that made room, to be dropped after the lock.
    #[cold]
    fn push(&mut self, message: Message) -> (Delivered, Option<Message>) {
        let is_full = self.is_full();
        let more = self.more.get_or_insert_default();
        if !is_full {
            more.ring.push_back(message);
            more.high_water = more.high_water.max(more.ring.len() as u32 + 1);
            return (Delivered::Taken, None);
        }
        more.high_water = more.high_water.max(self.capacity);
        if !planted!("pubsub.drop-unsaid") {
            more.dropped += 1;
        }
        if self.closes {
            self.phase = Phase::Overflowed;
            return (Delivered::Gone, Some(message));
        }
        more.ring.push_back(message);
        let oldest = std::mem::replace(&mut self.first, more.ring.pop_front());
        (Delivered::Dropped, oldest)
    }

    /// Adds a message in the place of one with the same key, or behind the others.
    fn push_keyed(&mut self, message: Message, key: Option<u64>) -> (Delivered, Option<Message>) {
        let is_full = self.is_full();
        let more = self.more.get_or_insert_default();
        let place = key.and_then(|_| more.keys.iter().position(|known| *known == key));
        if let Some(place) = place {
            more.replaced += 1;
            if planted!("pubsub.replace-loses-latest") {
                return (Delivered::Taken, Some(message));
            }
            let before = std::mem::replace(&mut more.ring[place], message);
            return (Delivered::Taken, Some(before));
        }
        let oldest = if is_full {
            more.dropped += 1;
            more.pop()
        } else {
            None
        };
        more.ring.push_back(message);
        more.keys.push_back(key);
        more.high_water = more.high_water.max(more.ring.len() as u32);
        (if oldest.is_some() { Delivered::Dropped } else { Delivered::Taken }, oldest)
    }
}

impl More {
    fn pop(&mut self) -> Option<Message> {
        self.keys.pop_front();
        self.ring.pop_front()
    }

    /// Gives back the room of a long ring that is empty.
    fn settle(&mut self) {
        if self.ring.is_empty() && self.ring.capacity() > KEPT {
            self.ring = VecDeque::new();
            self.keys = VecDeque::new();
        }
    }
}
