//! The space-time diagram: a lane for each node, time downwards, the messages that led to the failure as arrows.
//!
//! Time is bent: what happens is drawn in its order, with a gap that grows slowly with the time between, so that a
//! millisecond in which much happens is as readable as a second in which nothing does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::report::{LogLine, Message, Report};

use super::overview::{class_of, cross};
use super::slice::{Item, backwards, is_telling};
use super::{escape, mentions, span, story, time, topics};

const LEFT: f64 = 84.0;
const TOP: f64 = 34.0;
/// Arrows at most.
const ARROWS_MAX: usize = 70;
/// Things that nodes told, at most.
const DOTS_MAX: usize = 50;
/// The farthest that two things are apart.
const GAP_MAX: f64 = 34.0;

/// What is drawn.
struct Scene<'a> {
    report: &'a Report,
    lanes: Vec<&'a str>,
    /// How wide one is.
    lane: f64,
    /// What is in the causal slice, by the number of its event.
    causes: BTreeSet<u64>,
    messages: Vec<&'a Message>,
    dots: Vec<&'a LogLine>,
    /// Where each moment is.
    ys: BTreeMap<u64, f64>,
}

pub(super) fn svg(report: &Report) -> Option<String> {
    let scene = Scene::of(report)?;
    let height = scene.ys.values().copied().fold(0.0, f64::max) + 44.0;
    let width = LEFT + scene.lane * scene.lanes.len() as f64 + 8.0;
    let mut svg = format!(
        "<svg class=\"diagram\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"messages between nodes before the failure, time downwards\"><defs><marker id=\"tip\" viewBox=\"0 0 8 8\" \
         refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
    );
    scene.lanes(&mut svg, height);
    scene.bands(&mut svg);
    scene.arrows(&mut svg);
    scene.dots(&mut svg);
    scene.failure(&mut svg, width);
    svg.push_str("</svg>");
    Some(svg)
}

impl<'a> Scene<'a> {
    fn of(report: &'a Report) -> Option<Self> {
        let topics = topics(report);
        let until = report.verdict.at_ns;
        let slice = backwards(report);
        let is_in = |message: &Message| {
            let same = |item: &Item<'_>| matches!(item, Item::Message(one) if one.event == message.event);
            slice.iter().any(same) || mentions(&message.begins, &topics)
        };
        let before = report.messages.iter().filter(|message| message.arrived_ns <= until);
        let mut messages: Vec<&Message> = before.clone().filter(|message| is_in(message)).collect();
        if messages.is_empty() {
            messages = before.collect();
        }
        let messages = messages.split_off(messages.len().saturating_sub(ARROWS_MAX));
        let from =
            messages.iter().map(|message| message.sent_ns).min().or(report.log.first().map(|line| line.at_ns))?;
        let is_shown = |line: &&LogLine| {
            line.node != "world"
                && line.at_ns >= from
                && is_telling(line)
                && line.kind != "fault"
                && (topics.is_empty()
                    || mentions(&line.text, &topics)
                    || line.event == report.verdict.event
                    || line.kind != "event")
        };
        let mut dots: Vec<&LogLine> = report.log.iter().filter(is_shown).collect();
        let dots = dots.split_off(dots.len().saturating_sub(DOTS_MAX));
        let is_used = |name: &str| {
            messages.iter().any(|message| message.from == name || message.to == name)
                || dots.iter().any(|dot| dot.node == name)
        };
        let lanes: Vec<&str> =
            report.nodes.iter().map(|node| node.name.as_str()).filter(|name| is_used(name)).collect();
        let lane = (860.0 / lanes.len().max(1) as f64).clamp(84.0, 210.0);
        let causes = slice.iter().map(|item| item.at().1).collect();
        let mut scene = Self { report, lanes, lane, causes, messages, dots, ys: BTreeMap::new() };
        scene.bend(from);
        (!scene.lanes.is_empty()).then_some(scene)
    }

    /// Gives each moment its place.
    fn bend(&mut self, from: u64) {
        let until = self.report.verdict.at_ns.max(from);
        let mut moments: Vec<u64> =
            self.messages.iter().flat_map(|message| [message.sent_ns, message.arrived_ns]).collect();
        moments.extend(self.dots.iter().map(|dot| dot.at_ns));
        moments.extend([from, until]);
        for fault in &self.report.faults {
            moments.push(fault.at_ns);
            moments.extend(fault.until_ns);
        }
        for node in &self.report.nodes {
            moments.extend(node.lives.iter().flat_map(|life| [Some(life.from_ns), life.until_ns]).flatten());
        }
        moments.retain(|moment| (from..=until).contains(moment));
        moments.sort_unstable();
        moments.dedup();
        let (mut y, mut last) = (TOP, from);
        for moment in moments {
            let gap_us = (moment - last) as f64 / 1_000.0;
            y += if moment == last { 0.0 } else { (2.0 + 3.6 * (1.0 + gap_us / 40.0).ln()).min(GAP_MAX) };
            self.ys.insert(moment, y);
            last = moment;
        }
    }

    fn x(&self, node: &str) -> Option<f64> {
        let lane = self.lanes.iter().position(|lane| *lane == node)?;
        Some(LEFT + self.lane * (lane as f64 + 0.5))
    }

    /// The place of a moment: that of the last one before it which has one.
    fn y(&self, ns: u64) -> f64 {
        self.ys.range(..=ns).next_back().map_or(TOP, |(_, y)| *y)
    }

