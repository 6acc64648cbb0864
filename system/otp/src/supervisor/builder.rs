//! What is supervised, and how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Label;
use simurgh_runtime::collections::HashMap;
use simurgh_sync::mailbox::Policy as Mailbox;
use simurgh_sync::port;

use super::core::{Core, Options};
use super::policy::{AutoShutdown, Intensity, Strategy};
use super::reference::{Message, SupervisorRef, begun_or_why};
use super::shell::{self, Shell};
use super::spec::{ChildSpec, IntoChild};
use super::{ConfigError, core::ChildKey};
use crate::cell::{Process, Served};
use crate::process::{Spawn, link_both, running};
use crate::{ExitReason, Kind, MAILBOX_CAPACITY, StartError};

/// A supervisor: children in their order, and which failure takes what down.
///
/// ```
/// use simurgh_otp::{Context, Flow, Reply, Server, Supervisor};
/// # use simurgh_runtime::DurationExt;
///
/// struct Adder(u64);
///
/// enum Ask {
///     Add(u64, Reply<u64>),
///     Break,
/// }
///
/// impl Server for Adder {
///     type Message = Ask;
///     async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
///         match ask {
///             Ask::Add(more, reply) => { self.0 += more; reply.send(self.0) }
///             Ask::Break => panic!("broken"),
///         }
///         Flow::Continue
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let root = Supervisor::one_for_one().intensity(3, 5.secs()).child("adder", || Adder(0)).start("root").await?;
///     let adder = root.child::<Adder>("adder").await?;
///     assert_eq!(adder.call(|reply| Ask::Add(2, reply)).await, Ok(2));
///
///     let end = adder.monitor();
///     adder.cast(Ask::Break).await?;
///     end.await;
///     let adder = root.child::<Adder>("adder").await?; // another one, which begins anew
///     assert_eq!(adder.call(|reply| Ask::Add(1, reply)).await, Ok(1));
///     root.stop(5.secs()).await;
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// })
/// .unwrap();
/// ```
///
/// A supervisor can be a child of another: it is then ready when its own children are.
#[derive(Clone)]
pub struct Supervisor {
    options: Options,
    children: Vec<ChildSpec>,
}

impl Supervisor {
    /// The failure of a child takes down only itself.
    pub fn one_for_one() -> Self {
        Self::new(Strategy::OneForOne)
    }

    /// The failure of a child takes down all.
    pub fn one_for_all() -> Self {
        Self::new(Strategy::OneForAll)
    }

    /// The failure of a child takes down those that were started after it.
    pub fn rest_for_one() -> Self {
        Self::new(Strategy::RestForOne)
    }

    /// By a strategy.
    pub fn new(strategy: Strategy) -> Self {
        Self { options: Options { strategy, ..Options::default() }, children: Vec::new() }
    }

    /// How many restarts are borne within a time; one more ends the supervisor, with an error. By
    /// default 3 in 5 s.
    pub fn intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.options.intensity = Intensity { restarts, within };
        self
    }

    /// Whether it ends when its significant children have.
    pub fn auto_shutdown(mut self, auto: AutoShutdown) -> Self {
        self.options.auto_shutdown = auto;
        self
    }

    /// One more child, started after those before it.
    pub fn child(mut self, id: &str, child: impl IntoChild) -> Self {
        self.children.push(child.into_child().named(id.into()));
        self
    }

    /// Whether the children make sense together.
    ///
    /// # Errors
    /// [`ConfigError`] says what does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.core().map(drop)
    }

    fn core(&self) -> Result<Core, ConfigError> {
        let policies = self.children.iter().map(|child| child.policy.clone()).collect();
        Core::new(self.options, policies, shell::dice())
    }

    /// Starts it, and waits until all children are ready.
    ///
    /// # Errors
    /// [`StartError`], if the children make no sense together or one of them does not start: those
    /// that were started are stopped then.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(self, label: impl Into<Label>) -> Result<SupervisorRef, StartError> {
        self.start_as(label.into(), None).await
    }

    /// As [`Supervisor::start`], linked to the running process.
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

    fn spawn(
        self,
        spawn: Spawn,
        linked: Option<&dyn Process>,
        begun: Option<port::Sender<()>>,
    ) -> Arc<Served<Message>> {
        let kind = Kind::Supervisor(self.options.strategy);
        spawn.spawn_with(
            |core| Served::new(core, Mailbox::Block, MAILBOX_CAPACITY, None).of_kind(kind),
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
        let core = match self.core() {
            Ok(core) => core,
            Err(error) => return ExitReason::error(error),
        };
        let mut specs: HashMap<ChildKey, ChildSpec> = HashMap::default();
        for child in self.children {
            let key = core.key_of(&child.policy.id).expect("the core was made of these children");
            specs.insert(key, child);
        }
        Box::pin(Shell::new(me, core, specs, begun).run()).await
    }
}

impl IntoChild for Supervisor {
    fn into_child(self) -> ChildSpec {
        ChildSpec::new(move |parent, label| {
            self.clone().spawn(Spawn::new(label).child_of(parent), None, None) as Arc<dyn Process>
        })
        .of_supervisor()
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.children.iter().map(|child| &child.policy.id).collect();
        f.debug_struct("Supervisor").field("options", &self.options).field("children", &ids).finish()
    }
}
