//! A set of seeds of one scenario: what they came to together.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use simurgh_sim::shared::{Goal, Progress, all_cores, in_batches};

use crate::bank::{Pending, Running};
use crate::file::{Node, Scenario};
use crate::judge::exit_code;
use crate::plan::{effects_wanted, texts};
use crate::report::{Judgement, Report};
use crate::run::Look;
use crate::worker::{Job, launch};

/// Events and messages kept of a failing run.
pub(crate) const KEEP: usize = 3000;
/// Seeds that a worker takes at once.
const BATCH: usize = 10;
/// Below so many seeds, nothing is said about what a set must have reached.
const FEW: usize = 20;

/// What a set of seeds came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SetReport {
    /// The scenario.
    pub scenario: String,
    /// Its file.
    pub file: String,
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds that were run twice, and of them those that came out the same.
    pub rechecked: (u64, u64),
    /// `pass`, or the class of what is wrong.
    pub class: String,
    /// What is wrong, in words.
    pub message: String,
    /// The findings, one for each fingerprint, with how many seeds showed it.
    pub findings: Vec<(Report, u64)>,
    /// Probes: in how many seeds each was passed.
    pub probes: BTreeMap<String, u64>,
    /// Invariants: how often each was asked, over all seeds.
    pub evaluated: BTreeMap<String, u64>,
    /// Kinds of faults: attempted, effective, weakened, refused.
    pub faults: BTreeMap<String, [u64; 4]>,
    /// What kinds of faults did: kind, measure, count.
    pub effects: BTreeMap<String, BTreeMap<String, u64>>,
    /// Runs that could not be judged.
    pub inconclusive: u64,
    /// Virtual time in all, in seconds.
    pub virtual_s: f64,
    /// Real time in all, in seconds.
    pub wall_s: f64,
}

impl SetReport {
    /// Whether everything that the scenario demands is so.
    pub fn is_green(&self) -> bool {
        self.class == "pass"
    }

    /// The exit code of its class.
    pub fn exit_code(&self) -> u8 {
        exit_code(&self.class)
    }

