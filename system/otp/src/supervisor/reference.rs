//! References to supervisors: what operators can ask of them.

use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{Label, Node};
use simurgh_sync::port;

use super::core::{ChildCount, ChildState, Refusal};
use super::spec::{ChildSpec, IntoChild};
use crate::cell::{Process, Served};
use crate::table::Table;
use crate::{CallError, ExitReason, Monitor, Pid, Reply, Server, ServerRef, StartError};

/// How long an operator waits for a supervisor: a child may take its time to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a supervisor can be asked.
pub(crate) enum Message {
    Start(Box<ChildSpec>, Reply<Result<Option<Pid>, Refusal>>),
    Terminate(Arc<str>, Reply<Result<Option<Pid>, Refusal>>),
    Remove(Arc<str>, Reply<Result<Option<Pid>, Refusal>>),
    Restart(Arc<str>, Reply<Result<Option<Pid>, Refusal>>),
    Delete(Arc<str>, Reply<Result<Option<Pid>, Refusal>>),
    Which(Reply<Vec<ChildInfo>>),
    Count(Reply<ChildCount>),
}

/// How a child is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its name among its siblings.
    pub id: Arc<str>,
    /// Its process, if it has one.
    pub pid: Option<Pid>,
    /// How far it is.
    pub state: ChildState,
    /// How often it was restarted, by failure or by an operator.
    pub restarts: u64,
}

/// Why a supervisor did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// It refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It did not answer.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The child is another kind of server, or none.
    #[error("{id} is not a server of the type {wanted}")]
    NotSuch {
        /// The child.
        id: Arc<str>,
        /// What it was taken for.
        wanted: &'static str,
    },
}

/// A supervisor of this node, for operators. Cheap to clone; it outlives the supervisor, and then
/// says so.
#[derive(Clone)]
pub struct SupervisorRef {
    process: Arc<Served<Message>>,
}

impl SupervisorRef {
    pub(crate) fn new(process: Arc<Served<Message>>) -> Self {
        Self { process }
    }

    /// The supervisor behind a pid of the current node, if that is what it is.
    pub fn of(pid: Pid) -> Option<Self> {
        let process = Table::of(&Node::current()).get(pid)?;
        process.any().downcast().ok().map(Self::new)
    }

    /// Who it is.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Why it ended, if it has (or is about to).
    pub fn reason(&self) -> Option<ExitReason> {
        self.process.core.reason()
    }

    /// Monitors it.
    pub fn monitor(&self) -> Monitor {
        crate::monitor::monitor_process(Arc::clone(&self.process) as Arc<dyn Process>)
    }

    /// Starts one more child, and waits until it is ready.
    ///
    /// # Errors
    /// If there is a child of this id, or it does not start: then it is forgotten.
    pub async fn start_child(&self, id: &str, child: impl IntoChild) -> Result<Pid, SupervisorError> {
        self.start_child_within(PATIENCE, id, child).await
    }

    /// As [`SupervisorRef::start_child`], with a limit of one's own.
    pub(crate) async fn start_child_within(
        &self,
        limit: Duration,
        id: &str,
        child: impl IntoChild,
    ) -> Result<Pid, SupervisorError> {
        let spec = Box::new(child.into_child().named(id.into()));
        let pid = self.process.call_within(limit, |reply| Message::Start(spec, reply)).await??;
        Ok(pid.ok_or(Refusal::Stopped)?)
    }

    /// Stops a child and keeps it stopped, until [`SupervisorRef::restart_child`]. Waits until it is
    /// gone. A temporary child is forgotten.
    ///
    /// # Errors
    /// If there is no such child.
    pub async fn terminate_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.terminate_child_within(PATIENCE, id).await
    }

    /// Stops a child and forgets it, in one: that a caller dies between the two leaves nothing behind.
    pub(super) async fn remove_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.process.call_within(PATIENCE, |reply| Message::Remove(id.into(), reply)).await??;
        Ok(())
    }

    /// As [`SupervisorRef::terminate_child`], with a limit of one's own.
    pub(crate) async fn terminate_child_within(&self, limit: Duration, id: &str) -> Result<(), SupervisorError> {
        self.process.call_within(limit, |reply| Message::Terminate(id.into(), reply)).await??;
        Ok(())
    }

    /// Kills it, and its children with it.
    pub(crate) fn kill(&self) {
        self.process.core.doom(ExitReason::Kill);
    }

    /// Starts a child that is stopped, or that waits for its delay, and waits until it is ready.
    ///
    /// # Errors
    /// If there is no such child, it is not down, or it does not start.
    pub async fn restart_child(&self, id: &str) -> Result<Pid, SupervisorError> {
        let pid = self.process.call_within(PATIENCE, |reply| Message::Restart(id.into(), reply)).await??;
        Ok(pid.ok_or(Refusal::Stopped)?)
    }

    /// Forgets a child that is stopped.
    ///
    /// # Errors
    /// If there is no such child, or it is not down.
    pub async fn delete_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.process.call_within(PATIENCE, |reply| Message::Delete(id.into(), reply)).await??;
        Ok(())
    }

    /// Its children, in their order.
    ///
    /// # Errors
    /// If it has ended or does not answer.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, CallError> {
        self.process.call_within(PATIENCE, Message::Which).await
    }

    /// How many children it has.
    ///
    /// # Errors
    /// If it has ended or does not answer.
    pub async fn count_children(&self) -> Result<ChildCount, CallError> {
        self.process.call_within(PATIENCE, Message::Count).await
    }

    /// The server that a child is now.
    ///
    /// # Errors
    /// If there is no such child, it is down, or it is something else.
    pub async fn child<S: Server>(&self, id: &str) -> Result<ServerRef<S>, SupervisorError> {
        let children = self.which_children().await?;
        let child = children.into_iter().find(|child| &*child.id == id).ok_or(Refusal::NotFound)?;
        let process = child.pid.and_then(|pid| Table::of(self.process.core.header.node()).get(pid));
        let process = process.ok_or(Refusal::Stopped)?;
        ServerRef::of(process).ok_or(SupervisorError::NotSuch { id: child.id, wanted: std::any::type_name::<S>() })
    }

    /// Stops it: its children in reverse order, then itself. Kills them all after `limit`.
    pub async fn stop(&self, limit: Duration) -> ExitReason {
        (&*self.process as &dyn Process).stop(self.monitor(), limit).await
    }
}

/// The supervisor, once its children are ready.
pub(super) async fn begun_or_why(
    supervisor: SupervisorRef,
    is_begun: port::Receiver<()>,
    label: &Label,
) -> Result<SupervisorRef, StartError> {
    if is_begun.await.is_ok() {
        return Ok(supervisor);
    }
    let reason = supervisor.monitor().await.reason;
    let reason = supervisor.reason().unwrap_or(reason);
    Err(StartError { pid: supervisor.pid(), label: label.to_string(), reason })
}

impl std::fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SupervisorRef({})", self.pid())
    }
}
