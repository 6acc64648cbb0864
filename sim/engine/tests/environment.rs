//! What the environment can ask of a simulation that is a plain test.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts itself again

use std::process::{Command, Output};
use std::time::Duration;

use simurgh_runtime as runtime;
use simurgh_sim::Sim;

/// Passes; or fails with every odd seed, if the environment says so.
#[simurgh_sim::test(seeds = 5)]
async fn subject(sim: Sim) {
    let fails = std::env::var_os("SUBJECT_FAILS").is_some();
    let node = sim.node("service", || async { runtime::sleep(Duration::from_millis(1)).await });
    node.ended().await;
    if fails && sim.workload("coin").u64() % 2 == 1 {
        return Err("the coin fell on its tail".into());
    }
}

fn subject_with(vars: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output: Output =
        command.args(["--exact", "subject", "--test-threads=1"]).envs(vars.iter().copied()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[test]
fn a_seed_that_is_no_number_is_one_clear_line() {
    for name in ["SIM_SEED", "SIM_SEEDS"] {
        let (passed, text) = subject_with(&[(name, "twenty")]);
        assert!(!passed && !text.contains("panicked"), "{text}");
        assert!(
            text.contains(&format!("error: {name}: \"twenty\" is not a number from 0 to 18446744073709551615")),
            "{text}"
        );
    }
}

#[test]
fn a_failure_says_all_that_is_needed_and_its_command_replays_it() {
    let (passed, text) = subject_with(&[("SUBJECT_FAILS", "1")]);
    assert!(!passed, "{text}");
    assert!(text.contains("simulation subject failed with seed "), "{text}");
    assert!(text.contains("failed: the coin fell on its tail"), "{text}");
    assert!(text.contains("the last events of each node:") && text.contains("  service\n"), "{text}");
    let seed = text.split("replay it: SIM_SEED=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(text.contains(&format!("SIM_SEED={seed} cargo test -p simurgh-sim -- --exact subject")), "{text}");
    let (passed, again) = subject_with(&[("SUBJECT_FAILS", "1"), ("SIM_SEED", seed)]);
    assert!(!passed && again.contains(&format!("failed with seed {seed}")), "{again}");
    let hash = |text: &str| text.split("hash ").nth(1).unwrap()[..16].to_owned();
    assert_eq!(hash(&text), hash(&again));
}

#[test]
fn a_sweep_shows_its_progress_and_a_trace_is_written() {
    let (passed, text) = subject_with(&[("SIM_SEEDS", "60")]);
    assert!(passed && text.contains("subject: 1/60 seeds"), "{text}");
    let path = std::env::temp_dir().join(format!("simurgh-environment-{}", std::process::id()));
    let (passed, text) = subject_with(&[("SIM_SEED", "3"), ("SIM_TRACE", path.to_str().unwrap())]);
    let trace = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(passed && text.contains("every event of seed 3 is in "), "{text}");
    assert!(trace.starts_with("simurgh trace 1, seed 3\n") && trace.contains(" service task 1 spawn main"), "{trace}");
}
