//! The heart of a supervisor: a state machine that takes what happened and returns what to do.
//!
//! **The model.** Each child has a *life*, a *wish* (up, down, or held down), and a mark if the life
//! that it has is *doomed*. An input changes these; then [`advance`](Core::advance) takes the next
//! steps that bring lives closer to wishes. Nothing else begins a life or asks one to end.
//!
//! ```text
//!   ┌─► Down ── wanted, its turn ──► Starting ── ready ──► Running
//!   │    ▲ ▲                            │                     │
//!   │    │ └────── gone by itself ──────┼─────────────────────┤
//!   │    │                              ▼                     │
//!   │    └───── gone ────── Stopping ◄──┴────── doomed ───────┤
//!   │                                                         │
//!   └─ delay over ── Waiting ◄── gone by itself, has a delay ─┘
//! ```
//!
//! A crash in the middle of a group's restart, an end that came before the request to end, an
//! operator in between: each changes a wish or a life, and none is a case of its own. A child has a
//! new life only from `Down`, so two lives of one child never overlap; when all are settled and the
//! supervisor is ending, nothing runs, and it may end.
//!
//! **In order.** Lives end in reverse start order, one after another, and begin in start order, one
//! after another, when all that had to end is gone. So it is at boot, at the end, and always with
//! `OneForAll` and `RestForOne`. The children of an `OneForOne` are independent once it is up: none
//! waits for the slow start or stop of another, unless it said so (`wait_for`). With the option
//! `concurrent` they are so from boot to end.
//!
//! **As OTP's `supervisor`** are the strategies, the kinds of restart, intensity, shutdown and
//! significance; that a transient child which ended in order comes back when its group is restarted;
//! that the first start of a child at boot must not fail, and a failed restart is one more restart.
//!
//! **Otherwise than OTP**
//! - A supervisor over its intensity ends with an *error* that names the child. In OTP it is
//!   `shutdown`, so that a transient supervisor that gave up counts as one that finished, and stays down.
//! - What an operator terminated stays down when its siblings are restarted, until an operator restarts it.
//! - A child may have a delay. With `OneForAll`, its group is stopped at once and started when the
//!   longest delay is over; with `RestForOne`, those after it wait for it. An operator's restart cuts it short.
//! - A child waits for a sibling (`wait_for`) that is on its way. One that has ended for good, was
//!   terminated, given up or deleted is not waited for: that could be for ever.
//! - A child may have a budget. A permanent child that used it up takes the supervisor with it, as
//!   the tree's intensity would; a transient one is given up and stays down.
//! - Starts do not block: while one is under way the supervisor answers, stops and ends. A child that
//!   crashes during the boot is restarted as at any other time.
//!
//! **Limits.** One timer and one open request for each child; of past restarts, as many as the
//! intensity names. A settled child costs nothing in any step.

mod child;
mod exits;
mod message;
mod operator;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::message::{
    Action, Ask, ChildInfo, ChildKey, Decision, Input, Report, Request, Run, StopHow, Timer,
};
pub use self::message::{BootError, ChildCount, ChildState, Refusal};

use self::child::{Asked, Child, Life, Wish};
use self::stage::{Stage, Unsettled};
use super::order::{self, ConfigError};
use super::policy::{AutoShutdown, Intensity, Policy, Shutdown, Strategy, Window, nanos};
use crate::ExitReason;

/// Whether this run has a planted bug: of the simulation, or, in tests of the bare core, of the test.
macro_rules! planted {
    ($name:literal, $core:expr) => {{
        #[cfg(test)]
        let here = $core.planted == Some($name);
        #[cfg(not(test))]
        let here = false;
        here || simurgh_runtime::planted!($name)
    }};
}
use planted;

/// What holds for a supervisor as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) auto_shutdown: AutoShutdown,
    /// The children of an `OneForOne` are independent from boot to end, as those of OTP's
    /// `simple_one_for_one` and Elixir's `DynamicSupervisor`.
    pub(crate) concurrent: bool,
}

/// A supervisor without processes, clock or chance.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    options: Options,
    phase: Phase,
    restarts: Window,
    /// In start order.
    children: BTreeMap<ChildKey, Child>,
    ids: BTreeMap<Arc<str>, ChildKey>,
    timers: BTreeMap<Timer, ChildKey>,
    unsettled: Unsettled,
    keys: u32,
    runs: u64,
    timers_armed: u64,
    /// The state of the generator for jitter.
    dice: u64,
    now_ns: u64,
    out: Vec<Action>,
    #[cfg(test)]
    planted: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    New,
    /// Until all are ready for the first time.
    Booting,
    Up,
    /// Until all are gone.
    Ending {
        reason: ExitReason,
        /// If it was not up yet.
        boot: Option<BootError>,
    },
    Ended,
}

