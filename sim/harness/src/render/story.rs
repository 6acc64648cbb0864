//! One paragraph that tells what happened, from the plan and what came of it.

use crate::report::{FaultReport, Report};

use super::{about, span};

/// Faults that are told one by one; those before are counted.
const TOLD_MAX: usize = 4;

pub(super) fn tell(report: &Report) -> String {
    let mut sentences = vec![cast(report)];
    let struck: Vec<&FaultReport> = report
        .faults
        .iter()
        .filter(|fault| fault.outcome != "refused" && (report.passed() || fault.at_ns <= report.verdict.at_ns))
        .collect();
    let (before, told) = struck.split_at(struck.len().saturating_sub(TOLD_MAX));
    match (before.len(), told.is_empty()) {
        (0, true) => sentences.push("No fault struck.".into()),
        (0, false) => {}
        (count, _) => sentences.push(format!("{count} faults came and went.")),
    }
    sentences.extend(told.iter().map(|fault| sentence(fault)));
    sentences.push(end(report));
    sentences.join(" ")
}

fn cast(report: &Report) -> String {
    let mut roles: Vec<(&str, usize)> = Vec::new();
    for node in &report.nodes {
        match roles.iter_mut().find(|(role, _)| *role == node.role) {
            Some((_, count)) => *count += 1,
            None => roles.push((&node.role, 1)),
        }
    }
    let plural = |(role, count): &(&str, usize)| format!("{count} {role}{}", if *count == 1 { "" } else { "s" });
    match roles.split_last() {
        None => format!("{} ran.", report.scenario),
        Some((last, [])) => format!("{} ran.", plural(last)),
        Some((last, first)) => {
            let first: Vec<String> = first.iter().map(plural).collect();
            format!("{} and {} ran.", first.join(", "), plural(last))
        }
    }
}

/// What one fault did to whom.
pub(super) fn sentence(fault: &FaultReport) -> String {
    let whom = list(&fault.nodes);
    let others = if fault.others.is_empty() { "everybody else".to_owned() } else { list(&fault.others) };
    let what = match (fault.kind.as_str(), fault.direction.as_str()) {
        ("partition", "in") => format!("nothing that {others} said reached {whom} any more (one way only)"),
        ("partition", "out") => format!("nothing that {whom} said reached {others} any more (one way only)"),
        ("partition", _) if fault.nodes.len() > 1 || fault.others.len() > 1 => {
            format!("{whom} on one side and {others} on the other were cut from each other")
        }
        ("partition", _) => format!("{whom} and {others} were cut from each other"),
        ("kill.crash", _) => format!("{whom} crashed"),
        ("kill.power", _) => format!("{whom} lost power"),
        ("kill.wipe", _) => format!("{whom} was lost with its disk"),
        ("pause", _) => format!("{whom} stood still"),
        ("stop", _) => format!("{whom} was stopped in order"),
        (kind, _) => format!("{kind} struck {whom}"),
    };
    let long = match fault.until_ns {
        Some(until) if until > fault.at_ns => format!(", for {}", span(until - fault.at_ns)),
        _ => String::new(),
    };
    let effect = if fault.outcome == "without-effect" { ", which nobody felt" } else { "" };
    format!("At {} {what}{long}{effect}.", about(fault.at_ns))
}

fn list(names: &[String]) -> String {
    match names.split_last() {
        None => "nobody".into(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

fn end(report: &Report) -> String {
    let verdict = &report.verdict;
    let first = verdict.message.lines().next().unwrap_or_default();
    let first = first.split_once(". ").map_or(first, |(first, _)| first).trim_end_matches('.');
    if report.passed() {
        return format!("Nothing was wrong after {}.", about(report.elapsed_ns));
    }
    let phase = report.phases.iter().rev().find(|phase| phase.from_ns <= verdict.at_ns);
    let phase = phase.map_or_else(String::new, |phase| format!(", in the {} phase", phase.name));
    format!("Then, at {}{phase}: {first}.", about(verdict.at_ns))
}
