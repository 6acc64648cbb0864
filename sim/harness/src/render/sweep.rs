//! The page of a sweep.

use std::fmt::Write as _;

use crate::sweep::{SweepReport, SweptScenario};

use super::escape;
use super::html::{document, section, table};

impl SweepReport {
    /// As one HTML file.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        let tone = if self.is_green() { "pass" } else { "bad" };
        let badge = if self.is_green() { "GREEN" } else { "RED" };
        let _ = writeln!(
            body,
            "<header class=\"{tone}\"><p class=\"tags\"><b class=\"badge\">{badge}</b></p><h1>{}</h1><p class=\"note\">{}</p>\
             <p class=\"note\">commit {} · seeds from {}</p></header>",
            escape(&self.headline()),
            escape(&self.message),
            escape(&self.commit),
            self.seeds_from
        );
        self.findings_of(&mut body);
        let checks = [("canary", self.canary_told()), ("determinism", self.sample_told())];
        let checks = checks.map(|(name, what)| vec![name.into(), escape(&what)]);
        section(&mut body, "Can it be trusted", &table(&["", ""], &checks));
        self.scenarios_of(&mut body);
        self.matrix(&mut body);
        document("sweep", &body)
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
        let rows: Vec<Vec<String>> = self
            .slowest_first()
            .iter()
            .map(|one| {
                let failed = if one.failed == 0 || one.must_fail {
                    one.failed.to_string()
                } else {
                    format!("<span class=\"violated\">{}</span>", one.failed)
                };
                vec![
                    escape(&one.name),
                    one.seeds.to_string(),
                    failed,
                    format!("{:.1} ms", one.wall_per_seed()),
                    // A property has no time of its own.
                    if one.virtual_ns == 0 { "–".into() } else { format!("{:.0}×", one.speed()) },
                    escape(one.outcome()),
                ]
            })
            .collect();
        section(
            body,
            "Scenarios, the slowest first",
            &table(&["scenario", "seeds", "failed", "a seed", "virtual to real", "outcome"], &rows),
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
                let cell = |scenario: &SweptScenario| match row.counts.get(&scenario.name) {
                    None | Some(0) => "<span class=\"miss\">·</span>".to_owned(),
                    Some(count) => count.to_string(),
                };
                std::iter::once(name).chain(self.scenarios.iter().map(cell)).collect()
            })
            .collect();
        section(body, "Probes by scenario", &format!("<div class=\"matrix\">{}</div>", table(&head, &rows)));
    }
}
