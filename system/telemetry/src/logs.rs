//! Logs: a subscriber for `tracing` that writes text for people or JSON for machines.
//!
//! Time comes from the node's clock and identity from the task header, so in the simulator every
//! line belongs to its node and its virtual moment. What to write is each node's own choice
//! ([`configure`]); only the subscriber itself is the process's ([`install`]).

use std::fmt::{self, Write as _};
use std::sync::Once;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Carried, Header, Slot, Timestamp, stdio};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Level, Metadata, Subscriber};

/// How a node logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Text for people or JSON for machines.
    pub format: Format,
    /// The least important level that is written.
    pub level: Level,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: Format::Text, level: Level::INFO }
    }
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-01T00:00:00.000Z INFO  [node1] connection 17: message key=value`
    Text,
    /// One JSON object a line: `ts`, `level`, `target`, `node`, `task`, `label`, `trace_id`,
    /// `message`, `fields`.
    Json,
}

/// Makes this the process's subscriber for `tracing`; once is enough, and more does no harm.
pub fn install() {
    static ONCE: Once = Once::new();
    // Somebody else's subscriber stays: an application may bring its own.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(NodeLogs)));
}

/// Says how the current node logs.
pub fn configure(config: LogConfig) {
    Header::with(|header| {
        if let Some(header) = header {
            *header.node().slot(Slot::Logs, Mutex::<LogConfig>::default).lock() = config;
        }
    });
}

fn config() -> LogConfig {
    Header::with(|header| header.and_then(|header| header.node().slot_if_set::<Mutex<LogConfig>>(Slot::Logs).map(|config| config.lock().clone())))
        .unwrap_or_default()
}

/// Writes events; spans are not kept (a task's label and trace say where a line belongs).
struct NodeLogs;

impl Subscriber for NodeLogs {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= config().level
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // The answer differs from node to node: ask each time.
        if metadata.is_event() { tracing::subscriber::Interest::sometimes() } else { tracing::subscriber::Interest::never() }
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::here(*event.metadata().level(), event.metadata().target());
        event.record(&mut line);
        stdio::err(&match config().format {
            Format::Text => line.text(),
            Format::Json => line.json(),
        });
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// What a line says.
struct Line {
    at: Timestamp,
    level: Level,
    target: &'static str,
    /// Node, task number and label.
    who: Option<(String, u64, String)>,
    trace_id: Option<u128>,
    message: String,
    fields: Vec<(&'static str, Said)>,
}

/// A field's value: as it stands in JSON.
enum Said {
    Bare(String),
    Text(String),
}

impl Line {
    fn here(level: Level, target: &'static str) -> Self {
        let who = Header::with(|header| {
            header.map(|header| (header.node().name().to_owned(), header.number(), header.label().to_string()))
        });
        let trace_id = Carried::current().and_then(|carried| carried.trace).map(|trace| trace.trace_id);
        Self { at: Timestamp::now(), level, target, who, trace_id, message: String::new(), fields: Vec::new() }
    }

    fn text(&self) -> String {
        let mut text = format!("{:.3} {:<5} ", self.at, self.level.as_str());
        match &self.who {
            Some((node, _, label)) => {
                let _ = write!(text, "[{}] {}: ", OneLine(node), OneLine(label));
            }
            None => {
                let _ = write!(text, "{}: ", self.target);
            }
        }
        let _ = write!(text, "{}", OneLine(&self.message));
        for (name, value) in &self.fields {
            let _ = match value {
                Said::Bare(value) => write!(text, " {name}={}", OneLine(value)),
                Said::Text(value) if value.contains([' ', '=', '"']) || value.is_empty() => write!(text, " {name}=\"{}\"", Quoted(value)),
                Said::Text(value) => write!(text, " {name}={}", OneLine(value)),
            };
        }
        if let Some(trace_id) = self.trace_id {
            let _ = write!(text, " trace_id={trace_id:032x}");
        }
        text
    }

    fn json(&self) -> String {
        let mut json = format!("{{\"ts\":\"{:.9}\",\"level\":\"{}\",\"target\":\"{}\"", self.at, self.level, Quoted(self.target));
        if let Some((node, task, label)) = &self.who {
            let _ = write!(json, ",\"node\":\"{}\",\"task\":{task},\"label\":\"{}\"", Quoted(node), Quoted(label));
        }
        if let Some(trace_id) = self.trace_id {
            let _ = write!(json, ",\"trace_id\":\"{trace_id:032x}\"");
        }
        let _ = write!(json, ",\"message\":\"{}\",\"fields\":{{", Quoted(&self.message));
        for (index, (name, value)) in self.fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = match value {
                Said::Bare(value) => write!(json, "{comma}\"{}\":{value}", Quoted(name)),
                Said::Text(value) => write!(json, "{comma}\"{}\":\"{}\"", Quoted(name), Quoted(value)),
            };
        }
        json.push_str("}}");
        json
    }

    fn add(&mut self, field: &Field, value: Said) {
        if field.name() == "message" {
            let (Said::Bare(text) | Said::Text(text)) = value;
            self.message = text;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Said::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Said::Text(value.to_owned()));
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

/// Text whose control characters cannot end or forge a line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

/// Text for between quotation marks, by the rules of JSON.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            c if c.is_control() => write!(f, "\\u{:04x}", c as u32),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            at: Timestamp::from_nanos(1_767_225_600_123_456_789),
            level: Level::WARN,
            target: "shop::orders",
            who: Some(("node1".into(), 7, "connection 17".into())),
            trace_id: Some(0xAB),
            message: "refused\n2026 FORGED".into(),
            fields: vec![("peer", Said::Text("a \"b\"".into())), ("count", Said::Bare("3".into()))],
        }
    }

    #[test]
    fn text_is_one_line_and_cannot_be_forged() {
        assert_eq!(
            line().text(),
            "2026-01-01T00:00:00.123Z WARN  [node1] connection 17: refused\\n2026 FORGED peer=\"a \\\"b\\\"\" count=3 \
             trace_id=000000000000000000000000000000ab"
        );
    }

    #[test]
    fn json_is_one_object() {
        assert_eq!(
            line().json(),
            "{\"ts\":\"2026-01-01T00:00:00.123456789Z\",\"level\":\"WARN\",\"target\":\"shop::orders\",\"node\":\"node1\",\
             \"task\":7,\"label\":\"connection 17\",\"trace_id\":\"000000000000000000000000000000ab\",\
             \"message\":\"refused\\n2026 FORGED\",\"fields\":{\"peer\":\"a \\\"b\\\"\",\"count\":3}}"
        );
    }
}
