//! Which seeds are run next: each scenario gets virtual time by its weight. What has none, a property, is charged for its
//! real time as much virtual time as the others make of it.

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

    /// Whether its virtual time says how much it was run. That of a property is some nanoseconds.
    fn is_timed(&self) -> bool {
        self.virtual_s > self.wall_s
    }

    /// What it had of the sweep's time, and will have had when what runs now is done. `rate`: see [`rate`].
    fn charge(&self, rate: f64) -> f64 {
        let had = if self.is_timed() { self.virtual_s } else { self.wall_s * rate };
        let each = if self.done == 0 { 1.0 } else { had / self.done as f64 };
        (had + each * self.running as f64) / self.weight
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
    let rate = rate(all);
    let at = (0..all.len()).filter(|at| all[*at].has_more()).min_by(|one, other| {
        let first = |at: usize| all[at].first.is_empty();
        first(*one).cmp(&first(*other)).then(all[*one].charge(rate).total_cmp(&all[*other].charge(rate)))
    })?;
    Some((at, all[at].take(left)))
}

/// Virtual seconds in a real one, of those scenarios that have virtual time.
fn rate(all: &[Swept]) -> f64 {
    let sum = |of: fn(&Swept) -> f64| all.iter().filter(|swept| swept.is_timed()).map(of).sum::<f64>();
    let (virtual_s, wall_s) = (sum(|swept| swept.virtual_s), sum(|swept| swept.wall_s));
    if wall_s > 0.0 { f64::max(virtual_s / wall_s, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::registry::Registry;

    fn swept(weight: u64) -> Swept {
        let registry = Registry::new().property(crate::Property::new(
            "p.holds",
            "it holds",
            || proptest::strategy::Just(()),
            |()| Ok(()),
        ));
        let text = format!(
            "schema = 1\nname = \"a/w{weight}\"\nwhy = \"a test\"\nlevel = \"property\"\nweight = {weight}\n\
             [[workload]]\nname = \"p.holds\"\n"
        );
        let scenario = Scenario::parse(Path::new("a.toml"), &text, &registry).unwrap_or_else(|why| panic!("{why}"));
        Swept::new(scenario, 100, 1_000_000)
    }

    #[test]
    fn virtual_time_is_shared_by_weight_and_no_seed_comes_twice() {
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

    #[test]
    fn what_has_no_virtual_time_takes_no_more_real_time_than_what_has_much() {
        let mut all = [swept(1), swept(1), swept(1)];
        // A property, and two worlds in which a second has a thousand, and two hundred.
        let (virtual_s, wall) =
            ([1e-7, 40.0, 8.0], [Duration::from_millis(1), Duration::from_millis(40), Duration::from_millis(40)]);
        for _ in 0..400 {
            let (at, seeds) = take(&mut all, Duration::from_mins(1)).unwrap();
            let count = seeds.len() as u64;
            all[at].done += count;
            all[at].virtual_s += virtual_s[at] * count as f64;
            all[at].ran(count, wall[at] * count as u32);
        }
        let whole: f64 = all.iter().map(|swept| swept.wall_s).sum();
        let shares: Vec<f64> = all.iter().map(|swept| swept.wall_s / whole).collect();
        assert!((0.15..0.6).contains(&shares[0]), "{shares:?}");
        let virtual_share = all[1].virtual_s / all[2].virtual_s;
        assert!((0.7..1.4).contains(&virtual_share), "{virtual_share}");
    }
}
