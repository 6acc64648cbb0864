//! Publish/subscribe on one node: slow consumers under each policy, and topics whose subscribers come
//! and go while others publish.
//!
//! There are no network or machine faults here. What is drawn from the seed is the schedule, the pace of
//! each, and who comes, leaves, falls behind or panics when.

pub mod churn;
pub mod outboxes;

use std::future::Future;
use std::sync::Arc;

use simurgh::prelude::*;
use simurgh::pubsub::{Closed, Message, PubSub, SubscriberId, Subscription};
use simurgh::runtime::{random, sync::Mutex};
use simurgh_invariants::{PubsubFifo, PubsubNoDuplicate, PubsubNoLoss, PubsubOutboxBounded};
use simurgh_sim::{Registry, Sim};

/// Adds the simulations of publish/subscribe.
pub(crate) fn register(registry: Registry) -> Registry {
    churn::register(outboxes::register(registry))
}

fn watch(sim: Sim) {
    sim.watch(PubsubNoLoss::default());
    sim.watch(PubsubNoDuplicate::default());
    sim.watch(PubsubFifo::default());
    sim.watch(PubsubOutboxBounded);
}

/// Who sends, and what number this is. Of an outbox with keys, messages of one key replace each other.
type Body = (u64, u64);

/// Keys of a sender.
const KEYS: u64 = 3;
/// The sender of the last message of a topic.
const END: u64 = 1_000_000;

fn key(message: &Message) -> Option<u64> {
    let (sender, number): Body = message.deserialize().ok()?;
    (sender != END).then(|| sender * KEYS + number % KEYS)
}

/// Publishes one message, from a subscriber or from none, and says so.
fn publish(pubsub: &PubSub, topic: &str, body: Body, from: Option<SubscriberId>) -> Result<(), String> {
    let message = Message::json(topic, "n", &body).map_err(|error| error.to_string())?;
    let sent = match from {
        Some(from) => pubsub.broadcast_from(from, message),
        None => pubsub.broadcast(message),
    };
    sent.map_err(|error| error.to_string())?;
    let (sender, number) = body;
    event!("pubsub.sent", {}, { topic: topic, sender: sender, number: number, from: from.map_or(0, SubscriberId::number) });
    Ok(())
}

/// A subscription that says what it gets, and what it has counted when it leaves.
struct Reader {
    subscription: Subscription,
    by_key: bool,
    taken: u64,
    closed: bool,
}

impl Reader {
    fn new(subscription: Subscription, by_key: bool) -> Self {
        Self { subscription, by_key, taken: 0, closed: false }
    }

    /// The next message; none if the subscription was closed. Now and then it does not wait to the end.
    async fn next(&mut self) -> Option<Body> {
        loop {
            if random::chance(0.2) {
                match timeout(random::range(0..300).micros(), self.subscription.recv()).await {
                    Ok(received) => return self.had(received),
                    Err(_) => continue,
                }
            }
            let received = self.subscription.recv().await;
            return self.had(received);
        }
    }

    /// What waits.
    fn drain(&mut self) {
        while let Some(received) = self.subscription.try_recv().transpose() {
            if self.had(received).is_none() {
                return;
            }
        }
    }

    fn had(&mut self, received: Result<Message, Closed>) -> Option<Body> {
        let Ok(message) = received else {
            self.closed = true;
            return None;
        };
        let body: Body = message.deserialize().expect("it was written as this");
        let (sender, number) = body;
        let stream = if self.by_key { END + sender * KEYS + number % KEYS } else { sender };
        self.taken += 1;
        event!("pubsub.received", {}, {
            topic: message.topic(),
            subscriber: self.subscription.id().number(),
            sender: sender,
            stream: stream,
            number: number,
        });
        Some(body)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let counts = self.subscription.counts();
        event!("pubsub.census", {
            came: counts.came,
            taken: self.taken,
            waiting: counts.waiting,
            dropped: counts.dropped,
            replaced: counts.replaced,
            high_water: counts.high_water,
            capacity: counts.capacity,
        }, {
            topic: self.subscription.topic(),
            subscriber: self.subscription.id().number(),
            closed: self.closed || counts.closed,
        });
    }
}

/// The first thing that went wrong in any task.
#[derive(Default, Clone)]
struct Wrong(Arc<Mutex<Option<String>>>);

impl Wrong {
    fn catch<F: Future<Output = Result<(), String>>>(&self, work: F) -> impl Future<Output = ()> + use<F> {
        let wrong = self.clone();
        async move {
            if let Err(why) = work.await {
                wrong.0.lock().get_or_insert(why);
            }
        }
    }

    fn said(&self) -> Result<(), String> {
        self.0.lock().take().map_or(Ok(()), Err)
    }
}
