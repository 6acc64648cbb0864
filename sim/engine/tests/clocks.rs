//! Clocks: what the wall clock of a node may do, and the monotonic one never.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // it asks the clocks of the standard library, too

use simurgh_runtime::{self as runtime, DurationExt, Instant, Timestamp};
use simurgh_sim::{Clocks, Effect, Exit, Profile, Sim};

fn skewed() -> Profile {
    let clocks = Clocks { skew_max_ns: 200_000_000, drift_max_ppb: 100_000 };
    Profile { omit: 0.0, clocks, ..Profile::nasty().without_faults() }
}

fn wall_ms() -> i64 {
    Timestamp::now().as_nanos() / 1_000_000
}

#[simurgh_sim::test(seeds = 50, profile = skewed())]
async fn each_node_has_a_time_of_its_own_and_the_world_the_right_one(sim: Sim) {
    let tells = || async {
        let std = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(std.as_nanos() as i64, Timestamp::now().as_nanos(), "whoever asks is told the same");
        runtime::out!("{}", Timestamp::now().as_nanos());
    };
    let (one, other) = (sim.node("one", tells), sim.node("other", tells));
    one.ended().await;
    other.ended().await;
    let right = Timestamp::now().as_nanos();
    assert_eq!(right.abs_diff(1_767_225_600_000_000_000), sim.elapsed().as_nanos() as u64);
    let of = |node: &simurgh_sim::Node| node.output()[0].parse::<i64>().unwrap();
    assert_ne!(of(&one) / 1_000, of(&other) / 1_000);
    assert!(of(&one).abs_diff(right) < 201_000_000 && of(&other).abs_diff(right) < 201_000_000);
    assert!(sim.effects().of(Effect::ClockOff) > 0);
}

#[simurgh_sim::test(seeds = 20, profile = Profile::calm())]
async fn a_step_moves_the_wall_clock_and_nothing_else(sim: Sim) {
    let node = sim.node("node", || async {
        let (wall, monotonic) = (wall_ms(), Instant::now());
        runtime::ready();
        let mut before = Instant::now();
        for _ in 0..20 {
            runtime::sleep(100.millis()).await;
            let now = Instant::now();
            assert!(now >= before + 100.millis() && now < before + 101.millis());
            before = now;
        }
        let passed = monotonic.elapsed().as_millis() as i64;
        assert_eq!(passed, 2_000);
        runtime::out!("{}", wall_ms() - wall - passed);
    });
    node.started().await?;
    runtime::sleep(1.secs()).await;
    sim.step_clock(&node, -3_600_000);
    assert_eq!(node.ended().await, Exit::Finished);
    assert_eq!(node.output(), ["-3600000"]);
    assert_eq!(sim.effects().of(Effect::ClockStep), 1);
}

#[simurgh_sim::test(seeds = 5, profile = Profile::calm())]
async fn a_clock_drifts_from_when_it_is_told(sim: Sim) {
    let node = sim.node("node", || async {
        runtime::sleep(100.secs()).await;
        runtime::out!("{}", wall_ms() - 1_767_225_600_000);
    });
    runtime::sleep(50.secs()).await;
    sim.drift_clock(&node, 1_000_000_000); // twice as fast
    node.ended().await;
    assert_eq!(node.output(), ["150000"]);
}
