//! Sweeps: many seeds of many scenarios, in worker processes, until the time is over.

mod journal;
mod outcome;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use simurgh_runtime::sync::Mutex;
use simurgh_sim::say;
use simurgh_sim::shared::{Goal, Progress};

use crate::bank::{self, Bank, Pending};
use crate::base::{INTERVAL, first_seed};
use crate::file::Scenario;
use crate::judge::{CLASSES, exit_code};
use crate::render::Standing;
use crate::report::{Report, replay_command};
use crate::set::{SetReport, look_again};
use crate::worker::{Job, launch};
use journal::{Found, Journal, Line, Past};
pub use outcome::{SweepFinding, SweepReport, SweptProbe, SweptScenario};
use queue::Swept;

/// Most defects of one scenario that are kept apart.
const DEFECTS_MAX: usize = 50;
/// Seeds of one defect that are run again to see whether they repeat.
const LOOKS: u32 = 3;

/// How a sweep is run.
pub(crate) struct Options {
    pub(crate) budget: Duration,
    pub(crate) jobs: usize,
    /// The first seed; None goes on after those that the journal tells of.
    pub(crate) from: Option<u64>,
    pub(crate) journal: PathBuf,
    /// What is known beside the journal, and where failures go that nobody expects.
    pub(crate) bank: Bank,
    pub(crate) pending: Pending,
}

