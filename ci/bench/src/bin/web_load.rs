//! The load of the web: reads commands, answers each with one line of numbers, ends with its input.
//!
//! - `http PORT COUNT PATH`: so many connections on which `GET PATH` is asked.
//! - `websocket PORT COUNT LENGTH`: so many WebSockets on which text of this length is echoed.
//! - `run MS`: for so long one exchange under way on each connection: answers with how many there were,
//!   the seconds it took, and the 50th and 99th percentile of their times in microseconds.
//! - `drop`: resets all connections.
//!
//! An exchange that comes out otherwise than the first one ends the process: then there is no figure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Connections that are made at once.
const AT_ONCE: usize = 64;
/// In steps of 5 microseconds.
type Times = bench::Times<5>;

/// With one queue, served in order: a scheduler for many threads lets some of a thousand ready connections wait for
/// long, which would be taken for the server's unfairness.
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
            "http" => {
                held = open(Http { path: words[3].to_owned() }, number(1) as u16, number(2)).await;
                println!("{}", held.len());
            }
            "websocket" => {
                held = open(WebSocket { len: number(3) as usize }, number(1) as u16, number(2)).await;
                println!("{}", held.len());
            }
            "run" => {
                let start = Instant::now();
                let times = run(&mut held, Duration::from_millis(number(1))).await;
                let took = start.elapsed().as_secs_f64();
                println!("{} {took} {} {}", times.count, times.at(0.5), times.at(0.99));
            }
            "drop" => {
                // No connection waits in the kernel after its end: there are only so many ports.
                held.drain(..).for_each(|client| client.stream.set_zero_linger().expect("an option"));
                println!("0");
            }
            other => panic!("there is no {other}"),
        }
    }
}

/// A connection, what is sent on it again and again, and what comes back.
struct Client {
    stream: TcpStream,
    request: Arc<[u8]>,
    answer: Vec<u8>,
    /// The part of the answer that is the same each time.
    same: std::ops::Range<usize>,
    buffer: Vec<u8>,
}

impl Client {
    async fn exchange(&mut self) {
        self.stream.write_all(&self.request).await.expect("a request is written");
        self.stream.read_exact(&mut self.buffer).await.expect("an answer comes");
        let same = self.same.clone();
        assert_eq!(self.buffer[same.clone()], self.answer[same], "an answer like the first one");
    }
}

trait Protocol: Clone + Send + 'static {
    fn connected(&self, stream: TcpStream) -> impl Future<Output = Client> + Send;
}

#[derive(Clone)]
struct Http {
    path: String,
}

impl Protocol for Http {
    async fn connected(&self, mut stream: TcpStream) -> Client {
        let request =
            format!("GET {} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: web_load\r\naccept: */*\r\n\r\n", self.path);
        stream.write_all(request.as_bytes()).await.expect("a request is written");
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let len = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a number"))
        });
        let mut body = vec![0; len.expect("a length")];
        stream.read_exact(&mut body).await.expect("a body");
        let answer = [head.as_bytes(), &body].concat();
        // The date changes; it stands in the head.
        let same = head.len()..answer.len();
        Client { stream, request: request.into_bytes().into(), buffer: vec![0; answer.len()], answer, same }
    }
}

#[derive(Clone)]
struct WebSocket {
    len: usize,
}

impl Protocol for WebSocket {
    async fn connected(&self, mut stream: TcpStream) -> Client {
        let request = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("a request is written");
        let head = head(&mut stream).await;
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let text: Vec<u8> = (b'a'..=b'z').cycle().take(self.len).collect();
        let len: Vec<u8> = match self.len {
            len @ ..126 => vec![len as u8],
            len => [&[126], &(len as u16).to_be_bytes()[..]].concat(),
        };
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let masked = text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let mut request = [&[0x81], &len[..]].concat();
        request[1] |= 0x80;
        request.extend(mask);
        request.extend(masked);
        let answer = [&[0x81], &len[..], &text].concat();
        let mut client =
            Client { stream, request: request.into(), buffer: vec![0; answer.len()], same: 0..answer.len(), answer };
        client.exchange().await;
        client
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("a head is text")
}

async fn run(held: &mut Vec<Client>, time: Duration) -> Times {
    let stop = Arc::new(AtomicBool::new(false));
    let times = Arc::new(std::sync::Mutex::new(Times::default()));
    let tasks: Vec<_> = held
        .drain(..)
        .map(|mut client| {
            let (stop, times) = (Arc::clone(&stop), Arc::clone(&times));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    client.exchange().await;
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
    Arc::into_inner(times).expect("all tasks have ended").into_inner().expect("nobody panics with it")
}

async fn open(protocol: impl Protocol, port: u16, count: u64) -> Vec<Client> {
    let one = |protocol, share| async move {
        let mut clients = Vec::new();
        for _ in 0..share {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            clients.push(Protocol::connected(&protocol, stream).await);
        }
        clients
    };
    let share = |at: usize| count as usize / AT_ONCE + usize::from(at < count as usize % AT_ONCE);
    let tasks: Vec<_> = (0..AT_ONCE).map(|at| tokio::spawn(one(protocol.clone(), share(at)))).collect();
    let mut clients = Vec::new();
    for task in tasks {
        clients.extend(end(task).await);
    }
    clients
}

/// The task's output. If it failed, so did the measurement: the process ends with its message.
async fn end<T>(task: JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        std::process::exit(1)
    })
}
