//! The load of channels: reads commands, answers each with one line of numbers, ends with its input.
//!
//! - `open PORT COUNT own|one|none`: so many WebSockets, each with a topic of its own, all with one, or with none joined:
//!   answers with how many and the seconds it took.
//! - `join`: each that is open joins its topic: answers with how many and the seconds it took.
//! - `presence PORT COUNT`: connections of so many named users; then each joins a room of its own, and waits for its
//!   `presence_state`: answers with how many and the seconds of the joins.
//! - `echo MS`: one `ping` under way on each: how many, seconds, 50th and 99th percentile in microseconds.
//! - `burst MS`: the first sends `shout`s, as many as are heard: deliveries, seconds, percentiles.
//! - `paced RATE MS`: the first sends so many a second, whatever is heard: deliveries, seconds, percentiles from the time at
//!   which one was to be sent.
//! - `drop`: resets all connections.
//!
//! An answer that is none, or a delivery that is missing, ends the process: then there is no figure.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections that are made at once.
const AT_ONCE: usize = 32;
/// `shout`s that are on their way at once in a burst.
const WINDOW: u64 = 16;
/// In steps of 10 microseconds.
type Times = bench::Times<10>;
const PAYLOAD: &str = "{\"text\":\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\"}";

fn main() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(obey());
}

async fn obey() {
    let mut held: Vec<Client> = Vec::new();
    let mut lines = bench::lines();
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match words[0] {
            "open" => {
                let start = Instant::now();
                held = open(number(1) as u16, number(2), words[3].to_owned(), false).await;
                println!("{} {}", held.len(), start.elapsed().as_secs_f64());
            }
            "join" => {
                let start = Instant::now();
                held = join_all(held, "\"phx_").await;
                println!("{} {}", held.len(), start.elapsed().as_secs_f64());
            }
            "presence" => {
                held = open(number(1) as u16, number(2), "none".to_owned(), true).await;
                let start = Instant::now();
                held = join_all(held, "\"presence_state\"").await;
                println!("{} {}", held.len(), start.elapsed().as_secs_f64());
            }
            "echo" => report(echo(&mut held, Duration::from_millis(number(1))).await),
            "burst" => report(shout(&mut held, None, Duration::from_millis(number(1))).await),
            "paced" => report(shout(&mut held, Some(number(1)), Duration::from_millis(number(2))).await),
            "drop" => {
                // No connection waits in the kernel after its end: there are only so many ports.
                held.drain(..).for_each(|client| client.stream.set_zero_linger().expect("an option"));
                println!("0");
            }
            other => panic!("there is no {other}"),
        }
    }
}

fn report((times, seconds): (Times, f64)) {
    println!("{} {seconds} {} {}", times.count, times.at(0.5), times.at(0.99));
}

struct Client {
    stream: TcpStream,
    topic: String,
    /// Read, and no whole message yet.
    rest: Vec<u8>,
}

fn masked(text: &str) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x81];
    match text.len() {
        len @ ..126 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Where the payload of a whole frame begins and ends.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, len) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        len @ ..126 => (2, usize::from(len)),
        _ => panic!("no message is so long"),
    };
    assert_eq!(bytes[0], 0x81, "a text frame: {:?}", String::from_utf8_lossy(bytes));
    (bytes.len() >= start + len).then_some((start, start + len))
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(&masked(text)).await.expect("it is written");
    }

    async fn recv(&mut self) -> String {
        loop {
            if let Some((from, to)) = frame(&self.rest) {
                let text = String::from_utf8(self.rest[from..to].to_vec()).expect("text");
                self.rest.drain(..to);
                return text;
            }
            assert!(self.stream.read_buf(&mut self.rest).await.expect("it reads") > 0, "the server has closed");
        }
    }

    async fn join(&mut self, waits_for: &str) {
        self.send(&format!("[\"1\",\"1\",\"{}\",\"phx_join\",{{}}]", self.topic)).await;
        while !self.recv().await.contains(waits_for) {}
    }
}

async fn open(port: u16, count: u64, topics: String, is_named: bool) -> Vec<Client> {
    let one = |from: usize, topics: String| async move {
        let mut clients = Vec::new();
        for number in (from..count as usize).step_by(AT_ONCE) {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            let user = if is_named { format!("&user=user{number}") } else { String::new() };
            let request = format!(
                "GET /socket/websocket?vsn=2.0.0{user} HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n\
                 connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.expect("a request is written");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut head).await.expect("it reads") > 0, "the server has closed");
            }
            assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
            let topic = if topics == "one" { "room:all".to_owned() } else { format!("room:{number}") };
            let mut client = Client { stream, topic, rest: Vec::new() };
            if topics != "none" {
                client.join("\"phx_").await;
            }
            clients.push(client);
        }
        clients
    };
    let tasks: Vec<_> = (0..AT_ONCE).map(|from| tokio::spawn(one(from, topics.clone()))).collect();
    let mut clients = Vec::new();
    for task in tasks {
        clients.extend(end(task).await);
    }
    clients
}

