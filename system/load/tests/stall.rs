//! The generator in the simulator: what a server's stall looks like in its percentiles, and that it ends by itself.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simurgh::channels::prelude::*;
use simurgh::http;
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;
use simurgh::runtime::sync::Mutex;
use simurgh::web::{Endpoint, router};
use simurgh_load::{Options, Report, Scenario};
use simurgh_sim::{Exit, Outcome, Profile, Sim};

const PORT: u16 = 4000;
/// The server stands still for so long, so often.
const STALL: Duration = Duration::from_millis(200);
const EVERY: Duration = Duration::from_secs(5);

struct User;

impl UserSocket for User {
    async fn connect(_: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room<false>>("steady:*").channel::<Room<true>>("stalls:*")
    }
}

struct Room<const STALLS: bool> {
    began: Instant,
}

impl<const STALLS: bool> Channel for Room<STALLS> {
    type Info = ();

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        Ok(Self { began: Instant::now() }.into())
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        let phase = Duration::from_nanos((self.began.elapsed().as_nanos() % EVERY.as_nanos()) as u64);
        if let Some(left) = STALL.checked_sub(phase).filter(|_| STALLS) {
            sleep(left).await;
        }
        match event {
            "ping" => Handled::reply(&payload),
            "shout" => {
                socket.broadcast_from("shout", &payload).await?;
                Handled::noreply()
            }
            _ => Handled::unknown(),
        }
    }
}

router! {
    socket "/socket" => Sockets::<User>::new(PubSub::local("load"), SocketOptions::default());
}

async fn serve() -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let addr = SocketAddr::from(([0, 0, 0, 0], PORT));
    let server = http::Server::start(addr, http::Options::default(), Endpoint::new(router())).await;
    let server = server.map_err(|error| error.to_string())?;
    runtime::ready();
    end.await;
    server.drain().await;
    Ok(())
}

async fn load(sim: Sim, scenario: Scenario, change: fn(&mut Options)) -> Result<Report, String> {
    let server = sim.node("server", serve);
    server.started().await.map_err(|error| format!("{error:?}"))?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let report = Arc::new(Mutex::new(None));
    let into = Arc::clone(&report);
    let generator = sim.node("generator", move || {
        let mut options = Options { connections: 10, rate: 100, ..Options::new(scenario, addr) };
        change(&mut options);
        let into = Arc::clone(&into);
        async move {
            let report = simurgh_load::run(&options).await.map_err(String::from)?;
            *into.lock() = Some(report);
            Ok::<(), String>(())
        }
    });
    match timeout(300.secs(), generator.ended()).await {
        Ok(Exit::Finished) => report.lock().take().ok_or_else(|| "there is no report".to_owned()),
        other => Err(format!("the generator did not end: {other:?}")),
    }
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn a_stall_shows_in_the_99th_percentile(sim: Sim) -> Outcome {
    let report = load(sim, Scenario::Echo, |options| {
        "stalls:room".clone_into(&mut options.topic);
        options.time = 20.secs();
    })
    .await?;
    assert_eq!((report.sent, report.received, report.lost), (2_000, 2_000, 0));
    // Of what was to be sent a part of 200 in 5,000 waited, evenly from nothing to 200 ms: the 99th percentile is
    // three quarters of it. A client that waits for each answer before it sends again would have seen one in a hundred.
    assert!((140.0..210.0).contains(&report.latency_ms.p99), "{report:?}");
    assert!(report.latency_ms.p50 < 50.0, "{report:?}");
    Ok(())
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn without_a_stall_there_is_none(sim: Sim) -> Outcome {
    let report = load(sim, Scenario::Echo, |options| "steady:room".clone_into(&mut options.topic)).await?;
    assert_eq!((report.sent, report.lost), (1_000, 0));
    assert!(report.latency_ms.max < 140.0, "{report:?}");
    Ok(())
}

async fn all_is_answered(sim: Sim, scenario: Scenario, received: u64) -> Outcome {
    let report = load(sim, scenario, |options| {
        "steady:room".clone_into(&mut options.topic);
        options.time = 5.secs();
    })
    .await?;
    assert_eq!((report.ready, report.received, report.lost), (10, received, 0), "{report:?}");
    assert_eq!(report.verdict(), Ok(()));
    Ok(())
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn connections_are_counted(sim: Sim) -> Outcome {
    all_is_answered(sim, Scenario::Connect, 10).await
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn joins_are_counted(sim: Sim) -> Outcome {
    all_is_answered(sim, Scenario::Join, 10).await
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn deliveries_are_counted(sim: Sim) -> Outcome {
    all_is_answered(sim, Scenario::FanOut, 500 * 9).await
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn who_is_idle_stays(sim: Sim) -> Outcome {
    all_is_answered(sim, Scenario::Idle, 0).await
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn a_storm_comes_back(sim: Sim) -> Outcome {
    all_is_answered(sim, Scenario::Storm, 10).await
}

#[simurgh_sim::test(seeds = 3, profile = Profile::calm())]
async fn nobody_is_an_error(sim: Sim) -> Outcome {
    let error = load(sim, Scenario::Echo, |options| options.addr.set_port(PORT + 1)).await.expect_err("nobody listens");
    assert!(error.contains("did not end: Ok("), "{error}");
    Ok(())
}