/// The classes and their exit codes, for `--help`.
pub(crate) fn codes() -> String {
    let lines = CLASSES.iter().map(|(name, code, about)| format!("  {code:>3}  {name:<20} {about}"));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// What worker threads tell.
enum Told {
    /// A seed failed, at first sight.
    Suspect(usize, Box<Report>),
    /// A seed was run: its report, how long it took, whether it was run twice.
    Ran(usize, Box<Report>, Duration, bool),
    /// A batch is done.
    Done(u64),
    /// What is run cannot be written down any more.
    Trouble(String),
}

/// Sweeps; `scenarios` has the canary first.
pub(crate) fn sweep(scenarios: Vec<Scenario>, options: &Options) -> Result<SweepReport, String> {
    let began = Instant::now();
    let mut past = Past::read(&options.journal, INTERVAL);
    past.know(&options.bank, &scenarios);
    tell_past(&past);
    let mut journal = Journal::open(&options.journal)?;
    let commit = commit();
    journal.write(&Line::Begin { commit: commit.clone(), from: options.from.unwrap_or(0) })?;
    let mut all: Vec<Swept> = scenarios
        .into_iter()
        .map(|scenario| {
            let file = scenario.path.display().to_string();
            let from = options.from.unwrap_or_else(|| match first_seed(&scenario, &commit, bank::day()) {
                0 => past.next.get(&file).copied().unwrap_or(0),
                first => first,
            });
            let mut swept = Swept::new(scenario, from, (from / INTERVAL + 1) * INTERVAL);
            // First what a killed sweep was running, and what once failed.
            swept.first.extend(past.unfinished.iter().filter(|(of, _)| *of == file).map(|(_, seeds)| seeds.clone()));
            swept.first.extend(past.open.values().filter(|found| found.file == file).map(|found| vec![found.seed]));
            swept
        })
        .collect();
    // A canary says whether this very sweep sees: it begins where it is known to fail.
    all.iter_mut().filter(|swept| swept.must_fail).for_each(|swept| swept.first.truncate(8));
    let queue = Mutex::new(all);
    let looks: Mutex<BTreeMap<String, u32>> = Mutex::default();
    let journal = Mutex::new(journal);
    let mut collected = Collected::new(&queue.lock(), &past, options);
    let (batches, is_stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sender, told) = mpsc::sync_channel(256);
    let mut trouble = None;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let sender = sender.clone();
            let (queue, looks, journal, batches, is_stopped) = (&queue, &looks, &journal, &batches, &is_stopped);
            scope.spawn(move || {
                loop {
                    let left = options.budget.saturating_sub(began.elapsed());
                    if left.is_zero() || is_stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let (at, job, every) = {
                        let mut all = queue.lock();
                        let Some((at, seeds)) = queue::take(&mut all, left) else { return };
                        (at, Job { seeds, ..all[at].job.clone() }, all[at].every)
                    };
                    let batch = batches.fetch_add(1, Ordering::Relaxed) + 1;
                    let file = job.path.display().to_string();
                    let line = Line::Start { batch, file, seeds: job.seeds.clone() };
                    if let Err(why) = journal.lock().write(&line) {
                        let _ = sender.send(Told::Trouble(why));
                        return;
                    }
                    let started = Instant::now();
                    run_batch(at, &job, every, looks, &sender);
                    queue.lock()[at].ran(job.seeds.len() as u64, started.elapsed());
                    let _ = sender.send(Told::Done(batch));
                }
            });
        }
        drop(sender);
        let mut progress = Progress::new("sweep", Goal::Time(options.budget));
        loop {
            match told.recv_timeout(Duration::from_millis(200)) {
                Ok(told) => {
                    if let Err(why) = collected.hear(told, &queue, &journal) {
                        // A sweep that cannot write what it does ends.
                        is_stopped.store(true, Ordering::Relaxed);
                        trouble.get_or_insert(why);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            progress.show(collected.seeds as usize, collected.unexpected());
        }
        progress.finish();
    });
    if let Some(why) = trouble {
        return Err(why);
    }
    let all = queue.into_inner();
    let mut journal = journal.into_inner();
    let mut report = collected.report(&all);
    for finding in report.findings.iter().filter(|finding| finding.standing == Standing::Resolved) {
        journal.write(&Line::Resolved { fingerprint: finding.fingerprint.clone() })?;
    }
    report.commit = commit;
    report.seeds_from = options.from.unwrap_or(0);
    report.workers = options.jobs as u64;
    report.wall_ms = began.elapsed().as_millis() as u64;
    journal.write(&Line::End { class: report.class.clone() })?;
    Ok(report)
}

/// Runs a batch, and then twice what failed and a sample of the others.
fn run_batch(at: usize, job: &Job, every: u64, looks: &Mutex<BTreeMap<String, u32>>, sender: &mpsc::SyncSender<Told>) {
    let mut again = Vec::new();
    let mut left = job.seeds.clone();
    while !left.is_empty() {
        let mut last = Instant::now();
        let seeds = std::mem::take(&mut left);
        left = launch(&Job { seeds, ..job.clone() }, |report| {
            let took = last.elapsed();
            last = Instant::now();
            let is_looked_at = if report.passed() {
                report.seed.is_multiple_of(every)
            } else {
                let _ = sender.send(Told::Suspect(at, Box::new(report.clone())));
                let mut looks = looks.lock();
                let count = looks.entry(report.verdict.fingerprint.clone()).or_default();
                *count += 1;
                *count <= LOOKS
            };
            if is_looked_at {
                again.push((report, took));
            } else {
                let _ = sender.send(Told::Ran(at, Box::new(report), took, false));
            }
        });
    }
    for (report, took) in again {
        let report = look_again(job, report);
        let _ = sender.send(Told::Ran(at, Box::new(report), took, true));
    }
}

/// What was heard so far.
struct Collected<'a> {
    options: &'a Options,
    sets: Vec<SetReport>,
    rows: Vec<SweptScenario>,
    /// Findings by whether they were planted, and fingerprint: a planted bug hides no other that looks like it.
    seen: BTreeMap<(bool, String), (usize, SweepFinding)>,
    written: BTreeSet<(bool, String)>,
    passed: BTreeSet<(String, u64)>,
    past: BTreeMap<String, Found>,
    seeds: u64,
}

impl<'a> Collected<'a> {
    fn new(all: &[Swept], past: &Past, options: &'a Options) -> Self {
        let set = |swept: &Swept| SetReport {
            scenario: swept.scenario.name().to_owned(),
            file: swept.scenario.path.display().to_string(),
            ..SetReport::default()
        };
        let row = |swept: &Swept| SweptScenario {
            name: swept.scenario.name().to_owned(),
            file: swept.scenario.path.display().to_string(),
            must_fail: swept.must_fail,
            ..SweptScenario::default()
        };
        Self {
            options,
            sets: all.iter().map(set).collect(),
            rows: all.iter().map(row).collect(),
            seen: BTreeMap::new(),
            written: BTreeSet::new(),
            passed: BTreeSet::new(),
            past: past.open.clone(),
            seeds: 0,
        }
    }

