//! `pubsub.fifo_per_sender`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number, text};

/// Messages of one sender on one topic come in the order in which they were sent; of an outbox that keeps
/// the latest of each key, those of one key.
///
/// Reads `pubsub.subscribe` and `pubsub.unsubscribe` {`topic`, `subscriber`}, and of subscribers
/// `pubsub.received` {`topic`, `subscriber`, `stream`, `number`}, with numbers that ascend for each stream,
/// which is a sender or one of its keys. Planted bug: `pubsub.outbox-overtakes` takes the latest that waits
/// before the oldest.
#[derive(Debug, Default)]
pub struct PubsubFifo {
    nodes: ByNode<BTreeMap<(String, u64), BTreeMap<u64, u64>>>,
}

impl Invariant for PubsubFifo {
    fn name(&self) -> &'static str {
        "pubsub.fifo_per_sender"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !["pubsub.subscribe", "pubsub.unsubscribe", "pubsub.received"].contains(&seen.event.name) {
            return Ok(());
        }
        let (topic, subscriber) = (text(seen, "topic"), number(seen, "subscriber"));
        let subscription = (topic.to_owned(), subscriber);
        let last = self.nodes.of(seen.node);
        if seen.event.name != "pubsub.received" {
            last.remove(&subscription);
            return Ok(());
        }
        let (stream, now) = (number(seen, "stream"), number(seen, "number"));
        // The same again is a duplicate, which is another checker's.
        match last.entry(subscription).or_default().insert(stream, now) {
            Some(before) if before > now => Err(format!(
                "subscriber {subscriber} of {topic} got message {now} of stream {stream} after message {before}"
            )),
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
