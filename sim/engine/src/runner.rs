//! Many seeds: over worker processes, with a second look at what fails.

#![allow(clippy::print_stderr)] // what a failed test has to say; the test harness captures it

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use simurgh_runtime::sync::Mutex;

use crate::physics::Profile;
use crate::run::{Body, Outcome, Report, RunConfig, run_once};
use crate::sim::Sim;
use crate::trace::{CHECKPOINT_EVERY, first_difference};
use crate::verdict::Verdict;
use crate::worker::{Job, Launch};

/// One seed in this many is run again in a process of its own, and must come out the same.
const RECHECK: u64 = 20;
/// Seeds that a worker takes at once.
const BATCH: usize = 25;

/// Runs seeds in worker processes, as many at once as `workers`, and hands out reports as they come.
/// Stops early when `each` says so.
pub(crate) fn sweep(launch: &Launch, job: &Job, workers: usize, batch: usize, each: impl FnMut(Report) -> bool) {
    in_batches(&job.seeds, workers, batch, |seeds, tell| launch.run(&Job { seeds, ..job.clone() }, tell), each);
}

/// Runs seeds in batches, as many at once as `workers`, and hands out what `run` tells of them as it comes; `run` returns
/// the seeds that it did not get to. Stops early when `each` says so.
pub fn in_batches<T: Send>(
    seeds: &[u64],
    workers: usize,
    batch: usize,
    run: impl Fn(Vec<u64>, &mut dyn FnMut(T)) -> Vec<u64> + Sync,
    mut each: impl FnMut(T) -> bool,
) {
    let queue: Mutex<VecDeque<Vec<u64>>> = Mutex::new(seeds.chunks(batch.max(1)).map(<[u64]>::to_vec).collect());
    let (sender, told) = mpsc::sync_channel(64);
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            let (sender, queue, run) = (sender.clone(), &queue, &run);
            scope.spawn(move || {
                loop {
                    let Some(seeds) = queue.lock().pop_front() else { return };
                    let left = run(seeds, &mut |one| drop(sender.send(one)));
                    if !left.is_empty() {
                        queue.lock().push_front(left);
                    }
                }
            });
        }
        drop(sender);
        for one in told {
            if !each(one) {
                queue.lock().clear();
            }
        }
    });
}

/// How many workers suit this machine.
pub fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// When a sweep is over.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// After so many seeds.
    Seeds(usize),
    /// After so long.
    Time(Duration),
}

/// A line that shows how far a sweep is; on a terminal it stays in place.
pub struct Progress {
    began: Instant,
    shown: Option<Instant>,
    goal: Goal,
    what: String,
    done: usize,
    findings: usize,
}

impl Progress {
    /// Of a sweep that begins now.
    pub fn new(what: &str, goal: Goal) -> Self {
        Self { began: Instant::now(), shown: None, goal, what: what.to_owned(), done: 0, findings: 0 }
    }

    /// One more seed is done.
    pub fn add(&mut self, finding: bool) {
        self.show(self.done + 1, self.findings + usize::from(finding));
    }

    /// So many seeds are done, with so many findings.
    pub fn show(&mut self, done: usize, findings: usize) {
        (self.done, self.findings) = (done, findings);
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.shown.is_none_or(|shown| shown.elapsed() >= pause) {
            self.shown = Some(Instant::now());
            let line = self.line();
            // Past the test harness's capture: who sweeps wants to see it.
            let _ = if terminal {
                write!(std::io::stderr(), "\r\x1b[K{line}")
            } else {
                writeln!(std::io::stderr(), "{line}")
            };
        }
    }

    fn line(&self) -> String {
        const WIDTH: usize = 30;
        let Self { what, done, findings, .. } = self;
        let gone = self.began.elapsed().as_secs_f64();
        let rate = self.per_minute();
        match self.goal {
            Goal::Seeds(total) => {
                let left = gone / (*done).max(1) as f64 * total.saturating_sub(*done) as f64;
                format!("{what}: {done}/{total} seeds, {rate:.0} a minute, {findings} findings, {left:.0} s left")
            }
            Goal::Time(budget) => {
                let budget = budget.as_secs_f64();
                let (share, left) = ((gone / budget.max(1e-9)).min(1.0), (budget - gone).max(0.0));
                let bar = "#".repeat((share * WIDTH as f64) as usize);
                format!(
                    "{what}: [{bar:<WIDTH$}] {done} seeds, {:.1} a second, {findings} findings, {left:.0} s left",
                    rate / 60.0
                )
            }
        }
    }

