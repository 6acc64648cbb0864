//! Limits for what is nearly always over long before: one timer for each task, set once in a while.
//!
//! A timer that is set and taken back costs as much as one that rings, and of a call's five seconds it
//! nearly never does. So a task keeps the sleep of its last limit: a later limit finds it set to a
//! moment that is too early, lets it ring, which costs one look, and only then sets it anew.
//!
//! ```text
//!   calls      ├──5 s──────────┤
//!                ├──5 s──────────┤        each asks for a moment of its own,
//!                    ├──5 s──────────┤    and is over long before
//!   the sleep  ├───────────────▲──────────────▲   rings, looks, is set to the limit of that time
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::{Instant, Sleep, sleep_until};
use crate::{Header, sim};

/// A moment after which something is late.
#[derive(Debug)]
pub struct Limit {
    deadline: Instant,
    /// The task's sleep, while this limit uses it.
    kept: Option<Pin<Box<Kept>>>,
    asked: bool,
}

pin_project! {
    /// A task's sleep, and whom it wakes.
    #[derive(Debug)]
    pub(crate) struct Kept {
        #[pin]
        sleep: Sleep,
        waker: Waker,
    }
}

impl Limit {
    /// A limit that ends after `limit` from now.
    pub fn new(limit: Duration) -> Self {
        let now = Instant::now();
        // One that has rung is set anew at the first look; one that has not will ring by itself.
        let kept = Header::take_kept().filter(|kept| kept.sleep.deadline() > now);
        Self { deadline: now + limit, kept, asked: false }
    }

    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ready once it has ended. For the task that made it.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let asked = std::mem::replace(&mut self.asked, true);
        let deadline = self.deadline;
        let kept = match &mut self.kept {
            // It rings before the limit ends, and wakes this very task: that is the time to look.
            Some(kept) if !asked && kept.sleep.deadline() <= deadline && kept.waker.will_wake(cx.waker()) => {
                return Poll::Pending;
            }
            Some(kept) => kept,
            None => self.kept.insert(Box::pin(Kept { sleep: sleep_until(deadline), waker: cx.waker().clone() })),
        };
        let mut kept = kept.as_mut().project();
        kept.waker.clone_from(cx.waker());
        if kept.sleep.deadline() > deadline {
            kept.sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(kept.sleep.as_mut().poll(cx));
            if kept.sleep.deadline() >= deadline {
                self.kept = None;
                return Poll::Ready(());
            }
            kept.sleep.as_mut().reset(deadline);
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // A simulated timer belongs to the world, which may be gone before the task is.
        if let Some(kept) = self.kept.take()
            && !sim::is_simulated()
        {
            drop(Header::keep(kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DurationExt;
    use std::future::poll_fn;

    async fn over(limit: &mut Limit) {
        poll_fn(|cx| limit.poll_over(cx)).await;
    }

    #[test]
    fn a_limit_ends_when_it_should_whatever_sleep_it_finds() {
        crate::run("test", async {
            // Leaves a sleep that rings early, then one that would ring late.
            for before in [5.millis(), 1.secs()] {
                let start = Instant::now();
                let mut earlier = Limit::new(before);
                assert!(crate::timeout(Duration::ZERO, over(&mut earlier)).await.is_err());
                drop(earlier);
                let mut limit = Limit::new(40.millis());
                over(&mut limit).await;
                let took = start.elapsed();
                assert!(took >= 40.millis() && took < 900.millis(), "{took:?}");
            }
        });
    }

    #[test]
    fn two_limits_at_once_do_not_share_a_sleep() {
        crate::run("test", async {
            let start = Instant::now();
            let (mut long, mut short) = (Limit::new(60.millis()), Limit::new(20.millis()));
            crate::join!(over(&mut long), async {
                over(&mut short).await;
                assert!(start.elapsed() < 60.millis());
            });
            assert!(start.elapsed() >= 60.millis());
        });
    }
}
