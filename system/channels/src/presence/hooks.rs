//! What a presence is put between: subscribers, other nodes, the application's own data.

use std::future::Future;
use std::pin::Pin;

use simurgh_pubsub::{Message, PubSub};

use super::{Diff, Extras, ReplicaId};

/// Where diffs go: to the subscribers that a topic has on this node, as `presence_diff`. Other nodes tell their own.
///
/// A [`PubSub`] is one, and so is a closure. It is called in the order of the changes, one call at a time for each topic,
/// and must not wait.
///
/// ```
/// use simurgh_channels::presence::Presence;
/// use simurgh_pubsub::PubSub;
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local("chat");
///     let presence = Presence::new(pubsub.clone());
///     let mut lobby = pubsub.subscribe("room:lobby").unwrap();
///
///     let alice = simurgh_otp::spawn("alice", std::future::pending::<()>());
///     presence.track(alice, "room:lobby", "alice", &()).unwrap();
///     let message = lobby.recv().await.unwrap();
///     assert_eq!(message.event(), "presence_diff");
///     let diff: serde_json::Value = message.deserialize().unwrap();
///     assert!(diff["joins"]["alice"]["metas"][0]["phx_ref"].is_string());
///     assert_eq!(diff["leaves"], serde_json::json!({}));
/// });
/// ```
pub trait Broadcast: Send + Sync + 'static {
    /// Tells the subscribers of `topic`.
    fn presence_diff(&self, topic: &str, diff: &Diff);
}

impl<F: Fn(&str, &Diff) + Send + Sync + 'static> Broadcast for F {
    fn presence_diff(&self, topic: &str, diff: &Diff) {
        self(topic, diff);
    }
}

/// The way to the replicas on other nodes. Without one, this node is alone.
///
/// It may lose, double and reorder messages, and must not wait: what there is no room for is lost, and asked for again
/// later. What arrives on another node is given to [`Presence::receive`](super::Presence::receive) there.
pub trait Link: Send + Sync + 'static {
    /// Sends to that shard on all other nodes.
    fn broadcast(&self, shard: usize, message: Vec<u8>);

    /// Sends to that shard on one node.
    fn send(&self, shard: usize, to: &ReplicaId, message: Vec<u8>);
}

/// As one message to the topic's subscribers on this node, written once for all of them.
impl Broadcast for PubSub {
    fn presence_diff(&self, topic: &str, diff: &Diff) {
        // Nobody may listen, and outboxes that are full have a policy of their own.
        if let Ok(message) = Message::json(topic, "presence_diff", diff) {
            let _ = self.local_broadcast(message);
        }
    }
}

type Fetched = Pin<Box<dyn Future<Output = Extras> + Send>>;

/// A fetch hook, whatever its type.
pub(super) type Fetch = Box<dyn Fn(String, Vec<String>) -> Fetched + Send + Sync>;

/// Forgets the type of a hook.
pub(super) fn fetch<F, T>(hook: F) -> Fetch
where
    F: Fn(String, Vec<String>) -> T + Send + Sync + 'static,
    T: Future<Output = Extras> + Send + 'static,
{
    Box::new(move |topic, keys| Box::pin(hook(topic, keys)))
}
