//! Explores the world: every way in which a small tree can go, and random ways of larger ones.

use super::world::{Event, INTENSITY, World, backoff};
use crate::supervisor::core::*;
use crate::supervisor::policy::Restart;

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

fn options(strategy: Strategy) -> Options {
    Options { strategy, ..Options::default() }
}

const KINDS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];

/// What was explored.
#[derive(Debug, Default)]
struct Explored {
    steps: u64,
    settled: u64,
    ended: u64,
}

/// Every order of what leads on, with up to so many faults, each at every place. Stops at the first
/// way that breaks a rule, and tells it.
fn explore(world: &World, faults: u32, way: &mut Vec<Event>, explored: &mut Explored) -> Result<(), String> {
    let progress = world.progress();
    if progress.is_empty() {
        explored.settled += 1;
        explored.ended += u64::from(world.is_over());
    }
    let faulty = if faults > 0 { world.faults() } else { Vec::new() };
    let next = progress.into_iter().map(|event| (event, faults));
    for (event, faults) in next.chain(faulty.into_iter().map(|event| (event, faults - 1))) {
        let mut world = world.clone();
        way.push(event);
        explored.steps += 1;
        world.step(event).map_err(|error| format!("{error}\nafter {way:?}"))?;
        explore(&world, faults, way, explored)?;
        way.pop();
    }
    Ok(())
}

/// A tree of three children of these kinds, the last of which waits for the first.
fn three(options: Options, kinds: [Restart; 3], has_delay: bool, planted: Option<&'static str>) -> World {
    let mut policies: Vec<_> = ["a", "b", "c"].map(Policy::new).into();
    for (policy, kind) in policies.iter_mut().zip(kinds) {
        policy.restart = kind;
    }
    policies[1].backoff = has_delay.then(backoff);
    policies[2].wait_for.push("a".into());
    World::new(options, policies, planted)
}

/// Explores a world from its boot.
fn explore_all(mut world: World, faults: u32, explored: &mut Explored) -> Result<(), String> {
    world.step(Event::Boot)?;
    explore(&world, faults, &mut vec![Event::Boot], explored)
}

#[test]
fn every_way_of_three_children_of_any_kind_with_two_faults() {
    let mut explored = Explored::default();
    for strategy in STRATEGIES {
        for kinds in 0..27 {
            let kinds = [KINDS[kinds / 9], KINDS[kinds / 3 % 3], KINDS[kinds % 3]];
            for has_delay in [false, true] {
                let world = three(options(strategy), kinds, has_delay, None);
                explore_all(world, 2, &mut explored)
                    .unwrap_or_else(|error| panic!("{strategy:?} of {kinds:?}, delay {has_delay}: {error}"));
            }
        }
    }
    assert!(explored.steps > 500_000 && explored.ended > 50_000, "{explored:?}");
}

#[test]
fn every_way_of_three_permanent_children_with_three_faults() {
    let mut explored = Explored::default();
    for strategy in STRATEGIES {
        let world = three(options(strategy), [Restart::Permanent; 3], true, None);
        explore_all(world, 3, &mut explored).unwrap_or_else(|error| panic!("{strategy:?}: {error}"));
    }
    assert!(explored.steps > 500_000 && explored.ended > 50_000, "{explored:?}");
}

#[test]
fn every_way_of_three_concurrent_children_with_three_faults() {
    let mut explored = Explored::default();
    let options = Options { concurrent: true, ..options(Strategy::OneForOne) };
    explore_all(three(options, KINDS, false, None), 3, &mut explored).unwrap();
    assert!(explored.steps > 500_000 && explored.ended > 10_000, "{explored:?}");
}

/// A generator that needs to be nothing but the same each time (an LCG of Knuth's).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A tree of five children of any kind.
fn any_world(dice: &mut Dice, planted: Option<&'static str>) -> World {
    let mut policies: Vec<_> = ["a", "b", "c", "d", "e"].map(Policy::new).into();
    for (index, policy) in policies.iter_mut().enumerate() {
        policy.restart = dice.one_of(&KINDS);
        policy.shutdown = dice.one_of(&[Shutdown::Brutal, Shutdown::default(), Shutdown::Infinite]);
        policy.backoff = (dice.below(3) == 0).then(backoff);
        if index > 0 && dice.below(3) == 0 {
            policy.wait_for.push("a".into());
        }
    }
    let options = Options { concurrent: dice.below(2) == 0, ..options(dice.one_of(&STRATEGIES)) };
    World::new(options, policies, planted)
}

/// Walks at random, mostly straight on; when a tree has ended, or much has happened to it, on another.
fn walk(steps: u32, seed: u64, planted: Option<&'static str>) -> Result<u32, String> {
    let mut dice = Dice(seed);
    let mut ended = 0;
    let mut world = any_world(&mut dice, planted);
    let mut way = vec![];
    let mut next = Event::Boot;
    for _ in 0..steps {
        way.push(next);
        world.step(next).map_err(|error| format!("{error}\nafter {way:?}"))?;
        if world.is_over() || way.len() > 200 {
            ended += u32::from(world.is_over());
            world = any_world(&mut dice, planted);
            way.clear();
            next = Event::Boot;
            continue;
        }
        let progress = world.progress();
        let wild = if dice.below(4) == 0 { world.changes() } else { world.faults() };
        let goes_on = !progress.is_empty() && dice.below(5) > 0;
        next = dice.one_of(if goes_on || wild.is_empty() { &progress } else { &wild });
    }
    Ok(ended)
}

#[test]
fn a_hundred_thousand_random_steps_of_five_children() {
    let ended = walk(100_000, 1, None).unwrap();
    assert!(ended > 1_000, "{ended} trees came to their end");
}

/// A rule that cannot be broken proves nothing: each planted bug breaks the one that is meant.
#[test]
fn planted_bugs_are_found() {
    let planted = [
        ("supervisor.double-start", "two lives of one child"),
        ("supervisor.forgets-rollback", "orphans"),
        ("supervisor.order-not-reversed", "a stop out of order"),
        ("supervisor.intensity-off-by-one", "more restarts than the intensity bears"),
        ("supervisor.lost-restart", "is down, and nobody starts it"),
    ];
    for (bug, breaks) in planted {
        let mut ways = STRATEGIES.iter().map(|&strategy| {
            let world = three(options(strategy), [Restart::Permanent; 3], false, Some(bug));
            explore_all(world, INTENSITY + 1, &mut Explored::default())
        });
        let found = ways.find_map(Result::err).unwrap_or_else(|| panic!("{bug} was not found"));
        assert!(found.contains(breaks), "{bug} was found as: {found}");
        // The walk finds it too, by whatever rule it comes upon first.
        assert!(walk(100_000, 1, Some(bug)).is_err(), "{bug} was not found by the walk");
    }
}
