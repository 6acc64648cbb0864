//! Measures and prints a table: `drive echo`, `drive seam`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use bench::{Pinned, Ratio, at_most, median, sibling};

const PAIRS: usize = 12;
const MEMORY_CONNECTIONS: f64 = 10_000.0;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("echo") => echo(),
        Some("seam") => seam(),
        _ => panic!("usage: drive echo|seam"),
    }
}

fn header(title: &str, command: &str) {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = Command::new("date").arg("+%Y-%m-%d").output().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let commit = std::env::var("BENCH_COMMIT").unwrap_or_default();
    println!("# {title}\n");
    println!("{model}, {cores} cores; {}; commit {commit}; made by `{command}`.\n", date.unwrap_or_default());
}

fn echo() {
    header("The echo service beside a bare tokio echo server", "ci/bench/run echo");
    println!("Server on one core with one worker thread, generator on the other, loopback, 64-byte lines, both servers with");
    println!("TCP_NODELAY. {PAIRS} interleaved pairs of 2 s; the ratio is ours to the peer's, median with its 90 % interval.");
    println!("Processor time is the server's, user and system. The peer spawns a task per connection with a 4 KiB buffer in");
    println!("it; ours has a supervised process per connection, a table of connections, caps, time limits and counters.\n");
    let mut peer = Pinned::start(0, "peer", &["4096"]);
    let mut ours = Pinned::start(0, "ours", &[]);
    let mut load = Pinned::start(1, "generator", &[]);
    let ports = [peer.line(), ours.line()];
    let servers = [&peer, &ours];

    println!("| figure | peer | ours | ratio | bar | verdict |\n| --- | --- | --- | --- | --- | --- |");
    for connections in [1, 100] {
        let (mut cpu, mut rate) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for pair in 0..=PAIRS {
            for side in [pair % 2, 1 - pair % 2] {
                let before = servers[side].cpu_ns();
                let lines = load.ask(&format!("echo {} {connections} 2000", ports[side]))[0];
                if pair > 0 {
                    cpu[side].push((servers[side].cpu_ns() - before) / lines / 1e3);
                    rate[side].push(lines / 2.0);
                }
                eprint!("\r  echo, {connections} connections: pair {pair} of {PAIRS} ");
            }
        }
        let ratio = |of: &[Vec<f64>; 2]| Ratio::of(of[1].iter().zip(&of[0]).map(|(ours, peer)| ours / peer).collect());
        let (cpu_ratio, rate_ratio) = (ratio(&cpu), ratio(&rate));
        let [peer_cpu, our_cpu] = cpu.map(median);
        let [peer_rate, our_rate] = rate.map(median);
        println!("| processor time per echo, {connections} connections | {peer_cpu:.2} us | {our_cpu:.2} us | {cpu_ratio} | <= 1.15 | {} |", at_most(&cpu_ratio, 1.15));
        println!("| echoes per second, {connections} connections | {peer_rate:.0} | {our_rate:.0} | {rate_ratio} | | |");
    }

    let mut accepts = [Vec::new(), Vec::new()];
    for pair in 0..=PAIRS {
        for side in [pair % 2, 1 - pair % 2] {
            let ms = load.ask(&format!("accept {} 5000", ports[side]))[0];
            if pair > 0 {
                accepts[side].push(5_000.0 / ms * 1e3);
            }
            eprint!("\r  accepts: pair {pair} of {PAIRS}               ");
        }
    }
    let ratio = Ratio::of(accepts[1].iter().zip(&accepts[0]).map(|(ours, peer)| ours / peer).collect());
    let [peer_rate, our_rate] = accepts.map(median);
    println!("| accepts with a first echo, per second, 5,000 connections | {peer_rate:.0} | {our_rate:.0} | {ratio} | | |");
    drop((peer, ours));

    let mut bytes = Vec::new();
    for (program, args) in [("peer", &["4096"][..]), ("ours", &[])] {
        let mut server = Pinned::start(0, program, args);
        let port = server.line();
        load.ask(&format!("hold {port} 64"));
        load.ask("drop");
        let before = server.resident();
        let held = load.ask(&format!("hold {port} {MEMORY_CONNECTIONS}"))[0];
        bytes.push((server.resident() - before) / held);
        load.ask("drop");
    }
    let verdict = if bytes[1] <= 16_384.0 { "met" } else { "NOT MET" };
    println!(
        "| resident memory per idle connection, {MEMORY_CONNECTIONS} of them | {:.0} B | {:.0} B | {:.2} | <= 16,384 B, aim 4,096 | {verdict} |",
        bytes[0],
        bytes[1],
        bytes[1] / bytes[0]
    );
    eprintln!();
}

