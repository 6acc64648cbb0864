//! Calls: a message and the answer to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use simurgh_runtime::time::Limit;
use simurgh_runtime::{Header, Instant, planted, sim};
use simurgh_sync::port;
use tokio::task::coop;

use crate::cell::{Core, Process, Watcher};
use crate::reply::unanswered;
use crate::table::Table;
use crate::{ExitReason, Pid};

/// How long a call or a cast waits unless told otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a panic may take from the reply that it drops to the end of its process.
const UNWINDING: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server has ended, before the call or during it.
    #[error("no answer from {pid}: it has ended ({reason}); look it up again, its supervisor may have started another")]
    Died {
        /// The server.
        pid: Pid,
        /// Why it ended.
        reason: ExitReason,
    },
    /// The time limit has passed. The server may still do what it was asked.
    #[error("no answer from {pid} within {after:?}; it may still do what it was asked{cycle}")]
    TimedOut {
        /// The server.
        pid: Pid,
        /// The limit.
        after: Duration,
        /// If it waits for others: for whom.
        cycle: WaitsFor,
    },
    /// Its mailbox is full, or shed the message.
    #[error("{pid} is overloaded: its mailbox is full; ask less often, or give it another policy or bound")]
    Overloaded {
        /// The server.
        pid: Pid,
    },
    /// The server lives, and dropped the reply without an answer.
    #[error(
        "{pid} dropped the reply of this call without an answer; each way through its handle must send one, or keep the reply"
    )]
    NoReply {
        /// The server.
        pid: Pid,
    },
    /// A process called itself: it could not answer while it waits.
    #[error("{pid} called itself, and could not answer while it waits; send it a message, or call a function")]
    ToSelf {
        /// The caller and server.
        pid: Pid,
    },
    /// Nobody has the name that was called.
    #[error("no server that takes this call is registered as {name}; it may be about to start again")]
    NotRegistered {
        /// The name.
        name: Arc<str>,
    },
}

impl CallError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Died { .. } => "otp.call.died",
            Self::TimedOut { .. } => "otp.call.timed_out",
            Self::Overloaded { .. } => "otp.call.overloaded",
            Self::NoReply { .. } => "otp.call.no_reply",
            Self::ToSelf { .. } => "otp.call.to_self",
            Self::NotRegistered { .. } => "otp.call.not_registered",
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Self::Died { .. } | Self::Overloaded { .. } | Self::NotRegistered { .. } => 503,
            Self::TimedOut { .. } => 504,
            Self::NoReply { .. } | Self::ToSelf { .. } => 500,
        }
    }
}

/// For whom a process waits that did not answer, one after the other: with the caller at the end, it
/// is a circle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitsFor(pub Vec<Pid>);

impl WaitsFor {
    /// Whether the waiting goes round in a circle, so that it could never have ended by itself.
    pub fn is_circle(&self) -> bool {
        self.0.len() > 1 && self.0.first() == self.0.last()
    }

    /// Follows those who wait, from the caller on, at this moment.
    fn from(caller: Option<Pid>, server: &Core) -> Self {
        const LONGEST: usize = 32;
        let Some(caller) = caller else { return Self::default() };
        let table = Table::of(server.header.node());
        let mut chain = vec![caller, server.pid()];
        while chain.len() < LONGEST {
            let last = *chain.last().unwrap_or(&caller);
            let Some(process) = table.get(last) else { break };
            let next = process.core().header.waits_for().load(Ordering::Relaxed);
            if next == 0 {
                break;
            }
            let known = chain.iter().position(|pid| pid.number() == next);
            chain.push(last.sibling(next));
            if let Some(known) = known {
                chain.drain(..known);
                break;
            }
        }
        if chain.len() > 2 { Self(chain) } else { Self::default() }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pids = self.0.iter();
        let Some(first) = pids.next() else { return Ok(()) };
        write!(f, "; {}: {first}", if self.is_circle() { "a circle of calls" } else { "it waits itself" })?;
        pids.try_for_each(|pid| write!(f, " waits for {pid}"))?;
        f.write_str(if self.is_circle() { "; let one of them cast instead of call" } else { "" })
    }
}