async fn join_all(clients: Vec<Client>, waits_for: &'static str) -> Vec<Client> {
    let mut shares: Vec<Vec<Client>> = (0..AT_ONCE).map(|_| Vec::new()).collect();
    clients.into_iter().enumerate().for_each(|(number, client)| shares[number % AT_ONCE].push(client));
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|mut share| {
            tokio::spawn(async move {
                for client in &mut share {
                    client.join(waits_for).await;
                }
                share
            })
        })
        .collect();
    let mut clients = Vec::new();
    for task in tasks {
        clients.extend(end(task).await);
    }
    clients
}

async fn echo(held: &mut Vec<Client>, time: Duration) -> (Times, f64) {
    let (stop, times) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Times::default())));
    let start = Instant::now();
    let tasks: Vec<_> = held
        .drain(..)
        .map(|mut client| {
            let (stop, times) = (Arc::clone(&stop), Arc::clone(&times));
            tokio::spawn(async move {
                let ping = masked(&format!("[\"1\",\"2\",\"{}\",\"ping\",{PAYLOAD}]", client.topic));
                while !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    client.stream.write_all(&ping).await.expect("it is written");
                    loop {
                        if let Some((_, to)) = frame(&client.rest) {
                            assert_eq!(to, client.rest.len(), "one answer to a message");
                            client.rest.clear();
                            break;
                        }
                        let read = client.stream.read_buf(&mut client.rest).await.expect("it reads");
                        assert!(read > 0, "the server has closed");
                    }
                    times.lock().expect("nobody panics with it").add(since.elapsed());
                }
                client
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        held.push(end(task).await);
    }
    let seconds = start.elapsed().as_secs_f64();
    (Arc::into_inner(times).expect("all tasks have ended").into_inner().expect("nobody panics with it"), seconds)
}

/// When each `shout` was sent or was to be, and what became of them.
struct Shouts {
    at: Mutex<Vec<Instant>>,
    times: Mutex<Times>,
    heard: AtomicU64,
    is_sent: AtomicBool,
}

/// What the first sends, all others hear.
async fn shout(held: &mut Vec<Client>, rate: Option<u64>, time: Duration) -> (Times, f64) {
    let shouts = Arc::new(Shouts {
        at: Mutex::new(Vec::new()),
        times: Mutex::new(Times::default()),
        heard: AtomicU64::new(0),
        is_sent: AtomicBool::new(false),
    });
    let mut first = held.remove(0);
    let listeners = held.len() as u64;
    let tasks: Vec<_> = held.drain(..).map(|client| tokio::spawn(hear(client, Arc::clone(&shouts)))).collect();
    let text = masked(&format!("[\"1\",\"2\",\"{}\",\"shout\",{PAYLOAD}]", first.topic));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        let at = match rate {
            Some(rate) => {
                let at = start + Duration::from_secs_f64(sent as f64 / rate as f64);
                tokio::time::sleep_until(at.into()).await;
                at
            }
            None if sent * listeners - shouts.heard.load(Ordering::Relaxed) >= WINDOW * listeners => {
                tokio::task::yield_now().await;
                continue;
            }
            None => Instant::now(),
        };
        shouts.at.lock().expect("nobody panics with it").push(at);
        first.stream.write_all(&text).await.expect("it is written");
        sent += 1;
    }
    let late = Instant::now() + Duration::from_secs(20);
    while shouts.heard.load(Ordering::Relaxed) < sent * listeners {
        assert!(Instant::now() < late, "{} of {} are heard", shouts.heard.load(Ordering::Relaxed), sent * listeners);
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    shouts.is_sent.store(true, Ordering::Relaxed);
    // One more, that all stop.
    first.stream.write_all(&text).await.expect("it is written");
    held.push(first);
    for task in tasks {
        held.push(end(task).await);
    }
    (Arc::into_inner(shouts).expect("all tasks have ended").times.into_inner().expect("nobody panics with it"), seconds)
}

async fn hear(mut client: Client, shouts: Arc<Shouts>) -> Client {
    let mut buffer = vec![0; 4 << 10];
    let (mut len, mut number) = (0, 0);
    loop {
        let read = client.stream.read(&mut buffer[len..]).await.expect("it reads");
        assert!(read > 0, "the server has closed");
        len += read;
        let mut from = 0;
        let before = number;
        while let Some((_, to)) = frame(&buffer[from..len]) {
            from += to;
            number += 1;
        }
        buffer.copy_within(from..len, 0);
        len -= from;
        if shouts.is_sent.load(Ordering::Relaxed) {
            return client;
        }
        let at = shouts.at.lock().expect("nobody panics with it");
        let mut times = shouts.times.lock().expect("nobody panics with it");
        for sent in &at[before..number] {
            times.add(sent.elapsed());
        }
        shouts.heard.fetch_add((number - before) as u64, Ordering::Relaxed);
    }
}

/// The task's output. If it failed, so did the measurement: the process ends with its message.
async fn end<T>(task: tokio::task::JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        std::process::exit(1)
    })
}
