//! Clients that leave while they are served: with the end of their stream, which may mean that they only have no more
//! to say, or with a reset.
//!
//! ```text
//!   half-close    who may end only his side is answered, reads and writes alike; for another server he has gone
//!   gone          a read ends within 50 ms, a write that began goes on to its end
//!   crowded       writes that do not end: few go on without their clients, and none for long
//! ```

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_http::{Client, Options, Request, Response, Server, Service};
use simurgh_invariants::{HttpNothingAfterGone, HttpOneResponse, HttpWritesFinish};
use simurgh_sim::{Exit, Node, Outcome, Profile, Registry, Sim, Simulation, Stream};

use super::PORT;

const CLIENTS: u64 = 6;
const STEPS: u64 = 8;

/// Writes that go on without their clients, at once, where there are many; and for how long.
const SHIELDED_MAX: usize = 3;
const SHIELD_MS: u64 = 1_000;

/// How soon the last work on a read is done: the server's 50 ms, and the network's 1 ms.
const GRACE: Duration = Duration::from_millis(51);

/// The planted bugs that `http/leaving` must find.
pub const PLANTED: [&str; 2] = ["http.write-not-shielded", "http.ignores-gone"];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "clients that half-close and reset while they are served, and writes that go on without them";
    let simulation = Simulation::new("http/leaving", about, leaving);
    registry.with(simulation.profile(profile()).planted_plainly(&PLANTED))
}

/// A network that takes 1 ms, whatever else happens: it shows what the server adds.
pub fn profile() -> Profile {
    let nasty = Profile::nasty().without_faults();
    Profile { loss_max: 0.0, pair_latency_max_ns: 0, latency_varies: false, ..nasty }
}

/// What is so in a run: drawn before it starts.
#[derive(Debug, Clone, Copy)]
struct World {
    half_close: bool,
    crowded: bool,
}

/// The whole story: see the module.
///
/// # Errors
/// If the server or a client does not end as it should.
pub async fn leaving(sim: Sim) -> Outcome {
    sim.watch(HttpOneResponse::default());
    sim.watch(HttpNothingAfterGone::within(GRACE));
    sim.watch(HttpWritesFinish);

    let mut drawn = sim.workload("world");
    let world = World { half_close: drawn.chance(0.5), crowded: drawn.chance(0.3) };
    let server = sim.node("server", move || serve(world));
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), PORT);
    let clients: Vec<Node> = (0..CLIENTS)
        .map(|number| {
            let name = format!("client{number}");
            let mut stream = sim.workload(&name);
            let steps: Vec<Step> = (0..STEPS).map(|_| Step::draw(&mut stream, world)).collect();
            sim.node(&name, move || client(addr, number * 1_000, steps.clone(), world))
        })
        .collect();
    for client in &clients {
        match timeout(300.secs(), client.ended()).await {
            Ok(Exit::Finished) => {}
            other => return Err(format!("{}: {other:?}", client.name()).into()),
        }
    }
    match server.stop(60.secs()).await {
        Exit::Finished => Ok(()),
        other => Err(format!("the server did not end in order: {other:?}").into()),
    }
}

/// The program of the server's node.
async fn serve(world: World) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let end = runtime::signal::shutdown().map_err(|error| words(&error))?;
    let shielded_max = if world.crowded { SHIELDED_MAX } else { 1_000 };
    let options = Options {
        half_close: world.half_close,
        shielded_max,
        shield_timeout: SHIELD_MS.millis(),
        ..Options::default()
    };
    let longest_ms = Arc::new(AtomicU64::new(0));
    let addr = ([0, 0, 0, 0], PORT).into();
    let app = App { longest_ms: Arc::clone(&longest_ms) };
    let server = Server::start(addr, options, app).await.map_err(|error| words(&error))?;
    runtime::ready();
    let (mut most, mut end) = (0, pin!(end));
    while timeout(5.millis(), &mut end).await.is_err() {
        most = server.shielded().max(most);
    }
    let since = Instant::now();
    let report = server.drain().await;
    let left = (report.killed, server.listener().count(), server.shielded());
    if left != (0, 0, 0) {
        return Err(format!("killed, connections and handlers that are left: {left:?}"));
    }
    if most > shielded_max {
        return Err(format!("{most} writes went on without their clients, {shielded_max} may"));
    }
    if world.crowded && most == 0 {
        return Err("nobody left a write".to_owned());
    }
    let longest_ms = longest_ms.load(Ordering::Relaxed);
    if longest_ms > LEAVES_MS_MAX + SHIELD_MS + 50 {
        return Err(format!("a write that does not end went on for {longest_ms} ms"));
    }
    let drained_ms = since.elapsed().as_millis() as u64;
    if drained_ms > SHIELD_MS + 50 {
        return Err(format!("the drain took {drained_ms} ms"));
    }
    Ok(())
}

