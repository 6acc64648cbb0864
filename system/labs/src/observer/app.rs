//! What is shown, and what a key does: no terminal, no socket.

use simurgh::otp::observer::{SortBy, short_name};
use simurgh::prelude::Instant;
use simurgh::telemetry::logs::OneLine;

use super::by;
use super::rows::{Mark, Row, Rows};

/// Lines that a pane keeps.
const PANE_LINES_MAX: usize = 1_000;

/// What a person has pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Escape,
    Enter,
}

/// The lower half of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Describe,
    Trace,
    Crashes,
}

/// What is to be done after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Do {
    Nothing,
    Quit,
    /// Look again at once.
    Look,
    /// A command for the node.
    Order(String),
}

#[derive(Debug)]
pub(super) struct App {
    pub(super) node: String,
    pub(super) rows: Rows,
    pub(super) sort: Option<SortBy>,
    pub(super) selected: Option<String>,
    pub(super) pane: Option<Pane>,
    pub(super) pane_lines: Vec<String>,
    pub(super) traced: Vec<String>,
    /// The process whose kill waits for a yes.
    pub(super) confirm: Option<(String, String)>,
    /// What there is to tell, and whether it is bad news.
    pub(super) message: Option<(String, bool)>,
    last_trace: u64,
    /// Where the selected process stood last.
    last_place: usize,
}

impl App {
    pub(super) fn new(node: &str, sort: Option<SortBy>) -> Self {
        Self {
            node: OneLine(node).to_string(),
            rows: Rows::default(),
            sort,
            selected: None,
            pane: None,
            pane_lines: Vec::new(),
            traced: Vec::new(),
            confirm: None,
            message: None,
            last_trace: 0,
            last_place: 0,
        }
    }

    /// What is asked again and again: the processes, and what fills the pane.
    pub(super) fn looks(&self) -> Vec<String> {
        let mut looks = vec![format!("tree{}", by(self.sort))];
        match self.pane {
            Some(Pane::Trace) => looks.push(format!("trace lines after {}", self.last_trace)),
            Some(Pane::Crashes) => looks.push("crashes text".to_owned()),
            Some(Pane::Describe) | None => {}
        }
        looks
    }

    /// The answer to one of [`App::looks`].
    pub(super) fn seen(&mut self, look: &str, answer: &[String], now: Instant) {
        if let Some(order) = look.strip_prefix("tree") {
            // An answer that was under way when the order changed is of no use.
            if order == by(self.sort)
                && let [json] = answer
            {
                self.rows.update(json, now);
                self.keep_selection();
            }
        } else if look.starts_with("trace lines") && self.pane == Some(Pane::Trace) {
            for line in answer {
                self.add_trace(line);
            }
            let surplus = self.pane_lines.len().saturating_sub(PANE_LINES_MAX);
            self.pane_lines.drain(..surplus);
        } else if look.starts_with("crashes") && self.pane == Some(Pane::Crashes) {
            // The newest first: it is what one looks for.
            let reports: Vec<&[String]> = answer.split(String::is_empty).collect();
            let newest = reports.into_iter().rev().flat_map(|report| report.iter().cloned().chain([String::new()]));
            self.pane_lines = newest.take(PANE_LINES_MAX).collect();
        }
    }

    fn add_trace(&mut self, json: &str) {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(json) else { return };
        let number = line["number"].as_u64().unwrap_or(0);
        if number <= self.last_trace {
            return; // asked twice
        }
        self.last_trace = number;
        let text = |name: &str| OneLine(line[name].as_str().unwrap_or("?")).to_string();
        let (at, took_us) = (text("at"), line["took_ns"].as_f64().unwrap_or(0.0) / 1_000.0);
        let time = at.get(11..23).unwrap_or(&at);
        self.pane_lines.push(format!(
            "{time}  {:<12} {:<30} {took_us:>9.1} us",
            text("pid"),
            short_name(&text("message"))
        ));
    }

