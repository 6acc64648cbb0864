//! What operators ask for, and how they are answered.

use super::script::check;

const UP: &str = "boot    => start a
                  ready a => start b
                  ready b => booted
                  ";

/// Plays a script on a tree of `a` and `b` that is up.
#[track_caller]
fn check_up(tree: &str, script: &str) {
    check(tree, &format!("{UP}{script}"));
}

#[test]
fn a_new_child_comes_last() {
    check_up(
        "one_for_one: a, b",
        "start c  => admit c, start c
         ready c  => #1 ok
         start c  => #2 refused: there is a child called `c` already; choose another id, or delete that one
         start d after=z => #3 refused: `d` waits for `z`, which is no child of this supervisor
         start e significant => #4 refused: `e` is permanent and so never ends for good: only transient and temporary children are significant
         shutdown => stop c
         start f  => #5 refused: the supervisor is shutting down
         gone c   => stop b
         gone b   => stop a
         gone a   => end by shutdown: enough
         start f  => #6 refused: the supervisor is shutting down",
    );
}

#[test]
fn a_new_child_that_does_not_start_is_forgotten() {
    check_up(
        "one_for_one: a, b",
        "start c => admit c, start c
         fails c => (c not restarted), #1 refused: the child did not start: error: boom, forget c
         start c => admit c, start c
         ready c => #2 ok",
    );
}

#[test]
fn terminate_restart_delete() {
    check_up(
        "one_for_one: a, b",
        "restart a   => #1 refused: the child is not down: terminate it first
         delete a    => #2 refused: the child is not down: terminate it first
         terminate a => stop a
         states      => a Stopping, b Running
         terminate a => #4 refused: another request about this child is under way: ask again later
         crash a     => #3 ok
         states      => a Terminated, b Running
         terminate a => #5 ok
         restart a   => start a
         ready a     => #6 ok
         terminate a => stop a
         gone a      => #7 ok
         restart a   => start a
         fails a     => (a not restarted), #8 refused: the child did not start: error: boom
         delete a    => forget a, #9 ok
         delete a    => #10 refused: there is no such child
         states      => b Running",
    );
}

#[test]
fn a_terminated_temporary_child_is_forgotten() {
    check_up(
        "one_for_one: a, b temporary",
        "terminate b => stop b
         gone b      => #1 ok, forget b
         restart b   => #2 refused: there is no such child",
    );
}

#[test]
fn what_was_terminated_stays_down_when_its_group_is_restarted() {
    check_up(
        "one_for_all: a, b",
        "terminate b => stop b
         gone b      => #1 ok
         crash a     => (a restarted), start a
         ready a     =>
         restart b   => start b
         ready b     => #2 ok",
    );
}

#[test]
fn a_child_that_starts_can_be_terminated() {
    check_up(
        "one_for_one: a, b",
        "start c     => admit c, start c
         terminate c => #1 refused: the child was stopped before it was ready, stop c
         ready c     =>
         gone c      => #2 ok
         states      => a Running, b Running, c Terminated",
    );
}

#[test]
fn a_delay_can_be_cut_short_or_cancelled() {
    check_up(
        "one_for_one: a delay=9, b delay=9",
        "crash a     => (a in 9s)
         crash b     => (b in 9s)
         restart a   => start a
         restart a   => #2 refused: the child is not down: terminate it first
         fails a     => #1 refused: the child did not start: error: boom, (a in 9s)
         terminate b => #3 ok
         states      => a Waiting { until_ns: 9000000000 }, b Terminated
         after 9     => start a
         ready a     =>
         states      => a Running, b Terminated",
    );
}

#[test]
fn a_request_outlives_its_groups_restart() {
    check_up(
        "one_for_all: a, b",
        "start c => admit c, start c
         crash a => (a restarted), stop c
         gone c  => stop b
         gone b  => start a
         ready a => start b
         ready b => start c
         ready c => #1 ok",
    );
}

#[test]
fn a_shutdown_answers_those_who_wait() {
    check_up(
        "one_for_one: a, b",
        "start c     => admit c, start c
         terminate a => stop a
         shutdown    => #1 refused: the supervisor is shutting down
         gone a      => #2 ok, stop c
         gone c      => stop b
         gone b      => end by shutdown: enough",
    );
}
