//! A client: says lines and expects each back, over connections that may break at any time.

use std::io;
use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh::runtime::task;
use simurgh_sim::Stream;

/// What a client will do: drawn before it starts, so that a restart does the same.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    tabs: Vec<Vec<Line>>,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    len: usize,
    seed: u8,
    server: usize,
    think_ms: u64,
}

impl Line {
    /// A line of so many bytes, which ones the seed says.
    pub(super) fn new(len: usize, seed: u8) -> Self {
        Self { len, seed, server: 0, think_ms: 0 }
    }
}

impl Plan {
    /// One to three tabs that share the lines between them.
    pub(crate) fn draw(mut stream: Stream, lines: u64) -> Self {
        let tabs = stream.between(1, 3);
        let mut plan = Self { tabs: vec![Vec::new(); tabs as usize] };
        for number in 0..lines {
            let len = match stream.below(10) {
                0 => stream.between(1_000, 9_000),
                _ => stream.between(1, 300),
            };
            let line = Line {
                len: len as usize,
                seed: stream.u64() as u8,
                server: stream.below(2) as usize,
                think_ms: stream.between(10, 300),
            };
            plan.tabs[(number % tabs) as usize].push(line);
        }
        plan
    }
}

/// The program of a client node.
pub(crate) async fn main(servers: Vec<SocketAddr>, plan: Plan) -> Result<(), String> {
    let tabs: Vec<_> = (1..)
        .zip(plan.tabs)
        .map(|(number, lines)| task::Builder::new().label(("tab", number)).spawn(tab(servers.clone(), lines)))
        .collect();
    for tab in tabs {
        tab.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// One tab: a connection, and another one when it breaks, until all lines are said.
async fn tab(servers: Vec<SocketAddr>, lines: Vec<Line>) -> Result<(), String> {
    const TRIES: u32 = 10_000;
    let mut lines = lines.into_iter().peekable();
    let mut wait_ms = 50;
    for _ in 0..TRIES {
        let Some(line) = lines.peek() else { return Ok(()) };
        let addr = servers[line.server % servers.len()];
        let Ok(Ok(mut stream)) = timeout(5.secs(), TcpStream::connect(addr)).await else {
            sleep(wait_ms.millis()).await;
            wait_ms = (wait_ms * 2).min(2_000);
            continue;
        };
        if buggify!("client.storms") {
            storm(addr).await;
        }
        if buggify!("client.silent") {
            sleep(3.secs()).await;
        }
        let mut served = 0;
        while let Some(line) = lines.peek() {
            match timeout(20.secs(), exchange(&mut stream, line)).await {
                Ok(Ok(())) => {
                    served += 1;
                    wait_ms = 50;
                    let think = line.think_ms.millis();
                    lines.next();
                    sleep(think).await;
                    if buggify!("client.vanishes") {
                        break; // without a word, in the middle of it all
                    }
                }
                Ok(Err(error)) => {
                    // Before the first answer it may have been refused; that is no break.
                    if served > 0 {
                        broken(&stream, &error.to_string());
                    }
                    break;
                }
                Err(_) => {
                    broken(&stream, "no answer in time");
                    break;
                }
            }
        }
        drop(stream);
        sleep(wait_ms.millis()).await;
    }
    Err(format!("{} lines are left after {TRIES} connections", lines.count()))
}

/// More connections at once than one address may have.
async fn storm(addr: SocketAddr) {
    let one = || async {
        if let Ok(mut stream) = TcpStream::connect(addr).await {
            let _ = timeout(100.millis(), stream.read(&mut [0; 1])).await;
        }
    };
    let _ = timeout(5.secs(), async { join!(one(), one(), one(), one(), one()) }).await;
}

fn broken(stream: &TcpStream, error: &str) {
    let local = stream.local_addr().map_or_else(|_| "unknown".to_owned(), |addr| addr.to_string());
    event!("echo.client.broken", { count: 1 }, { local: &local, error: error });
}

/// Says a line and reads it back; at the same time, so that neither side's buffers need hold it all.
pub(super) async fn exchange(stream: &mut TcpStream, line: &Line) -> io::Result<()> {
    // Far more than fits into the buffers between here and there.
    let len = if buggify!("client.talks_a_lot") { line.len * 40 } else { line.len };
    let said: Vec<u8> = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ line.seed).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let stalls = buggify!("client.stalls");
    let reading = async {
        if stalls {
            sleep(2.secs()).await;
        }
        let mut heard = vec![0; said.len()];
        read.read_exact(&mut heard).await?;
        if let Some(offset) = said.iter().zip(&heard).position(|(said, heard)| said != heard) {
            event!("echo.client.mismatch", { offset: offset });
        }
        io::Result::Ok(())
    };
    let (wrote, heard) = join!(write.write_all(&said), reading);
    wrote.and(heard)
}

/// One short exchange over a connection of its own.
pub(crate) async fn say_once(addr: SocketAddr, text: &[u8]) -> io::Result<()> {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(text).await?;
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard).await
    };
    timeout(10.secs(), exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(drop)
}
