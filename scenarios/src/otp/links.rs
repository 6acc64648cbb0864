//! Links and monitors under kill and panic.
//!
//! Workers link each other by chance, also the dead, and end in every way. Listeners trap exits, and
//! monitor some processes and no longer.

use std::collections::BTreeMap;
use std::sync::Arc;

use simurgh::otp::{Context, Flow, Info, InitError, MonitorRef, Server, Spawn};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh::runtime::sync::Mutex;
use simurgh_invariants::{LinkExitPropagates, MonitorDownOnce};
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules};

const WORKERS: u64 = 30;
const LISTENERS: u64 = 5;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "processes linked by chance, trapping or not, that return, fail, panic and are killed";
    let simulation = Simulation::new("otp/links", about, links).profile(schedules());
    let bugs = ["otp.link-forgotten", "otp.normal-exit-kills", "otp.stale-down"];
    registry.with(simulation.planted_plainly(&bugs))
}

/// The whole story: see the module.
///
/// # Errors
/// If a process is left.
pub async fn links(sim: Sim) -> Outcome {
    sim.watch(LinkExitPropagates::default());
    sim.watch(MonitorDownOnce::default());
    on_a_node(sim, program).await
}

async fn program() -> Result<(), String> {
    let pids: Pids = Arc::default();
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let listener = otp::start("listener", Listener::default()).await.map_err(|error| error.to_string())?;
        pids.lock().push(listener.pid());
        listeners.push(listener);
    }
    for number in 0..WORKERS {
        let pid = Spawn::new(("worker", number)).supervised().spawn(work(Arc::clone(&pids)));
        pids.lock().push(pid);
        sleep(random::range(0..3_000).micros()).await;
        let listener = &listeners[random::range(0..LISTENERS) as usize];
        let of = any(&pids);
        let message = match random::range(0..4) {
            0 => Message::Link(of),
            1 => Message::Unlink(of),
            2 => Message::Watch(number + 1, of),
            _ => Message::Unwatch,
        };
        let _ = listener.cast(message).await; // it may have been killed
        if random::chance(0.3) {
            kill(any(&pids));
        }
    }
    sleep(2.secs()).await;
    for pid in pids.lock().clone() {
        kill(pid);
    }
    sleep(2.secs()).await;
    event!("link.census");
    nothing_left()
}

type Pids = Arc<Mutex<Vec<Pid>>>;

fn any(pids: &Pids) -> Pid {
    let pids = pids.lock();
    pids[random::range(0..pids.len() as u64) as usize]
}

fn kill(pid: Pid) {
    event!("link.ends", {}, { process: pid.number() });
    otp::kill(pid);
}

/// Links some, unlinks some, and ends in one of the ways there are.
async fn work(pids: Pids) -> ExitReason {
    for _ in 0..random::range(1..5) {
        sleep(random::range(0..8_000).micros()).await;
        let other = any(&pids);
        if random::chance(0.8) {
            otp::link(other);
        } else {
            otp::unlink(other);
        }
    }
    sleep(random::range(0..20_000).micros()).await;
    let end = random::range(0..5);
    if end < 4 {
        event!("link.ends", {}, { process: otp::self_pid().number() });
    }
    match end {
        0 => ExitReason::Normal,
        1 => ExitReason::shutdown("as planned"),
        2 => ExitReason::error("as planned"),
        3 => panic!("as planned"),
        _ => std::future::pending().await,
    }
}

/// Traps exits, and monitors.
#[derive(Default)]
struct Listener {
    /// By pid: the number of the monitor, and the monitor.
    monitors: BTreeMap<Pid, (u64, MonitorRef)>,
}

enum Message {
    Link(Pid),
    Unlink(Pid),
    Watch(u64, Pid),
    /// All of them.
    Unwatch,
}

impl Server for Listener {
    type Message = Message;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        cx.trap_exits(true);
        Ok(())
    }

    async fn handle(&mut self, message: Message, cx: &mut Context<Self>) -> Flow {
        match message {
            Message::Link(pid) => otp::link(pid),
            Message::Unlink(pid) => otp::unlink(pid),
            Message::Watch(id, pid) if !self.monitors.contains_key(&pid) => {
                event!("monitor.set", {}, { id: id, process: pid.number() });
                self.monitors.insert(pid, (id, cx.monitor(pid)));
            }
            Message::Watch(..) => {}
            Message::Unwatch => {
                // Somebody may have ended meanwhile: its end lies in the mailbox.
                sleep(random::range(0..3_000).micros()).await;
                self.forget(|monitor| cx.demonitor(monitor));
            }
        }
        Flow::Continue
    }

    async fn info(&mut self, info: Info, cx: &mut Context<Self>) -> Flow {
        match info {
            Info::Exit(exit) => {
                event!("link.heard", {}, { process: cx.pid().number(), from: exit.pid.number() });
            }
            Info::Down(down) => {
                let id = self.monitors.remove(&down.pid).map_or(0, |(id, _)| id);
                event!("monitor.down", {}, { id: id, reason: down.reason.kind() });
            }
            _ => {}
        }
        Flow::Continue
    }
}

impl Listener {
    fn forget(&mut self, mut each: impl FnMut(MonitorRef)) {
        for (_, (id, monitor)) in std::mem::take(&mut self.monitors) {
            each(monitor);
            event!("monitor.unset", {}, { id: id });
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.forget(drop);
    }
}
