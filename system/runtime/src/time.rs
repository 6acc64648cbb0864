//! Time: a monotonic clock, a wall clock, and waiting.
//!
//! [`Instant`] is for durations and limits: it never goes back. [`Timestamp`] is for people and
//! records: it may be set. In the simulator both are the node's own, and an hour's [`sleep`] is over
//! as soon as nothing else is left to do.

use std::time::Duration;

mod alarm;
mod clock;
mod interval;
mod limit;
mod sleep;

pub use alarm::Alarm;
pub use clock::{Instant, Timestamp};
pub use interval::{Interval, Missed, interval};
pub(crate) use limit::Kept;
pub use limit::Limit;
pub use sleep::{Elapsed, Sleep, Timeout, sleep, sleep_until, timeout};

/// Durations as words.
///
/// ```
/// use simurgh_runtime::DurationExt;
/// use std::time::Duration;
///
/// assert_eq!(5.secs(), Duration::from_secs(5));
/// assert_eq!(2.mins() + 200.millis(), Duration::from_millis(120_200));
/// ```
pub trait DurationExt {
    /// Microseconds.
    fn micros(self) -> Duration;
    /// Milliseconds.
    fn millis(self) -> Duration;
    /// Seconds.
    fn secs(self) -> Duration;
    /// Minutes.
    fn mins(self) -> Duration;
}

impl DurationExt for u64 {
    fn micros(self) -> Duration {
        Duration::from_micros(self)
    }

    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }

    fn secs(self) -> Duration {
        Duration::from_secs(self)
    }

    fn mins(self) -> Duration {
        Duration::from_secs(self * 60)
    }
}
