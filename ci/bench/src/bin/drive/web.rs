//! Requests and WebSockets beside their peers.

use bench::{Pinned, Ratio, at_most, bytes_per_connection, header, median, port};

/// Rounds that count, after one to warm up; in each every server has its turn.
const ROUNDS: usize = 16;
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
under way on each connection. {ROUNDS} rounds of 2 s for each server after one to warm up, in an order that turns; a
ratio is ours to the peer's in the same round, its median with a 90 % interval by order statistics. Processor time
is the server's, user and system, by the scheduler's count. \"Not behind\" is met when the interval's bad end is within
3 % of equal. Each peer is there on tokio's scheduler for several threads, with one, and on that for one thread
(`{ALONE}`); ours is held against the one that takes less processor time. Ours chooses by itself: one core, one thread.
It has its default limits, a supervised process per connection, its time limits and its counters; the
peers have none of these."
    );
    for (title, path) in [("plain text", "/plain"), ("JSON", "/json")] {
        let open = move |port| format!("http {port} {CONNECTIONS} {path}");
        let sides = ["ours", "hyper", "hyper-alone", "axum", "axum-alone"].map(|name| Side::start(name, open));
        let bars = [("hyper", NEAR), ("axum", NOT_BEHIND)];
        table(&format!("{title}, {CONNECTIONS} connections"), rounds(title, sides), &bars);
    }
    for connections in [100, 1_000] {
        let open = move |port| format!("websocket {port} {connections} {MESSAGE_LEN}");
        let sides = ["websocket", "tungstenite", "tungstenite-alone", "fastwebsockets", "fastwebsockets-alone"];
        let sides = sides.map(|name| Side::start(name, open));
        let title = format!("WebSocket echo, {connections} connections, {MESSAGE_LEN} bytes");
        let bars = [("tungstenite", NOT_BEHIND), ("fastwebsockets", NOT_BEHIND)];
        table(&title, rounds(&title, sides), &bars);
    }
    memory();
}

/// All sides in turn, each round beginning with another.
fn rounds<const N: usize>(what: &str, mut sides: [Side; N]) -> [Side; N] {
    for round in 0..=ROUNDS {
        for at in 0..N {
            sides[(round + at) % N].run(round > 0);
        }
        eprint!("\r  {what}: round {round} of {ROUNDS}          ");
    }
    eprintln!();
    sides
}

fn table<const N: usize>(title: &str, sides: [Side; N], bars: &[(&str, f64)]) {
    println!("\n## {title}\n");
    println!("| server | processor time | per second | p50 | p99 | p99 / p50 |\n| --- | --- | --- | --- | --- | --- |");
    for side in &sides {
        let of = |values: &Vec<f64>| median(values.clone());
        let Figures { cpu_us, rate, p50_us, p99_us } = &side.figures;
        println!(
            "| {} | {:.2} us | {:.0} | {:.0} us | {:.0} us | {:.1} |",
            side.name,
            of(cpu_us),
            of(rate),
            of(p50_us),
            of(p99_us),
            of(p99_us) / of(p50_us)
        );
    }
    let [ours, peers @ ..] = &sides[..] else { panic!("ours comes first") };
    println!("\n| ours beside | processor time | bar | verdict |\n| --- | --- | --- | --- |");
    for (peer, bar) in bars {
        let side = at_its_best(peers, peer);
        let pairs = ours.figures.cpu_us.iter().zip(&side.figures.cpu_us);
        let ratio = Ratio::of(pairs.map(|(ours, peer)| ours / peer).collect());
        println!("| {} | {ratio} | <= {bar:.2} | {} |", side.name, at_most(&ratio, *bar));
    }
    let fairness = ours.figures.p99_us.iter().zip(&ours.figures.p50_us).map(|(p99, p50)| p99 / p50).collect();
    let fairness = Ratio::of(fairness);
    println!("\nFair, p99 / p50 of ours: {fairness}, bar {FAIR:.0}: {}.", at_most(&fairness, FAIR));
}

/// The peer on the scheduler on which it takes less processor time.
fn at_its_best<'a>(peers: &'a [Side], peer: &str) -> &'a Side {
    let of_peer = peers.iter().filter(|side| side.name.strip_suffix(ALONE).unwrap_or(side.name) == peer);
    let cost = |side: &&Side| median(side.figures.cpu_us.clone());
    of_peer.min_by(|one, other| cost(one).total_cmp(&cost(other))).expect("a side of this table")
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
