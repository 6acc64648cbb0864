//! Processes that end in every way, and those who watch them.

use std::sync::Arc;

use simurgh::otp::{ExitReason, Spawn};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;
use simurgh::runtime::{Scope, random};
use simurgh_invariants::MonitorDownOnce;
use simurgh_sim::{Exit, Outcome, Registry, Sim, Simulation};

const WORKERS: u64 = 40;
const WATCHERS: u64 = 10;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "processes that return, fail, panic and are killed, under monitors set before, during and after";
    let simulation = Simulation::new("otp/monitors", about, monitors).profile(super::schedules());
    registry.with(simulation.planted_plainly(&["otp.kill-forgotten"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If the node does not finish.
pub async fn monitors(sim: Sim) -> Outcome {
    sim.watch(MonitorDownOnce::default());
    let node = sim.node("node", program);
    match timeout(600.secs(), node.ended()).await {
        Ok(Exit::Finished) => Ok(()),
        other => Err(format!("the node did not finish: {other:?}").into()),
    }
}

async fn program() -> Result<(), String> {
    let pids: Arc<Mutex<Vec<Pid>>> = Arc::default();
    let scope = Scope::new();
    for watcher in 0..WATCHERS {
        let pids = Arc::clone(&pids);
        scope.spawn(("watcher", watcher), async move { watch(watcher, &pids).await });
    }
    for worker in 0..WORKERS {
        // Supervised: the watchers may all come too late to see a panic.
        let pid = Spawn::new(("worker", worker)).supervised().spawn(work());
        pids.lock().push(pid);
        sleep(random::range(0..20).millis()).await;
        let victim = pids.lock().get(random::range(0..WORKERS) as usize).copied();
        if let Some(victim) = victim {
            otp::kill(victim);
            event!("monitor.killed", {}, { process: victim.number() });
        }
    }
    // Who waits for ever is killed in the end, so that every monitor hears.
    for pid in pids.lock().clone() {
        otp::kill(pid);
        event!("monitor.killed", {}, { process: pid.number() });
    }
    sleep(2.secs()).await;
    event!("monitor.census");
    scope.wait().await.map_err(|error| error.to_string())?;
    if otp::count() == 0 { Ok(()) } else { Err(format!("{} processes are left", otp::count())) }
}

/// One of the ways to live and end.
async fn work() -> ExitReason {
    sleep(random::range(0..100).millis()).await;
    match random::range(0..5) {
        0 => ExitReason::Normal,
        1 => ExitReason::shutdown("as planned"),
        2 => ExitReason::error("as planned"),
        3 => panic!("as planned"),
        _ => std::future::pending().await,
    }
}

/// Monitors processes picked by chance, some of which are gone; gives up on some.
async fn watch(watcher: u64, pids: &Mutex<Vec<Pid>>) {
    for round in 0..10 {
        sleep(random::range(0..100).millis()).await;
        let known = pids.lock().clone();
        let Some(&pid) = known.get(random::range(0..known.len().max(1) as u64) as usize) else { continue };
        let monitor = otp::monitor(pid);
        if random::chance(0.2) {
            drop(timeout(1.millis(), monitor).await); // no longer interested
            continue;
        }
        let id = watcher * 100 + round;
        event!("monitor.set", {}, { id: id, process: pid.number() });
        let down = monitor.await;
        event!("monitor.down", {}, { id: id, reason: down.reason.kind() });
    }
}
