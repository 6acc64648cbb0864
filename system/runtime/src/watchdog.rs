//! The watchdog: names the task whose poll does not return.
//!
//! Nothing can take a thread away from a poll that holds it: such a task cannot be killed, and the
//! tasks that wait for its thread wait with it. So it is named, by a thread of its own that looks,
//! every [`TICK`], at what each worker is polling.
//!
//! ```text
//!   begins  first seen                    three ticks later: reported
//!     │ < 1 tick │  37 ms  │  37 ms  │  37 ms  │
//!     ├──────────┼─────────┼─────────┼─────────┤ ......... returns: reported again
//!     0        <= 37                    111 to 148 ms
//! ```
//!
//! - A poll is reported once, at the earliest 100 ms after it began and at the latest 148 ms, plus
//!   what the operating system takes to wake a thread; and once more when it has returned. A drop of
//!   a task's future counts as its last poll.
//! - Reports go to the node's handler ([`on_stuck`]), or to standard error if there is none, one line
//!   each. [`stuck`] says what is held right now, [`reported`] counts.
//! - Blocking work and isolated tasks ([`crate::task::Builder::isolated`]) have threads of their own,
//!   may hold them, and are not reported.
//! - It begins with [`crate::run`] and goes on until all tasks have been dropped, so it also names
//!   what delays the end. If the operating system refuses its thread, one line says so, and nothing
//!   is watched.
//! - Its price is 27 wake-ups a second, and at the end of each task one memory fence.
//!
//! Under simulation there is none: the simulator watches its own polls, and ends the run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Header, Label, Node, NodeId, stdio};

mod tracker;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use watch::Watch;

/// How often the watchdog looks. An odd number, so that its ticks drift through the round periods in
/// which work comes, and a sample is not taken at the same place each time.
pub const TICK: Duration = Duration::from_millis(37);

/// How long a poll may last.
const LATE: Duration = Duration::from_millis(100);

/// A poll that has not returned, or had not for long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The node of the task.
    pub node: NodeId,
    /// Which run of the node.
    pub incarnation: u32,
    /// The task's number in its node.
    pub task: u64,
    /// What the task is called.
    pub label: Label,
    /// Which of the task's polls it is, from 1.
    pub polls: u64,
    /// The name of the thread that is held.
    pub thread: String,
    /// How long it has been seen, in milliseconds. It began up to one tick earlier.
    pub for_ms: u64,
    /// Whether it has returned by now.
    pub has_returned: bool,
}

/// What is stuck on this node right now, as of the last tick.
///
/// # Panics
/// Outside of a task of a node.
pub fn stuck() -> Vec<Stuck> {
    Watch::of(&Node::current()).stuck()
}

/// How many polls of this node were ever reported.
///
/// # Panics
/// Outside of a task of a node.
pub fn reported() -> u64 {
    Watch::of(&Node::current()).reported()
}

/// Has `handler` take this node's reports, instead of standard error; the last one set counts.
///
/// It runs on the watchdog's thread, inside of a task header of the node that is labelled
/// `watchdog`, so that it can log and count. While it runs nothing is watched, so it has to be short.
/// Its panic ends nothing.
///
/// ```
/// use simurgh_runtime::watchdog;
///
/// # simurgh_runtime::run("doc", async {
/// watchdog::on_stuck(|stuck| {
///     if !stuck.has_returned {
///         simurgh_runtime::out!("{stuck}");
///     }
/// });
/// assert!(watchdog::stuck().is_empty());
/// # });
/// ```
///
/// # Panics
/// Outside of a task of a node.
pub fn on_stuck(handler: impl Fn(&Stuck) + Send + Sync + 'static) {
    Watch::of(&Node::current()).set_handler(Arc::new(handler));
}

/// As [`on_stuck`], if nobody has said anything yet: for the crates between this one and the application.
#[doc(hidden)]
pub fn on_stuck_by_default(node: &Node, handler: impl Fn(&Stuck) + Send + Sync + 'static) {
    Watch::of(node).set_default_handler(Arc::new(handler));
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node: NodeId(node), incarnation, task, label, polls, thread, for_ms, .. } = self;
        write!(f, "task {label} <{node}.{task}.{incarnation}> ")?;
        if self.has_returned {
            write!(f, "let go of thread {thread}: its poll {polls} returned after {for_ms} ms")
        } else {
            write!(f, "holds thread {thread}: its poll {polls} has not returned for {for_ms} ms")?;
            f.write_str("; blocking work belongs into runtime::blocking, such a task on a thread of its own (isolated)")
        }
    }
}

/// How the watchdog watches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How often it looks.
    pub(crate) tick: Duration,
    /// How long a poll may last.
    pub(crate) late: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tick: TICK, late: LATE }
    }
}

/// The time in which a node is watched.
pub(crate) struct Watchdog(Arc<Watch>);

impl Watchdog {
    /// Starts to watch the threads of `node`.
    pub(crate) fn start(node: &Arc<Node>, settings: Settings) -> Self {
        let watch = Arc::clone(Watch::of(node));
        // The node's end is not for this thread to put off.
        let (watching, node) = (Arc::clone(&watch), Arc::downgrade(node));
        let work = move || {
            while watching.wait(settings.tick) {
                for stuck in watching.tick(Instant::now(), settings.patience()) {
                    let Some(node) = node.upgrade() else { return };
                    tell(&watching, node, &stuck);
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("watchdog".to_owned()).spawn(work) {
            stdio::err(&format!("warning: polls that do not return will not be named: no thread for it: {error}"));
        }
        Self(watch)
    }
}

impl Drop for Watchdog {
    /// Does not wait for the thread: it may be in a handler, whose time is its own.
    fn drop(&mut self) {
        self.0.end();
    }
}

fn tell(watch: &Watch, node: Arc<Node>, stuck: &Stuck) {
    let header = Header::new(node, Label::Static("watchdog"), None);
    let _entered = header.enter();
    match watch.handler() {
        // The panic hook has told it by now.
        Some(handler) => drop(catch_unwind(AssertUnwindSafe(|| handler(stuck)))),
        None => stdio::err(&format!("warning: {stuck}")),
    }
}
