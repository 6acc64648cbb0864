//! `presence.converges`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::text;

/// When the network has been whole for longer than it takes to notice an end, each node lists those who are present on
/// the nodes that live, and nobody else: no ghost, and no living one missing.
///
/// Reads, of each node, `presence.census` {`own`, `view`}: the presences of its living processes, by its own books, and
/// those that it lists, each as texts with commas between them; and `presence.settled` of the world, when all must be so.
/// Planted bugs: `presence.removal-forgets-tag` removes an entry and does not say which; `presence.removal-without-tick`
/// counts no clock for a removal, so that who missed it does not miss it; `presence.old-version-kept` leaves what a
/// former life of a node has tracked; `presence.down-unnoticed` never hides who is silent; `presence.end-unnoticed` does
/// not watch the processes; `presence.resurrects` only hides who is gone for good, and shows it again with the next life of its node.
#[derive(Debug, Default)]
pub struct PresenceConverges {
    nodes: BTreeMap<String, Census>,
}

#[derive(Debug)]
struct Census {
    own: BTreeSet<String>,
    view: BTreeSet<String>,
}

impl Invariant for PresenceConverges {
    fn name(&self) -> &'static str {
        "presence.converges"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "presence.census" => {
                let set =
                    |name| text(seen, name).split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
                self.nodes.insert(seen.node.to_owned(), Census { own: set("own"), view: set("view") });
                Ok(())
            }
            "presence.settled" => self.judge(),
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    fn holds(&mut self) -> Result<(), String> {
        self.judge()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["end"]
    }
}

impl PresenceConverges {
    fn judge(&self) -> Result<(), String> {
        let present: BTreeSet<&String> = self.nodes.values().flat_map(|census| &census.own).collect();
        for (node, census) in &self.nodes {
            let view: BTreeSet<&String> = census.view.iter().collect();
            if let Some(ghost) = view.difference(&present).next() {
                return Err(format!("{node} lists {ghost}, who is nowhere: a ghost"));
            }
            if let Some(missing) = present.difference(&view).next() {
                return Err(format!("{node} does not list {missing}, who is there"));
            }
        }
        Ok(())
    }
}
