//! The report as text, for a terminal: what a person needs first, in the same order as on the page.

use std::fmt::Write as _;

use crate::report::Report;

use super::operations::{in_question, took_effect_at};
use super::slice::{Item, faults_before, with_faults};
use super::words::{legend, say};
use super::{About, case, demanded, headline, seen, short, span, story, time, undelivered};

/// Lines of causes.
const CAUSES_MAX: usize = 24;
/// Letters of one of them; the JSON has all.
const LINE_MAX: usize = 240;
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
    if let Some(small) = about.made_small() {
        let _ = writeln!(text, "  {}", wrap(&small).replace('\n', "\n  "));
    }
    let _ = writeln!(text, "\n{}", wrap(&report.story()));
    if !report.passed() {
        let (first, more) = seen(report);
        let demands = demanded(report);
        let _ = writeln!(text, "\nexpected\n  {}", wrap(demands).replace('\n', "\n  "));
        let _ = writeln!(text, "seen\n  {}", wrap(first).replace('\n', "\n  "));
        for one in &verdict.evidence {
            let _ = writeln!(text, "  {}\n    - {}\n    + {}", one.key, one.expected, one.seen);
        }
        for line in more.lines() {
            let _ = writeln!(text, "  {line}");
        }
        case::text(report, &mut text);
        operations(report, &mut text);
        if !case::is_property(report) {
            causes(report, &mut text);
        }
    }
    faults(report, &mut text);
    if !report.invariants.is_empty() || !report.probes.is_empty() || !report.unmet.is_empty() {
        let _ = writeln!(text, "\nscoreboard");
    }
    for one in &report.invariants {
        let _ = writeln!(text, "  {:<28} {:<12} evaluated {}", one.name, one.verdict, one.evaluated);
    }
    for probe in &report.probes {
        let count = if probe.count == 0 { "MISS".to_owned() } else { probe.count.to_string() };
        let _ = writeln!(text, "  {:<28} {count:<5} {:<6} {}", probe.name, probe.expected, probe.about);
    }
    for unmet in &report.unmet {
        let _ = writeln!(text, "  not met: {unmet}");
    }
    text
}

fn operations(report: &Report, text: &mut String) {
    let operations = in_question(report);
    if operations.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nwhat clients asked");
    for one in operations {
        let counts = one.counts.map(|counts| format!(", with {counts}")).unwrap_or_default();
        let short = if one.is_short() { "  <--" } else { "" };
        let effects = took_effect_at(report, &one);
        let effects = if effects.is_empty() { effects } else { format!(", took effect at {effects}") };
        let _ = writeln!(
            text,
            "  {:>13}  {:<12} {:<24} {}{counts}{effects}{short}",
            time(one.asked.0),
            one.client,
            one.what,
            one.outcome()
        );
    }
}

fn causes(report: &Report, text: &mut String) {
    let items = with_faults(report);
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nwhat can have caused it: faults before it, the nearest first");
    let (nearest, more) = faults_before(report);
    if nearest.is_empty() {
        let _ = writeln!(text, "  none had taken effect");
    }
    let at = report.verdict.at_ns;
    for fault in nearest {
        let over = match fault.until_ns.filter(|until| *until < at) {
            Some(until) => format!("over {} before", span(at - until)),
            None => "still held".into(),
        };
        let _ = writeln!(text, "  {:>9} before, {over}: {}", span(at.saturating_sub(fault.at_ns)), story::what(fault));
    }
    if more > 0 {
        let _ = writeln!(text, "  and {more} before those");
    }
    let _ = writeln!(text, "\nwhat can have caused it, backwards over messages");
    let shown = &items[items.len().saturating_sub(CAUSES_MAX)..];
    for item in shown {
        let _ = match item {
            Item::Line(line) => {
                writeln!(text, "  {:>13}  {:<12} {}", time(line.at_ns), line.node, short(&say(report, line), LINE_MAX))
            }
            Item::Fault(fault) => writeln!(
                text,
                "  {:>13}  {:<12} fault: {}",
                time(fault.at_ns),
                fault.nodes.join(","),
                story::what(fault)
            ),
            Item::Undelivered(message) => writeln!(
                text,
                "  {:>13}  {:<12} {}",
                time(message.stopped_ns),
                message.to,
                undelivered::tell(report, message)
            ),
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
    if !report.forms.is_empty() {
        let _ = writeln!(text, "\nhow the messages read: fields in capitals");
    }
    for form in &report.forms {
        let _ = writeln!(text, "  {:<36} {}", form.form, form.about);
    }
    let lines = shown.iter().filter_map(|item| if let Item::Line(line) = item { Some(*line) } else { None });
    let names = legend(report, lines);
    if !names.is_empty() {
        let _ = writeln!(text, "\nwhat these names mean");
    }
    for (name, about) in names {
        let _ = writeln!(text, "  {name:<28} {about}");
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
        let others = if fault.others.is_empty() { String::new() } else { format!("|{}", fault.others.join(",")) };
        let _ = writeln!(
            text,
            "  {:>13}  {:<20} {:<28} {:<15} {why}",
            time(fault.at_ns),
            fault.id,
            fault.nodes.join(",") + &others,
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
