//! How a run ended.

use std::fmt;

/// What was wrong with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The test's body returned an error or panicked.
    Failed(String),
    /// A named invariant did not hold.
    Invariant {
        /// Its name.
        name: String,
        /// What it saw.
        message: String,
    },
    /// Nothing is runnable and nothing is due, and the body has not ended.
    Deadlock(String),
    /// Nothing but heartbeats for the time that the test allowed.
    NoProgress(String),
    /// Tasks wait for each other in a circle, or one for itself.
    WaitCycle(String),
    /// The step limit was reached.
    Livelock(String),
    /// A poll did not return.
    StuckPoll(String),
    /// A task woke a task of another node past the network.
    SharedState(String),
    /// A task panicked and nobody was left to see it.
    UnsupervisedPanic(String),
    /// The code asked for something that cannot be simulated (a thread, say).
    Refused(String),
    /// The process of the run died.
    Crashed(String),
    /// The same seed gave two different runs.
    Nondeterminism(String),
}

impl Verdict {
    /// The class: a word for reports, and the exit code of a command that ends with it.
    pub fn class(&self) -> (&'static str, u8) {
        match self {
            Verdict::Failed(_) => ("failed", 1),
            Verdict::Invariant { .. } => ("invariant", 10),
            Verdict::UnsupervisedPanic(_) => ("unsupervised-panic", 11),
            Verdict::SharedState(_) => ("shared-state", 12),
            Verdict::Crashed(_) => ("crash", 13),
            Verdict::Deadlock(_) => ("deadlock", 20),
            Verdict::NoProgress(_) => ("no-progress", 21),
            Verdict::WaitCycle(_) => ("wait-cycle", 22),
            Verdict::Livelock(_) => ("livelock", 23),
            Verdict::StuckPoll(_) => ("stuck-poll", 24),
            Verdict::Refused(_) => ("refused", 30),
            Verdict::Nondeterminism(_) => ("nondeterminism", 40),
        }
    }

    /// What was seen.
    pub fn message(&self) -> &str {
        match self {
            Verdict::Invariant { message, .. }
            | Verdict::Failed(message)
            | Verdict::Deadlock(message)
            | Verdict::NoProgress(message)
            | Verdict::WaitCycle(message)
            | Verdict::Livelock(message)
            | Verdict::StuckPoll(message)
            | Verdict::SharedState(message)
            | Verdict::UnsupervisedPanic(message)
            | Verdict::Refused(message)
            | Verdict::Crashed(message)
            | Verdict::Nondeterminism(message) => message,
        }
    }

    /// The opposite of [`Verdict::class`] and [`Verdict::message`], for the wire between processes.
    pub(crate) fn from_parts(class: &str, name: &str, message: &str) -> Self {
        let message = message.to_owned();
        match class {
            "invariant" => Verdict::Invariant { name: name.to_owned(), message },
            "unsupervised-panic" => Verdict::UnsupervisedPanic(message),
            "shared-state" => Verdict::SharedState(message),
            "deadlock" => Verdict::Deadlock(message),
            "no-progress" => Verdict::NoProgress(message),
            "wait-cycle" => Verdict::WaitCycle(message),
            "livelock" => Verdict::Livelock(message),
            "stuck-poll" => Verdict::StuckPoll(message),
            "refused" => Verdict::Refused(message),
            "nondeterminism" => Verdict::Nondeterminism(message),
            "crash" => Verdict::Crashed(message),
            _ => Verdict::Failed(message),
        }
    }

    /// The invariant's name, if it is one.
    pub fn invariant(&self) -> &str {
        match self {
            Verdict::Invariant { name, .. } => name,
            _ => "",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Invariant { name, message } => write!(f, "invariant {name}: {message}"),
            other => write!(f, "{}: {}", other.class().0, other.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_survives_the_wire_and_has_its_own_exit_code() {
        let text = || "what was seen".to_owned();
        let all = [
            Verdict::Failed(text()),
            Verdict::Invariant { name: "a.b".into(), message: text() },
            Verdict::Deadlock(text()),
            Verdict::NoProgress(text()),
            Verdict::WaitCycle(text()),
            Verdict::Livelock(text()),
            Verdict::StuckPoll(text()),
            Verdict::SharedState(text()),
            Verdict::UnsupervisedPanic(text()),
            Verdict::Refused(text()),
            Verdict::Crashed(text()),
            Verdict::Nondeterminism(text()),
        ];
        let mut codes = std::collections::BTreeSet::new();
        for verdict in all {
            let (class, code) = verdict.class();
            assert!(codes.insert(code), "{class} shares its exit code");
            assert_eq!(Verdict::from_parts(class, verdict.invariant(), verdict.message()), verdict);
        }
    }
}
