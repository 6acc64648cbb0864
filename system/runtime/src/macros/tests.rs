//! What `select!` and `join!` promise.

use crate::{run, yield_now};

#[test]
fn a_branch_whose_condition_is_false_is_left_out() {
    run("test", async {
        let picked = select! {
            never = async { 1 }, if false => never,
            always = async { 2 }, if true => always,
        };
        assert_eq!(picked, 2);
        let otherwise = select! {
            _value = async { 1 }, if false => 1,
            else => 3,
        };
        assert_eq!(otherwise, 3);
    });
}

#[test]
fn branches_take_turns_and_biased_ones_do_not() {
    run("test", async {
        let (mut first, mut second) = (0, 0);
        for _ in 0..100 {
            select! {
                () = async {} => first += 1,
                () = async {} => { second += 1; }
            }
        }
        assert_eq!((first, second), (50, 50));
        for _ in 0..100 {
            select! { biased; () = async {} => first += 1, () = async {} => second += 1 }
        }
        assert_eq!((first, second), (150, 50));
    });
}

#[test]
fn the_losing_futures_are_dropped_before_the_body_runs() {
    run("test", async {
        let mut count = 0;
        select! {
            () = async { yield_now().await; std::future::pending::<()>().await; count += 1; } => {},
            () = async { yield_now().await } => count += 10,
        }
        assert_eq!(count, 10);
    });
}

#[test]
fn join_runs_all_at_once() {
    run("test", async {
        let (send, receive) = tokio::sync::oneshot::channel();
        let (received, ()) = join!(async { receive.await.unwrap() }, async { send.send(7).unwrap() });
        assert_eq!(received, 7);
    });
}

#[test]
fn a_body_may_leave_the_function_and_the_future_may_fail() {
    async fn first_even(numbers: &[u32]) -> Result<u32, std::num::ParseIntError> {
        for number in numbers {
            select! {
                biased;
                parsed = async { number.to_string().parse::<u32>() } => if parsed? % 2 == 0 { return Ok(*number) },
                () = std::future::pending() => {}
            }
        }
        "none".parse()
    }
    run("test", async {
        assert_eq!(first_even(&[1, 3, 4, 5]).await, Ok(4));
        assert!(first_even(&[1]).await.is_err());
    });
}

#[test]
fn eight_branches_all_get_their_turn() {
    run("test", async {
        let mut seen = [0; 8];
        for _ in 0..80 {
            let won: usize = select! {
                () = async {} => 0,
                () = async {} => 1,
                () = async {} => 2,
                () = async {} => 3,
                () = async {} => 4,
                () = async {} => 5,
                () = async {} => 6,
                () = async {} => 7,
            };
            seen[won] += 1;
        }
        assert_eq!(seen, [10; 8]);
    });
}

#[test]
fn a_joined_future_that_uses_up_the_budget_lets_the_others_on() {
    use std::sync::atomic::{AtomicBool, Ordering};
    run("test", async {
        let done = AtomicBool::new(false);
        let greedy = async {
            while !done.load(Ordering::Relaxed) {
                tokio::task::coop::consume_budget().await;
            }
        };
        let modest = async {
            for _ in 0..300 {
                tokio::task::coop::consume_budget().await;
            }
            done.store(true, Ordering::Relaxed);
        };
        join!(greedy, modest);
        assert!(done.into_inner());
    });
}

#[test]
fn the_marks_are_silent_in_production() {
    crate::probe!("tests.mark");
    assert!(!crate::buggify!("tests.site"));
    let planted = crate::planted!("tests.bug");
    assert!(!planted);
}
