//! The official client's ladders when a server is deployed anew: all are sent away in batches, and come again at once.
//!
//! ```text
//!   ends in order   1012 for each, so many at a time; or it crashes, or its machine loses power
//!   starts again    all have connected and joined within a minute, and hear each other
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use simurgh::channels::{DrainOptions, SocketOptions};
use simurgh::prelude::*;
use simurgh_invariants::{ChannelDrainInBatches, ChannelPaired};
use simurgh_sim::{Exit, Kill, Node, Outcome, Profile, Registry, Sim, Simulation, Stream};
use simurgh_test::channels::{PhoenixClient, PhoenixOptions, State, TestChannel};

use super::{PORT, server, stopped};

const CLIENTS: u64 = 30;
const DEPLOYS: u64 = 3;
const TOPIC: &str = "room:lobby";
const BATCH: usize = 8;
const INTERVAL: Duration = Duration::from_millis(500);

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "30 official clients whose server is deployed anew: sent away in batches, and all back in a minute";
    let simulation = Simulation::new("channels/deploy", about, deploy).profile(profile());
    registry.with(simulation.planted_plainly(&["channels.drain-at-once"]))
}

/// No faults but the deploys.
pub fn profile() -> Profile {
    Profile::nasty().without_faults()
}

struct Client {
    number: u64,
    phoenix: PhoenixClient,
    room: TestChannel,
    /// Closes that were told.
    closes: usize,
}

impl Client {
    fn start(addr: SocketAddr, number: u64) -> Self {
        let phoenix = PhoenixClient::start(addr, "", PhoenixOptions::default());
        let room = phoenix.join(TOPIC, json!({}));
        Self { number, phoenix, room, closes: 0 }
    }

    /// Tells of the closes that there were.
    fn tell(&mut self) {
        let closes = self.phoenix.closes();
        for code in &closes[self.closes..] {
            event!("channel.closed", { batch: BATCH, interval_ns: INTERVAL.as_nanos() }, {
                client: self.number, code: code.map_or(0, |code| u64::from(code.0)),
            });
        }
        self.closes = closes.len();
    }
}

/// The whole story: see the module.
///
/// # Errors
/// If somebody is not back in time, or was not told why.
pub async fn deploy(sim: Sim) -> Outcome {
    sim.watch(ChannelDrainInBatches::default());
    sim.watch(ChannelPaired::default());
    let server = sim.node("server", || {
        let drain = DrainOptions { batch: BATCH, interval: INTERVAL, ..DrainOptions::default() };
        server::main(SocketOptions { drain, ..SocketOptions::default() })
    });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|number| Client::start(addr, number)).collect();
    let mut stream = sim.workload("deploys");
    for said in 1..=DEPLOYS {
        back(&sim, &clients, &vec![0; clients.len()], said).await?;
        let connects: Vec<u64> = clients.iter().map(|client| client.phoenix.connects()).collect();
        send_away(&sim, &server, &mut clients, &mut stream).await?;
        sleep(stream.between(0, 3_000).millis()).await;
        server.restart();
        back(&sim, &clients, &connects, DEPLOYS + said).await?;
    }
    drop(clients);
    sleep(5.secs()).await;
    server.set_var("QUIET", "1");
    sleep(1.secs()).await;
    stopped(&server).await
}

/// The server ends, mostly in order.
async fn send_away(sim: &Sim, server: &Node, clients: &mut [Client], stream: &mut Stream) -> Outcome {
    match stream.below(6) {
        0 => sim.kill(server, Kill::Crash),
        1 => sim.kill(server, Kill::Power),
        _ => {
            let before: Vec<usize> = clients.iter().map(|client| client.phoenix.closes().len()).collect();
            let node = server.clone();
            let stopping = spawn(async move { node.stop(120.secs()).await });
            while server.is_running() {
                clients.iter_mut().for_each(Client::tell);
                sleep(5.millis()).await;
            }
            match stopping.await {
                Ok(Exit::Finished) => {}
                other => return Err(format!("the server did not end in order: {other:?}").into()),
            }
            sleep(10.secs()).await; // a last segment may be lost and sent again
            clients.iter_mut().for_each(Client::tell);
            for (client, before) in clients.iter().zip(before) {
                let first = client.phoenix.closes().get(before).copied().flatten().map(|code| code.0);
                if first != Some(1012) {
                    return Err(format!("client {} was sent away with {first:?}", client.number).into());
                }
            }
        }
    }
    Ok(())
}

/// All have connected since, have joined, and hear what one of them says.
async fn back(sim: &Sim, clients: &[Client], connects: &[u64], said: u64) -> Outcome {
    let are_back = || {
        let mut all = clients.iter().zip(connects);
        all.all(|(client, connects)| client.phoenix.connects() > *connects && client.room.state() == State::Joined)
    };
    // Of a machine without power nothing is heard until a heartbeat is not answered.
    sim.eventually(130.secs(), are_back).await?;
    let speaker = &clients[said as usize % clients.len()];
    let body = json!({ "sender": 1, "number": said, "text": "" });
    let answer = speaker.room.push("say", json!({ "sender": 1, "number": said })).await?;
    if answer.status != "ok" {
        return Err(format!("what was said is answered with {answer:?}").into());
    }
    sim.eventually(30.secs(), || clients.iter().all(|client| client.room.has_heard("said", &body))).await?;
    Ok(())
}
