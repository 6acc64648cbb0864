//! Channels beside a bare broadcaster on tokio-tungstenite.

use bench::{PAIRS, Pinned, Ratio, at_least, at_most, bytes_per_connection, header, median, never_above, port};

use crate::{pairs, ratio};

const FAIR: f64 = 5.0;
const NOT_BEHIND: f64 = 1.03;
/// Connections that wait.
const IDLE: [u64; 2] = [10_000, 19_000];
const PRESENT: u64 = 10_000;
const ROUNDS: usize = 3;
/// Pairs where the two are so near to each other that few of them say nothing.
const PACED_PAIRS: usize = 30;
const NAMES: [&str; 2] = ["bare", "ours"];

/// What pairs have measured; index 0 is the peer, 1 is ours.
#[derive(Default)]
struct Figures {
    cpu: [Vec<f64>; 2],
    rate: [Vec<f64>; 2],
    p50: [Vec<f64>; 2],
    p99: [Vec<f64>; 2],
}

impl Figures {
    /// Both servers with as many connections, and a command in turn.
    fn of(connections: u64, topics: &str, command: &str, count: usize) -> Self {
        let mut servers = NAMES.map(server);
        let ports = servers.each_mut().map(|server| port(&server.line()));
        let mut loads = [(); 2].map(|()| Pinned::start(1, "channels_load", &[]));
        for side in [0, 1] {
            loads[side].ask(&format!("open {} {connections} {topics}", ports[side]));
        }
        let mut figures = Self::default();
        pairs(&format!("{command}, {connections} connections"), count, |side, counts| {
            let before = servers[side].cpu_ns();
            let answer = loads[side].ask(command);
            if counts {
                figures.cpu[side].push((servers[side].cpu_ns() - before) / answer[0] / 1e3);
                figures.rate[side].push(answer[0] / answer[1]);
                figures.p50[side].push(answer[2] / 1e3);
                figures.p99[side].push(answer[3] / 1e3);
            }
        });
        figures
    }

    fn table(&self, title: &str) {
        println!("\n## {title}\n");
        println!("| server | per second | processor time | p50 | p99 |\n| --- | --- | --- | --- | --- |");
        for side in [0, 1] {
            let of = |values: &[Vec<f64>; 2]| median(values[side].clone());
            let (rate, cpu, p50, p99) = (of(&self.rate), of(&self.cpu), of(&self.p50), of(&self.p99));
            println!("| {} | {rate:.0} | {cpu:.2} us | {p50:.2} ms | {p99:.2} ms |", NAMES[side]);
        }
        println!("\n| figure | ours | bar | verdict |\n| --- | --- | --- | --- |");
    }
}

fn server(name: &str) -> Pinned {
    Pinned::start(0, "channels_server", &[name])
}

pub fn measure() {
    header("Channels beside a bare broadcaster", "ci/bench/run channels");
    println!(
        "\
Server on core 0 with one worker thread, generators on core 1, loopback, TCP_NODELAY, payloads of 64 bytes. {PAIRS}
interleaved pairs of 2 s after one to warm up, {PACED_PAIRS} where the pace is given; a ratio is ours to the peer's in the same pair, its median with a 90 %
interval by order statistics. Processor time is the server's, for an echo or a delivery. The peer is tokio-tungstenite
with a 4 KiB read buffer and a broadcast channel: it looks for a word in a message and hands it on as it is. Ours has
its default limits (but takes 20,000 connections, and waits an hour for heartbeats, which the load does not send), a
process for each connection and each channel, and writes a reply. \"Not behind\" is met when the interval's bad end is within 3 % of equal."
    );
    for connections in [100, 1_000] {
        let figures = Figures::of(connections, "own", "echo 2000", PAIRS);
        figures.table(&format!("Echo, {connections} connections, one message under way on each"));
        let rate = ratio(&figures.rate);
        println!("| rate, to the peer's | {rate} | >= 0.60 | {} |", at_least(&rate, 0.60));
        let fair = Ratio::of(figures.p99[1].iter().zip(&figures.p50[1]).map(|(p99, p50)| p99 / p50).collect());
        println!("| p99 / p50 | {fair} | <= {FAIR:.0} | {} |", at_most(&fair, FAIR));
    }
    for connections in [1_000, 10_000] {
        let figures = Figures::of(connections + 1, "one", "burst 2000", PAIRS);
        figures.table(&format!("Fan-out to {connections}, 16 messages under way"));
        let (rate, cpu) = (ratio(&figures.rate), ratio(&figures.cpu));
        println!("| rate, to the peer's | {rate} | >= 1.50 | {} |", at_least(&rate, 1.50));
        println!("| processor time of a delivery, to the peer's | {cpu} | <= 0.67 | {} |", at_most(&cpu, 0.67));
        println!("\nOne of the two has to be met: the second where the generator's core is full.");
    }
    for (connections, rate) in [(1_000, 20), (10_000, 2)] {
        let figures = Figures::of(connections + 1, "one", &format!("paced {rate} 2000"), PACED_PAIRS);
        figures.table(&format!("Fan-out to {connections}, {rate} messages a second"));
        let cpu = ratio(&figures.cpu);
        println!("| processor time of a delivery, to the peer's | {cpu} | <= 1.00 | {} |", at_most(&cpu, NOT_BEHIND));
        if connections == 10_000 {
            let p99 = Ratio::of(figures.p99[1].clone());
            println!("| p99, ms | {p99} | <= 120 | {} |", at_most(&p99, 120.0));
        }
    }
    connects();
    memory();
    presence();
}

