//! Crash reports: which process, under whom, at what, why and where, and what is done about it.

use std::fmt;
use std::sync::Arc;

use simurgh_runtime::Label;
use simurgh_telemetry::event;

use crate::cell::Process;
use crate::{ExitReason, Pid};

/// A process ended out of order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashReport {
    /// Which process.
    pub pid: Pid,
    /// What people call it.
    pub label: Label,
    /// The supervisors above it, the root first.
    pub path: Vec<(Pid, Label)>,
    /// The message that it was handling, if it was handling one.
    pub last_message: Option<&'static str>,
    /// Why it ended.
    pub reason: ExitReason,
    /// Messages that it had handled before.
    pub handled: u64,
    /// Messages that waited in its mailbox.
    pub waiting: usize,
    /// What its supervisor does about it.
    pub decision: Option<Arc<str>>,
}

impl CrashReport {
    pub(crate) fn of(process: &dyn Process, reason: &ExitReason, last_message: Option<&'static str>) -> Self {
        let core = process.core();
        let mut path = Vec::new();
        let mut above = core.parent.as_ref();
        while let Some(supervisor) = above {
            path.push((supervisor.pid(), supervisor.core().header.label()));
            above = supervisor.core().parent.as_ref();
        }
        path.reverse();
        Self {
            pid: core.pid(),
            label: core.header.label(),
            path,
            last_message,
            reason: reason.clone(),
            handled: core.handled.load(std::sync::atomic::Ordering::Relaxed),
            waiting: process.counts().map_or(0, |counts| counts.len),
            decision: None,
        }
    }

    /// What is done about it.
    pub(crate) fn decided(mut self: Box<Self>, decision: &str) -> Box<Self> {
        self.decision = Some(decision.into());
        self
    }

    /// Tells of it, and that nothing is done about it.
    #[cold]
    pub(crate) fn not_restarted(self: Box<Self>) -> Option<Box<Self>> {
        let decision = "not restarted";
        event!("otp.supervisor.decision", {}, {
            supervisor: self.path.last().map_or(0, |(pid, _)| pid.number()),
            child: &*self.label.to_string(),
            reason: self.reason.kind(),
            decision: decision,
        });
        self.decided(decision).tell();
        None
    }

    /// Logs it, once.
    pub(crate) fn tell(&self) {
        tracing::warn!(pid = %self.pid, "process ended: {}", self.reason);
    }
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) ended: {}", self.pid, self.label, self.reason)
    }
}
