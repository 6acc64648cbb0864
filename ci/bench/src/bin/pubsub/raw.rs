//! Raw tokio: a list of senders, a task behind each.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::{OUTBOX, fan_out, had, memory, unknown};

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "fanout1000" => publish(1_000, count).await,
        "fanout10000" => publish(10_000, count).await,
        "memory" => memory(count, |_| mpsc::channel::<Bytes>(OUTBOX)),
        _ => unknown(figure),
    }
}

async fn publish(subscribers: usize, deliveries: u64) -> Vec<f64> {
    let mut list = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        let (sender, mut outbox) = mpsc::channel::<Bytes>(OUTBOX);
        list.push(sender);
        tokio::spawn(async move {
            while let Some(message) = outbox.recv().await {
                std::hint::black_box(message.len());
                had();
            }
        });
    }
    yield_now().await;
    fan_out(subscribers, deliveries, || {
        let message = Bytes::copy_from_slice(b"{\"body\":\"hello\"}");
        for sender in &list {
            let _ = sender.try_send(message.clone());
        }
    })
    .await
}
