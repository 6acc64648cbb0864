//! A report as people read it: one HTML file without anything from elsewhere, text for a terminal, and JSON, all from
//! the same [`Report`].
//!
//! ```text
//!   verdict     class, invariant, time, event; new, known, rare or resolved
//!   commands    replay it, run the small one, step to it
//!   story       one paragraph, from the plan
//!   difference  what was expected and what was seen, only where they differ; what clients asked, and were told
//!   pictures    the whole run; the messages before the failure, the failure at the end
//!   causes      what can have led to it: faults, the nearest first; backwards over messages; what the names mean
//!   the rest    faults, scoreboard, plan, log
//! ```

mod case;
mod diagram;
mod html;
mod log;
mod marks;
mod operations;
mod overview;
mod slice;
mod story;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod undelivered;
mod words;

pub(crate) use words::fields_of;

use serde::{Deserialize, Serialize};

use crate::report::Report;

/// What is known of a failure beside the run itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Whether it was seen before.
    pub standing: Standing,
    /// The command that runs it again, bit for bit.
    pub replay: String,
    /// The command that runs the small one, if it was made small.
    pub shrunk: String,
    /// The command that stops at the event and shows what led to it.
    pub step: String,
    /// How large the plan was before it was made small and is now.
    pub size: Option<(Size, Size)>,
    /// The file that was made small, and in how many runs.
    pub origin: Option<(String, u64)>,
}

impl About {
    /// From what to what it was made small, in a sentence.
    pub(crate) fn made_small(&self) -> Option<String> {
        let (before, after) = self.size?;
        let origin =
            self.origin.as_ref().map_or_else(String::new, |(from, runs)| format!("; from {from}, in {runs} runs"));
        Some(format!("made small: {after}; {before} before{origin}"))
    }
}

/// How large a plan is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Nodes.
    pub nodes: u64,
    /// Faults that strike.
    pub faults: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Decisions of the schedule that first come, first served would not have made.
    pub decisions: u64,
    /// Virtual time, in nanoseconds.
    pub virtual_ns: u64,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { nodes, faults, operations, decisions, virtual_ns } = self;
        let s = |count: &u64| if *count == 1 { "" } else { "s" };
        write!(f, "{nodes} node{}, {faults} fault{}, {operations} operation{}", s(nodes), s(faults), s(operations))?;
        write!(f, ", {decisions} decision{} of the schedule, {}", s(decisions), span(*virtual_ns))
    }
}

/// Whether a failure was seen before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Never.
    #[default]
    New,
    /// It is in the bank.
    Known,
    /// It is in the bank, and few seeds find it.
    Rare,
    /// It is in the bank as mended, and this run passes.
    Resolved,
    /// It is in the bank as mended, and fails again.
    Back,
}

impl Standing {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Standing::New => "NEW",
            Standing::Known => "KNOWN",
            Standing::Rare => "RARE",
            Standing::Resolved => "RESOLVED",
            Standing::Back => "BACK",
        }
    }
}

impl Report {
    /// As one HTML file that needs nothing else: it follows the reader's light or dark, and fits a phone.
    pub fn to_html(&self, about: &About) -> String {
        html::page(self, about)
    }

    /// As text for a terminal.
    pub fn to_text(&self, about: &About) -> String {
        text::page(self, about)
    }

    /// The sentence that tells what happened.
    pub fn story(&self) -> String {
        story::tell(self)
    }
}

/// A time of a run.
pub(crate) fn time(ns: u64) -> String {
    let text = format!("{}.{:06}", ns / 1_000_000_000, ns % 1_000_000_000 / 1_000);
    format!("{text} s")
}

/// A time of a run, to the millisecond, for sentences.
pub(crate) fn about(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

/// A span of time, in the unit that suits it.
pub(crate) fn span(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// The beginning of a text.
pub(crate) fn short(text: &str, len_max: usize) -> String {
    if text.chars().count() <= len_max {
        return text.to_owned();
    }
    text.chars().take(len_max.max(2) - 1).chain(['…']).collect()
}

/// Text inside HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// What had to hold, in words.
pub(crate) fn demanded(report: &Report) -> &str {
    match &report.verdict {
        verdict if !verdict.demands.is_empty() => &verdict.demands,
        verdict if !verdict.invariant.is_empty() => "it holds",
        _ => "the run comes to its end, and nothing is wrong",
    }
}

/// What was seen, in its first line, and all further lines: a history, a list of tasks.
pub(crate) fn seen(report: &Report) -> (&str, &str) {
    let message = report.verdict.message.as_str();
    let (first, more) = message.split_once('\n').unwrap_or((message, ""));
    // What lists tasks has the list behind the sentence.
    match [" waiting:", " alive:"].iter().find_map(|list| first.find(list)) {
        Some(at) if more.is_empty() => (first[..at].trim_end_matches(';'), first[at..].trim_start()),
        _ => (first, more),
    }
}

/// When and at which event the run was judged.
pub(crate) fn headline(report: &Report) -> String {
    let verdict = &report.verdict;
    if report.passed() {
        return format!("{}: seed {} passed", report.scenario, report.seed);
    }
    let what = match verdict.invariant.as_str() {
        "" => verdict.class.clone(),
        invariant => format!("{invariant} did not hold"),
    };
    if case::is_property(report) {
        return match &report.case {
            Some(case) => format!("{what} for {}", short(&case.input.replace('\n', " "), 80)),
            None => what,
        };
    }
    format!("{what} at {}, event {}", time(verdict.at_ns), verdict.event)
}

/// Words of a verdict that point at what it is about: keys, and numbers of some length.
pub(crate) fn topics(report: &Report) -> Vec<String> {
    let verdict = &report.verdict;
    let mut topics: Vec<String> = verdict.evidence.iter().map(|evidence| evidence.key.clone()).collect();
    let first = verdict.message.lines().next().unwrap_or_default();
    // Sentences after the first one explain it, and count.
    let first = first.split_once(". ").map_or(first, |(first, _)| first);
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    for word in first.split(|c| !is_word(c)) {
        // What the simulator counts is no name of anything.
        if !verdict.invariant.is_empty() && word.len() >= 3 && word.chars().all(|c| c.is_ascii_digit()) {
            topics.push(word.to_owned());
        }
    }
    // A word before a colon is a key if something speaks of it: "stuck:" is none.
    if let Some((key, _)) = first.split_once(": ").filter(|(key, _)| key.chars().all(is_word)) {
        let topic = [key.to_owned()];
        let is_spoken_of = report.log.iter().any(|line| line.node == key || mentions(&line.text, &topic));
        topics.extend(topic.into_iter().filter(|_| is_spoken_of));
    }
    let mut seen = std::collections::BTreeSet::new();
    topics.retain(|topic| !topic.is_empty() && seen.insert(topic.clone()));
    topics
}

/// Whether a text mentions a topic as a word.
pub(crate) fn mentions(text: &str, topics: &[String]) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .any(|word| topics.iter().any(|topic| topic == word))
}
