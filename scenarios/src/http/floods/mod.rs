//! A server under clients that send too much, never end, lie, dawdle in crowds, read nothing and vanish, and one
//! client among them that wants its pages.
//!
//! ```text
//!   floods     heads, bodies, chunks, forms and their parts without end; lengths that are no truth
//!   crowds     a byte now and then on many connections; answers that nobody reads
//!   always     each of them is ended in time, and the server keeps a bounded part of what they send
//!   neighbour  is answered, if it waits for a place
//! ```

mod client;
mod server;
mod what;

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh_invariants::{HttpMemoryBounded, HttpOneResponse};
use simurgh_sim::{Exit, Node, Outcome, Profile, Registry, Sim, Simulation};

use super::PORT;

const CLIENTS: u64 = 4;

/// Bytes of a request's target, and of its head.
const URI_MAX: usize = 1 << 10;
const HEAD_MAX: usize = 8 << 10;
/// Bytes of a body.
const BODY_MAX: u64 = 1 << 20;
/// What a handler takes of a body as a whole, of a form's text, and of the head of a part.
const COLLECT_MAX: usize = 64 << 10;
const TEXT_MAX: usize = 16 << 10;
const PART_HEAD_MAX: usize = 1 << 10;
/// Bytes of a part that is a file, and how many parts there are.
const FILE_MAX: u64 = 512 << 10;
const PARTS_MAX: usize = 16;
/// Pieces in which a body comes to a handler: what it holds beside what it keeps.
const PIECES: usize = 128 << 10;

/// What may lie between a client and a handler: the window, what is read at once, hyper's buffer, and a piece before
/// and behind the application's own.
const WIRE_MAX: u64 = 512 << 10;
/// Beyond this a flood counts as one that nobody ends.
const FLOOD_MAX: u64 = 3 << 20;

/// The planted bugs that `http/floods` must find.
pub const PLANTED: [&str; 6] = [
    "http.head-unbounded",
    "http.chunks-unbounded",
    "web.part-head-unbounded",
    "web.part-text-unbounded",
    "http.double-response",
    // Found by the simulation itself: a client that no clock ends.
    "http.body-clock-starts-anew",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "floods of heads, bodies and parts, crowds of slow clients, and a neighbour who wants its pages";
    let profile = Profile::nasty().without_faults();
    registry.with(Simulation::new("http/floods", about, floods).profile(profile).planted_plainly(&PLANTED))
}

/// The whole story: see the module.
///
/// # Errors
/// If the server, or who is to be ended by it, does not end as it should.
pub async fn floods(sim: Sim) -> Outcome {
    sim.watch(HttpMemoryBounded::of_wire(WIRE_MAX));
    sim.watch(HttpOneResponse::default());

    let server = sim.node("server", server::main);
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let mut nodes: Vec<Node> = (0..CLIENTS)
        .map(|number| {
            let name = format!("client{number}");
            let plan = client::Plan::draw(sim.workload(&name), number);
            sim.node(&name, move || client::main(addr, plan.clone()))
        })
        .collect();
    nodes.push(sim.node("neighbour", move || client::neighbour(addr)));
    for node in &nodes {
        match timeout(900.secs(), node.ended()).await {
            Ok(Exit::Finished) => {}
            other => return Err(format!("{}: {other:?}", node.name()).into()),
        }
    }
    match server.stop(120.secs()).await {
        Exit::Finished => Ok(()),
        other => Err(format!("the server did not end in order: {other:?}").into()),
    }
}
