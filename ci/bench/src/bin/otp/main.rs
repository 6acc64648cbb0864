//! Processes beside their peers: `otp VARIANT FIGURE COUNT` prints what it measured, in numbers.
//!
//! - `spawn`: nanoseconds from the spawn of a process that does nothing to its end, 64 at a time.
//! - `call`: nanoseconds per request and reply, one caller, a time limit of 5 s on each.
//! - `cast128`, `cast1024`: nanoseconds per message, one sender, a mailbox of so many.
//! - `idle`, `bare`, `supervised`: resident bytes per process that waits, and of the whole program.
//! - `restart`: microseconds from a kill to the init of the next life, the 50th and 99th percentile.
//! - `lookup`: nanoseconds per lookup of a process by its key, one of 1,000.
//!
//! A file for each variant, the same work in each; what is common is here. Run it with one worker
//! thread (`TOKIO_WORKER_THREADS=1`) on one core.

mod kameo;
mod ours;
mod ractor;
mod raw;

use std::future::Future;
use std::time::{Duration, Instant};

use bench::on_tokio;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

const USAGE: &str = "usage: otp raw|ours|ractor|kameo FIGURE COUNT";
/// Of a call: what ours has always, the peers are given.
const LIMIT: Duration = Duration::from_secs(5);
/// The mailbox of ours unless told otherwise, and of those beside it.
const MAILBOX: usize = 1_024;
/// So many are spawned before others have their turn.
const BATCH: u64 = 64;
/// Processes that are there before memory is looked at.
const WARM: u64 = 1_000;

/// The receiver of a cast has had the last message.
static DONE: Notify = Notify::const_new();

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [variant, figure, count] = args[..] else { panic!("{USAGE}") };
    let (figure, count) = (figure.to_owned(), count.parse().expect(USAGE));
    let numbers = match variant {
        "raw" => on_tokio(async move { raw::measure(&figure, count).await }),
        "ractor" => on_tokio(async move { ractor::measure(&figure, count).await }),
        "kameo" => on_tokio(async move { kameo::measure(&figure, count).await }),
        "ours" => simurgh_runtime::run("otp", async move { ours::measure(&figure, count).await }),
        _ => panic!("{USAGE}"),
    };
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
}

/// Nanoseconds for each of `count`.
fn each(count: u64, since: Instant) -> Vec<f64> {
    vec![since.elapsed().as_nanos() as f64 / count as f64]
}

/// Spawns processes that end at once, a batch at a time, and waits until all have ended.
async fn spawned<F: Future<Output = ()>>(count: u64, mut spawn: impl FnMut() -> F) -> Vec<f64> {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let since = Instant::now();
    for number in 1..=count {
        spawn().await;
        if number % BATCH == 0 {
            yield_now().await;
        }
    }
    while alive() > before {
        yield_now().await;
    }
    each(count, since)
}

/// Starts processes that wait, and keeps what `start` gives of each.
async fn idle<T, F: Future<Output = T>>(count: u64, mut start: impl FnMut(u64) -> F) -> Vec<f64> {
    let mut kept = Vec::with_capacity((WARM + count) as usize);
    let mut before = 0.0;
    for number in 0..WARM + count {
        if number == WARM {
            tokio::time::sleep(Duration::from_millis(100)).await; // until all of them wait
            before = resident();
        }
        kept.push(start(number).await);
        if number % BATCH == 0 {
            yield_now().await;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = resident();
    vec![(after - before) / count as f64, after]
}

/// Resident bytes of this program.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}

/// Kills one life after the other. A life tells when its init ran, and gives what `kill` wants.
async fn restarts<T>(count: u64, mut lives: UnboundedReceiver<(Instant, T)>, mut kill: impl FnMut(T)) -> Vec<f64> {
    let mut times_us = Vec::with_capacity(count as usize);
    let (_, mut life) = lives.recv().await.expect("the first life");
    for _ in 0..count {
        tokio::time::sleep(Duration::from_millis(1)).await; // it is up, and all is quiet
        let killed = Instant::now();
        kill(life);
        let (begun, next) = lives.recv().await.expect("another life");
        times_us.push((begun - killed).as_nanos() as f64 / 1e3);
        life = next;
    }
    times_us.sort_by(f64::total_cmp);
    let at = |share: f64| times_us[(share * (times_us.len() - 1) as f64) as usize];
    vec![at(0.50), at(0.99)]
}

fn unknown(figure: &str) -> ! {
    panic!("there is no figure {figure} of this variant")
}
