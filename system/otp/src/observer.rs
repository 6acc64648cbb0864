//! The observer: what runs on a node, under whom, and how it fares; for operators and their tools.
//!
//! ```
//! use simurgh_otp::{self as otp, ChildSpec, Supervisor, observer};
//!
//! simurgh_runtime::run("doc", async {
//!     let root = Supervisor::one_for_one()
//!         .child("sweeper", ChildSpec::task(std::future::pending::<()>))
//!         .start("root")
//!         .await?;
//!     let before = observer::tree();
//!     assert_eq!(before.roots[0].children[0].info.label.to_string(), "sweeper");
//!
//!     let sweeper = before.roots[0].children[0].info.pid;
//!     let end = otp::monitor(sweeper);
//!     assert!(observer::kill(sweeper));
//!     end.await;
//!     while root.which_children().await?[0].pid.is_none_or(|pid| pid == sweeper) {}
//!     let changes = observer::Tree::diff(&before, &observer::tree());
//!     assert_eq!(changes.restarted[0].path, "root > sweeper");
//!     # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! })
//! .unwrap();
//! ```
//!
//! How the parts meet: [`tree`] looks at the node's table, without a word to any process, so it also
//! works while all of them are stuck; a [`Tree`] is text for people and JSON for tools, and two of
//! them make a [`Diff`]. [`describe`] and [`trace`] ask a process, by a signal in its own queue.
//! What a traced process handles is remembered, [`TRACE_LINES_MAX`] lines for the node
//! ([`trace_lines`]).

use std::fmt;
use std::time::Duration;

use simurgh_runtime::{Node, Timestamp, timeout};
use simurgh_sync::port;

use crate::crash::span;
use crate::signal::{Signal, Wish};
use crate::table::Table;
use crate::{ExitReason, Kind, Pid, json};

mod diff;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use crate::crash::short_name;
pub use diff::{Change, Diff, Place, Restarted};
pub use tree::{Branch, PROCESSES_MAX, ParseSortError, SortBy, Tree, tree};

/// Lines of traces that a node remembers; older ones are forgotten, which their numbers show.
pub const TRACE_LINES_MAX: usize = 1_000;

/// How long a process may take to describe itself.
pub const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A traced process has handled a message. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLine {
    /// Its number among the node's lines, from 1.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Which process.
    pub pid: Pid,
    /// The message's name.
    pub message: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// Why an operator's wish was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// There is no such process.
    #[error("there is no process {0}")]
    NoProcess(Pid),
    /// Only servers tell of their messages.
    #[error("{0} is a {kind}: only servers can be traced", kind = .1.name())]
    NotTraced(Pid, Kind),
    /// Only servers and supervisors answer.
    #[error("{0} is a {kind}: it takes no messages and cannot describe itself", kind = .1.name())]
    NotDescribed(Pid, Kind),
    /// It ended, or did not answer in time: it may be busy, stuck or suspended.
    #[error("{0} gave no answer within {limit:?}", limit = DESCRIBE_TIMEOUT)]
    NoAnswer(Pid),
}

impl ObserveError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoProcess(_) => "otp.observe.no_process",
            Self::NotTraced(..) => "otp.observe.not_traced",
            Self::NotDescribed(..) => "otp.observe.not_described",
            Self::NoAnswer(_) => "otp.observe.no_answer",
        }
    }
}

/// Kills a process of the current node, as [`kill`](crate::kill()); false if there is none.
///
/// # Panics
/// Outside of a task of a node.
pub fn kill(pid: Pid) -> bool {
    let process = Table::of(&Node::current()).get(pid);
    process.is_some_and(|process| {
        process.core().doom(ExitReason::Kill);
        true
    })
}

/// Has a server tell of each message that it handles, or no longer: see [`trace_lines`].
///
/// # Errors
/// If there is no such process, or it is no server.
///
/// # Panics
/// Outside of a task of a node.
pub fn trace(pid: Pid, on: bool) -> Result<(), ObserveError> {
    let process = Table::of(&Node::current()).get(pid).ok_or(ObserveError::NoProcess(pid))?;
    match process.core().kind {
        Kind::Server => {}
        kind => return Err(ObserveError::NotTraced(pid, kind)),
    }
    process.signal(Box::new(Signal::Operator(Wish::Trace(on)))).map_err(|_| ObserveError::NoProcess(pid))
}

/// The lines of traces after the one of this number that the current node remembers, the oldest first.
///
/// # Panics
/// Outside of a task of a node.
pub fn trace_lines(after: u64) -> Vec<TraceLine> {
    Table::of(&Node::current()).recent.traces_after(after)
}

/// What a process says of its state: see [`Server::describe`](crate::Server::describe).
///
/// # Errors
/// If there is no such process, it takes no messages, or it does not answer within [`DESCRIBE_TIMEOUT`].
///
/// # Panics
/// Outside of a task of a node.
pub async fn describe(pid: Pid) -> Result<String, ObserveError> {
    let process = Table::of(&Node::current()).get(pid).ok_or(ObserveError::NoProcess(pid))?;
    let (sender, answer) = port::pair();
    process
        .signal(Box::new(Signal::Operator(Wish::Describe(sender))))
        .map_err(|_| ObserveError::NotDescribed(pid, process.core().kind))?;
    drop(process); // so that its end is not put off
    match timeout(DESCRIBE_TIMEOUT, answer).await {
        Ok(Ok(words)) => Ok(words),
        Ok(Err(_)) | Err(_) => Err(ObserveError::NoAnswer(pid)),
    }
}

impl TraceLine {
    /// As a JSON object on one line.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json::object(&mut out, |it| {
            it.number("number", self.number).text("at", self.at).text("pid", self.pid);
            it.text("message", self.message).number("took_ns", self.took.as_nanos());
        });
        out
    }
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, pid, message, took, .. } = self;
        write!(f, "{at:.3} {pid} {} {}", short_name(message), span(*took))
    }
}
