//! Handles to tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{Outcome, unseen};
use crate::{Header, PanicReport, sim};

/// Waits for a task's output. Dropping it detaches the task.
#[must_use = "dropping it detaches the task; say so with `drop` or `let _ =`"]
pub struct JoinHandle<T> {
    header: Arc<Header>,
    arm: JoinArm<T>,
}

enum JoinArm<T> {
    Real(tokio::task::JoinHandle<T>),
    /// Simulated or isolated: the task itself says how it ended.
    Reported {
        receiver: oneshot::Receiver<Outcome<T>>,
        task: Arc<dyn sim::Task>,
    },
}

/// Why a task gave no output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum JoinError {
    /// It was aborted, or its node ended.
    Cancelled,
    /// It panicked.
    Panic(PanicReport),
    /// It was to have a thread of its own, and there is none; this is why. It never ran.
    NoThread(String),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("the task was cancelled"),
            JoinError::Panic(report) => write!(f, "the task panicked: {report}"),
            JoinError::NoThread(why) => write!(f, "the task did not start: {why}"),
        }
    }
}

impl std::error::Error for JoinError {}

impl<T> JoinHandle<T> {
    pub(super) fn real(header: Arc<Header>, handle: tokio::task::JoinHandle<T>) -> Self {
        Self { header, arm: JoinArm::Real(handle) }
    }

    pub(super) fn reported(
        header: Arc<Header>,
        receiver: oneshot::Receiver<Outcome<T>>,
        task: Arc<dyn sim::Task>,
    ) -> Self {
        Self { header, arm: JoinArm::Reported { receiver, task } }
    }

    /// Drops the task's future at its next await.
    pub fn abort(&self) {
        match &self.arm {
            JoinArm::Real(handle) => handle.abort(),
            JoinArm::Reported { task, .. } => task.abort(),
        }
    }

    /// A handle that can only abort.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            arm: match &self.arm {
                JoinArm::Real(handle) => AbortArm::Real(handle.abort_handle()),
                JoinArm::Reported { task, .. } => AbortArm::Reported(Arc::clone(task)),
            },
        }
    }

    /// Who the task is.
    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match &mut this.arm {
            JoinArm::Real(handle) => Pin::new(handle).poll(cx).map_err(|error| match error.try_into_panic() {
                Ok(payload) => JoinError::Panic(PanicReport::of_task(&this.header, payload)),
                Err(_) => JoinError::Cancelled,
            }),
            JoinArm::Reported { receiver, .. } => {
                Pin::new(receiver).poll(cx).map(|received| received.unwrap_or(Err(JoinError::Cancelled)))
            }
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // A panic that came in time but was never looked at is nobody's either.
        if let JoinArm::Reported { receiver, .. } = &mut self.arm
            && let Ok(outcome) = receiver.try_recv()
        {
            unseen(&self.header, outcome);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.header).finish()
    }
}

/// Aborts a task.
#[derive(Clone)]
pub struct AbortHandle {
    arm: AbortArm,
}

#[derive(Clone)]
enum AbortArm {
    Real(tokio::task::AbortHandle),
    Reported(Arc<dyn sim::Task>),
}

impl AbortHandle {
    /// Drops the task's future at its next await.
    pub fn abort(&self) {
        match &self.arm {
            AbortArm::Real(handle) => handle.abort(),
            AbortArm::Reported(task) => task.abort(),
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AbortHandle")
    }
}
