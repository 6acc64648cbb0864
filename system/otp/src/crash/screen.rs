//! A crash report as a screen for people.

use std::fmt::{self, Write as _};
use std::time::Duration;

use simurgh_telemetry::logs::OneLine;

use super::CrashReport;

/// Columns of a row, of its name, and so of its text.
const COLUMNS: usize = 100;
const NAME: usize = 11;
const TEXT: usize = COLUMNS - NAME;

/// Rows that one item may take.
const ROWS_MAX: usize = 5;

/// Supervisors of a path that are shown; of a longer one the root and the nearest.
const PATH_MAX: usize = 8;

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "process", &format!("{} {}", self.label, self.pid))?;
        row(f, "under", &self.under())?;
        let reason = match &self.reason {
            crate::ExitReason::Panic(report) => format!("panic: {}", report.message),
            other => other.to_string(),
        };
        row(f, "reason", &reason)?;
        if let Some(location) = self.location() {
            row(f, "at", location)?;
        }
        if let Some(other) = self.exit_of {
            row(f, "by", &format!("the exit of {other}, to which it was linked"))?;
        }
        let message = self.last_message.map_or_else(|| "none".to_owned(), short_name);
        row(f, "message", &message)?;
        row(f, "handled", &format!("{}, {} waited in its mailbox", self.handled, self.waiting))?;
        row(f, "linked to", &format!("{}, monitored by {}", self.links, self.monitors))?;
        if !self.age.is_zero() {
            row(f, "lived", &span(self.age))?;
        }
        write!(f, "{:<NAME$}", "decision")?;
        rows(f, self.decision())
    }
}

impl CrashReport {
    fn under(&self) -> String {
        if self.path.is_empty() {
            return "nobody".to_owned();
        }
        let hidden = self.path.len().saturating_sub(PATH_MAX);
        let shown = self.path.iter().enumerate().filter(|(index, _)| *index == 0 || *index > hidden);
        let mut under = String::new();
        for (index, (pid, label)) in shown {
            let between = match index {
                0 => "",
                index if index == hidden + 1 && hidden > 0 => " > ... > ",
                _ => " > ",
            };
            write!(under, "{between}{label} {pid}").expect("a string takes everything");
        }
        under
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    write!(f, "{name:<NAME$}")?;
    rows(f, text)?;
    f.write_char('\n')
}

/// Text over as many rows as it takes, at most [`ROWS_MAX`].
fn rows(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut shown: Vec<String> = Vec::new();
    for line in text.lines() {
        // Escaped before it is counted: an escape takes more columns than what it stands for.
        let mut letters = OneLine(line).to_string().chars().take(TEXT * (ROWS_MAX + 1)).collect::<Vec<_>>();
        while letters.len() > TEXT {
            let blank = letters[..TEXT].iter().rposition(|letter| *letter == ' ');
            let rest = letters.split_off(blank.filter(|at| *at > TEXT / 2).map_or(TEXT, |at| at + 1));
            shown.push(letters.into_iter().collect::<String>().trim_end().to_owned());
            letters = rest;
        }
        shown.push(letters.into_iter().collect());
        if shown.len() > ROWS_MAX {
            break;
        }
    }
    if shown.len() > ROWS_MAX {
        shown.truncate(ROWS_MAX);
        let last: String = shown[ROWS_MAX - 1].chars().take(TEXT - 4).collect();
        shown[ROWS_MAX - 1] = format!("{last} ...");
    }
    for (index, line) in shown.iter().enumerate() {
        if index > 0 {
            write!(f, "\n{:NAME$}", "")?;
        }
        f.write_str(line)?;
    }
    Ok(())
}

/// The name of a type without the modules: `alloc::vec::Vec<shop::Ask>` is `Vec<Ask>`.
///
/// Modules begin with a small letter; what begins with a capital is a type, whose variants keep it.
///
/// ```
/// assert_eq!(simurgh_otp::observer::short_name("shop::Ask::Break"), "Ask::Break");
/// ```
pub fn short_name(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut word_at = 0;
    let mut letters = name.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == ':' && name[at..].starts_with("::") {
            letters.next();
            let is_module = short[word_at..].starts_with(|first: char| first.is_lowercase() || first == '_');
            if is_module {
                short.truncate(word_at);
            } else {
                short.push_str("::");
                word_at = short.len();
            }
        } else {
            short.push(letter);
            if !(letter.is_alphanumeric() || letter == '_') {
                word_at = short.len();
            }
        }
    }
    short
}

/// A span of time for people, in about three digits.
pub(crate) fn span(time: Duration) -> String {
    let (seconds, minutes) = (time.as_secs(), time.as_secs() / 60);
    if seconds >= 2 * 86_400 {
        format!("{} d", seconds / 86_400)
    } else if minutes >= 120 {
        format!("{} h", minutes / 60)
    } else if seconds >= 120 {
        format!("{minutes} min")
    } else if seconds >= 10 {
        format!("{seconds} s")
    } else if seconds >= 1 {
        format!("{:.1} s", time.as_secs_f64())
    } else if time.as_millis() >= 1 {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} us", time.as_micros())
    }
}
