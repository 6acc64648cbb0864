//! Lives that become ready, take too long, or end: what follows from each.

use std::time::Duration;

use super::{
    Action, Asked, AutoShutdown, ChildKey, Core, Decision, ExitReason, Intensity, Life, Phase, Refusal, Report, Run,
    StopHow, Strategy, Timer, Wish, nanos, planted,
};
use crate::supervisor::policy::{Restart, Shutdown};

impl Core {
    /// A child is ready. If it is being stopped, or was killed for its slowness, that comes too late.
    pub(super) fn started(&mut self, key: ChildKey, run: Run) {
        let Some(child) = self.children.get(&key) else { return };
        if !matches!(child.life, Life::Starting { run: current, .. } if current == run) {
            return;
        }
        self.live(key, Life::Running { run, since_ns: self.now_ns });
        self.change(key, |child| {
            child.restarts += u64::from(child.was_ready);
            child.was_ready = true;
        });
        self.answer_start(key, Ok(key));
    }

    /// A timer is due: of a delay, of a start, or of a stop.
    pub(super) fn due(&mut self, timer: Timer) {
        let Some(key) = self.timers.remove(&timer) else { return };
        match self.children[&key].life {
            Life::Waiting { .. } => {
                self.live(key, Life::Down);
            }
            Life::Starting { run, .. } => {
                self.live(key, Life::Overdue { run });
                self.out.push(Action::Stop { key, run, how: StopHow::Kill });
            }
            Life::Stopping { run, .. } => {
                self.live(key, Life::Stopping { run, timer: None });
                self.out.push(Action::Stop { key, run, how: StopHow::Kill });
                if let Shutdown::Timed(limit) = self.children[&key].policy.shutdown {
                    self.report(key, run, ExitReason::Kill, Decision::Overran(limit));
                }
            }
            Life::Down | Life::Overdue { .. } | Life::Running { .. } => {}
        }
    }

    /// The process of a child is gone: because it had to, or by itself before or after it was ready.
    pub(super) fn gone(&mut self, key: ChildKey, run: Run, reason: ExitReason) {
        if self.children.get(&key).and_then(|child| child.life.run()) != Some(run) {
            return;
        }
        let loses = planted!("supervisor.lost-restart", self) && !self.unsettled.starting.is_empty();
        let life = self.live(key, Life::Down);
        if self.change(key, |child| std::mem::take(&mut child.doomed)) {
            self.stopped(key);
        } else if loses {
            self.change(key, |child| child.wish = Wish::Down);
        } else {
            match life {
                Life::Running { since_ns, .. } => self.exited(key, run, reason, since_ns),
                Life::Overdue { .. } => {
                    let limit = self.children[&key].policy.start_timeout;
                    let reason =
                        ExitReason::error(format_args!("it was not ready within {limit:?}, its start_timeout"));
                    self.start_failed(key, run, reason);
                }
                _ => self.start_failed(key, run, reason),
            }
        }
    }

    /// A life that had to end has ended. Whether another follows is a question of its wish.
    fn stopped(&mut self, key: ChildKey) {
        if let Some(Asked::Terminate(request)) = self.children[&key].asked {
            self.change(key, |child| child.asked = None);
            self.out.push(Action::Answer { request, answer: Ok(key) });
        }
        let child = &self.children[&key];
        if child.is_temporary() && !child.is_wanted() {
            self.remove(key);
        }
    }

    /// A child that was ready has ended by itself.
    fn exited(&mut self, key: ChildKey, run: Run, reason: ExitReason, since_ns: u64) {
        let now_ns = self.now_ns;
        self.change(key, |child| {
            let recovers = child.policy.backoff.map(|backoff| nanos(backoff.reset_after));
            if recovers.is_some_and(|after_ns| now_ns.saturating_sub(since_ns) >= after_ns) {
                child.failures = 0;
            }
        });
        if self.children[&key].policy.restart.brings_back(&reason) {
            self.restart(key, run, reason);
        } else {
            self.ended_for_good(key, run, reason, Decision::NotRestarted);
        }
    }

    /// A child has ended before it was ready. What that means depends on who wanted it started.
    fn start_failed(&mut self, key: ChildKey, run: Run, reason: ExitReason) {
        let child = &self.children[&key];
        let (asked, was_ready, id) = (child.asked, child.was_ready, child.policy.id.clone());
        let refusal = Refusal::StartFailed(reason.clone());
        match asked {
            Some(Asked::Start(_)) => {
                self.report(key, run, reason, Decision::NotRestarted);
                self.answer_start(key, Err(refusal));
                self.remove(key);
            }
            Some(Asked::Restart(_)) => {
                self.report(key, run, reason, Decision::NotRestarted);
                self.answer_start(key, Err(refusal));
                self.hold(key);
            }
            None if !was_ready && self.phase == Phase::Booting => {
                self.report(key, run, reason.clone(), Decision::RolledBack);
                let why = ExitReason::error(format_args!("child `{id}` did not start: {reason}"));
                self.end(why, Some(id), reason);
            }
            Some(Asked::Hurry(_) | Asked::Terminate(_)) | None => {
                self.answer_start(key, Err(refusal));
                self.restart(key, run, reason);
            }
        }
    }

