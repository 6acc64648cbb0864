//! Clients that mean harm, and one that does not.

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_http::{Body, Request, client};
use simurgh_sim::Stream;

use super::FLOOD_MAX;
use super::what::{Flood, What};

/// Things that one client does.
const STEPS: u64 = 5;

/// Pages that the neighbour wants.
const PAGES: u64 = 12;

/// What a client will do: drawn before it starts.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The first request's number.
    first: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// The same again and again, in pieces of this length, until it is ended; or left after so many bytes.
    Flood { what: What, len: u64, leaves_after: Option<u64> },
    /// So many connections at once, a byte now and then on each.
    Crowd { connections: u64, pause_ms: u64, in_body: bool },
    /// Asks for much, and reads nothing for a while.
    Deaf { for_ms: u64 },
}

impl Plan {
    pub(super) fn draw(mut stream: Stream, client: u64) -> Self {
        let steps = (0..STEPS).map(|_| Step::draw(&mut stream)).collect();
        Self { first: (client + 1) * 1_000, steps }
    }
}

impl Step {
    fn draw(stream: &mut Stream) -> Self {
        match stream.below(8) {
            0 => Self::Deaf { for_ms: stream.between(100, 8_000) },
            1 => {
                let in_body = stream.chance(0.5);
                Self::Crowd { connections: stream.between(2, 12), pause_ms: stream.between(20, 900), in_body }
            }
            _ => {
                let leaves_after = stream.chance(0.2).then(|| stream.between(1, 300_000));
                Self::Flood { what: What::draw(stream), len: stream.between(1, 16_000), leaves_after }
            }
        }
    }
}

/// The program of a client's node.
pub(super) async fn main(addr: SocketAddr, plan: Plan) -> Result<(), String> {
    let mut number = plan.first;
    for step in plan.steps {
        match step {
            Step::Flood { what, len, leaves_after } => {
                number += 1;
                flood(addr, number, what, len as usize, leaves_after).await?;
            }
            Step::Crowd { connections, pause_ms, in_body } => {
                let crowd = number + 1..number + 1 + connections;
                number += connections;
                let members: Vec<_> = crowd.map(|number| spawn(dawdle(addr, number, pause_ms, in_body))).collect();
                for member in members {
                    member.await.map_err(|error| error.to_string())??;
                }
            }
            Step::Deaf { for_ms } => {
                number += 1;
                deaf(addr, number, for_ms).await?;
            }
        }
    }
    Ok(())
}

/// Sends without end, and wants to be ended.
async fn flood(addr: SocketAddr, number: u64, what: What, len: usize, leaves_after: Option<u64>) -> Result<(), String> {
    let Ok(stream) = TcpStream::connect(addr).await else { return Ok(()) };
    let (mut reader, mut writer) = stream.into_split();
    let Flood { begin, unit, counts } = Flood::new(what, number, len);
    let most = leaves_after.unwrap_or(FLOOD_MAX);
    let mut heard = Vec::new();
    let pour = async {
        let mut sent = 0;
        if writer.write_all(&begin).await.is_err() {
            return sent;
        }
        let piece = unit.repeat((16_384 / unit.len()).max(1));
        while sent < most {
            let Ok(written) = writer.write(&piece).await else { return sent };
            // A piece is many units: what is written of the last one hardly counts.
            sent += (written * counts / unit.len()) as u64;
            event!("http.client.sent", { bytes: sent }, { request: number });
            if written < piece.len() && writer.write_all(&piece[written..]).await.is_err() {
                return sent;
            }
            sent += ((piece.len() - written) * counts / unit.len()) as u64;
        }
        sent
    };
    let ended = timeout(60.secs(), async {
        select! {
            biased;
            _ = reader.read_to_end(&mut heard) => None,
            sent = pour => Some(sent),
        }
    });
    match ended.await {
        Err(_) => Err(format!("{what:?} is not ended")),
        Ok(Some(sent)) if sent >= most && leaves_after.is_none() => {
            Err(format!("{what:?} was let go on to {sent} bytes"))
        }
        Ok(_) => Ok(()),
    }
}

/// What the server says to who is late.
const LATE: &[u8] = b"HTTP/1.1 408 ";

/// Says a byte at a time: the server has to end it.
async fn dawdle(addr: SocketAddr, number: u64, pause_ms: u64, in_body: bool) -> Result<(), String> {
    let Ok(stream) = TcpStream::connect(addr).await else { return Ok(()) };
    let (mut reader, mut writer) = stream.into_split();
    let head = format!("POST /collect/{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\nx: ");
    let mut heard = Vec::new();
    let ended = timeout(120.secs(), async {
        let drip = async {
            let _ = writer.write_all(head.as_bytes()).await;
            if in_body {
                let _ = writer.write_all(b"y\r\n\r\n").await;
            }
            while writer.write_all(b"y").await.is_ok() {
                sleep(pause_ms.millis()).await;
            }
        };
        select! {
            _ = reader.read_to_end(&mut heard) => {}
            () = drip => {}
        }
    });
    if ended.await.is_err() {
        return Err(format!("who dawdles is not ended; it heard {:?}", String::from_utf8_lossy(&heard)));
    }
    // A reset may overtake it.
    let is_right = heard.starts_with(LATE) || LATE.starts_with(&heard);
    if is_right { Ok(()) } else { Err(format!("who dawdles heard {:?}", String::from_utf8_lossy(&heard))) }
}

/// Lets an answer wait.
async fn deaf(addr: SocketAddr, number: u64, for_ms: u64) -> Result<(), String> {
    let Ok(mut stream) = TcpStream::connect(addr).await else { return Ok(()) };
    let head = format!("GET /big/{number} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).await.is_err() {
        return Ok(());
    }
    sleep(for_ms.millis()).await;
    let (mut heard, mut piece) = (0, vec![0; 16 << 10]);
    let rest = async {
        while let Ok(len) = stream.read(&mut piece).await
            && len > 0
        {
            heard += len as u64;
            event!("http.client.heard", { bytes: heard }, { request: number });
        }
    };
    timeout(120.secs(), rest).await.map_err(|_| "an answer that nobody read has no end".to_owned())
}

/// Wants pages, one after the other.
pub(super) async fn neighbour(addr: SocketAddr) -> Result<(), String> {
    let mut connection = None;
    for number in 1..=PAGES {
        let answer = timeout(120.secs(), page(addr, &mut connection, number)).await;
        let answer = answer.map_err(|_| format!("page {number} is not answered"))?;
        if answer != number.to_string() {
            event!("http.client.mismatch", {}, { request: number });
        }
        sleep(300.millis()).await;
    }
    Ok(())
}

/// Asks until it is answered: a request that is late on its way is 408, and ends its connection.
async fn page(addr: SocketAddr, open: &mut Option<client::Connection>, number: u64) -> String {
    loop {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/page/{number}").parse().expect("a path");
        let connection = match open.take() {
            Some(connection) => Ok(connection),
            None => client::Connection::connect(addr).await,
        };
        if let Ok(mut connection) = connection
            && let Ok(answer) = connection.send(request).await
            && answer.status() == 200
            && let Ok(body) = answer.into_body().collect(1_000).await
        {
            *open = Some(connection);
            return String::from_utf8_lossy(&body).into_owned();
        }
        sleep(100.millis()).await;
    }
}
