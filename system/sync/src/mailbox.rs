//! A mailbox: many senders, one receiver, a bound with a policy, and signals that always have room.
//!
//! ```text
//!   senders ── try_send / send ──> [ messages and signals, in the order they came ] ──> receiver
//!                  │ full
//!                  └── block ──> those who wait, each with its message, first come first served
//! ```
//!
//! One lazily allocated ring holds messages and signals, so their order is one. The bound counts
//! messages; signals (an exit, an operator's wish) have room always, for whoever may send them is
//! few. A sender that waits leaves its message here and is woken when it has been taken into the
//! ring: nobody overtakes, nobody wakes for nothing, and a sender that gives up takes its message
//! back. Nothing is allocated until the first message, and a ring that grew is given back once empty.
//!
//! Two things hold whenever the lock is free: the receiver's waker is here only if the ring is empty,
//! and a sender waits only if the mailbox is full. No waker is called, and nothing of the caller's is
//! dropped, while the lock is held: either may run anything, and would keep all others out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::atomics::{Mutex, MutexGuard};

use inner::{Inner, settle, wake_receiver};
pub use send::Send;

mod inner;
mod send;
#[cfg(all(test, not(loom)))]
mod tests;

/// What happens to a message when the mailbox holds as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The sender waits (or is told, if it will not wait).
    #[default]
    Block,
    /// The new message is dropped and counted.
    ShedNewest,
    /// The oldest message is dropped and counted, and the new one has its room.
    ShedOldest,
    /// The sender is told at once and has its message back.
    Fail,
    /// There is no bound. To be spelled out by whoever knows that there is one elsewhere.
    Unbounded,
}

/// What became of a message that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent<T> {
    /// It stands in the mailbox.
    Queued,
    /// It took the place of an earlier one of the same key, which this is.
    Replaced(T),
    /// It stands in the mailbox, and this older one was dropped for it.
    ShedOldest(T),
    /// It was dropped, since the mailbox is full.
    ShedNewest(T),
}

/// Why a message was not taken; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// The mailbox is full.
    Full(T),
    /// The receiver has gone.
    Closed(T),
}

/// What a receiver takes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T, S> {
    /// A message.
    Message(T),
    /// A signal.
    Signal(S),
}

/// What a mailbox has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages and signals that wait now.
    pub len: usize,
    /// The most messages that ever waited.
    pub high_water: usize,
    /// Messages dropped by the policy.
    pub shed: u64,
    /// Senders that wait for room now.
    pub blocked: usize,
    /// The bound.
    pub capacity: usize,
    /// Bytes that are allocated for what waits, without what the messages own.
    pub bytes: usize,
}

/// A bounded queue of many senders and one receiver. Shared behind an `Arc`.
pub struct Mailbox<T, S> {
    inner: Mutex<Inner<T, S>>,
}

impl<T, S> Mailbox<T, S> {
    /// An empty mailbox for at most `capacity` messages (at least one).
    pub fn new(policy: Policy, capacity: usize) -> Self {
        let capacity = if policy == Policy::Unbounded { u32::MAX } else { capacity.clamp(1, 1 << 31) as u32 };
        Self { inner: Mutex::new(Inner::new(policy, capacity)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T, S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends without waiting. With a `key`, it takes the place of a message of the same key that
    /// still waits. What comes back in [`Sent`] is for the caller to drop.
    ///
    /// # Errors
    /// `Full` under [`Policy::Block`] and [`Policy::Fail`], `Closed` if the receiver has gone.
    #[inline]
    pub fn try_send(&self, message: T, key: Option<u64>) -> Result<Sent<T>, Refused<T>> {
        let mut inner = self.lock();
        let sent = inner.offer(message, key)?;
        wake_receiver(inner);
        Ok(sent)
    }

    /// Sends, and waits for room under [`Policy::Block`]. Dropping the future takes the message back.
    /// A sender that waited is told `Queued` even if its message took the place of an earlier one of
    /// the same key: the receiver, who let it in, has dropped that one.
    pub fn send(&self, message: T, key: Option<u64>) -> Send<'_, T, S> {
        Send::new(self, message, key)
    }

    /// Sends a signal. It has room always; it comes back only if the receiver has gone.
    ///
    /// # Errors
    /// The signal, if the receiver has gone.
    pub fn signal(&self, signal: S) -> Result<(), S> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(signal);
        }
        inner.ring.push_back(Entry::Signal(signal));
        wake_receiver(inner);
        Ok(())
    }

    /// Ready with what came first. For the one receiver.
    #[inline]
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Entry<T, S>> {
        let mut inner = self.lock();
        if let Some(entry) = inner.take() {
            settle(inner);
            return Poll::Ready(entry);
        }
        match &inner.receiver {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => {
                let before = inner.receiver.replace(cx.waker().clone());
                drop(inner);
                drop(before); // which may be the last of its task, and run anything
            }
        }
        Poll::Pending
    }

    /// Ready with the signal that came first, past the messages before it. For the one receiver, while
    /// it handles no messages.
    pub fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<S> {
        let mut inner = self.lock();
        if let Some(signal) = inner.take_signal() {
            return Poll::Ready(signal);
        }
        let before = inner.receiver.replace(cx.waker().clone());
        drop(inner);
        drop(before);
        Poll::Pending
    }

    /// What came first, if anything did.
    pub fn try_next(&self) -> Option<Entry<T, S>> {
        let mut inner = self.lock();
        let entry = inner.take()?;
        settle(inner);
        Some(entry)
    }

    /// The receiver goes. What waited comes back, for the caller to drop; senders that wait are told.
    pub fn close(&self) -> Vec<Entry<T, S>> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.messages = 0;
        let ring = std::mem::take(&mut inner.ring);
        let receiver = inner.receiver.take();
        let wakers: Vec<Waker> = match &mut inner.rare {
            Some(rare) => rare.waiters.iter_mut().filter_map(|waiter| waiter.waker.take()).collect(),
            None => Vec::new(),
        };
        drop(inner);
        drop(receiver);
        wakers.into_iter().for_each(Waker::wake);
        ring.into()
    }

    /// Whether the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Gives back what an empty ring has allocated.
    pub fn shrink(&self) {
        let mut inner = self.lock();
        if inner.ring.is_empty() {
            inner.ring = VecDeque::new();
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            len: inner.ring.len(),
            high_water: inner.high_water as usize,
            shed: inner.shed,
            blocked: inner.rare.as_ref().map_or(0, |rare| rare.waiters.len()),
            capacity: inner.capacity as usize,
            bytes: inner.ring.capacity() * size_of::<Entry<T, S>>(),
        }
    }
}

impl<T, S> fmt::Debug for Mailbox<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.counts()).finish()
    }
}
