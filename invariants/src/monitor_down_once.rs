//! `monitor.down_once`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

/// How long a kill may take: a process dies at its next await.
const KILL_NS: u64 = 1_000_000_000;

/// Each monitor hears exactly once that its process has ended, with the reason for which it did, and a
/// process that is killed ends soon.
///
/// Reads `otp.process.stop` {`process`, `reason`}, and of those who watch `monitor.set` {`id`,
/// `process`}, `monitor.unset` {`id`} of a monitor that was taken back, `monitor.down` {`id`, `reason`} and `monitor.killed` {`process`}. Planted bug: `otp.kill-forgotten`
/// kills only those that something else wakes; `otp.stale-down` delivers what
/// was in the mailbox when the monitor was taken back.
#[derive(Debug, Default)]
pub struct MonitorDownOnce {
    open: BTreeMap<u64, u64>,
    heard: BTreeSet<u64>,
    ended: BTreeMap<u64, String>,
    killed: BTreeMap<u64, u64>,
}

impl Invariant for MonitorDownOnce {
    fn name(&self) -> &'static str {
        "monitor.down_once"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if let Some((process, at)) = self.killed.iter().find(|(_, at)| seen.at.0 > **at + KILL_NS) {
            return Err(format!("process {process} was killed at {} and lives", simurgh_sim::Moment(*at)));
        }
        let number = |name: &str| seen.event.u64(name).unwrap_or(0);
        match seen.event.name {
            "otp.process.stop" => {
                self.killed.remove(&number("process"));
                self.ended.insert(number("process"), seen.event.str("reason").unwrap_or_default().to_owned());
            }
            "monitor.killed" if !self.ended.contains_key(&number("process")) => {
                self.killed.insert(number("process"), seen.at.0);
            }
            "monitor.set" => {
                self.open.insert(number("id"), number("process"));
            }
            "monitor.unset" => {
                self.open.remove(&number("id"));
            }
            "monitor.down" => return self.down(number("id"), seen.event.str("reason").unwrap_or_default()),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        if self.open.is_empty() { Ok(()) } else { Err(format!("{} monitors have heard nothing", self.open.len())) }
    }
}

impl MonitorDownOnce {
    fn down(&mut self, id: u64, reason: &str) -> Result<(), String> {
        let Some(process) = self.open.remove(&id) else {
            return Err(format!("monitor {id} heard twice, or after it was taken back"));
        };
        self.heard.insert(id);
        match self.ended.get(&process) {
            None => Err(format!("monitor {id} heard of the end of process {process}, which lives")),
            Some(real) if reason != "no_process" && reason != real => {
                Err(format!("monitor {id} heard {reason} of process {process}, which ended by {real}"))
            }
            Some(_) => Ok(()),
        }
    }
}