impl Core {
    /// A supervisor of these children, not booted yet; `seed` decides the jitter of their delays.
    pub(crate) fn new(options: Options, policies: Vec<Policy>, seed: u64) -> Result<Self, ConfigError> {
        let policies = order::in_start_order(policies, options.auto_shutdown)?;
        let mut core = Self {
            options,
            phase: Phase::New,
            restarts: Window::new(options.intensity),
            children: BTreeMap::new(),
            ids: BTreeMap::new(),
            timers: BTreeMap::new(),
            unsettled: Unsettled::default(),
            keys: 0,
            runs: 0,
            timers_armed: 0,
            dice: seed,
            now_ns: 0,
            out: Vec::new(),
            #[cfg(test)]
            planted: None,
        };
        for policy in policies {
            core.add(policy);
        }
        Ok(core)
    }

    /// Takes an input at a time that does not decrease, and appends what is to be done, in order.
    pub(crate) fn step(&mut self, now_ns: u64, input: Input, out: &mut Vec<Action>) {
        self.now_ns = now_ns;
        match input {
            Input::Boot if self.phase == Phase::New => self.phase = Phase::Booting,
            Input::Boot => {}
            Input::Started { key, run } => self.started(key, run),
            Input::StartFailed { key, run, reason } | Input::Exited { key, run, reason } => {
                self.gone(key, run, reason);
            }
            Input::Due { timer } => self.due(timer),
            Input::Operator { request, ask } => self.ask(request, ask),
            Input::Shutdown { reason } => self.end(reason.clone(), None, reason),
        }
        self.advance();
        out.append(&mut self.out);
    }

    /// What holds for it as a whole.
    pub(crate) fn options(&self) -> Options {
        self.options
    }

