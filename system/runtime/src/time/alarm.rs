//! A time limit that is put off far more often than it passes.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::task::coop::unconstrained;

use super::{Instant, Sleep, sleep_until};

/// A timer for a limit that moves: a connection's, which every message puts off.
///
/// It is asked with the moment that counts now. A later one than before leaves the timer underneath where it is, which
/// then rings for nothing and is set again; only an earlier one moves it. And while it is not due it is not looked at:
/// of many connections none has its timer in the processor's cache.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// use std::future::poll_fn;
/// use simurgh_runtime::DurationExt;
/// use simurgh_runtime::time::{Alarm, Instant};
///
/// let (mut alarm, start) = (Alarm::default(), Instant::now());
/// poll_fn(|cx| alarm.poll(start + 2.millis(), Instant::now(), cx)).await;
/// assert!(start.elapsed() >= 2.millis());
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Alarm(Option<Armed>);

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    /// What the timer says too, to be known without a look at it.
    rings: Instant,
    wakes: Waker,
}

impl Alarm {
    /// Ready once `deadline` has passed. `now` is what the caller has read of the clock, as it needs to for most
    /// limits.
    #[inline]
    pub fn poll(&mut self, deadline: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(armed) if now < armed.rings && armed.rings <= deadline && armed.wakes.will_wake(cx.waker()) => {
                Poll::Pending
            }
            Some(armed) => armed.poll(deadline, cx),
            none => {
                let sleep = Box::pin(sleep_until(deadline));
                none.insert(Armed { sleep, rings: deadline, wakes: cx.waker().clone() }).poll(deadline, cx)
            }
        }
    }

    /// Nothing is limited any more.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}

impl Armed {
    #[cold]
    fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if !self.wakes.will_wake(cx.waker()) {
            self.wakes.clone_from(cx.waker());
        }
        if self.rings > deadline {
            self.set(deadline);
        }
        // Without a budget: a poll that is cut short tells the timer nothing.
        while pin!(unconstrained(self.sleep.as_mut())).poll(cx).is_ready() {
            if self.rings >= deadline {
                return Poll::Ready(());
            }
            self.set(deadline);
        }
        Poll::Pending
    }

    fn set(&mut self, rings: Instant) {
        self.sleep.as_mut().reset(rings);
        self.rings = rings;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::DurationExt;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_limit_is_put_off_and_comes_when_it_is_put_off_no_more() {
        crate::run("test", async {
            let (mut alarm, start) = (Alarm::default(), Instant::now());
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                alarm.poll(start + if polls == 1 { 2.millis() } else { 6.millis() }, Instant::now(), cx)
            })
            .await;
            assert!(start.elapsed() >= 6.millis());
            assert!(polls >= 3, "it rings at the first moment, for nothing, and at the second: {polls}");
        });
    }

    #[test]
    fn a_limit_that_comes_nearer_is_kept() {
        crate::run("test", async {
            let (mut alarm, start) = (Alarm::default(), Instant::now());
            let mut is_far = true;
            poll_fn(|cx| {
                if std::mem::take(&mut is_far) {
                    assert!(alarm.poll(start + 3600.secs(), Instant::now(), cx).is_pending());
                }
                alarm.poll(start + 2.millis(), Instant::now(), cx)
            })
            .await;
            assert!(start.elapsed() >= 2.millis());
        });
    }

    #[test]
    fn it_wakes_who_asked_last_also_when_it_is_not_due() {
        crate::run("test", async {
            let (mut alarm, start) = (Alarm::default(), Instant::now());
            let (first, last) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
            for wakes in [&first, &last] {
                let waker = Waker::from(Arc::clone(wakes));
                assert!(alarm.poll(start + 5.millis(), start, &mut Context::from_waker(&waker)).is_pending());
            }
            while last.0.load(Ordering::Relaxed) == 0 {
                crate::sleep(1.millis()).await;
            }
            assert_eq!(first.0.load(Ordering::Relaxed), 0);
        });
    }
}