    fn hear(&mut self, told: Told, queue: &Mutex<Vec<Swept>>, journal: &Mutex<Journal>) -> Result<(), String> {
        match told {
            Told::Trouble(why) => Err(why),
            Told::Done(batch) => journal.lock().write(&Line::Done { batch }),
            Told::Suspect(at, report) => self.write(at, &report, queue, journal),
            Told::Ran(at, report, took, twice) => {
                self.seeds += 1;
                let (set, row) = (&mut self.sets[at], &mut self.rows[at]);
                set.add(&report);
                row.seeds += 1;
                row.virtual_ns += report.elapsed_ns;
                let took_ms = took.as_millis() as u64;
                if took_ms >= row.slowest.1 {
                    row.slowest = (report.seed, took_ms);
                }
                set.count_look(&report, twice);
                {
                    let mut all = queue.lock();
                    all[at].done += 1;
                    all[at].virtual_s += report.elapsed_ns as f64 / 1e9;
                    all[at].is_over |= all[at].must_fail && !report.passed();
                }
                if report.passed() {
                    let file = self.rows[at].file.clone();
                    if self.past.values().any(|found| found.file == file && found.seed == report.seed) {
                        self.passed.insert((file, report.seed));
                    }
                    return Ok(());
                }
                self.rows[at].failed += 1;
                self.write(at, &report, queue, journal)?;
                self.find(at, *report);
                Ok(())
            }
        }
    }

    /// Into the journal, the first time that this sweep sees it.
    fn write(
        &mut self,
        at: usize,
        report: &Report,
        queue: &Mutex<Vec<Swept>>,
        journal: &Mutex<Journal>,
    ) -> Result<(), String> {
        if !self.written.insert((self.rows[at].must_fail, report.verdict.fingerprint.clone())) {
            return Ok(());
        }
        self.options.pending.keep(&queue.lock()[at].scenario, report);
        journal.lock().write(&Line::Found(Found {
            fingerprint: report.verdict.fingerprint.clone(),
            class: report.verdict.class.clone(),
            invariant: report.verdict.invariant.clone(),
            message: report.verdict.message.lines().next().unwrap_or_default().to_owned(),
            file: self.rows[at].file.clone(),
            seed: report.seed,
            expected: self.rows[at].must_fail,
        }))
    }

    /// Defects that nobody planted.
    fn unexpected(&self) -> usize {
        self.seen.keys().filter(|(expected, _)| !expected).count()
    }

    fn find(&mut self, at: usize, report: Report) {
        let verdict = &report.verdict;
        let row = &self.rows[at];
        let finding = self.seen.entry((row.must_fail, verdict.fingerprint.clone())).or_insert_with(|| {
            let finding = SweepFinding {
                fingerprint: verdict.fingerprint.clone(),
                class: verdict.class.clone(),
                invariant: verdict.invariant.clone(),
                message: verdict.message.lines().next().unwrap_or_default().to_owned(),
                scenario: row.name.clone(),
                seed: report.seed,
                replay: replay_command(&row.file, report.seed),
                ..SweepFinding::default()
            };
            (at, finding)
        });
        finding.1.count += 1;
        let set = &mut self.sets[at];
        let is_known = set.findings.iter().any(|(known, _)| known.verdict.fingerprint == report.verdict.fingerprint);
        if is_known || set.findings.len() < DEFECTS_MAX {
            set.find(report);
        }
    }

