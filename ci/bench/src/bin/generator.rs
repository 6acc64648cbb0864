//! The load: reads commands, answers each with numbers.
//!
//! - `echo PORT CONNECTIONS MS`: lines of 64 bytes on each connection, one at a time, for so long:
//!   answers with the lines that came back right.
//! - `accept PORT COUNT`: so many connections, 64 at once, each with one line: answers with the
//!   milliseconds it took.
//! - `hold PORT COUNT`: so many connections, one line each, kept: answers with how many there are.
//! - `drop`: lets go of them.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(obey());
}

async fn obey() {
    let mut held = Vec::new();
    let (send, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match words[0] {
            "echo" => println!("{}", echo(number(1) as u16, number(2), number(3)).await),
            "accept" => {
                let start = Instant::now();
                let streams = open(number(1) as u16, number(2)).await;
                let ms = start.elapsed().as_secs_f64() * 1e3;
                streams.iter().for_each(reset_on_drop);
                println!("{ms}");
            }
            "hold" => {
                held = open(number(1) as u16, number(2)).await;
                println!("{}", held.len());
            }
            "drop" => {
                held.drain(..).for_each(|stream| reset_on_drop(&stream));
                println!("0");
            }
            other => panic!("{other}"),
        }
    }
}

/// No connection waits in the kernel after its end: there are only so many ports.
fn reset_on_drop(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn line(stream: &mut TcpStream) -> bool {
    let said = [b'x'; 64];
    let mut heard = [0; 64];
    stream.write_all(&said).await.is_ok() && stream.read_exact(&mut heard).await.is_ok() && said == heard
}

async fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream
}

async fn echo(port: u16, connections: u64, ms: u64) -> u64 {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let stop = Arc::clone(&stop);
        let mut stream = connect(port).await;
        tasks.push(tokio::spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                count += u64::from(line(&mut stream).await);
            }
            reset_on_drop(&stream);
            count
        }));
    }
    tokio::time::sleep(Duration::from_millis(ms)).await;
    stop.store(true, Ordering::Relaxed);
    let mut total = 0;
    for task in tasks {
        total += task.await.expect("a count");
    }
    total
}

async fn open(port: u16, count: u64) -> Vec<TcpStream> {
    let left = Arc::new(AtomicU64::new(count));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let mut streams = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let mut stream = connect(port).await;
                    assert!(line(&mut stream).await, "the first line comes back");
                    streams.push(stream);
                }
                streams
            })
        })
        .collect();
    let mut streams = Vec::new();
    for task in tasks {
        streams.extend(task.await.expect("streams"));
    }
    streams
}
