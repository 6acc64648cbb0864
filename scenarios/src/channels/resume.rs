//! Topics that go on after a cut: all that was broadcast comes, or a gap is told.
//!
//! ```text
//!   chaos   ways are cut, the server dies, clients vanish and come again at once or late; others go on talking
//!   calm    each comes once more, and has all, but for the gaps that it was told
//! ```

use std::net::SocketAddr;

use serde_json::json;
use simurgh::channels::{ResumeOptions, SocketOptions};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::{ChannelFifo, ChannelGapReported, ChannelNoDuplicate};
use simurgh_sim::{Node, Outcome, Registry, Sim, Simulation};

use super::line::Lost;
use super::wire::Wire;
use super::{PORT, finished, server, stopped};

const LISTENERS: u64 = 4;
const SPEAKERS: u64 = 2;
const CUTS: u64 = 8;
const WORDS: u64 = 60;
const TOPIC: &str = "room:resumed";
/// So few that some clients come too late for all of it.
const MESSAGES_MAX: usize = 12;

/// The planted bugs that `channels/resume` must find.
pub const PLANTED: [&str; 2] = ["channels.resume-gap-unsaid", "channels.resume-one-too-many"];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "4 clients that resume a topic after cuts, under every fault, while 2 others talk";
    registry.with(Simulation::new("channels/resume", about, resume).planted_plainly(&PLANTED))
}

/// The whole story: see the module.
///
/// # Errors
/// If a client or the server does not end as it should.
pub async fn resume(sim: Sim) -> Outcome {
    sim.watch(ChannelGapReported::default());
    sim.watch(ChannelNoDuplicate::default());
    sim.watch(ChannelFifo::default());
    let server = sim.node("server", || {
        let resume = Some(ResumeOptions { messages_max: MESSAGES_MAX, ..ResumeOptions::default() });
        server::main(SocketOptions { resume, timeout: 20.secs(), ..SocketOptions::default() })
    });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let listeners = (0..LISTENERS).map(|number| sim.node(&format!("listener{number}"), move || listen(addr, number)));
    let mut clients: Vec<Node> = listeners.collect();
    clients
        .extend((0..SPEAKERS).map(|number| sim.node(&format!("speaker{number}"), move || speak(addr, 100 + number))));
    sim.chaos(std::slice::from_ref(&server), &clients, 6.secs()).await?;
    finished(&clients, 600.secs()).await?;
    stopped(&server).await
}

/// The program of a listener's node.
async fn listen(addr: SocketAddr, number: u64) -> Result<(), String> {
    let (mut cursor, mut cuts, mut tries) = (None, 0, 0);
    while cuts < CUTS {
        tries += 1;
        if tries > 1_000 {
            return Err("cannot join when all is calm".to_owned());
        }
        let Ok(wire) = Wire::open(addr, number, false).await else {
            sleep(100.millis()).await;
            continue;
        };
        let mut wire = wire.resuming(cursor.clone());
        cuts += u64::from(hear(&mut wire).await.is_ok());
        cursor = wire.cursor();
        drop(wire);
        let away = if random::chance(0.3) { 0..2_000 } else { 0..50 };
        sleep(random::range(away).millis()).await;
    }
    Ok(())
}

/// Joins, hears for a while, and has then all that was said.
async fn hear(wire: &mut Wire) -> Result<(), Lost> {
    if !wire.joined(TOPIC).await? {
        return Ok(());
    }
    for _ in 0..random::range(1..6) {
        wire.sync(TOPIC).await?;
        sleep(random::range(0..200).millis()).await;
    }
    // Some frames more, and then the cut.
    for _ in 0..random::range(0..6) {
        let _ = timeout(20.millis(), wire.hear()).await.unwrap_or(Ok(()));
    }
    Ok(())
}

/// The program of a speaker's node. It does not resume: such clients are in the topic too.
async fn speak(addr: SocketAddr, number: u64) -> Result<(), String> {
    let (mut word, mut sender) = (0, number * 1_000);
    while word < WORDS {
        sender += 1; // what is on its way on the former connection may come later
        let spoken = async {
            let mut wire = Wire::open(addr, number, false).await?;
            wire.joined(TOPIC).await?;
            while word < WORDS {
                word += 1;
                wire.push(TOPIC, "say", &json!({ "sender": sender, "number": word })).await?;
                if random::chance(0.3) {
                    wire.sync(TOPIC).await?;
                }
                sleep(random::range(1..200).millis()).await;
            }
            Ok::<(), Lost>(())
        };
        let _ = spoken.await;
        sleep(100.millis()).await;
    }
    Ok(())
}
