use std::sync::Arc;
use std::task::Wake;

use super::*;
use crate::{Payload, Vsn};

fn frame(event: &str) -> Frame {
    Frame::broadcast(Vsn::V2, "t", event, &Payload::empty()).unwrap()
}

fn events(outbox: &Outbox) -> Vec<String> {
    std::iter::from_fn(|| outbox.try_next())
        .map(|item| match item {
            Item::Frame(frame) => serde_json::from_slice::<Vec<serde_json::Value>>(frame.as_bytes()).unwrap()[3]
                .as_str()
                .unwrap()
                .to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

/// Puts frames into an outbox of three: what is left of them, and what was counted.
fn check(overflow: Overflow, frames: &[(&str, Weight)], left: &[&str], counted: (u64, u64, u64)) {
    let options = OutboxOptions { frames_max: 3, bytes_max: 1 << 20, overflow };
    let (outbox, counters) = (Outbox::new(options), Counters::default());
    for (event, weight) in frames {
        outbox.push(frame(event), *weight, &counters);
        assert!(outbox.len() <= 3);
    }
    assert_eq!(events(&outbox), left, "{overflow:?} {frames:?}");
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((count(&counters.dropped), count(&counters.replaced), count(&counters.overflowed)), counted);
    assert_eq!(outbox.closing(), (counted.2 > 0).then_some(Close::Overflow));
}

#[test]
fn every_policy_at_the_bound() {
    use Weight::{Keyed, Needed, Push};
    let four = [("a", Push), ("b", Push), ("c", Push), ("d", Push)];
    check(Overflow::Close, &four, &["a", "b", "c"], (0, 0, 1));
    check(Overflow::DropOldest, &four, &["b", "c", "d"], (1, 0, 0));
    let replies = [("a", Needed), ("b", Push), ("c", Needed), ("d", Push)];
    check(Overflow::DropOldest, &replies, &["a", "c", "d"], (1, 0, 0));
    let all = [("a", Needed), ("b", Needed), ("c", Needed), ("d", Push)];
    check(Overflow::DropOldest, &all, &["a", "b", "c"], (0, 0, 1));
    let keys = [("a", Keyed(1)), ("b", Keyed(2)), ("c", Push), ("b2", Keyed(2))];
    check(Overflow::LatestPerKey, &keys, &["a", "c", "b2"], (0, 1, 0));
    let others = [("a", Keyed(1)), ("b", Keyed(2)), ("c", Push), ("d", Keyed(3))];
    check(Overflow::LatestPerKey, &others, &["b", "c", "d"], (1, 0, 0));
}

#[test]
fn bytes_are_bounded_too_but_one_frame_always_fits() {
    let options = OutboxOptions { frames_max: 100, bytes_max: 10, overflow: Overflow::DropOldest };
    let (outbox, counters) = (Outbox::new(options), Counters::default());
    assert!(outbox.push(frame("long enough"), Weight::Push, &counters));
    assert!(outbox.push(frame("and another"), Weight::Push, &counters));
    assert_eq!(events(&outbox), ["and another"]);
}

#[test]
fn ends_have_room_always_and_stand_in_their_place() {
    let options = OutboxOptions { frames_max: 1, ..OutboxOptions::default() };
    let (outbox, counters) = (Outbox::new(options), Counters::default());
    outbox.push(frame("a"), Weight::Push, &counters);
    outbox.tell(Item::Closing(1));
    outbox.tell(Item::Ended(1));
    outbox.resolve(|item| match item {
        Item::Frame(_) => None,
        Item::Closing(_) => Some(Some(frame("close"))),
        Item::Ended(_) => Some(None),
    });
    assert_eq!(outbox.len(), 2);
    assert_eq!(events(&outbox), ["a", "close"]);
    outbox.leave();
    outbox.tell(Item::Ended(2));
    assert!(!outbox.push(frame("b"), Weight::Needed, &counters) && outbox.is_gone());
    assert!(outbox.try_next().is_none());
}

struct Bell(AtomicU64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn it_wakes_once_and_while_stalled_only_for_a_close() {
    let (outbox, counters) = (Outbox::new(OutboxOptions::default()), Counters::default());
    let bell = Arc::new(Bell(AtomicU64::new(0)));
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    let rung = || bell.0.load(Ordering::Relaxed);
    let mut taken = Taken::default();
    assert!(outbox.poll_take(&mut taken, &mut cx).is_pending());
    outbox.push(frame("a"), Weight::Push, &counters);
    outbox.push(frame("b"), Weight::Push, &counters);
    assert_eq!(rung(), 1);
    assert!(outbox.poll_take(&mut taken, &mut cx).is_ready());
    assert_eq!([(); 3].map(|()| taken.pop().is_some()), [true, true, false]);
    assert!(outbox.poll_close(&mut cx).is_pending());
    outbox.push(frame("c"), Weight::Push, &counters);
    assert_eq!(rung(), 1);
    outbox.close(Close::Drain);
    outbox.close(Close::Disconnect);
    assert_eq!((rung(), outbox.poll_close(&mut cx)), (2, Poll::Ready(Close::Drain)));
    assert!(!outbox.push(frame("d"), Weight::Needed, &counters));
}
