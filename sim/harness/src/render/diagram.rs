//! The space-time diagram: a lane for each node, time downwards, the messages that led to the failure as arrows with
//! what was answered to them, what clients asked as bars on their lanes.
//!
//! Time is bent: what happens is drawn in its order, with a gap that grows slowly with the time between, so that a
//! millisecond in which much happens is as readable as a second in which nothing does. What has words has a line to
//! itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::report::{LogLine, Message, Report, Undelivered};

use super::marks::{bands, end};
use super::operations::{Operation, in_question};
use super::slice::{Item, backwards, is_aside, is_telling};
use super::words::{fields_of, say, with_names};
use super::{escape, mentions, short, span, story, time, topics, undelivered};

const LEFT: f64 = 92.0;
/// Room for the words of the last lane.
const RIGHT: f64 = 250.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 985.0;
/// How wide a letter is.
const LETTER: f64 = 6.4;
/// Arrows at most, what they answer and what was answered to them not counted: what a person can follow.
const ARROWS_MAX: usize = 40;
/// Things that nodes told, at most.
const DOTS_MAX: usize = 50;
/// The farthest that two things are apart.
const GAP_MAX: f64 = 34.0;
/// Lanes that are narrower have no words at their left.
const LEFT_MIN: f64 = 150.0;
/// What has words is so far below what comes before it.
const LINE: f64 = 18.0;

/// What is drawn.
struct Scene<'a> {
    report: &'a Report,
    lanes: Vec<&'a str>,
    /// How wide one is.
    lane: f64,
    /// What is in the causal slice, by the number of its event.
    causes: BTreeSet<u64>,
    messages: Vec<&'a Message>,
    /// The first of what was said back over the same connection.
    answers: Vec<&'a Message>,
    undelivered: Vec<&'a Undelivered>,
    dots: Vec<Dot<'a>>,
    operations: Vec<Operation<'a>>,
    /// The first moment.
    from: u64,
    /// Where each moment is.
    ys: BTreeMap<u64, f64>,
}

/// Something that a node told, once or again and again without anything between.
struct Dot<'a> {
    line: &'a LogLine,
    times: usize,
    until_ns: u64,
}

