//! The handle of a dynamic supervisor: starting, listing and stopping its children.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Label, planted, yield_now};
use simurgh_sync::port;

use super::core::Refusal;
use super::policy::{Restart, Shutdown};
use super::reference::{Message, SupervisorError, SupervisorRef};
use super::spec::{IntoChild, IntoStart};
use crate::cell::{Plain, Served};
use crate::crowd::NoRoom;
use crate::process::Spawn;
use crate::start::begun_or_why;
use crate::table::Table;
use crate::{CallError, ExitReason, IntoExit, Pid, ProcessInfo, ServerRef, StartError, self_pid};

/// Why a dynamic supervisor did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DynamicError {
    /// It has as many children as it may have.
    #[error("no more than {limit} children: try again when one has ended, or raise the limit")]
    MaxChildren {
        /// The limit.
        limit: usize,
    },
    /// It is not running: not started yet, being restarted, or stopped.
    #[error("the supervisor is not running: try again when it is (re)started")]
    NotRunning,
    /// It has no such child (any more).
    #[error("{pid} is no child of this supervisor (any more)")]
    NotFound {
        /// Who was looked for.
        pid: Pid,
    },
    /// The child did not come through its init.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The supervisor refused, or did not answer.
    #[error(transparent)]
    Supervisor(SupervisorError),
}

/// Starts children of a [`DynamicSupervisor`](super::DynamicSupervisor), through its restarts. Cheap to
/// clone.
///
/// ```
/// use simurgh_otp::{Context, DynamicSupervisor, Flow, Reply, Server};
///
/// struct Room(Vec<String>);
///
/// enum Ask {
///     Say(String),
///     History(Reply<Vec<String>>),
/// }
///
/// impl Server for Room {
///     type Message = Ask;
///     async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
///         match ask {
///             Ask::Say(line) => self.0.push(line),
///             Ask::History(reply) => reply.send(self.0.clone()),
///         }
///         Flow::Continue
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let rooms = DynamicSupervisor::limit(1_000);
///     let children = rooms.handle();
///     rooms.start("rooms").await.unwrap();
///
///     let lobby = children.start("lobby", Room(Vec::new())).await.unwrap();
///     lobby.cast(Ask::Say("hello".into())).await.unwrap();
///     assert_eq!(lobby.call(Ask::History).await, Ok(vec!["hello".to_owned()]));
///     children.terminate_child(lobby.pid()).await.unwrap();
///     assert!(!lobby.is_alive());
/// });
/// ```
#[derive(Clone)]
pub struct Children {
    supervisor: Arc<Followed>,
    restart: Option<Restart>,
    shutdown: Shutdown,
}

/// The process that is the supervisor now, or was last.
struct Followed {
    process: Mutex<Option<Arc<Served<Message>>>>,
    next_id: AtomicU64,
}

