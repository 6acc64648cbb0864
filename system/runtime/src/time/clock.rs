//! The two clocks.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use crate::sim;

/// A moment of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub(super) std::time::Instant);

impl Instant {
    /// Now.
    #[inline]
    pub fn now() -> Self {
        Self(sim::world(|world| world.now()).unwrap_or_else(std::time::Instant::now))
    }

    /// How long ago this was; zero if it lies ahead.
    pub fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    /// The time from `earlier` to this; zero if that is later.
    #[inline]
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// This moment and `duration`, or none if the clock cannot say so.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }
}

/// Longest wait: about 30 years. A longer one is cut to this, as tokio does.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

impl Add<Duration> for Instant {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or_else(|| Self(self.0 + FAR))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// # Panics
    /// If the clock cannot say so: a time before the machine was started.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).expect("the clock has no moment that early"))
    }
}

/// A moment of the wall clock, to the nanosecond; printed as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Now, as the node's wall clock shows it.
    pub fn now() -> Self {
        let nanos = sim::world(|world| world.wall_ns()).unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            since.as_nanos() as i64
        });
        Self::from_nanos(nanos)
    }

    /// The moment `nanos` nanoseconds after 1970-01-01T00:00:00Z.
    pub fn from_nanos(nanos: i64) -> Self {
        Self(
            jiff::Timestamp::from_nanosecond(i128::from(nanos))
                .expect("64 bits of nanoseconds lie within the calendar"),
        )
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub fn as_nanos(self) -> i64 {
        self.0.as_nanosecond() as i64
    }
}

impl fmt::Display for Timestamp {
    /// With as many digits of the second as asked for: `{:.3}` gives milliseconds; nine if not said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.precision() {
            Some(digits) => write!(f, "{:.digits$}", self.0),
            None => write!(f, "{:.9}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        let at = Timestamp::from_nanos(1_767_225_600_123_456_789);
        assert_eq!(at.to_string(), "2026-01-01T00:00:00.123456789Z");
        assert_eq!(format!("{at:.3}"), "2026-01-01T00:00:00.123Z");
        assert_eq!(at.as_nanos(), 1_767_225_600_123_456_789);
    }
}
