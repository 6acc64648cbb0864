//! `pubsub.no_duplicate`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number, text};

/// A subscriber gets a message at most once.
///
/// Reads `pubsub.subscribe` and `pubsub.unsubscribe` {`topic`, `subscriber`}, and of subscribers
/// `pubsub.received` {`topic`, `subscriber`, `sender`, `number`}, of which sender and number name a message.
/// Planted bug: `pubsub.panic-starts-over` serves all again after one that panics.
#[derive(Debug, Default)]
pub struct PubsubNoDuplicate {
    nodes: ByNode<BTreeMap<(String, u64), Messages>>,
}

/// By sender and number.
type Messages = BTreeSet<(u64, u64)>;

impl Invariant for PubsubNoDuplicate {
    fn name(&self) -> &'static str {
        "pubsub.no_duplicate"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !["pubsub.subscribe", "pubsub.unsubscribe", "pubsub.received"].contains(&seen.event.name) {
            return Ok(());
        }
        let (topic, subscriber) = (text(seen, "topic"), number(seen, "subscriber"));
        let subscription = (topic.to_owned(), subscriber);
        let had = self.nodes.of(seen.node);
        if seen.event.name != "pubsub.received" {
            had.remove(&subscription);
            return Ok(());
        }
        let message = (number(seen, "sender"), number(seen, "number"));
        if had.entry(subscription).or_default().insert(message) {
            return Ok(());
        }
        let (sender, number) = message;
        Err(format!("subscriber {subscriber} of {topic} got message {number} of sender {sender} twice"))
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
