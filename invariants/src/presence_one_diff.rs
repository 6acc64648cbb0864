//! `presence.one_diff_per_change` and `presence.diffs_replay`

use std::collections::BTreeSet;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, is, text};

/// On each node, a presence is told to have come once, and to have gone once, after that.
///
/// Reads `presence.change` {`ref`, `joined`} of whoever is told the diffs of a node. Planted bug:
/// `presence.leave-told-twice` tells the end of a replica also of what was hidden already.
#[derive(Debug, Default)]
pub struct PresenceOneDiff {
    nodes: ByNode<BTreeSet<String>>,
}

impl Invariant for PresenceOneDiff {
    fn name(&self) -> &'static str {
        "presence.one_diff_per_change"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "presence.change" {
            return Ok(());
        }
        let (own, joined) = (text(seen, "ref"), is(seen, "joined"));
        let there = self.nodes.of(seen.node);
        let is_news = if joined { there.insert(own.to_owned()) } else { there.remove(own) };
        if is_news {
            return Ok(());
        }
        let what = if joined { "came twice" } else { "went, and was not there" };
        Err(format!("{}: {own} {what}", seen.node))
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

/// What a client makes of the diffs of a node is what the node lists, at each moment.
///
/// Reads `presence.census` {`view`, `replayed`}: what is listed, and what a client has, as texts. Planted bug:
/// `presence.update-without-leave` tells of an update only that the new meta came.
#[derive(Debug, Default)]
pub struct PresenceDiffsReplay;

impl Invariant for PresenceDiffsReplay {
    fn name(&self) -> &'static str {
        "presence.diffs_replay"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let (view, replayed) = (text(seen, "view"), text(seen, "replayed"));
        if seen.event.name != "presence.census" || view == replayed {
            return Ok(());
        }
        Err(format!("{}: a client has \"{replayed}\", and listed is \"{view}\"", seen.node))
    }
}