/// `/<what>/<number>/<ms>`: works for so long, and answers with the number.
struct App {
    /// How long the longest of the writes went on that do not end.
    longest_ms: Arc<AtomicU64>,
}

impl Service for App {
    async fn call(&self, request: Request, _: &Client) -> Response {
        let path = request.uri().path().to_owned();
        let words: Vec<&str> = path.split('/').skip(1).collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
        let (request, for_ms) = (number(1), number(2));
        let began = Instant::now();
        let is_over = || began.elapsed() >= for_ms.millis();
        match words[0] {
            "read" => {
                while !is_over() {
                    event!("http.app.runs", {}, { request: request });
                    sleep(5.millis()).await;
                }
            }
            "write" => {
                let mut work = Work { request, result: "dropped" };
                sleep(for_ms.millis()).await;
                work.result = "done";
            }
            _ => {
                let _endless = Endless { began, longest_ms: &self.longest_ms };
                sleep(for_ms.millis()).await;
            }
        }
        Response::new(request.to_string().into())
    }
}

/// A write at work.
struct Work {
    request: u64,
    result: &'static str,
}

impl Drop for Work {
    fn drop(&mut self) {
        event!("http.app.end", {}, { request: self.request, is_write: 1u64, result: self.result });
    }
}

/// A write that does not end by itself.
struct Endless<'a> {
    began: Instant,
    longest_ms: &'a AtomicU64,
}

impl Drop for Endless<'_> {
    fn drop(&mut self) {
        self.longest_ms.fetch_max(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}

/// When a client leaves, at the latest.
const LEAVES_MS_MAX: u64 = 300;

/// What a client does, on a connection of its own.
#[derive(Debug, Clone, Copy)]
struct Step {
    what: &'static str,
    /// How long it takes to be answered.
    for_ms: u64,
    leaves_after_ms: u64,
    /// Only its side, to begin with.
    half: bool,
}

impl Step {
    fn draw(stream: &mut Stream, world: World) -> Self {
        let what = match (stream.chance(0.5), world.crowded) {
            (true, _) => "read",
            (false, true) => "endless",
            (false, false) => "write",
        };
        let half = stream.chance(0.5) && what != "endless";
        let for_ms = match what {
            "endless" => 60_000,
            // Who is not to be answered has to wait for long, so that work on it is seen.
            "read" if !(half && world.half_close) => stream.between(500, 2_000),
            _ => stream.between(0, 900),
        };
        Self { what, for_ms, leaves_after_ms: stream.between(0, LEAVES_MS_MAX), half }
    }
}

/// The program of a client's node.
async fn client(addr: SocketAddr, first: u64, steps: Vec<Step>, world: World) -> Result<(), String> {
    for (number, step) in (first + 1..).zip(steps) {
        let mut stream = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
        let method = if step.what == "read" { "GET" } else { "POST" };
        let Step { what, for_ms, leaves_after_ms, half } = step;
        let head = format!("{method} /{what}/{number}/{for_ms} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        sleep(leaves_after_ms.millis()).await;
        if !(half && world.half_close) {
            event!("http.client.gone", {}, { request: number });
        }
        if !half {
            let _ = stream.set_zero_linger();
            continue;
        }
        stream.shutdown().await.map_err(|error| error.to_string())?;
        let mut heard = Vec::new();
        let ended = timeout(10.secs(), stream.read_to_end(&mut heard)).await;
        let heard = String::from_utf8_lossy(&heard);
        let is_answered = heard.starts_with("HTTP/1.1 200 ") && heard.ends_with(&format!("\r\n\r\n{number}"));
        let was_early = for_ms < leaves_after_ms + 100;
        if ended.is_err() || (world.half_close && !is_answered) {
            return Err(format!("who ended his side of {step:?} heard {heard:?}"));
        }
        if !world.half_close && !was_early && is_answered {
            return Err(format!("who had gone from {step:?} heard {heard:?}"));
        }
    }
    Ok(())
}
