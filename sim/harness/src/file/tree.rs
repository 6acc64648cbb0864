//! A TOML file as a tree that knows where each part stands, and how to print it again.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Where something stands: the number of its file, and the first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) file: usize,
    pub(crate) byte: usize,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) what: What,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Table(Vec<Entry>),
    List(Vec<Node>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Dates: no field takes one.
    Other(&'static str),
}

/// A key and its value, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) node: Node,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The line and column of a byte, from 1.
    pub(crate) fn place(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(byte.min(self.text.len()))];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }
}

/// Reads file number `file` of `sources`.
pub(crate) fn parse(file: usize, source: &Source) -> Result<Node, Problem> {
    match DeTable::parse(&source.text) {
        Ok(table) => Ok(table_of(file, table.span().start, table.get_ref())),
        Err(error) => {
            let byte = error.span().map_or(0, |span| span.start);
            Err(Problem::new(At { file, byte }, format!("this is no TOML: {}", error.message().replace('\n', ", "))))
        }
    }
}

fn table_of(file: usize, byte: usize, table: &DeTable<'_>) -> Node {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: At { file, byte: key.span().start },
            node: node_of(file, value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at.byte);
    Node { at: At { file, byte }, what: What::Table(entries) }
}

fn node_of(file: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let byte = value.span().start;
    let what = match value.get_ref() {
        DeValue::Table(table) => return table_of(file, byte, table),
        DeValue::Array(items) => What::List(items.iter().map(|item| node_of(file, item)).collect()),
        DeValue::String(text) => What::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| What::Other("a number that is too large"), What::Int),
        DeValue::Float(number) => {
            number.as_str().parse().map_or(What::Other("a number that cannot be read"), What::Float)
        }
        DeValue::Boolean(yes) => What::Bool(*yes),
        DeValue::Datetime(_) => What::Other("a date"),
    };
    Node { at: At { file, byte }, what }
}

impl Node {
    /// A part that stands in no file.
    pub(crate) fn made(what: What) -> Self {
        Self { at: At::default(), what }
    }

    pub(crate) fn table() -> Self {
        Self::made(What::Table(Vec::new()))
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::made(What::Text(text.into()))
    }

    /// What kind of thing it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.what {
            What::Table(_) => "a table",
            What::List(_) => "a list",
            What::Text(_) => "a text",
            What::Int(_) | What::Float(_) => "a number",
            What::Bool(_) => "true or false",
            What::Other(kind) => kind,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.what {
            What::Table(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.what {
            What::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value under keys with dots between them.
    pub(crate) fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Sets a value, making the tables on the way.
    pub(crate) fn set(&mut self, path: &[&str], node: Node) {
        let What::Table(entries) = &mut self.what else { return };
        let Some((key, rest)) = path.split_first() else { return };
        let index = entries.iter().position(|entry| entry.key == **key).unwrap_or_else(|| {
            entries.push(Entry { key: (*key).to_owned(), at: At::default(), node: Node::table() });
            entries.len() - 1
        });
        if rest.is_empty() {
            entries[index].node = node;
        } else {
            entries[index].node.set(rest, node);
        }
    }

    /// Takes a value away.
    pub(crate) fn remove(&mut self, path: &[&str]) {
        let What::Table(entries) = &mut self.what else { return };
        match path {
            [] => {}
            [key] => entries.retain(|entry| entry.key != *key),
            [key, rest @ ..] => {
                if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) {
                    entry.node.remove(rest);
                }
            }
        }
    }

    /// Puts this file's values over those of its base: tables are merged, everything else is replaced.
    pub(crate) fn over(self, base: Node) -> Node {
        match (self, base) {
            (Node { at, what: What::Table(own) }, Node { what: What::Table(mut entries), .. }) => {
                for entry in own {
                    match entries.iter().position(|known| known.key == entry.key) {
                        None => entries.push(entry),
                        Some(index) => {
                            let under = std::mem::replace(&mut entries[index], entry);
                            let node = std::mem::replace(&mut entries[index].node, Node::table());
                            entries[index].node = node.over(under.node);
                        }
                    }
                }
                Node { at, what: What::Table(entries) }
            }
            (own, _) => own,
        }
    }

    /// The file, as TOML.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        let is_list_of_tables = |node: &Node| matches!(&node.what, What::List(items) if !items.is_empty() && items.iter().all(|item| matches!(item.what, What::Table(_))));
        for entry in self
            .entries()
            .iter()
            .filter(|entry| !matches!(entry.node.what, What::Table(_)) && !is_list_of_tables(&entry.node))
        {
            let _ = writeln!(text, "{} = {}", key(&entry.key), entry.node.inline());
        }
        for entry in self.entries() {
            let tables: Vec<&Node> = match &entry.node.what {
                What::Table(entries) if !entries.is_empty() => vec![&entry.node],
                What::List(items) if is_list_of_tables(&entry.node) => items.iter().collect(),
                _ => continue,
            };
            for table in tables {
                let name = key(&entry.key);
                let head =
                    if matches!(entry.node.what, What::List(_)) { format!("[[{name}]]") } else { format!("[{name}]") };
                let _ = writeln!(text, "\n{head}");
                for entry in table.entries() {
                    let _ = writeln!(text, "{} = {}", key(&entry.key), entry.node.inline());
                }
            }
        }
        text
    }

    /// As a value on one line.
    pub(crate) fn inline(&self) -> String {
        match &self.what {
            What::Table(entries) => {
                let parts: Vec<String> =
                    entries.iter().map(|entry| format!("{} = {}", key(&entry.key), entry.node.inline())).collect();
                if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
            }
            What::List(items) => {
                format!("[{}]", items.iter().map(Node::inline).collect::<Vec<_>>().join(", "))
            }
            What::Text(text) => quote(text),
            What::Int(number) => number.to_string(),
            What::Float(number) => format!("{number:?}"),
            What::Bool(yes) => yes.to_string(),
            What::Other(kind) => quote(kind),
        }
    }
}

fn key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { quote(key) }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
