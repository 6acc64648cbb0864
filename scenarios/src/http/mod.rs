//! An HTTP server under clients that stay, vanish, dawdle and close, and its drain under their load.
//!
//! ```text
//!   clients   keep-alive talks, reads and writes that are left, half heads and bodies, sockets
//!   drain     somewhere in the middle: what was taken is answered, writes finish, sockets say goodbye
//!   end       the server has no connection and no handler left; every client has ended
//! ```

mod client;
pub mod floods;
pub mod leaving;
mod server;

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh_invariants::{
    HttpDrainLosesNothing, HttpNothingAfterGone, HttpOneResponse, HttpWritesFinish, WsCloseLosesNothing,
};
use simurgh_sim::{Exit, Node, Outcome, Profile, Registry, Sim, Simulation};

const CLIENTS: usize = 12;

pub(crate) const PORT: u16 = 4000;

/// The planted bugs that `http/clients` must find.
pub const PLANTED: [&str; 5] = [
    "http.double-response",
    "http.drain-drops-request",
    "http.write-not-shielded",
    "http.ignores-gone",
    "ws.close-race",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "an HTTP server, 12 clients that stay, vanish, dawdle and close, and a drain in the middle of it";
    let profile = Profile::nasty().without_faults();
    let clients = Simulation::new("http/clients", about, clients)
        .profile(profile)
        .planted(&["ws.short-read"])
        .planted_plainly(&PLANTED);
    leaving::register(floods::register(registry.with(clients)))
}

/// The whole story: see the module.
///
/// # Errors
/// If a client or the server does not end as it should.
pub async fn clients(sim: Sim) -> Outcome {
    sim.watch(HttpOneResponse::default());
    sim.watch(HttpDrainLosesNothing::default());
    sim.watch(HttpWritesFinish);
    sim.watch(HttpNothingAfterGone::default());
    sim.watch(WsCloseLosesNothing::default());

    let server = sim.node("server", server::main);
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let clients: Vec<Node> = (0..CLIENTS as u64)
        .map(|number| {
            let name = format!("client{number}");
            let plan = client::Plan::draw(sim.workload(&name), number);
            sim.node(&name, move || client::main(addr, plan.clone()))
        })
        .collect();
    sleep(sim.workload("drain").between(500, 6_000).millis()).await;
    match server.stop(120.secs()).await {
        Exit::Finished => {}
        other => return Err(format!("the server did not end in order: {other:?}").into()),
    }
    for client in &clients {
        match timeout(600.secs(), client.ended()).await {
            Ok(Exit::Finished) => {}
            other => return Err(format!("{}: {other:?}", client.name()).into()),
        }
    }
    Ok(())
}
