//! Supervised tasks: started by whoever needs them, listed and stopped in one place.

use std::future::Future;
use std::sync::Arc;

use simurgh_runtime::Label;

use super::{Task, TaskStream, parts};
use crate::cell::Process;
use crate::process::{link_both, running};
use crate::{
    ChildSpec, Children, DynamicError, DynamicSupervisor, IntoChild, IntoExit, Pid, Shutdown, StartError, SupervisorRef,
};

/// A supervisor of tasks: they count to its limit, and end with it.
///
/// ```
/// use simurgh_otp::{Supervisor, TaskSupervisor};
///
/// simurgh_runtime::run("doc", async {
///     let supervisor = TaskSupervisor::limit(1_000);
///     let tasks = supervisor.handle();
///     Supervisor::one_for_one().child("tasks", supervisor).start("root").await.unwrap();
///
///     let risky = tasks.run_nolink("risky", async { "42x".parse::<u32>().unwrap() }).unwrap();
///     assert!(risky.await.is_err()); // and nobody else has ended
///
///     let mut squares = tasks.stream(1..=4, |n| async move { n * n }).max_concurrency(2);
///     let mut sum = 0;
///     while let Some(square) = squares.next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 30);
/// });
/// ```
#[derive(Debug, Clone)]
pub struct TaskSupervisor {
    dynamic: DynamicSupervisor,
}

impl TaskSupervisor {
    /// A supervisor of at most so many tasks.
    pub fn limit(tasks: usize) -> Self {
        Self { dynamic: DynamicSupervisor::limit(tasks) }
    }

    /// How tasks are stopped: see [`DynamicSupervisor::shutdown`].
    pub fn shutdown(mut self, how: Shutdown) -> Self {
        self.dynamic = self.dynamic.shutdown(how);
        self
    }

    /// With this tasks are started. It follows the supervisor through its restarts.
    pub fn handle(&self) -> Tasks {
        Tasks { children: self.dynamic.handle() }
    }

    /// Starts it by itself.
    ///
    /// # Errors
    /// As [`DynamicSupervisor::start`].
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(self, label: impl Into<Label>) -> Result<SupervisorRef, StartError> {
        self.dynamic.start(label).await
    }
}

impl IntoChild for TaskSupervisor {
    fn into_child(self) -> ChildSpec {
        self.dynamic.into_child()
    }
}

/// Starts tasks of a [`TaskSupervisor`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    children: Children,
}

impl Tasks {
    /// Starts a task, linked to the running process: see [`Task`].
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`] and [`DynamicError::NotRunning`].
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn run<T: Send + 'static>(
        &self,
        label: impl Into<Label>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Task<T>, DynamicError> {
        self.run_for(running(), label.into(), future)
    }

    /// As [`Tasks::run`], not linked: its crash is its owner's to deal with.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn run_nolink<T: Send + 'static>(
        &self,
        label: impl Into<Label>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Task<T>, DynamicError> {
        self.run_for(None, label.into(), future)
    }

    fn run_for<T: Send + 'static>(
        &self,
        owner: Option<Arc<dyn Process>>,
        label: Label,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Task<T>, DynamicError> {
        let (work, handover, value) = parts(future);
        let process = self.children.spawn_process(label, work, |process| {
            process.core.set_farewell(handover);
            if let Some(owner) = &owner {
                link_both(&**owner, &process.core);
            }
        })?;
        Ok(Task { process, owner, value: Some(value) })
    }

    /// Starts one whose value nobody wants: it ends by itself, or with the supervisor.
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`] and [`DynamicError::NotRunning`].
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn start<T: IntoExit + Send + 'static>(
        &self,
        label: impl Into<Label>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Pid, DynamicError> {
        self.children.spawn(label, future)
    }

    /// Does something with each item, several at a time: see [`TaskStream`]. Elixir's `async_stream`.
    pub fn stream<I, F, W>(&self, items: I, work: F) -> TaskStream<I::IntoIter, F, W::Output>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> W,
        W: Future<Output: Send + 'static> + Send + 'static,
    {
        TaskStream::new(self.clone(), items.into_iter(), work)
    }

    /// The tasks, as children of their supervisor.
    pub fn children(&self) -> &Children {
        &self.children
    }
}
