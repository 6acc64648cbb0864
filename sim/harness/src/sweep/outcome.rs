//! What a sweep came to, as data and in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::render::Standing;
use crate::report::SCHEMA;
use crate::set::SetReport;

/// A sweep: many seeds of many scenarios.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepReport {
    /// Always `simurgh sweep`.
    pub magic: String,
    /// The form of this report.
    pub schema: u32,
    /// The commit that was swept.
    pub commit: String,
    /// The first seed of the sweep's interval.
    pub seeds_from: u64,
    /// Processes at once.
    pub workers: u64,
    /// How long it took, in real milliseconds.
    pub wall_ms: u64,
    /// `pass`, or the class of the worst that is wrong.
    pub class: String,
    /// The exit code of the class.
    pub exit_code: u8,
    /// What is wrong, in words.
    pub message: String,
    /// The scenarios.
    pub scenarios: Vec<SweptScenario>,
    /// The findings, each defect once.
    pub findings: Vec<SweepFinding>,
    /// Every probe, and in how many seeds each scenario passed it.
    pub probes: Vec<SweptProbe>,
    /// Seeds that were run twice.
    pub rechecked: u64,
    /// Of these, how many came out differently.
    pub mismatched: u64,
    /// The scenario that must fail, and whether it did.
    pub canary: Option<(String, bool)>,
    /// Each scenario as a set, with the full reports of its findings.
    pub sets: Vec<SetReport>,
}

/// A scenario of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweptScenario {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Seeds run.
    pub seeds: u64,
    /// Seeds that failed.
    pub failed: u64,
    /// Virtual time of all.
    pub virtual_ns: u64,
    /// Real time of all, in a worker.
    pub wall_ms: u64,
    /// The seed that took longest, and its real time.
    pub slowest: (u64, u64),
    /// `pass`, or what is wrong with it.
    pub class: String,
    /// It holds a planted bug and must fail.
    pub must_fail: bool,
}

/// A defect that a sweep found, or that an earlier one did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepFinding {
    /// Which defect it is.
    pub fingerprint: String,
    /// Whether an earlier sweep saw it.
    pub standing: Standing,
    /// Its class.
    pub class: String,
    /// The invariant, if one did not hold.
    pub invariant: String,
    /// What was seen first.
    pub message: String,
    /// Where.
    pub scenario: String,
    /// The first seed.
    pub seed: u64,
    /// Seeds that found it; 0 if only an earlier sweep did.
    pub count: u64,
    /// The command that shows it.
    pub replay: String,
}

/// A probe of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweptProbe {
    /// Its name.
    pub name: String,
    /// In how many seeds it was passed, by scenario; 0 is a miss.
    pub counts: BTreeMap<String, u64>,
}

/// What a sweep's report begins with.
pub(super) const MAGIC: &str = "simurgh sweep";

impl SweepReport {
    /// Reads the report of a sweep.
    ///
    /// # Errors
    /// If it is none, or one of a form that this program does not know.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| format!("this is no report: {error}"))?;
        match (report.magic.as_str(), report.schema) {
            (MAGIC, SCHEMA) => Ok(report),
            (MAGIC, other) => Err(format!("the report is of form {other}, this program knows form {SCHEMA}")),
            _ => Err(format!("this is no report of a sweep: it does not begin with the magic \"{MAGIC}\"")),
        }
    }

    /// Whether nothing was found, every scenario came to what it expects, and the canary was seen.
    pub fn is_green(&self) -> bool {
        self.class == "pass"
    }

    /// Seeds of all scenarios.
    pub fn seeds(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.seeds).sum()
    }

    /// In one line.
    pub fn headline(&self) -> String {
        let wall = self.wall_ms.max(1) as f64 / 1e3;
        let virtual_s: f64 = self.scenarios.iter().map(|scenario| scenario.virtual_ns as f64 / 1e9).sum();
        let busy: f64 = self.scenarios.iter().map(|scenario| scenario.wall_ms as f64 / 1e3).sum();
        format!(
            "{} seeds of {} scenarios in {wall:.1} s, {:.1} seeds/s, {:.0} virtual seconds a second, {:.2} of {} workers busy",
            self.seeds(),
            self.scenarios.len(),
            self.seeds() as f64 / wall,
            virtual_s / wall,
            busy / wall,
            self.workers
        )
    }

    /// Its scenarios, the slowest first.
    pub(crate) fn slowest_first(&self) -> Vec<&SweptScenario> {
        let mut rows: Vec<&SweptScenario> = self.scenarios.iter().collect();
        rows.sort_by(|one, other| other.wall_per_seed().total_cmp(&one.wall_per_seed()));
        rows
    }

    /// The canary in words.
    pub(crate) fn canary_told(&self) -> String {
        match &self.canary {
            Some((name, true)) => format!("{name} failed, as it must"),
            Some((name, false)) => format!("{name} was NOT caught: the sweep would not have seen a failure"),
            None => "there was none".to_owned(),
        }
    }

    /// The sample of seeds that were run twice, in words.
    pub(crate) fn sample_told(&self) -> String {
        let same = self.rechecked - self.mismatched;
        format!("{same} of {} seeds that were run twice came out the same", self.rechecked)
    }

    /// The whole sweep in words.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:<44} {:>8} {:>8} {:>9} {:>10} {:>7}  outcome",
            "scenario", "seeds", "seeds/s", "virt/wall", "slowest", "failed"
        );
        for row in self.slowest_first() {
            let _ = writeln!(
                text,
                "{:<44} {:>8} {:>8.1} {:>9.0} {:>7} ms {:>7}  {}",
                row.name,
                row.seeds,
                1e3 / row.wall_per_seed().max(1e-6),
                row.speed(),
                row.slowest.1,
                row.failed,
                row.outcome()
            );
        }
        for probe in &self.probes {
            let passed = probe.counts.iter().filter(|(_, seeds)| **seeds > 0);
            let passed: Vec<String> = passed.map(|(scenario, seeds)| format!("{scenario} in {seeds} seeds")).collect();
            let told = if passed.is_empty() { "MISS: no seed of any scenario".to_owned() } else { passed.join(", ") };
            let _ = writeln!(text, "probe {:<38} {told}", probe.name);
        }
        let _ = writeln!(text, "determinism: {}\ncanary: {}", self.sample_told(), self.canary_told());
        for finding in &self.findings {
            let seen =
                if finding.count == 0 { "in an earlier sweep".into() } else { format!("{} seeds", finding.count) };
            let _ = writeln!(
                text,
                "{} {}: {} {} {}, {seen}\n  {}\n  {}",
                finding.standing.word(),
                finding.fingerprint,
                finding.class,
                finding.invariant,
                finding.scenario,
                finding.message,
                finding.replay
            );
        }
        let verdict =
            if self.is_green() { "green".to_owned() } else { format!("RED ({}) {}", self.class, self.message) };
        let _ = writeln!(text, "{verdict}: {}", self.headline());
        text
    }
}

impl SweptScenario {
    /// Real time of a seed, in milliseconds.
    pub(crate) fn wall_per_seed(&self) -> f64 {
        self.wall_ms as f64 / self.seeds.max(1) as f64
    }

    /// What it came to, in words.
    pub(crate) fn outcome(&self) -> &str {
        if self.must_fail && self.class == "pass" { "found, as it must be" } else { &self.class }
    }

    /// Virtual seconds in a second of real time.
    pub(crate) fn speed(&self) -> f64 {
        self.virtual_ns as f64 / 1e6 / self.wall_ms.max(1) as f64
    }
}
