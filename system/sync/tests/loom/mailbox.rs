//! Many senders and one receiver. Each message must come out once: taken, given back, or replaced.

use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use loom::sync::Arc;
use loom::thread;
use simurgh_sync::mailbox::{Entry, Policy, Refused, Sent};

use crate::{Flag, Value, model, poll_once, wait};

type Mailbox = simurgh_sync::mailbox::Mailbox<Value, &'static str>;

/// A mailbox with some messages in it.
fn mailbox<const N: usize>(policy: Policy, capacity: usize, full_of: [Value; N]) -> Arc<Mailbox> {
    let mailbox = Mailbox::new(policy, capacity);
    for value in full_of {
        assert!(mailbox.try_send(value, None).is_ok());
    }
    Arc::new(mailbox)
}

/// Waits for a message, and says whether it had to.
fn next(mailbox: &Mailbox) -> (u32, bool) {
    let (entry, waited) = wait(&mut poll_fn(|cx| mailbox.poll_next(cx)));
    (number(entry), waited)
}

/// The number of a message that was taken; a signal has none.
fn number(entry: Entry<Value, &'static str>) -> u32 {
    match entry {
        Entry::Message(value) => value.number,
        Entry::Signal(_) => 0,
    }
}

/// All that is left.
fn rest(mailbox: &Mailbox) -> Vec<u32> {
    std::iter::from_fn(|| mailbox.try_next()).map(number).collect()
}

