use super::*;
use std::future::Future;
use std::pin::{Pin, pin};

fn take<T, S>(mailbox: &Mailbox<T, S>) -> Option<T> {
    match mailbox.try_next()? {
        Entry::Message(message) => Some(message),
        Entry::Signal(_) => None,
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_signal_can_be_taken_past_the_messages_before_it() {
    let mailbox: Mailbox<u32, &str> = Mailbox::new(Policy::Block, 8);
    mailbox.try_send(1, Some(1)).unwrap();
    mailbox.signal("resume").unwrap();
    mailbox.try_send(2, Some(2)).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(mailbox.poll_signal(&mut cx), Poll::Ready("resume"));
    assert!(mailbox.poll_signal(&mut cx).is_pending());
    assert_eq!(mailbox.try_send(20, Some(2)), Ok(Sent::Replaced(2)), "keys have moved with their messages");
    assert_eq!((take(&mailbox), take(&mailbox)), (Some(1), Some(20)));
}

#[test]
fn messages_and_signals_keep_one_order() {
    let mailbox = Mailbox::new(Policy::Block, 2);
    mailbox.try_send(1, None).unwrap();
    mailbox.signal("exit").unwrap();
    mailbox.try_send(2, None).unwrap();
    assert_eq!(mailbox.try_send(3, None), Err(Refused::Full(3)));
    mailbox.signal("down").unwrap(); // always has room
    let all: Vec<_> = std::iter::from_fn(|| mailbox.try_next()).collect();
    assert_eq!(all, [Entry::Message(1), Entry::Signal("exit"), Entry::Message(2), Entry::Signal("down")]);
    assert_eq!((mailbox.counts().high_water, mailbox.counts().len), (2, 0));
}

#[test]
fn those_who_wait_are_let_in_one_by_one_and_in_order() {
    let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Block, 1);
    mailbox.try_send(0, None).unwrap();
    let mut first = pin!(mailbox.send(1, None));
    let mut second = pin!(mailbox.send(2, None));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert_eq!(mailbox.try_send(9, None), Err(Refused::Full(9)), "nobody overtakes those who wait");
    assert_eq!(take(&mailbox), Some(0));
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(Sent::Queued)));
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!((take(&mailbox), take(&mailbox), take(&mailbox)), (Some(1), Some(2), None));
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(Sent::Queued)));
}

#[test]
fn who_gives_up_has_its_message_back_unless_it_was_taken_in() {
    let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Block, 1);
    mailbox.try_send(0, None).unwrap();
    let mut one = mailbox.send(1, None);
    assert!(poll(Pin::new(&mut one)).is_pending());
    assert_eq!((one.take_back(), one.take_back()), (Some(1), None));
    let mut two = mailbox.send(2, None);
    assert!(poll(Pin::new(&mut two)).is_pending());
    assert_eq!(take(&mailbox), Some(0));
    assert_eq!(two.take_back(), None);
    assert_eq!(take(&mailbox), Some(2));
    mailbox.try_send(3, None).unwrap();
    let mut four = mailbox.send(4, None);
    assert!(poll(Pin::new(&mut four)).is_pending());
    drop(four);
    assert_eq!((take(&mailbox), take(&mailbox)), (Some(3), None));
}

#[test]
fn each_policy_does_what_it_says() {
    let full = |policy| {
        let mailbox: Mailbox<u32, ()> = Mailbox::new(policy, 2);
        mailbox.try_send(1, None).unwrap();
        mailbox.try_send(2, None).unwrap();
        let sent = mailbox.try_send(3, None);
        let left: Vec<_> = std::iter::from_fn(|| take(&mailbox)).collect();
        (sent, left, mailbox.counts().shed)
    };
    assert_eq!(full(Policy::Block), (Err(Refused::Full(3)), vec![1, 2], 0));
    assert_eq!(full(Policy::Fail), (Err(Refused::Full(3)), vec![1, 2], 0));
    assert_eq!(full(Policy::ShedNewest), (Ok(Sent::ShedNewest(3)), vec![1, 2], 1));
    assert_eq!(full(Policy::ShedOldest), (Ok(Sent::ShedOldest(1)), vec![2, 3], 1));
    assert_eq!(full(Policy::Unbounded), (Ok(Sent::Queued), vec![1, 2, 3], 0));
}

