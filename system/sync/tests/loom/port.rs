//! One value from one side to the other.

use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use loom::thread;
use simurgh_sync::port::{Dropped, pair};

use crate::{Flag, Value, model, poll_once, wait};

#[test]
fn a_value_reaches_who_awaits_it() {
    model(&[1, 1], &["was there", "was waited for"], || {
        let (value, drops) = Value::one();
        let (sender, mut receiver) = pair();
        let sends = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let (taken, waited) = wait(&mut receiver);
        assert_eq!(taken.unwrap().number, 1);
        sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        if waited { "was waited for" } else { "was there" }
    });
}

#[test]
fn a_value_reaches_who_awaits_it_with_another_waker() {
    model(&[2, 1], &["there at first", "there at last", "was waited for", "first waker woken, in vain"], || {
        let (value, drops) = Value::one();
        let (sender, mut receiver) = pair();
        let sends = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let flag = Flag::new();
        let first = poll_once(&mut receiver, &flag.clone().into());
        let (taken, how) = match first {
            Poll::Ready(taken) => (taken, "there at first"),
            Poll::Pending => match wait(&mut receiver) {
                (taken, true) => (taken, "was waited for"),
                (taken, false) if flag.is_woken() => (taken, "first waker woken, in vain"),
                (taken, false) => (taken, "there at last"),
            },
        };
        assert_eq!(taken.unwrap().number, 1);
        sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        how
    });
}

#[test]
fn a_value_reaches_a_receiver_that_was_moved_while_it_waited() {
    model(&[1, 1, 1], &["there at first", "was there", "was waited for"], || {
        let (value, drops) = Value::one();
        let (sender, mut receiver) = pair();
        let sends = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let flag = Flag::new();
        let how = match poll_once(&mut receiver, &flag.clone().into()) {
            Poll::Ready(taken) => {
                assert_eq!(taken.unwrap().number, 1);
                "there at first"
            }
            Poll::Pending => {
                let waits = thread::spawn(move || {
                    let (taken, waited) = wait(&mut receiver);
                    assert_eq!(taken.unwrap().number, 1);
                    if waited { "was waited for" } else { "was there" }
                });
                waits.join().unwrap()
            }
        };
        sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        how
    });
}

#[test]
fn a_value_is_taken_without_waiting() {
    model(&[2, 1], &["at once", "later"], || {
        let (value, drops) = Value::one();
        let (sender, mut receiver) = pair();
        let sends = thread::spawn(move || assert!(sender.send(value).is_ok()));
        let (taken, how) = match receiver.try_take() {
            Some(taken) => (taken, "at once"),
            None => (wait(&mut receiver).0, "later"),
        };
        assert_eq!(taken.unwrap().number, 1);
        sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        how
    });
}

#[test]
fn a_sender_that_leaves_is_missed() {
    model(&[1, 1], &["was gone", "was waited for"], || {
        let (sender, mut receiver) = pair::<Value>();
        let leaves = thread::spawn(move || sender.leave(Dropped(3)));
        let (taken, waited) = wait(&mut receiver);
        assert_eq!(taken.unwrap_err(), Dropped(3));
        leaves.join().unwrap();
        if waited { "was waited for" } else { "was gone" }
    });
}

#[test]
fn a_sender_that_is_dropped_is_missed() {
    model(&[2, 1], &["was gone", "was waited for"], || {
        let (sender, mut receiver) = pair::<Value>();
        let leaves = thread::spawn(move || drop(sender));
        let pending = receiver.try_take().is_none();
        let (taken, waited) = if pending { wait(&mut receiver) } else { (Err(Dropped(0)), false) };
        assert_eq!(taken.unwrap_err(), Dropped(0));
        leaves.join().unwrap();
        if waited { "was waited for" } else { "was gone" }
    });
}

#[test]
fn a_value_comes_back_from_a_receiver_that_left() {
    model(&[1, 2], &["came back", "came back, and it was known before", "went with the port"], || {
        let (value, drops) = Value::one();
        let (sender, receiver) = pair();
        let sends = thread::spawn(move || {
            let known = sender.is_abandoned();
            match sender.send(value) {
                Err(value) if known => (Some(value), "came back, and it was known before"),
                Err(value) => (Some(value), "came back"),
                Ok(()) => {
                    assert!(!known);
                    (None, "went with the port")
                }
            }
        });
        drop(receiver);
        let (back, how) = sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), usize::from(back.is_none()), "it is dropped with the port, or not yet");
        how
    });
}

#[test]
fn a_receiver_that_left_after_it_waited_takes_its_waker_along() {
    model(&[2, 1], &["came back", "woken, went with the port", "was there"], || {
        let (value, drops) = Value::one();
        let (sender, mut receiver) = pair();
        let sends = thread::spawn(move || sender.send(value).err());
        let flag = Flag::new();
        let first = poll_once(&mut receiver, &flag.clone().into());
        let was_there = first.is_ready();
        drop(first);
        drop(receiver);
        let back = sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), usize::from(back.is_none()));
        assert_eq!(std::sync::Arc::strong_count(&flag), 1);
        match back {
            Some(_) => "came back",
            None if was_there => "was there",
            None => {
                assert!(flag.is_woken());
                "woken, went with the port"
            }
        }
    });
}