/// Sends, and waits for room. Gives the message back if it was refused.
fn send(mailbox: &Mailbox, value: Value) -> (Option<Value>, bool) {
    match wait(&mut mailbox.send(value, None)) {
        (Ok(Sent::Queued), waited) => (None, waited),
        (Err(Refused::Closed(value)), waited) => (Some(value), waited),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_message_arrives_once_and_each_sender_keeps_its_order() {
    model(&[3, 2, 1], &["1 2 3", "1 3 2", "3 1 2"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Fail, 3, []);
        let first = Arc::clone(&mailbox);
        let first = thread::spawn(move || {
            assert!(matches!(first.try_send(one, None), Ok(Sent::Queued)));
            assert!(matches!(first.try_send(two, None), Ok(Sent::Queued)));
        });
        let second = Arc::clone(&mailbox);
        let second = thread::spawn(move || assert!(matches!(second.try_send(three, None), Ok(Sent::Queued))));
        let got = [next(&mailbox).0, next(&mailbox).0, next(&mailbox).0];
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!((mailbox.counts().len, drops.load(Relaxed)), (0, 3));
        match got {
            [1, 2, 3] => "1 2 3",
            [1, 3, 2] => "1 3 2",
            [3, 1, 2] => "3 1 2",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_receiver_that_waits_is_woken() {
    model(&[2, 1, 1], &["had to wait", "had not"], || {
        let (value, drops) = Value::one();
        let mailbox = mailbox(Policy::Block, 1, []);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || assert!(send(&sends, value).0.is_none()));
        let signals = Arc::clone(&mailbox);
        let signals = thread::spawn(move || signals.signal("exit").unwrap());
        let (one, two) = (next(&mailbox), next(&mailbox));
        assert_eq!(one.0 + two.0, 1);
        sends.join().unwrap();
        signals.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        if one.1 || two.1 { "had to wait" } else { "had not" }
    });
}

#[test]
fn a_receiver_that_waits_is_woken_by_its_latest_waker() {
    model(&[2, 1], &["was there", "had to wait", "first waker woken, in vain"], || {
        let (value, drops) = Value::one();
        let mailbox = mailbox(Policy::Block, 1, []);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || assert!(sends.try_send(value, None).is_ok()));
        let flag = Flag::new();
        let first = mailbox.poll_next(&mut Context::from_waker(&flag.clone().into()));
        let how = match first {
            Poll::Ready(entry) => (number(entry), "was there"),
            Poll::Pending => match next(&mailbox) {
                (number, true) => (number, "had to wait"),
                (number, false) => {
                    assert!(flag.is_woken() || std::sync::Arc::strong_count(&flag) > 1, "woken, or about to be");
                    (number, "first waker woken, in vain")
                }
            },
        };
        sends.join().unwrap();
        assert_eq!((how.0, drops.load(Relaxed)), (1, 1));
        how.1
    });
}

#[test]
fn a_sender_that_waits_is_let_in() {
    model(&[3, 2], &["had to wait", "had not"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || {
            let (two, three) = (send(&sends, two), send(&sends, three));
            assert!(two.0.is_none() && three.0.is_none());
            two.1 || three.1
        });
        assert_eq!([next(&mailbox).0, next(&mailbox).0, next(&mailbox).0], [1, 2, 3]);
        let waited = sends.join().unwrap();
        assert_eq!((mailbox.counts().blocked, drops.load(Relaxed)), (0, 3));
        if waited { "had to wait" } else { "had not" }
    });
}

#[test]
fn senders_that_wait_are_let_in_one_by_one() {
    model(&[3, 1, 1], &["2 3", "3 2"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = |value| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || assert!(send(&mailbox, value).0.is_none()))
        };
        let (second, third) = (sends(two), sends(three));
        assert_eq!(next(&mailbox).0, 1);
        let got = (next(&mailbox).0, next(&mailbox).0);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!((mailbox.counts().blocked, drops.load(Relaxed)), (0, 3));
        match got {
            (2, 3) => "2 3",
            (3, 2) => "3 2",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_sender_that_gives_up_has_its_message_back_unless_it_was_let_in() {
    model(&[1, 2], &["had room", "came back", "let in"], || {
        let ([one, two], drops) = Value::several([1, 2]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || {
            let mut sending = sends.send(two, None);
            match poll_once(&mut sending, Waker::noop()) {
                Poll::Ready(sent) => {
                    assert!(matches!(sent, Ok(Sent::Queued)));
                    (None, "had room")
                }
                Poll::Pending => match sending.take_back() {
                    Some(value) => (Some(value), "came back"),
                    None => (None, "let in"),
                },
            }
        });
        assert_eq!(mailbox.try_next().map(number), Some(1));
        let (back, how) = sends.join().unwrap();
        let left = rest(&mailbox);
        assert_eq!(back.map(|value| value.number).into_iter().chain(left).collect::<Vec<_>>(), [2]);
        assert_eq!((mailbox.counts().blocked, drops.load(Relaxed)), (0, 2));
        how
    });
}

#[test]
fn a_sender_that_is_dropped_takes_its_message_along_unless_it_was_let_in() {
    model(&[1, 2], &["dropped", "let in"], || {
        let ([one, two], drops) = Value::several([1, 2]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let flag = Flag::new();
        let waker = flag.clone().into();
        let sends = thread::spawn(move || {
            let mut sending = sends.send(two, None);
            let _ = poll_once(&mut sending, &waker);
        });
        assert_eq!(mailbox.try_next().map(number), Some(1));
        sends.join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&flag), 1, "its waker is not kept");
        let how = match rest(&mailbox)[..] {
            [] => "dropped",
            [2] => "let in",
            ref other => panic!("{other:?}"),
        };
        assert_eq!((mailbox.counts().blocked, drops.load(Relaxed)), (0, 2));
        how
    });
}

#[test]
fn who_gives_up_leaves_its_turn_to_the_next() {
    model(&[1, 2, 1], &["2 gave up", "2 was let in"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let quits = Arc::clone(&mailbox);
        let quits = thread::spawn(move || drop(poll_once(&mut quits.send(two, None), Waker::noop())));
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || assert!(send(&sends, three).0.is_none()));
        // Takes until 3 has come, so that its sender waits for nobody else.
        let mut got = Vec::new();
        while got.last() != Some(&3) {
            got.push(next(&mailbox).0);
        }
        quits.join().unwrap();
        sends.join().unwrap();
        got.extend(rest(&mailbox));
        assert_eq!((mailbox.counts().blocked, drops.load(Relaxed)), (0, 3));
        match got[..] {
            [1, 3] => "2 gave up",
            [1, 2, 3] | [1, 3, 2] => "2 was let in",
            ref other => panic!("{other:?}"),
        }
    });
}

#[test]
fn what_is_sent_to_a_receiver_that_goes_is_given_back_by_one_side() {
    model(&[1, 1, 1], &["both refused", "message taken", "signal taken", "both taken"], || {
        let (value, drops) = Value::one();
        let mailbox = mailbox(Policy::Block, 1, []);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || matches!(sends.try_send(value, None), Err(Refused::Closed(_))));
        let signals = Arc::clone(&mailbox);
        let signals = thread::spawn(move || signals.signal("exit").is_err());
        let mut taken: Vec<u32> = mailbox.close().into_iter().map(number).collect();
        taken.sort_unstable();
        let refused = (sends.join().unwrap(), signals.join().unwrap());
        assert!(rest(&mailbox).is_empty());
        assert_eq!(drops.load(Relaxed), 1);
        match (refused, &taken[..]) {
            ((true, true), []) => "both refused",
            ((false, true), [1]) => "message taken",
            ((true, false), [0]) => "signal taken",
            ((false, false), [0, 1]) => "both taken",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_sender_that_waits_is_told_when_the_receiver_goes() {
    model(&[1, 1], &["refused", "refused, after it waited"], || {
        let ([one, two], drops) = Value::several([1, 2]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || {
            let (back, waited) = send(&sends, two);
            (back.map(|value| value.number), waited)
        });
        let left: Vec<u32> = mailbox.close().into_iter().map(number).collect();
        let (back, waited) = sends.join().unwrap();
        assert_eq!((back, &left[..], drops.load(Relaxed)), (Some(2), &[1][..], 2));
        if waited { "refused, after it waited" } else { "refused" }
    });
}

#[test]
fn a_sender_that_is_let_in_by_a_receiver_that_goes_has_its_message_there() {
    model(&[2, 1], &["refused", "let in, and given back by close"], || {
        let ([one, two], drops) = Value::several([1, 2]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || send(&sends, two).0.map(|value| value.number));
        assert_eq!(mailbox.try_next().map(number), Some(1));
        let left: Vec<u32> = mailbox.close().into_iter().map(number).collect();
        let back = sends.join().unwrap();
        assert_eq!(drops.load(Relaxed), 2);
        match (back, &left[..]) {
            (Some(2), []) => "refused",
            (None, [2]) => "let in, and given back by close",
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_oldest_is_shed_or_taken() {
    model(&[2, 2], &["taken", "shed"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::ShedOldest, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || {
            let shed = |value| match sends.try_send(value, None) {
                Ok(Sent::Queued) => None,
                Ok(Sent::ShedOldest(value)) => Some(value.number),
                other => panic!("{other:?}"),
            };
            [shed(two), shed(three)]
        });
        let taken = [mailbox.try_next().map(number), mailbox.try_next().map(number)];
        let shed = sends.join().unwrap();
        let left = rest(&mailbox);
        assert_eq!(drops.load(Relaxed), 3);
        assert_eq!(mailbox.counts().shed as usize, shed.iter().flatten().count());
        let mut all: Vec<u32> = shed.into_iter().chain(taken).flatten().chain(left).collect();
        let out = taken.into_iter().flatten().collect::<Vec<_>>();
        assert!(out.is_sorted(), "in order: {out:?}");
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
        if shed[0] == Some(1) { "shed" } else { "taken" }
    });
}

#[test]
fn the_latest_of_a_key_takes_the_place_of_the_one_before() {
    model(&[2, 2], &["one came", "two came", "all came"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Fail, 3, []);
        assert!(matches!(mailbox.try_send(one, Some(7)), Ok(Sent::Queued)));
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || {
            let replaced = |value| match sends.try_send(value, Some(7)) {
                Ok(Sent::Queued) => None,
                Ok(Sent::Replaced(value)) => Some(value.number),
                other => panic!("{other:?}"),
            };
            [replaced(two), replaced(three)]
        });
        let mut came: Vec<u32> = [mailbox.try_next(), mailbox.try_next()].into_iter().flatten().map(number).collect();
        let replaced = sends.join().unwrap();
        came.extend(rest(&mailbox));
        assert!(came.is_sorted() && came.last() == Some(&3), "{came:?}");
        let mut all: Vec<u32> = replaced.into_iter().flatten().chain(came.iter().copied()).collect();
        all.sort_unstable();
        assert_eq!((all, drops.load(Relaxed)), (vec![1, 2, 3], 3));
        ["none came", "one came", "two came", "all came"][came.len()]
    });
}

#[test]
fn one_of_a_key_does_not_overtake_another_that_waits() {
    model(&[1, 1, 1], &["2 waited, 3 refused", "3 took the place of 2", "2 took the place of 3", "both came"], || {
        let ([one, two, three], drops) = Value::several([1, 2, 3]);
        let mailbox = mailbox(Policy::Block, 1, [one]);
        let sends = Arc::clone(&mailbox);
        let sends = thread::spawn(move || match wait(&mut sends.send(two, Some(7))).0 {
            Ok(Sent::Queued) => None,
            Ok(Sent::Replaced(value)) => Some(value.number),
            other => panic!("{other:?}"),
        });
        let tries = Arc::clone(&mailbox);
        let tries = thread::spawn(move || match tries.try_send(three, Some(7)) {
            Ok(Sent::Queued) => (None, None),
            Ok(Sent::Replaced(value)) => (Some(value.number), None),
            Err(Refused::Full(value)) => (None, Some(value.number)),
            other => panic!("{other:?}"),
        });
        let mut came = vec![next(&mailbox).0];
        let (replaced, refused) = tries.join().unwrap();
        came.extend(rest(&mailbox)); // so that 2 need not wait any more
        let two = sends.join().unwrap();
        came.extend(rest(&mailbox));
        assert_eq!(drops.load(Relaxed), 3);
        match (&came[..], replaced, refused, two) {
            ([1, 2], None, Some(3), None) => "2 waited, 3 refused",
            ([1, 3], Some(2), None, None) => "3 took the place of 2",
            ([1, 2], None, None, Some(3)) => "2 took the place of 3",
            ([1, 2, 3] | [1, 3, 2], None, None, None) => "both came",
            other => panic!("{other:?}"),
        }
    });
}
