//! Publish/subscribe beside its peer: the table of `pubsub`.

use std::process::Command;

use bench::{Ratio, at_least, median, never_above, sibling};

use super::{PAIRS, header, ratio};

const VARIANTS: [&str; 2] = ["raw", "ours"];

/// How much is measured.
struct Effort {
    pairs: usize,
    run_ns: f64,
    rounds: usize,
}

const FULL: Effort = Effort { pairs: PAIRS, run_ns: 2e9, rounds: 3 };
const QUICK: Effort = Effort { pairs: 3, run_ns: 3e8, rounds: 1 };

pub fn measure(quick: bool) {
    let Effort { pairs, run_ns, rounds } = if quick { QUICK } else { FULL };
    header("Publish/subscribe beside raw tokio", "ci/bench/run pubsub");
    println!(
        "\
One worker thread on core 0, a program run of its own for each variant. {pairs} interleaved pairs of {:.1} s after one run
to find the count; the ratio is ours to the peer's in the same pair, its median with a 90 % interval by order
statistics. A message of 16 bytes goes to all subscribers of one topic, each a task that sleeps; the next one is
published when all have had it. The peer is a list of bounded tokio channels, a task behind each, and a loop that clones
the message's bytes into them: no topics, no unsubscribing, no counters. Memory: growth of VmRSS per sleeping
subscription, from 1,000 to 200,000 more, without tasks; median of {rounds} (least to most).
",
        run_ns / 1e9
    );
    println!("| figure | raw tokio | ours | ratio | bar | verdict |\n| --- | --- | --- | --- | --- | --- |");
    for (figure, what) in [
        ("fanout1000", "local publish to 1,000 sleeping subscribers, deliveries per s"),
        ("fanout10000", "local publish to 10,000 sleeping subscribers, deliveries per s"),
    ] {
        let counts = VARIANTS.map(|variant| ((run_ns / pubsub(variant, figure, "200000")) as u64).to_string());
        let mut rates = [Vec::new(), Vec::new()];
        for pair in 0..pairs {
            for side in [pair % 2, 1 - pair % 2] {
                rates[side].push(1e9 / pubsub(VARIANTS[side], figure, &counts[side]));
            }
            eprint!("\r  {figure}: pair {} of {pairs}          ", pair + 1);
        }
        eprintln!();
        let to_raw: Ratio = ratio(&rates);
        let [raw, ours] = rates.map(|rates| format!("{:.2} M", median(rates) / 1e6));
        println!("| {what} | {raw} | {ours} | {to_raw} | >= 0.70 | {} |", at_least(&to_raw, 0.70));
    }
    let of = |variant, figure| -> Vec<f64> { (0..rounds).map(|_| pubsub(variant, figure, "200000")).collect() };
    let show = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        format!("{:.0} ({:.0} to {:.0})", median(values.clone()), values[0], values[values.len() - 1])
    };
    let (raw, ours) = (of("raw", "memory"), of("ours", "memory"));
    let verdict = never_above(&ours, 150.0);
    println!(
        "| sleeping subscription, one topic, bytes (raw: a channel) | {} | {} | | <= 150 | {verdict} |",
        show(&raw),
        show(&ours)
    );
    println!("| the same, each on a topic of its own, bytes | | {} | | none | |", show(&of("ours", "topics")));
    let churn = median(of("ours", "churn"));
    println!("| subscribe and unsubscribe beside 10,000 others, ns | | {churn:.0} | | none | |");
}

/// What `pubsub` measures, on one core.
fn pubsub(variant: &str, figure: &str, count: &str) -> f64 {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(sibling("pubsub")).args([variant, figure, count]);
    let output = command.env("TOKIO_WORKER_THREADS", "1").output().expect("taskset (util-linux)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pubsub {variant} {figure} {count} failed:\n{said}");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
