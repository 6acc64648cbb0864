//! Measures and prints a table: `drive echo`, `drive memory`, `drive seam`, `drive web`,
//! `drive channels`, `drive otp [--quick]`, `drive pubsub [--quick]`, `drive sim [web|streams|polls|idle]`.

mod channels;
mod otp;
mod pubsub;
mod sim;
mod web;

use std::process::{Command, Stdio};

use bench::{PAIRS, Pinned, Ratio, at_most, bytes_per_connection, header, median, port, sibling};

/// Connections open, and how many of them have a line under way.
const LOADS: [(u64, u64); 3] = [(1, 1), (100, 100), (10_000, 100)];
const ACCEPTS: u64 = 5_000;
const MEMORY_CONNECTIONS: u64 = 10_000;
const MEMORY_ROUNDS: usize = 3;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("echo") => echo(),
        Some("memory") => memory(),
        Some("seam") => seam(),
        Some("otp") => otp::measure(std::env::args().any(|arg| arg == "--quick")),
        Some("pubsub") => pubsub::measure(std::env::args().any(|arg| arg == "--quick")),
        Some("web") => web::measure(),
        Some("channels") => channels::measure(),
        Some("sim") => sim::measure(std::env::args().nth(2).as_deref()),
        _ => panic!("usage: drive echo|memory|seam|web|channels|sim|otp|pubsub [--quick]"),
    }
}

/// Ours to the peer's, pair by pair. Index 0 is the peer, 1 is ours.
fn ratio(of: &[Vec<f64>; 2]) -> Ratio {
    Ratio::of(of[1].iter().zip(&of[0]).map(|(ours, peer)| ours / peer).collect())
}

/// Calls `measure` with each side in turn, A B B A, for one pair to warm up and all that count.
fn pairs(what: &str, count: usize, mut measure: impl FnMut(usize, bool)) {
    for pair in 0..=count {
        for side in [pair % 2, 1 - pair % 2] {
            measure(side, pair > 0);
        }
        eprint!("\r  {what}: pair {pair} of {count}          ");
    }
    eprintln!();
}

fn peer() -> Pinned {
    Pinned::start(0, "peer", &["4096"])
}

fn ours() -> Pinned {
    Pinned::start(0, "ours", &[])
}

fn echo() {
    header("The echo service beside a bare tokio echo server", "ci/bench/run echo");
    println!(
        "\
Server on core 0 with one worker thread, generators on core 1 (a process for each server), loopback, 64-byte lines,
TCP_NODELAY. {PAIRS} interleaved pairs of 2 s (accepts: of {ACCEPTS} connections) after one to warm up; the ratio is
ours to the peer's in the same pair, its median with a 90 % interval by order statistics. Processor time is the
server's, user and system, by the scheduler's count. The peer spawns a task per connection with a 4 KiB buffer in
it; ours is the program as shipped: a supervised process per connection, a table of connections, caps, time limits
and counters.
"
    );
    println!("| figure | peer | ours | ratio | bar | verdict |\n| --- | --- | --- | --- | --- | --- |");
    let mut servers = [peer(), ours()];
    let ports = servers.each_mut().map(|server| port(&server.line()));
    let mut loads = [(); 2].map(|()| Pinned::start(1, "generator", &[]));
    for (connections, in_flight) in LOADS {
        for side in [0, 1] {
            loads[side].ask(&format!("open {} {connections}", ports[side]));
        }
        let (mut cpu, mut rate) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        pairs(&format!("echo, {connections} connections"), PAIRS, |side, counts| {
            let before = servers[side].cpu_ns();
            let answer = loads[side].ask(&format!("echo {in_flight} 2000"));
            if counts {
                cpu[side].push((servers[side].cpu_ns() - before) / answer[0] / 1e3);
                rate[side].push(answer[0] / answer[1]);
            }
        });
        loads.iter_mut().for_each(|load| drop(load.ask("drop")));
        let load = format!("{connections} open, {in_flight} in flight");
        let (cpu_ratio, rate_ratio) = (ratio(&cpu), ratio(&rate));
        let ([peer_cpu, our_cpu], verdict) = (cpu.map(median), at_most(&cpu_ratio, 1.15));
        let [peer_rate, our_rate] = rate.map(median);
        let figures = format!("{peer_cpu:.2} us | {our_cpu:.2} us | {cpu_ratio} | <= 1.15 | {verdict}");
        println!("| processor time per echo, {load} | {figures} |");
        println!("| echoes per second, {load} | {peer_rate:.0} | {our_rate:.0} | {rate_ratio} | none | |");
    }

    let (mut cpu, mut rate) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    pairs("accepts", PAIRS, |side, counts| {
        let before = servers[side].cpu_ns();
        let answer = loads[side].ask(&format!("open {} {ACCEPTS}", ports[side]));
        loads[side].drop_held(); // the ends of the connections are part of the price
        if counts {
            cpu[side].push((servers[side].cpu_ns() - before) / answer[0] / 1e3);
            rate[side].push(answer[0] / answer[1]);
        }
    });
    let (cpu_ratio, rate_ratio) = (ratio(&cpu), ratio(&rate));
    let ([peer_cpu, our_cpu], [peer_rate, our_rate]) = (cpu.map(median), rate.map(median));
    println!("| accepts per second, each with one echo | {peer_rate:.0} | {our_rate:.0} | {rate_ratio} | none | |");
    let figures = format!("{peer_cpu:.2} us | {our_cpu:.2} us | {cpu_ratio} | none |");
    println!("| processor time per connection: accept, one echo, end | {figures} |");
}

