//! The search beside an oracle that tries all orders.

use simurgh_sim::{Draws, Moment, Purpose, Stream};

use super::*;

type Op = Operation<Asked, Told>;

fn point(number: u64) -> Point {
    Point { at: Moment(number), number }
}

/// A history of at most `len_max` operations with answers that are drawn: some fit and some do not.
fn draw(stream: &mut Stream, len_max: u64) -> Vec<Op> {
    let (clients, len) = (stream.between(1, 3), stream.between(1, len_max));
    let mut history = History::default();
    let mut number = 0;
    let mut asked = 0;
    while asked < len || history.waiting() > 0 {
        number += 1;
        let client = stream.below(clients).to_string();
        let Some(input) = history.asked_by(&client).copied() else {
            if asked == len {
                // Whoever has nothing to do when all is asked waits for the others, some of whom never hear.
                if stream.chance(0.2) {
                    break;
                }
                continue;
            }
            let input = match stream.below(5) {
                0 | 1 => Asked::Read,
                2 | 3 => Asked::Write(stream.below(3)),
                _ => Asked::Cas { from: held(stream), to: stream.below(3) },
            };
            history.invoke(&client, input, point(number)).unwrap();
            asked += 1;
            continue;
        };
        match stream.below(8) {
            0 => history.fail(&client, point(number)),
            1 => history.info(&client),
            _ => {
                let output = match input {
                    Asked::Read => Told::Read(held(stream)),
                    Asked::Write(_) => Told::Written,
                    Asked::Cas { .. } => Told::Swapped(stream.chance(0.5)),
                };
                history.ok(&client, output, point(number))
            }
        }
        .unwrap();
    }
    history.operations().to_vec()
}

fn held(stream: &mut Stream) -> Option<u64> {
    let held = stream.below(4);
    (held < 3).then_some(held)
}

fn end(op: &Op) -> u64 {
    match op.ended {
        Ended::Ok(_, point) => point.number,
        _ => u64::MAX,
    }
}

/// Whether any order of all that ended and of some of what is open keeps to the time and to the register: by the
/// definition, all orders one after the other.
fn oracle(ops: &[Op]) -> bool {
    let ops: Vec<&Op> = ops.iter().filter(|op| !matches!(op.ended, Ended::Fail(_))).collect();
    let open: Vec<usize> = (0..ops.len()).filter(|at| end(ops[*at]) == u64::MAX).collect();
    (0..1_u32 << open.len()).any(|chosen| {
        let is_in = |at: &usize| open.iter().position(|one| one == at).is_none_or(|bit| chosen >> bit & 1 == 1);
        let mut all: Vec<usize> = (0..ops.len()).filter(is_in).collect();
        let len = all.len();
        any_order(&mut all, len, &|order| is_legal(&ops, order))
    })
}

/// Heap's algorithm.
fn any_order(items: &mut [usize], len: usize, holds: &dyn Fn(&[usize]) -> bool) -> bool {
    if len <= 1 {
        return holds(items);
    }
    for at in 0..len {
        if any_order(items, len - 1, holds) {
            return true;
        }
        items.swap(if len.is_multiple_of(2) { at } else { 0 }, len - 1);
    }
    false
}

fn is_legal(ops: &[&Op], order: &[usize]) -> bool {
    let by_time = order
        .iter()
        .enumerate()
        .all(|(at, one)| order[at + 1..].iter().all(|later| end(ops[*later]) > ops[*one].invoked.number));
    let mut held = None;
    by_time
        && order.iter().all(|at| {
            let told = match ops[*at].input {
                Asked::Read => Told::Read(held),
                Asked::Write(to) => {
                    held = Some(to);
                    Told::Written
                }
                Asked::Cas { from, to } => {
                    let swaps = from == held;
                    held = if swaps { Some(to) } else { held };
                    Told::Swapped(swaps)
                }
            };
            !matches!(ops[*at].ended, Ended::Ok(output, _) if output != told)
        })
}

/// What had happened until then: what ended later is open, and what was asked later is not there. What failed did
/// nothing, whenever that was known.
fn prefix(ops: &[Op], until: u64) -> Vec<Op> {
    let mut ops: Vec<Op> = ops.iter().filter(|op| op.invoked.number <= until).cloned().collect();
    for op in &mut ops {
        if matches!(op.ended, Ended::Ok(_, point) if point.number > until) {
            op.ended = Ended::Open;
        }
    }
    ops
}

#[test]
fn ten_thousand_small_histories_are_judged_as_by_trying_all_orders() {
    let (mut fit, mut fit_not) = (0, 0);
    for seed in 0..10_000 {
        let mut stream = Draws::new(seed).stream(Purpose::Workload, 0);
        let ops = draw(&mut stream, 6);
        match judge(&Register, &ops, 100_000) {
            Judgement::Linearizable(order) => {
                fit += 1;
                assert!(oracle(&ops), "seed {seed}: {ops:#?}");
                assert!(is_legal(&ops.iter().collect::<Vec<_>>(), &order), "seed {seed}: {order:?} of {ops:#?}");
            }
            Judgement::NotLinearizable(misfit) => {
                fit_not += 1;
                assert!(!oracle(&ops), "seed {seed}: {ops:#?}");
                let at = end(&ops[misfit.operation]);
                assert!(oracle(&prefix(&ops, at - 1)), "seed {seed}: not the longest prefix of {ops:#?}");
                assert!(!oracle(&prefix(&ops, at)), "seed {seed}: {misfit:?} fits in {ops:#?}");
                let before = prefix(&ops, at - 1);
                assert!(is_legal(&before.iter().collect::<Vec<_>>(), &misfit.order), "seed {seed}: {misfit:?}");
            }
            Judgement::Inconclusive => panic!("seed {seed}: the budget is large"),
        }
    }
    assert!(fit > 2_000 && fit_not > 2_000, "{fit} fit and {fit_not} do not: the histories are too much alike");
}

#[test]
fn what_the_budget_does_not_reach_is_inconclusive_and_never_green() {
    let (mut known, mut unknown) = (0, 0);
    for seed in 0..500 {
        let mut stream = Draws::new(seed).stream(Purpose::Workload, 0);
        let ops = draw(&mut stream, 6);
        let truth = judge(&Register, &ops, u64::MAX);
        for budget in 0..40 {
            match judge(&Register, &ops, budget) {
                Judgement::Inconclusive => unknown += 1,
                judgement => {
                    known += 1;
                    assert_eq!(judgement, truth, "seed {seed}, budget {budget}");
                }
            }
        }
    }
    assert!(known > 1_000 && unknown > 1_000, "{known} known, {unknown} unknown");
}

#[test]
fn many_open_writes_on_one_key_end_at_the_budget() {
    let mut history = History::default();
    for client in 0..40 {
        history.invoke(&client.to_string(), Asked::Write(client), point(client + 1)).unwrap();
    }
    for read in 0..20 {
        history.invoke("reader", Asked::Read, point(100 + read * 2)).unwrap();
        history.ok("reader", Told::Read(Some(read % 19 * 2 + 1)), point(101 + read * 2)).unwrap();
    }
    // The last read finds again what the first had found, which 40 open writes can explain in no way.
    assert_eq!(judge(&Register, history.operations(), 100_000), Judgement::Inconclusive);
}
