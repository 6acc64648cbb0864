//! Which of the tasks that are ready is polled next.
//!
//! - `fifo`: first come, first served.
//! - `random`: any of those that are ready may be next, all alike likely.
//! - `pct`: each task draws a priority once, and a few times in a run the one that is running falls
//!   behind all others: schedules that need few but exact changes are found with a known chance
//!   (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", 2010).
//! - `pos`: each wake draws a priority, and after a poll those that wait and whom it may concern, the tasks of
//!   the same node, draw theirs again: orders of what depends on each other come out nearly alike likely, however
//!   many others there are (Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", 2018). Nodes share
//!   nothing, so the tasks of two of them never race.
//! - `replay`: first come, first served, but for the decisions of an earlier run.
//!
//! Besides the order, a poll may be *preempted*: its share of tokio's cooperative budget is cut, so
//! that one of its first awaits waits although it is ready.

use std::collections::BTreeMap;

use crate::draws::{Draws, Purpose, Stream};
use crate::physics::Schedule;
use crate::ready::{Entry, Ready};

/// Lowest cost of a poll in virtual time; the highest is twice that.
const POLL_NS: u64 = 50;

/// How many awaits a cut poll may pass; most bugs sit at the first.
const BUDGETS: [u8; 8] = [0, 0, 0, 0, 1, 1, 2, 3];

/// The ready queue and its strategy.
pub(crate) struct Scheduler {
    schedule: Schedule,
    preempt: u16,
    ready: Ready,
    /// What `pos` draws anew.
    redraws: Stream,
    /// The order of arrival, kept only to record decisions.
    arrivals: Option<BTreeMap<u64, Entry>>,
    sequence: u64,
    polls: u64,
    changes: Vec<u64>,
    behind: u64,
    decisions: Vec<Decision>,
    replayed: usize,
}

/// What a wake draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    place: u64,
    draw: u32,
    cost_ns: u8,
    budget: Option<u8>,
}

/// A choice that first come, first served would not have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The number of the poll.
    pub poll: u64,
    /// The place in the order of arrival of the task that was polled.
    pub place: u32,
    /// The budget that the poll was given, if it was cut.
    pub budget: Option<u8>,
}

impl Scheduler {
    pub(crate) fn new(schedule: Schedule, preempt: f64, draws: Draws, record: bool, decisions: Vec<Decision>) -> Self {
        let mut changes = Vec::new();
        if let Schedule::Pct { depth, length } = schedule {
            let mut stream = draws.stream(Purpose::Schedule, 0);
            changes.extend((1..depth).map(|_| stream.below(length)));
            changes.sort_unstable();
        }
        Self {
            schedule,
            preempt: (preempt * f64::from(u16::MAX)) as u16,
            ready: Ready::new(schedule),
            redraws: draws.stream(Purpose::Schedule, 1),
            arrivals: (record || schedule == Schedule::Replay).then(BTreeMap::new),
            sequence: 0,
            polls: 0,
            changes,
            behind: 1 << 40,
            decisions,
            replayed: 0,
        }
    }

    /// A new task's standing.
    pub(crate) fn first_priority(stream: &mut Stream) -> u64 {
        stream.u64() >> 32
    }

    /// What a wake of a task draws: always one draw, whatever the strategy makes of it.
    #[inline]
    pub(crate) fn ticket(&self, stream: &mut Stream, priority: u64, is_world: bool) -> Ticket {
        let draw = stream.u64();
        let cut = (draw >> 8) as u16;
        let place = match self.schedule {
            Schedule::Fifo | Schedule::Random | Schedule::Replay => 0,
            Schedule::Pos => draw >> 32,
            Schedule::Pct { .. } => priority,
        };
        Ticket {
            place,
            draw: (draw >> 32) as u32,
            cost_ns: (POLL_NS + (((draw & 0xFF) * (POLL_NS + 1)) >> 8)) as u8,
            budget: (cut < self.preempt && !is_world).then_some(BUDGETS[(draw >> 24) as usize % BUDGETS.len()]),
        }
    }

