//! References to servers: how others talk to them.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use simurgh_sync::mailbox::Counts;
use simurgh_sync::port;

use crate::call::CALL_TIMEOUT;
use crate::cell::{Process, Served};
use crate::signal::{Signal, Wish};
use crate::{CallError, CastError, ExitReason, Monitor, Pid, Reply, Server};

/// A server of this node, for others to talk to. Cheap to clone; it outlives the server, and then
/// says so.
pub struct ServerRef<S: Server> {
    pub(crate) process: Arc<Served<S::Message>>,
    server: PhantomData<fn() -> S>,
}

impl<S: Server> ServerRef<S> {
    pub(crate) fn new(process: Arc<Served<S::Message>>) -> Self {
        Self { process, server: PhantomData }
    }

    /// The server behind a process, if that is what it is.
    pub(crate) fn of(process: Arc<dyn Process>) -> Option<Self> {
        process.any().downcast().ok().map(Self::new)
    }

    /// Who it is.
    pub fn pid(&self) -> Pid {
        self.process.core.pid()
    }

    /// Why it ended, if it has (or is about to).
    pub fn reason(&self) -> Option<ExitReason> {
        self.process.core.reason()
    }

    /// Whether it is alive.
    pub fn is_alive(&self) -> bool {
        !self.process.core.has_ended()
    }

    /// Asks, and awaits the answer for at most 5 s. The message is made from the reply it carries.
    ///
    /// # Errors
    /// [`CallError`]: the server ended, did not answer in time, is overloaded, dropped the reply, or
    /// is the caller itself. A call that timed out may still be carried out.
    pub async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> S::Message) -> Result<T, CallError> {
        self.call_within(CALL_TIMEOUT, make).await
    }

    /// As [`ServerRef::call`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    pub async fn call_within<T>(
        &self,
        limit: Duration,
        make: impl FnOnce(Reply<T>) -> S::Message,
    ) -> Result<T, CallError> {
        self.process.call_within(limit, make).await
    }

    /// Sends a message and awaits no answer. If the mailbox is full and its policy is to block, it
    /// waits for room, for at most 5 s.
    ///
    /// # Errors
    /// [`CastError`], with the message: the server has ended, or its mailbox stayed full.
    pub async fn cast(&self, message: S::Message) -> Result<(), CastError<S::Message>> {
        self.cast_within(CALL_TIMEOUT, message).await
    }

    /// As [`ServerRef::cast`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub async fn cast_within(&self, limit: Duration, message: S::Message) -> Result<(), CastError<S::Message>> {
        self.process.cast_within(limit, message).await
    }

    /// Sends a message without waiting.
    ///
    /// # Errors
    /// [`CastError`], with the message: the server has ended, or its mailbox is full.
    #[inline]
    pub fn try_cast(&self, message: S::Message) -> Result<(), CastError<S::Message>> {
        self.process.try_cast(message)
    }

    /// Monitors it.
    pub fn monitor(&self) -> Monitor {
        crate::monitor::monitor_process(Arc::clone(&self.process) as Arc<dyn Process>)
    }

    /// Asks it to end in order: what is in its mailbox is handled first, then
    /// [`Server::terminate`] runs. Waits for the end, and kills it after `limit`.
    pub async fn stop(&self, limit: Duration) -> ExitReason {
        (&*self.process as &dyn Process).stop(self.monitor(), limit).await
    }

    /// What its mailbox has counted.
    pub fn mailbox(&self) -> Counts {
        self.process.mailbox.counts()
    }

    /// Looks at the state, or changes it, between two messages: for operators.
    ///
    /// ```
    /// # use simurgh_otp::{self as otp, Context, Flow, Server};
    /// struct Counter(u64);
    /// # impl Server for Counter {
    /// #     type Message = ();
    /// #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow { Flow::Continue }
    /// # }
    /// simurgh_runtime::run("doc", async {
    ///     let counter = otp::start("counter", Counter(1)).await.unwrap();
    ///     assert_eq!(counter.visit(|counter| std::mem::replace(&mut counter.0, 7)).await, Ok(1));
    ///     assert_eq!(counter.visit(|counter| counter.0).await, Ok(7));
    /// });
    /// ```
    ///
    /// # Errors
    /// As a call.
    pub async fn visit<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        self.process
            .wish(|sender: port::Sender<T>| {
                Wish::Visit(Box::new(move |state: &mut dyn Any| {
                    if let Some(state) = state.downcast_mut::<S>() {
                        let _ = sender.send(look(state));
                    }
                }))
            })
            .await
    }

    /// The state in words, as [`Server::describe`] has it.
    ///
    /// # Errors
    /// As a call.
    pub async fn describe(&self) -> Result<String, CallError> {
        self.process.wish(Wish::Describe).await
    }

    /// Lets it handle no messages, from when this returns until [`ServerRef::resume`].
    ///
    /// # Errors
    /// As a call.
    pub async fn suspend(&self) -> Result<(), CallError> {
        self.process.wish(Wish::Suspend).await
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let _ = self.process.mailbox.signal(Box::new(Signal::Operator(Wish::Resume)));
    }

    /// Whether it tells of each message that it handles: the event `otp.server.message` and a line of
    /// the log.
    pub fn trace(&self, on: bool) {
        let _ = self.process.mailbox.signal(Box::new(Signal::Operator(Wish::Trace(on))));
    }
}

impl<S: Server> Clone for ServerRef<S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.process))
    }
}

impl<S: Server> PartialEq for ServerRef<S> {
    fn eq(&self, other: &Self) -> bool {
        self.pid() == other.pid()
    }
}

impl<S: Server> Eq for ServerRef<S> {}

impl<S: Server> Hash for ServerRef<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pid().hash(state);
    }
}

impl<S: Server> fmt::Debug for ServerRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerRef({})", self.pid())
    }
}