    pub(crate) fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.virtual_s += report.elapsed_ns as f64 / 1e9;
        for probe in &report.probes {
            *self.probes.entry(probe.name.clone()).or_default() += u64::from(probe.count > 0);
        }
        for invariant in &report.invariants {
            *self.evaluated.entry(invariant.name.clone()).or_default() += invariant.evaluated;
        }
        for fault in &report.faults {
            let counts = self.faults.entry(fault.kind.clone()).or_default();
            counts[0] += 1;
            let had_effect = fault.effects.values().any(|count| *count > 0);
            counts[1] += u64::from(had_effect);
            counts[2] += u64::from(fault.outcome == "weakened");
            counts[3] += u64::from(fault.outcome == "refused");
            let effects = self.effects.entry(fault.kind.clone()).or_default();
            for (measure, count) in &fault.effects {
                *effects.entry(measure.clone()).or_default() += count;
            }
        }
        self.inconclusive += u64::from(report.verdict.class == "inconclusive");
    }

    /// Counts a run that was looked at twice.
    pub(crate) fn count_look(&mut self, report: &Report, twice: bool) {
        if twice {
            self.rechecked.0 += 1;
            self.rechecked.1 += u64::from(report.verdict.class != "nondeterminism");
        }
    }

    pub(crate) fn find(&mut self, report: Report) {
        let known = self.findings.iter_mut().find(|(known, _)| known.verdict.fingerprint == report.verdict.fingerprint);
        match known {
            Some((_, count)) => *count += 1,
            None => self.findings.push((report, 1)),
        }
    }

    /// Judges the set by what its scenario expects.
    pub(crate) fn judge(&mut self, scenario: &Scenario, is_set: bool) {
        let wanted = scenario.outcome().strip_prefix("fail:");
        let bad = self.findings.iter().filter(|(report, _)| !scenario.expects(&report.verdict));
        // What does not repeat outranks every other finding.
        let worst = bad.max_by_key(|(report, _)| {
            (report.verdict.class == "nondeterminism", report.verdict.class != "inconclusive")
        });
        let (class, message) = if let Some((report, _)) = worst {
            let invariant = &report.verdict.invariant;
            let name = if invariant.is_empty() { String::new() } else { format!(" {invariant}") };
            (report.verdict.class.clone(), format!("seed {}:{name} {}", report.seed, report.verdict.message))
        } else if let Some(wanted) = wanted.filter(|_| self.findings.is_empty()) {
            ("not-found".into(), format!("no seed of {} failed with {wanted}, as they must", self.seeds))
        } else if wanted.is_none()
            && let Some((class, message)) = self.unmet(scenario, is_set)
        {
            (class.to_owned(), message)
        } else {
            ("pass".into(), String::new())
        };
        (self.class, self.message) = (class, message);
    }

    fn unmet(&self, scenario: &Scenario, is_set: bool) -> Option<(&'static str, String)> {
        if !is_set {
            return None;
        }
        let missed: Vec<String> = texts(scenario, "expect.reach")
            .into_iter()
            .filter(|probe| self.probes.get(probe).is_none_or(|seeds| *seeds == 0))
            .collect();
        if !missed.is_empty() {
            return Some(("reach", format!("MISS: no seed of {} passed {}", self.seeds, missed.join(", "))));
        }
        for (kind, condition) in effects_wanted(scenario) {
            let count =
                self.effects.get(&kind).and_then(|effects| effects.get(&condition.measure)).copied().unwrap_or(0);
            if count < condition.least {
                return Some((
                    "effect",
                    format!(
                        "{kind}: {} is {count} in {} seeds, at least {} was expected",
                        condition.measure, self.seeds, condition.least
                    ),
                ));
            }
        }
        let idle: Vec<&String> = self
            .faults
            .iter()
            .filter(|(_, [tried, had_effect, ..])| *tried > 0 && *had_effect == 0)
            .map(|(kind, _)| kind)
            .collect();
        if self.seeds as usize >= FEW && !idle.is_empty() {
            let names: Vec<&str> = idle.iter().map(|kind| kind.as_str()).collect();
            return Some((
                "effect",
                format!(
                    "without any effect in {} seeds: {}; a fault without effect tests nothing",
                    self.seeds,
                    names.join(", ")
                ),
            ));
        }
        None
    }

    /// The set in words.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let per_minute = self.seeds as f64 / self.wall_s.max(1e-9) * 60.0;
        let _ = writeln!(
            text,
            "{}: {}{}\n{} seeds, {} findings, {per_minute:.0} seeds a minute, {:.0} s of virtual time in {:.1} s",
            self.scenario,
            if self.is_green() { "green" } else { "RED" },
            if self.is_green() { String::new() } else { format!(" ({}): {}", self.class, self.message) },
            self.seeds,
            self.findings.len(),
            self.virtual_s,
            self.wall_s
        );
        let _ = writeln!(
            text,
            "determinism: {} of {} seeds that were run twice came out the same",
            self.rechecked.1, self.rechecked.0
        );
        if self.inconclusive > 0 {
            let _ = writeln!(text, "inconclusive: {} runs could not be judged", self.inconclusive);
        }
        for (name, count) in &self.evaluated {
            let _ = writeln!(text, "  invariant {name:<36} asked {count:>10} times");
        }
        for (name, seeds) in self.probes.iter().filter(|(_, seeds)| **seeds > 0) {
            let _ = writeln!(text, "  probe     {name:<36} {seeds:>10} seeds");
        }
        for (kind, [tried, had_effect, weakened, refused]) in &self.faults {
            let _ = writeln!(
                text,
                "  fault     {kind:<16} {tried:>6} attempted, {had_effect:>6} effective, {weakened:>5} weakened, {refused:>5} refused"
            );
        }
        for (report, seeds) in &self.findings {
            let _ = writeln!(
                text,
                "finding {}: {} {} in {seeds} seeds, first {} at {:.6} s, event {}\n  {}",
                report.verdict.fingerprint,
                report.verdict.class,
                report.verdict.invariant,
                report.seed,
                report.elapsed_ns as f64 / 1e9,
                report.verdict.event,
                report.verdict.message
            );
        }
        text
    }
}

