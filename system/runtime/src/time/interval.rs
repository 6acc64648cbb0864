//! Ticking.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Instant, Sleep, sleep_until};

/// What an [`Interval`] does when ticks were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// Ticks at once until it has caught up.
    #[default]
    Burst,
    /// The next tick comes one period after this one.
    Delay,
    /// The next tick comes at the next multiple of the period.
    Skip,
}

/// Ticks with a fixed period.
#[derive(Debug)]
pub struct Interval {
    sleep: Pin<Box<Sleep>>,
    period: Duration,
    missed: Missed,
}

/// Ticks at once, then each `period`.
///
/// # Panics
/// If the period is zero.
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval { sleep: Box::pin(sleep_until(Instant::now())), period, missed: Missed::Burst }
}

impl Interval {
    /// What to do when ticks were missed.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Waits for the next tick; tells when it was due.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// As [`Interval::tick`], for hand-written futures.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.as_mut().poll(cx));
        let due = self.sleep.deadline();
        let next = next_tick(due, Instant::now(), self.period, self.missed);
        self.sleep.as_mut().reset(next);
        Poll::Ready(due)
    }
}

/// When to tick after the tick that was due at `due` and seen at `now`.
fn next_tick(due: Instant, now: Instant, period: Duration, missed: Missed) -> Instant {
    let on_time = due + period;
    if now < on_time {
        return on_time;
    }
    match missed {
        Missed::Burst => on_time,
        Missed::Delay => now + period,
        Missed::Skip => {
            let past = ((now - due).as_nanos() % period.as_nanos()) as u64;
            now + period.saturating_sub(Duration::from_nanos(past))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DurationExt;

    #[test]
    fn an_interval_ticks_at_once_and_then_by_its_period() {
        crate::run("test", async {
            let start = Instant::now();
            let mut ticks = interval(2.millis());
            let first = ticks.tick().await;
            assert!(first >= start);
            assert_eq!(ticks.tick().await - first, 2.millis());
            assert_eq!(ticks.tick().await - first, 4.millis());
            assert!(start.elapsed() >= 4.millis());
        });
    }

    #[test]
    fn missed_ticks_follow_the_policy() {
        let due = Instant::now();
        let period = 10.millis();
        let next = |late: u64, missed| next_tick(due, due + late.millis(), period, missed) - due;
        for missed in [Missed::Burst, Missed::Delay, Missed::Skip] {
            assert_eq!(next(3, missed), 10.millis());
        }
        assert_eq!(next(25, Missed::Burst), 10.millis());
        assert_eq!(next(25, Missed::Delay), 35.millis());
        assert_eq!(next(25, Missed::Skip), 30.millis());
        assert_eq!(next(30, Missed::Skip), 40.millis());
    }
}
