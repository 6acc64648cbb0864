//! What a server has at hand while it works.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};
use std::time::Duration;

use simurgh_runtime::collections::HashSet;
use simurgh_runtime::{Label, planted};
use simurgh_sync::mailbox::Entry;
use simurgh_telemetry::event;
use tokio::task::coop;

use crate::cell::{Process, Served, Watcher};
use crate::signal::Signal;
use crate::table::Table;
use crate::timer::{TimerRef, Timers};
use crate::{Down, ExitReason, Pid, Server, ServerRef};

/// Messages that a server handles before it lets others go first.
const BURST: u32 = 64;

/// What a server has at hand while it works: itself, its links and monitors, its timers.
pub struct Context<S: Server> {
    process: Arc<Served<S::Message>>,
    burst: u32,
    suspended: bool,
    pub(crate) traces: bool,
    /// Boxed: most servers never have any of it, and each would pay for its size.
    extra: Option<Box<Extra<S::Message>>>,
}

/// What few servers have.
struct Extra<M> {
    /// What it told itself.
    next: VecDeque<M>,
    monitors: HashSet<u64>,
    next_monitor: u64,
    timers: Timers<M>,
}

impl<M> Default for Extra<M> {
    fn default() -> Self {
        Self { next: VecDeque::new(), monitors: HashSet::default(), next_monitor: 0, timers: Timers::default() }
    }
}

/// A monitor that a server has set: names the [`Down`] that will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MonitorRef {
    pid: Pid,
    number: u64,
    key: Option<usize>,
}

/// What comes next.
pub(crate) enum Next<M> {
    Message(M),
    Signal(Box<Signal>),
}

impl<S: Server> Context<S> {
    pub(crate) fn new(process: Arc<Served<S::Message>>) -> Self {
        Self { process, burst: 0, suspended: false, traces: false, extra: None }
    }

    fn extra(&mut self) -> &mut Extra<S::Message> {
        self.extra.get_or_insert_default()
    }

    /// This server, for others to call.
    pub fn me(&self) -> ServerRef<S> {
        ServerRef::new(Arc::clone(&self.process))
    }

    /// This server's pid.
    pub fn pid(&self) -> Pid {
        self.process.core.pid()
    }

    /// The supervisor that started it, if one did.
    pub fn parent(&self) -> Option<Pid> {
        self.process.core.parent.as_ref().map(|parent| parent.pid())
    }

    /// Names this server.
    pub fn set_label(&self, label: impl Into<Label>) {
        self.process.core.header.set_label(label);
    }

    /// Whether exits of linked processes come as [`Info::Exit`](crate::Info::Exit) instead of ending
    /// this server too. Tells what it was before.
    pub fn trap_exits(&self, traps: bool) -> bool {
        event!("otp.trap_exits", {}, { process: self.pid().number(), on: traps });
        self.process.core.traps_exits.swap(traps, Ordering::Relaxed)
    }

    /// Handles `message` before anything that waits in the mailbox: what is left to do of a start or
    /// of a message, without keeping the starter or the caller waiting.
    pub fn continue_with(&mut self, message: S::Message) {
        self.extra().next.push_back(message);
    }

    /// Monitors a process: an [`Info::Down`](crate::Info::Down) comes when it ends, at once if it is
    /// gone already.
    pub fn monitor(&mut self, pid: Pid) -> MonitorRef {
        let extra = self.extra();
        extra.next_monitor += 1;
        let number = extra.next_monitor;
        extra.monitors.insert(number);
        let me = Arc::clone(&self.process) as Arc<dyn Process>;
        let target = Table::of(self.process.core.header.node()).get(pid);
        let key = target.and_then(|target| target.core().watch(Watcher::Server { process: me, monitor: number }).ok());
        if key.is_none() {
            let down = Down { pid, reason: ExitReason::NoProcess };
            let _ = self.process.mailbox.signal(Box::new(Signal::Down { monitor: number, down }));
        }
        MonitorRef { pid, number, key }
    }

