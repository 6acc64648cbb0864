//! The simulator beside turmoil and madsim: the table of `sim`.
//!
//! The arms are programs of other workspaces, since this one must not hold the simulator: `BENCH_SIM` and `BENCH_MADSIM`
//! say where they were built.

use std::path::PathBuf;
use std::process::Command;

use bench::{Ratio, at_least, at_most, median};

use super::{PAIRS, header, ratio};

const TURMOIL: &str = "turmoil";
const MADSIM: &str = "madsim";
const OURS: &str = "ours";

/// The parts of the table, each for itself if its name is given.
const PARTS: [&str; 4] = ["web", "streams", "polls", "idle"];

/// Measures all parts, or one.
pub fn measure(part: Option<&str>) {
    if part.is_none_or(|part| part == PARTS[0]) {
        head();
    }
    for name in PARTS.into_iter().filter(|name| part.is_none_or(|part| part == *name)) {
        match name {
            "web" => web(),
            "streams" => streams(),
            "polls" => polls(),
            _ => idle(),
        }
    }
}

fn head() {
    header("The simulator beside turmoil and madsim", "ci/bench/run sim");
    println!(
        "\
turmoil 0.7.2, madsim 0.2.34 and ours, on core 0, a program run of its own for each figure and arm, release builds.
{PAIRS} interleaved rounds of 2 s or more (where a single run takes longer: one run), in an order that turns; a ratio
is ours to turmoil's in the same round, its median with a 90 % interval by order statistics.

W: 3 server nodes and 100 clients, on 4 hosts or each on a host of its own; each client sends one HTTP GET, then
has a WebSocket with 100 echoes of 64 bytes and 5 ms to think between them; latency is 1 to 10 ms. Client and server
are one code on hyper and tokio-tungstenite (read buffer of 4 KiB) for all three, but for the name of the simulator's
sockets, sleep and spawn. Ours has its trace on: every event is hashed; \"in words\" also keeps each as a line of
text. Tasks run in random order in ours and madsim's, as they come in turmoil's. \"Own stack\" is the same W on
simurgh-http instead, in our simulator. madsim sends a write when it is flushed, so streams are flushed.

| figure | turmoil | madsim | ours | ratio | bar | verdict |
| --- | --- | --- | --- | --- | --- | --- |"
    );
}

fn program(arm: &str) -> PathBuf {
    let (variable, name) = if arm == MADSIM { ("BENCH_MADSIM", "bench-madsim") } else { ("BENCH_SIM", arm) };
    PathBuf::from(std::env::var(variable).unwrap_or_else(|_| panic!("{variable} says where the arms are"))).join(name)
}

/// What an arm measures, on one core.
fn run(arm: &str, figure: &str, simulated: u64) -> f64 {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program(arm)).args([figure, "2", &simulated.to_string()]);
    let output = command.output().expect("taskset (util-linux)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arm} {figure} failed:\n{said}");
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().next().expect("a number").parse().expect("a number")
}

/// The figures of several arms, in rounds whose order turns.
fn rounds<const N: usize>(arms: [(&str, &str); N]) -> [Vec<f64>; N] {
    let mut values = [const { Vec::new() }; N];
    for round in 0..PAIRS {
        for step in 0..N {
            let index = if round % 2 == 0 { step } else { N - 1 - step };
            let (arm, figure) = arms[index];
            values[index].push(run(arm, figure, 3600));
        }
        eprint!("\r  {}: round {} of {PAIRS}          ", arms[0].1, round + 1);
    }
    eprintln!();
    values
}

fn row(what: &str, cells: [&str; 3], ratio: &str, bar: &str, verdict: &str) {
    println!("| {what} | {} | {ratio} | {bar} | {verdict} |", cells.join(" | "));
}

fn whole(values: &[f64]) -> String {
    format!("{:.0}", median(values.to_vec()))
}

fn millions(values: &[f64]) -> String {
    format!("{:.2} M", median(values.to_vec()) / 1e6)
}

fn against(bar: f64, ratio: &Ratio) -> (String, String, &'static str) {
    (ratio.to_string(), format!(">= {bar}"), at_least(ratio, bar))
}

