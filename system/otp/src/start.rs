//! Starting servers.

use std::time::Duration;

use simurgh_runtime::Instant;
use simurgh_runtime::{Label, planted};
use simurgh_sync::mailbox::{Mailbox, Policy};
use simurgh_sync::port;

use std::sync::Arc;

use crate::cell::{Core, Process, Served};
use crate::crowd::NoRoom;
use crate::process::{Spawn, link_both, running};
use crate::registry::names_of;
use crate::{ExitReason, Key, Kind, Name, Pid, RegisterError, Registry, Server, ServerRef, Stored, run};

/// Messages that a mailbox holds unless told otherwise.
pub const MAILBOX_CAPACITY: usize = 1_024;

/// How long an init may take unless told otherwise.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a server and waits until its init is done: see [`Server`].
///
/// # Errors
/// [`StartError`], if its init fails or takes too long.
///
/// # Panics
/// Outside of a task of a node.
pub async fn start<S: Server>(label: impl Into<Label>, server: S) -> Result<ServerRef<S>, StartError> {
    Start::new(label, server).start().await
}

/// As [`start`], linked to the running process.
///
/// # Errors
/// As there.
///
/// # Panics
/// Outside of a process.
pub async fn start_link<S: Server>(label: impl Into<Label>, server: S) -> Result<ServerRef<S>, StartError> {
    Start::new(label, server).link().start().await
}

/// A server did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{label} did not start: {reason}")]
pub struct StartError {
    /// The process that it was to be.
    pub pid: Pid,
    /// Its label.
    pub label: String,
    /// Why.
    pub reason: ExitReason,
}

/// How a server starts: a label, a mailbox, a time limit.
///
/// ```
/// use simurgh_otp::{Context, Flow, Policy, Server, Start};
///
/// struct Prices;
/// impl Server for Prices {
///     type Message = (u64, f64);
///     async fn handle(&mut self, _price: (u64, f64), _: &mut Context<Self>) -> Flow { Flow::Continue }
/// }
///
/// simurgh_runtime::run("doc", async {
///     // Only the latest price of each article matters.
///     let prices = Start::new("prices", Prices).mailbox(Policy::Block, 64).coalesce(|(article, _)| Some(*article));
///     prices.start().await.unwrap().cast((17, 9.99)).await.unwrap();
/// });
/// ```
pub struct Start<S: Server> {
    pub(crate) server: S,
    pub(crate) options: Options<S::Message>,
}

/// All but the server itself.
pub(crate) struct Options<M> {
    pub(crate) label: Label,
    pub(crate) policy: Policy,
    pub(crate) capacity: usize,
    pub(crate) key: Option<fn(&M) -> Option<u64>>,
    pub(crate) init_timeout: Duration,
    pub(crate) link: bool,
    pub(crate) isolated: bool,
    pub(crate) names: Vec<Enlist>,
}

/// Registers a process that is about to begin.
pub(crate) type Enlist = Box<dyn FnOnce(&Arc<dyn Process>) -> Result<(), RegisterError> + Send>;

impl<S: Server> Start<S> {
    /// A server with a mailbox of 1,024 messages whose senders wait when it is full.
    pub fn new(label: impl Into<Label>, server: S) -> Self {
        let options = Options {
            label: label.into(),
            policy: Policy::Block,
            capacity: MAILBOX_CAPACITY,
            key: None,
            init_timeout: INIT_TIMEOUT,
            link: false,
            isolated: false,
            names: Vec::new(),
        };
        Self { server, options }
    }

    /// The mailbox's policy and bound.
    pub fn mailbox(mut self, policy: Policy, capacity: usize) -> Self {
        (self.options.policy, self.options.capacity) = (policy, capacity);
        self
    }

    /// A message takes the place of one of the same key that still waits.
    pub fn coalesce(mut self, key: fn(&S::Message) -> Option<u64>) -> Self {
        self.options.key = Some(key);
        self
    }

    /// How long its init may take.
    pub fn init_timeout(mut self, limit: Duration) -> Self {
        self.options.init_timeout = limit;
        self
    }

    /// On an OS thread of its own: see [`Spawn::isolated`].
    pub fn isolated(mut self) -> Self {
        self.options.isolated = true;
        self
    }

    /// Links it to the process that starts it.
    pub fn link(mut self) -> Self {
        self.options.link = true;
        self
    }

