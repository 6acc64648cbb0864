//! How many awaits that are ready a poll may pass.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use simurgh_runtime::sim::BoxFuture;
use tokio::task::coop;

/// Gives polls their share of tokio's cooperative budget.
///
/// All our tasks are polled inside one poll of tokio's and would share its one budget. A full poll
/// runs unconstrained. For a preempted one the budget is set low through the guard that tokio hands
/// out for I/O that made no progress: dropping such a guard sets the budget back to what it was when
/// the guard was made, so a guard made at a budget of `n + 1` is a way to set `n`.
pub(crate) struct Budgets {
    /// `low[n]` was made at a budget of `n + 1`.
    low: [Option<coop::RestoreOnPending>; 4],
}

impl Budgets {
    /// Uses up this poll's budget, keeping a guard for each of the last four.
    pub(crate) fn new(cx: &mut Context<'_>) -> Self {
        let mut recent: [Option<coop::RestoreOnPending>; 4] = [None, None, None, None];
        while let Poll::Ready(guard) = coop::poll_proceed(cx) {
            // Keeps what it was made at; drops the oldest without giving anything back.
            if let Some(old) = recent[3].take() {
                old.made_progress();
            }
            recent.rotate_right(1);
            recent[0] = Some(guard);
        }
        Self { low: recent }
    }

    /// Polls once; tells whether the budget ended the poll.
    pub(crate) fn poll(
        &mut self,
        future: &mut BoxFuture,
        budget: Option<u8>,
        cx: &mut Context<'_>,
    ) -> (bool, Poll<()>) {
        let Some(budget) = budget.map(usize::from).filter(|&budget| self.low[budget].is_some()) else {
            return (false, unconstrained(future.as_mut(), cx));
        };
        // Set the budget to n + 1, then make the guard anew, which takes one: n are left.
        drop(self.low[budget].take());
        if let Poll::Ready(guard) = coop::poll_proceed(cx) {
            self.low[budget] = Some(guard);
        }
        let polled = future.as_mut().poll(cx);
        (polled.is_pending() && !coop::has_budget_remaining(), polled)
    }
}

/// Polls without touching the budget that the tasks use.
pub(crate) fn unconstrained<F: Future + ?Sized>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    pin!(coop::unconstrained(future)).poll(cx)
}
