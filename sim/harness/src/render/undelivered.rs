//! Messages that never arrived: which fault took each, in words and as a broken arrow that ends at the fault's mark.

use std::fmt::Write as _;

use crate::report::{FaultReport, Report, Undelivered};

use super::marks::class_of;
use super::operations::others;
use super::{escape, mentions, short, span, time, topics};

/// Those that a report tells one by one.
const SHOWN_MAX: usize = 24;
/// A fault that strikes so long after a message was stopped did not stop it.
const SLACK_NS: u64 = 1_000_000;

/// Those that have to do with what a failure is about, up to it: the last of them. Requests for connections too, since
/// what nobody could say is missing as well.
pub(super) fn in_question(report: &Report) -> Vec<&Undelivered> {
    let topics = topics(report);
    let others = others(report, &topics);
    let until = if report.passed() { u64::MAX } else { report.verdict.at_ns };
    let is_about = |message: &&Undelivered| {
        let is_meant = message.len == 0 || mentions(&message.begins, &topics);
        // What was still on its way at the end was stopped by nothing.
        let is_stopped = message.stop != "end" && message.sent_ns <= until;
        is_stopped && (topics.is_empty() || is_meant || !mentions(&message.begins, &others))
    };
    let mut shown: Vec<&Undelivered> = report.undelivered.iter().filter(is_about).collect();
    shown.split_off(shown.len().saturating_sub(SHOWN_MAX))
}

/// The fault that took a message, if one of the report did: of those that can have, the one that struck last.
pub(super) fn taker<'a>(report: &'a Report, message: &Undelivered) -> Option<&'a FaultReport> {
    let kinds: &[&str] = match message.stop.as_str() {
        "cut" => &["partition"],
        "clogged" => &["clog", "swizzle"],
        "off" => &["kill", "crash_point"],
        "broken" => &["reset", "half_open", "kill", "crash_point", "stop"],
        "unread" => &["half_open", "kill", "crash_point", "stop"],
        _ => &[],
    };
    let is_of = |group: &[String], name: &String| group.contains(name);
    let is_between = |fault: &FaultReport| {
        let (nodes, others) = (&fault.nodes, &fault.others);
        // Without another group it is everybody else.
        let far = |name| if others.is_empty() { !is_of(nodes, name) } else { is_of(others, name) };
        let out = is_of(nodes, &message.from) && far(&message.to);
        let inward = is_of(nodes, &message.to) && far(&message.from);
        match fault.direction.as_str() {
            "out" => out,
            "in" => inward,
            _ => out || inward,
        }
    };
    let could = |fault: &&FaultReport| {
        let family = fault.kind.split('.').next().unwrap_or_default();
        let lasted = fault.until_ns.is_none_or(|until| until >= message.sent_ns);
        // What breaks in a moment has a moment only; what it broke is noticed later.
        let is_short = !matches!(message.stop.as_str(), "cut" | "clogged");
        kinds.contains(&family)
            && fault.outcome != "refused"
            && is_between(fault)
            && fault.at_ns <= message.stopped_ns + SLACK_NS
            && (lasted || is_short)
    };
    report.faults.iter().filter(could).max_by_key(|fault| fault.at_ns)
}

/// What was to be said.
pub(super) fn what(message: &Undelivered) -> String {
    if message.len == 0 {
        return "the request for a connection".into();
    }
    let text = message.begins.trim_end_matches("\\n").replace("\\n", " ⏎ ");
    if text.matches("\\x").count() * 8 > text.len() { format!("{} bytes", message.len) } else { format!("\"{text}\"") }
}

/// Why it never arrived.
pub(super) fn why(report: &Report, message: &Undelivered) -> String {
    let fact = match message.stop.as_str() {
        "cut" => "the way was cut",
        "clogged" => "the way held everything back",
        "off" => "the machine was off",
        "broken" => "its connection broke first",
        "unread" => "nobody was there to read it any more",
        _ => "it was still on its way at the end",
    };
    match taker(report, message) {
        Some(fault) => format!("{fact}, by the fault {}", fault.id),
        None => fact.to_owned(),
    }
}

/// One of them, in a sentence without an end.
pub(super) fn tell(report: &Report, message: &Undelivered) -> String {
    format!("{} of {} never reached {}: {}", what(message), message.from, message.to, why(report, message))
}

/// What a fault stopped, of what is in question: in a few words, or nothing.
pub(super) fn stopped(report: &Report, fault: &FaultReport) -> Option<String> {
    let of_it: Vec<&Undelivered> = in_question(report)
        .into_iter()
        .filter(|message| taker(report, message).is_some_and(|taker| std::ptr::eq(taker, fault)))
        .collect();
    // What was to be said tells more than that a connection was asked for.
    let first = of_it.iter().find(|message| message.len > 0).or(of_it.first())?;
    let more = match of_it.len() - 1 {
        0 => String::new(),
        1 => ", and one message more".into(),
        more => format!(", and {more} messages more"),
    };
    Some(format!("{} from {} to {}{more}", what(first), first.from, first.to))
}

/// A broken arrow: from the lane of the sender to just before that of the receiver, where the mark of the fault is.
pub(super) fn arrow(
    report: &Report,
    message: &Undelivered,
    (from, sent): (f64, f64),
    (to, stopped): (f64, f64),
    len_max: usize,
    svg: &mut String,
) {
    let class = taker(report, message).map_or("other", |fault| class_of(&fault.kind));
    let (end, inward, anchor) = if to > from { (to - 15.0, -1.0, "end") } else { (to + 15.0, 1.0, "start") };
    let words = if message.len == 0 { "asks for a connection".to_owned() } else { what(message).replace('"', "") };
    let title = format!(
        "{}; sent {}, stopped {} ({})",
        tell(report, message),
        time(message.sent_ns),
        time(message.stopped_ns),
        span(message.stopped_ns.saturating_sub(message.sent_ns))
    );
    let _ = write!(
        svg,
        "<g class=\"arrow lost {class}\"><title>{}</title><line class=\"touch\" x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{end:.1}\" \
         y2=\"{stopped:.1}\"/><line x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{end:.1}\" y2=\"{stopped:.1}\"/><path class=\"cross\" \
         d=\"M{:.1} {:.1}l9 9m0 -9l-9 9\"/><text class=\"payload lost\" text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        escape(&title),
        end - 4.5,
        stopped - 4.5,
        end + inward * 9.0,
        stopped - 4.0,
        escape(&short(&words, len_max))
    );
}