    pub(crate) fn push(&mut self, ticket: Ticket, slot: u32, generation: u32, node: u32) {
        self.sequence += 1;
        let entry = Entry { slot, generation, node, draw: ticket.draw, cost_ns: ticket.cost_ns, budget: ticket.budget };
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.insert(self.sequence, entry);
        }
        self.ready.push(ticket.place, self.sequence, entry);
    }

    /// The task to poll next, and whether it came before its turn.
    pub(crate) fn pop(&mut self) -> Option<(Entry, bool)> {
        if self.schedule == Schedule::Replay {
            return self.pop_replayed();
        }
        let (sequence, entry, mut early) = self.ready.pop(&mut self.redraws)?;
        self.polls += 1;
        if let Some(arrivals) = &mut self.arrivals {
            let place = arrivals.range(..sequence).count() as u32;
            arrivals.remove(&sequence);
            early = place > 0;
            if early || entry.budget.is_some() {
                self.decisions.push(Decision { poll: self.polls, place, budget: entry.budget });
            }
        }
        Some((entry, early))
    }

    fn pop_replayed(&mut self) -> Option<(Entry, bool)> {
        let arrivals = self.arrivals.as_mut()?;
        if arrivals.is_empty() {
            return None;
        }
        self.polls += 1;
        let decision = self.decisions.get(self.replayed).filter(|decision| decision.poll == self.polls).copied();
        self.replayed += usize::from(decision.is_some());
        let place = decision.map_or(0, |decision| decision.place as usize).min(arrivals.len() - 1);
        let sequence = *arrivals.keys().nth(place)?;
        let mut entry = arrivals.remove(&sequence)?;
        entry.budget = decision.and_then(|decision| decision.budget);
        Some((entry, place > 0))
    }

    /// The new standing of the task that was just polled, if it must fall behind now.
    pub(crate) fn demotion(&mut self, yielded: bool) -> Option<u64> {
        if !matches!(self.schedule, Schedule::Pct { .. }) {
            return None;
        }
        let due = self.changes.first().is_some_and(|&change| change <= self.polls);
        if due {
            self.changes.remove(0);
        }
        // One who yields waits for others: without this, a loop that yields would starve them.
        (due || yielded).then(|| {
            self.behind += 1;
            self.behind
        })
    }

    /// How many polls there were.
    pub(crate) fn polls(&self) -> u64 {
        self.polls
    }

    /// The decisions of this run, if they were recorded.
    pub(crate) fn take_decisions(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decisions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(schedule: Schedule, seed: u64) -> Vec<u32> {
        let draws = Draws::new(seed);
        let mut scheduler = Scheduler::new(schedule, 0.0, draws, false, Vec::new());
        for slot in 0..8 {
            let mut stream = draws.stream(Purpose::Schedule, 100 + u64::from(slot));
            let priority = Scheduler::first_priority(&mut stream);
            let ticket = scheduler.ticket(&mut stream, priority, false);
            assert!((50..=100).contains(&ticket.cost_ns));
            scheduler.push(ticket, slot, 0, slot % 2);
        }
        std::iter::from_fn(|| scheduler.pop()).map(|(entry, _)| entry.slot).collect()
    }

    #[test]
    fn pos_gives_many_orders_and_the_same_for_a_seed() {
        let orders: std::collections::BTreeSet<_> = (0..50).map(|seed| order(Schedule::Pos, seed)).collect();
        assert!(orders.len() > 45, "{} orders", orders.len());
        assert_eq!(order(Schedule::Pos, 4), order(Schedule::Pos, 4));
        assert_eq!(order(Schedule::Pos, 4).len(), 8);
    }

    #[test]
    fn fifo_keeps_the_order_and_random_does_not() {
        assert_eq!(order(Schedule::Fifo, 1), [0, 1, 2, 3, 4, 5, 6, 7]);
        let orders: std::collections::BTreeSet<_> = (0..50).map(|seed| order(Schedule::Random, seed)).collect();
        assert!(orders.len() > 45, "{} orders", orders.len());
        assert_eq!(order(Schedule::Random, 4), order(Schedule::Random, 4));
    }

    #[test]
    fn recorded_decisions_give_the_same_order_again() {
        let draws = Draws::new(9);
        let run = |schedule, record, decisions| {
            let mut scheduler = Scheduler::new(schedule, 0.5, draws, record, decisions);
            for slot in 0..20 {
                let mut stream = draws.stream(Purpose::Schedule, u64::from(slot));
                let ticket = scheduler.ticket(&mut stream, 0, false);
                scheduler.push(ticket, slot, 0, 1);
            }
            let order: Vec<_> =
                std::iter::from_fn(|| scheduler.pop()).map(|(entry, _)| (entry.slot, entry.budget)).collect();
            (order, scheduler.take_decisions())
        };
        let (order, decisions) = run(Schedule::Random, true, Vec::new());
        assert!(!decisions.is_empty());
        assert_eq!(run(Schedule::Replay, false, decisions).0, order);
    }
}
