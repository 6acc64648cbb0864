//! Topics whose subscribers come and go, fall behind, panic and answer, while others publish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use simurgh::prelude::*;
use simurgh::pubsub::{Delivered, Message, Options, PubSub, Registration, Subscriber};
use simurgh::runtime::{Scope, random, yield_now};
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{END, Reader, Wrong, publish, watch};
use crate::otp::{nothing_left, on_a_node, schedules};

const TOPICS: [&str; 2] = ["room:1", "room:2"];
const SENDERS: u64 = 3;
const MESSAGES: u64 = 25;
/// More than stand in one chunk of a topic's table.
const STAYING: u64 = 70;
const PASSING: u64 = 6;
/// Room for all that is sent.
const ROOM: usize = 1_000;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "topics whose subscribers come, go, fall behind, panic and answer while others publish";
    let simulation = Simulation::new("pubsub/churn", about, churn).profile(schedules());
    let simulation = simulation.planted(&["pubsub.message-lost-to-preemption"]);
    registry.with(simulation.planted_plainly(&[
        "pubsub.topic-taken-away",
        "pubsub.place-not-asked",
        "pubsub.panic-stops",
        "pubsub.panic-starts-over",
        "pubsub.from-forgotten",
    ]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a topic or a process is left, or what was counted is not what was there.
pub async fn churn(sim: Sim) -> Outcome {
    watch(sim);
    on_a_node(sim, || async {
        let pubsub = PubSub::local("churned");
        pubsub.register().map_err(|error| error.to_string())?;
        tumult(&pubsub).await?;
        let counts = pubsub.counts();
        if (counts.topics, counts.subscribers) != (0, 0) {
            return Err(format!("all have left, and it counts {counts:?}"));
        }
        nothing_left()
    })
    .await
}

async fn tumult(pubsub: &PubSub) -> Result<(), String> {
    let wrong = Wrong::default();
    let (all, passing, senders) = (Scope::new(), Scope::new(), Scope::new());
    let over = Arc::new(AtomicBool::new(false));
    let listener = otp::start("listener", Listener::default()).await.map_err(|error| error.to_string())?;
    for number in 0..STAYING {
        let topic = TOPICS[(number % 16 / 15) as usize]; // some in the second, most in the first
        all.spawn(("staying", number), wrong.catch(stay(subscribe(pubsub, topic, ROOM)?)));
    }
    for number in 0..PASSING {
        let (pubsub, over) = (pubsub.clone(), Arc::clone(&over));
        passing.spawn(
            ("passing", number),
            wrong.catch(async move {
                while !over.load(Ordering::Relaxed) {
                    pass(&pubsub).await?;
                }
                Ok(())
            }),
        );
    }
    for sender in 0..SENDERS {
        senders.spawn(("sender", sender), wrong.catch(send(pubsub.clone(), sender)));
    }
    senders.wait().await.map_err(|error| error.to_string())?;
    over.store(true, Ordering::Relaxed);
    passing.wait().await.map_err(|error| error.to_string())?;
    for topic in TOPICS {
        publish(pubsub, topic, (END, 0), None)?;
    }
    all.wait().await.map_err(|error| error.to_string())?;
    let (heard, unordered) =
        listener.visit(|listener| (listener.heard, listener.unordered)).await.map_err(|error| error.to_string())?;
    listener.stop(1.secs()).await;
    let sent = SENDERS * MESSAGES * TOPICS.len() as u64 + TOPICS.len() as u64;
    if heard != sent || unordered > 0 {
        return Err(format!("a server heard {heard} of {sent} messages, {unordered} of them out of order"));
    }
    wrong.said()
}

fn subscribe(pubsub: &PubSub, topic: &str, capacity: usize) -> Result<Reader, String> {
    let options = if capacity == ROOM { Options::drop_oldest(ROOM) } else { Options::close(capacity) };
    let subscription = pubsub.subscribe_opts(topic, options).map_err(|error| error.to_string())?;
    Ok(Reader::new(subscription, false))
}

/// Is subscribed all the time, and so gets all.
async fn stay(mut reader: Reader) -> Result<(), String> {
    while let Some((sender, _)) = reader.next().await {
        if sender == END {
            return Ok(());
        }
    }
    Err("a subscription with room for all was closed".into())
}

/// Publishes to both topics, now and then as a subscriber that is left out.
async fn send(pubsub: PubSub, sender: u64) -> Result<(), String> {
    let mut me = subscribe(&pubsub, TOPICS[0], ROOM)?;
    for number in 0..MESSAGES {
        for topic in TOPICS {
            // Of one sender on one topic the numbers ascend, whoever it leaves out.
            let from = (topic == TOPICS[0] && random::chance(0.3)).then(|| me.subscription.id());
            publish(&pubsub, topic, (sender, number), from)?;
            if random::chance(0.4) {
                yield_now().await;
            } else if random::chance(0.2) {
                sleep(random::range(0..150).micros()).await;
            }
        }
        me.drain();
    }
    Ok(())
}

/// Comes, lives for a while, and goes.
async fn pass(pubsub: &PubSub) -> Result<(), String> {
    let topic = TOPICS[random::range(0..2) as usize];
    match random::range(0..4) {
        // Panics at one of the next messages, and is gone.
        0 => {
            let registration = subscribe_panics(pubsub, topic)?;
            sleep(random::range(0..300).micros()).await;
            drop(registration);
        }
        // Falls behind, is closed, and keeps what it has for a while: its place is another's by then.
        1 => {
            let slow = subscribe(pubsub, topic, 1 + random::range(0..2) as usize)?;
            sleep(random::range(0..600).micros()).await;
            drop(slow);
        }
        // Reads to the moment of its leave, or leaves with messages unread.
        reads => {
            let mut reader = subscribe(pubsub, topic, ROOM)?;
            for _ in 0..random::range(0..4) {
                sleep(random::range(0..150).micros()).await;
                if reads == 2 {
                    reader.drain();
                }
            }
        }
    }
    Ok(())
}

fn subscribe_panics(pubsub: &PubSub, topic: &str) -> Result<Registration, String> {
    let panics = Arc::new(Panics(AtomicU64::new(random::range(1..5))));
    pubsub.subscribe_with(topic, panics).map_err(|error| error.to_string())
}

/// Panics once, after so many messages.
struct Panics(AtomicU64);

impl Subscriber for Panics {
    fn deliver(&self, _: &Message) -> Delivered {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        assert!(left != 1, "a subscriber that panics, as planned");
        Delivered::Taken
    }
}

/// A server whose messages are those of both topics.
#[derive(Default)]
struct Listener {
    registrations: Vec<Registration>,
    last: std::collections::BTreeMap<(u64, bool), u64>,
    heard: u64,
    unordered: u64,
}

struct Heard {
    is_first: bool,
    sender: u64,
    number: u64,
}

impl Server for Listener {
    type Message = Heard;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        let pubsub = PubSub::find("churned").ok_or("it is not registered")?;
        for topic in TOPICS {
            let heard = |message: &Message| {
                let (sender, number) = message.deserialize().ok()?;
                Some(Heard { is_first: message.topic() == TOPICS[0], sender, number })
            };
            self.registrations.push(pubsub.subscribe_server(topic, &cx.me(), heard)?);
        }
        Ok(())
    }

    async fn handle(&mut self, Heard { is_first, sender, number }: Heard, _: &mut Context<Self>) -> Flow {
        self.heard += 1;
        let before = self.last.insert((sender, is_first), number);
        self.unordered += u64::from(before.is_some_and(|before| before >= number));
        Flow::Continue
    }
}
