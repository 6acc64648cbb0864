//! What can have led to a failure: backwards from it, over the messages that arrived, to who sent them and what had
//! happened there.

use std::collections::BTreeSet;

use crate::report::{FaultReport, LogLine, Message, Report, Undelivered};

use super::operations::{self, How};
use super::{mentions, topics, undelivered};

/// Items of a slice.
const ITEMS_MAX: usize = 60;
/// Events of all nodes that name what the failure is about.
const TOLD_MAX: usize = 16;
/// Messages into one node that are followed, each time.
const FOLLOWED_MAX: usize = 4;

/// One thing that can have contributed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    /// Something that a node told.
    Line(&'a LogLine),
    /// A message.
    Message(&'a Message),
    /// A message that never arrived.
    Undelivered(&'a Undelivered),
    /// A fault that took effect.
    Fault(&'a FaultReport),
}

impl Item<'_> {
    pub(super) fn at(&self) -> (u64, u64) {
        match self {
            Item::Line(line) => (line.at_ns, line.event),
            Item::Message(message) => (message.arrived_ns, message.event),
            Item::Undelivered(message) => (message.stopped_ns, 0),
            Item::Fault(fault) => (fault.at_ns, 0),
        }
    }
}

/// What an event of the log has to be to say something to a person.
pub(super) fn is_telling(line: &LogLine) -> bool {
    if line.text.split(' ').next().is_some_and(|name| name.ends_with(".heartbeat")) {
        return false;
    }
    matches!(
        line.kind.as_str(),
        "event"
            | "note"
            | "probe"
            | "print"
            | "panic"
            | "kill"
            | "start"
            | "exit"
            | "fault"
            | "pause"
            | "resume"
            | "buggify"
    )
}

/// What programs said that they decide, up to the failure, about what it is about: each once, with how often.
pub(super) fn notes(report: &Report) -> Vec<(&LogLine, usize)> {
    let is_aside = is_aside(report);
    let until = if report.passed() { u64::MAX } else { report.verdict.at_ns };
    let is_meant = |line: &&LogLine| line.kind == "note" && line.at_ns <= until && !is_aside(line);
    let mut notes: Vec<(&LogLine, usize)> = Vec::new();
    for line in report.log.iter().filter(is_meant) {
        match notes.iter_mut().find(|(known, _)| known.node == line.node && known.text == line.text) {
            Some((_, times)) => *times += 1,
            None => notes.push((line, 1)),
        }
    }
    notes
}

/// Whether a line is a note that has nothing to do with the failure: it is about what other operations ask for. But what
/// the node decides that waits in vain may hold up all that it asks.
pub(super) fn is_aside(report: &Report) -> impl Fn(&LogLine) -> bool {
    let others = operations::others(report, &topics(report));
    let last = operations::in_question(report).pop().filter(|last| last.how != How::Done);
    let waits = last.map(|operation| operation.node.to_owned());
    move |line| line.kind == "note" && waits.as_ref() != Some(&line.node) && mentions(&line.text, &others)
}

/// Faults that a report counts among the causes.
pub(super) const FAULTS_MAX: usize = 8;

/// The faults that took effect before the failure, the nearest first, and how many more there were.
pub(super) fn faults_before(report: &Report) -> (Vec<&FaultReport>, usize) {
    let until = report.verdict.at_ns;
    let took =
        |fault: &&FaultReport| fault.at_ns <= until && matches!(fault.outcome.as_str(), "effective" | "weakened" | "");
    let mut faults: Vec<&FaultReport> = report.faults.iter().filter(took).collect();
    // Those that still held at the failure are nearest, then those that ended last.
    faults.sort_by_key(|fault| std::cmp::Reverse((fault.until_ns.unwrap_or(u64::MAX).min(until), fault.at_ns)));
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    (faults, more)
}

/// The slice, in the order of time, and the faults and what never arrived between.
pub(super) fn with_faults(report: &Report) -> Vec<Item<'_>> {
    let mut items = backwards(report);
    items.extend(faults_before(report).0.into_iter().map(Item::Fault));
    let in_question = undelivered::in_question(report).into_iter();
    items.extend(in_question.filter(|message| message.stopped_ns <= report.verdict.at_ns).map(Item::Undelivered));
    items.sort_by_key(Item::at);
    items
}

/// The slice, in the order of time.
pub(super) fn backwards(report: &Report) -> Vec<Item<'_>> {
    let topics = topics(report);
    let is_aside = is_aside(report);
    let about = |text: &str| topics.is_empty() || mentions(text, &topics);
    let is_about = |line: &LogLine| about(&line.text) || line.kind == "note" && !is_aside(line);
    let mut lines: BTreeSet<usize> = BTreeSet::new();
    let mut messages: BTreeSet<usize> = BTreeSet::new();
    let (at, event) = (report.verdict.at_ns, report.verdict.event);
    let last = report.log.iter().rfind(|line| line.event <= event && line.kind == "event" && line.node != "world");
    let Some(last) = last.or(report.log.last()) else { return Vec::new() };
    let mut look_at = vec![(last.node.clone(), at)];
    let mut seen: BTreeSet<(String, u64)> = BTreeSet::new();
    while let Some((node, until)) = look_at.pop() {
        if lines.len() + messages.len() >= ITEMS_MAX || !seen.insert((node.clone(), until)) {
            continue;
        }
        let own = report.log.iter().enumerate().rev().filter(|(_, line)| line.node == node && line.at_ns <= until);
        lines.extend(own.filter(|(_, line)| is_telling(line) && is_about(line)).take(FOLLOWED_MAX).map(|(at, _)| at));
        let arrived = report.messages.iter().enumerate().rev();
        let arrived = arrived.filter(|(_, message)| message.to == node && message.arrived_ns <= until);
        for (place, message) in arrived.filter(|(_, message)| about(&message.begins)).take(FOLLOWED_MAX) {
            if messages.insert(place) {
                look_at.insert(0, (message.from.clone(), message.sent_ns));
            }
        }
    }
    // What others were told of the same things, though nothing of it came here: that may be what is missing.
    let numbers: Vec<String> =
        topics.iter().filter(|topic| topic.chars().all(|c| c.is_ascii_digit())).cloned().collect();
    let told = report
        .log
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, line)| line.event <= event && line.kind == "event" && is_telling(line));
    lines.extend(told.filter(|(_, line)| mentions(&line.text, &numbers)).take(TOLD_MAX).map(|(at, _)| at));
    let mut items: Vec<Item<'_>> = lines.into_iter().map(|at| Item::Line(&report.log[at])).collect();
    items.extend(messages.into_iter().map(|at| Item::Message(&report.messages[at])));
    items.sort_by_key(Item::at);
    let first = items.len().saturating_sub(ITEMS_MAX);
    items.split_off(first)
}
