//! Subscriptions of whoever reads at its own pace.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use simurgh_runtime::{Carried, planted, yield_now};
use tokio::task::coop;

use crate::outbox::Outbox;
use crate::{Closed, Message, OutboxCounts, Registration, Subscriber, SubscriberId};

/// The messages of a topic, to be received one after another. They wait in an outbox with a bound and a
/// policy ([`Options`](crate::Options)). Its drop ends it.
///
/// ```
/// use simurgh_pubsub::{Message, Options, PubSub};
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local("chat");
///     let mut slow = pubsub.subscribe_opts("ticks", Options::drop_oldest(2)).unwrap();
///     for number in 1..=5 {
///         pubsub.broadcast(Message::json("ticks", "tick", &number).unwrap()).unwrap();
///     }
///     assert_eq!(slow.recv().await.unwrap().deserialize::<u32>().unwrap(), 4);
///     assert_eq!(slow.recv().await.unwrap().deserialize::<u32>().unwrap(), 5);
///     assert_eq!(slow.try_recv(), Ok(None));
///     assert_eq!((slow.counts().came, slow.counts().dropped), (5, 3));
/// });
/// ```
pub struct Subscription {
    // First, so that nothing more comes when the outbox goes.
    registration: Registration,
    outbox: Arc<Outbox>,
}

impl Subscription {
    pub(crate) fn new(registration: Registration, outbox: Arc<Outbox>) -> Self {
        Self { registration, outbox }
    }

    /// The oldest message that waits; awaits one if there is none. The running task then carries what
    /// the task did that made the message (its trace context). Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Closed`], after all that waited, if the policy is to close and the outbox was full.
    pub async fn recv(&mut self) -> Result<Message, Closed> {
        let received = poll_fn(|cx| self.poll_recv(cx)).await;
        if planted!("pubsub.recv-holds-on") {
            yield_now().await;
        }
        received
    }

    /// As [`Subscription::recv`], for futures that are written by hand.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Closed>> {
        let coop = ready!(coop::poll_proceed(cx));
        let next = ready!(self.outbox.poll_next(cx));
        coop.made_progress();
        if planted!("pubsub.message-lost-to-preemption") {
            drop(ready!(coop::poll_proceed(cx))); // with the message in hand
        }
        Poll::Ready(next.inspect(open))
    }

    /// The oldest message, if one waits.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn try_recv(&mut self) -> Result<Option<Message>, Closed> {
        Ok(self.outbox.try_next()?.inspect(open))
    }

    /// The number of the subscription, for [`PubSub::broadcast_from`](crate::PubSub::broadcast_from).
    pub fn id(&self) -> SubscriberId {
        self.registration.id()
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        self.registration.topic()
    }

    /// What the outbox has counted.
    pub fn counts(&self) -> OutboxCounts {
        self.outbox.counts()
    }

    /// The outbox as a subscriber, to be put at other topics too
    /// ([`PubSub::subscribe_with`](crate::PubSub::subscribe_with)): their messages come here as well.
    pub fn subscriber(&self) -> Arc<dyn Subscriber> {
        Arc::clone(&self.outbox) as _
    }
}

/// The running task goes on with what the sender carried.
fn open(message: &Message) {
    Carried::set(message.carried().cloned());
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.outbox.leave();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topic", &self.topic())
            .field("id", &self.id().0)
            .field("outbox", &self.counts())
            .finish()
    }
}
