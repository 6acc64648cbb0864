//! What is simulated, the same code in each simulator: servers, clients, and how they are laid out.
//!
//! A simulator gives its own sockets, clock and tasks ([`World`]); hyper and tokio-tungstenite run on them as
//! they are, with a read buffer of 4 KiB.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

pub const PORT: u16 = 80;
pub const SERVERS: usize = 3;
pub const CLIENTS: usize = 100;
pub const ROUNDS: usize = 100;
pub const THINK: Duration = Duration::from_millis(5);
pub const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));
pub const RAW_ROUNDS: usize = 1_000;
pub const HEARTBEAT: Duration = Duration::from_secs(30);

/// A simulator, as its programs see it.
pub trait World: 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type Listener: Send + 'static;

    fn listen() -> impl Future<Output = io::Result<Self::Listener>> + Send;
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn connect(to: IpAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
    /// Starts a task, which goes on if the answer is dropped.
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send;
}

/// What a figure wants of a simulator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Workload W: an HTTP GET each, then a WebSocket with echoes.
    Web,
    /// Echoes of 64 bytes on streams.
    Raw,
    /// A byte every 30 s for so long.
    Idle(Duration),
}

impl Load {
    /// The program of a server.
    pub async fn serve<W: World>(self) {
        let mut listener = W::listen().await.expect("a free port");
        loop {
            let stream = W::accept(&mut listener).await.expect("a connection");
            let spawned = match self {
                Load::Web => drop(W::spawn(serve_web::<W>(stream))),
                Load::Raw | Load::Idle(_) => drop(W::spawn(serve_raw(stream))),
            };
            spawned
        }
    }

    /// The program of a host with the clients `first..first + count`.
    pub async fn ask<W: World>(self, first: usize, count: usize, servers: [IpAddr; SERVERS]) {
        let mut clients = Vec::new();
        for number in first..first + count {
            let server = servers[number % SERVERS];
            clients.push(match self {
                Load::Web => Box::pin(W::spawn(ask_web::<W>(server))) as Joined,
                Load::Raw => Box::pin(W::spawn(ask_raw::<W>(server))) as Joined,
                Load::Idle(time) => Box::pin(W::spawn(idle::<W>(server, time))) as Joined,
            });
        }
        for client in clients {
            client.await;
        }
    }
}

type Joined = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The address of a server, or of a host of clients.
pub fn address(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 1, (number / 250) as u8, (number % 250) as u8 + 1))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4 << 10)
}

async fn serve_web<W: World>(stream: W::Stream) {
    let serving = hyper::server::conn::http1::Builder::new();
    let answers = service_fn(|request| answer::<W>(request));
    let _ = serving.serve_connection(TokioIo::new(stream), answers).with_upgrades().await;
}

async fn answer<W: World>(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        return Ok(Response::new(Full::new(Bytes::from_static(b"Hello, World!"))));
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    drop(W::spawn(async move {
        let stream = TokioIo::new(upgraded.await.expect("an upgrade"));
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                return;
            }
        }
    }));
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response.header(CONNECTION, "upgrade").header(UPGRADE, "websocket");
    Ok(response.header(SEC_WEBSOCKET_ACCEPT, accept).body(Full::default()).expect("a response"))
}

async fn ask_web<W: World>(server: IpAddr) {
    let stream = W::connect(server).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    drop(W::spawn(async move {
        let _ = connection.await;
    }));
    let request = Request::get("/").header("host", "server").body(Empty::<Bytes>::new()).expect("a request");
    let response = sender.send_request(request).await.expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "Hello, World!");
    drop(sender);

    let stream = W::connect(server).await.expect("a connection");
    let (mut socket, _) =
        tokio_tungstenite::client_async_with_config("ws://server/socket", stream, Some(config())).await.expect("a socket");
    let text = "x".repeat(64);
    for _ in 0..ROUNDS {
        socket.send(Message::text(text.as_str())).await.expect("sent");
        let echo = socket.next().await.expect("an answer").expect("a message");
        assert_eq!(echo.to_text().expect("a text"), text);
        W::sleep(THINK).await;
    }
    socket.close(None).await.expect("a close");
    while let Some(Ok(_)) = socket.next().await {}
}

async fn serve_raw(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn echo(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) {
    let mut heard = [0; 64];
    stream.write_all(bytes).await.expect("written");
    stream.flush().await.expect("sent");
    stream.read_exact(&mut heard[..bytes.len()]).await.expect("read");
    assert_eq!(heard[..bytes.len()], *bytes);
}

async fn ask_raw<W: World>(server: IpAddr) {
    let mut stream = W::connect(server).await.expect("a connection");
    for _ in 0..RAW_ROUNDS {
        echo(&mut stream, &[b'x'; 64]).await;
    }
}

async fn idle<W: World>(server: IpAddr, time: Duration) {
    let mut stream = W::connect(server).await.expect("a connection");
    for _ in 0..time.as_secs() / HEARTBEAT.as_secs() {
        W::sleep(HEARTBEAT).await;
        echo(&mut stream, b"!").await;
    }
}

/// Runs `once` for seeds 0, 1, ... until `seconds` have passed in earnest, and returns how many in how long.
pub fn measure(seconds: f64, mut once: impl FnMut(u64)) -> (f64, f64) {
    let start = std::time::Instant::now();
    let mut seeds = 0;
    loop {
        once(seeds);
        seeds += 1;
        let took = start.elapsed().as_secs_f64();
        if took >= seconds {
            return (seeds as f64, took);
        }
    }
}

/// Measures a figure of a simulator and prints it: `once(load, hosts, clients, seed)` is one run.
///
/// - `web4`, `web100`: runs of W per minute, with 4 hosts of clients or a host for each.
/// - `raw`: deliveries per second; an echo is two.
/// - `idle4`, `idle100`: simulated seconds per second, with so many connections.
pub fn figure(figure: &str, seconds: f64, simulated: Duration, mut once: impl FnMut(Load, usize, usize, u64)) {
    let value = match figure {
        "web4" | "web100" => {
            let hosts = if figure == "web4" { 4 } else { CLIENTS };
            let (seeds, took) = measure(seconds, |seed| once(Load::Web, hosts, CLIENTS, seed));
            seeds / took * 60.0
        }
        "raw" => {
            let (seeds, took) = measure(seconds, |seed| once(Load::Raw, 4, CLIENTS, seed));
            seeds * (2 * CLIENTS * RAW_ROUNDS) as f64 / took
        }
        "idle4" | "idle100" => {
            let clients = if figure == "idle4" { 4 } else { 100 };
            let (seeds, took) = measure(seconds, |seed| once(Load::Idle(simulated), 4, clients, seed));
            seeds * simulated.as_secs_f64() / took
        }
        _ => panic!("there is no figure {figure}"),
    };
    println!("{value}");
}

/// The figure, and for how long: the arguments of this program.
pub fn arguments() -> (String, f64, Duration) {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [figure, seconds, simulated] = &args[..] else { panic!("usage: FIGURE SECONDS SIMULATED_SECONDS") };
    let simulated = Duration::from_secs(simulated.parse().expect("seconds"));
    (figure.clone(), seconds.parse().expect("seconds"), simulated)
}
