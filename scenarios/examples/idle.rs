//! `cargo run --release -p scenarios --example idle [HOURS]`: the idle studio with ten clients, for a thousand simulated
//! hours if nothing else is said.

#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::print_stdout)] // a command: it has arguments, and says what it measured

use std::process::ExitCode;

use simurgh::runtime::Instant;
use simurgh_sim::{Profile, RunConfig, run_once};

fn main() -> ExitCode {
    let hours = match std::env::args().nth(1).map(|hours| hours.parse::<u64>()) {
        None => 1_000,
        Some(Ok(hours)) if (1..=1_000_000).contains(&hours) => hours,
        Some(_) => {
            eprintln!("usage: idle [HOURS], from 1 to 1000000");
            return ExitCode::from(2);
        }
    };
    let simulation = scenarios::studio::idle(hours);
    let config = RunConfig { max_polls: u64::MAX, ..RunConfig::new(0, Profile::calm()) };
    let began = Instant::now();
    let report = run_once(&config, simulation.body());
    let took = began.elapsed().as_secs_f64();
    if let Some(failure) = report.failure {
        eprintln!("seed 0 failed: {failure:?}");
        return ExitCode::FAILURE;
    }
    let (simulated, events) = (report.elapsed.as_secs_f64(), report.events);
    println!(
        "{hours} hours of the studio with ten clients in {took:.1} s: {:.0} simulated s per s, {events} events",
        simulated / took
    );
    ExitCode::SUCCESS
}
