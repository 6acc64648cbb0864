//! Requests and WebSockets beside their peers.

use bench::{Pinned, Ratio, at_most, bytes_per_connection, header, median, port};

/// Rounds in which every server has its turn, after one to warm up: they choose the scheduler for each peer.
const CHOICE_ROUNDS: usize = 4;
/// Rounds that count: ours and the chosen ones in turn, and once more in the opposite order, so that a machine that
/// grows slower in the meantime is as slow for each.
const ROUNDS: usize = 20;
const CONNECTIONS: u64 = 64;
const MEMORY_CONNECTIONS: u64 = 10_000;
const MEMORY_ROUNDS: usize = 3;
/// Bytes of a message that is echoed.
const MESSAGE_LEN: u64 = 64;
/// The bars: beside bare hyper, and where it is only not to be behind.
const NEAR: f64 = 1.10;
const NOT_BEHIND: f64 = 1.03;
/// The slowest hundredth waits at most so many times as long as the middle.
const FAIR: f64 = 5.0;

/// After a peer's name: on tokio's scheduler for one thread, not on the one for several.
const ALONE: &str = "-alone";

/// What was measured of one server in each round.
#[derive(Default)]
struct Figures {
    cpu_us: Vec<f64>,
    rate: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

struct Side {
    name: &'static str,
    server: Pinned,
    load: Pinned,
    figures: Figures,
}

impl Side {
    /// A server, and a generator that has opened its connections to it.
    fn start(name: &'static str, open: impl Fn(u16) -> String) -> Self {
        let mut server = Pinned::start(0, "web_server", &[name]);
        let port = port(&server.line());
        let mut load = Pinned::start(1, "web_load", &[]);
        load.ask(&open(port));
        Self { name, server, load, figures: Figures::default() }
    }

