//! `presence.stale_bounded`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{is, text};

/// How long a node may not know.
const STALE_MAX: Duration = Duration::from_secs(2);

/// With a network that is whole, what comes on one node is seen on all within 2 s, and what goes is gone on all.
///
/// Reads `presence.change` {`ref`, `joined`} of all nodes, of which whoever tells it first has it itself; and
/// `presence.steady` of the world: all nodes know each other, and what comes from now on is judged. Planted bug:
/// `presence.waits-two-ticks` sends changes with every other tick, and the first one not sooner.
#[derive(Debug, Default)]
pub struct PresenceStaleBounded {
    is_steady: bool,
    /// Those that came before.
    old: BTreeSet<String>,
    nodes: BTreeSet<String>,
    presences: BTreeMap<String, Presence>,
}

#[derive(Debug, Default)]
struct Presence {
    came: Option<Moment>,
    went: Option<Moment>,
    seen_on: BTreeSet<String>,
}

impl Invariant for PresenceStaleBounded {
    fn name(&self) -> &'static str {
        "presence.stale_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        self.is_steady |= seen.event.name == "presence.steady";
        if seen.event.name != "presence.change" {
            return Ok(());
        }
        if !self.nodes.contains(seen.node) {
            self.nodes.insert(seen.node.to_owned());
        }
        let own = text(seen, "ref");
        if !self.is_steady {
            self.old.insert(own.to_owned());
        }
        if self.old.contains(own) {
            return Ok(());
        }
        let known = self.presences.contains_key(own);
        if is(seen, "joined") {
            let presence = self.presences.entry(own.to_owned()).or_default();
            presence.came.get_or_insert(seen.at);
            presence.seen_on.insert(seen.node.to_owned());
        } else if known {
            let presence = self.presences.entry(own.to_owned()).or_default();
            presence.went.get_or_insert(seen.at);
            presence.seen_on.remove(seen.node);
        }
        self.judge(seen.at)
    }
}

impl PresenceStaleBounded {
    fn judge(&mut self, now: Moment) -> Result<(), String> {
        let is_over = |since: Option<Moment>| {
            since.is_some_and(|since| now.0.saturating_sub(since.0) > STALE_MAX.as_nanos() as u64)
        };
        for (own, presence) in &self.presences {
            if is_over(presence.went) {
                if let Some(node) = presence.seen_on.first() {
                    return Err(format!("{own} went more than {STALE_MAX:?} ago, and {node} lists it"));
                }
            } else if presence.went.is_none()
                && is_over(presence.came)
                && let Some(node) = self.nodes.difference(&presence.seen_on).next()
            {
                return Err(format!("{own} came more than {STALE_MAX:?} ago, and {node} does not list it"));
            }
        }
        self.presences.retain(|_, presence| !is_over(presence.went));
        Ok(())
    }
}