impl Children {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        let supervisor = Arc::new(Followed { process: Mutex::default(), next_id: AtomicU64::new(1) });
        Self { supervisor, restart: None, shutdown }
    }

    pub(super) fn restarted(mut self, restart: Restart) -> Self {
        self.restart = Some(restart);
        self
    }

    pub(super) fn stopped(mut self, how: Shutdown) -> Self {
        self.shutdown = how;
        self
    }

    /// The supervisor is another process from now on.
    pub(super) fn follow(&self, process: Arc<Served<Message>>) {
        let last = self.supervisor.process.lock().replace(process);
        drop(last); // it may be the last of it: not under the lock
    }

    fn supervisor(&self) -> Result<Arc<Served<Message>>, DynamicError> {
        self.supervisor.process.lock().clone().ok_or(DynamicError::NotRunning)
    }

    /// Starts a process that runs a future, and is not restarted.
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`] and [`DynamicError::NotRunning`]; the future is dropped then.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn spawn<T: IntoExit + Send + 'static>(
        &self,
        label: impl Into<Label>,
        body: impl Future<Output = T> + Send + 'static,
    ) -> Result<Pid, DynamicError> {
        self.spawn_process(label.into(), body, |_| ()).map(|process| process.core.pid())
    }

    /// As [`Children::spawn`], of a future that knows its pid. It is made in the process: a panic while
    /// it is made is that process's own.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn spawn_with<F>(
        &self,
        label: impl Into<Label>,
        make: impl FnOnce(Pid) -> F + Send + 'static,
    ) -> Result<Pid, DynamicError>
    where
        F: Future<Output: IntoExit> + Send + 'static,
    {
        self.spawn(label, async move { make(self_pid()).await.into_exit() })
    }

    /// As [`Children::spawn`]; `first` is called before it begins.
    pub(crate) fn spawn_process<T: IntoExit + Send + 'static>(
        &self,
        label: Label,
        body: impl Future<Output = T> + Send + 'static,
        first: impl FnOnce(&Arc<Plain>),
    ) -> Result<Arc<Plain>, DynamicError> {
        let first = |process: &Arc<Plain>| {
            first(process);
            Arc::clone(process)
        };
        let supervisor = self.supervisor()?;
        self.look_first(&supervisor)?;
        Ok(Spawn::new(label).member_of(supervisor).try_spawn_with(Plain::of, |_| body, first)?)
    }

    /// Starts a server, that is not restarted, and waits until its init is done.
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`], [`DynamicError::NotRunning`], and [`DynamicError::Start`] if its
    /// init fails or takes too long.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start<S: IntoStart>(
        &self,
        label: impl Into<Label>,
        server: S,
    ) -> Result<ServerRef<S::Server>, DynamicError> {
        let label = label.into();
        let supervisor = self.supervisor()?;
        if planted!("dynamic.limit-check-then-act") {
            self.look_first(&supervisor)?;
            yield_now().await;
        }
        let (begun, is_begun) = port::pair();
        let process = server.into_start(label.clone()).spawn_into(supervisor, Some(begun))?;
        Ok(begun_or_why(ServerRef::new(process), is_begun, label).await?)
    }

    /// As [`Children::start`], without waiting: messages wait in its mailbox until its init is done, and
    /// if that fails, it has crashed.
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`] and [`DynamicError::NotRunning`].
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn start_soon<S: IntoStart>(
        &self,
        label: impl Into<Label>,
        server: S,
    ) -> Result<ServerRef<S::Server>, DynamicError> {
        let supervisor = self.supervisor()?;
        self.look_first(&supervisor)?;
        Ok(ServerRef::new(server.into_start(label.into()).spawn_into(supervisor, None)?))
    }

    /// Looks whether there is room, which is of use only to the planted bug that trusts it.
    fn look_first(&self, supervisor: &Arc<Served<Message>>) -> Result<(), DynamicError> {
        if planted!("dynamic.limit-check-then-act") && supervisor.core.crowd(|crowd| crowd.is_full()) == Some(true) {
            return Err(DynamicError::MaxChildren { limit: self.count() });
        }
        Ok(())
    }

    /// Has the supervisor start a child that it keeps, and restarts as the child's specification says,
    /// and waits until it is ready. Its label, and its name among its siblings, is `label` and a number.
    ///
    /// # Errors
    /// [`DynamicError::MaxChildren`], [`DynamicError::NotRunning`], and [`DynamicError::Supervisor`] if
    /// it does not start: then it is forgotten.
    pub async fn start_child(&self, label: &str, child: impl IntoChild) -> Result<Pid, DynamicError> {
        let supervisor = SupervisorRef::new(self.supervisor()?);
        let mut child = child.into_child();
        if let Some(restart) = self.restart {
            child.policy.restart = restart;
        }
        // Relaxed: it only has to be another one each time.
        let number = self.supervisor.next_id.fetch_add(1, Ordering::Relaxed);
        Ok(supervisor.start_child(&format!("{label} {number}"), child).await?)
    }

    /// Stops a child, and waits until it is gone: asks it, and kills it after its limit. A kept one is
    /// forgotten.
    ///
    /// # Errors
    /// [`DynamicError::NotFound`] and [`DynamicError::NotRunning`].
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), DynamicError> {
        let supervisor = self.supervisor()?;
        let child = Table::of(supervisor.core.header.node())
            .get(pid)
            .filter(|child| child.core().parent.as_ref().is_some_and(|parent| parent.pid() == supervisor.core.pid()));
        let child = child.ok_or(DynamicError::NotFound { pid })?;
        if !child.core().member {
            return self.terminate_kept(SupervisorRef::new(supervisor), pid).await;
        }
        let monitor = crate::monitor::monitor_process(Arc::clone(&child));
        match self.shutdown {
            Shutdown::Brutal => {
                child.core().doom(ExitReason::Kill);
                monitor.await;
            }
            Shutdown::Timed(limit) => drop(child.stop(monitor, limit).await),
            Shutdown::Infinite => drop(child.stop(monitor, Duration::MAX).await),
        }
        Ok(())
    }

    async fn terminate_kept(&self, supervisor: SupervisorRef, pid: Pid) -> Result<(), DynamicError> {
        let children = supervisor.which_children().await.map_err(SupervisorError::from)?;
        let child = children.into_iter().find(|child| child.pid == Some(pid));
        let id = child.ok_or(DynamicError::NotFound { pid })?.id;
        Ok(supervisor.remove_child(&id).await?)
    }

    /// How many children it has: those that run, and those that it keeps.
    pub fn count(&self) -> usize {
        let supervisor = self.supervisor.process.lock().clone();
        supervisor.and_then(|supervisor| supervisor.core.crowd(|crowd| crowd.len())).unwrap_or(0)
    }

    /// Its children that run, oldest first.
    pub fn list(&self) -> Vec<ProcessInfo> {
        let supervisor = self.supervisor.process.lock().clone();
        let children = supervisor.map_or_else(Vec::new, |supervisor| supervisor.core.children());
        children.iter().map(|child| ProcessInfo::of(&**child)).collect()
    }

    /// The supervisor, for operators, if it is running.
    pub fn supervisor_ref(&self) -> Option<SupervisorRef> {
        let supervisor = self.supervisor.process.lock().clone();
        supervisor.filter(|supervisor| !supervisor.core.has_ended()).map(SupervisorRef::new)
    }
}

impl From<NoRoom> for DynamicError {
    fn from(refused: NoRoom) -> Self {
        match refused {
            NoRoom::Full { limit } => Self::MaxChildren { limit },
            NoRoom::Ended => Self::NotRunning,
        }
    }
}

impl From<SupervisorError> for DynamicError {
    fn from(error: SupervisorError) -> Self {
        match error {
            SupervisorError::Refused(Refusal::MaxChildren { limit }) => Self::MaxChildren { limit },
            SupervisorError::Refused(Refusal::Ending) | SupervisorError::Call(CallError::Died { .. }) => {
                Self::NotRunning
            }
            error => Self::Supervisor(error),
        }
    }
}

impl std::fmt::Debug for Children {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let supervisor = self.supervisor_ref().map(|supervisor| supervisor.pid());
        f.debug_struct("Children").field("supervisor", &supervisor).finish_non_exhaustive()
    }
}
