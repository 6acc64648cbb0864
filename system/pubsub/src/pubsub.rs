//! The publish/subscribe system itself.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use simurgh_runtime::sync::Mutex;

use crate::adapter::{Adapter, Inlet, Local};
use crate::outbox::Outbox;
use crate::topics::Topics;
use crate::{
    AdapterError, BroadcastError, Dispatched, Dispatcher, DispatcherError, Limits, LinkCounts, Message, NodeName,
    Options, Registration, SubscribeError, Subscriber, SubscriberId, Subscription,
};

/// Dispatchers of one system.
pub(crate) const DISPATCHERS_MAX: usize = 64;

/// Topics, and who is subscribed to them. Cheap to clone: all clones are one.
///
/// ```
/// use simurgh_pubsub::{Message, PubSub};
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local("chat");
///     let mut lobby = pubsub.subscribe("room:lobby").unwrap();
///
///     let message = Message::json("room:lobby", "new_msg", &["hello"]).unwrap();
///     assert_eq!(pubsub.broadcast(message).unwrap().taken, 1);
///
///     let message = lobby.recv().await.unwrap();
///     assert_eq!((message.event(), message.deserialize().unwrap()), ("new_msg", ["hello"]));
/// });
/// ```
///
/// | Phoenix.PubSub | here |
/// | --- | --- |
/// | `subscribe/3` | [`PubSub::subscribe`], [`PubSub::subscribe_with`], [`PubSub::subscribe_server`] |
/// | `unsubscribe/2` | the drop of the [`Subscription`] or [`Registration`] |
/// | `broadcast/4`, `broadcast_from/5` | [`PubSub::broadcast`], [`PubSub::broadcast_from`] |
/// | `local_broadcast/4`, `local_broadcast_from/5` | [`PubSub::local_broadcast`], [`PubSub::local_broadcast_from`] |
/// | `direct_broadcast/5` | [`PubSub::direct_broadcast`] |
/// | `:metadata`, the dispatcher | [`Tagged`](crate::Tagged), [`Dispatcher`] |
/// | the name under a supervisor | [`PubSub::register`], [`PubSub::find`] |
#[derive(Clone)]
pub struct PubSub(Arc<Inner>);

pub(crate) struct Inner {
    name: Arc<str>,
    topics: Arc<Topics>,
    adapter: Arc<dyn Adapter>,
    dispatchers: Mutex<BTreeMap<Arc<str>, Arc<dyn Dispatcher>>>,
}

/// What a `PubSub` has counted on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Topics that have subscribers now.
    pub topics: usize,
    /// Subscriptions now.
    pub subscribers: usize,
    /// Messages that were dispatched here, also those that came from other nodes.
    pub broadcasts: u64,
    /// Deliveries that were taken.
    pub delivered: u64,
    /// Deliveries for which a message was dropped.
    pub dropped: u64,
    /// Subscribers that had gone when a message came for them, or were closed by it.
    pub closed: u64,
}

/// A topic that has subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub topic: Arc<str>,
    /// How many are subscribed.
    pub subscribers: usize,
}

impl PubSub {
    /// One for this node alone.
    pub fn local(name: &str) -> Self {
        Self::local_with(name, Limits::default())
    }

    /// One for this node alone, with limits of one's own.
    pub fn local_with(name: &str, limits: Limits) -> Self {
        Self::new(name, Arc::new(Local::new()), limits)
    }

    /// One whose messages an adapter carries to other nodes.
    ///
    /// # Errors
    /// What the adapter says when it is started.
    pub fn with_adapter(name: &str, adapter: Arc<dyn Adapter>) -> Result<Self, AdapterError> {
        Self::with_adapter_and(name, adapter, Limits::default())
    }

    /// As [`PubSub::with_adapter`], with limits of one's own.
    ///
    /// # Errors
    /// As there.
    pub fn with_adapter_and(name: &str, adapter: Arc<dyn Adapter>, limits: Limits) -> Result<Self, AdapterError> {
        let this = Self::new(name, adapter, limits);
        this.0.adapter.start(Inlet::new(Arc::downgrade(&this.0)))?;
        Ok(this)
    }

