//! What the watchdog makes of one thread, tick by tick: a state machine without clock or threads.
//!
//! Time is counted in ticks, not read from the clock: a process that was stopped for an hour and goes
//! on has missed ticks, and the poll that it was in the middle of has not lasted an hour.

use std::time::{Duration, Instant};

/// Follows the polls of one thread.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    poll: Option<Poll>,
}

/// Which poll it is: that of which task, and its how manyth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) task: u64,
    pub(super) polls: u64,
}

/// A poll that was seen at a tick.
#[derive(Debug)]
struct Poll {
    key: Key,
    /// When it was first seen. It had begun up to one tick earlier.
    since: Instant,
    /// How many ticks have found it again.
    ticks: u32,
}

/// What a tick has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to tell.
    Nothing,
    /// The poll has lasted too long, at least this time; said once for each poll.
    Late(Duration),
    /// A poll that lasted too long is over. It lasted about this time, to within a tick.
    Returned(Duration),
}

impl Tracker {
    /// At `now`, the thread was in the poll `seen`. A poll that `patience` ticks have found again is late.
    pub(super) fn tick(&mut self, seen: Option<Key>, now: Instant, patience: u32) -> Step {
        if let Some(poll) = self.poll.as_mut().filter(|poll| Some(poll.key) == seen) {
            poll.ticks = poll.ticks.saturating_add(1);
            return if poll.ticks == patience { Step::Late(now - poll.since) } else { Step::Nothing };
        }
        let before = std::mem::replace(&mut self.poll, seen.map(|key| Poll { key, since: now, ticks: 0 }));
        let was_late = before.filter(|poll| poll.ticks >= patience);
        was_late.map_or(Step::Nothing, |poll| Step::Returned(now - poll.since))
    }

    /// How long the poll that is going on has been seen.
    pub(super) fn seen_for(&self, now: Instant) -> Duration {
        self.poll.as_ref().map_or(Duration::ZERO, |poll| now.saturating_duration_since(poll.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog::Settings;

    const MS: Duration = Duration::from_millis(1);

    /// What is said about polls that last from begin to end (in ms), if the first tick is at `phase`.
    fn told(polls: &[(u32, u32)], phase: u32) -> Vec<(u32, Step)> {
        let settings = Settings::default();
        let tick_ms = settings.tick.as_millis() as u32;
        let start = Instant::now();
        let mut tracker = Tracker::default();
        let mut told = Vec::new();
        for at in (phase..1_000).step_by(tick_ms as usize) {
            let index = polls.iter().position(|(begin, end)| (*begin..*end).contains(&at));
            let key = index.map(|index| Key { task: 7, polls: index as u64 });
            let step = tracker.tick(key, start + at * MS, settings.patience());
            if step != Step::Nothing {
                told.push((at, step));
            }
        }
        told
    }

    #[test]
    fn a_long_poll_is_late_once_after_100_ms_and_before_200_wherever_the_ticks_fall() {
        for phase in 0..37 {
            let told = told(&[(100, 700)], phase);
            let [(late_at, Step::Late(seen)), (_, Step::Returned(lasted))] = told[..] else { panic!("{told:?}") };
            assert!((200..=250).contains(&late_at), "late at {late_at} ms, begun at 100");
            assert!((100..150).contains(&seen.as_millis()), "{seen:?}");
            assert!((563..=637).contains(&lasted.as_millis()), "{lasted:?}");
        }
    }

    #[test]
    fn short_polls_are_never_late_however_many_there_are() {
        let polls: Vec<_> = (0..10).map(|index| (index * 100, index * 100 + 99)).collect();
        for phase in 0..37 {
            assert_eq!(told(&polls, phase), [], "phase {phase}");
        }
    }

    #[test]
    fn time_in_which_the_watchdog_itself_stood_still_does_not_count() {
        let mut tracker = Tracker::default();
        let start = Instant::now();
        let key = Some(Key { task: 1, polls: 1 });
        assert_eq!(tracker.tick(key, start, 3), Step::Nothing);
        assert_eq!(tracker.tick(key, start + 3_600_000 * MS, 3), Step::Nothing);
        assert_eq!(tracker.tick(None, start + 3_600_037 * MS, 3), Step::Nothing);
    }
}