    /// A child is to be restarted, if its budget and the tree's intensity bear it.
    fn restart(&mut self, key: ChildKey, run: Run, reason: ExitReason) {
        let now_ns = self.now_ns;
        let id = self.children[&key].policy.id.clone();
        let budget =
            self.change(key, |child| child.budget.as_mut().map(|budget| (budget.limit(), budget.record(now_ns))));
        if let Some((Intensity { restarts, within }, Err(_))) = budget {
            if self.children[&key].policy.restart == Restart::Permanent {
                let why =
                    format!("child `{id}` used up its restart budget, more than {restarts} in {within:?}: {reason}");
                self.report(key, run, reason.clone(), Decision::Escalated);
                self.end(ExitReason::error(why), Some(id), reason);
            } else {
                self.hold(key);
                self.ended_for_good(key, run, reason, Decision::GivenUp(Intensity { restarts, within }));
            }
            return;
        }
        let Intensity { restarts, within } = self.options.intensity;
        if let Err(count) = self.restarts.record(now_ns)
            && !(planted!("supervisor.intensity-off-by-one", self) && count == restarts as usize + 1)
        {
            let why = format!(
                "reached its restart intensity, more than {restarts} in {within:?}; last child `{id}`: {reason}"
            );
            self.report(key, run, reason.clone(), Decision::Escalated);
            self.end(ExitReason::error(why), Some(id), reason);
            return;
        }
        match self.delay(key) {
            None => self.report(key, run, reason, Decision::Restarted),
            Some(delay) => {
                self.report(key, run, reason, Decision::RestartedIn(delay));
                let early = planted!("supervisor.delay-cut-short", self);
                let timer = self.arm(key, if early { delay / 2 } else { delay });
                self.live(key, Life::Waiting { timer, until_ns: now_ns.saturating_add(nanos(delay)) });
            }
        }
        self.restart_group(key);
    }

    /// Takes down, and wants up again, whom a failure takes with it. Transient children of the group
    /// that had ended in order come back too, as in OTP.
    fn restart_group(&mut self, failed: ChildKey) {
        let group: Vec<_> = match self.options.strategy {
            Strategy::OneForOne => return,
            Strategy::OneForAll => self.children.keys().copied().filter(|&key| key != failed).collect(),
            Strategy::RestForOne => self.children.range(failed..).map(|(&key, _)| key).skip(1).collect(),
        };
        for key in group {
            self.change(key, |child| {
                if child.life == Life::Down && child.wish == Wish::Down {
                    child.wish = Wish::Up;
                }
                child.doom();
            });
        }
    }

    /// The delay before the next start of a child that failed once more, if it has one.
    fn delay(&mut self, key: ChildKey) -> Option<Duration> {
        let backoff = self.children[&key].policy.backoff?;
        let unit = self.draw();
        let failures = self.change(key, |child| {
            let before = child.failures;
            child.failures = before.saturating_add(1);
            before
        });
        Some(backoff.delay(failures, unit))
    }

    /// A child has ended by itself and will not be restarted; if it is significant, perhaps that is all.
    fn ended_for_good(&mut self, key: ChildKey, run: Run, reason: ExitReason, decision: Decision) {
        self.report(key, run, reason, decision);
        let significant = self.children[&key].policy.significant;
        if self.children[&key].is_temporary() {
            self.remove(key);
        } else if self.children[&key].is_wanted() {
            self.change(key, |child| child.wish = Wish::Down);
        }
        let is_over = significant
            && match self.options.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => {
                    !self.children.values().any(|child| child.policy.significant && child.is_wanted())
                }
            };
        if is_over {
            if self.phase == Phase::Booting {
                // What it was started for is done: for the parent that is an end in order, not a failed boot.
                self.phase = Phase::Up;
                self.out.push(Action::Booted(Ok(())));
            }
            let why = ExitReason::shutdown("its significant children have ended");
            self.end(why.clone(), None, why);
        }
    }

    /// Leaves a child down until an operator restarts it.
    pub(super) fn hold(&mut self, key: ChildKey) {
        self.change(key, |child| child.wish = Wish::Held);
    }

    /// Ends the wait for a delay; tells whether there was one.
    pub(super) fn cancel_wait(&mut self, key: ChildKey) -> bool {
        let waits = matches!(self.children[&key].life, Life::Waiting { .. });
        if waits {
            self.live(key, Life::Down);
        }
        waits
    }

    /// Answers the request, if there is one, that waits for a child to be ready.
    pub(super) fn answer_start(&mut self, key: ChildKey, answer: Result<ChildKey, Refusal>) {
        let is_start = |asked: &mut Asked| !matches!(asked, Asked::Terminate(_));
        let asked = self.change(key, |child| child.asked.take_if(is_start));
        if let Some(Asked::Start(request) | Asked::Restart(request) | Asked::Hurry(request)) = asked {
            self.out.push(Action::Answer { request, answer });
        }
    }

    fn report(&mut self, key: ChildKey, run: Run, reason: ExitReason, decision: Decision) {
        let id = self.children[&key].policy.id.clone();
        self.out.push(Action::Report(Report { key, run, id, reason, decision }));
    }

    /// A number from 0 up to 1 (`SplitMix64`, whose state is the seed).
    fn draw(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
