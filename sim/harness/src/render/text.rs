//! The report as text, for a terminal: what a person needs first, in the same order as on the page.

use std::fmt::Write as _;

use crate::report::Report;

use super::slice::{Item, backwards};
use super::{About, headline, span, time};

/// Lines of causes.
const CAUSES_MAX: usize = 24;
/// The widest paragraph.
const WIDTH: usize = 100;

pub(super) fn page(report: &Report, about: &About) -> String {
    let mut text = String::new();
    let verdict = &report.verdict;
    let standing =
        if report.passed() && about.standing == super::Standing::New { "PASS" } else { about.standing.word() };
    let _ = writeln!(text, "{standing} {}", headline(report));
    let _ = writeln!(
        text,
        "  {}, seed {}, class {}, trace {}",
        report.scenario, report.seed, verdict.class, report.trace_hash
    );
    for (what, command) in [("replay", &about.replay), ("small ", &about.shrunk), ("step  ", &about.step)] {
        if !command.is_empty() {
            let _ = writeln!(text, "  {what}  {command}");
        }
    }
    if let Some((before, after)) = &about.size {
        let _ = writeln!(text, "  made small: {after}; {before} before");
    }
    let _ = writeln!(text, "\n{}", wrap(&report.story()));
    if !report.passed() {
        let _ = writeln!(text, "\nexpected and seen");
        for one in &verdict.evidence {
            let _ = writeln!(text, "  {}\n    - {}\n    + {}", one.key, one.expected, one.seen);
        }
        for line in verdict.message.lines() {
            let _ = writeln!(text, "  {line}");
        }
        causes(report, &mut text);
    }
    faults(report, &mut text);
    let _ = writeln!(text, "\nscoreboard");
    for one in &report.invariants {
        let _ = writeln!(text, "  {:<28} {:<12} evaluated {}", one.name, one.verdict, one.evaluated);
    }
    for probe in &report.probes {
        let count = if probe.count == 0 { "MISS".to_owned() } else { probe.count.to_string() };
        let _ = writeln!(text, "  {:<28} {count} {}", probe.name, probe.expected);
    }
    for unmet in &report.unmet {
        let _ = writeln!(text, "  not met: {unmet}");
    }
    text
}

fn causes(report: &Report, text: &mut String) {
    let items = backwards(report);
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nwhat can have caused it, backwards over messages");
    for item in items.iter().skip(items.len().saturating_sub(CAUSES_MAX)) {
        let _ = match item {
            Item::Line(line) => writeln!(text, "  {:>13}  {:<12} {}", time(line.at_ns), line.node, line.text),
            Item::Message(message) => writeln!(
                text,
                "  {:>13}  {:<12} heard \"{}\" of {}, after {}",
                time(message.arrived_ns),
                message.to,
                message.begins.trim_end_matches("\\n"),
                message.from,
                span(message.arrived_ns.saturating_sub(message.sent_ns))
            ),
        };
    }
}

fn faults(report: &Report, text: &mut String) {
    if report.faults.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nfaults");
    for fault in &report.faults {
        let effects: Vec<String> = fault.effects.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let why = if fault.why.is_empty() { effects.join(", ") } else { fault.why.clone() };
        let _ = writeln!(
            text,
            "  {:>13}  {:<20} {:<28} {:<15} {why}",
            time(fault.at_ns),
            fault.id,
            fault.nodes.join(","),
            fault.outcome
        );
    }
}

/// Breaks a paragraph at blanks.
fn wrap(text: &str) -> String {
    let (mut out, mut len) = (String::new(), 0);
    for word in text.split(' ') {
        let word_len = word.chars().count();
        if len > 0 && len + 1 + word_len > WIDTH {
            out.push('\n');
            len = 0;
        } else if len > 0 {
            out.push(' ');
            len += 1;
        }
        out.push_str(word);
        len += word_len;
    }
    out
}
