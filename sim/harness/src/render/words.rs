//! What the log says, in words: fields of events, addresses as names, and what each name means.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::{LogLine, Report};

/// The name of an event in words of the trace, and its fields: `history.ok value=7 what=two words`.
///
/// A value may have blanks in it; one that itself looks like a field is taken for one.
pub(crate) fn fields_of(text: &str) -> (&str, Vec<(&str, &str)>) {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut begins: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    for word in rest.split(' ') {
        if let Some((field, _)) = word.split_once('=').filter(|(field, _)| is_field(field)) {
            begins.push((at, at + field.len() + 1));
        }
        at += word.len() + 1;
    }
    let ends = begins.iter().skip(1).map(|(begin, _)| begin - 1).chain([rest.len()]);
    let fields = begins.iter().zip(ends).map(|((begin, value), end)| (&rest[*begin..value - 1], &rest[*value..end]));
    (name, fields.collect())
}

fn is_field(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Puts names of nodes where their addresses stand.
pub(super) fn with_names(report: &Report, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        let word_len = rest[begin..].find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len() - begin);
        let (before, from) = rest.split_at(begin);
        let (word, after) = from.split_at(word_len);
        out.push_str(before);
        let node = report.nodes.iter().find(|node| !node.ip.is_empty() && node.ip == word);
        out.push_str(node.map_or(word, |node| &node.name));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What kinds of lines of the log mean.
const KINDS: [(&str, &str); 14] = [
    ("note", "what the program decides, in its own words"),
    ("event", "a telemetry event of the program: its name, then its fields"),
    ("probe", "the program came past a named place in its code"),
    ("print", "a line that the program wrote to its output"),
    ("panic", "a task panicked"),
    ("kill", "the process was killed from outside"),
    ("start", "a process starts"),
    ("exit", "a task is done, or a process ended by itself"),
    ("fault", "something was done to a machine, a disk or a way"),
    ("pause", "the process stands still"),
    ("resume", "the process goes on"),
    ("buggify", "code that makes rare things happen did so"),
    ("arrive", "bytes reached the node"),
    ("reset", "a connection was reset"),
];

/// Names in those lines, and what each means; those that nobody has explained are left out.
pub(super) fn legend<'a>(report: &Report, lines: impl Iterator<Item = &'a LogLine>) -> Vec<(String, String)> {
    const MOST: usize = 40;
    let (mut kinds, mut events, mut fields) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut probes = BTreeSet::new();
    for line in lines {
        kinds.insert(line.kind.as_str());
        match line.kind.as_str() {
            "event" => {
                let (event, of_it) = fields_of(&line.text);
                events.insert(event.to_owned());
                for (field, _) in of_it {
                    let own = format!("{event} {field}");
                    fields.insert(if report.words.contains_key(&own) { own } else { field.to_owned() });
                }
            }
            "probe" => drop(probes.insert(line.text.as_str())),
            _ => {}
        }
    }
    let known = |name: &String| report.words.get(name).map(|about| (name.clone(), about.clone()));
    let mut legend: Vec<(String, String)> = events.iter().filter_map(known).collect();
    legend.extend(of_fields(fields.iter().filter_map(known)));
    let of_probe = |name: &&str| report.probes.iter().find(|probe| probe.name == **name && !probe.about.is_empty());
    legend.extend(probes.iter().filter_map(of_probe).map(|probe| (probe.name.clone(), probe.about.clone())));
    let of_kind = KINDS.iter().filter(|(kind, _)| *kind != "event" && kinds.contains(kind));
    legend.extend(of_kind.map(|(kind, about)| ((*kind).to_owned(), (*about).to_owned())));
    legend.truncate(MOST);
    legend
}

/// Fields that mean the same in several events are one.
fn of_fields(fields: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut alike: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (name, about) in fields {
        let (event, field) = name.split_once(' ').map_or((None, name.as_str()), |(event, field)| (Some(event), field));
        alike.entry((field.to_owned(), about)).or_default().extend(event.map(str::to_owned));
    }
    let name = |field: &str, events: &[String]| format!("{} {field}", events.join(", ")).trim_start().to_owned();
    alike.into_iter().map(|((field, about), events)| (name(&field, &events), about)).collect()
}

/// What one line says, on its own: names of nodes for addresses, and a kind where the words alone do not say it.
pub(super) fn say(report: &Report, line: &LogLine) -> String {
    let text = with_names(report, &line.text);
    match line.kind.as_str() {
        "probe" => format!("passes {text}"),
        "buggify" => format!("buggify: {text}"),
        "print" => format!("prints: {text}"),
        "panic" => format!("panics: {text}"),
        "pause" => format!("stands still {text}"),
        _ => text,
    }
}

/// What a name means, for who points at it; empty if nobody has said it.
pub(super) fn meaning(report: &Report, line: &LogLine) -> String {
    match line.kind.as_str() {
        "event" => report.words.get(fields_of(&line.text).0).cloned().unwrap_or_default(),
        "probe" => {
            let probe = report.probes.iter().find(|probe| probe.name == line.text);
            probe.map(|probe| probe.about.clone()).unwrap_or_default()
        }
        _ => String::new(),
    }
}
