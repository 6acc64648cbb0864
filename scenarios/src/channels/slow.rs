//! Clients that read slowly, under each policy of the outbox.
//!
//! ```text
//!   close         a client that falls behind is closed with 1013, and comes again
//!   drop oldest   it misses what is counted as dropped; answers come all the same
//!   latest        of what it misses it gets the latest
//! ```

use std::net::SocketAddr;

use serde_json::json;
use simurgh::channels::{OutboxOptions, Overflow, SocketOptions};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::{ChannelFifo, ChannelNoDuplicate, ChannelNoLoss, ChannelOutboxBounded};
use simurgh_sim::{Node, Outcome, Profile, Registry, Sim, Simulation};

use super::line::Lost;
use super::wire::Wire;
use super::{PORT, finished, server, stopped};

const READERS: u64 = 4;
const BURSTS: u64 = 12;
const TOPIC: &str = "room:slow";
const FRAMES_MAX: usize = 16;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "4 clients that read slowly and one that talks much, under each policy of the outbox";
    let simulation = Simulation::new("channels/slow", about, slow).profile(profile());
    registry.with(simulation.planted_plainly(&["channels.outbox-unbounded", "channels.outbox-overtakes"]))
}

/// Without faults: what is lost is lost by the policy.
pub fn profile() -> Profile {
    Profile::nasty().without_faults()
}

/// The whole story: see the module.
///
/// # Errors
/// If a client or the server does not end as it should.
pub async fn slow(sim: Sim) -> Outcome {
    let overflow = match sim.workload("policy").below(3) {
        0 => Overflow::Close,
        1 => Overflow::DropOldest,
        _ => Overflow::LatestPerKey,
    };
    sim.watch(ChannelNoDuplicate::default());
    sim.watch(ChannelFifo::default());
    sim.watch(ChannelOutboxBounded::default());
    if overflow == Overflow::Close {
        sim.watch(ChannelNoLoss::default());
    }
    let server = sim.node("server", move || {
        let outbox = OutboxOptions { frames_max: FRAMES_MAX, overflow, ..OutboxOptions::default() };
        server::main(SocketOptions { outbox, ..SocketOptions::default() })
    });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let mut clients: Vec<Node> =
        (1..=READERS).map(|number| sim.node(&format!("reader{number}"), move || reader(addr, number))).collect();
    for client in &clients {
        client.started().await?; // it has joined, and what is said now is for it
    }
    clients.push(sim.node("speaker", move || speaker(addr)));
    finished(&clients, 600.secs()).await?;
    server.set_var("QUIET", "1");
    sleep(1.secs()).await;
    stopped(&server).await
}

/// The program of a reader's node: it comes again when it was closed, and stays for as long as others talk.
async fn reader(addr: SocketAddr, number: u64) -> Result<(), String> {
    let end = Instant::now() + 60.secs();
    let pause_ms = random::range(0..60);
    while Instant::now() < end {
        match read(addr, number, pause_ms, end).await {
            Ok(()) => return Ok(()),
            Err(Lost(None | Some(1013))) => sleep(10.millis()).await,
            Err(other) => return Err(format!("closed: {other:?}")),
        }
    }
    Ok(())
}

async fn read(addr: SocketAddr, number: u64, pause_ms: u64, end: Instant) -> Result<(), Lost> {
    let mut wire = Wire::open(addr, number, false).await?;
    wire.joined(TOPIC).await?;
    runtime::ready();
    while Instant::now() < end {
        if pause_ms > 0 && random::chance(0.7) {
            sleep(random::range(0..pause_ms * 10).millis()).await;
        }
        wire.sync(TOPIC).await?;
        sleep(random::range(1..50).millis()).await;
    }
    sleep(2.secs()).await;
    wire.sync(TOPIC).await
}

/// The program of the speaker's node: it is in no topic for long, so that it is no slow reader itself.
async fn speaker(addr: SocketAddr) -> Result<(), String> {
    let mut number = 1;
    for _ in 0..BURSTS {
        let spoken = async {
            let mut wire = Wire::open(addr, 0, false).await?;
            wire.joined("room:speaker").await?;
            let count = random::range(1..60);
            let ask = json!({ "sender": 1, "number": number, "count": count, "len": 8_000, "to": TOPIC });
            let burst = wire.push("room:speaker", "burst", &ask).await?;
            wire.answer(burst).await?;
            Ok::<u64, Lost>(count)
        };
        number += spoken.await.map_err(|error| format!("the speaker is closed: {error:?}"))?;
        sleep(random::range(100..1_500).millis()).await;
    }
    Ok(())
}
