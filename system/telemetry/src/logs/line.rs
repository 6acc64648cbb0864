//! One line of a log, and its two forms.

use std::error::Error;
use std::fmt::{self, Write as _};

use simurgh_runtime::{Carried, Header, Timestamp};
use tracing::Level;
use tracing::field::{Field, Visit};

/// Most bytes of one value in a line; what is longer is cut, and ends in `...`.
pub const VALUE_LEN_MAX: usize = 8 * 1024;

/// Most causes of an error that are told; a chain of causes could be a circle.
const CAUSES_MAX: usize = 8;

/// The field whose rows stand below the line, each behind a bar, in text for people. Its name is
/// chosen by code, and a bar begins no line of its own: what a stranger says still cannot look like one.
const SCREEN: &str = "screen";

/// What a line says.
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'static str,
    /// Outside of a task there is nobody.
    pub(super) who: Option<Who>,
    pub(super) trace_id: Option<u128>,
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, Said)>,
}

/// The task that says it.
pub(super) struct Who {
    pub(super) node: String,
    pub(super) task: u64,
    pub(super) label: String,
}

/// A field's value: as it stands in JSON.
pub(super) enum Said {
    Bare(String),
    Text(String),
}

impl Line {
    /// A line of the running task, now.
    pub(super) fn here(level: Level, target: &'static str) -> Self {
        let who = |header: &Header| Who {
            node: header.node().name().to_owned(),
            task: header.number(),
            label: header.label().to_string(),
        };
        let trace_id = Carried::current().and_then(|carried| carried.trace).map(|trace| trace.trace_id);
        let who = Header::with(|header| header.map(who));
        Self { at: Timestamp::now(), level, target, who, trace_id, message: String::new(), fields: Vec::new() }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{:.3} {:<5} ", self.at, self.level.as_str());
        let mut push = |part: fmt::Arguments<'_>| text.write_fmt(part).expect("a string takes everything");
        match &self.who {
            Some(who) => push(format_args!("[{}] {}: ", OneLine(&who.node), OneLine(&who.label))),
            None => push(format_args!("{}: ", self.target)),
        }
        push(format_args!("{}", OneLine(&self.message)));
        for (name, value) in &self.fields {
            match value {
                Said::Text(_) if *name == SCREEN => {}
                Said::Text(value) if needs_quotes(value) => push(format_args!(" {name}=\"{}\"", Quoted(value))),
                Said::Bare(value) | Said::Text(value) => push(format_args!(" {name}={value}")),
            }
        }
        if let Some(trace_id) = self.trace_id {
            push(format_args!(" trace_id={trace_id:032x}"));
        }
        for (name, value) in &self.fields {
            if let (SCREEN, Said::Text(screen)) = (*name, value) {
                screen.lines().for_each(|row| push(format_args!("\n    | {}", OneLine(row))));
            }
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let mut json = String::with_capacity(256);
        let mut push = |part: fmt::Arguments<'_>| json.write_fmt(part).expect("a string takes everything");
        push(format_args!(
            "{{\"ts\":\"{:.9}\",\"level\":\"{}\",\"target\":\"{}\"",
            self.at,
            self.level,
            Quoted(self.target)
        ));
        if let Some(Who { node, task, label }) = &self.who {
            push(format_args!(",\"node\":\"{}\",\"task\":{task},\"label\":\"{}\"", Quoted(node), Quoted(label)));
        }
        if let Some(trace_id) = self.trace_id {
            push(format_args!(",\"trace_id\":\"{trace_id:032x}\""));
        }
        push(format_args!(",\"message\":\"{}\",\"fields\":{{", Quoted(&self.message)));
        for (index, (name, value)) in self.fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match value {
                Said::Bare(value) => push(format_args!("{comma}\"{}\":{value}", Quoted(name))),
                Said::Text(value) => push(format_args!("{comma}\"{}\":\"{}\"", Quoted(name), Quoted(value))),
            }
        }
        push(format_args!("}}}}"));
        json
    }

    fn add(&mut self, field: &Field, value: Said) {
        let name = field.name();
        if name == "message" {
            let (Said::Bare(text) | Said::Text(text)) = value;
            self.message = text;
        } else {
            self.fields.push((name.strip_prefix("r#").unwrap_or(name), value));
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Said::Text(bounded(format_args!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Said::Text(bounded(format_args!("{value}"))));
    }

    /// With its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, Said::Text(bounded(format_args!("{}", WithCauses(value)))));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Said::Bare(value.to_string()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Said::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Said::Bare(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinity and no NaN.
        self.add(field, if value.is_finite() { Said::Bare(value.to_string()) } else { Said::Text(value.to_string()) });
    }
}

/// An error and, after colons, what it comes from.
struct WithCauses<'a>(&'a (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut causes = std::iter::successors(self.0.source(), |&cause| cause.source()).take(CAUSES_MAX);
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// A value as text, no longer than a line can bear; the rest of a long one is never kept.
fn bounded(value: fmt::Arguments<'_>) -> String {
    struct Bounded(String);
    impl fmt::Write for Bounded {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let space = VALUE_LEN_MAX.saturating_sub(self.0.len());
            if part.len() <= space {
                self.0.push_str(part);
            } else if self.0.len() <= VALUE_LEN_MAX {
                self.0.push_str(&part[..part.floor_char_boundary(space)]);
                // Beyond the bound on purpose: there is no space from now on.
                self.0.push_str("...");
                self.0.extend(std::iter::repeat_n('.', (VALUE_LEN_MAX + 1).saturating_sub(self.0.len())));
            }
            Ok(()) // an error would make some types panic
        }
    }
    let mut bounded = Bounded(String::new());
    let written = bounded.write_fmt(value);
    if written.is_err() {
        bounded.0.push_str("(cannot be shown)");
    }
    bounded.0
}

/// Whether a letter could end a line, or make it look other than it is: control characters, line
/// and paragraph separators, marks of direction, and letters without width.
fn deceives(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.chars().any(|letter| matches!(letter, ' ' | '=' | '"' | '\\') || deceives(letter))
}

/// Text that stays on its line: what could end it, or make it look other than it is, is escaped.
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            letter if deceives(letter) => escape(letter, f),
            letter => f.write_char(letter),
        })
    }
}

/// Text for between quotation marks, by the rules of JSON; what could deceive a reader is escaped too.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            letter if deceives(letter) => escape(letter, f),
            letter => f.write_char(letter),
        })
    }
}

/// As JSON does; all that deceives lies within 16 bits.
fn escape(letter: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match letter {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        letter => write!(f, "\\u{:04x}", letter as u32),
    }
}
