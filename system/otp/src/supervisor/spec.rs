//! Child specifications: what a supervisor starts, and how it deals with its end.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Label;

use super::policy::{Backoff, Intensity, Policy, Restart, Shutdown};
use crate::cell::{Plain, Process};
use crate::process::Spawn;
use crate::run::begin;
use crate::{IntoExit, Server, Start};

/// Starts one life of a child under a parent.
type StartChild = dyn Fn(Arc<dyn Process>, Label) -> Arc<dyn Process> + Send + Sync;

/// What a supervisor starts, and how it deals with its end: a way to start it, and a policy.
///
/// A closure that makes a server is one already; the methods here say what is different about it.
///
/// ```
/// use simurgh_otp::{Backoff, ChildSpec, Supervisor};
/// # use simurgh_otp::{Context, Flow, Server};
/// use std::time::Duration;
///
/// # struct Mailer;
/// # impl Server for Mailer {
/// #     type Message = ();
/// #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow { Flow::Continue }
/// # }
/// let tree = Supervisor::one_for_one()
///     .child("mailer", ChildSpec::server(|| Mailer).backoff(Backoff::default()))
///     .child("sweeper", ChildSpec::task(|| async { /* sweeps, and ends */ }).transient().wait_for("mailer"));
/// ```
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) policy: Policy,
    pub(crate) start: Arc<StartChild>,
}

/// What can be a child of a supervisor.
pub trait IntoChild {
    /// Its specification.
    fn into_child(self) -> ChildSpec;
}

/// What a supervisor can start as a server: the server, or a [`Start`] with its options.
pub trait IntoStart {
    /// The server.
    type Server: Server;

    /// How to start it, under this label if it has none of its own.
    fn into_start(self, label: Label) -> Start<Self::Server>;
}

impl<S: Server> IntoStart for S {
    type Server = S;

    fn into_start(self, label: Label) -> Start<S> {
        Start::new(label, self)
    }
}

impl<S: Server> IntoStart for Start<S> {
    type Server = S;

    fn into_start(mut self, label: Label) -> Self {
        if self.options.label == Label::None {
            self.options.label = label;
        }
        self
    }
}

impl IntoChild for ChildSpec {
    fn into_child(self) -> ChildSpec {
        self
    }
}

impl<F, S> IntoChild for F
where
    F: Fn() -> S + Send + Sync + 'static,
    S: IntoStart,
{
    fn into_child(self) -> ChildSpec {
        ChildSpec::server(self)
    }
}

impl ChildSpec {
    pub(crate) fn new(start: impl Fn(Arc<dyn Process>, Label) -> Arc<dyn Process> + Send + Sync + 'static) -> Self {
        Self { policy: Policy::new(""), start: Arc::new(start) }
    }

    /// A server, made anew for each of its lives. Ready when its init is done.
    pub fn server<S: IntoStart>(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self::new(move |parent, label| make().into_start(label).spawn(Some(parent), None, None))
    }

    /// A process that runs a future, made anew for each of its lives. Ready at once.
    pub fn task<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: IntoExit> + Send + 'static,
    {
        Self::new(move |parent, label| {
            let process = Spawn::new(label).child_of(parent).spawn_with(Plain::of, |_| make(), Arc::clone);
            begin(&process.core, None);
            process
        })
    }

    /// As [`ChildSpec::task`], ready when it says so.
    pub fn task_with_init<F>(make: impl Fn(Ready) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: IntoExit> + Send + 'static,
    {
        Self::new(move |parent, label| {
            let body = |process: &Arc<Plain>| make(Ready(Arc::clone(process) as Arc<dyn Process>));
            Spawn::new(label).child_of(parent).spawn_with(Plain::of, body, Arc::clone) as Arc<dyn Process>
        })
    }

    /// Restarted always (the default).
    pub fn permanent(mut self) -> Self {
        self.policy.restart = Restart::Permanent;
        self
    }

    /// Restarted unless it ended in order.
    pub fn transient(mut self) -> Self {
        self.policy.restart = Restart::Transient;
        self
    }

    /// Never restarted, and forgotten at its end.
    pub fn temporary(mut self) -> Self {
        self.policy.restart = Restart::Temporary;
        self
    }

    /// Its end for good may end its supervisor: see [`AutoShutdown`](crate::AutoShutdown).
    pub fn significant(mut self) -> Self {
        self.policy.significant = true;
        self
    }

    /// How it is stopped; by default it is asked, and killed after 5 s.
    pub fn shutdown(mut self, how: Shutdown) -> Self {
        self.policy.shutdown = how;
        self
    }

    /// A delay before each restart, that grows with each failure in a row.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = Some(backoff);
        self
    }

    /// Starts only when this sibling is ready. May be said more than once.
    pub fn wait_for(mut self, sibling: &str) -> Self {
        self.policy.wait_for.push(sibling.into());
        self
    }

    /// How many restarts of this child are borne, beside those of the whole tree.
    pub fn budget(mut self, restarts: u32, within: Duration) -> Self {
        self.policy.budget = Some(Intensity { restarts, within });
        self
    }

    /// A start that takes longer has failed; by default after 30 s.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.policy.start_timeout = limit;
        self
    }

    /// Its children have limits of their own.
    pub(crate) fn of_supervisor(mut self) -> Self {
        self.policy.shutdown = Shutdown::Infinite;
        self.policy.start_timeout = Duration::MAX;
        self
    }

    pub(crate) fn named(mut self, id: Arc<str>) -> Self {
        self.policy.id = id;
        self
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildSpec").field(&self.policy).finish()
    }
}

/// With this a task says that it is ready: see [`ChildSpec::task_with_init`]. Dropping it says
/// nothing.
pub struct Ready(Arc<dyn Process>);

impl Ready {
    /// Ready: whoever waits for it may start.
    pub fn ready(self) {
        begin(self.0.core(), None);
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ready({})", self.0.pid())
    }
}