    /// The answer to an order.
    pub(super) fn obeyed(&mut self, order: &str, answer: Result<Vec<String>, String>) {
        let words: Vec<&str> = order.split_whitespace().collect();
        match (words.as_slice(), answer) {
            (["describe", pid], Ok(lines)) => {
                if self.pane == Some(Pane::Describe) && self.selected.as_deref() == Some(*pid) {
                    self.pane_lines = lines.iter().map(|line| OneLine(line).to_string()).collect();
                }
            }
            (["trace", pid, on], Ok(_)) => {
                self.traced.retain(|traced| traced != pid);
                if *on == "on" {
                    self.traced.push((*pid).to_owned());
                }
                self.message = Some((format!("tracing of {pid} is {on}"), false));
            }
            (_, Ok(lines)) => self.message = lines.first().map(|line| (OneLine(line).to_string(), false)),
            (["describe", _], Err(why)) if self.pane == Some(Pane::Describe) => self.pane_lines = vec![why],
            (_, Err(why)) => self.message = Some((why, true)),
        }
    }

    /// What a key does.
    pub(super) fn key(&mut self, key: Key) -> Do {
        if let Some((pid, _)) = self.confirm.take() {
            return if key == Key::Char('y') { Do::Order(format!("kill {pid}")) } else { Do::Nothing };
        }
        self.message = None;
        match key {
            Key::Char('q') => Do::Quit,
            Key::Up | Key::Char('k') => self.walk(-1),
            Key::Down | Key::Char('j') => self.walk(1),
            Key::PageUp => self.walk(-10),
            Key::PageDown => self.walk(10),
            Key::Home => self.walk(isize::MIN),
            Key::End => self.walk(isize::MAX),
            Key::Char('t') => self.sort_by(None),
            Key::Char('b') => self.sort_by(Some(SortBy::Mailbox)),
            Key::Char('m') => self.sort_by(Some(SortBy::Memory)),
            Key::Char('h') => self.sort_by(Some(SortBy::Handled)),
            Key::Char('d') | Key::Enter => self.show(Pane::Describe),
            Key::Char('l') => self.show(Pane::Trace),
            Key::Char('c') => self.show(Pane::Crashes),
            Key::Char('r') => self.trace(),
            Key::Char('x') => {
                self.confirm = self.selected_row().map(|row| (row.pid.clone(), row.label.clone()));
                Do::Nothing
            }
            Key::Escape => {
                self.pane = None;
                Do::Nothing
            }
            Key::Char(_) => Do::Nothing,
        }
    }

    fn sort_by(&mut self, sort: Option<SortBy>) -> Do {
        if self.sort != sort {
            self.sort = sort;
            self.rows.forget();
        }
        Do::Look
    }

    fn show(&mut self, pane: Pane) -> Do {
        let was = self.pane.replace(pane);
        if was == Some(pane) && pane != Pane::Describe {
            self.pane = None;
        } else {
            self.pane_lines.clear();
            self.last_trace = 0;
        }
        match (pane, self.selected_row()) {
            (Pane::Describe, Some(row)) => Do::Order(format!("describe {}", row.pid)),
            _ => Do::Look,
        }
    }

    fn trace(&mut self) -> Do {
        let Some(pid) = self.selected_row().map(|row| row.pid.clone()) else { return Do::Nothing };
        if self.traced.contains(&pid) {
            return Do::Order(format!("trace {pid} off"));
        }
        if self.pane != Some(Pane::Trace) {
            self.show(Pane::Trace);
        }
        Do::Order(format!("trace {pid} on"))
    }

    fn walk(&mut self, by: isize) -> Do {
        let last = self.rows.all.len().saturating_sub(1);
        let place = self.place().saturating_add_signed(by).min(last);
        self.last_place = place;
        self.selected = self.rows.all.get(place).map(|row| row.pid.clone());
        match (self.pane, &self.selected) {
            (Some(Pane::Describe), Some(pid)) => {
                self.pane_lines.clear();
                Do::Order(format!("describe {pid}"))
            }
            _ => Do::Nothing,
        }
    }