    fn lanes(&self, svg: &mut String, height: f64) {
        for node in self.report.nodes.iter().filter(|node| self.lanes.contains(&node.name.as_str())) {
            let x = self.x(&node.name).unwrap_or(LEFT);
            let bottom = height - 30.0;
            let _ = write!(
                svg,
                "<text class=\"lane\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"16\">{}</text><line class=\"dead\" x1=\"{x:.1}\" y1=\"{TOP}\" \
                 x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>",
                escape(&node.name)
            );
            for life in &node.lives {
                let (from, until) = (self.y(life.from_ns), life.until_ns.map_or(bottom, |until| self.y(until)));
                let _ = write!(
                    svg,
                    "<line class=\"life\" x1=\"{x:.1}\" y1=\"{from:.1}\" x2=\"{x:.1}\" y2=\"{until:.1}\"/>"
                );
            }
        }
        let mut last = f64::MIN;
        for (ns, y) in &self.ys {
            if y - last >= 36.0 {
                let _ = write!(svg, "<text class=\"small\" x=\"2\" y=\"{:.1}\">{}</text>", y + 4.0, time(*ns));
                last = *y;
            }
        }
    }

    fn bands(&self, svg: &mut String) {
        let (from, until) = (self.ys.keys().next().copied().unwrap_or(0), self.report.verdict.at_ns);
        for fault in self.report.faults.iter().filter(|fault| fault.outcome != "refused") {
            let end = fault.until_ns.unwrap_or(until);
            if end < from || fault.at_ns > until {
                continue;
            }
            for x in fault.nodes.iter().filter_map(|node| self.x(node)) {
                let (top, bottom) = (self.y(fault.at_ns.max(from)), self.y(end.min(until)));
                let _ = write!(
                    svg,
                    "<rect class=\"band {}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"22\" height=\"{:.1}\" rx=\"4\"><title>{}</title></rect>",
                    class_of(&fault.kind),
                    x - 11.0,
                    (bottom - top).max(4.0),
                    escape(&story::sentence(fault))
                );
            }
        }
        for node in &self.report.nodes {
            let Some(x) = self.x(&node.name) else { continue };
            for end in node.lives.iter().filter_map(|life| life.until_ns).filter(|end| (from..=until).contains(end)) {
                svg.push_str(&cross(x, self.y(end), &format!("{} ends at {}", node.name, time(end))));
            }
        }
    }

    fn arrows(&self, svg: &mut String) {
        for message in &self.messages {
            let (Some(from), Some(to)) = (self.x(&message.from), self.x(&message.to)) else { continue };
            let (sent, arrived) = (self.y(message.sent_ns), self.y(message.arrived_ns));
            let inward = if to > from { 6.0 } else { -6.0 };
            let text = message.begins.trim_end_matches("\\n").replace("\\n", " ⏎ ");
            let is_cause = self.causes.contains(&message.event);
            let label = if is_cause {
                let (x, y) = (to + (from - to) * 0.25, arrived + (sent - arrived) * 0.25 - 3.0);
                format!(
                    "<text class=\"payload\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                    escape(&short(&text))
                )
            } else {
                String::new()
            };
            let _ = write!(
                svg,
                "<g class=\"arrow{}\"><title>{} to {}: {} ({} bytes), sent {}, arrived {} ({})</title>\
                 <line class=\"touch\" x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{to:.1}\" y2=\"{arrived:.1}\"/>\
                 <line x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{:.1}\" y2=\"{arrived:.1}\" marker-end=\"url(#tip)\"/>{label}</g>",
                if is_cause { " cause" } else { "" },
                escape(&message.from),
                escape(&message.to),
                escape(&text),
                message.len,
                time(message.sent_ns),
                time(message.arrived_ns),
                span(message.arrived_ns.saturating_sub(message.sent_ns)),
                to - inward,
            );
        }
    }

    fn dots(&self, svg: &mut String) {
        for dot in &self.dots {
            let Some(x) = self.x(&dot.node) else { continue };
            let _ = write!(
                svg,
                "<circle class=\"dot {}\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4.5\"><title>{} {}: {}</title></circle>",
                escape(&dot.kind),
                self.y(dot.at_ns),
                time(dot.at_ns),
                escape(&dot.node),
                escape(&dot.text)
            );
            if self.causes.contains(&dot.event) {
                let is_last = self.lanes.last() == Some(&dot.node.as_str());
                let (x, anchor) = if is_last { (x - 8.0, "end") } else { (x + 8.0, "start") };
                let _ = write!(
                    svg,
                    "<text class=\"payload told\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                    self.y(dot.at_ns) + 4.0,
                    escape(&short(dot.text.split_once('.').map_or(&dot.text, |(_, rest)| rest)))
                );
            }
        }
    }

    fn failure(&self, svg: &mut String, width: f64) {
        if self.report.passed() {
            return;
        }
        let y = self.y(self.report.verdict.at_ns);
        let name = if self.report.verdict.invariant.is_empty() {
            &self.report.verdict.class
        } else {
            &self.report.verdict.invariant
        };
        let _ = write!(
            svg,
            "<line class=\"fail\" x1=\"0\" y1=\"{y:.1}\" x2=\"{width:.0}\" y2=\"{y:.1}\"/><text class=\"failtext\" x=\"{:.1}\" \
             y=\"{:.1}\">{} violated here, event {}</text>",
            4.0,
            y + 18.0,
            escape(name),
            self.report.verdict.event
        );
    }
}

/// The beginning of a text.
fn short(text: &str) -> String {
    const LEN_MAX: usize = 30;
    if text.chars().count() <= LEN_MAX {
        return text.to_owned();
    }
    text.chars().take(LEN_MAX - 1).chain(['…']).collect()
}