pub(super) fn svg(report: &Report) -> Option<String> {
    let scene = Scene::of(report)?;
    let height = scene.ys.values().copied().fold(0.0, f64::max) + 34.0;
    let width = LEFT + scene.lane * (scene.lanes.len() as f64 - 0.5) + scene.right();
    let mut svg = format!(
        "<svg class=\"diagram\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"messages between nodes before the failure, time downwards\"><defs><marker id=\"tip\" viewBox=\"0 0 8 8\" \
         refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
    );
    scene.lanes(&mut svg, height);
    scene.bands(&mut svg);
    scene.bars(&mut svg);
    scene.arrows(&mut svg);
    scene.broken(&mut svg);
    scene.words(&mut svg);
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
        let mut messages = messages.split_off(messages.len().saturating_sub(ARROWS_MAX));
        messages.extend(questions(report, &messages));
        messages.sort_by_key(|message| message.event);
        let answers = answers(report, &messages, until);
        let first = messages.iter().map(|message| message.sent_ns).min();
        let mut operations = in_question(report);
        let first = first.or(report.log.first().map(|line| line.at_ns))?;
        operations.retain(|operation| operation.ended.is_none_or(|(at, _)| at >= first));
        // One that began a moment before its first message is there from its beginning.
        let begun =
            operations.iter().map(|operation| operation.asked.0).filter(|at| first.saturating_sub(*at) < 50_000_000);
        let from = begun.min().map_or(first, |begun| begun.min(first));
        let is_aside = is_aside(report);
        let is_shown = |line: &&LogLine| {
            line.node != "world"
                && line.at_ns >= from
                && line.event <= report.verdict.event
                && is_telling(line)
                && !matches!(line.kind.as_str(), "fault" | "kill" | "exit")
                && !line.text.starts_with("history.")
                && (topics.is_empty()
                    || mentions(&line.text, &topics)
                    || line.event == report.verdict.event && line.kind != "note"
                    || line.kind != "event" && !is_aside(line))
        };
        let dots = dots(report.log.iter().filter(is_shown));
        let is_used = |name: &str| {
            messages.iter().any(|message| message.from == name || message.to == name)
                || dots.iter().any(|dot| dot.line.node == name)
                || operations.iter().any(|operation| operation.node == name)
        };
        let undelivered = undelivered::in_question(report).into_iter();
        let undelivered: Vec<&Undelivered> = undelivered
            .filter(|message| message.sent_ns >= from && message.stopped_ns <= until && is_used(&message.from))
            .collect();
        let is_meant = |name: &str| undelivered.iter().any(|message| message.to == name);
        let lanes: Vec<&str> =
            report.nodes.iter().map(|node| node.name.as_str()).filter(|name| is_used(name) || is_meant(name)).collect();
        let lane = ((WIDTH - LEFT - RIGHT) / (lanes.len() as f64 - 0.5).max(1.0)).clamp(104.0, 280.0);
        // A note has the number of the event before it, which may be no cause at all.
        let is_note = |item: &Item<'_>| matches!(item, Item::Line(line) if line.kind == "note");
        let causes = slice.iter().filter(|item| !is_note(item)).map(|item| item.at().1).collect();
        let mut scene = Self {
            report,
            lanes,
            lane,
            causes,
            messages,
            answers,
            undelivered,
            dots,
            operations,
            from,
            ys: BTreeMap::new(),
        };
        scene.bend();
        (!scene.lanes.is_empty()).then_some(scene)
    }

    /// Gives each moment its place; those that have words lie below what was before them.
    fn bend(&mut self) {
        let (from, until) = (self.from, self.report.verdict.at_ns.max(self.from));
        let mut moments: BTreeMap<u64, bool> = BTreeMap::new();
        let mut add = |at: u64, has_words: bool| *moments.entry(at).or_default() |= has_words;
        for message in &self.messages {
            add(message.sent_ns, false);
            add(message.arrived_ns, true);
        }
        for message in &self.answers {
            add(message.sent_ns, false);
            add(message.arrived_ns, true);
        }
        for message in &self.undelivered {
            add(message.sent_ns, false);
            add(message.stopped_ns, true);
        }
        self.dots.iter().for_each(|dot| add(dot.line.at_ns, self.has_words(dot)));
        for operation in &self.operations {
            add(operation.asked.0, true);
            operation.ended.iter().for_each(|(at, _)| add(*at, true));
        }
        for fault in &self.report.faults {
            add(fault.at_ns, fault.outcome != "refused");
            fault.until_ns.iter().for_each(|at| add(*at, false));
        }
        for life in self.report.nodes.iter().flat_map(|node| &node.lives) {
            add(life.from_ns, false);
            life.until_ns.iter().for_each(|at| add(*at, true));
        }
        moments.retain(|moment, _| (from..=until).contains(moment));
        moments.insert(from, true);
        moments.entry(until).or_default();
        let (mut y, mut last) = (TOP, from);
        for (moment, has_words) in moments {
            let gap_us = (moment - last) as f64 / 1_000.0;
            let gap = if moment == last { 0.0 } else { (2.0 + 3.6 * (1.0 + gap_us / 40.0).ln()).min(GAP_MAX) };
            y += if has_words && moment > last { gap.max(LINE) } else { gap };
            self.ys.insert(moment, y);
            last = moment;
        }
    }

    fn has_words(&self, dot: &Dot<'_>) -> bool {
        self.causes.contains(&dot.line.event) || dot.line.kind != "event"
    }

    /// Room for the words of the last lane: at least, or what the lanes leave of the page.
    fn right(&self) -> f64 {
        (WIDTH - LEFT - self.lane * (self.lanes.len() as f64 - 0.5)).max(RIGHT)
    }

    fn x(&self, node: &str) -> Option<f64> {
        let lane = self.lanes.iter().position(|lane| *lane == node)?;
        Some(LEFT + self.lane * (lane as f64 + 0.5))
    }

    /// The place of a moment: that of the last one before it which has one.
    fn y(&self, ns: u64) -> f64 {
        self.ys.range(..=ns).next_back().map_or(TOP, |(_, y)| *y)
    }

    fn is_seen(&self, ns: u64) -> bool {
        (self.from..=self.report.verdict.at_ns).contains(&ns)
    }

    fn lanes(&self, svg: &mut String, height: f64) {
        let bottom = height - 26.0;
        for node in self.report.nodes.iter().filter(|node| self.lanes.contains(&node.name.as_str())) {
            let x = self.x(&node.name).unwrap_or(LEFT);
            let _ = write!(
                svg,
                "<text class=\"lane\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"16\">{}</text><line class=\"dead\" x1=\"{x:.1}\" y1=\"24\" \
                 x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>",
                escape(&node.name)
            );
            for life in node.lives.iter().filter(|life| life.until_ns.is_none_or(|until| until >= self.from)) {
                let from = if life.from_ns < self.from { 24.0 } else { self.y(life.from_ns) };
                let until = life.until_ns.map_or(bottom, |until| self.y(until).min(bottom));
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
        let until = self.report.verdict.at_ns;
        for band in bands(self.report).filter(|band| band.fault.outcome != "refused") {
            let over = band.fault.until_ns.unwrap_or(until).min(until);
            let (Some(x), true) = (self.x(band.node), over >= self.from && band.fault.at_ns <= until) else { continue };
            let (top, bottom) = (self.y(band.fault.at_ns.max(self.from)), self.y(over));
            let _ = write!(
                svg,
                "<rect class=\"band {}{}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"22\" height=\"{:.1}\" rx=\"4\"><title>{}</title></rect>",
                band.class,
                if band.is_far { " far" } else { "" },
                x - 11.0,
                (bottom - top).max(4.0),
                escape(&band.title)
            );
        }
    }

    /// What clients asked, from its beginning to its end.
    fn bars(&self, svg: &mut String) {
        for operation in &self.operations {
            let Some(x) = self.x(operation.node) else { continue };
            let over = operation.ended.map_or(self.report.verdict.at_ns, |(at, _)| at);
            let (top, bottom) = (self.y(operation.asked.0.max(self.from)), self.y(over));
            let counts = operation.counts.map(|counts| format!(", {counts}")).unwrap_or_default();
            let title = format!(
                "{}: {}, {}{counts}; from {} to {}",
                operation.client,
                operation.what,
                operation.outcome(),
                time(operation.asked.0),
                operation.ended.map_or_else(|| "the end".into(), |(at, _)| time(at))
            );
            let _ = write!(
                svg,
                "<rect class=\"bar {}{}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"9\" height=\"{:.1}\" rx=\"2\"><title>{}</title></rect>",
                operation.how.class(),
                if operation.is_short() { " short" } else { "" },
                x - 4.5,
                (bottom - top).max(4.0),
                escape(&title)
            );
        }
    }

    fn arrows(&self, svg: &mut String) {
        let answers = self.answers.iter().map(|message| (message, true));
        for (message, is_answer) in self.messages.iter().map(|message| (message, false)).chain(answers) {
            let (Some(from), Some(to)) = (self.x(&message.from), self.x(&message.to)) else { continue };
            let (sent, arrived) = (self.y(message.sent_ns), self.y(message.arrived_ns));
            let inward = if to > from { 6.0 } else { -6.0 };
            let text = message.begins.trim_end_matches("\\n").replace("\\n", " ⏎ ");
            let is_cause = self.causes.contains(&message.event);
            // Before the head, where its line is then: what goes the other way has its words elsewhere.
            let share = (self.lane * 0.3 / (from - to).abs().max(1.0)).min(0.5);
            let y = arrived + (sent - arrived) * share - 3.5;
            let (x, anchor) = if to < from { (to + 16.0, "start") } else { (to - 16.0, "end") };
            let len = (self.lane.min(220.0) / LETTER) as usize - 4;
            // Bytes that are no text say nothing to a person.
            let is_text = text.matches("\\x").count() * 8 <= text.len();
            let words = if is_text { text.clone() } else { format!("{} bytes", message.len) };
            let label = format!(
                "<text class=\"payload\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                escape(&short(&words, len))
            );
            let class = if is_cause {
                " cause"
            } else if is_answer {
                " answer"
            } else {
                ""
            };
            let _ = write!(
                svg,
                "<g class=\"arrow{class}\"><title>{} to {}: {} ({} bytes), sent {}, arrived {} ({})</title>\
                 <line class=\"touch\" x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{to:.1}\" y2=\"{arrived:.1}\"/>\
                 <line x1=\"{from:.1}\" y1=\"{sent:.1}\" x2=\"{:.1}\" y2=\"{arrived:.1}\" marker-end=\"url(#tip)\"/>{label}</g>",
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

    /// What never arrived.
    fn broken(&self, svg: &mut String) {
        for message in &self.undelivered {
            let (Some(from), Some(to)) = (self.x(&message.from), self.x(&message.to)) else { continue };
            let (sent, stopped) = (self.y(message.sent_ns), self.y(message.stopped_ns));
            let len = (self.lane.min(220.0) / LETTER) as usize - 4;
            undelivered::arrow(self.report, message, (from, sent), (to, stopped), len, svg);
        }
    }

    /// Marks, and the words at the right of a lane; those of faults at its left. One place has the first words that come.
    fn words(&self, svg: &mut String) {
        let mut taken: BTreeSet<(i64, i64, bool)> = BTreeSet::new();
        let until = self.report.verdict.at_ns;
        for node in self.report.nodes.iter().filter(|node| self.lanes.contains(&node.name.as_str())) {
            for life in node.lives.iter().filter(|life| life.until_ns.is_some_and(|at| self.is_seen(at))) {
                let (x, at) = (self.x(&node.name).unwrap_or_default(), life.until_ns.unwrap_or_default());
                svg.push_str(&end(x, self.y(at), &node.name, life));
                if life.how == "failed" || life.how == "finished" {
                    let words = if life.how == "failed" { "its program failed" } else { "done, ends" };
                    self.word(svg, &mut taken, &node.name, at, "told", words);
                }
            }
        }
        for operation in &self.operations {
            let name = format!("asks: {}", operation.what);
            if operation.asked.0 >= self.from {
                self.word(svg, &mut taken, operation.node, operation.asked.0, "told", &name);
            }
            if let Some((at, _)) = operation.ended {
                let counts =
                    operation.counts.map(|c| format!(", {} of {} answers", c.counted, c.asked)).unwrap_or_default();
                let class = if operation.is_short() { "told bad" } else { "told" };
                let words = format!("{}{counts}", operation.outcome());
                self.word(svg, &mut taken, operation.node, at, class, &words);
            }
        }
        for band in bands(self.report).filter(|band| band.fault.outcome != "refused" && band.fault.at_ns <= until) {
            if band.fault.until_ns.is_none_or(|over| over >= self.from) {
                let words = story::brief(band.fault, band.is_far);
                let class = format!("left {}", band.class);
                self.word(svg, &mut taken, band.node, band.fault.at_ns.max(self.from), &class, &words);
            }
        }
        for dot in &self.dots {
            let Some(x) = self.x(&dot.line.node) else { continue };
            let (line, y) = (dot.line, self.y(dot.line.at_ns));
            let again = match dot.times {
                1 => String::new(),
                times => format!(", {times} times until {}", time(dot.until_ns)),
            };
            let _ = write!(
                svg,
                "<circle class=\"dot {}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{} {}: {}{again}</title></circle>",
                escape(&line.kind),
                time(line.at_ns),
                escape(&line.node),
                escape(&say(self.report, line))
            );
            if self.has_words(dot) {
                let name = match line.kind.as_str() {
                    "start" => "starts".to_owned(),
                    "note" => with_names(self.report, &line.text),
                    _ => plain(line.text.split_once('.').map_or(line.text.as_str(), |(_, rest)| rest)),
                };
                let words = if dot.times > 1 { format!("{name} ×{}", dot.times) } else { name };
                let is_cause = line.kind == "note" || self.causes.contains(&line.event);
                let class = if is_cause { "told" } else { "told soft" };
                self.word(svg, &mut taken, &line.node, line.at_ns, class, &words);
            }
        }
    }

    /// Words beside a lane, unless others are there.
    fn word(
        &self,
        svg: &mut String,
        taken: &mut BTreeSet<(i64, i64, bool)>,
        node: &str,
        ns: u64,
        class: &str,
        words: &str,
    ) {
        let Some(x) = self.x(node) else { return };
        let (y, is_left) = (self.y(ns), class.starts_with("left"));
        if words.is_empty() || is_left && self.lane < LEFT_MIN || !taken.insert((x as i64, y as i64, is_left)) {
            return;
        }
        let is_last = self.lanes.last() == Some(&node);
        let room = if is_last && !is_left { self.right() } else { self.lane.min(220.0) };
        let (x, anchor) = if is_left { (x - 15.0, "end") } else { (x + 9.0, "start") };
        let len = (room / LETTER) as usize - 2;
        let _ = write!(
            svg,
            "<text class=\"payload {class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            y + 4.0,
            escape(&short(words, len))
        );
    }

    fn failure(&self, svg: &mut String, width: f64) {
        if self.report.passed() {
            return;
        }
        let y = self.y(self.report.verdict.at_ns);
        let verdict = &self.report.verdict;
        let name = match verdict.invariant.as_str() {
            "" => verdict.class.clone(),
            invariant => format!("{invariant} does not hold"),
        };
        let _ = write!(
            svg,
            "<line class=\"fail\" x1=\"0\" y1=\"{:.1}\" x2=\"{width:.0}\" y2=\"{:.1}\"/><text class=\"failtext\" x=\"4\" \
             y=\"{:.1}\">{}, event {}</text>",
            y + 8.0,
            y + 8.0,
            y + 26.0,
            escape(&name),
            verdict.event
        );
    }
}

/// What each answer answers, if that is not shown: the last thing said the other way, unless more was answered since.
/// Who speaks first on a connection asks.
fn questions<'a>(report: &'a Report, messages: &[&'a Message]) -> Vec<&'a Message> {
    let known: BTreeSet<u64> = messages.iter().map(|message| message.event).collect();
    let mut questions: BTreeMap<u64, &Message> = BTreeMap::new();
    for message in messages {
        let of_connection = || report.messages.iter().filter(|other| other.connection == message.connection);
        if of_connection().next().is_some_and(|first| first.from == message.from) {
            continue;
        }
        let is_back = |other: &&Message| {
            other.from == message.to && other.to == message.from && other.arrived_ns <= message.sent_ns
        };
        let last = of_connection().take_while(|other| other.event < message.event).last().filter(is_back);
        questions.extend(last.map(|question| (question.event, question)));
    }
    questions.retain(|event, _| !known.contains(event));
    questions.into_values().collect()
}

/// The first thing said back over the connection of each message, unless more was said to it before.
fn answers<'a>(report: &'a Report, messages: &[&'a Message], until: u64) -> Vec<&'a Message> {
    let known: BTreeSet<u64> = messages.iter().map(|message| message.event).collect();
    let mut answers: BTreeMap<u64, &Message> = BTreeMap::new();
    for message in messages {
        let same = |other: &&Message| other.connection == message.connection && other.event > message.event;
        let next = report.messages.iter().filter(same).find(|other| {
            let is_back = other.from == message.to && other.to == message.from;
            is_back && other.sent_ns >= message.arrived_ns || other.from == message.from && other.to == message.to
        });
        if let Some(answer) = next.filter(|other| other.from == message.to && other.arrived_ns <= until) {
            answers.insert(answer.event, answer);
        }
    }
    answers.retain(|event, _| !known.contains(event));
    answers.into_values().collect()
}

/// The last things told; what a node tells again, with nothing else of it between, is one.
fn dots<'a>(lines: impl Iterator<Item = &'a LogLine>) -> Vec<Dot<'a>> {
    let mut dots: Vec<Dot<'a>> = Vec::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        let again = last.get(line.node.as_str()).map(|place| &mut dots[*place]);
        if let Some(dot) = again.filter(|dot| dot.line.text == line.text) {
            (dot.times, dot.until_ns) = (dot.times + 1, line.at_ns);
        } else {
            last.insert(&line.node, dots.len());
            dots.push(Dot { line, times: 1, until_ns: line.at_ns });
        }
    }
    dots.split_off(dots.len().saturating_sub(DOTS_MAX))
}

/// An event without the signs of its fields: `applied key 7, as 2`.
fn plain(text: &str) -> String {
    let (name, fields) = fields_of(text);
    let fields: Vec<String> = fields.into_iter().map(|(field, value)| format!("{field} {value}")).collect();
    format!("{name} {}", fields.join(", ")).trim_end().to_owned()
}
