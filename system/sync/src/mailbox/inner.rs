//! What a mailbox holds, and what each step does to it.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use super::{Entry, Policy, Refused, Sent};
use crate::atomics::MutexGuard;

/// A ring that holds more than this is freed when it has been emptied.
const KEEP: usize = 32;

/// The state of a mailbox: all that happens under the lock. It calls no waker, and drops nothing.
pub(super) struct Inner<T, S> {
    pub(super) ring: VecDeque<Entry<T, S>>,
    /// How many of the ring are messages.
    pub(super) messages: u32,
    pub(super) capacity: u32,
    pub(super) high_water: u32,
    pub(super) policy: Policy,
    pub(super) closed: bool,
    pub(super) receiver: Option<Waker>,
    pub(super) shed: u64,
    /// What few mailboxes need.
    pub(super) rare: Option<Box<Rare<T>>>,
}

pub(super) struct Rare<T> {
    pub(super) next_waiter: u64,
    pub(super) waiters: VecDeque<Waiter<T>>,
    /// By key: the number, counted from the mailbox's beginning, of the place where it waits.
    keyed: BTreeMap<u64, u64>,
    /// The number of the ring's first place.
    first: u64,
}

/// A sender that waits, with its message.
pub(super) struct Waiter<T> {
    pub(super) number: u64,
    pub(super) key: Option<u64>,
    pub(super) message: T,
    pub(super) waker: Option<Waker>,
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self { next_waiter: 0, waiters: VecDeque::new(), keyed: BTreeMap::new(), first: 0 }
    }
}

impl<T, S> Inner<T, S> {
    pub(super) fn new(policy: Policy, capacity: u32) -> Self {
        Self {
            ring: VecDeque::new(),
            messages: 0,
            capacity,
            high_water: 0,
            policy,
            closed: false,
            receiver: None,
            shed: 0,
            rare: None,
        }
    }

    /// Takes a message in, or says by the policy what becomes of it.
    #[inline]
    pub(super) fn offer(&mut self, message: T, key: Option<u64>) -> Result<Sent<T>, Refused<T>> {
        if self.closed {
            return Err(Refused::Closed(message));
        }
        // One of this key that waits outside came earlier: it must not come later than this one.
        if let Some(key) = key
            && !self.waits_outside(key)
            && let Some(earlier) = self.of_key(key)
        {
            return Ok(Sent::Replaced(std::mem::replace(earlier, message)));
        }
        if self.messages < self.capacity {
            self.push(message, key);
            return Ok(Sent::Queued);
        }
        match self.policy {
            Policy::ShedNewest => {
                self.shed += 1;
                Ok(Sent::ShedNewest(message))
            }
            Policy::ShedOldest => {
                let oldest = self.take_oldest_message();
                self.push(message, key);
                self.shed += 1;
                Ok(Sent::ShedOldest(oldest.expect("a full mailbox holds a message")))
            }
            Policy::Block | Policy::Fail | Policy::Unbounded => Err(Refused::Full(message)),
        }
    }

    #[inline]
    fn push(&mut self, message: T, key: Option<u64>) {
        if let Some(key) = key {
            let place = self.ring.len() as u64;
            let rare = self.rare.get_or_insert_default();
            // Keys of messages that were taken out are forgotten now and then: the map stays small.
            if rare.keyed.len() > 2 * self.ring.len() + KEEP {
                rare.keyed.retain(|_, number| *number >= rare.first);
            }
            rare.keyed.insert(key, rare.first + place);
        }
        self.ring.push_back(Entry::Message(message));
        self.messages += 1;
        self.high_water = self.high_water.max(self.messages);
    }

    /// The message of this key that waits in the ring.
    fn of_key(&mut self, key: u64) -> Option<&mut T> {
        let rare = self.rare.as_ref()?;
        // Below the first place: it has been taken out, and its key is forgotten when next used.
        let place = rare.keyed.get(&key)?.checked_sub(rare.first)?;
        match self.ring.get_mut(place as usize) {
            Some(Entry::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Whether a message of this key is among those whose senders wait.
    fn waits_outside(&self, key: u64) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.waiters.iter().any(|waiter| waiter.key == Some(key)))
    }

    /// Takes the oldest message out, past the signals before it.
    fn take_oldest_message(&mut self) -> Option<T> {
        let place = self.ring.iter().position(|entry| matches!(entry, Entry::Message(_)))?;
        self.messages -= 1;
        if let Some(rare) = &mut self.rare {
            rare.first += 1; // what stood behind it has the numbers that it had; signals have no key
        }
        match self.ring.remove(place) {
            Some(Entry::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Takes the first signal out, past the messages before it.
    pub(super) fn take_signal(&mut self) -> Option<S> {
        let place = self.ring.iter().position(|entry| matches!(entry, Entry::Signal(_)))?;
        if let Some(rare) = &mut self.rare {
            let number = rare.first + place as u64;
            rare.keyed.values_mut().filter(|other| **other > number).for_each(|other| *other -= 1);
        }
        match self.ring.remove(place) {
            Some(Entry::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// What came first. To be followed by [`settle`].
    #[inline]
    pub(super) fn take(&mut self) -> Option<Entry<T, S>> {
        let entry = self.ring.pop_front()?;
        if matches!(entry, Entry::Message(_)) {
            self.messages -= 1;
        }
        if self.ring.is_empty() && self.ring.capacity() > KEEP {
            self.ring = VecDeque::new();
        }
        Some(entry)
    }

    /// An entry left: keeps the count of places, and lets in the first of those who wait.
    #[inline(never)] // few mailboxes come here
    fn took_one(&mut self) -> After<T> {
        let mut after = After::default();
        let Some(rare) = self.rare.as_mut() else { return after };
        rare.first += 1;
        if self.ring.is_empty() {
            rare.keyed.clear();
        }
        while self.messages < self.capacity {
            let Some(waiter) = self.rare.as_mut().and_then(|rare| rare.waiters.pop_front()) else { break };
            let Waiter { key, message, waker, .. } = waiter;
            let Some(earlier) = key.and_then(|key| self.of_key(key)) else {
                self.push(message, key);
                after.let_in = waker;
                break; // one entry left, so one has room
            };
            // It takes the place of an earlier one of its key, and the room is still there.
            after.replaced.push((waker, std::mem::replace(earlier, message)));
        }
        after
    }
}

/// What follows on a take: whoever waited for the room is let in, and woken without the lock.
#[inline]
pub(super) fn settle<T, S>(mut inner: MutexGuard<'_, Inner<T, S>>) {
    if inner.rare.is_some() {
        let after = inner.took_one();
        drop(inner);
        after.finish();
    }
}

/// Wakes the receiver if it waits, without the lock: whom it wakes need not wait for it.
#[inline]
pub(super) fn wake_receiver<T, S>(mut inner: MutexGuard<'_, Inner<T, S>>) {
    let receiver = inner.receiver.take();
    drop(inner);
    if let Some(receiver) = receiver {
        receiver.wake();
    }
}

/// What a take leaves to be done without the lock: to wake the senders that were let in, and to drop
/// the messages whose places theirs took.
struct After<T> {
    let_in: Option<Waker>,
    replaced: Vec<(Option<Waker>, T)>,
}

impl<T> Default for After<T> {
    fn default() -> Self {
        Self { let_in: None, replaced: Vec::new() }
    }
}

impl<T> After<T> {
    fn finish(self) {
        for (waker, replaced) in self.replaced {
            waker.into_iter().for_each(Waker::wake);
            drop(replaced);
        }
        self.let_in.into_iter().for_each(Waker::wake);
    }
}