    /// Registers it by a name of its node, before its init runs: see [`named`](crate::named). If another
    /// process has the name, the start fails, and says who.
    ///
    /// ```
    /// use simurgh_otp::{self as otp, Context, Flow, Server, Start, Supervisor};
    /// # use simurgh_runtime::DurationExt;
    ///
    /// struct Mailer;
    /// # impl Server for Mailer {
    /// #     type Message = ();
    /// #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow { Flow::Continue }
    /// # }
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let mailer = || Start::new("mailer", Mailer).name("mailer");
    ///     let root = Supervisor::one_for_one().child("mailer", mailer).start("root").await.unwrap();
    ///     let error = mailer().start().await.unwrap_err(); // the name is taken
    ///     let owner = otp::whereis("mailer").unwrap();
    ///     assert!(error.to_string().contains(&format!("taken by {owner}")));
    ///     root.stop(5.secs()).await;
    /// });
    /// ```
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        let name = name.into();
        self.options.names.push(Box::new(move |process| names_of(&**process).enlist(process, name, ())));
        self
    }

    /// Registers it in a registry, before its init runs, as [`Start::name`] does. May be said more than
    /// once.
    pub fn register<K: Key, V: Stored>(mut self, registry: &Registry<K, V>, key: K, value: V) -> Self {
        let registry = registry.clone();
        self.options.names.push(Box::new(move |process| registry.enlist(process, key, value)));
        self
    }

    /// Starts it and waits until its init is done.
    ///
    /// # Errors
    /// If a name is taken, or its init fails or takes too long.
    ///
    /// # Panics
    /// Outside of a task of a node, or, if it is to be linked, of a process.
    pub async fn start(self) -> Result<ServerRef<S>, StartError> {
        let label = self.options.label.clone();
        let linked = self.options.link.then(|| running().expect("a linked server is started inside a process"));
        let (begun, is_begun) = port::pair();
        let process = self.spawn(None, linked.as_deref(), Some(begun));
        begun_or_why(ServerRef::new(process), is_begun, label).await
    }

    /// Starts it as a child, or linked, or by itself; `begun` is answered when its init is done.
    pub(crate) fn spawn(
        self,
        parent: Option<Arc<dyn Process>>,
        linked: Option<&dyn Process>,
        begun: Option<port::Sender<()>>,
    ) -> Arc<Served<S::Message>> {
        let Self { server, options } = self;
        let mut spawn = Spawn::new(options.label).isolated_if(options.isolated);
        spawn = match parent {
            Some(parent) => spawn.child_of(parent),
            None => spawn.supervised_if(begun.is_some()),
        };
        let make = |core| Served::new(core, options.policy, options.capacity, options.key);
        spawn.spawn_with(
            make,
            |process| {
                enlist(options.names, process);
                run::run(server, Arc::clone(process), options.init_timeout, begun)
            },
            |process| {
                if let Some(linked) = linked {
                    link_both(linked, &process.core);
                }
                Arc::clone(process)
            },
        )
    }

    /// Starts it as a member of a crowd, if that has room.
    pub(crate) fn spawn_into(
        self,
        crowd: Arc<dyn Process>,
        begun: Option<port::Sender<()>>,
    ) -> Result<Arc<Served<S::Message>>, NoRoom> {
        let Self { server, options } = self;
        let make = |core| Served::new(core, options.policy, options.capacity, options.key);
        Spawn::new(options.label).isolated_if(options.isolated).member_of(crowd).try_spawn_with(
            make,
            |process| {
                enlist(options.names, process);
                run::run(server, Arc::clone(process), options.init_timeout, begun)
            },
            Arc::clone,
        )
    }
}

/// The server, once its init is done.
pub(crate) async fn begun_or_why<S: Server>(
    server: ServerRef<S>,
    is_begun: port::Receiver<()>,
    label: Label,
) -> Result<ServerRef<S>, StartError> {
    if is_begun.await.is_ok() {
        return Ok(server);
    }
    let down = server.monitor().await;
    let reason = server.reason().unwrap_or(down.reason);
    Err(StartError { pid: server.pid(), label: label.to_string(), reason })
}

/// Registers a process that has not begun; one whose name is taken never does.
fn enlist<M: Send + 'static>(names: Vec<Enlist>, process: &Arc<Served<M>>) {
    if names.is_empty() {
        return;
    }
    let any = Arc::clone(process) as Arc<dyn Process>;
    if let Err(error) = names.into_iter().try_for_each(|enlist| enlist(&any)) {
        process.core.doom(ExitReason::error(error));
    }
}

impl<M> Served<M> {
    pub(crate) fn new(mut core: Core, policy: Policy, capacity: usize, key: Option<fn(&M) -> Option<u64>>) -> Self {
        let capacity = capacity + usize::from(planted!("otp.mailbox-off-by-one"));
        let resource = simurgh_runtime::sim::world(|world| world.new_resource()).unwrap_or(0);
        core.kind = Kind::Server;
        Self {
            core,
            mailbox: Mailbox::new(policy, capacity),
            key,
            waits_when_full: policy == Policy::Block,
            since: Instant::now(),
            resource,
        }
    }

    /// For operators, something else than a plain server.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.core.kind = kind;
        self
    }
}
