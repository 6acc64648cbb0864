//! Disks, clocks and child processes: the simulations as plain tests, what they must find, and the figures that they print.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and asks what the bans keep from others

use scenarios::{children, clocks, disk, registry};
use simurgh_sim::{Effect, Outcome, Profile, RunConfig, Sim, Simulation, Tally, Verdict, run_once};

/// Of ten power cuts each.
const SEEDS: u64 = 30;

fn simulation(name: &str) -> Simulation {
    registry().get(name).unwrap_or_else(|| panic!("there is no simulation {name}")).clone()
}

#[simurgh_sim::test(seeds = 100, profile = disk::profile())]
async fn disk_wal(sim: Sim) -> Outcome {
    disk::wal(sim).await
}

#[simurgh_sim::test(seeds = 100, profile = disk::profile())]
async fn disk_history(sim: Sim) -> Outcome {
    disk::history::history(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn children_workers(sim: Sim) -> Outcome {
    children::workers(sim).await
}

#[simurgh_sim::test(seeds = 100, profile = clocks::profile())]
async fn clocks_leases(sim: Sim) -> Outcome {
    clocks::leases(sim).await
}

/// What many seeds of a simulation counted, and how many syncs lied.
fn tally(name: &str) -> (Tally, u64) {
    let simulation = simulation(name);
    let (mut tally, mut lies) = (Tally::default(), 0);
    for seed in 0..SEEDS {
        let report = run_once(&RunConfig::new(seed, simulation.own_profile().clone()), simulation.body());
        assert_eq!(report.failure, None, "{name}, seed {seed}");
        tally.merge(&report.tally);
        lies += report.effects.of(Effect::DiskLie);
    }
    (tally, lies)
}

#[test]
fn over_300_power_cuts_synced_data_is_safe_unsynced_is_not_and_a_lying_disk_is_noticed() {
    let (right, _) = tally("disk/wal");
    assert_eq!(right.counted("power cuts"), 300);
    assert!(right.counted("commits acknowledged") > 5_000, "{right}");
    assert_eq!(
        (right.counted("commits acknowledged and lost"), right.counted("logs found corrupt")),
        (0, 0),
        "{right}"
    );

    let (unsynced, _) = tally("disk/wal-unsynced");
    assert_eq!(unsynced.counted("power cuts"), 300);
    assert!(unsynced.counted("commits acknowledged and lost") > 100, "{unsynced}");
    assert_eq!(unsynced.counted("logs found corrupt"), 0, "what is left has its checksum: {unsynced}");

    let (lying, lies) = tally("disk/wal-lying");
    assert!(lies > 100, "{lies}");
    let noticed = lying.counted("seeds that noticed, by a loss or by themselves");
    assert!(noticed > 5 && lying.counted("commits acknowledged and lost") > 0, "{lying}");
}

/// The first of the seeds that finds the bug, and how.
fn find(simulation: &Simulation, bug: &str, profile: &Profile, seeds: std::ops::Range<u64>) -> Option<Verdict> {
    seeds.into_iter().find_map(|seed| {
        let config = RunConfig { planted: Some(bug.to_owned()), ..RunConfig::new(seed, profile.clone()) };
        run_once(&config, simulation.body()).failure
    })
}

/// Each is found by the invariant, and those that are not plain need a disk or a clock that does what it may.
fn check(name: &str, bugs: &[&str], plain: &[&str], invariant: &str) {
    let simulation = simulation(name);
    for bug in bugs.iter().chain(plain) {
        let found = find(&simulation, bug, simulation.own_profile(), 0..1_000);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{name}, {bug}: {found:?}");
    }
    for bug in bugs {
        assert_eq!(find(&simulation, bug, &Profile::calm(), 0..3), None, "{bug} is found without faults");
    }
}

#[test]
fn each_planted_bug_of_the_log_is_found() {
    check("disk/wal", &disk::PLANTED, &disk::PLANTED_PLAINLY, "log.nothing_acked_lost");
}

#[test]
fn each_planted_bug_of_the_history_is_found() {
    let (bugs, plain) = (disk::history::PLANTED, disk::history::PLANTED_PLAINLY);
    check("disk/history", &bugs, &plain, "history.nothing_acked_lost");
}

#[test]
fn a_worker_that_does_not_end_with_its_parent_is_found() {
    check("children/workers", &children::PLANTED, &[], "children.workers_end");
}

#[test]
fn a_deadline_by_the_wall_clock_is_found() {
    check("clocks/leases", &["clock.deadline-by-wall"], &[], "deadline.kept");
}
