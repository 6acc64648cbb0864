//! `children.workers_end`

use simurgh_sim::{Invariant, Seen};

use crate::by_node::number;

/// How long a worker may go on after the next life of its parent has begun: it may be in the middle of something.
const GRACE_NS: u64 = 4_000_000_000;

/// A process that a node has started does not go on for long after its parent has died, however that came: it would
/// work beside the one that the next life starts.
///
/// Reads `parent.started` {`life`} of the one node that starts workers, and `worker.works` {`life`} of its workers, where
/// `life` is that of the parent. Planted bug: `children.input-ignored` does not take the end of its input for its
/// parent's.
#[derive(Debug, Default)]
pub struct WorkersEnd {
    life: u64,
    since: u64,
}

impl Invariant for WorkersEnd {
    fn name(&self) -> &'static str {
        "children.workers_end"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "parent.started" => (self.life, self.since) = (number(seen, "life"), seen.at.0),
            "worker.works" => {
                let (life, for_ns) = (number(seen, "life"), seen.at.0 - self.since);
                if life < self.life && for_ns > GRACE_NS {
                    let for_ms = for_ns / 1_000_000;
                    return Err(format!("{}, of life {life}, works {for_ms} ms into life {}", seen.node, self.life));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
