//! The file, read: values that know where they stand.

use std::fmt::{self, Write as _};

use toml::de::{DeTable, DeValue};

use crate::{Place, Problem};

/// A value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// In quotation marks.
    Text(String),
    /// In decimal, however the file wrote it, and of any length.
    Integer(String),
    /// As the file wrote it.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// A date, a time or both, as the file wrote it.
    Date(String),
    /// An array.
    List(Vec<Value>),
    /// A section.
    Table(Table),
}

/// A section of the file, or the whole of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key begins, in bytes.
    pub(crate) key_at: usize,
    pub(crate) value: Value,
    /// Where the value begins, in bytes.
    pub(crate) value_at: usize,
}

/// More errors of syntax than these are not told: the first few are the cause of the others.
const SYNTAX_ERRORS_MAX: usize = 5;

/// Reads the text of a TOML file, or says everything that is wrong with its syntax.
pub(crate) fn parse(file: &str, text: &str) -> Result<Table, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(convert_table(table.get_ref()));
    }
    let problem = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        Problem::Syntax { place: place(file, text, at), message: one_line(error.message()) }
    };
    Err(errors.iter().take(SYNTAX_ERRORS_MAX).map(problem).collect())
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// The place of a byte of a file: worked out when it is told, which is seldom.
pub(crate) fn place(file: &str, text: &str, at: usize) -> Place {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place::File {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

fn convert_table(table: &DeTable<'_>) -> Table {
    let entries = table.iter().map(|(key, value)| Entry {
        key: key.get_ref().clone().into_owned(),
        key_at: key.span().start,
        value: convert(value.get_ref()),
        value_at: value.span().start,
    });
    Table { entries: entries.collect() }
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(value) => Value::Text(value.clone().into_owned()),
        DeValue::Integer(value) => {
            let decimal = i128::from_str_radix(value.as_str(), value.radix());
            Value::Integer(decimal.map_or_else(|_| value.to_string(), |number| number.to_string()))
        }
        DeValue::Float(value) => Value::Float(value.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(value) => Value::Date(value.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| convert(item.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table)),
    }
}

impl fmt::Display for Value {
    /// On one line, and no longer than a message can bear.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(&shown(text)),
            Value::Integer(text) | Value::Float(text) | Value::Date(text) => f.write_str(&cut(text)),
            Value::Bool(value) => value.fmt(f),
            Value::List(items) => {
                let items: Vec<String> = items.iter().take(8).map(Value::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Value::Table(_) => f.write_str("a section"),
        }
    }
}

/// A text as it stands in a message: quoted, and cut if it is long.
pub(crate) fn shown(text: &str) -> String {
    format!("{:?}", cut(text))
}

pub(crate) fn cut(text: &str) -> String {
    const LEN_MAX: usize = 60;
    match text.char_indices().nth(LEN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                write!(quoted, "\\u{:04X}", letter as u32).expect("a string takes everything");
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = "a = 1\n\"ä\" = 2\n";
        let table = parse("x.toml", text).unwrap();
        let at = |key| table.get(key).map(|entry| place("x.toml", text, entry.value_at).to_string()).unwrap();
        assert_eq!([at("a"), at("ä")], ["x.toml:1:5", "x.toml:2:7"]);
    }

    #[test]
    fn hostile_files_are_read_or_refused() {
        let good = "a = 1\n[b.c]\n\"ä\" = [\"x\", { y = 2.5e3 }]\n# end\n";
        for at in 0..good.len() {
            for byte in [0, b'\n', b'"', b'\'', b'[', b'}', b'=', b'.', b'\\', 0x7F, 0xC3] {
                let mut bytes = good.as_bytes().to_vec();
                bytes[at] = byte;
                let _ = parse("x.toml", &String::from_utf8_lossy(&bytes));
            }
            let _ = parse("x.toml", &String::from_utf8_lossy(&good.as_bytes()[..at]));
        }
        for deep in ["a = ".to_owned() + &"[".repeat(100_000), "a.".repeat(100_000) + "a = 1", "a={".repeat(50_000)] {
            assert!(parse("x.toml", &deep).is_err());
        }
    }

    #[test]
    fn numbers_are_decimal_however_they_are_written() {
        let table = parse("x.toml", "a = 0xFF\nb = 16_384\nc = -1_0\nd = 1_0.5").unwrap();
        let value = |key| table.get(key).map(|entry| entry.value.to_string());
        assert_eq!(
            [value("a"), value("b"), value("c"), value("d")].map(Option::unwrap),
            ["255", "16384", "-10", "10.5"]
        );
    }

    #[test]
    fn every_error_of_syntax_is_told_with_its_place() {
        let problems = parse("x.toml", "a = \nb = 1\nb = 2\nc = hunter2\n").unwrap_err();
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(lines.len() >= 2 && lines.iter().all(|line| line.starts_with("x.toml:")), "{lines:#?}");
        assert!(!lines.concat().contains("hunter2"), "what is not understood may be a secret: {lines:#?}");
    }

    #[test]
    fn quoted_text_reads_back() {
        for text in ["", "plain", "\"\\ \n \u{7f} \u{0} ä \u{2028}"] {
            let table = parse("x.toml", &format!("a = {}", quoted(text))).unwrap();
            assert_eq!(table.get("a").unwrap().value, Value::Text(text.into()));
        }
    }
}
