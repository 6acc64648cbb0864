//! What a sweep came to, and its page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::html::{document, section, table};
use super::{Standing, escape};

/// A sweep: many seeds of many scenarios.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sweep {
    /// Always `simurgh sweep`.
    pub magic: String,
    /// The form of this report.
    pub schema: u32,
    /// The commit that was swept.
    pub commit: String,
    /// The seeds: from, and how many of each scenario at most.
    pub seeds_from: u64,
    /// Processes at once.
    pub workers: u64,
    /// How long it took, in real milliseconds.
    pub wall_ms: u64,
    /// The scenarios.
    pub scenarios: Vec<SweepScenario>,
    /// The findings, each defect once.
    pub findings: Vec<Finding>,
    /// Every probe, and how often each scenario passed it.
    pub probes: Vec<ProbeRow>,
    /// Seeds that were run twice, and how many of them came out differently.
    pub rechecked: u64,
    /// Of these.
    pub mismatched: u64,
    /// The scenario that must fail, and whether it did.
    pub canary: Option<(String, bool)>,
}

/// A scenario of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepScenario {
    /// Its name.
    pub name: String,
    /// Seeds run.
    pub seeds: u64,
    /// Seeds that failed.
    pub failed: u64,
    /// Virtual time of all.
    pub virtual_ns: u64,
    /// Real time of all, in a worker.
    pub wall_ms: u64,
}

/// A defect that was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// Which defect it is.
    pub fingerprint: String,
    /// Whether it was seen before.
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
    /// Seeds that found it.
    pub count: u64,
    /// The command that shows it.
    pub replay: String,
}

/// A probe of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeRow {
    /// Its name.
    pub name: String,
    /// How often it was passed, by scenario.
    pub counts: BTreeMap<String, u64>,
}

