//! The child processes of `lab echo`: the server with a few commands for the demonstration, and
//! clients that hold connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simurgh::config::Source;
use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh::runtime::sync::Mutex;
use simurgh::runtime::{Scope, random};

use super::{Echo, EchoSettings};
use crate::demo::next_command;

/// The server: the plain service, and commands on standard input.
///
/// # Errors
/// If it cannot listen.
pub async fn server(port: u16, connections: u64) -> Result<(), String> {
    // The demonstration keeps connections that say nothing for a while.
    let source = Source::new()
        .var("ECHO_ADDR", &format!("127.0.0.1:{port}"))
        .var("ECHO_MAX_CONNECTIONS", &(connections + 16).to_string())
        .var("ECHO_MAX_PER_ADDRESS", &(connections + 16).to_string())
        .var("ECHO_HANDSHAKE_TIMEOUT", "10m")
        .var("ECHO_READ_TIMEOUT", "10m");
    let settings = EchoSettings::load(&source).map_err(|errors| errors.to_string())?;
    let echo = Echo::start(&settings).await.map_err(|error| error.to_string())?;
    out!("Listening on port {}...", echo.listener.local_addr().port());
    while let Some(command) = next_command().await {
        let answer = match command.as_str() {
            "count" => echo.listener.count().to_string(),
            "listed" => echo.listener.connections().len().to_string(),
            "list" => {
                let connections = echo.listener.connections();
                let names: Vec<String> =
                    connections.iter().filter_map(|one| Some(format!("{} from {}", one.pid?, one.peer))).collect();
                names.join(", ")
            }
            "kill 1" => kill_one_in_a_hundred(&echo).to_string(),
            "drain" => {
                let report = echo.stop().await;
                format!("drained: {} finished, {} killed", report.finished, report.killed)
            }
            other => format!("unknown command: {other}"),
        };
        out!("{answer}");
    }
    Ok(())
}

fn kill_one_in_a_hundred(echo: &Echo) -> usize {
    let mut pids: Vec<Pid> = echo.listener.connections().iter().filter_map(|one| one.pid).collect();
    let wanted = pids.len().div_ceil(100);
    for _ in 0..wanted {
        let index = random::range(0..pids.len() as u64) as usize;
        otp::kill(pids.swap_remove(index));
    }
    wanted
}

/// Clients: hold connections and echo over all of them, by commands on standard input.
///
/// # Errors
/// None; the commands' answers say what went wrong.
pub async fn clients(addr: SocketAddr) -> Result<(), String> {
    let mut streams: Vec<TcpStream> = Vec::new();
    while let Some(command) = next_command().await {
        let mut words = command.split_whitespace();
        let (verb, number) = (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse().ok()));
        let answer = match (verb, number) {
            ("connect", Some(count)) => {
                let made = connect(addr, count).await;
                let answer = made.len().to_string();
                streams.extend(made);
                answer
            }
            ("echo", Some(rounds)) => {
                let (held, right, wrong) = echo(std::mem::take(&mut streams), rounds).await;
                streams = held;
                format!("{right} {wrong}")
            }
            ("close", None) => {
                streams.clear();
                "closed".to_owned()
            }
            _ => format!("unknown command: {command}"),
        };
        out!("{answer}");
    }
    Ok(())
}

/// Connections made at once.
const AT_ONCE: u64 = 64;

async fn connect(addr: SocketAddr, count: u64) -> Vec<TcpStream> {
    let made = Arc::new(Mutex::new(Vec::new()));
    let left = Arc::new(AtomicU64::new(count));
    let scope = Scope::new();
    for _ in 0..AT_ONCE.min(count) {
        let (made, left) = (Arc::clone(&made), Arc::clone(&left));
        scope.spawn("connecting", async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let Ok(Ok(stream)) = timeout(30.secs(), TcpStream::connect(addr)).await else { return };
                made.lock().push(stream);
            }
        });
    }
    let _ = scope.wait().await;
    std::mem::take(&mut *made.lock())
}

/// Echoes `rounds` lines on each stream; gives back the streams that work, and counts of lines.
async fn echo(streams: Vec<TcpStream>, rounds: u64) -> (Vec<TcpStream>, u64, u64) {
    let waiting = Arc::new(Mutex::new(streams));
    let held = Arc::new(Mutex::new(Vec::new()));
    let (right, wrong) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let scope = Scope::new();
    for _ in 0..AT_ONCE {
        let (waiting, held) = (Arc::clone(&waiting), Arc::clone(&held));
        let (right, wrong) = (Arc::clone(&right), Arc::clone(&wrong));
        scope.spawn("echoing", async move {
            loop {
                let next = waiting.lock().pop();
                let Some(mut stream) = next else { return };
                let mut works = true;
                for round in 0..rounds {
                    works = works && one(&mut stream, round).await;
                    (if works { &right } else { &wrong }).fetch_add(1, Ordering::Relaxed);
                }
                if works {
                    held.lock().push(stream);
                }
            }
        });
    }
    let _ = scope.wait().await;
    let held = std::mem::take(&mut *held.lock());
    (held, right.load(Ordering::Relaxed), wrong.load(Ordering::Relaxed))
}

async fn one(stream: &mut TcpStream, round: u64) -> bool {
    let mut line = [b'.'; 64];
    line[..8].copy_from_slice(&round.to_le_bytes());
    let exchange = async {
        stream.write_all(&line).await?;
        let mut back = [0; 64];
        stream.read_exact(&mut back).await?;
        std::io::Result::Ok(back == line)
    };
    matches!(timeout(30.secs(), exchange).await, Ok(Ok(true)))
}
