//! Mailboxes of every policy under a flood.

use std::collections::BTreeMap;
use std::sync::Arc;

use simurgh::otp::{CastError, Context, Flow, Policy, Server, ServerRef, Start};
use simurgh::prelude::*;
use simurgh::runtime::{Scope, random, yield_now};
use simurgh_invariants::{MailboxBounded, MailboxFifoPerSender};
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules};

const SENDERS: u64 = 6;
const MESSAGES: u64 = 60;
const KEYS: u64 = 3;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "every mailbox policy under a flood: bounds, order of each sender, and accounts that add up";
    let simulation = Simulation::new("otp/mailboxes", about, mailboxes).profile(schedules());
    let simulation = simulation.planted(&["otp.message-lost-to-preemption"]);
    registry.with(simulation.planted_plainly(&[
        "otp.mailbox-off-by-one",
        "otp.mailbox-overtakes",
        "otp.block-loses",
        "otp.shed-unsaid",
    ]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a message comes back that is another, or the latest of a key is not the last.
pub async fn mailboxes(sim: Sim) -> Outcome {
    sim.watch(MailboxBounded::default());
    sim.watch(MailboxFifoPerSender::default());
    on_a_node(sim, || async {
        for policy in [Policy::Block, Policy::ShedNewest, Policy::ShedOldest, Policy::Fail, Policy::Unbounded] {
            for coalesce in [false, true] {
                flood(policy, coalesce).await.map_err(|why| format!("{policy:?}, coalesce {coalesce}: {why}"))?;
            }
        }
        nothing_left()
    })
    .await
}

async fn flood(policy: Policy, coalesce: bool) -> Result<(), String> {
    let room = random::range(1..17);
    let patient = random::chance(0.5);
    let pace_us = [0, 0, 200][random::range(0..3) as usize];
    let mut sink = Start::new("sink", Sink { pace_us, latest: BTreeMap::new() }).mailbox(policy, room as usize);
    if coalesce {
        sink = sink.coalesce(|message| Some(message.sender * KEYS + message.number % KEYS));
    }
    let sink = sink.start().await.map_err(|error| error.to_string())?;
    let scope = Scope::new();
    let wrong: Arc<simurgh::runtime::sync::Mutex<Option<String>>> = Arc::default();
    for sender in 0..SENDERS {
        let (sink, wrong) = (sink.clone(), Arc::clone(&wrong));
        scope.spawn(("sender", sender), async move {
            if let Err(why) = send(sink, sender, coalesce, patient).await {
                wrong.lock().get_or_insert(why);
            }
        });
    }
    scope.wait().await.map_err(|error| error.to_string())?;
    if let Some(why) = wrong.lock().take() {
        return Err(why);
    }
    // A visit comes after everything that was sent before.
    let latest = sink.visit(|sink| std::mem::take(&mut sink.latest)).await.map_err(|error| error.to_string())?;
    let counts = sink.mailbox();
    let bound = if policy == Policy::Unbounded { SENDERS * MESSAGES } else { room };
    event!("mailbox.census", { high_water: counts.high_water, shed: counts.shed, bound: bound }, {
        process: sink.pid().number(),
    });
    // Nobody sheds or refuses: the latest of each key must have been handled last.
    if policy == Policy::Unbounded || (policy == Policy::Block && patient) {
        for key in 0..SENDERS * KEYS {
            let last = MESSAGES - KEYS + key % KEYS;
            if latest.get(&key) != Some(&last) {
                return Err(format!("the last of {key} is {:?}, and {last} was sent", latest.get(&key)));
            }
        }
    }
    sink.stop(1.secs()).await;
    Ok(())
}

async fn send(sink: ServerRef<Sink>, sender: u64, coalesce: bool, patient: bool) -> Result<(), String> {
    for number in 0..MESSAGES {
        // Messages of one key keep their order, and take each other's place.
        let stream = if coalesce { 1_000 + sender * KEYS + number % KEYS } else { sender };
        let message = Message { sender, number, stream };
        let sent = if random::chance(0.3) && !patient {
            sink.try_cast(message)
        } else {
            let limit = if patient { 3_600.secs() } else { random::range(0..1_000).micros() };
            sink.cast_within(limit, message).await
        };
        match sent {
            Ok(()) => event!("mailbox.sent", {}, { process: sink.pid().number() }),
            Err(CastError::Full { message, .. }) if message.number == number && message.sender == sender => {}
            Err(error) => return Err(format!("{error}: and gave back another message")),
        }
        if random::chance(0.1) {
            yield_now().await;
        }
    }
    Ok(())
}

struct Message {
    sender: u64,
    number: u64,
    /// What keeps its order: the sender, or one of its keys.
    stream: u64,
}

struct Sink {
    pace_us: u64,
    latest: BTreeMap<u64, u64>,
}

impl Server for Sink {
    type Message = Message;

    async fn handle(&mut self, message: Message, cx: &mut Context<Self>) -> Flow {
        let Message { sender, number, stream } = message;
        event!("mailbox.handled", {}, { process: cx.pid().number(), sender: stream, number: number });
        self.latest.insert(sender * KEYS + number % KEYS, number);
        if self.pace_us > 0 && random::chance(0.2) {
            sleep(random::range(0..self.pace_us).micros()).await;
        }
        Flow::Continue
    }
}
