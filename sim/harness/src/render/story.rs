//! One paragraph that tells what happened, from the plan and what came of it.

use std::fmt::Write as _;

use crate::report::{FaultReport, Report};
use crate::select::quorum;

use super::operations::{How, Operation, in_question};
use super::slice::notes;
use super::words::with_names;
use super::{about, case, span, undelivered};

/// Faults that are told one by one; those before are counted.
const TOLD_MAX: usize = 4;
/// The last operations that are told, and of those before, the last that had too few answers.
const OPERATIONS_MAX: usize = 3;
const SHORT_MAX: usize = 2;
/// Decisions of programs that are told; those before are in the log.
const NOTES_MAX: usize = 3;

pub(super) fn tell(report: &Report) -> String {
    if case::is_property(report) {
        return case::story(report);
    }
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
    let mut timed: Vec<(u64, String)> = told.iter().map(|fault| (fault.at_ns, with_stopped(report, fault))).collect();
    if !report.passed() {
        timed.extend(decisions(report));
        timed.extend(operations(report));
    }
    timed.sort_by_key(|(at, _)| *at);
    sentences.extend(timed.into_iter().map(|(_, sentence)| sentence));
    sentences.push(end(report));
    sentences.join(" ")
}

/// What one fault did, and what it stopped of what is in question.
fn with_stopped(report: &Report, fault: &FaultReport) -> String {
    let stopped = if report.passed() { None } else { undelivered::stopped(report, fault) };
    sentence(fault) + &stopped.map(|stopped| format!(" It stopped {stopped}.")).unwrap_or_default()
}

/// What programs decided: the last notes, without what they give as reasons.
fn decisions(report: &Report) -> Vec<(u64, String)> {
    let notes = notes(report);
    let sentence = |(line, times): &(&crate::report::LogLine, usize)| {
        let text = with_names(report, &line.text);
        let what = text.split_once(": ").map_or(text.as_str(), |(what, _)| what).to_owned();
        let again = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        (line.at_ns, format!("At {} {} {what}{again}.", about(line.at_ns), line.node))
    };
    let told = &notes[notes.len().saturating_sub(NOTES_MAX)..];
    let mut sentences: Vec<(u64, String)> = told.iter().map(sentence).collect();
    sentences.dedup();
    sentences
}

/// What clients were told: of the last operations, and of those that were called done with the answers of no majority or
/// did not get those they waited for.
fn operations(report: &Report) -> Vec<(u64, String)> {
    let operations = in_question(report);
    let last = operations.len().saturating_sub(OPERATIONS_MAX);
    let (before, last) = operations.split_at(last);
    let short = before.iter().rev().filter(|operation| operation.is_short()).take(SHORT_MAX);
    last.iter().chain(short).map(|operation| (operation.known_at(), answered(operation))).collect()
}

fn answered(operation: &Operation<'_>) -> String {
    let Operation { client, what, .. } = operation;
    let at = about(operation.known_at());
    match (operation.how, operation.counts.filter(|_| operation.is_short())) {
        (How::Waits, _) => format!("At {at} {client} asked \"{what}\", which still waits."),
        (How::Done, Some(counts)) => {
            let majority = counts.majority();
            format!("At {at} \"{what}\" of {client} was called done with {counts}; a majority would be {majority}.")
        }
        (_, Some(counts)) => format!("At {at} \"{what}\" of {client} ended without what it waited for: {counts}."),
        (How::Done | How::Failed, None) => format!("At {at} \"{what}\" of {client} was {}.", operation.outcome()),
        (How::Unknown | How::Died, None) => format!("At {at} \"{what}\" of {client}: {}.", operation.outcome()),
    }
}

