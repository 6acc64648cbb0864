//! Driving a run: the one future that tokio polls.
//!
//! The loop does what is due, polls what is ready, and when neither is left moves time: to the next
//! event of ours, or to an earlier timer of somebody else, by arming one tokio sleep and letting
//! tokio's paused clock advance by itself.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::budgets::{Budgets, unconstrained};
use crate::engine::{Engine, who_waits};
use crate::verdict::Verdict;

/// Virtual time after which, with nothing due, a run is dead: longer than any timer of others.
const FAR_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// Drives an engine until its run is decided.
pub(crate) struct Drive {
    engine: Rc<Engine>,
    tokio_base: tokio::time::Instant,
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// When the sleep is due, in our time, and whether it stands for "never".
    armed: Option<(u64, bool)>,
    /// tokio's clock when it was last looked at.
    last_tokio_now: u64,
    budgets: Option<Budgets>,
    /// Of the tokio runtime that runs this.
    metrics: tokio::runtime::RuntimeMetrics,
}

impl Drive {
    pub(crate) fn new(engine: Rc<Engine>) -> Self {
        let tokio_base = tokio::time::Instant::now();
        Self {
            engine,
            tokio_base,
            sleep: Box::pin(tokio::time::sleep_until(tokio_base)),
            armed: None,
            last_tokio_now: 0,
            budgets: None,
            metrics: tokio::runtime::Handle::current().metrics(),
        }
    }

    fn tokio_now(&self) -> u64 {
        (tokio::time::Instant::now() - self.tokio_base).as_nanos() as u64
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let engine = Rc::clone(&self.engine);
        engine.begin_drive(cx.waker());
        let mut tokio_now = self.tokio_now();
        engine.take_outside(tokio_now, tokio_now > self.last_tokio_now);
        self.last_tokio_now = tokio_now;
        let mut budgets = self.budgets.take().unwrap_or_else(|| Budgets::new(cx));
        let decided = loop {
            if engine.is_decided() {
                break Poll::Ready(());
            }
            if engine.step(&mut budgets) {
                continue;
            }
            if engine.foreign_tasks_go_first(&self.metrics) {
                break Poll::Pending;
            }
            let due = engine.core.borrow_mut().next_due();
            match due {
                Some(at) if at <= tokio_now => Engine::set_now(&mut engine.core.borrow_mut(), at),
                due => {
                    let fired = self.armed.take_if(|(at, never)| *at <= tokio_now && *never);
                    if fired.is_some() && due.is_none() {
                        let mut core = engine.core.borrow_mut();
                        let waiting = who_waits(&core);
                        core.fail(Verdict::Deadlock(format!(
                            "nothing is runnable and nothing is due; waiting: {waiting}"
                        )));
                        continue;
                    }
                    let at = due.unwrap_or(tokio_now + FAR_NS);
                    self.armed = Some((at, due.is_none()));
                    self.sleep.as_mut().reset(self.tokio_base + Duration::from_nanos(at));
                    if unconstrained(self.sleep.as_mut(), cx).is_pending() {
                        break Poll::Pending;
                    }
                    tokio_now = self.tokio_now();
                }
            }
        };
        self.budgets = Some(budgets);
        decided
    }
}

impl Future for Drive {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let decided = self.drive(cx);
        self.engine.end_drive();
        decided
    }
}