#[test]
fn the_latest_of_a_key_takes_the_place_of_the_one_before() {
    let mailbox: Mailbox<(char, u32), ()> = Mailbox::new(Policy::Block, 2);
    let send = |key: char, value| mailbox.try_send((key, value), Some(u64::from(u32::from(key))));
    assert_eq!(send('a', 1), Ok(Sent::Queued));
    mailbox.signal(()).unwrap();
    assert_eq!(send('b', 1), Ok(Sent::Queued));
    assert_eq!(send('b', 2), Ok(Sent::Replaced(('b', 1))));
    assert_eq!(send('c', 1), Err(Refused::Full(('c', 1))));
    let mut waits = pin!(mailbox.send(('b', 3), Some(u64::from(u32::from('b')))));
    assert_eq!(poll(waits.as_mut()), Poll::Ready(Ok(Sent::Replaced(('b', 2)))));
    assert_eq!((take(&mailbox), take(&mailbox), take(&mailbox)), (Some(('a', 1)), None, Some(('b', 3))));
    assert_eq!(send('b', 4), Ok(Sent::Queued), "one that was taken out is no place to take");
    assert_eq!(take(&mailbox), Some(('b', 4)));
}

#[test]
fn the_latest_of_a_key_is_the_one_that_came_last_though_another_waited() {
    let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Block, 2);
    mailbox.try_send(0, None).unwrap();
    mailbox.try_send(1, None).unwrap();
    let mut first = pin!(mailbox.send(10, Some(7)));
    let mut second = pin!(mailbox.send(11, Some(7)));
    let mut other = pin!(mailbox.send(2, None));
    let mut last = pin!(mailbox.send(3, None));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert!(poll(other.as_mut()).is_pending() && poll(last.as_mut()).is_pending());
    assert_eq!(take(&mailbox), Some(0));
    assert_eq!(mailbox.try_send(12, Some(7)), Err(Refused::Full(12)), "11 came before, and would take its place");
    assert_eq!(take(&mailbox), Some(1));
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(Sent::Queued)));
    // 11 took the place of 10, so 2 had the room; nobody overtakes 3, who still waits.
    assert_eq!(mailbox.try_send(9, None), Err(Refused::Full(9)));
    assert_eq!(mailbox.try_send(12, Some(7)), Ok(Sent::Replaced(11)));
    let all: Vec<_> = std::iter::from_fn(|| take(&mailbox)).collect();
    assert_eq!(all, [12, 2, 3]);
}

#[test]
fn keys_keep_their_places_when_the_oldest_is_shed() {
    let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::ShedOldest, 2);
    mailbox.signal(()).unwrap();
    mailbox.try_send(1, Some(1)).unwrap();
    mailbox.try_send(2, Some(2)).unwrap();
    assert_eq!(mailbox.try_send(3, Some(3)), Ok(Sent::ShedOldest(1)));
    assert_eq!(mailbox.try_send(20, Some(2)), Ok(Sent::Replaced(2)));
    assert_eq!(mailbox.try_send(30, Some(3)), Ok(Sent::Replaced(3)));
    assert_eq!(mailbox.try_send(10, Some(1)), Ok(Sent::ShedOldest(20)));
    assert_eq!((take(&mailbox), take(&mailbox), take(&mailbox)), (None, Some(30), Some(10)));
}

#[test]
fn a_mailbox_whose_receiver_has_gone_gives_everything_back() {
    let mailbox: Mailbox<u32, &str> = Mailbox::new(Policy::Block, 1);
    mailbox.try_send(1, None).unwrap();
    let mut waits = pin!(mailbox.send(2, None));
    assert!(poll(waits.as_mut()).is_pending());
    assert_eq!(mailbox.close(), [Entry::Message(1)]);
    assert_eq!(poll(waits.as_mut()), Poll::Ready(Err(Refused::Closed(2))));
    assert_eq!(mailbox.try_send(3, None), Err(Refused::Closed(3)));
    assert_eq!(mailbox.signal("exit"), Err("exit"));
}

#[test]
fn an_idle_mailbox_is_small_and_one_that_was_full_becomes_so_again() {
    assert!(size_of::<Mailbox<[u64; 4], usize>>() <= 96, "{}", size_of::<Mailbox<[u64; 4], usize>>());
    let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Unbounded, 1);
    (0..1000).for_each(|number| drop(mailbox.try_send(number, None)));
    while mailbox.try_next().is_some() {}
    assert_eq!(mailbox.lock().ring.capacity(), 0);
}
