//! `channel.outbox_bounded`, `channel.budget_kept` and `channel.drain_in_batches`

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// What waits for one client is bounded, and what it does not get is counted.
///
/// Reads of the server `channel.said` {`topic`}, and at the end `channel.outbox.census`: `high_water`, `frames_max`,
/// `dropped`, `replaced`, `overflowed`; of clients {`client`, `topic`} `channel.joined` (before anything is said) and
/// `channel.received`. Planted bug: `channels.outbox-unbounded`.
#[derive(Debug, Default)]
pub struct ChannelOutboxBounded {
    members: BTreeSet<(u64, String)>,
    broadcasts: u64,
    received: u64,
}

impl Invariant for ChannelOutboxBounded {
    fn name(&self) -> &'static str {
        "channel.outbox_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let topic = text(seen, "topic");
        match seen.event.name {
            "channel.joined" => drop(self.members.insert((number(seen, "client"), topic.to_owned()))),
            "channel.said" => {
                self.broadcasts += self.members.iter().filter(|(_, member)| member == topic).count() as u64;
            }
            "channel.received" => self.received += 1,
            "channel.outbox.census" => return self.census(seen),
            _ => {}
        }
        Ok(())
    }
}

impl ChannelOutboxBounded {
    fn census(&self, seen: &Seen<'_>) -> Result<(), String> {
        let [high_water, frames_max, dropped, replaced, overflowed] =
            ["high_water", "frames_max", "dropped", "replaced", "overflowed"].map(|name| measured(seen, name));
        if high_water > frames_max {
            return Err(format!("{high_water} frames waited for one client; the bound is {frames_max}"));
        }
        let Self { broadcasts, received, .. } = self;
        // Who is closed misses what is counted nowhere.
        if overflowed == 0 && *broadcasts != received + dropped + replaced {
            return Err(format!(
                "{broadcasts} broadcasts were for clients: {received} came, {dropped} were dropped, {replaced} replaced"
            ));
        }
        Ok(())
    }
}

/// A client has no more done than its budget allows, in any stretch of time; who keeps to it is never refused.
///
/// Reads of the server `channel.app.handled` {`socket`, `topic`} with `per_second` and `burst`; of clients that keep
/// to it `channel.limited` {`client`}. Planted bug: `channels.budget-ignored`.
#[derive(Debug, Default)]
pub struct ChannelBudgetKept {
    nodes: ByNode<BTreeMap<(u64, String), VecDeque<u64>>>,
}

impl Invariant for ChannelBudgetKept {
    fn name(&self) -> &'static str {
        "channel.budget_kept"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "channel.limited" => Err(format!("client {} keeps to its budget, and is refused", number(seen, "client"))),
            "channel.app.handled" => {
                let (per_second, burst) = (measured(seen, "per_second"), measured(seen, "burst"));
                let key = (number(seen, "socket"), text(seen, "topic").to_owned());
                let handled = self.nodes.of(seen.node).entry(key).or_default();
                handled.push_back(seen.at.0);
                // So many are allowed at once, and one more after each of these.
                if handled.len() as u64 > burst + 1 {
                    handled.pop_front();
                }
                let one_ns = 1_000_000_000 / per_second.max(1);
                let is_full = handled.len() as u64 > burst;
                let took_ns = seen.at.0 - handled.front().copied().unwrap_or(seen.at.0);
                if is_full && took_ns + SLACK_NS < one_ns {
                    return Err(format!("{} messages were done in {took_ns} ns; at once are {burst}", handled.len()));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

/// A message may be done a moment after it was allowed.
const SLACK_NS: u64 = 20_000_000;

/// Clients are told to come again in batches, one after another.
///
/// Reads of the server `channels.drain.start`, and of clients `channel.closed` {`client`, `code`} with `batch` and
/// `interval_ns`. Planted bug: `channels.drain-at-once`.
#[derive(Debug, Default)]
pub struct ChannelDrainInBatches {
    began: Option<u64>,
    closed: BTreeSet<u64>,
}

impl Invariant for ChannelDrainInBatches {
    fn name(&self) -> &'static str {
        "channel.drain_in_batches"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match (seen.event.name, self.began) {
            ("channels.drain.start", _) => (self.began, self.closed) = (Some(seen.at.0), BTreeSet::new()),
            ("channel.closed", Some(began)) if number(seen, "code") == 1012 => {
                let before = self.closed.len() as u64;
                let earliest = began + before / measured(seen, "batch").max(1) * measured(seen, "interval_ns");
                if self.closed.insert(number(seen, "client")) && seen.at.0 < earliest {
                    return Err(format!(
                        "{} clients were closed within {} ns of a drain",
                        self.closed.len(),
                        seen.at.0 - began
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