/// Instructions that a server needs for `echoes` echoes, by callgrind.
fn instructions(variant: &str, echoes: usize) -> f64 {
    let mut server = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(sibling("seam"))
        .args(["echo", variant])
        .env("TOKIO_WORKER_THREADS", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("valgrind (apt-get install valgrind)");
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.as_mut().expect("piped")), &mut port).expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port.trim().parse().expect("a port"))).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    let mut heard = [0; 64];
    for _ in 0..echoes {
        stream.write_all(&[b'x'; 64]).expect("written");
        stream.read_exact(&mut heard).expect("read");
    }
    drop(stream);
    let output = server.wait_with_output().expect("its end");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let total = text.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count").1;
    total.trim().parse().expect("a number")
}

fn polls(variant: &str) -> f64 {
    let output = Command::new("taskset")
        .args(["-c", "0"])
        .arg(sibling("seam"))
        .args(["polls", variant, "2000000"])
        .env("TOKIO_WORKER_THREADS", "1")
        .output()
        .expect("taskset (util-linux)");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

fn seam() {
    const ROUNDS: usize = 5;
    header("What the seam costs", "ci/bench/run seam");
    println!("Instructions per echo of a server with one connection (64 bytes there and back), by callgrind: the difference of a");
    println!("run with 4,000 and one with 2,000 echoes, by 2,000; the median of {ROUNDS} such differences.\n");
    println!("| server | instructions per echo | against plain tokio | bar | verdict |\n| --- | --- | --- | --- | --- |");
    let mut plain = 0.0;
    for (variant, what, bar) in [
        ("tokio", "plain tokio", None),
        ("runtime", "the runtime's sockets, without the task header", Some(2.0)),
        ("header", "the same, with the task header", Some(5.0)),
    ] {
        let each = median((0..ROUNDS).map(|_| (instructions(variant, 4_000) - instructions(variant, 2_000)) / 2_000.0).collect());
        if plain == 0.0 {
            plain = each;
        }
        let percent = (each / plain - 1.0) * 100.0;
        let (bar, verdict) = bar.map_or((String::new(), ""), |bar| (format!("<= +{bar} %"), if percent <= bar { "met" } else { "NOT MET" }));
        println!("| {what} | {each:.0} | {percent:+.2} % | {bar} | {verdict} |");
        eprint!("\r  {what}: done      ");
    }
    let (mut tokio, mut ours) = (Vec::new(), Vec::new());
    for pair in 0..=PAIRS {
        let (a, b) = (polls("tokio"), polls("header"));
        if pair > 0 {
            tokio.push(a);
            ours.push(b);
        }
        eprint!("\r  polls: pair {pair} of {PAIRS}          ");
    }
    let mut extra: Vec<f64> = ours.iter().zip(&tokio).map(|(ours, tokio)| ours - tokio).collect();
    extra.sort_by(f64::total_cmp);
    let price = Ratio::of(extra);
    println!("\nA poll of a task that yields two million times, on one worker thread: {:.1} ns on plain tokio, {:.1} ns with the", median(tokio), median(ours));
    println!("task header. The header costs {:.1} ns ({:.1} to {:.1}, 90 % interval of {PAIRS} pairs); the aim is 10.", price.median, price.low, price.high);
    eprintln!();
}
