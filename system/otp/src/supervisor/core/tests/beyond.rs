//! What OTP's supervisor does not do: delays, budgets, waiting for siblings, independent children.

use super::script::check;
use crate::ExitReason;
use crate::supervisor::core::{Action, Ask, ChildKey, Core, Input, Options, Request, Run};
use crate::supervisor::policy::Policy;

#[test]
fn a_budget_of_a_child() {
    check(
        "one_for_one: p budget=1, t transient budget=0, u",
        "boot      => start p
         ready p   => start t
         ready t   => start u
         ready u   => booted
         crash t   => (t given up)
         restart t => start t
         ready t   => #1 ok
         crash p   => (p restarted), start p
         ready p   =>
         after 10  =>
         crash p   => (p escalated), stop u
         gone u    => stop t
         gone t    => end by error: child `p` used up its restart budget, more than 1 in 600s: error: boom",
    );
}

#[test]
fn delays_grow_and_recover() {
    check(
        "one_for_one 9: a delay=1",
        "boot     => start a
         ready a  => booted
         crash a  => (a in 1s)
         states   => a Waiting { until_ns: 1000000000 }
         after 1  => start a
         fails a  => (a in 2s)
         after 2  => start a
         ready a  =>
         after 59 =>
         crash a  => (a in 4s)
         after 4  => start a
         ready a  =>
         after 60 =>
         crash a  => (a in 1s)
         shutdown => end by shutdown: enough",
    );
}

#[test]
fn one_for_all_stops_at_once_and_starts_after_the_longest_delay() {
    check(
        "one_for_all: a, b delay=2, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b in 2s), stop c
         gone c  => stop a
         gone a  =>
         after 2 => start a
         ready a => start b
         ready b => start c
         ready c =>",
    );
}

#[test]
fn rest_for_one_waits_for_the_delay_of_the_first() {
    check(
        "rest_for_one: a, b delay=2, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b in 2s), stop c
         gone c  =>
         crash a => (a restarted), start a
         ready a =>
         after 2 => start b
         ready b => start c
         ready c =>",
    );
}

#[test]
fn who_waits_for_a_sibling_starts_after_it_and_not_without_it() {
    check(
        "one_for_one: web after=db, db delay=1, log",
        "boot      => start db
         ready db  => start web
         ready web => start log
         ready log => booted
         crash db  => (db in 1s)
         crash web => (web restarted)
         crash log => (log restarted), start log
         after 1   => start db
         ready log =>
         ready db  => start web
         ready web =>",
    );
}

#[test]
fn who_ended_for_good_is_not_waited_for() {
    check(
        "one_for_one: migrations transient, web after=migrations",
        "boot             => start migrations
         ready migrations => start web
         ends migrations  => (migrations not restarted)
         ready web        => booted
         crash web        => (web restarted), start web",
    );
}

#[test]
fn concurrent_children_wait_for_nobody() {
    check(
        "one_for_one concurrent: a, b, c",
        "boot     => start a, start b, start c
         ready b  =>
         ready a  =>
         ready c  => booted
         shutdown => stop c, stop b, stop a
         gone a   =>
         gone c   =>
         gone b   => end by shutdown: enough",
    );
}

/// No step looks at more than those whom it concerns: else this would take minutes.
#[test]
fn twenty_thousand_children_one_by_one() {
    let mut core = Core::new(Options { concurrent: true, ..Options::default() }, Vec::new(), 0).unwrap();
    let mut actions = Vec::new();
    core.step(0, Input::Boot, &mut actions);
    for number in 0..20_000 {
        let ask = Ask::Start(Policy::new(&format!("child {number}")));
        core.step(0, Input::Operator { request: Request(number), ask }, &mut actions);
    }
    let lives = lives(&mut actions);
    assert_eq!(lives.len(), 20_000);
    for &(key, run) in &lives {
        core.step(0, Input::Started { key, run }, &mut actions);
    }
    core.step(0, Input::Shutdown { reason: ExitReason::Normal }, &mut actions);
    for (key, run) in lives {
        core.step(0, Input::Exited { key, run, reason: ExitReason::Normal }, &mut actions);
    }
    assert_eq!(actions.last(), Some(&Action::End { reason: ExitReason::Normal }));
}

fn lives(actions: &mut Vec<Action>) -> Vec<(ChildKey, Run)> {
    let start = |action| if let Action::Start { key, run } = action { Some((key, run)) } else { None };
    actions.drain(..).filter_map(start).collect()
}
