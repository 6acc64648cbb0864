//! Processes that receive: a typed mailbox for a process that is a plain future.
//!
//! ```text
//!   senders ──> mailbox ──> receive ─────────────────────────────────> the process
//!                  └──> receive_match ── matches ────────────────────>
//!                            └── passed over ──> stash, in order ───> the next receive
//! ```
//!
//! A message that a selective receive passes over is stashed, in the order of its arrival, and is the
//! next that a plain receive takes. Each receive looks at a message once, however often it has to
//! wait; but each new one looks at the stash anew, from its beginning or from a [`Mark`]. So a
//! selective receive over a long stash costs its length, and to do that for each of many messages is
//! quadratic: [`InboxCounts::scanned`] shows it. For an answer to a question there is a better way
//! that scans nothing: a call, whose reply has a port of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};
use std::time::Duration;

use simurgh_runtime::{Label, sim, timeout};
use simurgh_sync::mailbox::{Counts, Entry};
use simurgh_telemetry::Parcel;
use tokio::task::coop;

use crate::cell::Served;
use crate::process::Spawn;
use crate::signal::{Signal, Wish};
use crate::{ExitReason, IntoExit, MAILBOX_CAPACITY, Pid, Policy};

mod reference;
#[cfg(test)]
mod tests;

pub use self::reference::InboxRef;

/// Messages that a stash holds unless told otherwise.
pub const STASH_CAPACITY: usize = 65_536;

/// Starts a process with a mailbox of its own, for 1,024 messages; its senders wait when it is full.
///
/// ```
/// use simurgh_otp as otp;
///
/// enum Letter { Bill(u64), Ad }
///
/// simurgh_runtime::run("doc", async {
///     let (pid, clerk) = otp::spawn_with_inbox("clerk", |mut inbox: otp::Inbox<Letter>| async move {
///         // Bills first; what is passed over is kept in its order.
///         let Ok(Letter::Bill(cents)) = inbox.receive_match(|letter| matches!(letter, Letter::Bill(_))).await else {
///             return Err("no bill");
///         };
///         assert_eq!(cents, 1_999);
///         assert!(matches!(inbox.receive().await, Letter::Ad));
///         Ok(())
///     });
///     let end = otp::monitor(pid);
///     clerk.send(Letter::Ad).await.unwrap();
///     clerk.send(Letter::Bill(1_999)).await.unwrap();
///     assert!(end.await.reason.is_orderly());
/// });
/// ```
///
/// A supervisor's or an operator's order to end, and the end of a linked process, end it at its next
/// await: it does not trap exits. What has a state to tidy up is better a [`Server`](crate::Server).
///
/// # Panics
/// Outside of a task of a node.
pub fn spawn_with_inbox<M, F>(label: impl Into<Label>, body: impl FnOnce(Inbox<M>) -> F) -> (Pid, InboxRef<M>)
where
    M: Send + 'static,
    F: Future<Output: IntoExit> + Send + 'static,
{
    spawn_with_inbox_of(label, Policy::Block, MAILBOX_CAPACITY, body)
}

/// As [`spawn_with_inbox`], with a policy and a bound of one's own.
///
/// # Panics
/// Outside of a task of a node.
pub fn spawn_with_inbox_of<M, F>(
    label: impl Into<Label>,
    policy: Policy,
    capacity: usize,
    body: impl FnOnce(Inbox<M>) -> F,
) -> (Pid, InboxRef<M>)
where
    M: Send + 'static,
    F: Future<Output: IntoExit> + Send + 'static,
{
    Spawn::new(label).spawn_with(
        |core| Served::new(core, policy, capacity, None),
        |process: &Arc<Served<M>>| {
            let resource = process.resource;
            let body = body(Inbox::new(Arc::clone(process)));
            async move {
                if resource != 0 {
                    sim::world(|world| world.hold(resource));
                }
                body.await
            }
        },
        |process| (process.core.pid(), InboxRef::new(Arc::clone(process))),
    )
}

/// A process's own mailbox: see [`spawn_with_inbox`].
pub struct Inbox<M> {
    process: Arc<Served<M>>,
    /// What was passed over, by the order of arrival.
    stash: BTreeMap<u64, Parcel<M>>,
    stash_max: usize,
    /// The number of the next message that arrives.
    next: u64,
    scanned: u64,
}

/// A moment in the arrival of messages: see [`Inbox::mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// What an inbox has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InboxCounts {
    /// Messages looked at by selective receives, as often as each was looked at.
    pub scanned: u64,
    /// Messages that were passed over and wait.
    pub stashed: usize,
    /// What the mailbox has counted.
    pub mailbox: Counts,
}

/// Why a receive has no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The time limit has passed.
    #[error("no message within {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// As many messages were passed over as may be.
    #[error("{len} messages were passed over and none matched: receive them, or give the inbox a larger stash")]
    StashFull {
        /// How many wait in the stash.
        len: usize,
    },
}

