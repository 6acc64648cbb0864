//! Dynamic supervisors: many children that come and go by themselves.
//!
//! ```text
//!                 spawn, start                            start_child
//!   who wants it ──────────────► a member      who wants ──────────────► supervisor ──► a kept child
//!                                    │                                       ▲               │
//!            an orderly end: nobody is told                                  └── every end ──┘
//! ```
//!
//! **Members** are temporary: a connection, a request, a job that is done once. Whoever wants one
//! starts it, with no message to the supervisor, and so as fast as any process. The supervisor's
//! record knows it, so that it counts to the limit, is listed, stopped with the supervisor, and killed
//! if that is killed; but its orderly end is nobody's business, and its crash is told at once, as "not
//! restarted". **Kept** children are those of any supervisor: each has a specification, by which it is
//! started again. They are started one request at a time, by the supervisor.
//!
//! **As Elixir's `DynamicSupervisor`**: independent children, without an order, stopped all at once; a
//! limit (`max_children`). **Otherwise**: there `start_child` waits for the child's init inside the
//! supervisor, so that a slow one holds up all; here only who starts it waits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Label;
use simurgh_runtime::collections::HashMap;
use simurgh_sync::mailbox::Policy as Mailbox;
use simurgh_sync::port;

use super::children::Children;
use super::core::{Core, Options};
use super::policy::{Intensity, Restart, Shutdown};
use super::reference::{Message, SupervisorRef, begun_or_why};
use super::shell::{self, Shell};
use super::spec::{ChildSpec, IntoChild};
use crate::cell::{Process, Served};
use crate::crowd::Crowd;
use crate::process::{Spawn, link_both, running};
use crate::{ExitReason, Kind, MAILBOX_CAPACITY, StartError, Strategy};

/// A supervisor of children that are started while it runs, up to a limit.
///
/// ```
/// use simurgh_otp::{DynamicError, DynamicSupervisor, Supervisor};
/// # use simurgh_runtime::DurationExt;
///
/// simurgh_runtime::run("doc", async {
///     let sessions = DynamicSupervisor::limit(2);
///     let children = sessions.handle(); // for the acceptor, or whoever else starts sessions
///     assert_eq!(children.spawn("too early", async {}), Err(DynamicError::NotRunning));
///
///     let root = Supervisor::one_for_one().child("sessions", sessions).start("root").await.unwrap();
///     for number in 0..2 {
///         children.spawn(("session", number), std::future::pending::<()>()).unwrap();
///     }
///     assert_eq!(children.spawn("one too many", async {}), Err(DynamicError::MaxChildren { limit: 2 }));
///     assert_eq!(children.count(), 2);
///
///     root.stop(5.secs()).await; // and with it the sessions
///     assert_eq!(children.count(), 0);
/// });
/// ```
///
/// When it stops, its children are asked to end all at once, and those that have not within
/// [their limit](DynamicSupervisor::shutdown) are killed. When it is killed, so are they.
///
/// A dynamic supervisor is one: a clone that is started too takes the handle over.
#[derive(Clone)]
pub struct DynamicSupervisor {
    intensity: Intensity,
    shutdown: Shutdown,
    limit: usize,
    children: Children,
}

impl DynamicSupervisor {
    /// A supervisor of at most so many children.
    pub fn limit(children: usize) -> Self {
        let shutdown = Shutdown::default();
        Self { intensity: Intensity::default(), shutdown, limit: children, children: Children::new(shutdown) }
    }

    /// How often children that it keeps ([`Children::start_child`]) may be restarted, all together: one
    /// more ends it. By default 3 in 5 s, which is little for many.
    pub fn intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.intensity = Intensity { restarts, within };
        self
    }

    /// Whether children that it keeps ([`Children::start_child`]) are restarted, whatever their own
    /// specification says. Those that are started directly never are.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.children = self.children.restarted(restart);
        self
    }

    /// How children that are started directly are stopped; by default they are asked, and killed after
    /// 5 s. To be said before [`DynamicSupervisor::handle`].
    pub fn shutdown(mut self, how: Shutdown) -> Self {
        self.shutdown = how;
        self.children = self.children.stopped(how);
        self
    }

    /// With this children are started. It follows the supervisor through its restarts.
    pub fn handle(&self) -> Children {
        self.children.clone()
    }

    /// Starts it by itself.
    ///
    /// # Errors
    /// If the running node ends meanwhile.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(self, label: impl Into<Label>) -> Result<SupervisorRef, StartError> {
        self.start_as(label.into(), None).await
    }

    /// As [`DynamicSupervisor::start`], linked to the running process.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn start_link(self, label: impl Into<Label>) -> Result<SupervisorRef, StartError> {
        let me = running().expect("a linked supervisor is started inside a process");
        self.start_as(label.into(), Some(me)).await
    }

    async fn start_as(self, label: Label, linked: Option<Arc<dyn Process>>) -> Result<SupervisorRef, StartError> {
        let (begun, is_begun) = port::pair();
        let spawn = Spawn::new(label.clone()).supervised();
        let supervisor = SupervisorRef::new(self.spawn(spawn, linked.as_deref(), Some(begun)));
        begun_or_why(supervisor, is_begun, &label).await
    }

    pub(crate) fn spawn(
        self,
        spawn: Spawn,
        linked: Option<&dyn Process>,
        begun: Option<port::Sender<()>>,
    ) -> Arc<Served<Message>> {
        spawn.spawn_with(
            |core| {
                Served::new(core, Mailbox::Block, MAILBOX_CAPACITY, None).of_kind(Kind::Supervisor(Strategy::OneForOne))
            },
            |process| self.run(Arc::clone(process), begun),
            |process| {
                if let Some(linked) = linked {
                    link_both(linked, &process.core);
                }
                Arc::clone(process)
            },
        )
    }

    async fn run(self, me: Arc<Served<Message>>, begun: Option<port::Sender<()>>) -> ExitReason {
        let options = Options { intensity: self.intensity, concurrent: true, ..Options::default() };
        let core = Core::new(options, Vec::new(), shell::dice()).expect("no children make sense together");
        me.core.open_crowd(Crowd::new(self.limit));
        self.children.follow(Arc::clone(&me));
        let shell = Shell::new(me, core, HashMap::default(), begun).with_members(self.shutdown);
        Box::pin(shell.run()).await
    }
}

impl IntoChild for DynamicSupervisor {
    fn into_child(self) -> ChildSpec {
        ChildSpec::new(move |parent, label| {
            self.clone().spawn(Spawn::new(label).child_of(parent), None, None) as Arc<dyn Process>
        })
        .of_supervisor()
    }
}

impl fmt::Debug for DynamicSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { intensity, shutdown, limit, children: _ } = self;
        f.debug_struct("DynamicSupervisor")
            .field("limit", limit)
            .field("intensity", intensity)
            .field("shutdown", shutdown)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
