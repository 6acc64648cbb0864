//! A register on several nodes, read and written through majorities: an example of what histories are for, and no part
//! of the system.
//!
//! ```text
//!   chaos    clients read and write; replicas crash, lose power and are cut off
//!   calm     all replicas run and all ways are open: clients are answered in time
//!   quiet    nobody asks: the replicas agree, and say nothing but their heartbeats
//! ```

mod client;
mod courier;
mod laws;
mod replica;
pub(crate) mod subject;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use simurgh::prelude::*;
use simurgh::runtime::env;
use simurgh_invariants::{
    HistoryLinearizable, LiveProgress, MemoryBounded, NodeQuiesces, OnceEffect, ReplicasConverge,
};
use simurgh_sim::{Node, Outcome, Registry, Sim, Simulation, Stream};

use client::{Change, Client, GIVES_UP};

const PORT: u16 = 4200;
/// The numbers of a client's operations begin with its own.
const OPS_OF_ONE: u64 = 10_000;
const KEYS: [&str; 2] = ["apples", "pears"];
/// In the calm, an operation takes no longer than what a client may still be waiting for, and itself.
const WITHIN: Duration = Duration::from_secs(8);

/// The planted bugs that `register/majorities` must find.
pub const PLANTED: [&str; 10] = [
    "register.read-one",
    "register.ack-one",
    "register.quorum-of-reachable",
    "register.new-version-on-retry",
    "register.no-write-back",
    "register.unsynced",
    "register.late-is-failed",
    "register.pause-unbounded",
    "register.queue-unbounded",
    "register.gossip-forgets",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about =
        "a register on 3 to 5 replicas through crashes, power cuts and partitions: it answers as one register would";
    registry.with(
        Simulation::new("register/majorities", about, majorities)
            .planted(&PLANTED)
            .planted_plainly(&["register.gossip-echoes"]),
    )
}

/// The whole story: see the module.
///
/// # Errors
/// If a replica does not start.
pub async fn majorities(sim: Sim) -> Outcome {
    sim.watch(HistoryLinearizable::default());
    sim.watch(OnceEffect::default());
    sim.watch(ReplicasConverge::default());
    sim.watch(LiveProgress::default());
    sim.watch(NodeQuiesces::default());
    sim.watch(MemoryBounded);
    let mut stream = sim.workload("register");
    let replicas = start(&sim, stream.between(3, 5)).await?;
    let addrs: Vec<SocketAddr> = replicas.iter().map(|node| SocketAddr::new(node.ip(), PORT)).collect();
    let clients: Vec<Node> = (1..=stream.between(2, 4))
        .map(|number| {
            let (addrs, stream) = (addrs.clone(), sim.workload(&format!("client {number}")));
            sim.node(&format!("client{number}"), move || work(addrs.clone(), number, stream.clone()))
        })
        .collect();
    sim.chaos(&replicas, &clients, stream.between(5, 20).secs()).await?;
    if stream.chance(0.5) {
        // Then nobody repairs by writing what the last faults broke.
        quiet(&clients);
        sim.chaos(&replicas, &clients, stream.between(2, 8).secs()).await?;
    }
    calm(&replicas, &clients).await
}

async fn start(sim: &Sim, count: u64) -> Result<Vec<Node>, String> {
    let nodes: Vec<Node> = (1..=count).map(|number| sim.node(&format!("replica{number}"), replica)).collect();
    for node in &nodes {
        let others = nodes.iter().filter(|other| other.name() != node.name());
        let peers: Vec<String> = others.map(|other| SocketAddr::new(other.ip(), PORT).to_string()).collect();
        node.set_var("PEERS", &peers.join(","));
    }
    for node in &nodes {
        node.started().await?;
    }
    Ok(nodes)
}

async fn replica() -> Result<(), String> {
    let peers = loop {
        match env::var("PEERS") {
            Some(peers) => break peers,
            None => sleep(1.millis()).await,
        }
    };
    let peers = peers.split(',').map(|addr| addr.parse().map_err(|_| format!("{addr} is no address")));
    replica::main(PORT, peers.collect::<Result<_, _>>()?).await
}

/// What a client does until nobody wants anything any more.
async fn work(replicas: Vec<SocketAddr>, number: u64, mut stream: Stream) {
    let client = Client::new(replicas, Change::default());
    for op in 1.. {
        sleep(stream.between(10, 300).millis()).await;
        if env::var("QUIET").is_some() {
            return;
        }
        let key = stream.pick(&KEYS).copied().expect("there are keys");
        match stream.below(2) {
            0 => client.read(key).await,
            _ => client.write(key, number * OPS_OF_ONE + op).await,
        }
    }
}

/// They end when they have the answers that they wait for.
fn quiet(clients: &[Node]) {
    for node in clients {
        node.set_var("QUIET", "1");
    }
}

async fn calm(replicas: &[Node], clients: &[Node]) -> Outcome {
    for node in replicas {
        node.started().await?;
    }
    let running = replicas.iter().filter(|node| node.is_running()).count();
    let needed = replicas.len() / 2 + 1;
    event!("live.calm", {}, { healthy: running, needed: needed, within_ns: WITHIN.as_nanos() as u64 });
    sleep(WITHIN + 3.secs()).await;
    quiet(clients);
    sleep(GIVES_UP + 1.secs()).await;
    event!("live.end");
    sleep(8.secs()).await; // for the gossip that is under way
    event!("replica.settled");
    event!("node.quiet");
    sleep(5.secs()).await;
    Ok(())
}
