//! Joins, duplicates of them, leaves and rejoins in any order, over WebSocket and over long-poll.
//!
//! ```text
//!   chaos   clients do what comes to their minds, also without waiting for answers; ways are cut, the server dies
//!   calm    each joins once more, and gets what is said
//!   end     long after the last has gone no channel is left
//! ```

use std::net::SocketAddr;

use serde_json::json;
use simurgh::channels::{LongPollOptions, SocketOptions};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh::web::Keys;
use simurgh_invariants::{ChannelFifo, ChannelNoDuplicate, ChannelNoLoss, ChannelNoOldIncarnation, ChannelPaired};
use simurgh_sim::{Node, Outcome, Profile, Registry, Sim, Simulation};

use super::line::Lost;
use super::wire::Wire;
use super::{PORT, finished, server, stopped};

const CLIENTS: u64 = 5;
const STEPS: u64 = 40;
const TOPICS: [&str; 2] = ["room:1", "room:2"];

/// The planted bugs that `channels/rooms` must find.
pub const PLANTED: [&str; 6] = [
    "channels.reply-before-subscribe",
    "channels.outbox-overtakes",
    "channels.join-left-behind",
    "channels.replace-not-awaited",
    "channels.close-after-join",
    "channels.hears-after-close",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "5 clients that join, join again, leave, crash and vanish, over WebSockets, under every fault";
    let rooms = Simulation::new("channels/rooms", about, rooms).planted(&["ws.short-write"]).planted_plainly(&PLANTED);
    let about = "the same over long-poll, on a network that loses and resets";
    let polls = Simulation::new("channels/polls", about, polls).profile(profile());
    registry.with(rooms).with(polls.planted_plainly(&["channels.outbox-overtakes"]))
}

/// Loss and resets, and no other faults.
pub fn profile() -> Profile {
    let mut profile = Profile { omit: 0.0, loss_max: 0.2, ..Profile::nasty() };
    let reset_every_ns = profile.faults.reset_every_ns;
    profile = profile.without_faults();
    profile.faults.reset_every_ns = reset_every_ns;
    profile
}

/// The whole story, over `WebSocket`: see the module.
///
/// # Errors
/// If a client or the server does not end as it should.
pub async fn rooms(sim: Sim) -> Outcome {
    story(sim, false).await
}

/// The whole story, over long-poll: see the module.
///
/// # Errors
/// If a client or the server does not end as it should.
pub async fn polls(sim: Sim) -> Outcome {
    story(sim, true).await
}

async fn story(sim: Sim, polls: bool) -> Outcome {
    sim.watch(ChannelNoLoss::default());
    sim.watch(ChannelNoDuplicate::default());
    sim.watch(ChannelFifo::default());
    sim.watch(ChannelNoOldIncarnation::default());
    sim.watch(ChannelPaired::default());
    let server = sim.node("server", || async { server::main(options()).await });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let clients: Vec<Node> =
        (0..CLIENTS).map(|number| sim.node(&format!("client{number}"), move || client(addr, number, polls))).collect();
    sim.chaos(std::slice::from_ref(&server), &clients, 5.secs()).await?;
    finished(&clients, 600.secs()).await?;
    sleep(60.secs()).await;
    server.set_var("QUIET", "1");
    sleep(1.secs()).await;
    stopped(&server).await
}

fn options() -> SocketOptions {
    let long_poll = LongPollOptions { window: 2.secs(), ..LongPollOptions::new(Keys::random()) };
    SocketOptions { timeout: 20.secs(), long_poll: Some(long_poll), ..SocketOptions::default() }
}

/// The program of a client's node.
async fn client(addr: SocketAddr, number: u64, polls: bool) -> Result<(), String> {
    let mut me = Client { sender: number * 1_000, said: 0, steps: STEPS };
    while me.steps > 0 {
        me.sender += 1;
        if let Ok(mut wire) = Wire::open(addr, number, polls).await {
            let _ = me.live(&mut wire).await;
        }
        sleep(random::range(1..100).millis()).await;
    }
    for _ in 0..100 {
        me.sender += 1;
        if let Ok(mut wire) = Wire::open(addr, number, polls).await
            && me.once_more(&mut wire).await == Ok(true)
        {
            return Ok(());
        }
        sleep(1.secs()).await;
    }
    Err("cannot join when all is calm".to_owned())
}

struct Client {
    /// Another for each connection: what is on its way on the former one may come later.
    sender: u64,
    said: u64,
    steps: u64,
}

impl Client {
    /// Does what comes to its mind, until it has had enough of the connection.
    async fn live(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while self.steps > 0 {
            self.steps -= 1;
            let topic = TOPICS[random::range(0..TOPICS.len() as u64) as usize];
            match random::range(0..16) {
                0..4 => {
                    let join = wire.join(topic, slowly()).await?;
                    if random::chance(0.6) {
                        wire.answer(join).await?;
                    }
                }
                4 => {
                    wire.join(topic, slowly()).await?;
                    if random::chance(0.5) {
                        wire.leave(topic).await?;
                    }
                    wire.join(topic, slowly()).await?;
                }
                5 => {
                    let leave = wire.leave(topic).await?;
                    if random::chance(0.5) {
                        wire.answer(leave).await?;
                    }
                }
                6..10 => {
                    for _ in 0..random::range(1..6) {
                        self.say(wire, topic).await?;
                    }
                }
                10 => drop(wire.push(topic, "slow", &json!({ "ms": random::range(1..40) })).await?),
                11 => drop(wire.push(topic, if random::chance(0.5) { "crash" } else { "stop" }, &json!({})).await?),
                12 => {
                    if random::chance(0.5) {
                        wire.join(topic, random::range(1..60)).await?;
                    }
                    sleep(random::range(0..40).millis()).await;
                    return Ok(()); // without a word
                }
                13 => sleep(random::range(0..100).millis()).await,
                _ => wire.sync(topic).await?,
            }
        }
        Ok(())
    }

    async fn say(&mut self, wire: &mut Wire, topic: &str) -> Result<(), Lost> {
        self.said += 1;
        wire.push(topic, "say", &json!({ "sender": self.sender, "number": self.said })).await.map(drop)
    }

    /// Joins, and hears what it says itself.
    async fn once_more(&mut self, wire: &mut Wire) -> Result<bool, Lost> {
        for topic in TOPICS {
            if !wire.joined(topic).await? {
                return Ok(false);
            }
            self.say(wire, topic).await?;
            wire.sync(topic).await?;
            let leave = wire.leave(topic).await?;
            wire.answer(leave).await?;
        }
        Ok(true)
    }
}

/// How long a join takes: mostly no time.
fn slowly() -> u64 {
    if random::chance(0.3) { random::range(1..40) } else { 0 }
}
