//! Tasks: a process that works out one value, for the one who asked for it.
//!
//! ```text
//!            otp::task(..)                    awaits it
//!   owner ───────┬──────────────────────────────────●─────►
//!                │  linked                          │ value, or why there is none
//!   task         └── works ─────────────────────────┘
//! ```
//!
//! A task belongs to its owner. Both are linked, so that neither lives on when the other crashes, and
//! the handle is the owner's hold on it: **dropping the handle ends the task**. In Elixir nothing can
//! drop a handle, in tokio the task would be on its own; here an owner that returns early, or loses a
//! race in a `select!`, leaves no work behind that nobody waits for. [`Task::ignore`] lets one go on
//! by itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Label, timeout};
use simurgh_sync::port;

use crate::cell::{Plain, Process};
use crate::monitor::monitor_process;
use crate::process::{Spawn, link_both, running};
use crate::{ExitReason, Pid};

mod stream;
mod supervisor;

pub use stream::{ItemError, TaskStream};
pub use supervisor::{TaskSupervisor, Tasks};

/// Starts a task, linked to the running process if there is one: Elixir's `Task.async`.
///
/// ```
/// use simurgh_otp as otp;
///
/// simurgh_runtime::run("doc", async {
///     let left = otp::task("left", async { 20 });
///     let right = otp::task("right", async { 22 });
///     assert_eq!(left.await.unwrap() + right.await.unwrap(), 42);
/// });
/// ```
///
/// # Panics
/// Outside of a task of a node.
pub fn task<T: Send + 'static>(label: impl Into<Label>, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    start(label.into(), running(), future)
}

/// Starts a task that is linked to its owner, if it has one.
pub(crate) fn start<T: Send + 'static>(
    label: Label,
    owner: Option<Arc<dyn Process>>,
    future: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    let (work, handover, value) = parts(future);
    let process = Spawn::new(label).supervised().spawn_with(
        Plain::of,
        |_| work,
        |process| {
            process.core.set_farewell(handover);
            if let Some(owner) = &owner {
                link_both(&**owner, &process.core);
            }
            Arc::clone(process)
        },
    );
    Task { process, owner, value: Some(value) }
}

/// What a task does, what it does when it is gone, and what its owner gets of it: the value is handed
/// over at the very end, so that who has it, or hears that there is none, finds nothing left of the
/// task, and its place free.
fn parts<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> (impl Future<Output = ()> + Send + 'static, impl FnOnce() + Send + 'static, port::Receiver<T>) {
    let (sender, value) = port::pair();
    let done = Arc::new(Mutex::new(None));
    let found = Arc::clone(&done);
    let work = async move {
        let value = future.await;
        *done.lock() = Some(value);
    };
    let handover = move || {
        let value = found.lock().take();
        match value {
            Some(value) => drop(sender.send(value)), // nobody waits for it if the task is ignored
            None => drop(sender),
        }
    };
    (work, handover, value)
}

/// A value that a process works out: await it. When that is done, the process is gone.
///
/// A task that crashes gives its reason; but it is linked, so that its owner ends for the same reason
/// unless it traps exits, or is no process. A task that may fail without taking its owner with it is
/// started by [`Tasks::run_nolink`]. Awaited again after its value was taken, it is
/// [`ExitReason::NoProcess`].
///
/// Dropping the handle ends the task at its next await.
#[must_use = "dropping a task ends it: await it, or let it go on with `ignore`"]
pub struct Task<T> {
    process: Arc<Plain>,
    owner: Option<Arc<dyn Process>>,
    /// None when the value was taken, or is not wanted.
    value: Option<port::Receiver<T>>,
}

impl<T> Task<T> {
    /// Who it is.
    pub fn pid(&self) -> Pid {
        self.process.core.pid()
    }

    /// Waits for a while; none if it is not done then, and goes on.
    ///
    /// ```
    /// # use simurgh_otp as otp;
    /// # use simurgh_runtime::DurationExt;
    /// simurgh_runtime::run("doc", async {
    ///     let mut slow = otp::task("slow", std::future::pending::<u32>());
    ///     if slow.yield_for(1.millis()).await.is_none() {
    ///         assert_eq!(slow.shutdown(1.secs()).await, None);
    ///     }
    /// });
    /// ```
    pub async fn yield_for(&mut self, limit: Duration) -> Option<Result<T, ExitReason>> {
        timeout(limit, self).await.ok()
    }

    /// Ends it, and waits until it is gone. Its value or its crash, if that came first.
    pub async fn shutdown(mut self, limit: Duration) -> Option<Result<T, ExitReason>> {
        self.unlink();
        let monitor = monitor_process(Arc::clone(&self.process) as Arc<dyn Process>);
        (&*self.process as &dyn Process).stop(monitor, limit).await;
        match self.value.take()?.try_take() {
            Some(Ok(value)) => Some(Ok(value)),
            _ => match self.reason() {
                ExitReason::Kill => None,
                reason => (!reason.is_orderly()).then_some(Err(reason)),
            },
        }
    }

    /// Lets it go on by itself, unlinked; nobody gets its value.
    pub fn ignore(mut self) {
        self.unlink();
        self.value = None;
    }

    fn reason(&self) -> ExitReason {
        self.process.core.reason().unwrap_or(ExitReason::Kill)
    }

    fn unlink(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.core().remove_link(self.pid());
            self.process.core.remove_link(owner.pid());
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, ExitReason>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(value) = &mut self.value else { return Poll::Ready(Err(ExitReason::NoProcess)) };
        let value = ready!(value.poll_take(cx));
        self.value = None;
        Poll::Ready(value.map_err(|_| self.reason()))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if self.value.is_some() {
            // First: its owner is not to end with it.
            self.unlink();
            self.process.core.doom(ExitReason::shutdown("its task handle was dropped"));
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.pid())
    }
}

#[cfg(test)]
mod tests;
