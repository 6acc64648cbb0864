//! The whole run as one picture: a lane for each node, time from left to right, phases, faults, deaths, the failure.

use std::fmt::Write as _;

use crate::report::Report;

use super::escape;
use super::marks::{bands, end};

const WIDTH: u64 = 960;
const LEFT: u64 = 92;
const LANE: u64 = 24;
const TOP: u64 = 24;
/// How wide a letter is.
const LETTER: f64 = 6.6;

pub(super) fn svg(report: &Report) -> String {
    let until = report.elapsed_ns.max(1);
    let x = |ns: u64| LEFT as f64 + (WIDTH - LEFT - 12) as f64 * ns.min(until) as f64 / until as f64;
    let height = TOP + LANE * report.nodes.len() as u64 + 26;
    let lane = |node: &str| report.nodes.iter().position(|known| known.name == node);
    let y = |lane: usize| TOP + LANE * lane as u64 + LANE / 2;
    let mut svg = format!(
        "<svg class=\"overview\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"the whole run, a lane for each node\">"
    );
    phases(report, height, &x, &mut svg);
    for (number, node) in report.nodes.iter().enumerate() {
        let y = y(number);
        let _ = write!(svg, "<text class=\"lane\" x=\"4\" y=\"{}\">{}</text>", y + 4, escape(&node.name));
        for life in &node.lives {
            let (from, until) = (x(life.from_ns), x(life.until_ns.unwrap_or(until)));
            let _ = write!(svg, "<line class=\"life\" x1=\"{from:.1}\" y1=\"{y}\" x2=\"{until:.1}\" y2=\"{y}\"/>");
        }
    }
    for band in bands(report) {
        let Some(lane) = lane(band.node) else { continue };
        // One that the end of the run cut short lasts to it.
        let (from, until) = (x(band.fault.at_ns), x(band.fault.until_ns.unwrap_or(until)));
        let _ = write!(
            svg,
            "<rect class=\"band {}{}\" x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"3\"><title>{}</title></rect>",
            band.class,
            if band.is_far { " far" } else { "" },
            y(lane) - 7,
            (until - from).max(3.0),
            escape(&band.title)
        );
    }
    for (number, node) in report.nodes.iter().enumerate() {
        for life in node.lives.iter().filter(|life| life.until_ns.is_some()) {
            svg.push_str(&end(x(life.until_ns.unwrap_or_default()), y(number) as f64, &node.name, life));
        }
    }
    if !report.passed() {
        let at = x(report.verdict.at_ns);
        let _ = write!(svg, "<line class=\"fail\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{}\"/>", height - 22);
    }
    for (ns, words) in ticks(until) {
        let at = x(ns);
        let anchor = if at > WIDTH as f64 - 40.0 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<line class=\"tick\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{}\"/><text class=\"small\" text-anchor=\"{anchor}\" \
             x=\"{at:.1}\" y=\"{}\">{words}</text>",
            height - 22,
            height - 18,
            height - 6,
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Grounds and names of the phases. One without room for its name has it before its end, if there is room, or not at all.
fn phases(report: &Report, height: u64, x: &impl Fn(u64) -> f64, svg: &mut String) {
    let mut taken = 0.0;
    for (number, phase) in report.phases.iter().enumerate() {
        let until_ns = if phase.until_ns > phase.from_ns { phase.until_ns } else { report.elapsed_ns };
        let is_last = number + 1 == report.phases.len();
        let (from, until) = (x(phase.from_ns), x(if is_last { until_ns } else { phase.until_ns }));
        if until - from < 0.5 {
            continue;
        }
        let _ = write!(
            svg,
            "<rect class=\"phase p{}\" x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{}\"><title>{}</title></rect>",
            number % 2,
            until - from,
            height - 22,
            escape(&phase.name)
        );
        let len = phase.name.len() as f64 * LETTER;
        let (at, anchor) = match () {
            () if until - from > len + 8.0 => (from + 4.0, "start"),
            () if is_last && until - len - 6.0 > taken => (until - 6.0, "end"),
            () => continue,
        };
        taken = at + len;
        let _ = write!(
            svg,
            "<text class=\"small\" text-anchor=\"{anchor}\" x=\"{at:.1}\" y=\"14\">{}</text>",
            escape(&phase.name)
        );
    }
}

/// Where the axis has its numbers: round ones, in the unit and with the digits that suit the length of the run.
pub(super) fn ticks(until_ns: u64) -> Vec<(u64, String)> {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns")];
    const MOST: u64 = 6;
    let rough = until_ns.div_ceil(MOST).max(1);
    let power = 10_u64.pow(rough.ilog10());
    let step = [1, 2, 5, 10].into_iter().map(|times| times * power).find(|step| *step >= rough).unwrap_or(power * 10);
    let (unit_ns, unit) = UNITS.into_iter().find(|(ns, _)| until_ns >= 2 * ns).unwrap_or(UNITS[3]);
    let is_whole = step % unit_ns == 0;
    let digits = (1..=9).filter(|_| !is_whole).find(|digits| step * 10_u64.pow(*digits) % unit_ns == 0);
    let words = |ns: u64| match digits {
        Some(digits) => format!("{:.1$} {unit}", ns as f64 / unit_ns as f64, digits as usize),
        None => format!("{} {unit}", ns / unit_ns),
    };
    (0..=until_ns / step).map(|tick| (tick * step, words(tick * step))).collect()
}