/// Connections that are opened and joined, and then joins alone.
fn connects() {
    let (mut rate, mut joins) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut servers = NAMES.map(server);
    let ports = servers.each_mut().map(|server| port(&server.line()));
    let mut loads = [(); 2].map(|()| Pinned::start(1, "channels_load", &[]));
    pairs("connect and join", PAIRS, |side, counts| {
        let port = ports[side];
        let mut of = |commands: &[&str]| {
            let mut answer = Vec::new();
            for command in commands {
                answer = loads[side].ask(command);
            }
            loads[side].drop_held();
            answer[0] / answer[1]
        };
        let both = of(&[&format!("open {port} 5000 own")]);
        let joined = of(&[&format!("open {port} 5000 none"), "join"]);
        if counts {
            rate[side].push(both);
            joins[side].push(joined);
        }
    });
    println!("\n## Connect and join, 5,000 connections, 32 at once\n");
    println!("A join of the peer is a word that it looks for, and an echo of the message; ours starts a process.\n");
    println!("| | bare /s | ours /s | ratio | bar | verdict |\n| --- | --- | --- | --- | --- | --- |");
    let (all, [bare, ours]) = (ratio(&rate), rate.map(median));
    println!("| connect and join | {bare:.0} | {ours:.0} | {all} | >= 0.60 | {} |", at_least(&all, 0.60));
    let (all, [bare, ours]) = (ratio(&joins), joins.map(median));
    println!("| joins on open sockets | {bare:.0} | {ours:.0} | {all} | reported | |");
}

fn memory() {
    println!("\n## Memory per joined idle connection\n");
    println!(
        "\
Growth of the server's VmRSS from 64 connections made and gone to as many that have each joined a topic of their own and
wait; default allocator, a new server each time; median of {ROUNDS} (least to most). Bar: 8,192 B; aim: 5,120 B.
"
    );
    println!("| server | connections | bytes | verdict |\n| --- | --- | --- | --- |");
    for (name, count) in IDLE.into_iter().flat_map(|count| NAMES.map(|name| (name, count))) {
        let bytes: Vec<f64> = (0..ROUNDS).map(|_| idle(name, count)).collect();
        let (least, most) = bytes.iter().fold((f64::MAX, 0.0f64), |(low, high), of| (low.min(*of), high.max(*of)));
        let verdict = if name == "ours" { never_above(&bytes, 8_192.0) } else { "" };
        println!("| {name} | {count} | {:.0} ({least:.0} to {most:.0}) | {verdict} |", median(bytes));
    }
}

fn idle(name: &str, count: u64) -> f64 {
    let load = Pinned::start(1, "channels_load", &[]);
    bytes_per_connection(server(name), load, count, |port, count| format!("open {port} {count} own"))
}

fn presence() {
    println!("\n## Presence: joins of {PRESENT} rooms of one, until `presence_state` has come\n");
    println!("| joins /s, median of {ROUNDS} | bar | verdict |\n| --- | --- | --- |");
    let rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut server = server("ours");
            let port = port(&server.line());
            let mut load = Pinned::start(1, "channels_load", &[]);
            let answer = load.ask(&format!("presence {port} {PRESENT}"));
            answer[0] / answer[1]
        })
        .collect();
    let least = rates.iter().copied().fold(f64::MAX, f64::min);
    let verdict = if least >= 10_000.0 { "met" } else { "NOT MET" };
    println!("| {:.0} (least {least:.0}) | >= 10,000 | {verdict} |", median(rates));
}
