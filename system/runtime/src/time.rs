//! Time: a monotonic clock, a wall clock, and waiting.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Add, AddAssign, Sub};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop;

use crate::sim;

/// A moment of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

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

/// Durations as words: `5.secs()`.
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

pin_project! {
    /// Waits until a moment.
    #[project = SleepProjection]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Sleep {
        deadline: Instant,
        #[pin]
        arm: SleepArm,
    }
}

pin_project! {
    #[project = SleepArmProjection]
    enum SleepArm {
        Real { #[pin] sleep: tokio::time::Sleep },
        Sim { timer: Box<dyn sim::Timer> },
    }
}

/// Waits for `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now() + duration)
}

/// Waits until `deadline`.
pub fn sleep_until(deadline: Instant) -> Sleep {
    let arm = match sim::world(|world| world.timer(deadline.0)) {
        Some(timer) => SleepArm::Sim { timer },
        None => SleepArm::Real { sleep: tokio::time::sleep_until(deadline.0.into()) },
    };
    Sleep { deadline, arm }
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Makes it end at another moment.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        *this.deadline = deadline;
        match this.arm.project() {
            SleepArmProjection::Real { sleep } => sleep.reset(deadline.0.into()),
            SleepArmProjection::Sim { timer } => timer.reset(deadline.0),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().arm.project() {
            SleepArmProjection::Real { sleep } => sleep.poll(cx),
            SleepArmProjection::Sim { timer } => {
                let coop = ready!(coop::poll_proceed(cx));
                ready!(timer.poll_elapsed(cx));
                coop.made_progress();
                Poll::Ready(())
            }
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// A time limit has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit has passed")
    }
}

impl std::error::Error for Elapsed {}

/// Awaits `future` for at most `limit`. If it is ready at the limit, it wins.
///
/// The time runs from the call. A limit of zero asks the future once.
///
/// # Errors
/// [`Elapsed`].
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// use simurgh_runtime::{DurationExt, timeout};
///
/// assert_eq!(timeout(5.secs(), async { 7 }).await, Ok(7));
/// assert!(timeout(1.millis(), std::future::pending::<()>()).await.is_err());
/// # });
/// ```
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit) }
}

pin_project! {
    /// What [`timeout`] gives: a future with a limit.
    #[must_use = "futures do nothing unless awaited"]
    #[derive(Debug)]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that uses up the whole budget each time must not keep the limit from being seen.
        let elapsed = if had_budget && !coop::has_budget_remaining() {
            pin!(coop::unconstrained(this.sleep)).poll(cx)
        } else {
            this.sleep.poll(cx)
        };
        elapsed.map(|()| Err(Elapsed))
    }
}

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

    #[test]
    fn missed_ticks_follow_the_policy() {
        let due = Instant(std::time::Instant::now());
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
    fn a_limit_of_zero_asks_once() {
        crate::run("test", async {
            assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
            assert_eq!(timeout(Duration::ZERO, std::future::pending::<()>()).await, Err(Elapsed));
        });
    }

    #[test]
    fn a_future_that_uses_up_the_budget_does_not_outrun_its_limit() {
        crate::run("test", async {
            let greedy = async {
                loop {
                    coop::consume_budget().await;
                }
            };
            assert_eq!(timeout::<_>(1.millis(), greedy).await.map(|never: ()| never), Err(Elapsed));
        });
    }

    #[test]
    fn timestamps_print_as_rfc_3339() {
        let at = Timestamp::from_nanos(1_767_225_600_123_456_789);
        assert_eq!(at.to_string(), "2026-01-01T00:00:00.123456789Z");
        assert_eq!(format!("{at:.3}"), "2026-01-01T00:00:00.123Z");
        assert_eq!(at.as_nanos(), 1_767_225_600_123_456_789);
    }

    #[test]
    fn a_sleep_is_never_early_and_can_be_moved() {
        crate::run("test", async {
            let start = Instant::now();
            let mut sleep = pin!(sleep(3600.secs()));
            sleep.as_mut().reset(start + 2.millis());
            assert_eq!(sleep.deadline(), start + 2.millis());
            sleep.await;
            assert!(start.elapsed() >= 2.millis());
        });
    }
}
