//! One child: what it is doing, and what it should be doing.

use super::message::{ChildInfo, ChildKey, ChildState, Request, Run, Timer};
use super::stage::Stage;
use crate::supervisor::policy::{Policy, Restart, Window};

#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) policy: Policy,
    /// The siblings before it in order that it waits for, as long as they are wanted.
    pub(super) wait_for: Vec<ChildKey>,
    pub(super) life: Life,
    pub(super) wish: Wish,
    /// The life that it has must end, whether or not another follows.
    pub(super) doomed: bool,
    /// It was ready at least once, so that its next start is a restart.
    pub(super) was_ready: bool,
    /// Failures in a row, for the delay.
    pub(super) failures: u32,
    pub(super) restarts: u64,
    pub(super) budget: Option<Window>,
    /// The one request that waits for what this child does.
    pub(super) asked: Option<Asked>,
}

/// Whether a child should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Now, or when its turn comes.
    Up,
    /// No, it has ended for good; but a restart of its group brings it back.
    Down,
    /// No, by an operator's word or because it was given up, until an operator restarts it.
    Held,
}

/// What the process of a child is doing, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Down,
    /// Down, until its delay is over.
    Waiting {
        timer: Timer,
        until_ns: u64,
    },
    /// The timer, if there is one, is the limit of its start.
    Starting {
        run: Run,
        timer: Option<Timer>,
    },
    /// Its start took too long: it has been killed, and its end is awaited.
    Overdue {
        run: Run,
    },
    Running {
        run: Run,
        since_ns: u64,
    },
    /// The timer, if there is one, is the limit of its stop.
    Stopping {
        run: Run,
        timer: Option<Timer>,
    },
}

/// A request that is answered when the child is ready, or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To start a new child: if it fails, the child is forgotten.
    Start(Request),
    /// To start one that was down: if it fails, it stays down.
    Restart(Request),
    /// To restart one before its delay is over: if it fails, that is one more failure.
    Hurry(Request),
    Terminate(Request),
}

impl Child {
    /// A child that is to be started.
    pub(super) fn new(policy: Policy, wait_for: Vec<ChildKey>) -> Self {
        let budget = policy.budget.map(Window::new);
        Self {
            policy,
            wait_for,
            life: Life::Down,
            wish: Wish::Up,
            doomed: false,
            was_ready: false,
            failures: 0,
            restarts: 0,
            budget,
            asked: None,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wish == Wish::Up
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.policy.restart == Restart::Temporary
    }

    /// What is to be done with it next, or is awaited.
    pub(super) fn stage(&self) -> Stage {
        match self.life {
            Life::Down if self.is_wanted() => Stage::ToStart,
            Life::Waiting { .. } => Stage::Waiting,
            Life::Stopping { .. } => Stage::Stopping,
            Life::Starting { .. } | Life::Overdue { .. } | Life::Running { .. } if self.doomed => Stage::ToStop,
            Life::Starting { .. } | Life::Overdue { .. } => Stage::Starting,
            Life::Running { .. } | Life::Down => Stage::Settled,
        }
    }

    /// Condemns the life that it has, if it has one. A temporary child has only one.
    pub(super) fn doom(&mut self) {
        if self.life.run().is_some() {
            self.doomed = true;
            if self.is_temporary() {
                self.wish = Wish::Down;
            }
        }
    }

    pub(super) fn info(&self, key: ChildKey) -> ChildInfo {
        let state = match (self.stage(), self.life) {
            (_, Life::Waiting { until_ns, .. }) => ChildState::Waiting { until_ns },
            (Stage::Settled, Life::Running { .. }) => ChildState::Running,
            (Stage::ToStart | Stage::Waiting, _) => ChildState::Queued,
            (Stage::Starting, _) => ChildState::Starting,
            (Stage::ToStop | Stage::Stopping, _) => ChildState::Stopping,
            (Stage::Settled, _) => ChildState::Terminated,
        };
        ChildInfo { key, id: self.policy.id.clone(), state, run: self.life.run(), restarts: self.restarts }
    }
}

impl Life {
    /// The run, if there is a process.
    pub(super) fn run(self) -> Option<Run> {
        match self {
            Self::Down | Self::Waiting { .. } => None,
            Self::Starting { run, .. }
            | Self::Overdue { run }
            | Self::Running { run, .. }
            | Self::Stopping { run, .. } => Some(run),
        }
    }

    /// The timer that belongs to it.
    pub(super) fn timer(self) -> Option<Timer> {
        match self {
            Self::Waiting { timer, .. } => Some(timer),
            Self::Starting { timer, .. } | Self::Stopping { timer, .. } => timer,
            Self::Down | Self::Overdue { .. } | Self::Running { .. } => None,
        }
    }
}