    fn run(&mut self, counts: bool) {
        let before = self.server.cpu_ns();
        let answer = self.load.ask("run 2000");
        let [count, seconds, p50, p99] = answer[..] else { panic!("four numbers") };
        if counts {
            self.figures.cpu_us.push((self.server.cpu_ns() - before) / count / 1e3);
            self.figures.rate.push(count / seconds);
            self.figures.p50_us.push(p50);
            self.figures.p99_us.push(p99);
        }
    }
}

pub fn measure() {
    header("Requests and WebSockets beside their peers", "ci/bench/run web");
    println!(
        "\
Server on core 0 with one worker thread, a generator for each server on core 1, loopback, TCP_NODELAY, one exchange
under way on each connection. Each peer is there on tokio's scheduler for several threads, with one, and on that for one
thread (`{ALONE}`): {CHOICE_ROUNDS} rounds of 2 s for each server, after one to warm up, tell which takes less processor
time, and ours is held against that. Ours chooses by itself: one core, one thread. Then {ROUNDS} rounds of ours and the
chosen ones, each 2 s for each in an order that turns, and 2 s more in the opposite order. A ratio is ours to the peer's
in the same round, its median with a 90 % interval by order statistics. Processor time is the server's, user and system,
by the scheduler's count. \"Not behind\" is met when the interval's bad end is within 3 % of equal. Ours has its default
limits (but ends no connection after 100,000 requests), a supervised process per connection, its time limits and its
counters; the peers have none of these."
    );
    for (title, path) in [("plain text", "/plain"), ("JSON", "/json")] {
        let open = move |port| format!("http {port} {CONNECTIONS} {path}");
        let sides = ["ours", "hyper", "hyper-alone", "axum", "axum-alone"].map(|name| Side::start(name, open));
        table(&format!("{title}, {CONNECTIONS} connections"), sides, [("hyper", NEAR), ("axum", NOT_BEHIND)]);
    }
    for connections in [100, 1_000] {
        let open = move |port| format!("websocket {port} {connections} {MESSAGE_LEN}");
        let sides = ["websocket", "tungstenite", "tungstenite-alone", "fastwebsockets", "fastwebsockets-alone"];
        let sides = sides.map(|name| Side::start(name, open));
        let title = format!("WebSocket echo, {connections} connections, {MESSAGE_LEN} bytes");
        table(&title, sides, [("tungstenite", NOT_BEHIND), ("fastwebsockets", NOT_BEHIND)]);
    }
    memory();
}

fn table(title: &str, mut sides: [Side; 5], bars: [(&str, f64); 2]) {
    for round in 0..=CHOICE_ROUNDS {
        sides.iter_mut().for_each(|side| side.run(round > 0));
        eprint!("\r  {title}: the peers' schedulers, round {round} of {CHOICE_ROUNDS}          ");
    }
    let chosen = [0, at_its_best(&sides, bars[0].0), at_its_best(&sides, bars[1].0)];
    for at in chosen {
        sides[at].figures = Figures::default();
    }
    for round in 0..ROUNDS {
        let turn = |at: usize| chosen[(round + at) % chosen.len()];
        for at in [0, 1, 2, 2, 1, 0].map(turn) {
            sides[at].run(true);
        }
        eprint!("\r  {title}: round {} of {ROUNDS}                              ", round + 1);
    }
    eprintln!();
    println!("\n## {title}\n");
    println!("| server | processor time | per second | p50 | p99 | p99 / p50 |\n| --- | --- | --- | --- | --- | --- |");
    for (at, side) in sides.iter().enumerate() {
        let of = |values: &Vec<f64>| median(values.clone());
        let Figures { cpu_us, rate, p50_us, p99_us } = &side.figures;
        println!(
            "| {}{} | {:.2} us | {:.0} | {:.0} us | {:.0} us | {:.1} |",
            side.name,
            if chosen.contains(&at) { "" } else { ", not chosen" },
            of(cpu_us),
            of(rate),
            of(p50_us),
            of(p99_us),
            of(p99_us) / of(p50_us)
        );
    }
    println!("\n| ours beside | processor time | bar | verdict |\n| --- | --- | --- | --- |");
    let costs = |at: usize| sides[at].figures.cpu_us.chunks(2).map(|both| both.iter().sum::<f64>());
    for ((_, bar), at) in bars.into_iter().zip(&chosen[1..]) {
        let ratio = Ratio::of(costs(0).zip(costs(*at)).map(|(ours, peer)| ours / peer).collect());
        println!("| {} | {ratio} | <= {bar:.2} | {} |", sides[*at].name, at_most(&ratio, bar));
    }
    let Figures { p50_us, p99_us, .. } = &sides[0].figures;
    let fairness = Ratio::of(p99_us.iter().zip(p50_us).map(|(p99, p50)| p99 / p50).collect());
    println!("\nFair, p99 / p50 of ours: {fairness}, bar {FAIR:.0}: {}.", at_most(&fairness, FAIR));
}

/// Where the peer stands on the scheduler on which it takes less processor time.
fn at_its_best(sides: &[Side], peer: &str) -> usize {
    let is_peer = |at: &usize| sides[*at].name.strip_suffix(ALONE).unwrap_or(sides[*at].name) == peer;
    let cost = |at: usize| median(sides[at].figures.cpu_us.clone());
    let of_peer = (0..sides.len()).filter(is_peer);
    of_peer.min_by(|one, other| cost(*one).total_cmp(&cost(*other))).expect("a side of this table")
}

fn memory() {
    println!("\n## Memory per idle WebSocket\n");
    println!(
        "\
Growth of the server's VmRSS from 64 connections made and gone to {MEMORY_CONNECTIONS} that are open, have echoed one message
and wait; default allocator, a new server each time; median of {MEMORY_ROUNDS} (least to most). Bar: 4,096 B.
"
    );
    println!("| server | bytes | verdict |\n| --- | --- | --- |");
    for name in ["websocket", "tungstenite", "fastwebsockets"] {
        let mut bytes: Vec<f64> = (0..MEMORY_ROUNDS).map(|_| idle(name)).collect();
        bytes.sort_by(f64::total_cmp);
        let (least, most) = (bytes[0], bytes[MEMORY_ROUNDS - 1]);
        let verdict = match name {
            "websocket" if most <= 4_096.0 => "met",
            "websocket" if least > 4_096.0 => "NOT MET",
            "websocket" => "inconclusive",
            _ => "",
        };
        println!("| {name} | {:.0} ({least:.0} to {most:.0}) | {verdict} |", median(bytes));
    }
}

fn idle(name: &str) -> f64 {
    let (server, load) = (Pinned::start(0, "web_server", &[name]), Pinned::start(1, "web_load", &[]));
    let open = |port, count| format!("websocket {port} {count} {MESSAGE_LEN}");
    bytes_per_connection(server, load, MEMORY_CONNECTIONS, open)
}
