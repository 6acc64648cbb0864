//! What every adapter must do, as a suite that each runs in its tests.
//!
//! ```
//! use simurgh_pubsub::PubSub;
//! use simurgh_pubsub::compliance::{self, Cluster};
//!
//! /// The local adapter: nodes that are alone.
//! struct Alone;
//!
//! impl Cluster for Alone {
//!     const NODES: usize = 1;
//!
//!     async fn nodes(&mut self) -> Vec<PubSub> {
//!         vec![PubSub::local("compliance")]
//!     }
//! }
//!
//! simurgh_runtime::run("doc", async {
//!     compliance::check(&mut Alone).await.unwrap();
//! });
//! ```
//!
//! Each rule has new nodes that know of each other. What must not come is told apart from what is late
//! by a second message behind it: order is a rule too. Nothing is waited for longer than 5 s, of the
//! runtime's clock, so the suite also runs in the simulator, on nodes of a virtual network.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use simurgh_runtime::timeout;

use crate::{Message, PubSub, Subscription};

mod rules;

/// What the suite asks of an implementation.
pub trait Cluster {
    /// How many nodes [`Cluster::nodes`] gives: three, unless the adapter is for one that is alone.
    const NODES: usize = 3;

    /// Nodes that are new, each with the adapter, and all connected.
    fn nodes(&mut self) -> impl Future<Output = Vec<PubSub>> + Send;
}

/// A rule that an adapter breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub rule: &'static str,
    /// What was seen.
    pub why: String,
}

/// Why an adapter does not comply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompliant {
    /// The rules that it breaks, in the order of the suite.
    pub broken: Vec<Broken>,
}

impl NotCompliant {
    /// Whether this rule is among those that are broken.
    pub fn breaks(&self, rule: &str) -> bool {
        self.broken.iter().any(|broken| broken.rule == rule)
    }
}

impl fmt::Display for NotCompliant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the adapter breaks {} rules:", self.broken.len())?;
        self.broken.iter().try_for_each(|Broken { rule, why }| write!(f, "\n  {rule}: {why}"))
    }
}

impl std::error::Error for NotCompliant {}

/// Runs all rules.
///
/// # Errors
/// The rules that are broken, all of them.
pub async fn check<C: Cluster>(cluster: &mut C) -> Result<(), NotCompliant> {
    let mut broken = Vec::new();
    macro_rules! run {
        ($($rule:literal => $check:ident),* $(,)?) => {$(
            let nodes = cluster.nodes().await;
            let why = match nodes.len() {
                len if len == C::NODES => rules::$check(&nodes).await.err(),
                len => Some(format!("there are {len} nodes, and {} were asked for", C::NODES)),
            };
            broken.extend(why.map(|why| Broken { rule: $rule, why }));
        )*};
    }
    run! {
        "names.distinct" => names,
        "broadcast.everywhere_once" => broadcast,
        "broadcast_from.skips_one" => broadcast_from,
        "local.stays" => local,
        "direct.one_node" => direct,
        "direct.unknown_node" => unknown_node,
        "nobody.no_error" => nobody,
        "topics.apart" => topics,
        "unsubscribed.quiet" => unsubscribed,
        "order.per_sender_and_topic" => order,
        "content.survives" => content,
        "content.large_or_told" => large,
        "dispatcher.travels" => dispatcher,
        "links.counted" => links,
    }
    if broken.is_empty() { Ok(()) } else { Err(NotCompliant { broken }) }
}

type Checked = Result<(), String>;

/// How long the suite waits for a message.
const PATIENCE: Duration = Duration::from_secs(5);

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

async fn next(of: &mut Subscription) -> Result<Message, String> {
    match timeout(PATIENCE, of.recv()).await {
        Ok(message) => message.map_err(text),
        Err(_) => Err(format!("nothing came to {:?} within {PATIENCE:?}", of.topic())),
    }
}

/// The events of the messages that come, in their order, must be these.
async fn expect(of: &mut Subscription, on: &PubSub, events: &[&str]) -> Checked {
    for (number, event) in events.iter().enumerate() {
        let node = on.node_name();
        let message = next(of).await.map_err(|why| format!("{node} waits for {event:?}: {why}"))?;
        if message.event() != *event {
            return Err(format!("{node} got {:?} as number {number}, not {event:?}", message.event()));
        }
    }
    Ok(())
}

fn subscribe(nodes: &[PubSub], topic: &str) -> Result<Vec<Subscription>, String> {
    nodes.iter().map(|node| node.subscribe(topic).map_err(text)).collect()
}
