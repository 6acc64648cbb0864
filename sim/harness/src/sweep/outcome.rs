//! What a sweep came to, as data and in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

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
    /// `new`, `known`, `rare` or `resolved`.
    pub standing: String,
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

impl SweepReport {
    /// Whether nothing was found, every scenario came to what it expects, and the canary was seen.
    pub fn is_green(&self) -> bool {
        self.class == "pass"
    }

    /// Seeds of all scenarios.
    pub fn seeds(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.seeds).sum()
    }

    /// The whole sweep in words.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let wall = self.wall_ms.max(1) as f64 / 1e3;
        let virtual_s: f64 = self.scenarios.iter().map(|scenario| scenario.virtual_ns as f64 / 1e9).sum();
        let busy: f64 = self.scenarios.iter().map(|scenario| scenario.wall_ms as f64 / 1e3).sum();
        let _ = writeln!(
            text,
            "{:<44} {:>8} {:>8} {:>9} {:>10} {:>7}  outcome",
            "scenario", "seeds", "seeds/s", "virt/wall", "slowest", "failed"
        );
        let mut rows: Vec<&SweptScenario> = self.scenarios.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.wall_ms / row.seeds.max(1)));
        for row in rows {
            let seconds = row.wall_ms.max(1) as f64 / 1e3;
            let _ = writeln!(
                text,
                "{:<44} {:>8} {:>8.1} {:>9.0} {:>7} ms {:>7}  {}{}",
                row.name,
                row.seeds,
                row.seeds as f64 / seconds,
                row.virtual_ns as f64 / 1e9 / seconds,
                row.slowest.1,
                row.failed,
                row.class,
                if row.must_fail { " (must fail)" } else { "" }
            );
        }
        for probe in &self.probes {
            for (scenario, seeds) in &probe.counts {
                let hit = if *seeds == 0 { "MISS".to_owned() } else { format!("{seeds} seeds") };
                let _ = writeln!(text, "probe {:<44} {scenario:<40} {hit:>12}", probe.name);
            }
        }
        let _ = writeln!(
            text,
            "determinism: {} of {} seeds that were run twice came out the same",
            self.rechecked - self.mismatched,
            self.rechecked
        );
        match &self.canary {
            Some((name, true)) => drop(writeln!(text, "canary: {name} failed, as it must")),
            Some((name, false)) => drop(writeln!(text, "canary: {name} was NOT caught")),
            None => drop(writeln!(text, "canary: none")),
        }
        for finding in &self.findings {
            let seen =
                if finding.count == 0 { "in an earlier sweep".into() } else { format!("{} seeds", finding.count) };
            let _ = writeln!(
                text,
                "{} {}: {} {} {}, {seen}\n  {}\n  {}",
                finding.standing.to_uppercase(),
                finding.fingerprint,
                finding.class,
                finding.invariant,
                finding.scenario,
                finding.message,
                finding.replay
            );
        }
        let _ = writeln!(
            text,
            "{}{}: {} seeds of {} scenarios in {wall:.1} s, {:.1} seeds/s, {:.0} virtual seconds a second, {:.2} of {} \
             workers busy",
            if self.is_green() { "green" } else { "RED" },
            if self.is_green() { String::new() } else { format!(" ({}) {}", self.class, self.message) },
            self.seeds(),
            self.scenarios.len(),
            self.seeds() as f64 / wall,
            virtual_s / wall,
            busy / wall,
            self.workers
        );
        text
    }
}
