//! One client that sends too much, beside neighbours that keep to their budget: it is held to it, and they are unhurt.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use simurgh::channels::{Budget, Rate, SocketOptions};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::ChannelBudgetKept;
use simurgh_sim::{Node, Outcome, Profile, Registry, Sim, Simulation};

use super::line::Lost;
use super::wire::Wire;
use super::{PORT, finished, server, stopped};

const NEIGHBOURS: u64 = 4;
const TOPIC: &str = "room:flood";
/// Messages of one socket to one topic in a second, and at once.
pub(super) const TOPIC_RATE: (u32, u32) = (10, 20);
/// How long a neighbour may wait: the network's worst, and no more.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "one client that floods a topic, and 4 neighbours that do not";
    let simulation = Simulation::new("channels/flood", about, flood).profile(profile());
    registry.with(simulation.planted_plainly(&["channels.budget-ignored"]))
}

/// Without faults: who waits does so for the flooder.
pub fn profile() -> Profile {
    Profile::nasty().without_faults()
}

/// The whole story: see the module.
///
/// # Errors
/// If a neighbour waits for long, or a client or the server does not end as it should.
pub async fn flood(sim: Sim) -> Outcome {
    sim.watch(ChannelBudgetKept::default());
    let refusals_max = sim.workload("refusals").chance(0.3).then_some(50);
    let server = sim.node("server", move || {
        let topic = Rate::per_second(TOPIC_RATE.0).burst(TOPIC_RATE.1);
        let budget = Budget { topic: Some(topic), refusals_max, ..Budget::default() };
        server::main(SocketOptions { budget, ..SocketOptions::default() })
    });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let mut clients: Vec<Node> = (1..=NEIGHBOURS)
        .map(|number| sim.node(&format!("neighbour{number}"), move || neighbour(addr, number)))
        .collect();
    clients.push(sim.node("flooder", move || flooder(addr, refusals_max.is_some())));
    finished(&clients, 600.secs()).await?;
    stopped(&server).await
}

/// The program of a neighbour's node: a message now and then, each answered soon.
async fn neighbour(addr: SocketAddr, number: u64) -> Result<(), String> {
    let worked = async {
        let mut wire = Wire::open(addr, number, false).await?;
        wire.joined(TOPIC).await?;
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let since = Instant::now();
            let work = wire.push(TOPIC, "work", &json!({})).await?;
            if !wire.answer(work).await?.is_ok() {
                event!("channel.limited", {}, { client: number });
            }
            longest = longest.max(since.elapsed());
            sleep(random::range(150..400).millis()).await;
        }
        Ok::<Duration, Lost>(longest)
    };
    match worked.await {
        Ok(longest) if longest <= PATIENCE => Ok(()),
        other => Err(format!("a neighbour is hurt: {other:?}")),
    }
}

/// The program of the flooder's node: far more than it may, each message answered all the same.
async fn flooder(addr: SocketAddr, is_closed: bool) -> Result<(), String> {
    let flooded = async {
        let mut wire = Wire::open(addr, 0, false).await?;
        wire.joined(TOPIC).await?;
        let mut refused = 0;
        for _ in 0..40 {
            let mut sent = Vec::new();
            for _ in 0..random::range(10..40) {
                sent.push(wire.push(TOPIC, "work", &json!({})).await?);
            }
            for work in sent {
                let answer = wire.answer(work).await?;
                refused += u64::from(answer.response["reason"] == "rate limited");
            }
            sleep(random::range(1..100).millis()).await;
        }
        Ok::<u64, Lost>(refused)
    };
    match (flooded.await, is_closed) {
        // Its frames may have met a socket that was closed already, so that it never heard of it.
        (Ok(1..), false) | (Err(Lost(None | Some(1008))), true) => Ok(()),
        (other, _) => Err(format!("the flooder is not held: {other:?}")),
    }
}
