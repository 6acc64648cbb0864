//! `log.nothing_acked_lost`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{is, number};

/// What a log has acknowledged is in it whenever it is opened again, as it was written; what it was opened with has
/// been told, and counts as acknowledged from then on.
///
/// Reads `log.acked` {`last`}, all up to which is acknowledged, and `log.opened` {`last`, `whole`}, what was found and
/// whether it is as it was written. For one node, over all its lives. Planted bugs: `wal.unsynced` does not sync;
/// `wal.acked-before-sync` acknowledges first; `wal.short-read` takes a read that was cut short for the whole file;
/// `wal.unchecked` looks at no checksum; `wal.sync-again` believes a sync after one that failed; `wal.found-is-safe`
/// tells what it found before that is synced; `fs.replace-unsynced` renames a file whose content is not synced,
/// `fs.rename-unsynced` forgets the directory.
#[derive(Debug, Default)]
pub struct LogLosesNothing {
    acked: u64,
    counts: Arc<LogCounts>,
    only_counts: bool,
}

/// What happened to a log.
#[derive(Debug, Default)]
pub struct LogCounts {
    opened: AtomicU64,
    acked: AtomicU64,
    lost: AtomicU64,
    corrupt: AtomicU64,
}

impl LogLosesNothing {
    /// Counts losses instead of ending the run: to show how a log fails that may.
    pub fn that_only_counts() -> Self {
        Self { only_counts: true, ..Self::default() }
    }

    /// The counts, for after it is watching.
    pub fn counts(&self) -> Arc<LogCounts> {
        Arc::clone(&self.counts)
    }

    fn opened(&mut self, node: &str, last: u64, whole: bool) -> Result<(), String> {
        add(&self.counts.opened, 1);
        let acked = std::mem::replace(&mut self.acked, last);
        if !whole {
            add(&self.counts.corrupt, 1);
            return Err(format!("{node}: what was found up to {last} is not what was written"));
        }
        if last < acked {
            add(&self.counts.lost, acked - last);
            return Err(format!("{node}: {acked} were acknowledged, and {last} are found"));
        }
        Ok(())
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl LogCounts {
    /// How often it was opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Entries that were acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Entries that were acknowledged and are lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How often what was found was not what had been written.
    pub fn corrupt(&self) -> u64 {
        self.corrupt.load(Ordering::Relaxed)
    }
}

impl Invariant for LogLosesNothing {
    fn name(&self) -> &'static str {
        "log.nothing_acked_lost"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let last = number(seen, "last");
        let found = match seen.event.name {
            "log.acked" => {
                add(&self.counts.acked, last.saturating_sub(self.acked));
                self.acked = self.acked.max(last);
                Ok(())
            }
            "log.opened" => self.opened(seen.node, last, is(seen, "whole")),
            _ => Ok(()),
        };
        if self.only_counts { Ok(()) } else { found }
    }
}
