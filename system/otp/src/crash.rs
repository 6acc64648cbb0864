//! Crash reports: which process, under whom, at what, why and where, and what is done about it.
//!
//! ```text
//!   process    adder <0.5.0>
//!   under      root <0.3.0> > shop <0.4.0>
//!   reason     panic: broken
//!   at         src/adder.rs:12:9
//!   message    Ask::Break
//!   ...
//!   decision   restarted
//! ```
//!
//! A process that ends out of order leaves one report. Its supervisor adds what it does about it, and
//! then it is told, once: as a line of the log with the report as a screen, as the event
//! `otp.process.crash`, and by [`crashes`], which has the last [`CRASHES_MAX`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use simurgh_runtime::{Label, Node, Timestamp};
use simurgh_telemetry::event;

use crate::cell::{Process, Rare};
use crate::table::Table;
use crate::{ExitReason, Pid, json};

mod screen;
#[cfg(test)]
mod tests;

pub use screen::short_name;
pub(crate) use screen::span;

/// Crash reports that a node remembers; older ones are forgotten.
pub const CRASHES_MAX: usize = 100;

/// A process ended out of order. Its `Display` is a screen of at most 20 rows of 100 columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashReport {
    /// When.
    pub at: Timestamp,
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
    /// The linked process (or the sender of an exit) whose end ended it too, if that was it.
    pub exit_of: Option<Pid>,
    /// Messages that it had handled.
    pub handled: u64,
    /// Messages and signals that waited in its mailbox, and were dropped.
    pub waiting: usize,
    /// How many processes it was linked to.
    pub links: usize,
    /// How many monitored it.
    pub monitors: usize,
    /// How long it had lived; zero if it was a process without a mailbox, of which that is not kept.
    pub age: Duration,
    /// What its supervisor does about it; none if it has none.
    pub decision: Option<Arc<str>>,
}

/// The last crash reports of the current node, the oldest first.
///
/// # Panics
/// Outside of a task of a node.
pub fn crashes() -> Vec<Arc<CrashReport>> {
    Table::of(&Node::current()).recent.crashes()
}

impl CrashReport {
    pub(crate) fn of(process: &dyn Process, reason: &ExitReason, rare: Option<&Rare>) -> Self {
        let core = process.core();
        let mut path = Vec::new();
        let mut above = core.parent.as_ref();
        while let Some(supervisor) = above {
            path.push((supervisor.pid(), supervisor.core().header.label()));
            above = supervisor.core().parent.as_ref();
        }
        path.reverse();
        Self {
            at: Timestamp::now(),
            pid: core.pid(),
            label: core.header.label(),
            path,
            last_message: rare.and_then(|rare| rare.last_message),
            reason: reason.clone(),
            exit_of: rare.and_then(|rare| rare.exit_of),
            handled: core.handled.load(Ordering::Relaxed),
            waiting: rare.map_or(0, |rare| rare.waiting),
            links: rare.map_or(0, |rare| rare.links.len()),
            monitors: rare.map_or(0, Rare::monitors),
            age: process.age(),
            decision: None,
        }
    }

    /// Where it panicked: file, line and column.
    pub fn location(&self) -> Option<&str> {
        match &self.reason {
            ExitReason::Panic(report) => report.location.as_deref(),
            _ => None,
        }
    }

    /// As a JSON object on one line.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(512);
        json::object(&mut out, |it| {
            it.text("at", self.at).text("pid", self.pid).text("label", &self.label);
            it.field("path", |out| {
                json::list(out, &self.path, |out, (pid, label)| {
                    json::object(out, |it| {
                        it.text("pid", pid).text("label", label);
                    });
                });
            });
            it.text("reason", self.reason.kind()).text("detail", &self.reason);
            it.text_or_null("location", self.location()).text_or_null("last_message", self.last_message);
            it.text_or_null("exit_of", self.exit_of);
            it.number("handled", self.handled).number("waiting", self.waiting);
            it.number("links", self.links).number("monitors", self.monitors);
            it.number("age_ms", self.age.as_millis()).text_or_null("decision", self.decision.as_ref());
        });
        out
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

    /// Logs it, remembers it and tells handlers, once. In a task of its node.
    pub(crate) fn tell(self: Box<Self>) {
        let report = Arc::new(*self);
        if let Some(node) = Node::try_current() {
            Table::of(&node).recent.crashed(Arc::clone(&report));
        }
        let CrashReport { pid, label, reason, .. } = &*report;
        let decision = report.decision();
        tracing::warn!(%pid, %label, reason = reason.kind(), decision, screen = %report, "a process crashed");
        let name = label.to_string();
        event!("otp.process.crash", { handled: report.handled, waiting: report.waiting }, {
            process: pid.number(), label: name.as_str(), reason: reason.kind(), decision: decision,
        });
    }

    /// What is done about it, in words.
    fn decision(&self) -> &str {
        self.decision.as_deref().unwrap_or("none: nobody supervises it")
    }
}
