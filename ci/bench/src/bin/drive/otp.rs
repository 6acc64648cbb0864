//! Processes beside their peers: the table of `otp`.

use std::process::Command;

use bench::{Ratio, at_least, at_most, median, never_above, sibling};

use super::{PAIRS, header, instructions, ratio};

const VARIANTS: [&str; 4] = ["raw", "ractor", "kameo", "ours"];
const RACTOR: usize = 1;
const OURS: usize = 3;
const GIB: f64 = 1_073_741_824.0;

/// How much is measured.
struct Effort {
    pairs: usize,
    run_ns: f64,
    rounds: usize,
    processes: &'static str,
    restarts: &'static str,
}

const FULL: Effort = Effort { pairs: PAIRS, run_ns: 2e9, rounds: 3, processes: "200000", restarts: "10000" };
const QUICK: Effort = Effort { pairs: 3, run_ns: 3e8, rounds: 1, processes: "50000", restarts: "1000" };

pub fn measure(quick: bool) {
    let effort = if quick { QUICK } else { FULL };
    let Effort { pairs, run_ns, rounds, processes, restarts } = effort;
    header("Processes beside raw tokio, ractor and kameo", "ci/bench/run otp");
    println!(
        "\
One worker thread on core 0, a program run of its own for each variant. Times: {pairs} interleaved rounds of {:.1} s for
each variant after one to find the count; the ratio is ours to the other's in the same round, its median with a 90 %
interval by order statistics. Memory: growth of VmRSS per process from 1,000 that wait to {processes} more, default
allocator; median of {rounds} (least to most). Restarts: {restarts} kills of one supervised child, 1 ms apart; median of {rounds}.

Each variant does the same: spawns are of a process that ends at once, 64 before others have their turn, until all have
ended (ractor: an actor that stops itself in its start; kameo: one that nobody refers to); a call has a time limit of
5 s, a request of 8 bytes beside its reply, a state of 8 bytes and a mailbox of 1,024; a cast is 16 bytes, from one
sender to one receiver. Ractor has no bound on mailboxes: its sender yields as often as a bound would make it wait. Its
calls and casts, and kameo's, allocate each message.
",
        run_ns / 1e9
    );
    println!("| figure | raw tokio | ractor | kameo | ours | ratio | bar | verdict |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let spawn = times("spawn", &effort);
    let to_raw = ratio(&[spawn[0].clone(), spawn[OURS].clone()]);
    row("spawn, first poll, exit, ns", cells(&spawn, |ns| format!("{ns:.0}")), &to_raw, "<= 2", at_most(&to_raw, 2.0));
    for (figure, what) in [
        ("call", "call (request and reply), per s"),
        ("cast128", "cast one to one, mailbox of 128, per s"),
        ("cast1024", "cast one to one, mailbox of 1,024, per s"),
    ] {
        let rates = times(figure, &effort).map(|times| times.into_iter().map(|ns| 1e9 / ns).collect::<Vec<_>>());
        let to_raw = ratio(&[rates[0].clone(), rates[OURS].clone()]);
        let figures = cells(&rates, |rate| format!("{:.2} M", rate / 1e6));
        row(what, figures, &to_raw, ">= 0.80", at_least(&to_raw, 0.80));
        if figure == "call" {
            let to_ractor = ratio(&[rates[RACTOR].clone(), rates[OURS].clone()]);
            println!("| the same, beside ractor | | | | | {to_ractor} | > 1 | {} |", at_least(&to_ractor, 1.0));
        }
    }
    memory(&effort);
    restart(&effort);
    lookup(&effort);
    callgrind();
}

fn cells(of: &[Vec<f64>; 4], show: impl Fn(f64) -> String) -> String {
    of.iter().map(|values| show(median(values.clone()))).collect::<Vec<_>>().join(" | ")
}

fn row(what: &str, cells: String, ratio: &Ratio, bar: &str, verdict: &str) {
    println!("| {what} | {cells} | {ratio} | {bar} | {verdict} |");
}

/// What `otp` measures, on one core unless it is to have two workers.
fn otp(variant: &str, figure: &str, count: &str, workers: u32) -> Vec<f64> {
    let cores = if workers == 1 { "0" } else { "0,1" };
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(sibling("otp")).args([variant, figure, count]);
    let output = command.env("TOKIO_WORKER_THREADS", workers.to_string()).output().expect("taskset (util-linux)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "otp {variant} {figure} {count} failed:\n{said}");
    let numbers = String::from_utf8_lossy(&output.stdout);
    numbers.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// Nanoseconds each, of all variants in turn, there and back.
fn times(figure: &str, effort: &Effort) -> [Vec<f64>; 4] {
    let counts = VARIANTS.map(|variant| {
        let ns = otp(variant, figure, "200000", 1)[0];
        ((effort.run_ns / ns) as u64).to_string()
    });
    let mut times = [const { Vec::new() }; 4];
    for round in 0..effort.pairs {
        for step in 0..VARIANTS.len() {
            let index = if round % 2 == 0 { step } else { VARIANTS.len() - 1 - step };
            times[index].push(otp(VARIANTS[index], figure, &counts[index], 1)[0]);
        }
        eprint!("\r  {figure}: round {} of {}          ", round + 1, effort.pairs);
    }
    eprintln!();
    times
}

fn memory(effort: &Effort) {
    let bytes = |variant, figure, count| (0..effort.rounds).map(|_| otp(variant, figure, count, 1)).collect::<Vec<_>>();
    let each = |variant, figure| -> Vec<f64> {
        bytes(variant, figure, effort.processes).into_iter().map(|numbers| numbers[0]).collect()
    };
    let show = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        format!("{:.0} ({:.0} to {:.0})", median(values.clone()), values[0], values[values.len() - 1])
    };
    let idle = VARIANTS.map(|variant| each(variant, "idle"));
    let shown = idle.each_ref().map(|values| show(values)).join(" | ");
    println!(
        "| idle server, resident bytes (raw: task and mpsc) | {shown} | | <= 1,024 | {} |",
        never_above(&idle[OURS], 1_024.0)
    );
    let supervised = each("ours", "supervised");
    println!(
        "| idle server, supervised, monitored and labelled, bytes | | | | {} | | <= 1,536 | {} |",
        show(&supervised),
        never_above(&supervised, 1_536.0)
    );
    let (raw, ours) = (each("raw", "bare"), each("ours", "bare"));
    println!("| idle process, bytes (raw: bare task) | {} | | | {} | | none | |", show(&raw), show(&ours));
    let million: Vec<f64> = bytes("ours", "idle", "1000000").into_iter().map(|numbers| numbers[1] / GIB).collect();
    println!(
        "| a million idle servers, whole program, GiB | | | | {:.3} | | <= 1.1 | {} |",
        median(million.clone()),
        never_above(&million, 1.1)
    );
}

fn restart(effort: &Effort) {
    for (workers, place) in [(1, "one worker"), (2, "two workers")] {
        let of = ["ractor", "kameo", "ours"].map(|variant| {
            (0..effort.rounds).map(|_| otp(variant, "restart", effort.restarts, workers)).collect::<Vec<_>>()
        });
        for (which, name) in ["p50", "p99"].into_iter().enumerate() {
            let values = of.each_ref().map(|rounds| rounds.iter().map(|numbers| numbers[which]).collect::<Vec<_>>());
            let shown = values.each_ref().map(|values| format!("{:.1}", median(values.clone()))).join(" | ");
            let (bar, verdict) = if name == "p50" { ("<= 10", never_above(&values[2], 10.0)) } else { ("none", "") };
            println!("| restart, kill to init, {place}, {name}, us | | {shown} | | {bar} | {verdict} |");
        }
        eprintln!("  restart: {place}");
    }
}

fn lookup(effort: &Effort) {
    let count = (effort.run_ns / otp("ours", "lookup", "200000", 1)[0]) as u64;
    let ns: Vec<f64> = (0..effort.rounds).map(|_| otp("ours", "lookup", &count.to_string(), 1)[0]).collect();
    let (rate, verdict) = (1e3 / median(ns.clone()), never_above(&ns, 100.0));
    println!("| registry lookup, one of 1,000, per s | | | | {rate:.2} M | | >= 10 M | {verdict} |");
}

/// Of two counts the difference, so that start-up cancels.
fn callgrind() {
    println!(
        "
Instructions each, by callgrind: the difference of a run of 40,000 and one of 20,000, by 20,000.

| figure | raw tokio | ractor | kameo | ours | ratio to raw |
| --- | --- | --- | --- | --- | --- |"
    );
    for (figure, what) in [("spawn", "spawn, first poll, exit"), ("call", "call"), ("cast128", "cast, mailbox of 128")]
    {
        let counts = VARIANTS.map(|variant| {
            let of = |count| instructions("otp", &[variant, figure, count]);
            (of("40000") - of("20000")) / 20_000.0
        });
        let shown = counts.map(|count| format!("{count:.0}")).join(" | ");
        println!("| {what} | {shown} | {:.2} |", counts[OURS] / counts[0]);
        eprintln!("  callgrind: {figure}");
    }
}
