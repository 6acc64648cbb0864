//! Marks of the pictures: how a process ended, by shape as well as by colour, and the legend of what a picture has.

use std::fmt::Write as _;

use crate::report::{Life, Report};

use super::{escape, story, time, undelivered};

/// The class of a fault's colour.
pub(super) fn class_of(kind: &str) -> &'static str {
    match kind.split('.').next().unwrap_or_default() {
        "partition" | "clog" | "swizzle" | "half_open" | "reset" | "bandwidth" | "lookup" => "ways",
        "kill" | "stop" | "crash_point" => "kill",
        "disk" => "disk",
        _ => "other",
    }
}

/// The mark of the end of a process: a cross if it was killed, a triangle if its program failed, a square if it was done.
pub(super) fn end(x: f64, y: f64, node: &str, life: &Life) -> String {
    let at = time(life.until_ns.unwrap_or_default());
    let (class, path, what) = match life.how.as_str() {
        "killed" => ("killed", "l10 10m0 -10l-10 10", "was killed".to_owned()),
        "failed" => ("crashed", "m5 0l5.5 10h-11z", format!("ended by itself, its program failed: {}", life.why)),
        "finished" => ("ended", "m1.5 1.5h7v7h-7z", "ended by itself, its program was done".to_owned()),
        _ => ("ended", "m1.5 1.5h7v7h-7z", "ended".to_owned()),
    };
    let title = format!("{node} {what}, at {at}");
    format!(
        "<path class=\"end {class}\" d=\"M{:.1} {:.1}{path}\"><title>{}</title></path>",
        x - 5.0,
        y - 5.0,
        escape(&title)
    )
}

/// The legend of what the pictures of a report have, and of nothing else.
pub(super) fn legend(report: &Report) -> String {
    let until = if report.passed() { u64::MAX } else { report.verdict.at_ns };
    let mut legend = String::from("<p class=\"legend\">");
    let struck = |class: &str| report.faults.iter().any(|f| f.outcome != "refused" && class_of(&f.kind) == class);
    for (class, words) in
        [("ways", "ways cut or slow"), ("kill", "dead or dying"), ("disk", "disk"), ("other", "other faults")]
    {
        if struck(class) {
            let _ = write!(legend, "<span><i class=\"key {class}\"></i>{words}</span>");
        }
    }
    if report.faults.iter().any(|fault| fault.outcome == "refused") {
        legend.push_str("<span><i class=\"key refused\"></i>a fault that was refused</span>");
    }
    let ends = || {
        report.nodes.iter().flat_map(|node| &node.lives).filter(|life| life.until_ns.is_some_and(|end| end <= until))
    };
    for (how, words) in [("killed", "killed"), ("failed", "its program failed"), ("finished", "ended by itself, done")]
    {
        if ends().any(|life| life.how == how) {
            let life = Life { how: how.into(), ..Life::default() };
            let _ = write!(
                legend,
                "<span><svg class=\"mark\" width=\"14\" height=\"14\" viewBox=\"0 0 14 14\" aria-hidden=\"true\">{}</svg>{words}</span>",
                end(7.0, 7.0, "a process", &life)
            );
        }
    }
    if !undelivered::in_question(report).is_empty() {
        legend.push_str(
            "<span><svg class=\"mark\" width=\"30\" height=\"14\" viewBox=\"0 0 30 14\" aria-hidden=\"true\"><g class=\"arrow lost\">\
             <line x1=\"0\" y1=\"7\" x2=\"24\" y2=\"7\"/><path class=\"cross\" d=\"M19.5 2.5l9 9m0 -9l-9 9\"/></g></svg>a message that never \
             arrived, up to what stopped it</span>",
        );
    }
    if !report.passed() {
        legend.push_str("<span><i class=\"key failing\"></i>the failure</span>");
    }
    legend.push_str("</p>");
    legend
}

/// The bands of faults on lanes of nodes: of both sides, if a fault has two.
pub(super) fn bands(report: &Report) -> impl Iterator<Item = Band<'_>> {
    report.faults.iter().flat_map(|fault| {
        let class = if fault.outcome == "refused" { "refused" } else { class_of(&fault.kind) };
        let title = story::sentence(fault);
        let band = move |node, is_far| Band { fault, node, class, is_far, title: title.clone() };
        let far = fault.others.iter().map(|node| (node, true));
        fault.nodes.iter().map(|node| (node, false)).chain(far).map(move |(node, is_far)| band(node, is_far))
    })
}

/// A fault on the lane of one node.
pub(super) struct Band<'a> {
    pub(super) fault: &'a crate::report::FaultReport,
    pub(super) node: &'a str,
    pub(super) class: &'static str,
    /// The other side of a cut.
    pub(super) is_far: bool,
    pub(super) title: String,
}
