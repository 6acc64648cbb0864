//! The rows of the picture: what the node's JSON says, and what has changed since the last time.

use std::collections::BTreeMap;

use serde_json::Value;
use simurgh::prelude::Instant;
use simurgh::runtime::DurationExt;
use simurgh::telemetry::logs::OneLine;

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) pid: String,
    pub(super) depth: usize,
    pub(super) label: String,
    pub(super) kind: String,
    pub(super) mailbox: Option<Mailbox>,
    pub(super) handled: u64,
    pub(super) memory: u64,
    pub(super) age_ms: u64,
    /// The lines of the tree before its label.
    pub(super) drawing: String,
    pub(super) mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mailbox {
    pub(super) len: u64,
    pub(super) capacity: u64,
    pub(super) most: u64,
    pub(super) shed: u64,
}

/// Whether it has just come or gone; shown until then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    None,
    New(Instant),
    Gone(Instant),
}

/// All processes, and what has changed.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) all: Vec<Row>,
    pub(super) omitted: u64,
    /// Processes that are there.
    pub(super) alive: usize,
    is_known: bool,
}

impl Rows {
    /// Takes the answer to `tree`; false if it is none.
    pub(super) fn update(&mut self, json: &str, now: Instant) -> bool {
        let Ok(tree) = serde_json::from_str::<Value>(json) else { return false };
        let Some(processes) = tree["processes"].as_array() else { return false };
        let mut rows: Vec<Row> = processes.iter().map(Row::of).collect();
        draw(&mut rows);
        self.alive = rows.len();
        self.omitted = tree["omitted"].as_u64().unwrap_or(0);
        let until = now + 1.secs();
        let known: BTreeMap<&str, Mark> = self.all.iter().map(|row| (row.pid.as_str(), row.mark)).collect();
        for row in &mut rows {
            row.mark = match known.get(row.pid.as_str()) {
                Some(Mark::New(until)) if *until > now => Mark::New(*until),
                None if self.is_known => Mark::New(until),
                Some(_) | None => Mark::None,
            };
        }
        // Who has gone stays for a moment, after the one it stood after.
        let mut before: Option<String> = None;
        for old in std::mem::take(&mut self.all) {
            let is_there = rows.iter().any(|row| row.pid == old.pid);
            let until = if let Mark::Gone(until) = old.mark { until } else { until };
            let pid = old.pid.clone();
            if !is_there && until > now {
                let place = before.and_then(|before| rows.iter().position(|row| row.pid == before));
                rows.insert(place.map_or(0, |place| place + 1), Row { mark: Mark::Gone(until), ..old });
                before = Some(pid);
            } else if is_there {
                before = Some(pid);
            }
        }
        self.all = rows;
        self.is_known = true;
        true
    }

    /// Another order: nothing of the last picture is to be compared.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
        self.all.clear();
    }
}

impl Row {
    fn of(process: &Value) -> Self {
        let text = |name: &str| OneLine(process[name].as_str().unwrap_or("?")).to_string();
        let number = |name: &str| process[name].as_u64().unwrap_or(0);
        let mailbox = process["mailbox"].as_object().map(|mailbox| {
            let number = |name: &str| mailbox.get(name).and_then(Value::as_u64).unwrap_or(0);
            Mailbox {
                len: number("len"),
                capacity: number("capacity"),
                most: number("high_water"),
                shed: number("shed"),
            }
        });
        Self {
            pid: text("pid"),
            depth: number("depth").min(64) as usize,
            label: text("label"),
            kind: text("kind"),
            mailbox,
            handled: number("handled"),
            memory: number("memory_estimate"),
            age_ms: number("age_ms"),
            drawing: String::new(),
            mark: Mark::None,
        }
    }
}

/// Draws the lines of the tree, from the last row up: whether a branch goes on is known by then.
fn draw(rows: &mut [Row]) {
    let mut goes_on = [false; 65];
    for row in rows.iter_mut().rev() {
        let mut drawing = String::new();
        for (depth, goes_on) in goes_on.iter().enumerate().take(row.depth + 1).skip(1) {
            drawing.push_str(match (depth == row.depth, *goes_on) {
                (true, true) => "├─ ",
                (true, false) => "└─ ",
                (false, true) => "│  ",
                (false, false) => "   ",
            });
        }
        row.drawing = drawing;
        goes_on[row.depth] = true;
        goes_on[row.depth + 1..].fill(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(processes: &[(u64, u64)]) -> String {
        let one = |(number, depth): &(u64, u64)| {
            format!(
                "{{\"pid\":\"<0.{number}.0>\",\"depth\":{depth},\"label\":\"p{number}\\u001b[2J\",\"mailbox\":null}}"
            )
        };
        format!("{{\"omitted\":3,\"processes\":[{}]}}", processes.iter().map(one).collect::<Vec<_>>().join(","))
    }

    fn marks(rows: &Rows) -> String {
        let mark = |row: &Row| match row.mark {
            Mark::None => row.pid.clone(),
            Mark::New(_) => format!("+{}", row.pid),
            Mark::Gone(_) => format!("-{}", row.pid),
        };
        rows.all.iter().map(mark).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_comes_and_goes_is_marked_for_a_second() {
        simurgh::runtime::run("test", async {
            let now = Instant::now();
            let mut rows = Rows::default();
            assert!(rows.update(&json(&[(1, 0), (2, 1), (3, 1)]), now));
            assert_eq!(marks(&rows), "<0.1.0> <0.2.0> <0.3.0>");
            assert!(rows.update(&json(&[(1, 0), (3, 1), (4, 1)]), now + 100.millis()));
            assert_eq!(marks(&rows), "<0.1.0> -<0.2.0> <0.3.0> +<0.4.0>");
            assert!(rows.update(&json(&[(1, 0), (3, 1), (4, 1)]), now + 900.millis()));
            assert_eq!(marks(&rows), "<0.1.0> -<0.2.0> <0.3.0> +<0.4.0>");
            assert!(rows.update(&json(&[(1, 0), (3, 1), (4, 1)]), now + 1_200.millis()));
            assert_eq!(marks(&rows), "<0.1.0> <0.3.0> <0.4.0>");
            assert_eq!((rows.alive, rows.omitted), (3, 3));
            assert!(!rows.update("{}", now) && !rows.update("nonsense", now));
        });
    }

    #[test]
    fn the_tree_is_drawn_and_labels_cannot_command_the_terminal() {
        simurgh::runtime::run("test", async {
            let mut rows = Rows::default();
            rows.update(&json(&[(1, 0), (2, 1), (3, 2), (4, 1), (5, 2), (6, 0)]), Instant::now());
            let drawn: Vec<_> = rows.all.iter().map(|row| row.drawing.as_str()).collect();
            assert_eq!(drawn, ["", "├─ ", "│  └─ ", "└─ ", "   └─ ", ""]);
            assert_eq!(rows.all[0].label, "p1\\u001b[2J");
        });
    }
}
