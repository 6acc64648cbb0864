//! Judges 10,000 random histories of a register with our search and with stateright's tester; they must agree.
//!
//! stateright knows reads and writes, and operations that never end; what failed did nothing and is left out, and a client
//! that gave up goes on under another name.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh_invariants::history::{Asked, Ended, History, Judgement, Operation, Point, Register, Told, judge};
use simurgh_sim::{Draws, Moment, Purpose, Stream};
use stateright::semantics::register::{Register as Theirs, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

const HISTORIES: u64 = 10_000;
const OPERATIONS_MAX: u64 = 14;

type Op = Operation<Asked, Told>;

fn main() -> ExitCode {
    let (mut fit, mut fit_not, mut differ) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let ops = draw(&mut Draws::new(seed).stream(Purpose::Workload, 0));
        let ours = match judge(&Register, &ops, u64::MAX) {
            Judgement::Linearizable(_) => true,
            Judgement::NotLinearizable(_) => false,
            Judgement::Inconclusive => unreachable!("the budget is not bounded"),
        };
        *(if ours { &mut fit } else { &mut fit_not }) += 1;
        if ours != theirs(&ops) {
            differ += 1;
            eprintln!("seed {seed}: ours says {ours}, stateright says {}: {ops:#?}", !ours);
        }
    }
    println!("{HISTORIES} histories: {fit} linearizable, {fit_not} not; stateright differs in {differ}");
    if differ == 0 && fit > HISTORIES / 10 && fit_not > HISTORIES / 10 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A history whose reads mostly find what some write that had begun has written.
fn draw(stream: &mut Stream) -> Vec<Op> {
    let (clients, len) = (stream.between(2, 4), stream.between(2, OPERATIONS_MAX));
    let mut history = History::default();
    let (mut number, mut asked, mut written) = (0, 0, vec![None]);
    while asked < len || history.waiting() > 0 {
        number += 1;
        let point = Point { at: Moment(number), number };
        let client = stream.below(clients).to_string();
        match history.asked_by(&client).copied() {
            None if asked == len => {
                if stream.chance(0.1) {
                    break;
                }
            }
            None => {
                asked += 1;
                let input = if stream.chance(0.5) { Asked::Read } else { Asked::Write(asked) };
                if let Asked::Write(value) = input {
                    written.push(Some(value));
                }
                history.invoke(&client, input, point).expect("it is idle");
            }
            Some(input) => {
                let ended = match (stream.below(12), input) {
                    (0, _) => history.fail(&client, point),
                    (1, _) => history.info(&client),
                    (_, Asked::Read) => {
                        let recent = written.len() - 1 - (stream.below(3) as usize).min(written.len() - 1);
                        history.ok(&client, Told::Read(written[recent]), point)
                    }
                    _ => history.ok(&client, Told::Written, point),
                };
                ended.expect("it was asked");
            }
        }
    }
    history.operations().to_vec()
}

fn theirs(ops: &[Op]) -> bool {
    let mut points: Vec<(u64, usize, bool)> = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        match op.ended {
            Ended::Fail(_) => {}
            Ended::Open => points.push((op.invoked.number, place, true)),
            Ended::Ok(_, end) => points.extend([(op.invoked.number, place, true), (end.number, place, false)]),
        }
    }
    points.sort_unstable();
    let mut tester = LinearizabilityTester::new(Theirs(None));
    for (_, place, is_call) in points {
        // Each operation is a client of its own: then time alone orders them, as linearizability has it.
        let done = match (is_call, ops[place].input, ops[place].ended) {
            (true, Asked::Write(value), _) => tester.on_invoke(place, RegisterOp::Write(Some(value))),
            (true, ..) => tester.on_invoke(place, RegisterOp::Read),
            (false, _, Ended::Ok(Told::Read(value), _)) => tester.on_return(place, RegisterRet::ReadOk(value)),
            (false, ..) => tester.on_return(place, RegisterRet::WriteOk),
        };
        done.expect("it is well formed");
    }
    tester.is_consistent()
}
