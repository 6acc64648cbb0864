//! `supervisor.order`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// Children begin in the order given, each when those before it are ready, and end in reverse, each
/// when those after it are gone. So it is at boot and at the end; and with `one_for_all` and
/// `rest_for_one` also at restarts. (Not for supervisors whose operators start and stop single
/// children of such a group.)
///
/// Reads `otp.supervisor.start` {`supervisor`, `strategy`}, `.up`, `.ending`, `.over`,
/// `otp.child.start` {`place`, `supervisor`, `process`}, `.ready`, `.stop`, and `otp.process.stop`.
/// Planted bug: `supervisor.order-not-reversed` stops the first one first.
#[derive(Debug, Default)]
pub struct SupervisorOrder {
    nodes: ByNode<Supervisors>,
}

#[derive(Debug, Default)]
struct Supervisors {
    by_pid: BTreeMap<u64, Supervisor>,
    /// The supervisor and place of each living child.
    places: BTreeMap<u64, (u64, u64)>,
}

#[derive(Debug)]
struct Supervisor {
    one_for_one: bool,
    phase: Phase,
    /// By place: the process, and whether it is ready.
    living: BTreeMap<u64, (u64, bool)>,
}

#[derive(Debug, PartialEq)]
enum Phase {
    Booting,
    Up,
    Ending,
}

impl Invariant for SupervisorOrder {
    fn name(&self) -> &'static str {
        "supervisor.order"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let known = self.nodes.of(seen.node);
        let (pid, process) = (number(seen, "supervisor"), number(seen, "process"));
        match seen.event.name {
            "otp.supervisor.start" => {
                let one_for_one = text(seen, "strategy") == "one_for_one";
                let supervisor = Supervisor { one_for_one, phase: Phase::Booting, living: BTreeMap::new() };
                known.by_pid.insert(pid, supervisor);
            }
            "otp.supervisor.up" => known.enter(seen.task, Phase::Up),
            "otp.supervisor.ending" => known.enter(pid, Phase::Ending),
            "otp.supervisor.over" => drop(known.by_pid.remove(&pid)),
            "otp.child.start" => return known.start(pid, measured(seen, "place"), process),
            "otp.child.ready" => {
                if let Some((supervisor, place)) = known.places.get(&process)
                    && let Some(supervisor) = known.by_pid.get_mut(supervisor)
                {
                    supervisor.living.insert(*place, (process, true));
                }
            }
            "otp.child.stop" => return known.stop(process),
            "otp.process.stop" => {
                known.by_pid.remove(&process);
                if let Some((supervisor, place)) = known.places.remove(&process)
                    && let Some(supervisor) = known.by_pid.get_mut(&supervisor)
                    && supervisor.living.get(&place).is_some_and(|(living, _)| *living == process)
                {
                    supervisor.living.remove(&place);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Supervisors {
    fn enter(&mut self, pid: u64, phase: Phase) {
        if let Some(supervisor) = self.by_pid.get_mut(&pid) {
            supervisor.phase = phase;
        }
    }

    fn start(&mut self, pid: u64, place: u64, process: u64) -> Result<(), String> {
        let Some(supervisor) = self.by_pid.get_mut(&pid) else { return Ok(()) };
        let ordered = !supervisor.one_for_one || supervisor.phase == Phase::Booting;
        let after = supervisor.living.range(place + 1..).next().map(|(place, _)| *place);
        let unready = supervisor.living.range(..place).find(|(_, (_, ready))| !ready).map(|(place, _)| *place);
        self.places.insert(process, (pid, place));
        supervisor.living.insert(place, (process, false));
        match (ordered, after, unready) {
            (true, Some(after), _) => Err(format!("supervisor {pid} starts child {place} while child {after} lives")),
            (true, _, Some(before)) => {
                Err(format!("supervisor {pid} starts child {place}, child {before} is not ready"))
            }
            _ => Ok(()),
        }
    }

    fn stop(&self, process: u64) -> Result<(), String> {
        let Some((pid, place)) = self.places.get(&process) else { return Ok(()) };
        let Some(supervisor) = self.by_pid.get(pid) else { return Ok(()) };
        let ordered = !supervisor.one_for_one || supervisor.phase == Phase::Ending;
        match supervisor.living.range(place + 1..).next() {
            Some((after, _)) if ordered => {
                Err(format!("supervisor {pid} stops child {place} while child {after} lives"))
            }
            _ => Ok(()),
        }
    }
}
