//! A server's own timers: one sleep for all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use simurgh_runtime::time::Sleep;
use simurgh_runtime::{Instant, planted, sleep_until};
use slab::Slab;

/// Names a timer of a server: see [`Context::send_after`](crate::Context::send_after).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerRef {
    key: usize,
    number: u64,
}

pub(crate) struct Timers<M> {
    /// By time, then by the order in which they were set.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    #[allow(clippy::struct_field_names)]
    timers: Slab<Timer<M>>,
    next: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

struct Timer<M> {
    number: u64,
    deadline: Instant,
    what: What<M>,
}

enum What<M> {
    Once(M),
    Every(Duration, Box<dyn FnMut() -> M + Send>),
}

impl<M> Default for Timers<M> {
    fn default() -> Self {
        Self { due: BinaryHeap::new(), timers: Slab::new(), next: 0, sleep: None }
    }
}

impl<M> Timers<M> {
    pub(crate) fn add(&mut self, after: Duration, message: M) -> TimerRef {
        // As timers with a coarse wheel do that forget to round up.
        let coarse = if planted!("otp.timer-early") { Duration::from_millis(after.as_millis() as u64) } else { after };
        self.insert(Instant::now() + coarse, What::Once(message))
    }

    pub(crate) fn add_every(&mut self, period: Duration, make: Box<dyn FnMut() -> M + Send>) -> TimerRef {
        // A period of nothing would never let anything else happen.
        let period = period.max(Duration::from_micros(1));
        self.insert(Instant::now() + period, What::Every(period, make))
    }

    fn insert(&mut self, deadline: Instant, what: What<M>) -> TimerRef {
        self.next += 1;
        let number = self.next;
        let key = self.timers.insert(Timer { number, deadline, what });
        // Places of timers that were taken back are cleared away now and then: the heap stays small.
        if self.due.len() > 2 * self.timers.len() + 32 {
            let timers = &self.timers;
            self.due.retain(|Reverse((_, number, key))| timers.get(*key).is_some_and(|known| known.number == *number));
        }
        self.due.push(Reverse((deadline, number, key)));
        TimerRef { key, number }
    }

    /// How long it would have taken still; none if it has rung or was taken back.
    pub(crate) fn cancel(&mut self, timer: TimerRef) -> Option<Duration> {
        let known = self.timers.get(timer.key).is_some_and(|known| known.number == timer.number);
        // Its place in the heap is passed over when its time comes.
        let deadline = known.then(|| self.timers.remove(timer.key).deadline)?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    /// The message of a timer that is due. If none is, the next one wakes the task.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Option<M> {
        loop {
            let &Reverse((deadline, number, key)) = self.due.peek()?;
            if self.timers.get(key).is_none_or(|timer| timer.number != number) {
                self.due.pop();
                continue;
            }
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return None;
            }
            self.due.pop();
            self.sleep = None;
            return Some(self.ring(key));
        }
    }

    fn ring(&mut self, key: usize) -> M {
        let timer = &mut self.timers[key];
        match &mut timer.what {
            What::Every(period, make) => {
                let message = make();
                let now = Instant::now();
                timer.deadline += *period;
                if timer.deadline <= now {
                    timer.deadline = now + *period;
                }
                let (deadline, number) = (timer.deadline, timer.number);
                self.due.push(Reverse((deadline, number, key)));
                message
            }
            What::Once(_) => match self.timers.remove(key).what {
                What::Once(message) => message,
                What::Every(_, mut make) => make(),
            },
        }
    }
}
