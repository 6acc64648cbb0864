//! The contract between a `PubSub` and what carries messages to other nodes.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, Weak};

use simurgh_runtime::Node;

use crate::pubsub::Inner;
use crate::{AdapterError, BroadcastError, Dispatched, Message, WireError};

/// Carries messages to other nodes (Phoenix.PubSub's adapter): by a mesh of links, by Redis, by NATS.
///
/// ```text
///   broadcast ──> adapter.broadcast ── bytes ──> the other nodes' adapters ──> inlet.deliver_wire
///       └───────> the subscribers of this node                                       └──> theirs
/// ```
///
/// Subscribers of the node itself are no business of the adapter's. What it must do is what
/// [`compliance`](crate::compliance) checks; each adapter runs that suite in its tests.
///
/// - No method waits: messages for other nodes are queued with a bound, and at the bound the adapter says
///   [`AdapterError::Full`].
/// - Messages of one node on one topic arrive at another in their order, and at most once. What is lost
///   is counted ([`Adapter::links`]).
/// - What travels is the message's wire form ([`Wire`](crate::Wire)), which begins with a magic number and
///   a version. What arrives goes into the [`Inlet`], which refuses what it cannot read.
pub trait Adapter: Send + Sync + 'static {
    /// Called once, before anything else, when the `PubSub` is made. Runs where that is done, which may be
    /// outside of a task: an adapter that needs processes starts them in a supervisor of its own.
    ///
    /// # Errors
    /// If it cannot serve.
    fn start(&self, inlet: Inlet) -> Result<(), AdapterError>;

    /// The name of this node among the others; never changes.
    fn node_name(&self) -> NodeName;

    /// Passes a message to all other nodes, not to this one.
    ///
    /// # Errors
    /// [`AdapterError`], if some node will not get it. Nodes that are not there are no error.
    fn broadcast(&self, message: &Message) -> Result<(), AdapterError>;

    /// Passes a message to one other node.
    ///
    /// # Errors
    /// [`AdapterError`], if it will not get it, as far as is known.
    fn direct_broadcast(&self, node: &NodeName, message: &Message) -> Result<(), AdapterError>;

    /// The ways to other nodes, with what each has counted.
    fn links(&self) -> Vec<LinkCounts> {
        Vec::new()
    }
}

/// The name of a node among those that publish to each other. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an adapter has counted of the way to one node, or to the broker between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCounts {
    /// Where it leads.
    pub to: NodeName,
    /// Messages that were given to it.
    pub sent: u64,
    /// Messages that are known to have arrived, where that is known.
    pub delivered: Option<u64>,
    /// Messages that were dropped.
    pub dropped: u64,
}

/// Where an adapter puts in what comes from other nodes. Cheap to clone; keeps nothing alive.
#[derive(Clone)]
pub struct Inlet(Weak<Inner>);

impl Inlet {
    pub(crate) fn new(inner: Weak<Inner>) -> Self {
        Self(inner)
    }

    /// Delivers a message to the subscribers of this node.
    ///
    /// # Errors
    /// As a broadcast, but for [`BroadcastError::Remote`].
    pub fn deliver(&self, message: impl Borrow<Message>) -> Result<Dispatched, BroadcastError> {
        match self.0.upgrade() {
            Some(inner) => inner.dispatch(None, message.borrow()),
            None => Ok(Dispatched::default()),
        }
    }

    /// Delivers a message that came in its wire form.
    ///
    /// # Errors
    /// [`WireError`], if the bytes are none, or this node cannot deliver it.
    pub fn deliver_wire(&self, bytes: &bytes::Bytes) -> Result<Dispatched, WireError> {
        self.deliver(Message::from_wire(bytes)?).map_err(WireError::Refused)
    }
}

impl fmt::Debug for Inlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inlet")
    }
}

/// The adapter of a node that is alone.
#[derive(Debug)]
pub(crate) struct Local(NodeName);

impl Local {
    pub(crate) fn new() -> Self {
        Self(Node::try_current().map_or_else(|| NodeName::from("nonode"), |node| node.name().into()))
    }
}

impl Adapter for Local {
    fn start(&self, _: Inlet) -> Result<(), AdapterError> {
        Ok(())
    }

    fn node_name(&self) -> NodeName {
        self.0.clone()
    }

    fn broadcast(&self, _: &Message) -> Result<(), AdapterError> {
        Ok(())
    }

    fn direct_broadcast(&self, node: &NodeName, _: &Message) -> Result<(), AdapterError> {
        Err(AdapterError::UnknownNode { node: node.clone() })
    }
}
