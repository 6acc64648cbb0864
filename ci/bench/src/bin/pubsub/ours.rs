//! Ours: a topic, a subscription in a task for each.

use std::time::Instant;

use simurgh_pubsub::{Limits, Message, Options, PubSub};
use tokio::task::yield_now;

use crate::{OUTBOX, fan_out, had, memory, unknown};

const TOPIC: &str = "room:lobby";

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "fanout1000" => publish(1_000, count).await,
        "fanout10000" => publish(10_000, count).await,
        "memory" => {
            let pubsub = pubsub();
            memory(count, |_| subscribe(&pubsub, TOPIC))
        }
        "topics" => {
            let pubsub = pubsub();
            memory(count, |number| subscribe(&pubsub, &format!("room:{number}")))
        }
        "churn" => churn(count),
        _ => unknown(figure),
    }
}

fn pubsub() -> PubSub {
    PubSub::local_with("bench", Limits { subscribers_max: 10_000_000, ..Limits::default() })
}

fn subscribe(pubsub: &PubSub, topic: &str) -> simurgh_pubsub::Subscription {
    pubsub.subscribe_opts(topic, Options::drop_oldest(OUTBOX)).expect("room for one more")
}

async fn publish(subscribers: usize, deliveries: u64) -> Vec<f64> {
    let pubsub = pubsub();
    for _ in 0..subscribers {
        let mut subscription = subscribe(&pubsub, TOPIC);
        drop(simurgh_runtime::spawn(async move {
            while let Ok(message) = subscription.recv().await {
                std::hint::black_box(message.payload().bytes().len());
                had();
            }
        }));
    }
    yield_now().await;
    fan_out(subscribers, deliveries, || {
        let message = Message::raw_json(TOPIC, "new_msg", &b"{\"body\":\"hello\"}"[..]);
        pubsub.broadcast(&message).expect("a broadcast");
    })
    .await
}

fn churn(count: u64) -> Vec<f64> {
    let pubsub = pubsub();
    let _others: Vec<_> = (0..10_000).map(|_| subscribe(&pubsub, TOPIC)).collect();
    let since = Instant::now();
    for _ in 0..count {
        drop(subscribe(&pubsub, TOPIC));
    }
    vec![since.elapsed().as_nanos() as f64 / count as f64]
}
