//! Which seeds are run next: each scenario gets virtual time by its weight.

use std::time::Duration;

use crate::file::Scenario;
use crate::worker::Job;

/// How long a worker process should be busy with one batch.
const BATCH_S: f64 = 2.0;
/// Most seeds of one batch.
const BATCH_MAX: u64 = 50;

/// A scenario that is swept.
pub(crate) struct Swept {
    pub(crate) scenario: Scenario,
    pub(crate) job: Job,
    /// It holds a planted bug and must fail.
    pub(crate) must_fail: bool,
    /// Seeds after which a bug that must be found counts as not found.
    pub(crate) count: u64,
    /// Of the seeds that are run for a check, one in so many is run twice.
    pub(crate) every: u64,
    weight: f64,
    /// Batches that come first.
    pub(crate) first: Vec<Vec<u64>>,
    /// The seed that comes next, and the end of the interval.
    next: u64,
    end: u64,
    running: u64,
    pub(crate) done: u64,
    pub(crate) virtual_s: f64,
    pub(crate) wall_s: f64,
    /// No more seeds are wanted.
    pub(crate) is_over: bool,
}

impl Swept {
    pub(crate) fn new(scenario: Scenario, from: u64, end: u64) -> Self {
        Self {
            must_fail: scenario.outcome() != "pass",
            count: scenario.seeds(),
            every: scenario.recheck_every(),
            weight: scenario.weight(),
            job: Job::new(&scenario, Vec::new()),
            scenario,
            first: Vec::new(),
            next: from,
            end,
            running: 0,
            done: 0,
            virtual_s: 0.0,
            wall_s: 0.0,
            is_over: false,
        }
    }

    fn has_more(&self) -> bool {
        !self.is_over && (!self.first.is_empty() || self.next < self.end)
    }

    /// What it had of the sweep's time, and will have had when what runs now is done.
    fn charge(&self) -> f64 {
        let each = if self.done == 0 { 1.0 } else { self.virtual_s.max(self.wall_s) / self.done as f64 };
        (self.virtual_s.max(self.wall_s) + each * self.running as f64) / self.weight
    }

    fn take(&mut self, left: Duration) -> Vec<u64> {
        let seeds = self.first.pop().unwrap_or_else(|| {
            let each = if self.done == 0 { BATCH_S } else { (self.wall_s / self.done as f64).max(1e-4) };
            let most = (BATCH_S.min(left.as_secs_f64()) / each) as u64;
            let until = (self.next + most.clamp(1, BATCH_MAX)).min(self.end);
            let seeds = (self.next..until).collect();
            self.next = until;
            seeds
        });
        self.running += seeds.len() as u64;
        seeds
    }

    /// A batch was run.
    pub(crate) fn ran(&mut self, seeds: u64, wall: Duration) {
        self.running = self.running.saturating_sub(seeds);
        self.wall_s += wall.as_secs_f64();
    }
}

/// The next batch: of which scenario, and which seeds. None if there is nothing left to run.
pub(crate) fn take(all: &mut [Swept], left: Duration) -> Option<(usize, Vec<u64>)> {
    let at = (0..all.len()).filter(|at| all[*at].has_more()).min_by(|one, other| {
        let first = |at: usize| all[at].first.is_empty();
        first(*one).cmp(&first(*other)).then(all[*one].charge().total_cmp(&all[*other].charge()))
    })?;
    Some((at, all[at].take(left)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::registry::Registry;

    #[test]
    fn virtual_time_is_shared_by_weight_and_no_seed_comes_twice() {
        let registry = Registry::new().property(crate::Property::new(
            "p.holds",
            "it holds",
            || proptest::strategy::Just(()),
            |()| Ok(()),
        ));
        let swept = |weight: u64| {
            let text = format!(
                "schema = 1\nname = \"a/w{weight}\"\nwhy = \"a test\"\nlevel = \"property\"\nweight = {weight}\n\
                 [[workload]]\nname = \"p.holds\"\n"
            );
            let scenario = Scenario::parse(Path::new("a.toml"), &text, &registry).unwrap_or_else(|why| panic!("{why}"));
            Swept::new(scenario, 100, 2_000)
        };
        let mut all = [swept(3), swept(1)];
        let mut seen = [Vec::new(), Vec::new()];
        for _ in 0..40 {
            let (at, seeds) = take(&mut all, Duration::from_mins(1)).unwrap();
            let count = seeds.len() as u64;
            seen[at].extend(seeds);
            all[at].done += count;
            all[at].virtual_s += count as f64;
            all[at].ran(count, Duration::from_millis(100 * count));
        }
        for seeds in &seen {
            assert!(seeds.iter().copied().eq(100..100 + seeds.len() as u64), "{seeds:?}");
        }
        let share = seen[0].len() as f64 / seen[1].len() as f64;
        assert!((2.0..4.5).contains(&share), "{share}");
    }
}