    /// Whether all of it is coming down, or is down.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::Ended)
    }

    /// The key of the child with this id.
    pub(crate) fn key_of(&self, id: &str) -> Option<ChildKey> {
        self.ids.get(id).copied()
    }

    /// What is configured for a child.
    #[cfg(test)]
    pub(crate) fn policy(&self, key: ChildKey) -> Option<&Policy> {
        self.children.get(&key).map(|child| &child.policy)
    }

    /// All children in start order.
    pub(crate) fn children(&self) -> impl Iterator<Item = ChildInfo> {
        self.children.iter().map(|(&key, child)| child.info(key))
    }

    /// How many children there are.
    pub(crate) fn count(&self) -> ChildCount {
        let mut count = ChildCount { specs: self.children.len(), ..ChildCount::default() };
        for child in self.children() {
            count.active += usize::from(child.run.is_some());
            count.running += usize::from(child.state == ChildState::Running);
            count.waiting += usize::from(matches!(child.state, ChildState::Waiting { .. }));
        }
        count
    }

    /// Takes the next steps towards what is wished.
    fn advance(&mut self) {
        self.stop_next();
        self.start_next();
        self.settle();
    }

    fn stop_next(&mut self) {
        let in_order = self.is_in_order();
        while !in_order || self.unsettled.stopping.is_empty() {
            let doomed = &self.unsettled.to_stop;
            let last = if planted!("supervisor.order-not-reversed", self) { doomed.first() } else { doomed.last() };
            let Some(&key) = last else { return };
            self.stop(key);
        }
    }

    /// Ends the life of a child. One that is overdue was killed already.
    fn stop(&mut self, key: ChildKey) {
        let child = &self.children[&key];
        let Some(run) = child.life.run() else { return };
        let (how, limit) = match (child.life, child.policy.shutdown) {
            (Life::Overdue { .. }, _) => (None, None),
            (_, Shutdown::Brutal) => (Some(StopHow::Kill), None),
            (_, Shutdown::Timed(limit)) => (Some(StopHow::Shutdown), Some(limit)),
            (_, Shutdown::Infinite) => (Some(StopHow::Shutdown), None),
        };
        self.out.extend(how.map(|how| Action::Stop { key, run, how }));
        let timer = limit.map(|limit| self.arm(key, limit));
        self.live(key, Life::Stopping { run, timer });
    }

    fn start_next(&mut self) {
        if !matches!(self.phase, Phase::Booting | Phase::Up) {
            return;
        }
        if !self.is_in_order() {
            let keys: Vec<_> = self.unsettled.to_start.iter().copied().collect();
            for key in keys {
                if !self.children[&key].wait_for.iter().any(|sibling| self.is_on_its_way(*sibling)) {
                    self.start(key);
                }
            }
            return;
        }
        // Who has yet to stop waits for one that is stopping.
        let Unsettled { to_start, waiting, starting, to_stop: _, stopping } = &self.unsettled;
        if !(starting.is_empty() && stopping.is_empty()) {
            if planted!("supervisor.double-start", self)
                && let Some(&key) = stopping.first()
            {
                self.start(key);
            }
            return;
        }
        let Some(&next) = to_start.first() else { return };
        let must_wait = match self.options.strategy {
            Strategy::OneForAll => !waiting.is_empty(),
            Strategy::OneForOne | Strategy::RestForOne => waiting.first().is_some_and(|&earlier| earlier < next),
        };
        if !must_wait {
            self.start(next);
        }
    }

    /// Begins a life of a child that is wanted.
    fn start(&mut self, key: ChildKey) {
        let child = &self.children[&key];
        if !child.is_wanted() {
            return;
        }
        let limit = child.policy.start_timeout;
        self.runs += 1;
        let run = Run(self.runs);
        self.out.push(Action::Start { key, run });
        let timer = (limit != Duration::MAX).then(|| self.arm(key, limit));
        self.live(key, Life::Starting { run, timer });
    }

    /// Whether a sibling is wanted but not ready, so that those who wait for it wait.
    fn is_on_its_way(&self, key: ChildKey) -> bool {
        self.children.get(&key).is_some_and(|child| child.is_wanted() && child.stage() != Stage::Settled)
    }

    /// Notices that the boot, or the end, is complete.
    fn settle(&mut self) {
        if !self.unsettled.is_empty() {
            return;
        }
        match &mut self.phase {
            Phase::Booting => {
                self.phase = Phase::Up;
                self.out.push(Action::Booted(Ok(())));
            }
            Phase::Ending { reason, boot } => {
                let (reason, boot) = (reason.clone(), boot.take());
                self.out.extend(boot.map(|error| Action::Booted(Err(error))));
                self.out.push(Action::End { reason });
                self.phase = Phase::Ended;
            }
            Phase::New | Phase::Up | Phase::Ended => {}
        }
    }

    /// Begins the end: nobody is wanted, all are doomed. Once begun, its reason stays. If it ends the
    /// boot too, that failed at this child for this cause.
    fn end(&mut self, reason: ExitReason, child: Option<Arc<str>>, cause: ExitReason) {
        let boot = match self.phase {
            Phase::New | Phase::Booting => Some(BootError { child, reason: cause }),
            Phase::Up => None,
            Phase::Ending { .. } | Phase::Ended => return,
        };
        let spares = boot.is_some() && planted!("supervisor.forgets-rollback", self);
        self.phase = Phase::Ending { reason, boot };
        let keys: Vec<_> = self.children.keys().copied().collect();
        for key in keys {
            self.cancel_wait(key);
            self.answer_start(key, Err(Refusal::Ending));
            self.change(key, |child| {
                let runs = matches!(child.life, Life::Running { .. });
                if !(spares && runs) {
                    child.wish = Wish::Down;
                    child.doom();
                }
            });
        }
    }

    /// Whether lives begin and end one after another.
    fn is_in_order(&self) -> bool {
        let independent =
            self.options.strategy == Strategy::OneForOne && (self.phase == Phase::Up || self.options.concurrent);
        !independent
    }

    /// Takes up a child after all others.
    fn add(&mut self, policy: Policy) -> ChildKey {
        let wait_for = policy.wait_for.iter().filter_map(|id| self.key_of(id)).collect();
        self.keys += 1;
        let key = ChildKey(self.keys);
        self.ids.insert(Arc::clone(&policy.id), key);
        self.children.insert(key, Child::new(policy, wait_for));
        self.unsettled.pass(key, Stage::Settled, Stage::ToStart);
        key
    }

    /// Forgets a child that has no life.
    fn remove(&mut self, key: ChildKey) {
        self.answer_start(key, Err(Refusal::Stopped));
        if let Some(child) = self.children.remove(&key) {
            self.ids.remove(&child.policy.id);
            self.unsettled.pass(key, child.stage(), Stage::Settled);
            self.out.push(Action::Forget { key });
        }
    }

    /// Changes a child, and keeps the account of who is at which stage.
    fn change<R>(&mut self, key: ChildKey, change: impl FnOnce(&mut Child) -> R) -> R {
        let child = self.children.get_mut(&key).expect("keys are of children that are not forgotten");
        let before = child.stage();
        let result = change(child);
        self.unsettled.pass(key, before, child.stage());
        result
    }

    /// Passes a child on to its next state; the timer of the last one goes with it.
    fn live(&mut self, key: ChildKey, life: Life) -> Life {
        let last = self.change(key, |child| std::mem::replace(&mut child.life, life));
        if let Some(timer) = last.timer()
            && self.timers.remove(&timer).is_some()
        {
            self.out.push(Action::Disarm { timer });
        }
        last
    }

    fn arm(&mut self, key: ChildKey, after: Duration) -> Timer {
        self.timers_armed += 1;
        let timer = Timer(self.timers_armed);
        self.timers.insert(timer, key);
        self.out.push(Action::Arm { timer, after });
        timer
    }
}

#[cfg(test)]
mod tests;