    /// The line goes away.
    pub fn finish(&self) {
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    pub(crate) fn per_minute(&self) -> f64 {
        self.done as f64 / self.began.elapsed().as_secs_f64().max(1e-9) * 60.0
    }
}

/// Looks at a seed's report again, in a process of its own: a run that does not repeat is a finding
/// that outranks its own failure.
pub(crate) fn look_again(launch: &Launch, job: &Job, first: &Report) -> Report {
    let mut second = first.clone();
    let again = Job { seeds: vec![first.seed], in_words: true, trace: None, ..job.clone() };
    launch.run(&again, |report| second = report);
    let died = matches!(first.failure, Some(Verdict::Crashed(_) | Verdict::StuckPoll(_)));
    if second.hash != first.hash && !died {
        let seed = first.seed;
        let difference = find_difference(launch, job, seed);
        second.failure = Some(Verdict::Nondeterminism(format!(
            "seed {seed} gave hash {:016x} ({} events) and then {:016x} ({} events); {}\n{difference}",
            first.hash,
            first.events,
            second.hash,
            second.events,
            where_they_part(&first.checkpoints, &second.checkpoints)
        )));
    }
    second
}

/// Between which events two runs part, by their checkpoints.
pub(crate) fn where_they_part(one: &[u64], other: &[u64]) -> String {
    let alike = one.iter().zip(other).take_while(|(one, other)| one == other).count() as u64;
    format!("they part between events {} and {}", alike * CHECKPOINT_EVERY, (alike + 1) * CHECKPOINT_EVERY)
}

/// Runs a seed with full traces until two of them differ, and shows the first event that does.
pub(crate) fn find_difference(launch: &Launch, job: &Job, seed: u64) -> String {
    const TRIES: u32 = 5;
    let path = |number: u32| std::env::temp_dir().join(format!("simurgh-trace-{}-{seed}-{number}", std::process::id()));
    let trace = |seeds: Vec<u64>, path: &Path| {
        let job = Job { seeds, trace: Some(path.to_owned()), ..job.clone() };
        launch.run(&job, drop);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = trace(vec![seed], &path(0));
    for number in 1..=TRIES {
        // Every other time the process has run another seed before, as in a batch.
        let seeds = if number % 2 == 1 { vec![seed.wrapping_add(1), seed] } else { vec![seed] };
        let second = trace(seeds, &path(number));
        if let Some(difference) = first_difference(&first, &second) {
            return format!("the first event that differs, of two runs of seed {seed}:\n{difference}");
        }
    }
    format!(
        "{TRIES} more pairs of runs with full traces were alike: the difference is rare or depends on the order of seeds"
    )
}

/// What a failure looks like to a person.
pub(crate) fn describe_failure(name: &str, report: &Report, replay: &str) -> String {
    let Some(failure) = &report.failure else { return String::new() };
    let mut text = String::new();
    let _ = writeln!(text, "simulation {name} failed with seed {}", report.seed);
    let _ = writeln!(text, "  {failure}");
    let _ =
        writeln!(text, "  at {:?} of virtual time, event {}, hash {:016x}", report.elapsed, report.events, report.hash);
    if !report.last_events.is_empty() {
        let _ = writeln!(text, "the last events of each node:");
        text.push_str(&report.last_events);
    }
    let _ = write!(text, "replay it: {replay}");
    text
}

/// Runs a simulation as a plain test: what `#[simurgh_sim::test]` expands to.
///
/// `path` is the test's path with its crate, `seeds` how many seeds to run unless the environment
/// says otherwise: `SIM_SEED=27` runs that one, `SIM_SEEDS=5000` the first so many, and
/// `SIM_TRACE=file` writes every event of the (first) seed.
pub fn run_test<F, B>(path: &str, seeds: u64, profile: &Profile, body: B) -> ExitCode
where
    F: Future<Output = Result<(), String>> + Send + 'static,
    B: Fn(Sim) -> F + Send + Sync + 'static,
{
    let body: Body = Arc::new(move |sim| Box::pin(body(sim)));
    if let Some(job) = Job::of_this_process() {
        job.work(profile, &body);
        return ExitCode::SUCCESS;
    }
    match Wanted::from_env(seeds) {
        Ok(wanted) => test(path, &wanted),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What the environment asks of a test.
struct Wanted {
    seeds: Vec<u64>,
    asked: bool,
    trace: Option<PathBuf>,
}

impl Wanted {
    fn from_env(seeds: u64) -> Result<Self, String> {
        let number = |name: &str| match std::env::var(name) {
            Err(_) => Ok(None),
            Ok(text) => text
                .trim()
                .parse::<u64>()
                .map(Some)
                .map_err(|_| format!("{name}: \"{text}\" is not a number from 0 to {}", u64::MAX)),
        };
        let trace = std::env::var_os("SIM_TRACE").map(PathBuf::from);
        let (one, many) = (number("SIM_SEED")?, number("SIM_SEEDS")?);
        let seeds = match (one, many) {
            (Some(seed), _) => vec![seed],
            (None, many) => (0..many.unwrap_or(seeds)).collect(),
        };
        Ok(Self { seeds, asked: one.is_some() || many.is_some(), trace })
    }
}

fn test(path: &str, wanted: &Wanted) -> ExitCode {
    // libtest knows the path without its crate.
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    let args = ["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"];
    let launch = Launch { args: args.map(str::to_owned).to_vec() };
    let job = Job { seeds: wanted.seeds.clone(), ..Job::default() };
    // The harness runs tests side by side already; only a sweep that was asked for takes all cores.
    let workers = if wanted.asked { all_cores() } else { 1 };
    let mut progress = wanted.asked.then(|| Progress::new(name, Goal::Seeds(wanted.seeds.len())));
    let mut bad: Option<Report> = None;
    sweep(&launch, &job, workers, BATCH, |report| {
        if let Some(progress) = &mut progress {
            progress.add(report.failure.is_some());
        }
        let suspicious = report.failure.is_some() || report.seed % RECHECK == 0;
        let report = if suspicious { look_again(&launch, &job, &report) } else { report };
        if report.failure.is_some() {
            bad.get_or_insert(report);
        }
        bad.is_none()
    });
    if let Some(progress) = &progress {
        progress.finish();
    }
    if let (Some(trace), Some(&seed)) = (&wanted.trace, wanted.seeds.first()) {
        let seed = bad.as_ref().map_or(seed, |report| report.seed);
        launch.run(&Job { seeds: vec![seed], trace: Some(trace.clone()), ..job }, drop);
        let _ = writeln!(std::io::stderr(), "every event of seed {seed} is in {}", trace.display());
    }
    let Some(report) = bad else { return ExitCode::SUCCESS };
    let package = std::env::var("CARGO_PKG_NAME").map(|package| format!(" -p {package}")).unwrap_or_default();
    let replay = format!("SIM_SEED={} cargo test{package} -- --exact {name}", report.seed);
    eprintln!("{}", describe_failure(name, &report, &replay));
    ExitCode::FAILURE
}

/// Runs an example of the documentation, with one seed, in this process.
///
/// # Panics
/// If the body fails.
#[doc(hidden)]
pub fn doctest<F, B>(body: B)
where
    F: Future<Output = Outcome> + Send + 'static,
    B: Fn(Sim) -> F + Send + Sync + 'static,
{
    let body: Body = Arc::new(move |sim| {
        let future = body(sim);
        Box::pin(async move { future.await.map_err(|failure| failure.0) })
    });
    let report = run_once(&RunConfig { in_words: true, ..RunConfig::new(0, Profile::nasty()) }, &body);
    if let Some(failure) = &report.failure {
        panic!("{failure}\n{}", report.last_events);
    }
}
