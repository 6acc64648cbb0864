//! The load: reads commands, answers each with one line of numbers, ends with its input.
//!
//! - `open PORT COUNT`: so many connections, 64 at a time, one line on each, kept: answers with how
//!   many there are and the seconds it took.
//! - `echo IN_FLIGHT MS`: lines of 64 bytes for so long, over all connections in turn, so many of
//!   them at once: answers with the lines that came back and the seconds it took.
//! - `drop`: resets all connections.
//!
//! A line that does not come back, or comes back wrong, ends the process: then there is no figure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Connections that are made at once.
const AT_ONCE: usize = 64;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(obey());
}

async fn obey() {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut lines = bench::lines();
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).expect("a number");
        let start = Instant::now();
        match words[0] {
            "open" => {
                held.extend(open(number(1) as u16, number(2)).await);
                println!("{} {}", held.len(), start.elapsed().as_secs_f64());
            }
            "echo" => {
                let lines = echo(&mut held, number(1) as usize, Duration::from_millis(number(2))).await;
                println!("{lines} {}", start.elapsed().as_secs_f64());
            }
            "drop" => {
                // No connection waits in the kernel after its end: there are only so many ports.
                held.drain(..).for_each(|stream| stream.set_zero_linger().expect("an option"));
                println!("0");
            }
            other => panic!("there is no {other}"),
        }
    }
}

async fn line(stream: &mut TcpStream) {
    let said = [b'x'; 64];
    let mut heard = [0; 64];
    stream.write_all(&said).await.expect("a line is written");
    stream.read_exact(&mut heard).await.expect("the line comes back");
    assert_eq!(said, heard, "what came back is what was said");
}

async fn echo(held: &mut Vec<TcpStream>, in_flight: usize, time: Duration) -> u64 {
    let stop = Arc::new(AtomicBool::new(false));
    let share = held.len().div_ceil(in_flight);
    let mut tasks = Vec::new();
    while !held.is_empty() {
        let stop = Arc::clone(&stop);
        let mut streams = held.split_off(held.len().saturating_sub(share));
        tasks.push(tokio::spawn(async move {
            let (mut count, mut next) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                line(&mut streams[next]).await;
                next = (next + 1) % streams.len();
                count += 1;
            }
            (count, streams)
        }));
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut total = 0;
    for task in tasks {
        let (count, streams) = end(task).await;
        total += count;
        held.extend(streams);
    }
    total
}

async fn open(port: u16, count: u64) -> Vec<TcpStream> {
    let left = Arc::new(AtomicU64::new(count));
    let one = |left: Arc<AtomicU64>| async move {
        let mut streams = Vec::new();
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            line(&mut stream).await;
            streams.push(stream);
        }
        streams
    };
    let tasks: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(one(Arc::clone(&left)))).collect();
    let mut streams = Vec::new();
    for task in tasks {
        streams.extend(end(task).await);
    }
    streams
}

/// The task's output. If it failed, so did the measurement: the process ends with its message.
async fn end<T>(task: JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        std::process::exit(1)
    })
}
