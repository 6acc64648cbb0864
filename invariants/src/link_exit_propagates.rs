//! `link.exit_propagates`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{ByNode, is, number, text};

/// How long an exit may take: a process ends at its next await.
const BOUND_NS: u64 = 1_000_000_000;

/// An abnormal exit ends those linked to it, and nobody else; who traps exits hears of each, once;
/// linking the dead delivers its exit at once.
///
/// Reads `otp.link.set` {`process`, `other`}, `.unset`, `.dead`, `otp.trap_exits` {`process`, `on`} and
/// `otp.process.stop` {`process`, `reason`}; of processes that are linked, `link.ends` {`process`}
/// before they end by themselves or are told to by others, and `link.heard` {`process`, `from`} when
/// they trap an exit. Planted bugs: `otp.link-forgotten` ends nobody, `otp.normal-exit-kills` all.
#[derive(Debug, Default)]
pub struct LinkExitPropagates {
    nodes: ByNode<Links>,
}

#[derive(Debug, Default)]
struct Links {
    of: BTreeMap<u64, BTreeSet<u64>>,
    linked_once: BTreeSet<u64>,
    traps: BTreeSet<u64>,
    /// Those that have a reason of their own to end.
    ends: BTreeSet<u64>,
    /// Those that must end: since when, and of whose exit.
    doomed: BTreeMap<u64, (u64, u64)>,
    /// Who must hear of whom, how often, since when.
    to_hear: BTreeMap<(u64, u64), (u64, u64)>,
}

impl Invariant for LinkExitPropagates {
    fn name(&self) -> &'static str {
        "link.exit_propagates"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let links = self.nodes.of(seen.node);
        links.overdue(seen.at.0)?;
        let (process, other) = (number(seen, "process"), number(seen, "other"));
        match seen.event.name {
            "otp.link.set" => {
                links.of.entry(process).or_default().insert(other);
                links.of.entry(other).or_default().insert(process);
                links.linked_once.extend([process, other]);
            }
            "otp.link.unset" => links.unset(process, other),
            "otp.link.dead" => {
                links.linked_once.insert(process);
                links.reach(process, other, "no_process", seen.at.0);
            }
            "otp.trap_exits" if is(seen, "on") => drop(links.traps.insert(process)),
            "otp.trap_exits" => drop(links.traps.remove(&process)),
            "link.ends" => drop(links.ends.insert(process)),
            "link.heard" => {
                let from = number(seen, "from");
                let Some((count, _)) = links.to_hear.get_mut(&(process, from)) else {
                    return Err(format!("process {process} heard of an exit of {from} that it should not hear of"));
                };
                *count -= 1;
                if *count == 0 {
                    links.to_hear.remove(&(process, from));
                }
            }
            "otp.process.stop" => return links.stop(process, text(seen, "reason"), seen.at.0),
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Links {
    fn overdue(&self, now: u64) -> Result<(), String> {
        if let Some((process, (at, from))) = self.doomed.iter().find(|(_, (at, _))| now > at + BOUND_NS) {
            return Err(format!("process {process} lives, and {from}, linked to it, ended at {}", Moment(*at)));
        }
        if let Some(((process, from), (_, at))) = self.to_hear.iter().find(|(_, (_, at))| now > at + BOUND_NS) {
            return Err(format!("process {process} has not heard that {from} ended at {}", Moment(*at)));
        }
        Ok(())
    }

    fn unset(&mut self, one: u64, other: u64) {
        for (one, other) in [(one, other), (other, one)] {
            if let Some(links) = self.of.get_mut(&one) {
                links.remove(&other);
            }
        }
    }

    /// An exit reaches a process.
    fn reach(&mut self, process: u64, from: u64, reason: &str, now: u64) {
        if self.traps.contains(&process) {
            self.to_hear.entry((process, from)).or_insert((0, now)).0 += 1;
        } else if reason != "normal" {
            self.doomed.entry(process).or_insert((now, from));
        }
    }

    fn stop(&mut self, process: u64, reason: &str, now: u64) -> Result<(), String> {
        let had_to = self.doomed.remove(&process).is_some() | self.ends.remove(&process);
        self.traps.remove(&process);
        self.to_hear.retain(|(who, _), _| *who != process);
        for linked in self.of.remove(&process).unwrap_or_default() {
            self.unset(process, linked);
            self.reach(linked, process, reason, now);
        }
        if self.linked_once.remove(&process) && !had_to {
            return Err(format!("process {process} ended ({reason}), and nothing that it is linked to did abnormally"));
        }
        Ok(())
    }
}
