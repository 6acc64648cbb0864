//! The history of a studio's room, with people who send again what they have no answer to.

use std::io;
use std::path::PathBuf;

use simurgh::channels::presence::Presence;
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;
use simurgh::runtime::random;
use simurgh_invariants::HistoryLosesNothing;
use simurgh_sim::{Kill, Outcome, Registry, Sim, Simulation};
use studio::history::{KEPT, Message};
use studio::room::Said;
use studio::rooms::Rooms;

use super::{SHOWN, begin, end, profile};

const POWER_CUTS: u64 = 6;
const ROOM: &str = "lobby";
const PEOPLE: [&str; 3] = ["Alice", "Bob", "Charlie"];

/// The planted bugs that `disk/history` must find.
pub const PLANTED: [&str; 8] = [
    "history.short-write",
    "history.sync-again",
    "fs.replace-short-write",
    "history.retry-without-key",
    "history.short-read",
    "history.found-is-safe",
    "history.directory-unsynced",
    "fs.rename-unsynced",
];

/// Those that it must find and that a disk that fails finds even where power cuts lose nothing.
pub const PLANTED_PLAINLY: [&str; 3] = ["history.unsynced", "history.acked-before-sync", "fs.replace-unsynced"];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "the studio's history through 6 power cuts a seed: what was taken is there, once";
    let history = Simulation::new("disk/history", about, history).profile(profile()).shows(&SHOWN);
    registry.with(history.planted(&PLANTED).planted_plainly(&PLANTED_PLAINLY))
}

/// The whole story: see the module above.
///
/// # Errors
/// If the room cannot be opened on a disk that is mended.
pub async fn history(sim: Sim) -> Outcome {
    sim.watch(HistoryLosesNothing::default());
    let node = sim.node("studio", studio);
    let mut stream = sim.workload("kills");
    for _ in 0..POWER_CUTS {
        begin(sim, &node, &mut stream, true).await?;
        if stream.chance(0.4) {
            end(sim, &node, &mut stream, Kill::Crash).await;
            begin(sim, &node, &mut stream, true).await?;
        }
        end(sim, &node, &mut stream, Kill::Power).await;
        sim.count("power cuts", 1);
    }
    if !node.is_running() {
        node.restart();
    }
    Ok(node.started().await?)
}

/// The rooms of a studio, and people who talk in one of them.
async fn studio() -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let pubsub = PubSub::local("studio");
    let presence = Presence::new(pubsub.clone());
    let children = DynamicSupervisor::limit(4);
    let rooms = Rooms::new(pubsub, presence.clone(), children.handle(), PathBuf::from("/data/rooms"), 4);
    let prepared = rooms.clone();
    runtime::blocking(move || prepared.prepare()).await.map_err(|error: io::Error| words(&error))?;
    let running = Application::new("studio")
        .stage("presence", 5.secs(), presence.supervisor())
        .stage("rooms", 5.secs(), children)
        .start()
        .await
        .map_err(|error| words(&error))?;
    let found = rooms.history(ROOM).await.map_err(|error| words(&error))?;
    for message in &found {
        let (by, seq) = name_of(message)?;
        event!("history.found", {}, { id: message.id, by: by, seq: seq });
    }
    event!("history.opened", {}, { kept: KEPT as u64 });
    runtime::ready();
    let scope = runtime::Scope::new();
    for by in 0..PEOPLE.len() as u64 {
        let last = found.iter().filter_map(|message| name_of(message).ok()).rfind(|known| known.0 == by);
        // Whoever had no answer sends it again: perhaps it was taken.
        scope.spawn("person", person(rooms.clone(), by, last.map_or(1, |(_, seq)| seq)));
    }
    scope.wait().await.map_err(|error| words(&error))?;
    drop(running);
    Ok(())
}

async fn person(rooms: Rooms, by: u64, first: u64) {
    for seq in first.. {
        let text = format!("{by} {seq} {}", "x".repeat(random::range(0..700) as usize));
        let said = Said { name: PEOPLE[by as usize].to_owned(), text, nonce: Some(format!("{by}-{seq}")) };
        let id = loop {
            match rooms.say(ROOM, said.clone()).await {
                Ok(id) => break id,
                Err(_) => sleep(random::range(1..20).millis()).await,
            }
        };
        event!("history.acked", {}, { id: id, by: by, seq: seq });
        sleep(random::range(0..4_000).micros()).await;
    }
}

/// Who said it, and as the how manieth.
fn name_of(message: &Message) -> Result<(u64, u64), String> {
    let mut parts = message.text.split(' ').map(str::parse::<u64>);
    match (parts.next(), parts.next()) {
        (Some(Ok(by)), Some(Ok(seq))) => Ok((by, seq)),
        _ => Err(format!("{:?} is no message of ours", message.text)),
    }
}
