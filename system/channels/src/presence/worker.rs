//! The process of a shard: it notices ends, and does what is due by the clock.

use std::sync::Arc;
use std::time::Duration;

use simurgh_otp::{Context, ExitReason, Flow, Info, InitError, Server, Start, TimerRef};
use simurgh_runtime::planted;

use super::shell::Inner;
use super::{Change, Effects};

pub(super) enum Work {
    /// There is something new to be seen to.
    Look,
}

pub(super) struct Worker {
    inner: Arc<Inner>,
    number: usize,
    timer: Option<(TimerRef, Duration)>,
}

impl Worker {
    /// How it starts. One look sees to all that has come before it.
    pub(super) fn start(inner: Arc<Inner>, number: usize) -> Start<Self> {
        Start::new(("presence shard", number as u64), Self { inner, number, timer: None }).coalesce(|_| Some(0))
    }

    /// Sees to everything: new processes, the clock, what is to be told; then sets the clock.
    async fn look(&mut self, cx: &mut Context<Self>) {
        self.see_to(cx);
        while let Some(batch) = self.batch() {
            self.inner.tell_fetched(batch).await;
        }
        self.set_clock(cx);
    }

    fn see_to(&mut self, cx: &mut Context<Self>) {
        let mut effects = Effects::default();
        let mut shard = self.inner.lock(self.number);
        let to_watch = std::mem::take(&mut shard.to_watch);
        let now = self.inner.now();
        shard.tracker.tick(now, &mut effects);
        shard.release(now);
        self.inner.carry_out_effects(self.number, shard, effects);
        if !planted!("presence.end-unnoticed") {
            for pid in to_watch {
                cx.monitor(pid);
            }
        }
    }

    /// What waits to be told, if that takes time.
    fn batch(&self) -> Option<Vec<Change>> {
        let batch = self.inner.fetches().then(|| std::mem::take(&mut self.inner.lock(self.number).outbox));
        batch.filter(|batch| !batch.is_empty())
    }

    fn set_clock(&mut self, cx: &mut Context<Self>) {
        let mut shard = self.inner.lock(self.number);
        let (deadline, now) = (shard.deadline(), self.inner.now());
        let is_set = self.timer.as_ref().map(|(_, at)| *at) == deadline;
        if is_set && deadline.is_none_or(|at| at > now) {
            return;
        }
        if let Some((timer, _)) = self.timer.take() {
            cx.cancel(timer);
        }
        shard.wakes_at = deadline;
        self.timer = deadline.map(|at| (cx.send_after(at.saturating_sub(now), Work::Look), at));
    }

    fn begin(&mut self) {
        let mut shard = self.inner.lock(self.number);
        // Whoever watched before is gone, and its monitors with it.
        shard.to_watch = shard.watched.values().copied().collect();
        shard.to_watch.sort_unstable();
        (shard.has_worker, shard.wakes_at) = (true, None);
        let effects =
            if std::mem::take(&mut shard.is_over) { self.inner.reborn(&mut shard) } else { Effects::default() };
        self.inner.carry_out_effects(self.number, shard, effects);
    }
}

impl Server for Worker {
    type Message = Work;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        self.inner.set_worker(self.number, Some(cx.me()));
        self.begin();
        cx.continue_with(Work::Look);
        Ok(())
    }

    async fn handle(&mut self, Work::Look: Work, cx: &mut Context<Self>) -> Flow {
        self.look(cx).await;
        Flow::Continue
    }

    async fn info(&mut self, info: Info, cx: &mut Context<Self>) -> Flow {
        if let Info::Down(down) = info {
            self.inner.ended(self.number, down.pid);
            self.look(cx).await;
        }
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.inner.set_worker(self.number, None);
        self.inner.end(self.number);
    }

    fn describe(&self) -> String {
        let shard = self.inner.lock(self.number);
        format!("{:?}, {} processes watched, {} changes wait", shard.tracker, shard.watched.len(), shard.pending())
    }
}