    fn new(name: &str, adapter: Arc<dyn Adapter>, limits: Limits) -> Self {
        let topics = Arc::new(Topics::new(limits));
        Self(Arc::new(Inner { name: name.into(), topics, adapter, dispatchers: Mutex::default() }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The name of this node, for the others' [`PubSub::direct_broadcast`].
    pub fn node_name(&self) -> NodeName {
        self.0.adapter.node_name()
    }

    /// Subscribes with an outbox of 1,024 messages that drops the oldest.
    ///
    /// # Errors
    /// [`SubscribeError`]: a bound is reached.
    pub fn subscribe(&self, topic: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_opts(topic, Options::default())
    }

    /// Subscribes with an outbox of one's own choice.
    ///
    /// # Errors
    /// As [`PubSub::subscribe`].
    pub fn subscribe_opts(&self, topic: &str, options: Options) -> Result<Subscription, SubscribeError> {
        let outbox = Arc::new(Outbox::new(options));
        let registration = self.subscribe_with(topic, Arc::clone(&outbox) as _)?;
        Ok(Subscription::new(registration, outbox))
    }

    /// Subscribes whoever takes messages at once, in the task of the publisher: see [`Subscriber`].
    ///
    /// # Errors
    /// As [`PubSub::subscribe`].
    pub fn subscribe_with(&self, topic: &str, subscriber: Arc<dyn Subscriber>) -> Result<Registration, SubscribeError> {
        self.subscribe_as(self.new_id(), topic, subscriber)
    }

    /// As [`PubSub::subscribe_with`], under a number that was drawn before: one number at several topics
    /// is one subscriber for [`PubSub::broadcast_from`].
    ///
    /// # Errors
    /// As [`PubSub::subscribe`].
    pub fn subscribe_as(
        &self,
        id: SubscriberId,
        topic: &str,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<Registration, SubscribeError> {
        self.0.topics.subscribe(topic, id, subscriber)
    }

    /// A number for [`PubSub::subscribe_as`].
    pub fn new_id(&self) -> SubscriberId {
        self.0.topics.next_id()
    }

    /// Publishes to all subscribers of the message's topic, on all nodes. It does not wait; when it
    /// returns, those of this node have it.
    ///
    /// # Errors
    /// [`BroadcastError`]: nobody has it, or only this node.
    pub fn broadcast(&self, message: impl Borrow<Message>) -> Result<Dispatched, BroadcastError> {
        self.0.publish(None, message.borrow())
    }

    /// As [`PubSub::broadcast`], to all but one subscription of this node.
    ///
    /// # Errors
    /// As there.
    pub fn broadcast_from(
        &self,
        from: SubscriberId,
        message: impl Borrow<Message>,
    ) -> Result<Dispatched, BroadcastError> {
        self.0.publish(Some(from), message.borrow())
    }

    /// Publishes on this node only.
    ///
    /// # Errors
    /// [`BroadcastError`]: nobody has it.
    pub fn local_broadcast(&self, message: impl Borrow<Message>) -> Result<Dispatched, BroadcastError> {
        self.0.dispatch(None, message.borrow())
    }

    /// Publishes on this node only, to all but one subscription.
    ///
    /// # Errors
    /// As [`PubSub::local_broadcast`].
    pub fn local_broadcast_from(
        &self,
        from: SubscriberId,
        message: impl Borrow<Message>,
    ) -> Result<Dispatched, BroadcastError> {
        self.0.dispatch(Some(from), message.borrow())
    }

    /// Publishes on one node only, which may be this one. What is counted is what became of it here.
    ///
    /// # Errors
    /// [`BroadcastError`]: the node does not get it.
    pub fn direct_broadcast(
        &self,
        node: &NodeName,
        message: impl Borrow<Message>,
    ) -> Result<Dispatched, BroadcastError> {
        let message = message.borrow();
        if *node == self.node_name() {
            return self.0.dispatch(None, message);
        }
        self.0.check(message)?;
        let sent = self.0.adapter.direct_broadcast(node, message);
        let local = Dispatched::default();
        sent.map(|()| local).map_err(|source| BroadcastError::Remote { local, source })
    }

    /// Adds a dispatcher for messages that name it ([`Message::dispatched_by`]).
    ///
    /// # Errors
    /// [`DispatcherError`]: there is one of that name, there are 64, or the name has more than 255 bytes.
    pub fn add_dispatcher(&self, name: &str, dispatcher: Arc<dyn Dispatcher>) -> Result<(), DispatcherError> {
        let max = usize::from(u8::MAX);
        if name.len() > max {
            return Err(DispatcherError::NameTooLong { len: name.len(), max });
        }
        let mut dispatchers = self.0.dispatchers.lock();
        if dispatchers.contains_key(name) {
            return Err(DispatcherError::Taken { name: name.into() });
        }
        if dispatchers.len() >= DISPATCHERS_MAX {
            return Err(DispatcherError::TooMany { max: DISPATCHERS_MAX });
        }
        dispatchers.insert(name.into(), dispatcher);
        Ok(())
    }

    /// Publishes on this node only, by a dispatcher that needs no name.
    ///
    /// # Errors
    /// As [`PubSub::local_broadcast`].
    pub fn local_dispatch(
        &self,
        dispatcher: &(impl Dispatcher + ?Sized),
        from: Option<SubscriberId>,
        message: impl Borrow<Message>,
    ) -> Result<Dispatched, BroadcastError> {
        let message = message.borrow();
        self.0.check(message)?;
        Ok(self.0.topics.dispatch_by(from, message, |entries| dispatcher.dispatch(entries, message)))
    }

    /// The topics that have subscribers on this node, by name.
    pub fn topics(&self) -> Vec<TopicInfo> {
        self.0.topics.list()
    }

    /// One topic, if it has subscribers on this node.
    pub fn topic(&self, topic: &str) -> Option<TopicInfo> {
        self.0.topics.topic(topic)
    }

    /// What was counted on this node. It looks at each topic.
    pub fn counts(&self) -> Counts {
        self.0.topics.counts()
    }

    /// The ways to other nodes, with what each has counted.
    pub fn links(&self) -> Vec<LinkCounts> {
        self.0.adapter.links()
    }
}

impl Inner {
    fn check(&self, message: &Message) -> Result<(), BroadcastError> {
        let limits = self.topics.limits();
        let (topic, event) = (message.topic().len(), message.event().len());
        if topic > limits.topic_len_max {
            return Err(BroadcastError::TopicTooLong { len: topic, max: limits.topic_len_max });
        }
        if event > limits.event_len_max {
            return Err(BroadcastError::EventTooLong { len: event, max: limits.event_len_max });
        }
        Ok(())
    }

    fn dispatcher(&self, message: &Message) -> Result<Option<Arc<dyn Dispatcher>>, BroadcastError> {
        let Some(name) = message.dispatcher() else { return Ok(None) };
        let known = self.dispatchers.lock().get(name).cloned();
        known.map(Some).ok_or_else(|| BroadcastError::UnknownDispatcher { name: name.into() })
    }

    /// To the subscribers of this node.
    pub(crate) fn dispatch(&self, from: Option<SubscriberId>, message: &Message) -> Result<Dispatched, BroadcastError> {
        self.check(message)?;
        Ok(match self.dispatcher(message)? {
            None => self.topics.dispatch(from, message),
            Some(dispatcher) => self.topics.dispatch_by(from, message, |entries| dispatcher.dispatch(entries, message)),
        })
    }

    /// To the subscribers of all nodes.
    fn publish(&self, from: Option<SubscriberId>, message: &Message) -> Result<Dispatched, BroadcastError> {
        // What is wrong with it is said before anybody has it.
        self.check(message)?;
        self.dispatcher(message)?;
        let sent = self.adapter.broadcast(message);
        let local = self.dispatch(from, message)?;
        sent.map(|()| local).map_err(|source| BroadcastError::Remote { local, source })
    }
}

/// Equal are clones of one.
impl PartialEq for PubSub {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PubSub {}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub").field("name", &self.0.name).finish_non_exhaustive()
    }
}