    /// Ends a monitoring. A `Down` that has come and was not handled yet is not handled any more.
    pub fn demonitor(&mut self, monitor: MonitorRef) {
        let known = self.extra.as_mut().is_some_and(|extra| extra.monitors.remove(&monitor.number));
        let target = Table::of(self.process.core.header.node()).get(monitor.pid);
        if let (true, Some(key), Some(target)) = (known, monitor.key, target) {
            target.core().unwatch(key);
        }
    }

    /// Sends `message` to itself after a while.
    pub fn send_after(&mut self, after: Duration, message: S::Message) -> TimerRef {
        self.extra().timers.add(after, message)
    }

    /// Sends itself what `make` makes, again and again, first after one period. A server that is late
    /// skips what it missed: ticks do not pile up.
    pub fn send_every(&mut self, period: Duration, make: impl FnMut() -> S::Message + Send + 'static) -> TimerRef {
        self.extra().timers.add_every(period, Box::new(make))
    }

    /// Takes a timer back: how long it would have taken still, none if it has rung.
    pub fn cancel(&mut self, timer: TimerRef) -> Option<Duration> {
        self.extra.as_mut()?.timers.cancel(timer)
    }

    /// Ready with what comes next: what the server told itself, a timer that is due, then the mailbox.
    pub(crate) fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Next<S::Message>> {
        if self.burst >= BURST {
            self.burst = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let coop = ready!(coop::poll_proceed(cx));
        self.burst += 1;
        if let Some(entry) = self.ready(cx) {
            coop.made_progress();
            if planted!("otp.message-lost-to-preemption") {
                drop(ready!(coop::poll_proceed(cx))); // with the message in hand
            }
            return Poll::Ready(entry);
        }
        self.burst = 0;
        Poll::Pending
    }

    fn ready(&mut self, cx: &mut std::task::Context<'_>) -> Option<Next<S::Message>> {
        if self.suspended {
            return match self.process.mailbox.poll_signal(cx) {
                Poll::Ready(signal) => Some(Next::Signal(signal)),
                Poll::Pending => None,
            };
        }
        if let Some(extra) = &mut self.extra {
            let own = extra.next.pop_front().or_else(|| extra.timers.poll_due(cx));
            if let Some(message) = own {
                return Some(Next::Message(message));
            }
        }
        loop {
            match self.process.mailbox.poll_next(cx) {
                Poll::Ready(Entry::Message(parcel)) if self.burst == BURST && planted!("otp.mailbox-overtakes") => {
                    self.burst = 0;
                    drop(self.process.mailbox.try_send(parcel, None)); // puts back what its budget does not bear
                }
                Poll::Ready(Entry::Message(parcel)) => return Some(Next::Message(parcel.open())),
                Poll::Ready(Entry::Signal(signal)) => {
                    if let Some(signal) = self.expected(signal) {
                        return Some(Next::Signal(signal));
                    }
                }
                Poll::Pending => return None,
            }
        }
    }

    /// Leaves out the end of a process that is no longer monitored.
    fn expected(&mut self, signal: Box<Signal>) -> Option<Box<Signal>> {
        let Signal::Down { monitor, .. } = &*signal else { return Some(signal) };
        let known = self.extra.as_mut().is_some_and(|extra| extra.monitors.remove(monitor));
        (known || planted!("otp.stale-down")).then_some(signal)
    }

    pub(crate) fn process(&self) -> &Served<S::Message> {
        &self.process
    }

    /// Whether messages wait until an operator lets it go on.
    pub(crate) fn set_suspended(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    /// Gives back what can be had again.
    pub(crate) fn shrink(&mut self) {
        self.process.mailbox.shrink();
        self.extra.take_if(|extra| extra.next.is_empty() && extra.monitors.is_empty() && extra.timers.is_empty());
    }
}

impl<S: Server> std::fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({})", self.pid())
    }
}
