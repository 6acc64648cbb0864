//! What a supervisor does by itself, as in OTP.

use super::script::check;
use crate::ExitReason;
use crate::supervisor::core::{Action, Core, Input, Options};

#[test]
fn starts_one_after_another_and_stops_in_reverse() {
    check(
        "one_for_one: a, b, c",
        "boot     => start a
         ready a  => start b
         ready b  => start c
         ready c  => booted
         shutdown => stop c
         gone c   => stop b
         gone b   => stop a
         gone a   => end by shutdown: enough",
    );
}

#[test]
fn without_children_it_boots_and_ends_at_once() {
    let mut actions = Vec::new();
    let mut core = Core::new(Options::default(), Vec::new(), 0).unwrap();
    core.step(0, Input::Boot, &mut actions);
    core.step(0, Input::Shutdown { reason: ExitReason::Normal }, &mut actions);
    assert_eq!(actions, [Action::Booted(Ok(())), Action::End { reason: ExitReason::Normal }]);
}

#[test]
fn stops_brutally_in_time_or_for_as_long_as_it_takes() {
    check(
        "one_for_one: infinite infinite, timed, brutal brutal",
        "boot           => start infinite
         ready infinite => start timed
         ready timed    => start brutal
         ready brutal   => booted
         shutdown       => kill brutal
         gone brutal    => stop timed
         after 4        =>
         after 1        => kill timed, (timed overran)
         after 60       =>
         gone timed     => stop infinite
         after 3600     =>
         gone infinite  => end by shutdown: enough",
    );
}

#[test]
fn a_start_that_fails_at_boot_rolls_back_those_before_it() {
    check(
        "one_for_one: a, b, c, d",
        "boot    => start a
         ready a => start b
         ready b => start c
         fails c => (c rolled back), stop b
         gone b  => stop a
         gone a  => not booted: child `c` did not come up: error: boom, end by error: child `c` did not start: error: boom",
    );
}

#[test]
fn a_start_that_takes_too_long_has_failed() {
    check(
        "one_for_one: a, b",
        "boot     => start a
         ready a  => start b
         after 30 => kill b
         ready b  =>
         gone b   => (b rolled back), stop a
         gone a   => not booted: child `b` did not come up: error: it was not ready within 30s, its start_timeout, \
                     end by error: child `b` did not start: error: it was not ready within 30s, its start_timeout",
    );
}

#[test]
fn a_crash_during_the_boot_is_restarted_before_the_boot_goes_on() {
    check(
        "one_for_one: a, b, c",
        "boot    => start a
         ready a => start b
         crash a => (a restarted)
         ready b => start a
         ready a => start c
         ready c => booted",
    );
    check(
        "one_for_all: a, b, c",
        "boot    => start a
         ready a => start b
         crash a => (a restarted), stop b
         ready b =>
         gone b  => start a
         ready a => start b
         ready b => start c
         ready c => booted",
    );
}

#[test]
fn a_restart_that_fails_is_one_more_restart() {
    check(
        "one_for_one 2: a, b",
        "boot    => start a
         ready a => start b
         ready b => booted
         crash a => (a restarted), start a
         fails a => (a restarted), start a
         fails a => (a escalated), stop b
         gone b  => end by error: reached its restart intensity, more than 2 in 5s; last child `a`: error: boom",
    );
}

#[test]
fn one_for_one_restarts_the_one_and_none_waits_for_it() {
    check(
        "one_for_one: a, b, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash a => (a restarted), start a
         crash c => (c restarted), start c
         ready c =>
         ready a =>",
    );
}

#[test]
fn one_for_all_restarts_all() {
    check(
        "one_for_all: a, b, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b restarted), stop c
         gone c  => stop a
         gone a  => start a
         ready a => start b
         ready b => start c
         ready c =>",
    );
}

#[test]
fn rest_for_one_restarts_those_after_it() {
    check(
        "rest_for_one: a, b, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b restarted), stop c
         gone c  => start b
         ready b => start c
         ready c =>",
    );
}

