//! Leases with a limit, on nodes whose wall clocks are off, drift, and are set ahead and back.
//!
//! A lease is stamped with the wall clock, for people, and expires by the monotonic one. On each node some are held at
//! any time, and each has to expire when its limit is over.

use std::time::Duration;

use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::DeadlineKept;
use simurgh_sim::{Clocks, Effect, Faults, Node, Outcome, Profile, Registry, Sim, Simulation};

const NODES: usize = 3;
const HOLDERS: u64 = 5;
/// How often a holder looks.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "leases that expire on time, on 3 nodes whose wall clocks are set while they run";
    let simulation = Simulation::new("clocks/leases", about, leases).profile(profile());
    registry.with(simulation.planted(&["clock.deadline-by-wall"]).shows(&[Effect::ClockOff, Effect::ClockStep]))
}

/// A world in which only clocks are wrong: they drift ten times more than bad crystals do, and are set each second.
pub fn profile() -> Profile {
    let faults = Faults { clock_step_every_ns: 1_000_000_000, ..Faults::none() };
    Profile { faults, clocks: Clocks { drift_max_ppb: 1_000_000, ..Profile::nasty().clocks }, ..Profile::nasty() }
}

/// The whole story: see the module.
///
/// # Errors
/// If a node fails.
pub async fn leases(sim: Sim) -> Outcome {
    sim.watch(DeadlineKept::default());
    let nodes: Vec<Node> = sim.nodes(NODES, holders).await?;
    sleep(1.secs()).await;
    Ok(sim.chaos(&nodes, &[], 30.secs()).await?)
}

async fn holders() -> Result<(), String> {
    let scope = runtime::Scope::new();
    for holder in 0..HOLDERS {
        scope.spawn("holder", hold(holder));
    }
    runtime::ready();
    scope.wait().await.map_err(|error| error.to_string())
}

async fn hold(holder: u64) {
    for number in 0.. {
        let (id, limit) = (holder << 32 | number, random::range(100..3_000).millis());
        let lease = Lease::new(limit);
        event!("deadline.set", {}, { id: id, limit_ns: limit.as_nanos() as u64 });
        while !lease.has_expired() {
            sleep(LOOK).await;
        }
        event!("deadline.expired", {}, { id: id });
    }
}

/// Something that is held for a limited time.
struct Lease {
    since: Timestamp,
    due: Instant,
    limit: Duration,
}

impl Lease {
    fn new(limit: Duration) -> Self {
        Self { since: Timestamp::now(), due: Instant::now() + limit, limit }
    }

    fn has_expired(&self) -> bool {
        if planted!("clock.deadline-by-wall") {
            let held_ns = Timestamp::now().as_nanos() - self.since.as_nanos();
            return held_ns >= self.limit.as_nanos() as i64;
        }
        Instant::now() >= self.due
    }
}
