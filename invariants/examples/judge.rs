//! How long it takes to judge a history of 10,000 operations: `cargo run --release -p simurgh-invariants --example judge`.
//!
//! Five clients read, write and swap 20 registers that take a while to answer; one operation in a thousand stays open.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout)] // it measures, and says what it measured

use std::collections::BTreeMap;
use std::time::Instant;

use simurgh_invariants::history::{Asked, History, Judgement, Model, Point, Register, Told, judge};
use simurgh_sim::{Draws, Moment, Purpose};

const OPERATIONS: usize = 10_000;
const CLIENTS: usize = 5;
const KEYS: u64 = 20;
const RUNS: u64 = 31;
const BUDGET: u64 = 2_000_000;

type Keys = BTreeMap<u64, History<Asked, Told>>;

/// What happens to a client's operation: it is asked, takes effect, and ends.
#[derive(Clone, Copy)]
enum Phase {
    Idle,
    Asked(u64, Asked),
    Done(u64, Told),
}

/// A history of registers that are right. The last answer is wrong if `is_broken`.
fn draw(seed: u64, is_broken: bool) -> Keys {
    let mut stream = Draws::new(seed).stream(Purpose::Workload, 0);
    let (mut keys, mut held) = (Keys::new(), BTreeMap::new());
    let mut clients = [Phase::Idle; CLIENTS];
    let (mut asked, mut number) = (0, 0);
    while asked < OPERATIONS || clients.iter().any(|client| !matches!(client, Phase::Idle)) {
        number += 1;
        let at = stream.below(CLIENTS as u64) as usize;
        let (client, point) = (at.to_string(), Point { at: Moment(number * 1_000_000), number });
        clients[at] = match clients[at] {
            Phase::Idle if asked < OPERATIONS => {
                asked += 1;
                let key = stream.below(KEYS);
                let input = match stream.below(4) {
                    0 | 1 => Asked::Read,
                    2 => Asked::Write(stream.below(50)),
                    _ => Asked::Cas { from: Some(stream.below(50)), to: stream.below(50) },
                };
                keys.entry(key).or_default().invoke(&client, input, point).expect("it is idle");
                Phase::Asked(key, input)
            }
            Phase::Idle => Phase::Idle,
            Phase::Asked(key, input) => {
                let state = held.entry(key).or_insert(None);
                let outputs = [Told::Read(*state), Told::Written, Told::Swapped(true), Told::Swapped(false)];
                let told =
                    outputs.into_iter().find_map(|told| Some((Register.apply(state, &input, Some(&told))?, told)));
                let (next, told) = told.expect("a register answers everything");
                *state = next;
                Phase::Done(key, told)
            }
            Phase::Done(key, told) => {
                let history = keys.get_mut(&key).expect("it was asked");
                if stream.chance(0.001) {
                    history.info(&client).expect("it was asked");
                } else {
                    history.ok(&client, told, point).expect("it was asked");
                }
                Phase::Idle
            }
        };
    }
    if is_broken {
        let history = keys.get_mut(&0).expect("all keys are used");
        let at = |more| Point { at: Moment((number + more) * 1_000_000), number: number + more };
        history.invoke("late", Asked::Read, at(1)).expect("it is idle");
        history.ok("late", Told::Read(Some(99)), at(2)).expect("it was asked");
    }
    keys
}

fn measure(what: &str, is_broken: bool) {
    let mut took_ms: Vec<f64> = Vec::new();
    let mut verdicts = BTreeMap::new();
    for seed in 0..RUNS {
        let keys = draw(seed, is_broken);
        let began = Instant::now();
        let mut verdict = "linearizable";
        for history in keys.values() {
            match judge(&Register, history.operations(), BUDGET) {
                Judgement::Linearizable(_) => {}
                Judgement::NotLinearizable(_) => verdict = "not linearizable",
                Judgement::Inconclusive => verdict = "inconclusive",
            }
        }
        took_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    took_ms.sort_by(f64::total_cmp);
    let (low, middle, high) = (took_ms[0], took_ms[took_ms.len() / 2], took_ms[took_ms.len() - 1]);
    println!("{what}: {middle:.2} ms [{low:.2}, {high:.2}], {RUNS} histories: {verdicts:?}");
}

fn main() {
    println!("{OPERATIONS} operations, {CLIENTS} clients, {KEYS} keys; median [least, most]");
    measure("right", false);
    measure("wrong in the last answer", true);
}
