//! How a node keeps its presences.

use std::sync::Arc;
use std::time::Duration;

use simurgh_config::Limits;
use simurgh_runtime::DurationExt;

use super::TrackerOptions;

/// How a node keeps its presences.
///
/// ```
/// use simurgh_channels::presence::{Diff, Presence, PresenceOptions};
///
/// # simurgh_runtime::run("doc", async {
/// let options = PresenceOptions { node: "chat-1".into(), shards: 4, ..PresenceOptions::default() };
/// let presence = Presence::builder(|_: &str, _: &Diff| ()).options(options).build();
/// assert_eq!(presence.own_count(), 0);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct PresenceOptions {
    /// The name of this node. "local".
    pub node: Arc<str>,
    /// Parts that work alone, each with its topics. All nodes must have as many. 8.
    pub shards: usize,
    /// Periods and bounds of the trackers.
    pub tracker: TrackerOptions,
    /// Changes of one shard that wait to be told, before no more presences are taken. 100,000.
    pub pending_max: usize,
    /// Changes of a topic in a second, above which its diffs are gathered. 1,000.
    pub hot_changes_per_second: u32,
    /// For how long they are gathered. 100 ms.
    pub hot_period: Duration,
    /// Time that a fetch hook may take; diffs are told without what it would have given. 5 s.
    pub fetch_timeout: Duration,
}

impl Default for PresenceOptions {
    fn default() -> Self {
        let table = Limits::DEFAULT;
        Self {
            node: "local".into(),
            shards: 8,
            tracker: TrackerOptions::default(),
            pending_max: table.presence_pending_max,
            hot_changes_per_second: table.presence_hot_changes_per_second,
            hot_period: 100.millis(),
            fetch_timeout: table.presence_fetch_timeout,
        }
    }
}