pin_project! {
    /// Waits for the answer of a call, the end of the server, or the limit.
    pub(crate) struct Answer<'a, T> {
        server: &'a dyn Process,
        // None once a panic unwound past the reply: then only the end is awaited.
        port: Option<port::Receiver<T>>,
        watch: Option<usize>,
        resource: u64,
        after: Duration,
        limit: Limit,
    }

    impl<T> PinnedDrop for Answer<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(key) = this.watch.take() {
                this.server.core().unwatch(key);
                waits(0);
                if *this.resource != 0 {
                    sim::world(|world| world.wait_end(*this.resource));
                }
            }
        }
    }
}

/// Notes for whom the running task waits.
fn waits(number: u64) {
    Header::with(|header| {
        if let Some(header) = header {
            header.waits_for().store(number, Ordering::Relaxed);
        }
    });
}

impl<'a, T> Answer<'a, T> {
    pub(crate) fn new(server: &'a dyn Process, port: port::Receiver<T>, resource: u64, after: Duration) -> Self {
        Self { server, port: Some(port), watch: None, resource, after, limit: Limit::new(after) }
    }
}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let core = this.server.core();
        let pid = core.pid();
        let coop = ready!(coop::poll_proceed(cx));
        if let Some(Poll::Ready(answer)) = this.port.as_mut().map(|port| port.poll_take(cx)) {
            coop.made_progress();
            let cause = match answer {
                Ok(answer) => return Poll::Ready(Ok(answer)),
                Err(cause) => cause,
            };
            if let Some(reason) = core.reason() {
                return Poll::Ready(Err(CallError::Died { pid, reason }));
            }
            if cause == unanswered::SHED {
                return Poll::Ready(Err(CallError::Overloaded { pid }));
            }
            if unanswered::panicked(cause) != Some(pid.number()) {
                return Poll::Ready(Err(CallError::NoReply { pid }));
            }
            // The panic is on its way to whoever catches it, on another thread: the end is near, unless
            // the server itself catches it.
            *this.port = None;
            if this.limit.deadline() > Instant::now() + UNWINDING {
                *this.limit = Limit::new(UNWINDING);
            }
        }
        match this.watch {
            None if !planted!("otp.call-forgets-the-dead") => match core.watch(Watcher::Caller(cx.waker().clone())) {
                Ok(key) => {
                    *this.watch = Some(key);
                    waits(pid.number());
                    if *this.resource != 0 {
                        sim::world(|world| world.wait_begin(*this.resource, "an answer"));
                    }
                }
                Err(_) => return Poll::Ready(last_word(core, this.port.as_mut())),
            },
            None => {}
            Some(_) if core.has_ended() => {
                coop.made_progress();
                return Poll::Ready(last_word(core, this.port.as_mut()));
            }
            Some(key) => core.rewatch(*key, cx.waker()),
        }
        drop(coop);
        ready!(this.limit.poll_over(cx));
        if this.port.is_none() {
            return Poll::Ready(Err(CallError::NoReply { pid }));
        }
        let caller = Header::with(|header| header.map(Pid::of));
        let cycle = WaitsFor::from(caller, core);
        Poll::Ready(Err(CallError::TimedOut { pid, after: *this.after, cycle }))
    }
}

/// The server has ended: its answer, if it gave one before, or else its end.
fn last_word<T>(core: &Core, port: Option<&mut port::Receiver<T>>) -> Result<T, CallError> {
    match port.and_then(port::Receiver::try_take) {
        Some(Ok(answer)) => Ok(answer),
        _ => Err(CallError::Died { pid: core.pid(), reason: core.reason().unwrap_or(ExitReason::NoProcess) }),
    }
}
