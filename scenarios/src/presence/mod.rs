//! Replicas of presence on several nodes, over a network that splits, loses one direction, and resets; nodes crash,
//! lose power, pause, end in order and start again.
//!
//! ```text
//!   chaos    people come, change and go on every node; a few disasters, each of which may outlast the down period
//!   calm     the ways are open, who is dead starts again (but for one, perhaps), nobody comes or goes
//!   settled  after the down period: each node lists exactly who is there
//! ```

pub(crate) mod file;
mod link;
mod server;

use std::time::Duration;

use simurgh::channels::presence::TrackerOptions;
use simurgh::prelude::*;
use simurgh::runtime::env;
use simurgh_invariants::{PresenceConverges, PresenceDiffsReplay, PresenceOneDiff, PresenceStaleBounded};
use simurgh_sim::{Exit, Kill, Node, Outcome, Profile, Registry, Sim, Simulation, Stream};

const NODES: usize = 3;
const PORT: u16 = 4100;
const DOWN_PERIOD: Duration = Duration::from_secs(10);
const PERMDOWN_PERIOD: Duration = Duration::from_mins(1);
/// A node that is stopped for so long has messages before it that are old when it goes on.
const PAUSE_MAX: Duration = Duration::from_secs(12);

/// The planted bugs that `presence/replicas` must find.
pub const PLANTED: [&str; 8] = [
    "presence.removal-forgets-tag",
    "presence.removal-without-tick",
    "presence.old-version-kept",
    "presence.resurrects",
    "presence.down-unnoticed",
    "presence.end-unnoticed",
    "presence.leave-told-twice",
    "presence.update-without-leave",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "presence on 3 nodes whose network is whole: what happens on one is seen on all within 2 s";
    let staleness = Simulation::new("presence/staleness", about, staleness).profile(Profile::calm());
    let registry = registry.with(staleness.planted_plainly(&["presence.waits-two-ticks"]));
    let about = "presence on 3 nodes through splits, one-way loss, restarts and ends: no ghost, nobody missing";
    registry.with(Simulation::new("presence/replicas", about, replicas).planted_plainly(&PLANTED))
}

/// Shorter periods than in production, so that a disaster often outlasts them; or those of production.
fn options() -> TrackerOptions {
    if env::var("PERIODS").as_deref() == Some("default") {
        return TrackerOptions::default();
    }
    TrackerOptions {
        broadcast_period: 500.millis(),
        max_silent_periods: 4,
        down_period: DOWN_PERIOD,
        permdown_period: PERMDOWN_PERIOD,
        max_delta_sizes: vec![4, 16, 64],
        ..TrackerOptions::default()
    }
}

/// The whole story: see the module.
///
/// # Errors
/// If a node does not start, or does not end in order when it is asked to.
pub async fn replicas(sim: Sim) -> Outcome {
    sim.watch(PresenceConverges::default());
    sim.watch(PresenceOneDiff::default());
    sim.watch(PresenceDiffsReplay);
    let nodes = start(&sim, "short").await?;
    let mut stream = sim.workload("disasters");
    for _ in 0..stream.between(2, 6) {
        sleep(stream.between(500, 8_000).millis()).await;
        strike(&sim, &nodes, &mut stream).await?;
    }
    calm(&sim, &nodes, &mut stream).await?;
    sleep(PAUSE_MAX + DOWN_PERIOD + 10.secs()).await;
    event!("presence.settled");
    Ok(())
}

/// Nothing goes wrong, and all is seen in time.
///
/// # Errors
/// If a node does not start.
pub async fn staleness(sim: Sim) -> Outcome {
    sim.watch(PresenceStaleBounded::default());
    let _nodes = start(&sim, "default").await?;
    sleep(20.secs()).await; // they have heard of each other
    event!("presence.steady");
    sleep(60.secs()).await;
    Ok(())
}

async fn start(sim: &Sim, periods: &str) -> Result<Vec<Node>, String> {
    let nodes: Vec<Node> = (1..=NODES).map(|number| sim.node(&format!("node{number}"), server::main)).collect();
    for node in &nodes {
        let others = nodes.iter().filter(|other| other.name() != node.name());
        let peers: Vec<String> = others.map(|other| format!("{}={}:{PORT}", other.name(), other.ip())).collect();
        node.set_var("PERIODS", periods);
        node.set_var("NAME", node.name());
        node.set_var("PEERS", &peers.join(","));
    }
    for node in &nodes {
        node.started().await?;
    }
    Ok(nodes)
}

/// One disaster. It lasts until something mends it, or the calm comes.
async fn strike(sim: &Sim, nodes: &[Node], stream: &mut Stream) -> Outcome {
    let at = stream.below(NODES as u64) as usize;
    let (one, others): (Vec<Node>, Vec<Node>) = {
        let (one, others): (Vec<_>, Vec<_>) = nodes.iter().enumerate().partition(|(index, _)| *index == at);
        (
            one.into_iter().map(|(_, node)| node.clone()).collect(),
            others.into_iter().map(|(_, node)| node.clone()).collect(),
        )
    };
    let node = &nodes[at];
    match stream.below(9) {
        0 => sim.partition(&one, &others),
        1 => sim.partition_one_way(&one, &others),
        2 => sim.partition_one_way(&others, &one),
        3 => sim.partition(&one, &others[..1]),
        4 => sim.heal(),
        5 => sim.pause(node, stream.between(100, PAUSE_MAX.as_millis() as u64).millis()),
        6 => drop(sim.reset_one(node)),
        7 => stop(node, stream).await?,
        _ => {
            let how = if stream.below(2) == 0 { Kill::Crash } else { Kill::Power };
            sim.kill(node, how);
            sleep(away(stream)).await;
            node.restart();
        }
    }
    Ok(())
}

/// How long a node is away: seldom for good.
fn away(stream: &mut Stream) -> Duration {
    match stream.below(8) {
        0 => PERMDOWN_PERIOD + 5.secs(),
        1 | 2 => DOWN_PERIOD + 3.secs(),
        _ => stream.between(0, 3_000).millis(),
    }
}

async fn stop(node: &Node, stream: &mut Stream) -> Outcome {
    match node.stop(120.secs()).await {
        Exit::Finished => {}
        other => return Err(format!("{} did not end in order: {other:?}", node.name()).into()),
    }
    sleep(away(stream)).await;
    node.restart();
    Ok(())
}

/// Ends all disasters. One node may be dead from then on.
async fn calm(sim: &Sim, nodes: &[Node], stream: &mut Stream) -> Outcome {
    sim.heal();
    for node in nodes {
        node.set_var("CALM", "1");
        node.started().await?;
    }
    sleep(1.secs()).await;
    if stream.below(2) == 0 {
        sim.kill(&nodes[stream.below(NODES as u64) as usize], Kill::Power);
    }
    Ok(())
}