fn web() {
    let [turmoil, madsim, ours, words, own] =
        rounds([(TURMOIL, "web4"), (MADSIM, "web4"), (OURS, "web4"), (OURS, "words4"), (OURS, "own4")]);
    let (text, bar, verdict) = against(1.8, &ratio(&[turmoil.clone(), ours.clone()]));
    row(
        "W on 4 client hosts, seeds per minute",
        [&whole(&turmoil), &whole(&madsim), &whole(&ours)],
        &text,
        &bar,
        verdict,
    );
    let (text, _, _) = against(1.8, &ratio(&[turmoil.clone(), words.clone()]));
    row("the same, every event kept in words", ["", "", &whole(&words)], &text, "none", "");
    let (text, _, _) = against(1.8, &ratio(&[turmoil, own.clone()]));
    row("the same, own stack", ["", "", &whole(&own)], &text, "none", "");

    let [turmoil, madsim, ours, own] =
        rounds([(TURMOIL, "web100"), (MADSIM, "web100"), (OURS, "web100"), (OURS, "own100")]);
    let (text, bar, verdict) = against(30.0, &ratio(&[turmoil.clone(), ours.clone()]));
    row("W, a host for each client", [&whole(&turmoil), &whole(&madsim), &whole(&ours)], &text, &bar, verdict);
    let (text, _, _) = against(30.0, &ratio(&[turmoil, own.clone()]));
    row("the same, own stack", ["", "", &whole(&own)], &text, "none", "");
}

fn streams() {
    let [turmoil, madsim, ours] = rounds([(TURMOIL, "raw"), (MADSIM, "raw"), (OURS, "raw")]);
    let (text, bar, verdict) = against(3.0, &ratio(&[turmoil.clone(), ours.clone()]));
    let cells = [&turmoil, &madsim, &ours].map(|values| millions(values));
    row("raw stream, 100 x 1,000 echoes, deliveries per s", [&cells[0], &cells[1], &cells[2]], &text, &bar, verdict);

    let [small, large] = rounds([(OURS, "scale10"), (OURS, "scale500")]);
    let grows = ratio(&[small.clone(), large.clone()]);
    row(
        "a delivery with 500 nodes and 5,000 links, ns; beside 10 nodes and 50 links, 500 echoes on each",
        ["", "", &format!("{} beside {}", whole(&large), whole(&small))],
        &grows.to_string(),
        "<= 1.5",
        at_most(&grows, 1.5),
    );
}

fn polls() {
    let [tokio, ours] = rounds([(OURS, "tokio-polls"), (OURS, "polls")]);
    let to_tokio = ratio(&[tokio.clone(), ours.clone()]);
    // "Not behind" is met when the interval's bad end is within 3 % of equal.
    let verdict = at_least(&to_tokio, 0.97);
    let what = format!("task polls per s; plain tokio's current_thread has {}", millions(&tokio));
    row(&what, ["", "", &millions(&ours)], &to_tokio.to_string(), ">= tokio", verdict);
}

fn idle() {
    for (figure, connections, bar) in [("idle4", 4, 1e6), ("idle100", 100, 1e5)] {
        let ours: Vec<f64> = (0..PAIRS).map(|_| run(OURS, figure, 3600)).collect();
        // turmoil does about a hundred simulated seconds in one: it is given some, not an hour.
        let turmoil: Vec<f64> = (0..3).map(|_| run(TURMOIL, figure, 90)).collect();
        let madsim: Vec<f64> = (0..3).map(|_| run(MADSIM, figure, 3600)).collect();
        let absolute = Ratio::of(ours.iter().map(|rate| rate / bar).collect());
        let what = format!("idle hour, a heartbeat each 30 s, {connections} connections, simulated s per s");
        let text = format!("{absolute} x the bar");
        let bar = format!(">= {:.1} M", bar / 1e6);
        row(&what, [&whole(&turmoil), &millions(&madsim), &millions(&ours)], &text, &bar, at_least(&absolute, 1.0));
    }
    let hashes: Vec<String> = (0..2).map(|_| repeats()).collect();
    let same = hashes[0] == hashes[1] && hashes[0].starts_with("1 ");
    row(
        "32 seeds of W: the same trace in and across processes, in any order, in parallel",
        ["not asked", "not asked", if same { "yes" } else { "NO" }],
        "",
        "yes",
        if same { "met" } else { "NOT MET" },
    );
}

/// Whether the seeds gave one trace each, and a hash of all.
fn repeats() -> String {
    let output = Command::new(program(OURS)).args(["repeats", "32", "0"]).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
