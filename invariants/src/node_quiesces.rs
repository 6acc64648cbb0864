//! `node.quiesces`

use simurgh_sim::{Invariant, Moment, Seen};

/// What a node may still do when it is asked to be quiet.
const GRACE_NS: u64 = 3_000_000_000;

/// When nobody wants anything any more, nodes are quiet: they say nothing but heartbeats, events whose names end with
/// `.heartbeat`, and what belongs to those.
///
/// Reads `node.quiet`, of the world, and any event of any other node more than 3 s later. Planted bug:
/// `register.gossip-echoes` answers gossip with gossip.
#[derive(Debug, Default)]
pub struct NodeQuiesces {
    since: Option<Moment>,
}

impl Invariant for NodeQuiesces {
    fn name(&self) -> &'static str {
        "node.quiesces"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name == "node.quiet" {
            self.since = Some(seen.at);
            return Ok(());
        }
        let is_heartbeat = seen.event.name.ends_with(".heartbeat") || seen.node == "world";
        match self.since {
            Some(since) if !is_heartbeat && seen.at.0 > since.0 + GRACE_NS => {
                Err(format!("{} says {} when all should be quiet", seen.node, seen.event.name))
            }
            _ => Ok(()),
        }
    }
}
