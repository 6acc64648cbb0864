//! The tally's scenario files, and what they may name. `cargo test` runs them; so does `simurgh sim`, which has more
//! commands.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_harness::{Client, Registry, Seat, Subject, Workload};
use simurgh_sim::{Invariant, Seen};

const PORT: u16 = 4001;

fn main() -> ExitCode {
    simurgh_harness::main(&registry())
}

fn registry() -> Registry {
    Registry::new()
        .files("scenarios")
        .subject(Subject::new("tally", "servers that count names, each for itself").role("server", serve))
        .workload(Workload::new("tally.names", "tally", "says names until they are counted", &["known", "new"], names))
        .invariant("tally.counts_up", "a server gives each number of a name once, in order", |_| CountsUp::default())
        .selector("primary", "the first server that runs, which clients ask first", |servers| {
            servers.first_that(|_| true)
        })
        .probe("tally.tenth", "a name was said for the tenth time")
        .probe("tally.moved", "a client went over to another server")
        .planted("tally.tenth-again", "the tenth number of a name is given twice")
}

async fn serve(_: Seat) -> Result<(), String> {
    outside::main(SocketAddr::from(([0, 0, 0, 0], PORT))).await
}

/// Says each name to the first server that answers.
async fn names(mut client: Client) -> Result<(), String> {
    let servers: Vec<SocketAddr> = client.seat.of_role("server").map(|place| SocketAddr::new(place.ip, PORT)).collect();
    let (mut at, mut open) = (0, None);
    while let Some(mut op) = client.next().await {
        let name = match op.name {
            "known" => ["Rostam", "Zal"][op.draws.below(2) as usize].to_owned(),
            _ => format!("{} {}", client.seat.name(), op.number),
        };
        // Said until it is counted: a server that is away must not lose it.
        while timeout(2.secs(), say(&mut open, servers[at], &name)).await.map_or(true, |said| said.is_err()) {
            (at, open) = ((at + 1) % servers.len(), None);
            probe!("tally.moved");
            sleep(50.millis()).await;
        }
    }
    Ok(())
}

async fn say(open: &mut Option<TcpStream>, server: SocketAddr, name: &str) -> io::Result<()> {
    let stream = match open {
        Some(stream) => stream,
        none => none.insert(TcpStream::connect(server).await?),
    };
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    while stream.read_u8().await? != b'\n' {}
    Ok(())
}

/// What each process has counted.
#[derive(Default)]
struct CountsUp {
    last: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Invariant for CountsUp {
    fn name(&self) -> &'static str {
        "tally.counts_up"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "tally.counted" {
            return Ok(());
        }
        let name = seen.event.str("name").unwrap_or_default();
        let number = seen.event.measurement("number").unwrap_or(0.0) as u64;
        let last = self.last.entry(seen.node.to_owned()).or_default().entry(name.to_owned()).or_default();
        if number != *last + 1 {
            return Err(format!("{} gave {number} after {last} to \"{name}\"", seen.node));
        }
        *last = number;
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.last.remove(node);
    }
}
