//! What came of an application: for its operator, and for whoever started the program.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::ExitReason;

/// An application did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootFailure {
    /// Which application.
    pub application: Arc<str>,
    /// The stage or the hook that failed.
    pub stage: Arc<str>,
    /// Why.
    pub reason: ExitReason,
    /// How long it had been under way.
    pub after: Duration,
    /// The stages before it, in the order in which they were stopped.
    pub stopped: Vec<StageStop>,
}

/// How a stage stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageStop {
    /// Which.
    pub stage: Arc<str>,
    /// Whether it had to be killed at its limit.
    pub killed: bool,
    /// How long it took.
    pub took: Duration,
}

/// What came of an application.
///
/// | code | |
/// | --- | --- |
/// | 0 | it was stopped in order |
/// | 3 | it did not start: a stage or a hook failed |
/// | 4 | it crashed: the root bore no more restarts, or was killed |
/// | 5 | it was stopped, and a stage had to be killed at its limit |
///
/// 1 and 2 are left to the program's own errors and to its arguments', 101 is Rust's for a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the exit code is the last that a program says"]
pub enum Outcome {
    /// It was stopped, stage by stage, in this order.
    Stopped(Vec<StageStop>),
    /// It did not start.
    BootFailed(BootFailure),
    /// Its root ended for this reason.
    Crashed(ExitReason),
}

impl Outcome {
    /// The exit code that says it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Stopped(stages) if stages.iter().any(|stage| stage.killed) => 5,
            Self::Stopped(_) => 0,
            Self::BootFailed(_) => 3,
            Self::Crashed(_) => 4,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootFailed(failure) => failure.fmt(f),
            Self::Crashed(reason) => write!(f, "crashed: {reason}"),
            Self::Stopped(stages) => {
                let killed: Vec<&str> = stages.iter().filter(|stage| stage.killed).map(|stage| &*stage.stage).collect();
                match &killed[..] {
                    [] => f.write_str("stopped in order"),
                    killed => write!(f, "stopped, and had to kill {}", killed.join(", ")),
                }
            }
        }
    }
}

impl std::error::Error for BootFailure {}

impl fmt::Display for BootFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application, stage, reason, after, stopped: _ } = self;
        write!(f, "{application} did not start: `{stage}` failed after {after:.1?}: {reason}")
    }
}
