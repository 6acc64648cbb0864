//! Who gets messages: the trait, its number, and the registration that ends with its drop.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::Message;
use crate::topics::Topic;

/// Gets the messages of a topic, in the task of whoever publishes them.
///
/// `deliver` must not wait, and must be short: the next subscriber's turn comes after it. What becomes
/// of a message that it has no room for is its own to say. It may subscribe, unsubscribe and broadcast;
/// it holds no lock while it runs. One that panics is unsubscribed, and hurts nobody else.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use simurgh_pubsub::{Delivered, Message, PubSub, Subscriber};
///
/// #[derive(Default)]
/// struct Tally(AtomicUsize);
///
/// impl Subscriber for Tally {
///     fn deliver(&self, _: &Message) -> Delivered {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Delivered::Taken
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local("chat");
///     let tally = Arc::new(Tally::default());
///     let registration = pubsub.subscribe_with("room:lobby", Arc::clone(&tally) as _).unwrap();
///     let message = Message::json("room:lobby", "tick", &()).unwrap();
///     pubsub.broadcast(&message).unwrap();
///     pubsub.broadcast_from(registration.id(), &message).unwrap(); // to all but this one
///     drop(registration);
///     pubsub.broadcast(&message).unwrap();
///     assert_eq!(tally.0.load(Ordering::Relaxed), 1);
/// });
/// ```
///
/// A subscriber that owns its own [`Registration`] keeps itself alive: keep it beside.
pub trait Subscriber: Send + Sync + 'static {
    /// Takes a message, or says what became of it.
    fn deliver(&self, message: &Message) -> Delivered;

    /// A message may be on its way to it. It may look at the memory that `deliver` will touch: of thousands of subscribers
    /// little is in the processor's cache, and what several look at is fetched at once. It changes nothing: a panic in it
    /// is reported, and the message comes all the same. Where a [`Dispatcher`](crate::Dispatcher) chooses the recipients,
    /// none is told.
    #[inline]
    fn approach(&self) {}

    /// What a [`Dispatcher`](crate::Dispatcher) may want to know of it; see [`Tagged`].
    fn metadata(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

impl<S: Subscriber + ?Sized> Subscriber for Arc<S> {
    fn approach(&self) {
        (**self).approach();
    }

    fn deliver(&self, message: &Message) -> Delivered {
        (**self).deliver(message)
    }

    fn metadata(&self) -> Option<&(dyn Any + Send + Sync)> {
        (**self).metadata()
    }
}

/// What became of a message at one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It was taken.
    Taken,
    /// It was dropped for want of room, or an older one was, and is counted.
    Dropped,
    /// The subscriber has gone: it is unsubscribed.
    Gone,
}

/// A subscriber with something that stands beside it, for [`Dispatcher`](crate::Dispatcher)s.
#[derive(Debug, Clone)]
pub struct Tagged<S, M> {
    /// Who gets the messages.
    pub subscriber: S,
    /// What stands beside it.
    pub metadata: M,
}

impl<S: Subscriber, M: Send + Sync + 'static> Subscriber for Tagged<S, M> {
    fn deliver(&self, message: &Message) -> Delivered {
        self.subscriber.deliver(message)
    }

    fn approach(&self) {
        self.subscriber.approach();
    }

    fn metadata(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&self.metadata)
    }
}

/// Names a subscription within its `PubSub`; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(pub(crate) u64);

impl SubscriberId {
    /// The number, for logs and events.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subscriber {}", self.0)
    }
}

/// One subscriber at one topic. Its drop ends the subscription.
///
/// On another thread a broadcast that has begun before may still reach the subscriber a moment after.
#[must_use = "a subscription ends with the drop of its registration"]
pub struct Registration {
    topic: Arc<Topic>,
    id: SubscriberId,
    slot: u32,
}

impl Registration {
    pub(crate) fn new(topic: Arc<Topic>, id: SubscriberId, slot: u32) -> Self {
        Self { topic, id, slot }
    }

    /// The number of the subscription, for [`PubSub::broadcast_from`](crate::PubSub::broadcast_from).
    #[inline]
    pub fn id(&self) -> SubscriberId {
        self.id
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        self.topic.name()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.topic.unsubscribe(self.slot, self.id);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("topic", &self.topic()).field("id", &self.id.0).finish_non_exhaustive()
    }
}