    /// Where the selected process stands.
    pub(super) fn place(&self) -> usize {
        let selected = self.selected.as_deref();
        self.rows.all.iter().position(|row| Some(row.pid.as_str()) == selected).unwrap_or(0)
    }

    /// The selected process, if it is still there.
    pub(super) fn selected_row(&self) -> Option<&Row> {
        self.rows.all.get(self.place()).filter(|row| !matches!(row.mark, Mark::Gone(_)))
    }

    /// The selected process, or, when it is gone, the one that now stands in its place.
    fn keep_selection(&mut self) {
        let selected = self.selected.as_deref();
        if let Some(place) = self.rows.all.iter().position(|row| Some(row.pid.as_str()) == selected) {
            self.last_place = place;
        } else {
            let place = self.last_place.min(self.rows.all.len().saturating_sub(1));
            self.selected = self.rows.all.get(place).map(|row| row.pid.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        let mut app = App::new("demo", None);
        let json = r#"{"omitted":0,"processes":[{"pid":"<0.1.0>","depth":0,"label":"root"},{"pid":"<0.2.0>","depth":1,"label":"clock"}]}"#;
        app.seen("tree", &[json.to_owned()], Instant::now());
        app
    }

    fn test(f: impl FnOnce() + Send + 'static) {
        simurgh::runtime::run("test", async { f() });
    }

    #[test]
    fn a_kill_wants_a_yes() {
        test(|| {
            let mut app = app();
            app.key(Key::Down);
            assert_eq!(app.key(Key::Char('x')), Do::Nothing);
            assert_eq!(app.key(Key::Char('n')), Do::Nothing);
            assert_eq!(app.key(Key::Char('y')), Do::Nothing);
            app.key(Key::Char('x'));
            assert_eq!(app.key(Key::Char('y')), Do::Order("kill <0.2.0>".to_owned()));
        });
    }

    #[test]
    fn keys_ask_for_what_they_say() {
        test(|| {
            let mut app = app();
            assert_eq!(app.looks(), ["tree"]);
            assert_eq!(app.key(Key::Char('b')), Do::Look);
            assert_eq!(app.looks(), ["tree by mailbox"]);
            assert!(app.rows.all.is_empty() && app.key(Key::Char('x')) == Do::Nothing && app.confirm.is_none());
            app.key(Key::Char('t'));
            app.seen("tree by mailbox", &["{}".to_owned()], Instant::now());
            assert_eq!(app.key(Key::Char('c')), Do::Look);
            assert_eq!(app.looks(), ["tree", "crashes text"]);
            assert_eq!(app.key(Key::Char('q')), Do::Quit);
        });
    }

    #[test]
    fn traces_are_shown_once_and_in_order() {
        test(|| {
            let mut app = app();
            assert_eq!(app.key(Key::Char('r')), Do::Order("trace <0.1.0> on".to_owned()));
            app.obeyed("trace <0.1.0> on", Ok(vec!["tracing".to_owned()]));
            let line =
                r#"{"number":7,"at":"2026-01-01T00:00:00.123456789Z","pid":"<0.1.0>","message":"Tick","took_ns":1500}"#;
            let look = app.looks().remove(1);
            app.seen(&look, &[line.to_owned(), line.to_owned()], Instant::now());
            assert_eq!(app.pane_lines.len(), 1);
            assert!(app.pane_lines[0].starts_with("00:00:00.123  <0.1.0>"), "{:?}", app.pane_lines);
            assert_eq!(app.looks()[1], "trace lines after 7");
            assert_eq!(app.key(Key::Char('r')), Do::Order("trace <0.1.0> off".to_owned()));
        });
    }

    #[test]
    fn crashes_stand_newest_first() {
        test(|| {
            let mut app = app();
            app.key(Key::Char('c'));
            let answer = ["process a", "decision x", "", "process b", "decision y"].map(str::to_owned);
            app.seen("crashes text", &answer, Instant::now());
            assert_eq!(app.pane_lines, ["process b", "decision y", "", "process a", "decision x", ""]);
        });
    }
}