impl Sweep {
    /// Seeds of all scenarios.
    pub fn seeds(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.seeds).sum()
    }

    /// Seeds in a second of real time.
    pub fn seeds_per_second(&self) -> f64 {
        self.seeds() as f64 * 1_000.0 / self.wall_ms.max(1) as f64
    }

    /// Virtual time, as a multiple of real time.
    pub fn speed(&self) -> f64 {
        let virtual_ns: u64 = self.scenarios.iter().map(|scenario| scenario.virtual_ns).sum();
        virtual_ns as f64 / 1e6 / self.wall_ms.max(1) as f64
    }

    /// Whether nothing was found, the sample was alike, and the canary was seen.
    pub fn is_green(&self) -> bool {
        self.findings.is_empty() && self.mismatched == 0 && self.canary.as_ref().is_none_or(|(_, seen)| *seen)
    }

    /// In one line.
    pub fn headline(&self) -> String {
        format!(
            "{} seeds of {} scenarios, {} findings; {:.1} seeds/s, {:.0} virtual seconds a second",
            self.seeds(),
            self.scenarios.len(),
            self.findings.len(),
            self.seeds_per_second(),
            self.speed()
        )
    }

    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a sweep is data")
    }

    /// As text for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {}\n", if self.is_green() { "GREEN" } else { "RED" }, self.headline());
        for finding in &self.findings {
            let _ = writeln!(
                text,
                "  {:<8} {} {} ({} seeds): {}\n           {}",
                finding.standing.word(),
                finding.class,
                finding.invariant,
                finding.count,
                finding.message.lines().next().unwrap_or_default(),
                finding.replay
            );
        }
        for (name, what) in self.checks() {
            let _ = writeln!(text, "  {name}: {what}");
        }
        let missed: Vec<&str> = self.missed().collect();
        if !missed.is_empty() {
            let _ = writeln!(text, "  probes that no seed passed: {}", missed.join(", "));
        }
        text
    }

    /// As one HTML file.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        let tone = if self.is_green() { "pass" } else { "bad" };
        let badge = if self.is_green() { "GREEN" } else { "RED" };
        let _ = writeln!(
            body,
            "<header class=\"{tone}\"><p class=\"tags\"><b class=\"badge\">{badge}</b></p><h1>{}</h1><p class=\"note\">commit {} · seeds \
             from {} · {} processes at once · {:.1} s</p></header>",
            escape(&self.headline()),
            escape(&self.commit),
            self.seeds_from,
            self.workers,
            self.wall_ms as f64 / 1_000.0
        );
        self.findings_of(&mut body);
        let checks: Vec<Vec<String>> =
            self.checks().into_iter().map(|(name, what)| vec![name.into(), escape(&what)]).collect();
        section(&mut body, "Can it be trusted", &table(&["", ""], &checks));
        self.scenarios_of(&mut body);
        self.matrix(&mut body);
        document("sweep", &body)
    }

    fn checks(&self) -> Vec<(&'static str, String)> {
        let canary = match &self.canary {
            None => "there was none".to_owned(),
            Some((name, true)) => format!("{name} failed, as it must"),
            Some((name, false)) => format!("{name} PASSED: the sweep would not have seen a failure"),
        };
        let sample = format!("{} seeds ran twice, {} came out differently", self.rechecked, self.mismatched);
        vec![("canary", canary), ("determinism", sample)]
    }

    fn missed(&self) -> impl Iterator<Item = &str> {
        self.probes.iter().filter(|row| row.counts.values().all(|count| *count == 0)).map(|row| row.name.as_str())
    }

    fn findings_of(&self, body: &mut String) {
        if self.findings.is_empty() {
            return;
        }
        let rows: Vec<Vec<String>> = self
            .findings
            .iter()
            .map(|one| {
                let what = format!("<b>{}</b> {}", escape(&one.class), escape(&one.invariant));
                let first = escape(one.message.lines().next().unwrap_or_default());
                vec![
                    one.standing.word().to_owned(),
                    format!("{what}<br>{first}<br><code>{}</code>", escape(&one.replay)),
                    escape(&one.scenario),
                    one.count.to_string(),
                ]
            })
            .collect();
        section(body, "Findings", &table(&["", "what", "scenario", "seeds"], &rows));
    }

    fn scenarios_of(&self, body: &mut String) {
        let mut all: Vec<&SweepScenario> = self.scenarios.iter().collect();
        all.sort_by(|one, other| other.wall_per_seed().total_cmp(&one.wall_per_seed()));
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|one| {
                let speed = one.virtual_ns as f64 / 1e6 / one.wall_ms.max(1) as f64;
                let failed = if one.failed == 0 {
                    "0".into()
                } else {
                    format!("<span class=\"violated\">{}</span>", one.failed)
                };
                vec![
                    escape(&one.name),
                    one.seeds.to_string(),
                    failed,
                    format!("{:.1} ms", one.wall_per_seed()),
                    format!("{speed:.0}×"),
                ]
            })
            .collect();
        section(
            body,
            "Scenarios, the slowest first",
            &table(&["scenario", "seeds", "failed", "a seed", "virtual to real"], &rows),
        );
    }

    fn matrix(&self, body: &mut String) {
        if self.probes.is_empty() {
            return;
        }
        let names: Vec<String> = self.scenarios.iter().map(|scenario| escape(&scenario.name)).collect();
        let head: Vec<&str> = std::iter::once("probe").chain(names.iter().map(String::as_str)).collect();
        let rows: Vec<Vec<String>> = self
            .probes
            .iter()
            .map(|row| {
                let missed = row.counts.values().all(|count| *count == 0);
                let name = if missed {
                    format!("{} <span class=\"violated\">MISS</span>", escape(&row.name))
                } else {
                    escape(&row.name)
                };
                let cell = |scenario: &SweepScenario| match row.counts.get(&scenario.name) {
                    None | Some(0) => "<span class=\"miss\">·</span>".to_owned(),
                    Some(count) => count.to_string(),
                };
                std::iter::once(name).chain(self.scenarios.iter().map(cell)).collect()
            })
            .collect();
        section(body, "Probes by scenario", &format!("<div class=\"matrix\">{}</div>", table(&head, &rows)));
    }
}

impl SweepScenario {
    fn wall_per_seed(&self) -> f64 {
        self.wall_ms as f64 / self.seeds.max(1) as f64
    }
}
