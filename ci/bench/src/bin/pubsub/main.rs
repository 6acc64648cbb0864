//! Publish/subscribe beside its peer: `pubsub VARIANT FIGURE COUNT` prints what it measured, in numbers.
//!
//! - `fanout1000`, `fanout10000`: nanoseconds per delivery of one message to so many sleeping
//!   subscribers, each in a task of its own; the next message is published when all have had it and
//!   sleep again.
//! - `memory`: resident bytes per sleeping subscription, all on one topic, without a task.
//! - `topics`: the same, each on a topic of its own.
//! - `churn`: nanoseconds to subscribe and unsubscribe one more at a topic that has 10,000.
//!
//! Run it with one worker thread (`TOKIO_WORKER_THREADS=1`) on one core.

mod ours;
mod raw;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bench::on_tokio;
use tokio::sync::Notify;

const USAGE: &str = "usage: pubsub raw|ours FIGURE COUNT";
/// What may wait for one subscriber.
const OUTBOX: usize = 1_024;
/// Subscriptions that are there before memory is looked at.
const WARM: u64 = 1_000;

/// Deliveries that are still to be had.
static LEFT: AtomicUsize = AtomicUsize::new(0);
/// There are none.
static DONE: Notify = Notify::const_new();

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [variant, figure, count] = args[..] else { panic!("{USAGE}") };
    let (figure, count) = (figure.to_owned(), count.parse().expect(USAGE));
    let numbers = match variant {
        "raw" => on_tokio(async move { raw::measure(&figure, count).await }),
        "ours" => simurgh_runtime::run("pubsub", async move { ours::measure(&figure, count).await }),
        _ => panic!("{USAGE}"),
    };
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
}

/// A subscriber has had a message.
fn had() {
    if LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
        DONE.notify_one();
    }
}

/// Publishes until `deliveries` are had.
async fn fan_out(subscribers: usize, deliveries: u64, mut publish: impl FnMut()) -> Vec<f64> {
    let rounds = (deliveries / subscribers as u64).max(1);
    let mut since = Instant::now();
    for round in 0..=rounds {
        if round == 1 {
            since = Instant::now(); // all are asleep now, and have been awake once
        }
        LEFT.store(subscribers, Ordering::Release);
        publish();
        DONE.notified().await;
    }
    vec![since.elapsed().as_nanos() as f64 / (rounds * subscribers as u64) as f64]
}

/// Growth per item that `make` gives, and that is kept.
fn memory<T>(count: u64, mut make: impl FnMut(u64) -> T) -> Vec<f64> {
    let mut kept = Vec::with_capacity((WARM + count) as usize);
    let mut before = 0.0;
    for number in 0..WARM + count {
        if number == WARM {
            kept.resize_with(kept.capacity(), || None); // its own pages are not part of the growth
            kept.truncate(WARM as usize);
            before = resident();
        }
        kept.push(Some(make(number)));
    }
    let after = resident();
    drop(kept);
    vec![(after - before) / count as f64]
}

/// Resident bytes of this program.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}

fn unknown(figure: &str) -> ! {
    panic!("there is no figure {figure} of this variant")
}