    fn report(mut self, all: &[Swept]) -> SweepReport {
        let mut probes: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (at, swept) in all.iter().enumerate() {
            let (set, row) = (&mut self.sets[at], &mut self.rows[at]);
            set.findings.sort_by_key(|(report, _)| report.seed);
            set.virtual_s = swept.virtual_s;
            set.wall_s = swept.wall_s;
            set.judge(&swept.scenario, row.seeds >= swept.count);
            if row.seeds == 0 {
                set.class = "not-run".into();
            } else if set.class == "not-found" && at > 0 && row.seeds < swept.count {
                set.class = "too-few-seeds".into();
            }
            row.class.clone_from(&set.class);
            row.wall_ms = (swept.wall_s * 1e3) as u64;
            for (probe, seeds) in &set.probes {
                probes.entry(probe.clone()).or_default().insert(row.name.clone(), *seeds);
            }
        }
        let mut findings: Vec<SweepFinding> = Vec::new();
        let unexpected = self.seen.into_iter().filter(|((expected, _), _)| !expected);
        for (_, (at, mut finding)) in unexpected {
            let is_known = self.past.contains_key(&finding.fingerprint);
            let (standing, mended_by) = self.options.bank.standing_of(&finding, is_known, self.rows[at].seeds);
            finding.standing = standing;
            if let Some(by) = mended_by {
                finding.message = format!("mended by {by}, and fails again: {}", finding.message);
            }
            findings.push(finding);
        }
        for (fingerprint, found) in self.past {
            let was_run = self.passed.contains(&(found.file.clone(), found.seed));
            if was_run && !findings.iter().any(|finding| finding.fingerprint == fingerprint) {
                findings.push(SweepFinding {
                    fingerprint,
                    standing: Standing::Resolved,
                    class: found.class,
                    invariant: found.invariant,
                    message: found.message,
                    scenario: found.file.clone(),
                    seed: found.seed,
                    count: 0,
                    replay: replay_command(&found.file, found.seed),
                });
            }
        }
        let canary = all
            .first()
            .filter(|swept| swept.must_fail)
            .map(|_| (self.rows[0].name.clone(), self.rows[0].failed > 0 && self.sets[0].class == "pass"));
        let (class, message) = judge(&self.sets, canary.as_ref());
        SweepReport {
            magic: outcome::MAGIC.into(),
            schema: crate::report::SCHEMA,
            exit_code: exit_code(&class),
            class,
            message,
            rechecked: self.sets.iter().map(|set| set.rechecked.0).sum(),
            mismatched: self.sets.iter().map(|set| set.rechecked.0 - set.rechecked.1).sum(),
            scenarios: self.rows,
            findings,
            probes: probes.into_iter().map(|(name, counts)| SweptProbe { name, counts }).collect(),
            canary,
            sets: self.sets,
            ..SweepReport::default()
        }
    }
}

/// The worst of all: what does not repeat, then a canary that was not seen, then the order of the classes.
fn judge(sets: &[SetReport], canary: Option<&(String, bool)>) -> (String, String) {
    let mut bad: Vec<(usize, String, String)> = sets
        .iter()
        .filter(|set| !matches!(set.class.as_str(), "pass" | "not-run" | "too-few-seeds"))
        .map(|set| {
            let order = CLASSES.iter().position(|(name, ..)| *name == set.class).unwrap_or(CLASSES.len());
            let rank = if set.class == "nondeterminism" { 0 } else { 2 + order };
            (rank, set.class.clone(), format!("{}: {}", set.scenario, set.message))
        })
        .collect();
    match canary {
        None => bad.push((1, "harness".into(), "there was no canary: nothing shows that a failure is seen".into())),
        Some((name, false)) => bad.push((1, "harness".into(), format!("the canary {name} did not fail as it must"))),
        Some(_) => {}
    }
    bad.into_iter().min().map_or_else(|| ("pass".into(), String::new()), |(_, class, message)| (class, message))
}

fn tell_past(past: &Past) {
    if past.was_killed {
        let seeds: usize = past.unfinished.iter().map(|(_, seeds)| seeds.len()).sum();
        say!("the last sweep was killed; the {seeds} seeds that it was running come first");
    }
    for found in past.open.values() {
        say!(
            "found earlier: {} {} {} {} seed {}: {}",
            found.fingerprint,
            found.class,
            found.invariant,
            found.file,
            found.seed,
            found.message
        );
    }
}

/// The commit of the folder that this runs in; empty if there is none.
fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    output
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
