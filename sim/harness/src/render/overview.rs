//! The whole run as one picture: a lane for each node, time from left to right, phases, faults, deaths, the failure.

use std::fmt::Write as _;

use crate::report::Report;

use super::{escape, story, time};

const WIDTH: u64 = 960;
const LEFT: u64 = 92;
const LANE: u64 = 24;
const TOP: u64 = 24;

pub(super) fn svg(report: &Report) -> String {
    let end = report.elapsed_ns.max(1);
    let x = |ns: u64| LEFT as f64 + (WIDTH - LEFT - 12) as f64 * ns.min(end) as f64 / end as f64;
    let height = TOP + LANE * report.nodes.len() as u64 + 26;
    let lane = |node: &str| report.nodes.iter().position(|known| known.name == node);
    let y = |lane: usize| TOP + LANE * lane as u64 + LANE / 2;
    let mut svg = format!(
        "<svg class=\"overview\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"the whole run, a lane for each node\">"
    );
    for (number, phase) in report.phases.iter().enumerate() {
        let (from, until) = (x(phase.from_ns), x(phase.until_ns.max(phase.from_ns)));
        let _ = write!(
            svg,
            "<rect class=\"phase p{}\" x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{}\"/><text class=\"small\" x=\"{:.1}\" y=\"14\">{}</text>",
            number % 2,
            until - from,
            height - 22,
            from + 4.0,
            escape(&phase.name)
        );
    }
    for (number, node) in report.nodes.iter().enumerate() {
        let y = y(number);
        let _ = write!(svg, "<text class=\"lane\" x=\"4\" y=\"{}\">{}</text>", y + 4, escape(&node.name));
        for life in &node.lives {
            let (from, until) = (x(life.from_ns), x(life.until_ns.unwrap_or(end)));
            let _ = write!(svg, "<line class=\"life\" x1=\"{from:.1}\" y1=\"{y}\" x2=\"{until:.1}\" y2=\"{y}\"/>");
        }
    }
    for fault in &report.faults {
        let until = fault.until_ns.unwrap_or(fault.at_ns);
        let (from, until) = (x(fault.at_ns), x(until));
        let kind = if fault.outcome == "refused" { "refused" } else { class_of(&fault.kind) };
        for lane in fault.nodes.iter().filter_map(|node| lane(node)) {
            let _ = write!(
                svg,
                "<rect class=\"band {kind}\" x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"3\"><title>{}</title></rect>",
                y(lane) - 7,
                (until - from).max(3.0),
                escape(&story::sentence(fault))
            );
        }
    }
    for (number, node) in report.nodes.iter().enumerate() {
        for life in node.lives.iter().filter_map(|life| life.until_ns).filter(|until| *until < end) {
            let _ =
                write!(svg, "{}", cross(x(life), y(number) as f64, &format!("{} ends at {}", node.name, time(life))));
        }
    }
    if !report.passed() {
        let at = x(report.verdict.at_ns);
        let _ = write!(svg, "<line class=\"fail\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{}\"/>", height - 22);
    }
    for tick in 0..=4 {
        let ns = end / 4 * tick;
        let anchor = if tick == 4 { "end" } else { "start" };
        let _ = write!(
            svg,
            "<text class=\"small\" text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{}\">{:.1} s</text>",
            x(ns),
            height - 6,
            ns as f64 / 1e9
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The class of a fault's colour.
pub(super) fn class_of(kind: &str) -> &'static str {
    match kind.split('.').next().unwrap_or_default() {
        "partition" | "clog" | "swizzle" | "half_open" | "reset" | "bandwidth" | "lookup" => "ways",
        "kill" | "stop" | "crash_point" => "kill",
        "disk" => "disk",
        _ => "other",
    }
}

/// The mark of a death.
pub(super) fn cross(x: f64, y: f64, title: &str) -> String {
    format!(
        "<path class=\"cross\" d=\"M{:.1} {:.1}l10 10m0 -10l-10 10\"><title>{}</title></path>",
        x - 5.0,
        y - 5.0,
        escape(title)
    )
}
