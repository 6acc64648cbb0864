//! What goes into the core and what comes out of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ExitReason;
use crate::supervisor::order::ConfigError;
use crate::supervisor::policy::{Intensity, Policy};

/// A child within its supervisor. Never reused, and ascending in start order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChildKey(pub(crate) u32);

/// One life of a child: from its start to the end of that process. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Run(pub(crate) u64);

/// A timer that the core asked for. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Timer(pub(crate) u64);

/// An operator's request, numbered by the shell; each is answered exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request(pub(crate) u64);

/// What has happened.
///
/// `Started` and `Due` may be stale: a child may become ready, and a timer fall due, while the word
/// that ends its wait is on its way. The end of a life is told exactly once, by `StartFailed` if it
/// was never ready and by `Exited` if it was. Whatever is of an older life, or of no life, is ignored.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// Begin.
    Boot,
    /// It is ready.
    Started { key: ChildKey, run: Run },
    /// It ended before it was ready, and its process is gone.
    StartFailed { key: ChildKey, run: Run, reason: ExitReason },
    /// Its process is gone with all that it held.
    Exited { key: ChildKey, run: Run, reason: ExitReason },
    /// A timer is due.
    Due { timer: Timer },
    /// An operator asks for something.
    Operator { request: Request, ask: Ask },
    /// The parent, or an operator, wants the supervisor to end.
    Shutdown { reason: ExitReason },
}

/// What an operator may ask for.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// Another child, after all others in order. Answered when it is ready; if it does not start it is forgotten.
    Start(Policy),
    /// Stop it and keep it stopped, also when its siblings are restarted. Answered when it is gone.
    Terminate(ChildKey),
    /// Stop it and forget it. Answered when it is gone.
    Remove(ChildKey),
    /// Start it again: one that is down, or one that waits for its delay. Answered when it is ready.
    Restart(ChildKey),
    /// Forget one that is down.
    Delete(ChildKey),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// A new child was taken up under this key; comes before its `Start`.
    Admitted { request: Request, key: ChildKey },
    /// Start its process.
    Start { key: ChildKey, run: Run },
    /// Stop its process. At most one of each `how` for a life, and nothing after a kill.
    Stop { key: ChildKey, run: Run, how: StopHow },
    /// The child is no more, and nothing will be said of it again.
    Forget { key: ChildKey },
    /// Say [`Input::Due`] after this time.
    Arm { timer: Timer, after: Duration },
    /// Do not.
    Disarm { timer: Timer },
    /// What was decided about an end, for the crash report and telemetry.
    Report(Report),
    /// The answer to an operator.
    Answer { request: Request, answer: Result<ChildKey, Refusal> },
    /// The boot is complete, or rolled back: then `End` follows.
    Booted(Result<(), BootError>),
    /// No child is left: the supervisor ends with this reason. Nothing but answers comes after it.
    End { reason: ExitReason },
}

/// How a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopHow {
    /// Asked to end.
    Shutdown,
    /// Killed.
    Kill,
}

/// The end of a child, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) key: ChildKey,
    pub(crate) run: Run,
    pub(crate) id: Arc<str>,
    pub(crate) reason: ExitReason,
    pub(crate) decision: Decision,
}

/// What follows from the end of a child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decision {
    /// It is restarted, with those that its end takes down.
    Restarted,
    /// It is restarted after a delay.
    RestartedIn(Duration),
    /// It has ended for good: of its kind, or because it was an operator's start that failed.
    NotRestarted,
    /// It used up its own budget and stays down, until an operator restarts it.
    GivenUp(Intensity),
    /// It was one restart too many: the supervisor ends.
    Escalated,
    /// It did not start, and the boot is rolled back.
    RolledBack,
    /// It was being stopped, did not end in its time, and was killed.
    Overran(Duration),
}

/// Why an operator's request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is a child of this id.
    #[error("there is a child called `{0}` already; choose another id, or delete that one")]
    AlreadyPresent(Arc<str>),
    /// There is no such child (any more).
    #[error("there is no such child")]
    NotFound,
    /// Only a child that is down can be restarted or deleted.
    #[error("the child is not down: terminate it first")]
    NotDown,
    /// Another request about this child is not answered yet.
    #[error("another request about this child is under way: ask again later")]
    Busy,
    /// It was started and failed.
    #[error("the child did not start: {0}")]
    StartFailed(ExitReason),
    /// It was stopped before it was ready.
    #[error("the child was stopped before it was ready")]
    Stopped,
    /// It has as many children as it may have.
    #[error("the supervisor has as many children as it may have, {limit}")]
    MaxChildren {
        /// The limit.
        limit: usize,
    },
    /// The supervisor ends.
    #[error("the supervisor is shutting down")]
    Ending,
    /// The specification makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Why a supervisor did not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootError {
    /// The child that did not start or crashed too often; none if the supervisor was told to end.
    pub child: Option<Arc<str>>,
    /// Why.
    pub reason: ExitReason,
}

impl std::error::Error for BootError {}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.child {
            Some(child) => write!(f, "child `{child}` did not come up: {}", self.reason),
            None => write!(f, "the supervisor was stopped before it was up: {}", self.reason),
        }
    }
}

/// How a child is, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChildInfo {
    pub(crate) key: ChildKey,
    pub(crate) id: Arc<str>,
    pub(crate) state: ChildState,
    /// Its life, if it has one.
    pub(crate) run: Option<Run>,
    /// How often it was restarted, by failure or by an operator.
    pub(crate) restarts: u64,
}

/// The state of a child, for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// Its turn to start has not come: a sibling is stopped or started first.
    Queued,
    /// It is starting.
    Starting,
    /// It is ready.
    Running,
    /// It will be restarted at this time of the monotonic clock, or when an operator says so.
    Waiting {
        /// In nanoseconds.
        until_ns: u64,
    },
    /// It is being stopped.
    Stopping,
    /// It is down and stays down.
    Terminated,
}

/// How many children there are, for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildCount {
    /// All that the supervisor knows.
    pub specs: usize,
    /// Those that have a process.
    pub active: usize,
    /// Those that are ready.
    pub running: usize,
    /// Those that wait for their delay.
    pub waiting: usize,
}
