//! The echo service under clients that split, stall, reset and vanish, on machines that fail.
//!
//! ```text
//!   phase 1   handlers are killed one by one: nobody else may notice
//!   phase 2   chaos: kills, power cuts, pauses, partitions, resets, no file handles
//!   calm      every client finishes, every server serves again, counts go back to zero
//!   drain     every server ends in order, with visitors in all states
//! ```

mod client;
pub(crate) mod file;
mod server;

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_invariants::{
    CapsRespected, CountReturns, DrainLeavesNone, EchoBounded, EchoInOrder, NoBystanderHurt, ServesAgain,
};
use simurgh_sim::{Exit, Node, Outcome, Registry, Sim, Simulation};

/// Servers, clients, and the lines that each client says.
const SERVERS: usize = 2;
const CLIENTS: usize = 20;
const LINES: u64 = 50;

pub(crate) const PORT: u16 = 4000;

/// The planted bugs that `echo/chaos` must find.
pub const PLANTED: [&str; 7] = [
    "net.cap-check-then-act",
    "net.lost-wakeup",
    "net.count-not-decremented",
    "net.drain-forgets-state",
    "echo.unbounded-buffer",
    "echo.byte-twice",
    "echo.kills-a-neighbour",
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "2 echo servers, 20 clients with 50 lines each, under every fault there is";
    registry.with(Simulation::new("echo/chaos", about, chaos).planted(&PLANTED))
}

/// The whole story: see the module.
///
/// # Errors
/// If a client or a server does not end as it should.
pub async fn chaos(sim: Sim) -> Outcome {
    sim.watch(CapsRespected);
    sim.watch(CountReturns::default());
    sim.watch(DrainLeavesNone);
    sim.watch(EchoBounded);
    sim.watch(EchoInOrder);
    sim.watch(NoBystanderHurt::default());
    sim.watch(ServesAgain::default());

    let servers = sim.nodes(SERVERS, server::main).await?;
    let addrs: Vec<SocketAddr> = servers.iter().map(|server| SocketAddr::new(server.ip(), PORT)).collect();
    let clients: Vec<Node> = (0..CLIENTS)
        .map(|number| {
            let name = format!("client{number}");
            let (addrs, plan) = (addrs.clone(), client::Plan::draw(sim.workload(&name), LINES));
            sim.node(&name, move || client::main(addrs.clone(), plan.clone()))
        })
        .collect();

    sleep(2.secs()).await;
    event!("world.chaos");
    sim.chaos(&servers, &clients, 6.secs()).await?;
    for client in &clients {
        match timeout(3600.secs(), client.ended()).await {
            Ok(Exit::Finished) => {}
            Ok(other) => return Err(format!("{}: {other:?}", client.name()).into()),
            Err(_) => return Err(format!("{} has not finished in an hour of calm", client.name()).into()),
        }
    }
    for (server, addr) in servers.iter().zip(&addrs) {
        visit(server.name(), *addr).await;
    }
    sleep(30.secs()).await;
    drain(&sim, &servers, &addrs).await
}

/// Somebody new connects, with all faults mended, and says what came of it.
async fn visit(server: &str, addr: SocketAddr) {
    const LIMIT: u64 = 120;
    let start = Instant::now();
    let served = timeout(LIMIT.secs(), async {
        loop {
            if client::say_once(addr, b"anybody there?").await.is_ok() {
                return;
            }
            sleep(100.millis()).await;
        }
    })
    .await;
    let result = if served.is_ok() { "served" } else { "given_up" };
    event!("probe.connect", { waited_ns: start.elapsed().as_nanos() }, { result: result, server: server });
}

/// Ends every server in order, with visitors that have said something and some that have not.
async fn drain(sim: &Sim, servers: &[Node], addrs: &[SocketAddr]) -> Outcome {
    let mut visitors = Vec::new();
    for addr in addrs {
        let mut talker = TcpStream::connect(*addr).await?;
        talker.write_all(b"hello").await?;
        talker.read_exact(&mut [0; 5]).await?;
        visitors.push(talker);
        if buggify!("visitor.silent") {
            visitors.push(TcpStream::connect(*addr).await?);
        }
    }
    // Long enough to be accepted, far less than the handshake may take.
    sleep(1.secs()).await;
    for server in servers {
        match server.stop(120.secs()).await {
            Exit::Finished => {}
            other => return Err(format!("{} did not end in order: {other:?}", server.name()).into()),
        }
    }
    drop(visitors);
    let _ = sim;
    Ok(())
}
