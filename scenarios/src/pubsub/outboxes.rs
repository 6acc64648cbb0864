//! Outboxes of every policy under a flood, read at every pace.

use std::collections::BTreeMap;

use simurgh::prelude::*;
use simurgh::pubsub::{Options, Overflow, PubSub};
use simurgh::runtime::{Scope, random, yield_now};
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{END, KEYS, Reader, Wrong, key, publish, watch};
use crate::otp::{on_a_node, schedules};

const SENDERS: u64 = 3;
const MESSAGES: u64 = 40;
const READERS: u64 = 4;
const TOPIC: &str = "flood";

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "slow consumers under every outbox policy: bounds, order, and accounts that add up";
    let simulation = Simulation::new("pubsub/outboxes", about, outboxes).profile(schedules());
    let simulation = simulation.planted(&["pubsub.recv-holds-on"]);
    registry.with(simulation.planted_plainly(&[
        "pubsub.outbox-off-by-one",
        "pubsub.outbox-overtakes",
        "pubsub.drop-unsaid",
        "pubsub.replace-loses-latest",
    ]))
}

/// The whole story: see the module.
///
/// # Errors
/// If the last that a slow reader has of a key is not the latest.
pub async fn outboxes(sim: Sim) -> Outcome {
    watch(sim);
    on_a_node(sim, || async {
        let pubsub = PubSub::local("flooded");
        for policy in [Overflow::DropOldest, Overflow::LatestPerKey(key), Overflow::Close] {
            flood(&pubsub, policy).await.map_err(|why| format!("{policy:?}: {why}"))?;
        }
        match pubsub.counts().topics {
            0 => Ok(()),
            left => Err(format!("{left} topics are left")),
        }
    })
    .await
}

async fn flood(pubsub: &PubSub, policy: Overflow) -> Result<(), String> {
    let readers = Scope::new();
    let wrong = Wrong::default();
    for reader in 0..READERS {
        let options = Options { capacity: random::range(1..13) as usize, policy };
        let subscription = pubsub.subscribe_opts(TOPIC, options).map_err(|error| error.to_string())?;
        let by_key = matches!(policy, Overflow::LatestPerKey(_));
        let pace_us = [0, 50, 400][random::range(0..3) as usize];
        readers.spawn(("reader", reader), wrong.catch(read(Reader::new(subscription, by_key), pace_us)));
    }
    let senders = Scope::new();
    for sender in 0..SENDERS {
        let pubsub = pubsub.clone();
        senders.spawn(
            ("sender", sender),
            wrong.catch(async move {
                for number in 0..MESSAGES {
                    publish(&pubsub, TOPIC, (sender, number), None)?;
                    if random::chance(0.3) {
                        yield_now().await;
                    } else if random::chance(0.2) {
                        sleep(random::range(0..200).micros()).await;
                    }
                }
                Ok(())
            }),
        );
    }
    senders.wait().await.map_err(|error| error.to_string())?;
    publish(pubsub, TOPIC, (END, 0), None)?;
    readers.wait().await.map_err(|error| error.to_string())?;
    wrong.said()
}

/// Reads to the end, or until it is closed.
async fn read(mut reader: Reader, pace_us: u64) -> Result<(), String> {
    let mut latest: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some((sender, number)) = reader.next().await {
        if sender == END {
            break;
        }
        latest.insert(sender * KEYS + number % KEYS, number);
        if pace_us > 0 && random::chance(0.5) {
            sleep(random::range(0..pace_us).micros()).await;
        }
    }
    if !reader.by_key || reader.subscription.counts().dropped > 0 {
        return Ok(());
    }
    // All keys had room: of each the latest came last.
    for key in 0..SENDERS * KEYS {
        let last = (0..MESSAGES).rev().find(|number| number % KEYS == key % KEYS);
        if latest.get(&key) != last.as_ref() {
            return Err(format!("the last of key {key} is {:?}, and {last:?} was sent", latest.get(&key)));
        }
    }
    Ok(())
}