fn cast(report: &Report) -> String {
    if report.roles.iter().all(|role| role.runs == role.count) {
        return whole_cast(report);
    }
    let role = |role: &crate::report::RoleReport| {
        let s = if role.count == 1 { "" } else { "s" };
        if role.runs == role.count {
            format!("{} {}{s}", role.runs, role.name)
        } else {
            format!("{} of the file's {} {}{s}", role.runs, role.count, role.name)
        }
    };
    let roles: Vec<String> = report.roles.iter().filter(|role| role.runs > 0).map(role).collect();
    let mut text = format!("{} ran.", list(&roles));
    for role in report.roles.iter().filter(|role| !role.is_client && role.runs < role.count && role.runs > 0) {
        let knew = match role.runs {
            1 => format!("The {} knew of no other", role.name),
            runs => format!("The {runs} {}s knew of no others", role.name),
        };
        let (here, there) = (quorum(role.runs as usize), quorum(role.count as usize));
        let _ = write!(text, " {knew}: a majority of them is {here}, not {there}.");
    }
    text
}

fn whole_cast(report: &Report) -> String {
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

/// What one fault did to whom, and when.
pub(super) fn sentence(fault: &FaultReport) -> String {
    let long = match fault.until_ns {
        Some(until) if until > fault.at_ns => format!(", for {}", span(until - fault.at_ns)),
        Some(_) => String::new(),
        None => ", to the end".into(),
    };
    let effect = if fault.outcome == "without-effect" { ", which nobody felt" } else { "" };
    format!("At {} {}{long}{effect}.", about(fault.at_ns), what(fault))
}

/// What one fault did to whom, and what was lost by it.
pub(super) fn what(fault: &FaultReport) -> String {
    let lost = fault.effects.get("unsynced_lost").copied().unwrap_or_default();
    let lost = match lost {
        0 => String::new(),
        1 => " and a sector that was not synced".into(),
        more => format!(" and {more} sectors that were not synced"),
    };
    let whom = list(&fault.nodes);
    let others = if fault.others.is_empty() { "everybody else".to_owned() } else { list(&fault.others) };
    match (fault.kind.as_str(), fault.direction.as_str()) {
        ("partition", "in") => format!("nothing that {others} said reached {whom} any more (one way only)"),
        ("partition", "out") => format!("nothing that {whom} said reached {others} any more (one way only)"),
        ("partition", _) if fault.nodes.len() > 1 || fault.others.len() > 1 => {
            format!("{whom} on one side and {others} on the other were cut from each other")
        }
        ("partition", _) => format!("{whom} and {others} were cut from each other"),
        ("kill.crash", _) => format!("{whom} crashed"),
        ("kill.power", _) => format!("{whom} lost power{lost}"),
        ("kill.wipe", _) => format!("{whom} was lost with its disk"),
        ("pause", _) => format!("{whom} stood still"),
        ("stop", _) => format!("{whom} was stopped in order"),
        ("reset", _) => format!("a connection of {whom} was reset"),
        ("clog", "in") => format!("what {others} sent to {whom} was held back (one way only)"),
        ("clog", "out") => format!("what {whom} sent to {others} was held back (one way only)"),
        ("clog", _) => format!("what {whom} and {others} sent each other was held back"),
        (kind, _) => format!("{kind} struck {whom}"),
    }
}

/// The same in a few words, for the lane of a node: how it looks from there.
pub(super) fn brief(fault: &FaultReport, is_far: bool) -> String {
    let (here, there) = if is_far { (&fault.others, &fault.nodes) } else { (&fault.nodes, &fault.others) };
    let there = if there.is_empty() { "all others".to_owned() } else { there.join(", ") };
    match (fault.kind.as_str(), fault.direction.as_str(), is_far) {
        ("partition", "in", false) | ("partition", "out", true) => format!("hears nothing of {there}"),
        ("partition", "out", false) | ("partition", "in", true) => format!("is not heard by {there}"),
        ("partition", _, _) => format!("cut from {there}"),
        ("kill.power", ..) => {
            let lost = fault.effects.get("unsynced_lost").copied().unwrap_or_default();
            if lost > 0 { format!("power lost, {lost} unsynced too") } else { "power lost".into() }
        }
        ("kill.crash", ..) => "killed".into(),
        ("kill.wipe", ..) => "lost with its disk".into(),
        ("pause", ..) => "stands still".into(),
        (kind, ..) if here.len() + there.len() > 0 => kind.to_owned(),
        _ => String::new(),
    }
}

pub(super) fn list(names: &[String]) -> String {
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
