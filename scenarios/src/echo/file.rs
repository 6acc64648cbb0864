//! The echo service for scenario files: `scenarios/echo/*.toml`.

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_harness::{Client, Op, Registry, Seat, Subject, Workload, World};
use simurgh_invariants::{
    CapsRespected, CountReturns, DrainLeavesNone, EchoBounded, EchoInOrder, NoBystanderHurt, ServesAgain,
};

use super::{PLANTED, PORT, client, drain, server, visit};

/// Registers the subject `echo` and what belongs to it.
pub(crate) fn register(registry: Registry) -> Registry {
    let subject =
        Subject::new("echo", "the echo service as its production main runs it, with an operator who interferes")
            .role("node", |_seat: Seat| server::main())
            .on_end(end);
    let registry = registry
        .subject(subject)
        .workload(Workload::new("echo.lines", "echo", "says lines and expects each back", &["short", "long"], lines))
        .invariant("net.caps_respected", "never more connections than the caps allow", |_| CapsRespected)
        .invariant("net.count_returns", "the count of connections goes back to zero", |_| CountReturns::default())
        .invariant("net.drain_leaves_none", "a drain leaves no connection behind", |_| DrainLeavesNone)
        .invariant("echo.buffer_bounded", "a handler keeps no more than its buffer", |_| EchoBounded)
        .invariant("echo.in_order", "each byte comes back once and in order", |_| EchoInOrder)
        .invariant("echo.no_bystander_hurt", "who kills a handler hurts nobody else", |_| NoBystanderHurt::default())
        .invariant("net.serves_again", "a listener that was resumed accepts again", |_| ServesAgain::default())
        .probe("echo.said_again", "a line was cut off and said again over another connection");
    PLANTED.iter().fold(registry, |registry, bug| registry.planted(bug, "see the invariant that catches it"))
}

/// The program of a client: each line is said until it has come back.
async fn lines(mut client: Client) -> Result<(), String> {
    let servers: Vec<SocketAddr> = client.seat.of_role("node").map(|place| SocketAddr::new(place.ip, PORT)).collect();
    let mut open: Option<(usize, TcpStream)> = None;
    while let Some(mut op) = client.next().await {
        let at = op.draws.below(servers.len() as u64) as usize;
        let line = line_of(&mut op);
        loop {
            let mut stream = match open.take() {
                Some((known, stream)) if known == at => stream,
                _ => {
                    let Ok(Ok(stream)) = timeout(5.secs(), TcpStream::connect(servers[at])).await else {
                        sleep(100.millis()).await;
                        continue;
                    };
                    stream
                }
            };
            if let Ok(Ok(())) = timeout(20.secs(), client::exchange(&mut stream, &line)).await {
                open = Some((at, stream));
                break;
            }
            probe!("echo.said_again");
            sleep(100.millis()).await;
        }
    }
    Ok(())
}

fn line_of(op: &mut Op) -> client::Line {
    let len = if op.name == "long" { op.draws.between(1_000, 9_000) } else { op.draws.between(1, 300) };
    client::Line::new(len as usize, op.draws.u64() as u8)
}

/// Somebody new is served by each node; then each ends in order.
async fn end(world: World) -> Result<(), String> {
    let servers = world.of_role("node");
    let addrs: Vec<SocketAddr> = servers.iter().map(|server| SocketAddr::new(server.ip(), PORT)).collect();
    for (server, addr) in servers.iter().zip(&addrs) {
        visit(server.name(), *addr).await;
    }
    sleep(30.secs()).await; // for counts to go back
    drain(&world.sim, servers, &addrs).await.map_err(|failure| failure.0)
}
