//! Logs: a subscriber for `tracing` that writes text for people or JSON for machines.
//!
//! Time comes from the node's clock and identity from the task header, so in the simulator every
//! line belongs to its node and its virtual moment. Whether and what to write is each node's own
//! choice ([`install`], [`configure`]); only the subscriber itself is the process's.
//!
//! ```
//! use simurgh_telemetry::logs::{self, Format, LogConfig};
//!
//! simurgh_runtime::run("shop", async {
//!     logs::install();
//!     tracing::info!(port = 4000, "listening");
//!     // 2026-01-01T00:00:00.000Z INFO  [shop] main: listening port=4000
//!
//!     logs::configure(LogConfig { format: Format::Json, levels: "warn,shop=debug".parse().unwrap() });
//!     tracing::info!("not written: the target of this line is not the shop");
//! });
//! ```

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Header, Slot, sim, stdio};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};

mod levels;
mod line;

pub use levels::{Levels, LevelsError};
pub use line::{OneLine, Quoted, VALUE_LEN_MAX};

use levels::rank;
use line::Line;

/// How a node logs. The default is text, from the level info.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// Text for people or JSON for machines.
    pub format: Format,
    /// How important a line must be to be written.
    pub levels: Levels,
}

/// The form of a line. In both, no value can end a line, begin another or hide what stands there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-01T00:00:00.000Z INFO  [node1] connection 17: message key=value`. The rows of a field
    /// called `screen` stand below it, each behind a bar.
    #[default]
    Text,
    /// One JSON object a line: `ts`, `level`, `target`, `node`, `task`, `label`, `trace_id`,
    /// `message`, `fields`. The middle four only where they are known.
    Json,
}

/// Turns logs on, as [`LogConfig`]'s default says if nothing else is said: in production for the
/// process, so that `main` may call it before there is a node; in the simulator for the current node.
///
/// The subscriber for `tracing` is set at the first call; if an application has brought its own
/// before, that one stays. A simulated node that never asked for logs writes none, whoever else in
/// the process did: a run may not depend on what ran before it.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Logs { write: stdio::err })));
    with_header(|header| {
        header.node().slot(Slot::Logs, NodeLogs::default);
    });
}

/// Turns the current node's logs on and says how they are. Outside of a task there is no node to
/// configure, and the default stays.
pub fn configure(config: LogConfig) {
    install();
    with_header(|header| header.node().slot(Slot::Logs, NodeLogs::default).set(config));
}

/// Lines that a node remembers at most.
pub const RECENT_MAX: usize = 1_000;

/// Bytes of a line that are remembered at most; what is longer is cut.
const RECENT_LEN_MAX: usize = 2 * 1024;

/// Turns the current node's logs on, and has the node remember the last lines that it writes, `lines` of
/// them but at most [`RECENT_MAX`], for the development page and for operators. 0 forgets them. Outside
/// of a task there is no node to remember them.
///
/// ```
/// use simurgh_telemetry::logs;
///
/// simurgh_runtime::run("shop", async {
///     logs::remember(2);
///     tracing::info!("one");
///     tracing::info!("two");
///     tracing::info!("three");
///     let lines = logs::recent();
///     assert!(lines.len() == 2 && lines[0].ends_with("two") && lines[1].ends_with("three"));
/// });
/// ```
pub fn remember(lines: usize) {
    install();
    with_header(|header| header.node().slot(Slot::Logs, NodeLogs::default).recent.set_max(lines.min(RECENT_MAX)));
}

/// The last lines that the current node has written and [remembers](remember), the oldest first.
pub fn recent() -> Vec<Arc<str>> {
    let lines = |header: Option<&Header>| {
        let logs: &NodeLogs = header?.node().slot_if_set(Slot::Logs)?;
        Some(logs.recent.lines.lock().iter().cloned().collect())
    };
    Header::with(lines).unwrap_or_default()
}

/// A node's last lines.
#[derive(Default)]
struct Recent {
    max: AtomicUsize,
    lines: Mutex<VecDeque<Arc<str>>>,
}

impl Recent {
    fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
        make_room(&mut self.lines.lock(), max);
    }

    fn add(&self, line: &str) {
        let max = self.max.load(Ordering::Relaxed);
        if max == 0 {
            return;
        }
        let line = &line[..line.floor_char_boundary(RECENT_LEN_MAX)];
        let mut lines = self.lines.lock();
        make_room(&mut lines, max - 1);
        lines.push_back(line.into());
    }
}

fn make_room(lines: &mut VecDeque<Arc<str>>, max: usize) {
    let beyond = lines.len().saturating_sub(max);
    lines.drain(..beyond);
}

fn with_header(f: impl FnOnce(&Header)) {
    Header::with(|header| header.map_or((), f));
}

/// What one node logs.
struct NodeLogs {
    /// Ranks up to the first are written whatever the target, ranks beyond the second never; only
    /// between the two does the target matter.
    always: AtomicU8,
    ever: AtomicU8,
    config: Mutex<Arc<LogConfig>>,
    recent: Recent,
}

impl Default for NodeLogs {
    fn default() -> Self {
        let config = Arc::<LogConfig>::default();
        let (always, ever) = config.levels.bounds();
        Self { always: always.into(), ever: ever.into(), config: Mutex::new(config), recent: Recent::default() }
    }
}

impl NodeLogs {
    fn set(&self, config: LogConfig) {
        let (always, ever) = config.levels.bounds();
        *self.config.lock() = Arc::new(config);
        self.always.store(always, Ordering::Relaxed);
        self.ever.store(ever, Ordering::Relaxed);
    }

    fn allow(&self, metadata: &Metadata<'_>) -> bool {
        let rank = rank(*metadata.level());
        let by_target = || {
            let config = Arc::clone(&self.config.lock());
            config.levels.allow(metadata.target(), *metadata.level())
        };
        rank <= self.always.load(Ordering::Relaxed) || (rank <= self.ever.load(Ordering::Relaxed) && by_target())
    }
}

/// Writes events; spans are not kept (a task's label and trace say where a line belongs).
struct Logs {
    write: fn(&str),
}

impl Subscriber for Logs {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The answer differs from node to node: ask each time.
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let of_node = |header: Option<&Header>| {
            let logs: Option<&NodeLogs> = header?.node().slot_if_set(Slot::Logs);
            logs.map(|logs| logs.allow(metadata))
        };
        let by_default = || !sim::is_simulated() && Levels::default().allow(metadata.target(), *metadata.level());
        metadata.is_event() && Header::with(of_node).unwrap_or_else(by_default)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::here(*event.metadata().level(), event.metadata().target());
        event.record(&mut line);
        let format = |logs: &NodeLogs| logs.config.lock().format;
        let format = Header::with(|header| header?.node().slot_if_set(Slot::Logs).map(format));
        let line = match format.unwrap_or_default() {
            Format::Text => line.text(),
            Format::Json => line.json(),
        };
        (self.write)(&line);
        with_header(|header| {
            if let Some(logs) = header.node().slot_if_set::<NodeLogs>(Slot::Logs) {
                logs.recent.add(&line);
            }
        });
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[cfg(test)]
mod tests;