fn memory() {
    header("Memory per idle connection", "ci/bench/run memory");
    println!(
        "\
Growth of the server's VmRSS from 64 connections made and gone to {MEMORY_CONNECTIONS} that are open, have echoed
one line and wait; default allocator, one worker thread, a new server each time; median of {MEMORY_ROUNDS} (least to
most). The kernel's memory for sockets is in neither. Bar: 16,384 B; aim: 4,096 B.
"
    );
    println!("| server | bytes per idle connection | verdict |\n| --- | --- | --- |");
    for (what, program, args) in [
        ("bare tokio, a 4 KiB buffer in each task", "peer", &["4096"][..]),
        ("bare tokio, a 16 KiB buffer in each task", "peer", &["16384"]),
        ("ours", "ours", &[]),
    ] {
        let mut bytes: Vec<f64> = (0..MEMORY_ROUNDS).map(|_| resident(program, args)).collect();
        bytes.sort_by(f64::total_cmp);
        let (least, most) = (bytes[0], bytes[MEMORY_ROUNDS - 1]);
        let verdict = match program {
            "ours" if most <= 4_096.0 => "met, and the aim",
            "ours" if most <= 16_384.0 => "met",
            "ours" if least > 16_384.0 => "NOT MET",
            "ours" => "inconclusive",
            _ => "",
        };
        println!("| {what} | {:.0} ({least:.0} to {most:.0}) | {verdict} |", median(bytes));
    }
}

fn resident(program: &str, args: &[&str]) -> f64 {
    let (server, load) = (Pinned::start(0, program, args), Pinned::start(1, "generator", &[]));
    bytes_per_connection(server, load, MEMORY_CONNECTIONS, |port, count| format!("open {port} {count}"))
}

/// Instructions that a program of this workspace needs, by callgrind.
fn instructions(program: &str, args: &[&str]) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(sibling(program))
        .args(args)
        .env("TOKIO_WORKER_THREADS", "1")
        .stdout(Stdio::null())
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?} failed:\n{text}");
    let total = text.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count").1;
    total.trim().parse().expect("a number")
}

fn polls(variant: &str) -> f64 {
    let output = Command::new("taskset")
        .args(["-c", "0"])
        .arg(sibling("seam"))
        .args(["polls", variant, "1000000"])
        .env("TOKIO_WORKER_THREADS", "1")
        .output()
        .expect("taskset (util-linux)");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

fn seam() {
    const VARIANTS: [(&str, &str, Option<f64>); 3] = [
        ("tokio", "plain tokio", None),
        ("runtime", "the runtime's sockets, without the task header", Some(1.02)),
        ("header", "the same, with the task header", Some(1.05)),
    ];
    header("What the seam costs", "ci/bench/run seam");
    println!(
        "\
Instructions per echo (64 bytes there and back over loopback, a client task and a server task on one worker thread,
both ends counted), by callgrind: the difference of a run with 4,000 and one with 2,000 echoes, by 2,000, so that
start-up cancels. {PAIRS} interleaved rounds; the ratio is to plain tokio in the same round, its median with a 90 %
interval.
"
    );
    println!(
        "| variant | instructions per echo | against plain tokio | bar | verdict |\n| --- | --- | --- | --- | --- |"
    );
    let mut each = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..PAIRS {
        for (index, (variant, ..)) in VARIANTS.iter().enumerate() {
            let of = |echoes| instructions("seam", &["echo", variant, echoes]);
            each[index].push((of("4000") - of("2000")) / 2_000.0);
        }
        eprint!("\r  callgrind: round {} of {PAIRS} ", round + 1);
    }
    eprintln!();
    for (index, (_, what, bar)) in VARIANTS.iter().enumerate() {
        let count = median(each[index].clone());
        let Some(bar) = *bar else {
            println!("| {what} | {count:.1} | | | |");
            continue;
        };
        let ratio = ratio(&[each[0].clone(), each[index].clone()]);
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        let (median, low, high) = (percent(ratio.median), percent(ratio.low), percent(ratio.high));
        let (bar_percent, verdict) = (percent(bar), at_most(&ratio, bar));
        println!(
            "| {what} | {count:.1} | {median:+.2} % ({low:+.2} to {high:+.2}) | <= +{bar_percent:.0} % | {verdict} |"
        );
    }

    let mut times = [Vec::new(), Vec::new()];
    pairs("polls", PAIRS, |side, counts| {
        let ns = polls(["tokio", "header"][side]);
        if counts {
            times[side].push(ns);
        }
    });
    let price = Ratio::of(times[1].iter().zip(&times[0]).map(|(ours, tokio)| ours - tokio).collect());
    let (verdict, [tokio, ours]) = (at_most(&price, 10.0), times.map(median));
    println!(
        "\
\nA poll of a task that yields a million times, on one worker thread: {tokio:.1} ns in a task of plain tokio, {ours:.1} ns
in a task of the runtime. The header costs {:.1} ns ({:.1} to {:.1}, 90 % interval of {PAIRS} interleaved pairs); the aim
is 10: {verdict}.",
        price.median, price.low, price.high
    );
}