/// How a set is run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// Stop at the first finding.
    pub(crate) first: bool,
    /// Show how far it is.
    pub(crate) progress: bool,
    /// Where seeds are written down before they are run.
    pub(crate) running: Option<&'a Running>,
    /// Where failures go that nobody expects.
    pub(crate) pending: Option<&'a Pending>,
}

/// Runs seeds of a scenario, those that fail and a share of the others twice.
pub(crate) fn run_set(scenario: &Scenario, seeds: &[u64], options: Options<'_>) -> SetReport {
    let began = Instant::now();
    let mut set = SetReport {
        scenario: scenario.name().to_owned(),
        file: scenario.path.display().to_string(),
        ..SetReport::default()
    };
    let every = scenario.recheck_every();
    let job = Job::new(scenario, seeds.to_vec());
    let plateau = scenario
        .root
        .find("seeds.stop")
        .and_then(Node::as_text)
        .and_then(|stop| stop.strip_prefix("plateau:")?.parse::<u64>().ok());
    let (mut reached, mut since_new) = (0, 0u64);
    let mut progress = options.progress.then(|| Progress::new(scenario.name(), Goal::Seeds(seeds.len())));
    // In the thread of its worker: a second look takes as long as the first.
    let run = |seeds: Vec<u64>, tell: &mut dyn FnMut((Report, bool))| {
        if let Some(running) = options.running {
            running.start(&seeds);
        }
        launch(&Job { seeds, ..job.clone() }, |report| {
            let twice = !report.passed() || report.seed.is_multiple_of(every);
            tell((if twice { look_again(&job, report) } else { report }, twice));
        })
    };
    in_batches(seeds, all_cores(), BATCH, run, |(report, twice)| {
        set.count_look(&report, twice);
        set.add(&report);
        if let Some(pending) = options.pending {
            pending.keep(scenario, &report);
        }
        if let Some(running) = options.running {
            running.done(report.seed);
        }
        if !report.passed() {
            set.find(report);
        }
        if let Some(progress) = &mut progress {
            progress.show(set.seeds as usize, set.findings.len());
        }
        let now = set.probes.values().filter(|seeds| **seeds > 0).count();
        since_new = if now > reached { 0 } else { since_new + 1 };
        reached = now;
        (!options.first || set.findings.is_empty()) && plateau.is_none_or(|most| since_new < most)
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    set.findings.sort_by_key(|(report, _)| report.seed);
    set.wall_s = began.elapsed().as_secs_f64();
    set.judge(scenario, seeds.len() > 1);
    set
}

/// Runs a seed again in a process of its own, with all that a report shows. A run that does not repeat is a finding
/// that outranks its own failure.
pub(crate) fn look_again(job: &Job, first: Report) -> Report {
    let look = if first.passed() { Look::default() } else { Look { keep: KEEP, record: false } };
    let mut second = None;
    launch(&Job { seeds: vec![first.seed], look, ..job.clone() }, |report| second = Some(report));
    let Some(mut second) = second else { return first };
    let died = matches!(first.verdict.class.as_str(), "crash" | "stuck-poll" | "host-timeout");
    if second.trace_hash != first.trace_hash && !died {
        let why = format!(
            "seed {} gave hash {} ({} events) and then {} ({} events)",
            first.seed, first.trace_hash, first.events, second.trace_hash, second.events
        );
        second.verdict = Judgement::new("nondeterminism", "", &why, &[]);
    }
    second
}
