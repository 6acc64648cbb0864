//! `history.nothing_acked_lost`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::number;

/// A message that a room took is in its history, under its number, and once, through any kill and power cut, until as
/// many as are kept came after it. What a history has told is as good as taken.
///
/// Reads `history.acked` {`id`, `by`, `seq`}, and when a room was opened `history.found` {`id`, `by`, `seq`} for each
/// message and then `history.opened` {`kept`}, with how many a room keeps; `by` and `seq` name a message. For one node,
/// over all its lives. Planted bugs: `history.unsynced` does not sync; `history.acked-before-sync` answers first;
/// `history.short-read` takes a read that was cut short for the whole file; `history.found-is-safe` tells what it found
/// before that is synced; `history.directory-unsynced` syncs no entry of the directory's parents.
#[derive(Debug, Default)]
pub struct HistoryLosesNothing {
    acked: BTreeMap<u64, (u64, u64)>,
    found: BTreeMap<u64, (u64, u64)>,
}

impl HistoryLosesNothing {
    fn opened(&mut self, node: &str, kept: usize) -> Result<(), String> {
        let found = std::mem::take(&mut self.found);
        let said: BTreeSet<&(u64, u64)> = found.values().collect();
        if said.len() < found.len() {
            return Err(format!("{node}: {} messages are there twice", found.len() - said.len()));
        }
        let first = found.keys().next().copied().filter(|_| found.len() >= kept).unwrap_or(0);
        for (id, (by, seq)) in self.acked.range(first..) {
            match found.get(id) {
                None => return Err(format!("{node}: message {id} ({by}'s {seq}) was taken, and is not there")),
                Some(there) if there != &(*by, *seq) => {
                    let (by_there, seq_there) = there;
                    return Err(format!("{node}: message {id} was {by}'s {seq}, and is {by_there}'s {seq_there}"));
                }
                Some(_) => {}
            }
        }
        self.acked = found;
        Ok(())
    }
}

impl Invariant for HistoryLosesNothing {
    fn name(&self) -> &'static str {
        "history.nothing_acked_lost"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let (id, message) = (number(seen, "id"), (number(seen, "by"), number(seen, "seq")));
        match seen.event.name {
            "history.acked" => drop(self.acked.insert(id, message)),
            "history.found" => drop(self.found.insert(id, message)),
            "history.opened" => return self.opened(seen.node, number(seen, "kept") as usize),
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, _: &str) {
        // A process that dies while it tells what it found has not told.
        self.found.clear();
    }
}
