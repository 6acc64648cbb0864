//! References to processes that receive: how others send to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use simurgh_sync::mailbox::Counts;

use crate::cell::{Process, Served};
use crate::{CALL_TIMEOUT, CallError, CastError, ExitReason, Monitor, Pid, Reply};

/// A process of this node that receives, for others to send to: see
/// [`spawn_with_inbox`](crate::spawn_with_inbox). Cheap to clone; it outlives the process, and then says
/// so.
///
/// ```
/// use simurgh_otp::{self as otp, Inbox, Reply};
///
/// simurgh_runtime::run("doc", async {
///     let (pid, doubler) = otp::spawn_with_inbox("doubler", |mut inbox: Inbox<(u32, Reply<u32>)>| async move {
///         while let (number @ 1.., reply) = inbox.receive().await {
///             reply.send(number * 2);
///         }
///     });
///     assert_eq!(doubler.call(|reply| (21, reply)).await, Ok(42));
///     otp::kill(pid);
///     otp::monitor(pid).await;
///     assert!(doubler.call(|reply| (21, reply)).await.is_err());
/// });
/// ```
pub struct InboxRef<M> {
    process: Arc<Served<M>>,
}

impl<M: Send + 'static> InboxRef<M> {
    pub(super) fn new(process: Arc<Served<M>>) -> Self {
        Self { process }
    }

    /// Who it is.
    pub fn pid(&self) -> Pid {
        self.process.core.pid()
    }

    /// Sends a message; if the mailbox is full and its policy is to block, it waits for room, for at
    /// most 5 s.
    ///
    /// # Errors
    /// [`CastError`], with the message: the process has ended, or its mailbox stayed full.
    pub async fn send(&self, message: M) -> Result<(), CastError<M>> {
        self.send_within(CALL_TIMEOUT, message).await
    }

    /// As [`InboxRef::send`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    pub async fn send_within(&self, limit: Duration, message: M) -> Result<(), CastError<M>> {
        self.process.cast_within(limit, message).await
    }

    /// Sends a message without waiting.
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, message: M) -> Result<(), CastError<M>> {
        self.process.try_cast(message)
    }

    /// Asks, and awaits the answer for at most 5 s. It comes by a port of its own: nothing is scanned.
    ///
    /// # Errors
    /// As [`ServerRef::call`](crate::ServerRef::call).
    pub async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> M) -> Result<T, CallError> {
        self.call_within(CALL_TIMEOUT, make).await
    }

    /// As [`InboxRef::call`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    pub async fn call_within<T>(&self, limit: Duration, make: impl FnOnce(Reply<T>) -> M) -> Result<T, CallError> {
        self.process.call_within(limit, make).await
    }

    /// Monitors it.
    pub fn monitor(&self) -> Monitor {
        crate::monitor::monitor_process(Arc::clone(&self.process) as Arc<dyn Process>)
    }

    /// Ends it when it has received what was sent before, and kills it after `limit`.
    pub async fn stop(&self, limit: Duration) -> ExitReason {
        (&*self.process as &dyn Process).stop(self.monitor(), limit).await
    }

    /// What its mailbox has counted.
    pub fn mailbox(&self) -> Counts {
        self.process.mailbox.counts()
    }
}

impl<M> Clone for InboxRef<M> {
    fn clone(&self) -> Self {
        Self { process: Arc::clone(&self.process) }
    }
}

impl<M> fmt::Debug for InboxRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxRef({})", self.process.core.pid())
    }
}