#[test]
fn crashes_in_the_middle_of_a_groups_restart() {
    check(
        "one_for_all: a, b, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b restarted), stop c
         crash a =>
         crash c => start a
         ready a => start b
         crash a => (a restarted), stop b
         gone b  => start a
         ready a => start b
         fails b => (b restarted), stop a
         gone a  => start a
         ready a => start b
         ready b => start c
         ready c =>",
    );
    check(
        "rest_for_one: a, b, c",
        "boot    => start a
         ready a => start b
         ready b => start c
         ready c => booted
         crash b => (b restarted), stop c
         crash a => (a restarted)
         gone c  => start a
         ready a => start b
         ready b => start c
         ready c =>",
    );
}

#[test]
fn what_a_kind_means() {
    check(
        "one_for_one: p, t transient, x temporary",
        "boot    => start p
         ready p => start t
         ready t => start x
         ready x => booted
         ends p  => (p restarted), start p
         crash t => (t restarted), start t
         ready t =>
         gone t  => (t not restarted)
         crash x => (x not restarted), forget x
         ready p =>
         states  => p Running, t Terminated",
    );
}

#[test]
fn a_groups_restart_brings_back_the_transient_and_forgets_the_temporary() {
    check(
        "one_for_all: p, t transient, x temporary",
        "boot    => start p
         ready p => start t
         ready t => start x
         ready x => booted
         ends t  => (t not restarted)
         crash p => (p restarted), stop x
         gone x  => forget x, start p
         ready p => start t
         ready t =>",
    );
}

#[test]
fn intensity_is_a_window_that_slides() {
    check(
        "one_for_one 1: a",
        "boot    => start a
         ready a => booted
         crash a => (a restarted), start a
         ready a =>
         after 6 =>
         crash a => (a restarted), start a
         ready a =>
         after 5 =>
         crash a => (a escalated), end by error: reached its restart intensity, more than 1 in 5s; last child `a`: error: boom",
    );
}

#[test]
fn too_many_restarts_during_the_boot_fail_it() {
    check(
        "one_for_one 0: a, b",
        "boot    => start a
         ready a => start b
         crash a => (a escalated), stop b
         gone b  => not booted: child `a` did not come up: error: boom, \
                    end by error: reached its restart intensity, more than 0 in 5s; last child `a`: error: boom",
    );
}

#[test]
fn significant_children() {
    check(
        "one_for_one any: p, s transient significant, t temporary significant",
        "boot    => start p
         ready p => start s
         ready s => start t
         ready t => booted
         crash s => (s restarted), start s
         ready s =>
         ends s  => (s not restarted), stop t
         gone t  => forget t, stop p
         gone p  => end by shutdown: its significant children have ended",
    );
    check(
        "one_for_one all: p, s transient significant, t temporary significant",
        "boot    => start p
         ready p => start s
         ready s => start t
         ready t => booted
         ends s  => (s not restarted)
         crash t => (t not restarted), forget t, stop p
         gone p  => end by shutdown: its significant children have ended",
    );
}

#[test]
fn what_a_significant_child_was_for_may_be_done_before_all_are_up() {
    check(
        "one_for_one any: s transient significant, b",
        "boot    => start s
         ready s => start b
         ends s  => (s not restarted), booted, stop b
         gone b  => end by shutdown: its significant children have ended",
    );
}

#[test]
fn a_terminated_significant_child_ends_nothing() {
    check(
        "one_for_one any: s transient significant, b",
        "boot        => start s
         ready s     => start b
         ready b     => booted
         terminate s => stop s
         gone s      => #1 ok",
    );
}

#[test]
fn a_shutdown_at_any_time_stops_what_runs() {
    check(
        "one_for_one: a, b, c",
        "boot     => start a
         ready a  => start b
         shutdown => stop b
         ready b  =>
         after 5  => kill b, (b overran)
         gone b   => stop a
         shutdown =>
         gone a   => not booted: the supervisor was stopped before it was up: shutdown: enough, end by shutdown: enough
         boot     =>",
    );
    check(
        "one_for_all: a, b",
        "boot     => start a
         ready a  => start b
         ready b  => booted
         crash a  => (a restarted), stop b
         shutdown =>
         crash b  => end by shutdown: enough",
    );
    check(
        "one_for_one: a",
        "shutdown => not booted: the supervisor was stopped before it was up: shutdown: enough, end by shutdown: enough",
    );
}
