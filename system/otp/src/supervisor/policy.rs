//! What is configured: how a supervisor restarts, how often, after which delay, and how it stops.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::ExitReason;

/// What the failure of one child takes down, and brings up again, with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Only itself.
    #[default]
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// Those of its siblings that were started after it.
    RestForOne,
}

impl Strategy {
    /// A word for telemetry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

/// Whether a child whose process has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// When it did not end in order, see [`ExitReason::is_orderly`].
    Transient,
    /// Never, not even when a sibling took it down. Its specification goes with it.
    Temporary,
}

impl Restart {
    /// Whether a child of this kind that has ended by itself comes back.
    pub(crate) fn brings_back(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => !reason.is_orderly(),
            Self::Temporary => false,
        }
    }
}

/// How a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed at once.
    Brutal,
    /// Asked, and killed when it has not ended within this time.
    Timed(Duration),
    /// Asked, and awaited for as long as it takes: for supervisors, whose children have limits of their own.
    Infinite,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timed(Duration::from_secs(5))
    }
}

/// Whether a supervisor ends when its significant children have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoShutdown {
    /// No: it has no significant children.
    #[default]
    Never,
    /// When one has ended for good by itself.
    AnySignificant,
    /// When the last one has ended for good by itself.
    AllSignificant,
}

/// How many restarts are borne within a time that slides along: one more is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// This many are borne.
    pub restarts: u32,
    /// Within this time.
    pub within: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self { restarts: 3, within: Duration::from_secs(5) }
    }
}

/// A delay before a restart that grows with each failure in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Before the first restart.
    pub first: Duration,
    /// Each further delay is this many times the last.
    pub factor: f64,
    /// No delay is longer.
    pub max: Duration,
    /// The share of a delay, 0 to 1, of which chance takes a part away, so that those who failed
    /// together do not all come back together.
    pub jitter: f64,
    /// A child that was ready for this long had recovered: the delays begin anew.
    pub reset_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(30));
        Self { first, factor: 2.0, max, jitter: 0.5, reset_after: Duration::from_mins(1) }
    }
}

impl Backoff {
    /// The delay after so many failures in a row before this one; `unit` is drawn from 0 to 1.
    pub(crate) fn delay(&self, failures: u32, unit: f64) -> Duration {
        let max = self.max.as_secs_f64();
        // Beyond any `max` the power is infinite, and of a first delay of zero it is not a number.
        let grown = self.first.as_secs_f64() * self.factor.powi(failures.min(1 << 20) as i32);
        let full = if grown.is_nan() { 0.0 } else { grown.clamp(0.0, max) };
        Duration::try_from_secs_f64(full * (1.0 - self.jitter.clamp(0.0, 1.0) * unit)).unwrap_or(self.max)
    }
}

/// All that a supervisor needs to know of a child to decide about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    /// Its name among its siblings.
    pub(crate) id: Arc<str>,
    pub(crate) restart: Restart,
    /// Its end for good may end the supervisor, see [`AutoShutdown`]. Never of a permanent child.
    pub(crate) significant: bool,
    pub(crate) shutdown: Shutdown,
    /// Without one, it is restarted at once.
    pub(crate) backoff: Option<Backoff>,
    /// The siblings that must be ready before this one starts.
    pub(crate) wait_for: Vec<Arc<str>>,
    /// How many restarts of this child are borne, beside those of the whole tree.
    pub(crate) budget: Option<Intensity>,
    /// A start that takes longer has failed. [`Duration::MAX`] is for supervisors, whose children
    /// have limits of their own.
    pub(crate) start_timeout: Duration,
}

impl Policy {
    /// A permanent child with the defaults of everything.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            restart: Restart::default(),
            significant: false,
            shutdown: Shutdown::default(),
            backoff: None,
            wait_for: Vec::new(),
            budget: None,
            start_timeout: Duration::from_secs(30),
        }
    }
}

/// The restarts of late, as far as an [`Intensity`] has to remember them.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: Intensity,
    /// When they were, the oldest first; never more than one beyond the limit.
    times_ns: VecDeque<u64>,
}

impl Window {
    pub(super) fn new(limit: Intensity) -> Self {
        Self { limit, times_ns: VecDeque::new() }
    }

    pub(super) fn limit(&self) -> Intensity {
        self.limit
    }

    /// Counts a restart. Tells how many there were within the window if that is too many.
    pub(super) fn record(&mut self, now_ns: u64) -> Result<(), usize> {
        let within_ns = nanos(self.limit.within);
        let limit = self.limit.restarts as usize;
        while self.times_ns.front().is_some_and(|&then| now_ns.saturating_sub(then) > within_ns) {
            self.times_ns.pop_front();
        }
        self.times_ns.push_back(now_ns);
        let count = self.times_ns.len();
        if count > limit + 1 {
            self.times_ns.pop_front();
        }
        if count > limit { Err(count) } else { Ok(()) }
    }

    /// Forgets all restarts.
    pub(super) fn clear(&mut self) {
        self.times_ns.clear();
    }
}

/// A duration in nanoseconds; what does not fit is for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_window_slides() {
        let mut window = Window::new(Intensity { restarts: 2, within: Duration::from_secs(5) });
        assert_eq!(window.record(0), Ok(()));
        assert_eq!(window.record(4 * SECOND), Ok(()));
        // The first is exactly as old as the window is long, and counts; a moment later it does not.
        assert_eq!(window.clone().record(5 * SECOND), Err(3));
        assert_eq!(window.record(5 * SECOND + 1), Ok(()));
        assert_eq!(window.record(6 * SECOND), Err(3));
    }

    #[test]
    fn a_window_that_bears_nothing() {
        let mut window = Window::new(Intensity { restarts: 0, within: Duration::MAX });
        assert_eq!(window.record(1), Err(1));
        assert_eq!(window.record(2), Err(2), "and remembers no more than it needs");
        assert_eq!(window.record(3), Err(2));
    }

    #[test]
    fn delays_grow_to_the_longest_and_chance_shortens_them() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let backoff = Backoff { first, factor: 3.0, max, jitter: 0.2, reset_after: Duration::ZERO };
        let delays: Vec<_> = (0..4).map(|failures| backoff.delay(failures, 0.0).as_millis()).collect();
        assert_eq!(delays, [100, 300, 900, 1000]);
        assert_eq!(backoff.delay(0, 1.0).as_millis(), 80);
        assert_eq!(backoff.delay(u32::MAX, 0.5).as_millis(), 900);
        assert_eq!(Backoff { first: Duration::ZERO, ..backoff }.delay(u32::MAX, 0.0), Duration::ZERO);
    }
}
