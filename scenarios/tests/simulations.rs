//! The simulations as plain tests, the planted bugs, and the bank of seeds.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and asks what the bans keep from others

use std::path::{Path, PathBuf};

use scenarios::bank::Entry;
use scenarios::{echo, otp, registry};
use simurgh_sim::{Outcome, Profile, RunConfig, Sim, Simulation, Verdict, run_once};

fn simulation(name: &str) -> Simulation {
    registry().get(name).unwrap_or_else(|| panic!("there is no simulation {name}")).clone()
}

#[simurgh_sim::test(seeds = 200)]
async fn echo_chaos(sim: Sim) -> Outcome {
    echo::chaos(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_monitors(sim: Sim) -> Outcome {
    otp::monitors::monitors(sim).await
}

#[test]
fn a_forgotten_kill_is_found() {
    let simulation = simulation("otp/monitors");
    let planted = Some("otp.kill-forgotten".to_owned());
    let report = run_once(&RunConfig { planted, ..RunConfig::new(0, Profile::nasty()) }, simulation.body());
    assert_eq!(report.failure.as_ref().map(Verdict::invariant), Some("monitor.down_once"), "{:?}", report.failure);
}

fn bank() -> Vec<Entry> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    let mut entries = Vec::new();
    let list = |dir: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    for area in list(&root).into_iter().filter(|path| path.is_dir() && path.file_name().unwrap() != "pending") {
        for path in list(&area).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        {
            entries.push(Entry::parse(&path, &std::fs::read_to_string(&path).unwrap()).unwrap());
        }
    }
    entries
}

#[test]
fn every_seed_of_the_bank_stays_mended() {
    let entries = bank();
    assert!(!entries.is_empty(), "the bank is not found");
    for entry in entries {
        let simulation = simulation(&entry.simulation);
        let config = RunConfig::new(entry.seed, simulation.own_profile().clone());
        let report = run_once(&config, simulation.body());
        assert_eq!(report.failure, None, "{}: {}", entry.path.display(), entry.why);
    }
}

/// The first of `seeds` that finds the bug, and how.
fn find(bug: &str, profile: &Profile, seeds: std::ops::Range<u64>) -> Option<Verdict> {
    let simulation = simulation("echo/chaos");
    seeds.into_iter().find_map(|seed| {
        let config = RunConfig { planted: Some(bug.to_owned()), ..RunConfig::new(seed, profile.clone()) };
        run_once(&config, simulation.body()).failure
    })
}

#[test]
fn each_planted_bug_is_found_by_its_invariant_and_missed_without_faults() {
    let expected = [
        ("net.cap-check-then-act", "net.caps_respected"),
        ("net.lost-wakeup", "net.serves_again"),
        ("net.count-not-decremented", "net.count_returns"),
        ("net.drain-forgets-state", "net.drain_leaves_none"),
        ("echo.unbounded-buffer", "echo.buffer_bounded"),
        ("echo.byte-twice", "echo.in_order"),
        ("echo.kills-a-neighbour", "echo.no_bystander_hurt"),
    ];
    assert_eq!(expected.map(|(bug, _)| bug), echo::PLANTED);
    for (bug, invariant) in expected {
        let found = find(bug, &Profile::nasty(), 0..1000);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{bug}: {found:?}");
        assert_eq!(find(bug, &Profile::calm(), 0..3), None, "{bug} is found without faults");
    }
}
