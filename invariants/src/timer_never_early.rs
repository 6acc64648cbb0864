//! `timer.never_early`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// A timer rings when its time is over and not before, and so does the delay of a restart.
///
/// Reads `timer.set` {`after_ns`, `id`} and `timer.rang` {`id`} of servers that use timers, and
/// `otp.supervisor.decision` {`delay_ns`, `supervisor`, `child`} and `otp.child.start` of supervisors.
/// Planted bugs: `otp.timer-early` rounds down to milliseconds, `supervisor.delay-cut-short` halves
/// delays.
#[derive(Debug, Default)]
pub struct TimerNeverEarly {
    nodes: ByNode<Due>,
}

#[derive(Debug, Default)]
struct Due {
    timers: BTreeMap<u64, u64>,
    restarts: BTreeMap<(u64, String), u64>,
}

impl Invariant for TimerNeverEarly {
    fn name(&self) -> &'static str {
        "timer.never_early"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let due = self.nodes.of(seen.node);
        let (what, due_ns) = match seen.event.name {
            "timer.set" => {
                due.timers.insert(number(seen, "id"), seen.at.0 + measured(seen, "after_ns"));
                return Ok(());
            }
            "otp.supervisor.decision" => {
                let child = (number(seen, "supervisor"), text(seen, "child").to_owned());
                due.restarts.insert(child, seen.at.0 + measured(seen, "delay_ns"));
                return Ok(());
            }
            "timer.rang" => {
                let id = number(seen, "id");
                (format!("timer {id} rings"), due.timers.remove(&id))
            }
            "otp.child.start" => {
                let child = (number(seen, "supervisor"), text(seen, "child").to_owned());
                let due_ns = due.restarts.remove(&child);
                (format!("child {} of {} is restarted", child.1, child.0), due_ns)
            }
            _ => return Ok(()),
        };
        match due_ns {
            Some(due_ns) if seen.at.0 < due_ns => Err(format!("{what} before its time, which is {}", Moment(due_ns))),
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}
