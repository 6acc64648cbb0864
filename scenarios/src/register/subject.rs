//! The register as a subject of scenario files.

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh_harness::{Client as HarnessClient, Registry, Seat, Subject, Workload, World};
use simurgh_invariants::{
    HistoryLinearizable, LiveProgress, MemoryBounded, NodeQuiesces, OnceEffect, ReplicasConverge,
};

use super::client::{Change, Client};
use super::{KEYS, OPS_OF_ONE, PORT, WITHIN, laws, replica, wire};

/// Adds the register, its workload, its invariants and its planted bugs.
pub(crate) fn register(registry: Registry) -> Registry {
    let about = "a register on several replicas, read and written through majorities";
    let subject = Subject::new("register", about).role("replica", serve).on_calm(calm).on_end(end);
    let subject = wire::FORMS.iter().fold(subject, |subject, (form, about)| subject.message(form, about));
    let change = change();
    let work = move |client| work(client, change);
    let workload = Workload::new("register.ops", "register", "reads and writes", &["read", "write"], work);
    let registry = registry
        .subject(subject)
        .workload(workload)
        .invariant("history.linearizable", "answers are those of one register", |_| HistoryLinearizable::default())
        .invariant("effect.exactly_once", "no write takes effect twice, or after it failed", |_| OnceEffect::default())
        .invariant("replica.converges", "replicas agree in the end", |_| ReplicasConverge::default())
        .invariant("live.progress", "in the calm, who asks is answered", |_| LiveProgress::default())
        .invariant("node.quiesces", "when nobody asks, nobody says anything", |_| NodeQuiesces::default())
        .invariant("memory.bounded", "what has a bound keeps to it", |_| MemoryBounded)
        .property(laws::newest_wins())
        .probe("register.half-written", "one replica keeps what a client writes, and no majority yet")
        .probe("register.disagreed", "replicas that were asked have different versions")
        .probe("register.waited", "a client waits 50 ms for one more replica");
    PLANTED.iter().fold(registry, |registry, (name, about)| registry.planted(name, about))
}

/// The planted bugs, and what each does.
const PLANTED: [(&str, &str); 16] = [
    ("register.read-one", "a read asks one replica alone"),
    ("register.ack-one", "a write is called done when one replica has it"),
    ("register.quorum-of-reachable", "the majority of those that can be reached is enough"),
    ("register.new-version-on-retry", "a write that takes long is begun anew, under a new version"),
    ("register.no-write-back", "a read does not make sure that what it read stays"),
    ("register.unsynced", "a replica answers before the value is on its disk"),
    ("register.late-is-failed", "a write that has no answer in time is called failed"),
    ("register.pause-unbounded", "the pause between two tries doubles, and never ends"),
    ("register.deadline-not-renewed", "tries after the first are late before they begin"),
    ("register.queue-unbounded", "questions queue without a bound"),
    ("register.gossip-echoes", "replicas tell others what is not new"),
    ("register.gossip-forgets", "gossip knows only one key"),
    ("register.not-asked-again", "whose queue was full is not asked when it has room again"),
    ("register.ties-open", "of two versions of the same time, the one that comes last stays"),
    ("register.unlocked", "a replica does not hold its lock while it writes to its disk"),
    ("register.waits-for-all", "the majority is all replicas"),
];

async fn serve(seat: Seat) -> Result<(), String> {
    let others = seat.of_role("replica").filter(|place| place.name != seat.name());
    replica::main(PORT, others.map(|place| SocketAddr::new(place.ip, PORT)).collect()).await
}

/// The version of the register that a test of the bank wants: `SIMURGH_REGISTER=await` or `no-probe`.
#[allow(clippy::disallowed_methods)] // the environment of this program, and of no node
fn change() -> Change {
    let wanted = std::env::var("SIMURGH_REGISTER").unwrap_or_default();
    Change { awaits_more: wanted == "await", leaves_probe_out: wanted == "no-probe" }
}

async fn work(mut client: HarnessClient, change: Change) -> Result<(), String> {
    let replicas = client.seat.of_role("replica").map(|place| SocketAddr::new(place.ip, PORT)).collect();
    let name = client.seat.name().to_owned();
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    let register = Client::new(replicas, change);
    while let Some(mut op) = client.next().await {
        let key = op.draws.pick(&KEYS).copied().expect("there are keys");
        match op.name {
            "read" => register.read(key).await,
            _ => register.write(key, number * OPS_OF_ONE + op.number).await,
        }
    }
    Ok(())
}

async fn calm(world: World) -> Result<(), String> {
    let replicas = world.of_role("replica");
    let healthy = replicas.iter().filter(|node| node.is_running()).count();
    let needed = replicas.len() / 2 + 1;
    event!("live.calm", {}, { healthy: healthy, needed: needed, within_ns: WITHIN.as_nanos() as u64 });
    Ok(())
}

async fn end(_world: World) -> Result<(), String> {
    event!("live.end");
    sleep(6.secs()).await; // for what is under way
    event!("replica.settled");
    event!("node.quiet");
    sleep(5.secs()).await;
    Ok(())
}