impl<M: Send + 'static> Inbox<M> {
    fn new(process: Arc<Served<M>>) -> Self {
        Self { process, stash: BTreeMap::new(), stash_max: STASH_CAPACITY, next: 0, scanned: 0 }
    }

    /// How many messages may be passed over and wait (65,536 unless told otherwise): what is stashed no
    /// longer counts against the mailbox's bound.
    pub fn stash_capacity(&mut self, messages: usize) {
        self.stash_max = messages;
    }

    /// The process, for others to send to.
    pub fn me(&self) -> InboxRef<M> {
        InboxRef::new(Arc::clone(&self.process))
    }

    /// The oldest message, also one that was passed over before; awaits one if there is none. Dropping
    /// the future loses nothing.
    pub async fn receive(&mut self) -> M {
        let parcel = match self.stash.pop_first() {
            Some((_, parcel)) => parcel,
            None => self.arrival().await,
        };
        self.open(parcel)
    }

    /// As [`Inbox::receive`], for at most `limit`.
    ///
    /// # Errors
    /// [`ReceiveError::TimedOut`].
    pub async fn receive_within(&mut self, limit: Duration) -> Result<M, ReceiveError> {
        timeout(limit, self.receive()).await.map_err(|_| ReceiveError::TimedOut { after: limit })
    }

    /// The oldest message that matches; awaits one if there is none. Those passed over stay, in their
    /// order. Dropping the future loses nothing. It costs a look at each message that waits.
    ///
    /// # Errors
    /// [`ReceiveError::StashFull`], if more messages would be passed over than may be.
    pub async fn receive_match(&mut self, matches: impl FnMut(&M) -> bool) -> Result<M, ReceiveError> {
        self.receive_match_since(Mark(0), matches).await
    }

    /// As [`Inbox::receive_match`], for at most `limit`.
    ///
    /// # Errors
    /// As there, and [`ReceiveError::TimedOut`].
    pub async fn receive_match_within(
        &mut self,
        limit: Duration,
        matches: impl FnMut(&M) -> bool,
    ) -> Result<M, ReceiveError> {
        match timeout(limit, self.receive_match(matches)).await {
            Ok(received) => received,
            Err(_) => Err(ReceiveError::TimedOut { after: limit }),
        }
    }

    /// This moment: what this process has taken out of its mailbox before needs no look when what it
    /// waits for can only come after.
    pub fn mark(&self) -> Mark {
        Mark(self.next)
    }

    /// As [`Inbox::receive_match`], without a look at messages that were passed over before `mark`.
    ///
    /// # Errors
    /// As there.
    pub async fn receive_match_since(
        &mut self,
        mark: Mark,
        mut matches: impl FnMut(&M) -> bool,
    ) -> Result<M, ReceiveError> {
        let mut scanned = 0;
        let found = self.stash.range(mark.0..).find_map(|(number, parcel)| {
            scanned += 1;
            matches(&parcel.value).then_some(*number)
        });
        self.scanned += scanned;
        if let Some(parcel) = found.and_then(|number| self.stash.remove(&number)) {
            return Ok(self.open(parcel));
        }
        loop {
            let len = self.stash.len();
            if len >= self.stash_max {
                return Err(ReceiveError::StashFull { len });
            }
            let parcel = self.arrival().await;
            self.scanned += 1;
            if matches(&parcel.value) {
                return Ok(self.open(parcel));
            }
            self.stash.insert(self.next - 1, parcel);
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> InboxCounts {
        InboxCounts { scanned: self.scanned, stashed: self.stash.len(), mailbox: self.process.mailbox.counts() }
    }

    /// A message is about to be handled, in its sender's context.
    fn open(&self, parcel: Parcel<M>) -> M {
        // One writer, so no read-modify-write is needed.
        let handled = &self.process.core.handled;
        handled.store(handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        parcel.open()
    }

    /// The next message out of the mailbox.
    async fn arrival(&mut self) -> Parcel<M> {
        loop {
            let entry = poll_fn(|cx| {
                let coop = ready!(coop::poll_proceed(cx));
                let entry = ready!(self.process.mailbox.poll_next(cx));
                coop.made_progress();
                Poll::Ready(entry)
            });
            match entry.await {
                Entry::Message(parcel) => {
                    self.next += 1;
                    return parcel;
                }
                Entry::Signal(signal) => {
                    if let Some(reason) = self.heed(*signal) {
                        self.process.core.doom(reason);
                        pending::<()>().await;
                    }
                }
            }
        }
    }

    /// Does what a signal says; the reason if that is to end.
    fn heed(&self, signal: Signal) -> Option<ExitReason> {
        match signal {
            Signal::Shutdown(reason) => Some(reason),
            Signal::Exit(exit) => Some(exit.reason),
            Signal::Operator(Wish::Describe(to)) => {
                let _ = to.send(format!("an inbox of {}, {} stashed", std::any::type_name::<M>(), self.stash.len()));
                None
            }
            Signal::Operator(_) | Signal::Down { .. } | Signal::Ready(_) | Signal::ChildExit(..) => None,
        }
    }
}

impl<M> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({}, {} stashed)", self.process.core.pid(), self.stash.len())
    }
}
