//! Clients: each does what it has drawn, and ends when the server is gone.

use std::net::SocketAddr;

use http::Method;
use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_http::client;
use simurgh_http::ws::{self, CloseCode, Message, SendError};
use simurgh_http::{Body, Request};
use simurgh_sim::Stream;

/// Things that one client does.
const STEPS: u64 = 12;

/// What a client will do: drawn before it starts.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The first request's number.
    first: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Requests on one connection, each a write or not.
    Talk { writes: Vec<bool> },
    /// A request, left after a while: with a reset, or with the end of the stream.
    Leave { is_write: bool, after_ms: u64, resets: bool },
    /// A head or a body that does not end.
    Dawdle { in_body: bool },
    /// Messages, with pauses, and a close.
    Socket { pauses_ms: Vec<u64> },
}

impl Plan {
    pub(crate) fn draw(mut stream: Stream, client: u64) -> Self {
        let steps = (0..STEPS).map(|_| Step::draw(&mut stream)).collect();
        Self { first: client * 1_000, steps }
    }
}

impl Step {
    fn draw(stream: &mut Stream) -> Self {
        match stream.below(10) {
            0..4 => Self::Talk { writes: (0..stream.between(1, 6)).map(|_| stream.chance(0.5)).collect() },
            4..7 => {
                let (is_write, resets) = (stream.chance(0.5), stream.chance(0.5));
                Self::Leave { is_write, after_ms: stream.between(0, 400), resets }
            }
            7 => Self::Dawdle { in_body: stream.chance(0.5) },
            _ => Self::Socket { pauses_ms: (0..stream.between(0, 15)).map(|_| stream.below(40)).collect() },
        }
    }
}

/// The program of a client's node.
pub(crate) async fn main(addr: SocketAddr, plan: Plan) -> Result<(), String> {
    let mut number = plan.first;
    for step in plan.steps {
        let done = match step {
            Step::Talk { writes } => talk(addr, &mut number, &writes).await,
            Step::Leave { is_write, after_ms, resets } => leave(addr, &mut number, is_write, after_ms, resets).await,
            Step::Dawdle { in_body } => dawdle(addr, &mut number, in_body).await?,
            Step::Socket { pauses_ms } => socket(addr, &mut number, &pauses_ms).await,
        };
        if done.is_none() {
            return Ok(()); // the server is gone
        }
    }
    Ok(())
}

fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number
}

/// Asks, and wants the answer to what it asked.
async fn talk(addr: SocketAddr, number: &mut u64, writes: &[bool]) -> Option<()> {
    let mut connection = client::Connection::connect(addr).await.ok()?;
    for is_write in writes {
        let number = next(number);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/page/{number}").parse().expect("a path");
        if *is_write {
            *request.method_mut() = Method::POST;
            *request.body_mut() = vec![b'x'; number as usize * 7].into();
        }
        let Ok(answer) = connection.send(request).await else {
            event!("http.client.unanswered", {}, { request: number });
            return Some(());
        };
        let is_served = answer.status() == 200; // a request that is late on its way is 408
        let is_last = answer.headers().contains_key("connection");
        let Ok(body) = answer.into_body().collect(1_000).await else {
            event!("http.client.unanswered", {}, { request: number });
            return Some(());
        };
        if is_served && body != number.to_string() {
            event!("http.client.mismatch", {}, { request: number });
        }
        if is_last {
            return Some(());
        }
    }
    Some(())
}

/// Asks, and goes away.
async fn leave(addr: SocketAddr, number: &mut u64, is_write: bool, after_ms: u64, resets: bool) -> Option<()> {
    let number = next(number);
    let method = if is_write { "DELETE" } else { "GET" };
    let mut stream = TcpStream::connect(addr).await.ok()?;
    let what = if is_write { "page" } else { "long" };
    let head = format!("{method} /{what}/{number} HTTP/1.1\r\nhost: a\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    sleep(after_ms.millis()).await;
    event!("http.client.gone", {}, { request: number });
    if resets {
        let _ = stream.set_zero_linger();
        return Some(());
    }
    let _ = stream.shutdown().await;
    let _ = timeout(10.secs(), stream.read_to_end(&mut Vec::new())).await;
    Some(())
}

/// Says half of something: the server has to end it.
async fn dawdle(addr: SocketAddr, number: &mut u64, in_body: bool) -> Result<Option<()>, String> {
    let number = next(number);
    let Ok(mut stream) = TcpStream::connect(addr).await else { return Ok(None) };
    let head = format!("POST /page/{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    if in_body {
        let _ = stream.write_all(b"\r\nhalf").await;
    }
    let mut heard = Vec::new();
    if timeout(20.secs(), stream.read_to_end(&mut heard)).await.is_err() {
        return Err(format!("a slow client is not ended; it heard {:?}", String::from_utf8_lossy(&heard)));
    }
    let is_right = heard.is_empty() || heard.starts_with(b"HTTP/1.1 408 ");
    if is_right { Ok(Some(())) } else { Err(format!("a slow client heard {:?}", String::from_utf8_lossy(&heard))) }
}

/// Sends, and closes; the server may be first.
async fn socket(addr: SocketAddr, number: &mut u64, pauses_ms: &[u64]) -> Option<()> {
    let number = next(number);
    let mut socket = match ws::connect(&format!("ws://{addr}/socket/{number}"), &ws::Options::default()).await {
        Ok(socket) => socket,
        Err(ws::ConnectError::Client(client::ClientError::Connect { .. })) => return None,
        Err(_) => return Some(()), // the server drains
    };
    let mut sent = 0;
    for pause_ms in pauses_ms {
        match socket.feed(Message::text("x".repeat(*pause_ms as usize * 50))) {
            Ok(()) => sent += 1,
            Err(SendError::Closing) => break,
            Err(error) => panic!("{error}"),
        }
        // Flushes, and hears what there is.
        match timeout(pause_ms.millis(), socket.recv()).await {
            Ok(Ok(Some(_))) | Err(_) => {}
            Ok(Ok(None)) => break,
            Ok(Err(_)) => return Some(()),
        }
    }
    if socket.close(CloseCode::NORMAL, "").await.is_ok() {
        event!("ws.client.closed", {}, { socket: number, sent: sent });
    }
    Some(())
}
