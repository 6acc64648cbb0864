//! Waiting for a moment, and not waiting longer than that.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop;

use super::Instant;
use crate::sim;

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

    /// Whether the moment has come. Of use to who polls other things too, and knows that this would wake it.
    #[inline]
    pub fn is_elapsed(&self) -> bool {
        match &self.arm {
            SleepArm::Real { sleep } => sleep.is_elapsed(),
            SleepArm::Sim { .. } => Instant::now() >= self.deadline,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DurationExt;

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
}
