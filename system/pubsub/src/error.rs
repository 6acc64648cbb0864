//! What can go wrong, each with a stable code.

use std::error::Error;
use std::sync::Arc;

use crate::{Dispatched, NodeName};

/// Why nobody is subscribed now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The topic's name is too long.
    #[error("a topic of {len} bytes is longer than the {max} that are allowed")]
    TopicTooLong {
        /// Its length in bytes.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The node has as many topics as it may have.
    #[error("there are {max} topics already, and this would be one more; subscribe to fewer, or raise `topics_max`")]
    TooManyTopics {
        /// The bound.
        max: usize,
    },
    /// The topic has as many subscribers as it may have.
    #[error(
        "the topic {topic:?} has {max} subscribers already; spread them over more topics, or raise `subscribers_max`"
    )]
    TooManySubscribers {
        /// The topic.
        topic: Arc<str>,
        /// The bound.
        max: usize,
    },
}

impl SubscribeError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TopicTooLong { .. } => "pubsub.topic_too_long",
            Self::TooManyTopics { .. } => "pubsub.too_many_topics",
            Self::TooManySubscribers { .. } => "pubsub.too_many_subscribers",
        }
    }
}

/// Why a message did not get everywhere that it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The topic's name is too long. Nobody has the message.
    #[error("a topic of {len} bytes is longer than the {max} that are allowed")]
    TopicTooLong {
        /// Its length in bytes.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The event's name is too long. Nobody has the message.
    #[error("an event of {len} bytes is longer than the {max} that are allowed")]
    EventTooLong {
        /// Its length in bytes.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// There is no dispatcher of this name here. Nobody has the message.
    #[error("there is no dispatcher called {name:?} on this node; add it with `PubSub::add_dispatcher`")]
    UnknownDispatcher {
        /// The name.
        name: Arc<str>,
    },
    /// The adapter could not pass it on. Who is subscribed on this node has the message, as `local`
    /// says: to broadcast it again would give it to them twice.
    #[error("delivered on this node, but not to others: {source}")]
    Remote {
        /// What became of it here.
        local: Dispatched,
        /// What the adapter says.
        source: AdapterError,
    },
}

impl BroadcastError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TopicTooLong { .. } => "pubsub.topic_too_long",
            Self::EventTooLong { .. } => "pubsub.event_too_long",
            Self::UnknownDispatcher { .. } => "pubsub.unknown_dispatcher",
            Self::Remote { source, .. } => source.code(),
        }
    }
}

/// Why an adapter did not pass a message on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// There is no node of this name, or none that is connected.
    #[error("there is no node {node}, or it is not connected")]
    UnknownNode {
        /// The name.
        node: NodeName,
    },
    /// What waits for a node, or for the broker between, is as much as may wait.
    #[error("the way to {node} is full: {waiting} messages wait for it")]
    Full {
        /// The node, or the broker.
        node: NodeName,
        /// How many messages wait.
        waiting: usize,
    },
    /// The way to other nodes is cut.
    #[error("other nodes cannot be reached: {why}")]
    Unreachable {
        /// Why.
        why: Arc<str>,
    },
    /// The message is too large for it.
    #[error("a message of {len} bytes is longer than the {max} that are passed on")]
    TooLarge {
        /// Its length on the wire.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// It was not started, or twice.
    #[error("the adapter cannot be started: {why}")]
    NotStarted {
        /// Why.
        why: Arc<str>,
    },
}

impl AdapterError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownNode { .. } => "pubsub.adapter.unknown_node",
            Self::Full { .. } => "pubsub.adapter.full",
            Self::Unreachable { .. } => "pubsub.adapter.unreachable",
            Self::TooLarge { .. } => "pubsub.adapter.too_large",
            Self::NotStarted { .. } => "pubsub.adapter.not_started",
        }
    }
}

/// Why a message cannot take a form.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the message cannot be encoded: {why}")]
pub struct EncodeError {
    why: Arc<str>,
}

impl EncodeError {
    /// An error with this reason.
    #[allow(clippy::needless_pass_by_value)] // words and errors alike
    pub fn new(why: impl ToString) -> Self {
        Self { why: why.to_string().into() }
    }

    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        "pubsub.encode"
    }
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is binary.
    #[error("the payload is binary, not JSON")]
    Binary,
    /// It is not what was asked for.
    #[error("the payload does not fit: {source}")]
    Json {
        /// What `serde_json` says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl DecodeError {
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Json { source: Box::new(error) }
    }

    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Binary => "pubsub.decode.binary",
            Self::Json { .. } => "pubsub.decode.json",
        }
    }
}

/// A subscription has been closed: its outbox was full, and its policy is
/// [`Overflow::Close`](crate::Overflow::Close).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subscription was closed, for {capacity} messages waited and one more came")]
pub struct Closed {
    /// The outbox's bound.
    pub capacity: usize,
}

impl Closed {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        "pubsub.closed"
    }
}

/// Why a dispatcher was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DispatcherError {
    /// There is one of this name.
    #[error("there is a dispatcher called {name:?} already")]
    Taken {
        /// The name.
        name: Arc<str>,
    },
    /// There are as many as there may be.
    #[error("there are {max} dispatchers already; one may tell messages apart by their event")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// The name is too long to travel with a message.
    #[error("a dispatcher's name of {len} bytes is longer than the {max} that are allowed")]
    NameTooLong {
        /// Its length in bytes.
        len: usize,
        /// The bound.
        max: usize,
    },
}

impl DispatcherError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "pubsub.dispatcher.taken",
            Self::TooMany { .. } => "pubsub.dispatcher.too_many",
            Self::NameTooLong { .. } => "pubsub.dispatcher.name_too_long",
        }
    }
}

/// Why a `PubSub` was not given its name on the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Another has it.
    #[error("another publish/subscribe system of this node is called {name:?}")]
    Taken {
        /// The name.
        name: Arc<str>,
    },
    /// The node has as many as it may have.
    #[error("the node has {max} named publish/subscribe systems already; one with more topics does as well")]
    TooMany {
        /// The bound.
        max: usize,
    },
}

impl NameError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "pubsub.name_taken",
            Self::TooMany { .. } => "pubsub.too_many_names",
        }
    }
}
