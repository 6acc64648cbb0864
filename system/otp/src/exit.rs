//! Why processes end.

use std::fmt;
use std::sync::Arc;

use simurgh_runtime::PanicReport;

/// Why a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It returned.
    Normal,
    /// It was asked to end, and did; with a detail for whoever reads it.
    Shutdown(Arc<str>),
    /// It was killed: its future was dropped at an await.
    Kill,
    /// It panicked.
    Panic(Arc<PanicReport>),
    /// It returned an error, in words.
    Error(Arc<str>),
    /// There was no such process (any more) when somebody asked.
    NoProcess,
    /// Its node is gone.
    NodeDown,
}

impl ExitReason {
    /// An orderly end on request.
    pub fn shutdown(detail: &str) -> Self {
        Self::Shutdown(detail.into())
    }

    /// An error, in words.
    pub fn error(error: impl fmt::Display) -> Self {
        Self::Error(error.to_string().into())
    }

    /// Whether it was in order: normal or a shutdown. Other ends are logged, once.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown(_))
    }

    /// A word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown(_) => "shutdown",
            Self::Kill => "kill",
            Self::Panic(_) => "panic",
            Self::Error(_) => "error",
            Self::NoProcess => "no_process",
            Self::NodeDown => "node_down",
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown(detail) => write!(f, "shutdown: {detail}"),
            Self::Kill => f.write_str("killed"),
            Self::Panic(report) => write!(f, "panic: {report}"),
            Self::Error(error) => write!(f, "error: {error}"),
            Self::NoProcess => f.write_str("no such process"),
            Self::NodeDown => f.write_str("its node is down"),
        }
    }
}

/// What a process may return.
pub trait IntoExit {
    /// The exit reason that it stands for.
    fn into_exit(self) -> ExitReason;
}

impl IntoExit for () {
    fn into_exit(self) -> ExitReason {
        ExitReason::Normal
    }
}

impl IntoExit for ExitReason {
    fn into_exit(self) -> ExitReason {
        self
    }
}

impl<E: fmt::Display> IntoExit for Result<(), E> {
    fn into_exit(self) -> ExitReason {
        self.map_or_else(ExitReason::error, |()| ExitReason::Normal)
    }
}
