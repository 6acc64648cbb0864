//! The bounds of one publish/subscribe system.

use simurgh_config::Limits as Table;

/// What one `PubSub` may hold on one node.
///
/// ```
/// use simurgh_pubsub::{Limits, PubSub, SubscribeError};
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local_with("chat", Limits { topics_max: 1, ..Limits::default() });
///     let _one = pubsub.subscribe("one").unwrap();
///     assert_eq!(pubsub.subscribe("two").unwrap_err(), SubscribeError::TooManyTopics { max: 1 });
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Topics with subscribers. At the bound, [`SubscribeError::TooManyTopics`](crate::SubscribeError::TooManyTopics).
    pub topics_max: usize,
    /// Subscribers of one topic. At the bound,
    /// [`SubscribeError::TooManySubscribers`](crate::SubscribeError::TooManySubscribers).
    pub subscribers_max: usize,
    /// Bytes of a topic's name; at most 65,535 reach other nodes.
    pub topic_len_max: usize,
    /// Bytes of an event's name; at most 65,535 reach other nodes.
    pub event_len_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let table = Table::DEFAULT;
        Self {
            topics_max: table.pubsub_topics_max,
            subscribers_max: table.pubsub_subscribers_max,
            topic_len_max: table.pubsub_topic_len_max.as_usize(),
            event_len_max: table.pubsub_event_len_max.as_usize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_enforced() {
        let table = Table::DEFAULT;
        assert_eq!(table.pubsub_encodings_max, crate::encoding::ENCODINGS_MAX);
        assert_eq!(table.pubsub_dispatchers_max, crate::pubsub::DISPATCHERS_MAX);
        assert_eq!(table.pubsub_names_max, crate::names::NAMES_MAX);
        assert_eq!(table.pubsub_outbox_max, crate::Options::default().capacity);
    }
}
