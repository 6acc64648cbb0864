//! The log on the page: what a node says again and again is one line.

use std::collections::BTreeMap;

use crate::report::{LogLine, Report};

use super::html::{LINE_MAX, folded, legend_of, number};
use super::slice::is_telling;
use super::words::{legend, meaning, with_names};
use super::{about, escape, mentions, short, time, topics};

/// Lines that a page shows.
const LOG_MAX: usize = 600;
/// A probe that a node passes again folds past so many others of its lines.
const BETWEEN_MAX: usize = 3;

/// A line, and how often the same came again.
pub(super) struct Row<'a> {
    pub(super) line: &'a LogLine,
    pub(super) again: usize,
    pub(super) until_ns: u64,
}

/// Folds repeats: of an event, if nothing else of its node comes between; of what only marks a place, a decision or an
/// arrival, past a few others too, as of a loop that passes two probes in turn.
pub(super) fn fold<'a>(lines: impl Iterator<Item = &'a LogLine>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    // The last rows of each node, the latest first.
    let mut last: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for line in lines {
        let known = last.entry(&line.node).or_default();
        let reach = if matches!(line.kind.as_str(), "probe" | "note" | "buggify") { BETWEEN_MAX } else { 1 };
        let is_same = |place: &&usize| rows[**place].line.kind == line.kind && rows[**place].line.text == line.text;
        if let Some(place) = known.iter().take(reach).find(is_same).copied() {
            (rows[place].again, rows[place].until_ns) = (rows[place].again + 1, line.at_ns);
        } else {
            known.insert(0, rows.len());
            known.truncate(BETWEEN_MAX);
            rows.push(Row { line, again: 0, until_ns: line.at_ns });
        }
    }
    rows
}

/// What a line says; of bytes that arrived, the bytes.
fn words(report: &Report, line: &LogLine) -> String {
    let message = report.messages.iter().find(|message| line.kind == "arrive" && message.event == line.event);
    match message.filter(|message| message.len > 0) {
        Some(message) => format!("\"{}\" of {}", message.begins.trim_end_matches("\\n"), message.from),
        None => with_names(report, &line.text),
    }
}

pub(super) fn section(report: &Report, body: &mut String) {
    let topics = topics(report);
    let row = |row: &Row<'_>| {
        let line = row.line;
        let mark = if line.event == report.verdict.event && line.kind != "note" {
            " class=\"hot\""
        } else if mentions(&line.text, &topics) {
            " class=\"warm\""
        } else {
            ""
        };
        let again = match row.again {
            0 => String::new(),
            1 => format!(" <span class=\"note\">the same once more at {}</span>", about(row.until_ns)),
            again => format!(" <span class=\"note\">the same {again} times more until {}</span>", about(row.until_ns)),
        };
        format!(
            "<tr{mark}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td title=\"{}\">{}{again}</td></tr>",
            time(line.at_ns),
            number(line),
            escape(&line.node),
            escape(&line.kind),
            escape(&meaning(report, line)),
            escape(&short(&words(report, line), LINE_MAX))
        )
    };
    let is_shown = |line: &&LogLine| is_telling(line) || line.kind == "arrive" || line.kind == "reset";
    let rows = fold(report.log.iter().filter(is_shown));
    if rows.is_empty() {
        return;
    }
    let rows = &rows[rows.len().saturating_sub(LOG_MAX)..];
    let names = legend_of(&legend(report, rows.iter().map(|row| row.line)));
    let lines: String = rows.iter().map(row).collect();
    let content = format!("<div class=\"wide\"><table class=\"log\"><tbody>{lines}</tbody></table></div>{names}");
    let folded_away: usize = rows.iter().map(|row| row.again).sum();
    let note = match folded_away {
        0 => format!("the last {} lines, in virtual time", rows.len()),
        more => {
            format!("the last {} lines, in virtual time; {more} that repeat one of them are folded into it", rows.len())
        }
    };
    folded(body, "Log of all nodes", &note, &content);
}
