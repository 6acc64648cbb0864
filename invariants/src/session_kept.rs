//! `session.kept`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, is, number};

/// A session is there as long as the secret of its cookie is in the ring, and not a request longer; a request moves
/// it to the current secret; one that was ended does not come back.
///
/// Reads, of those who visit: `session.visit` {`browser`, `oldest`, `current`, `counts`, `visits`}, in which secrets are
/// numbered as they came, the ring is those from `oldest` to `current`, and `visits` is what the session
/// says after it was counted up or only looked at; `session.ended` {`browser`, `visits`}, in which `visits` is what the
/// cookie from before the end still finds. Planted bugs: `web.session-old-key-lost` accepts the current secret only;
/// `web.session-not-rewritten` leaves a cookie of an older secret as it is; `web.session-comes-back` writes a session
/// that another request has ended.
#[derive(Debug, Default)]
pub struct SessionKept {
    nodes: ByNode<BTreeMap<u64, Known>>,
}

/// What a browser's session must be.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    key: u64,
    visits: u64,
}

impl Invariant for SessionKept {
    fn name(&self) -> &'static str {
        "session.kept"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let (browser, visits) = (number(seen, "browser"), number(seen, "visits"));
        let browsers = self.nodes.of(seen.node);
        match seen.event.name {
            "session.visit" => {
                let (oldest, current) = (number(seen, "oldest"), number(seen, "current"));
                let Known { key, visits: before } = browsers.get(&browser).copied().unwrap_or_default();
                let is_in_ring = (oldest..=current).contains(&key);
                let kept = if is_in_ring { before } else { 0 };
                let due = kept + u64::from(is(seen, "counts"));
                browsers.insert(browser, Known { key: current, visits: due });
                if visits == due {
                    return Ok(());
                }
                Err(format!(
                    "{}: browser {browser} has {before} visits under secret {key}, the ring is {oldest} to {current}, and \
                     its session says {visits} instead of {due}",
                    seen.node
                ))
            }
            "session.ended" => {
                browsers.remove(&browser);
                if visits == 0 {
                    return Ok(());
                }
                Err(format!("{}: browser {browser}'s session was ended, and says {visits} visits", seen.node))
            }
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
