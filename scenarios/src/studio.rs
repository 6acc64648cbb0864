//! The studio with nobody saying anything: what an idle night costs, and that it stays as it is.
//!
//! ```text
//!   ten clients with the official client's heartbeat join the lobby, and stay
//!   each hour    all of them are joined, over the connection they began with
//! ```
//!
//! `studio/idle` is ten hours long; `cargo run --release -p scenarios --example idle` takes a thousand, and says how
//! many simulated seconds pass in a second.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use simurgh::config::Source;
use simurgh::prelude::*;
use simurgh_sim::{Outcome, Profile, Registry, Sim, Simulation};
use simurgh_test::channels::{PhoenixClient, PhoenixOptions, State, TestChannel};
use studio::settings::Settings;

const CLIENTS: usize = 10;
const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn register(registry: Registry) -> Registry {
    registry.with(idle(10))
}

/// The idle studio, for so many hours.
pub fn idle(hours: u64) -> Simulation {
    let about = "ten idle clients of the studio, for ten hours: each stays joined over its first connection";
    Simulation::new("studio/idle", about, move |sim| stay(sim, hours)).profile(Profile::calm())
}

async fn stay(sim: Sim, hours: u64) -> Outcome {
    let source = Source::new().var("STUDIO_ADDR", "0.0.0.0:4000").var("STUDIO_DATA", "/data");
    let settings = Settings::load(&source).map_err(|error| error.to_string())?;
    let node = sim.node("server", move || studio::app::main(settings.clone()));
    node.started().await?;
    let addr = SocketAddr::new(node.ip(), 4_000);
    let join = |number: usize| {
        let client = PhoenixClient::start(addr, "/socket", PhoenixOptions::default());
        let channel = client.join("room:lobby", json!({ "name": format!("guest {number}") }));
        (client, channel)
    };
    let clients: Vec<(PhoenixClient, TestChannel)> = (0..CLIENTS).map(join).collect();
    let are_joined = || clients.iter().all(|(_, channel)| channel.state() == State::Joined);
    sim.eventually(60.secs(), are_joined).await.map_err(|_| "not all have joined after a minute")?;
    for hour in 1..=hours {
        sleep(HOUR).await;
        for (number, (client, channel)) in clients.iter().enumerate() {
            client.take_heard();
            if channel.state() != State::Joined || client.connects() != 1 {
                let (state, connects) = (channel.state(), client.connects());
                return Err(format!("hour {hour}: client {number} is {state:?} after {connects} connects").into());
            }
        }
    }
    Ok(())
}
