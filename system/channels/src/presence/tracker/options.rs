//! Periods and bounds.

use std::time::Duration;

use simurgh_config::Limits;

/// The periods and bounds of a tracker. All replicas should have the same ones.
///
/// ```
/// use simurgh_channels::presence::TrackerOptions;
/// use std::time::Duration;
///
/// let options = TrackerOptions { metas_per_key_max: 10, ..TrackerOptions::default() };
/// assert_eq!(options.down_period, Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerOptions {
    /// Whether there are other replicas. If not, there are no ticks, and nothing is kept for others.
    pub replicates: bool,
    /// Time between two ticks; changes leave with a tick. 1.5 s.
    pub broadcast_period: Duration,
    /// Time after which the first change leaves that comes after a period without any. 20 ms.
    pub first_delay: Duration,
    /// Ticks without news after which a heartbeat is sent all the same. 10.
    pub max_silent_periods: u32,
    /// Time without a heartbeat after which a replica's presences are hidden. 30 s; at least two periods.
    pub down_period: Duration,
    /// Time without a heartbeat after which a replica is forgotten. 20 min; more than `down_period`.
    pub permdown_period: Duration,
    /// Ticks during which is collected what others have seen, before any is asked for what is missing. 2.
    pub clock_sample_periods: u32,
    /// Clocks in each generation of changes that is kept for those who missed some. 100, 1,000, 10,000.
    pub max_delta_sizes: Vec<usize>,
    /// Bytes of a topic or a key. 1,024.
    pub name_len_max: usize,
    /// Bytes of a meta as JSON, its ref included. 4 KiB.
    pub meta_len_max: usize,
    /// Presences under one key of one topic, when one of this node is to be added. 100.
    pub metas_per_key_max: usize,
    /// Presences of one replica. 1,000,000.
    pub entries_max: usize,
    /// Other replicas. 1,024.
    pub replicas_max: usize,
    /// Gaps in what is seen of one replica. 10,000.
    pub gaps_max: usize,
}

impl Default for TrackerOptions {
    fn default() -> Self {
        let table = Limits::DEFAULT;
        Self {
            replicates: true,
            broadcast_period: Duration::from_millis(1_500),
            first_delay: Duration::from_millis(20),
            max_silent_periods: 10,
            down_period: Duration::from_secs(30),
            permdown_period: Duration::from_mins(20),
            clock_sample_periods: 2,
            max_delta_sizes: vec![100, 1_000, 10_000],
            name_len_max: table.presence_name_len_max.as_usize(),
            meta_len_max: table.presence_meta_len_max.as_usize(),
            metas_per_key_max: table.presence_metas_per_key_max,
            entries_max: table.presence_entries_max,
            replicas_max: table.presence_replicas_max,
            gaps_max: table.presence_gaps_max,
        }
    }
}
