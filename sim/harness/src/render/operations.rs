//! What clients asked and what they were told, put together from the events of the history (`history.invoke` and its
//! end): with how many answers, if the events say so (`asked`, `needed`, `counted`).

use std::collections::BTreeMap;

use crate::report::Report;
use crate::select::quorum;

use super::words::fields_of;
use super::{mentions, topics};

/// Operations that a report shows.
const SHOWN_MAX: usize = 12;

/// How many answers an operation had, in the step that had the fewest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// How many were asked.
    pub(super) asked: u64,
    /// How many answers it waited for.
    pub(super) needed: u64,
    /// How many it had.
    pub(super) counted: u64,
}

impl Counts {
    fn of(fields: &[(&str, &str)]) -> Option<Self> {
        let number = |name: &str| fields.iter().find(|(field, _)| *field == name)?.1.parse().ok();
        Some(Self { asked: number("asked")?, needed: number("needed")?, counted: number("counted")? })
    }

    /// More than half of those asked.
    pub(super) fn majority(self) -> u64 {
        quorum(self.asked as usize) as u64
    }

    /// Half of those asked or fewer.
    pub(super) fn is_no_majority(self) -> bool {
        self.asked > 1 && self.counted < self.majority()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, needed, counted } = self;
        let s = if *counted == 1 { "" } else { "s" };
        write!(f, "{counted} answer{s} of {asked} asked, {needed} needed")
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is done.
    Done,
    /// It failed, and did nothing.
    Failed,
    /// It was given up, and nobody knows what it did.
    Unknown,
    /// Its client died.
    Died,
    /// It was not over at the end.
    Waits,
}

impl How {
    /// The class of its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            How::Done => "done",
            How::Failed => "failed",
            How::Unknown | How::Died => "unknown",
            How::Waits => "waits",
        }
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    pub(super) node: &'a str,
    /// The node, and which client of it, if it has several.
    pub(super) client: String,
    /// `write pears 7`.
    pub(super) what: String,
    is_read: bool,
    /// When it was asked, and by which event.
    pub(super) asked: (u64, u64),
    /// When it ended, and by which event.
    pub(super) ended: Option<(u64, u64)>,
    pub(super) how: How,
    /// What its client was told.
    told: String,
    pub(super) counts: Option<Counts>,
}

impl Operation<'_> {
    /// When it became known what comes of it: its end, or its beginning if it still waits.
    pub(super) fn known_at(&self) -> u64 {
        self.ended.map_or(self.asked.0, |(at, _)| at)
    }

    /// What came of it.
    pub(super) fn outcome(&self) -> String {
        match self.how {
            How::Done if !self.told.is_empty() => format!("told {}", self.told),
            How::Done if self.is_read => "told nothing".into(),
            How::Done => "told done".into(),
            How::Failed => "told that it failed".into(),
            How::Unknown => "given up: it may have taken effect".into(),
            How::Died => "its client died".into(),
            How::Waits => "still waits".into(),
        }
    }

    /// Whether too few answers are a part of the story: it is done by no majority, or waited for more than came.
    pub(super) fn is_short(&self) -> bool {
        self.counts.is_some_and(|counts| match self.how {
            How::Done => counts.is_no_majority(),
            _ => counts.counted < counts.needed,
        })
    }
}

/// All operations whose beginning the log still has, in the order in which they were asked.
pub(super) fn all(report: &Report) -> Vec<Operation<'_>> {
    let mut operations: Vec<Operation<'_>> = Vec::new();
    let mut running: BTreeMap<String, usize> = BTreeMap::new();
    for line in report.log.iter().filter(|line| line.event <= report.verdict.event || report.passed()) {
        if (line.kind == "kill" || line.kind == "exit") && line.task == 0 {
            let is_of_it = |client: &str| client.split('/').next() == Some(line.node.as_str());
            for (_, place) in running.extract_if(.., |client, _| is_of_it(client)) {
                operations[place].how = How::Died;
                operations[place].ended = Some((line.at_ns, line.event));
            }
        }
        if line.kind != "event" || !line.text.starts_with("history.") {
            continue;
        }
        let (name, fields) = fields_of(&line.text);
        let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
        let client = match field("client") {
            None | Some("0") => line.node.clone(),
            Some(number) => format!("{}/{number}", line.node),
        };
        if name == "history.invoke" {
            let words = ["op", "key", "from", "value"].into_iter().filter_map(field);
            operations.push(Operation {
                node: &line.node,
                client: client.clone(),
                what: words.collect::<Vec<_>>().join(" "),
                is_read: field("op") == Some("read"),
                asked: (line.at_ns, line.event),
                ended: None,
                how: How::Waits,
                told: String::new(),
                counts: None,
            });
            running.insert(client, operations.len() - 1);
        } else if let Some(place) = running.remove(&client) {
            let operation = &mut operations[place];
            operation.ended = Some((line.at_ns, line.event));
            operation.how = match name {
                "history.ok" => How::Done,
                "history.fail" => How::Failed,
                _ => How::Unknown,
            };
            field("value").or_else(|| field("swapped")).unwrap_or_default().clone_into(&mut operation.told);
            operation.counts = Counts::of(&fields);
        }
    }
    operations
}

/// Where an operation took effect (`effect.applied` of a key that it names), and as what: each place once, with how often.
pub(super) fn took_effect_at(report: &Report, operation: &Operation<'_>) -> String {
    let mut places: Vec<(String, usize)> = Vec::new();
    let is_before = |line: &&crate::report::LogLine| line.event <= report.verdict.event || report.passed();
    for line in report.log.iter().filter(is_before).filter(|line| line.kind == "event") {
        let ("effect.applied", fields) = fields_of(&line.text) else { continue };
        let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
        if !field("key").is_some_and(|key| mentions(&operation.what, &[key.to_owned()])) {
            continue;
        }
        let place = field("as").map_or_else(|| line.node.clone(), |version| format!("{} as {version}", line.node));
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, times)) => *times += 1,
            None => places.push((place, 1)),
        }
    }
    let words = |(place, times): (String, usize)| if times > 1 { format!("{place} ({times} times)") } else { place };
    places.into_iter().map(words).collect::<Vec<_>>().join(", ")
}

/// Keys that clients asked for and that the failure is not about.
pub(super) fn others(report: &Report, topics: &[String]) -> Vec<String> {
    if topics.is_empty() {
        return Vec::new();
    }
    // The key of an operation that is in question is too, though the failure may know it by its value alone.
    let (mut ours, mut keys): (Vec<String>, Vec<String>) = (topics.to_vec(), Vec::new());
    for line in report.log.iter().filter(|line| line.kind == "event" && line.text.starts_with("history.invoke ")) {
        let (_, fields) = fields_of(&line.text);
        let key = fields.iter().find(|(field, _)| *field == "key").map(|(_, key)| (*key).to_owned());
        if mentions(&line.text, topics) { &mut ours } else { &mut keys }.extend(key);
    }
    keys.retain(|key| !ours.contains(key));
    keys
}

/// Those that have to do with what the failure is about, the last of them.
pub(super) fn in_question(report: &Report) -> Vec<Operation<'_>> {
    let topics = topics(report);
    let mut operations = all(report);
    let is_about = |operation: &Operation<'_>| {
        topics.is_empty() || mentions(&operation.what, &topics) || mentions(&operation.told, &topics)
    };
    operations.retain(is_about);
    operations.split_off(operations.len().saturating_sub(SHOWN_MAX))
}
