//! Inboxes, as their processes see them.

use simurgh_runtime::{DurationExt, run};

use super::*;
use crate::{CastError, Context, ExitReason, Flow, Reply, Server};

/// Runs a body with an inbox that `messages` were sent to.
fn receives<F>(messages: impl IntoIterator<Item = u64>, body: impl FnOnce(Inbox<u64>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let messages: Vec<u64> = messages.into_iter().collect();
    let reason = run("test", async move {
        let (_, inbox) = spawn_with_inbox_of("receiver", Policy::Unbounded, 0, |mut inbox: Inbox<u64>| async move {
            assert_eq!(inbox.receive().await, u64::MAX); // all others have been sent
            body(inbox).await;
        });
        let monitor = inbox.monitor();
        inbox.try_send(u64::MAX).unwrap();
        for message in messages {
            inbox.try_send(message).unwrap();
        }
        monitor.await.reason
    });
    assert!(matches!(reason, ExitReason::Normal | ExitReason::NoProcess), "{reason}");
}

#[test]
fn what_is_passed_over_keeps_its_order() {
    receives(0..10, |mut inbox| async move {
        assert_eq!(inbox.receive_match(|number| *number == 4).await, Ok(4));
        assert_eq!(inbox.receive_match(|number| number % 2 == 1).await, Ok(1));
        assert_eq!(inbox.receive_match(|number| *number == 6).await, Ok(6));
        for expected in [0, 2, 3, 5, 7, 8, 9] {
            assert_eq!(inbox.receive().await, expected);
        }
        let limit = 1.millis();
        assert_eq!(inbox.receive_within(limit).await, Err(ReceiveError::TimedOut { after: limit }));
    });
}

#[test]
fn a_receive_that_is_given_up_loses_nothing_and_looks_at_each_message_once() {
    receives(0..=100, |mut inbox| async move {
        assert_eq!(inbox.receive_match(|number| *number == 100).await, Ok(100));
        assert_eq!((inbox.counts().scanned, inbox.counts().stashed), (101, 100));
        {
            let mut given_up = std::pin::pin!(inbox.receive_match(|number| *number == 1_000));
            assert!(poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx))).await.is_pending());
        }
        assert_eq!((inbox.counts().scanned, inbox.counts().stashed), (201, 100));
        let mark = inbox.mark();
        let me = inbox.me();
        me.try_send(1_000).unwrap();
        me.try_send(1_001).unwrap();
        assert_eq!(inbox.receive_match_since(mark, |number| *number == 1_001).await, Ok(1_001));
        assert_eq!(inbox.counts().scanned, 203);
        for expected in (0..100).chain([1_000]) {
            assert_eq!(inbox.receive().await, expected);
        }
    });
}

#[test]
fn a_stash_has_a_bound() {
    receives(0..100, |mut inbox| async move {
        inbox.stash_capacity(10);
        assert_eq!(inbox.receive_match(|number| *number == 50).await, Err(ReceiveError::StashFull { len: 10 }));
        assert_eq!(inbox.receive().await, 0);
        assert_eq!(inbox.receive_match(|number| *number == 10).await, Ok(10));
    });
}

struct Doubler;

impl Server for Doubler {
    type Message = (u64, Reply<u64>);

    async fn handle(&mut self, (number, reply): (u64, Reply<u64>), _: &mut Context<Self>) -> Flow {
        reply.send(number * 2);
        Flow::Continue
    }
}

/// The pain of selective receive: a process with a long queue that asks others and waits for each
/// answer. Answers have ports of their own, so that the queue is not looked at.
#[test]
fn answers_are_found_without_a_look_at_what_waits() {
    receives(0..=10_000, |mut inbox| async move {
        assert_eq!(inbox.receive_match(|number| *number == 10_000).await, Ok(10_000));
        let before = inbox.counts();
        assert_eq!(before.stashed, 10_000);
        let doubler = crate::start("doubler", Doubler).await.unwrap();
        for number in 0..10_000 {
            assert_eq!(doubler.call(|reply| (number, reply)).await, Ok(number * 2));
        }
        assert_eq!(inbox.counts(), before);

        // By hand, with a mark, each answer costs one look; without one it would cost 10,001.
        let me = inbox.me();
        for number in 10_000..20_000 {
            let mark = inbox.mark();
            me.try_send(number).unwrap();
            assert_eq!(inbox.receive_match_since(mark, |received| *received == number).await, Ok(number));
        }
        assert_eq!(inbox.counts().scanned, before.scanned + 10_000);
    });
}

#[test]
fn a_full_inbox_gives_the_message_back_and_a_stop_ends_the_receiver() {
    run("test", async {
        let (_, inbox) = spawn_with_inbox_of("receiver", Policy::Fail, 2, |mut inbox: Inbox<Reply<u8>>| async move {
            loop {
                inbox.receive().await.send(7);
                std::future::pending::<()>().await;
            }
            #[allow(unreachable_code)] // the compiler wants to know what it would return
            ExitReason::Normal
        });
        assert_eq!(inbox.call(|reply| reply).await, Ok(7));
        let reply = || Reply::new(simurgh_sync::port::pair().0);
        inbox.try_send(reply()).unwrap();
        inbox.try_send(reply()).unwrap();
        assert!(matches!(inbox.send(reply()).await, Err(CastError::Full { .. })));
        assert_eq!(inbox.stop(1.millis()).await, ExitReason::Kill);
        assert!(matches!(inbox.try_send(reply()), Err(CastError::Dead { .. })));

        let (_, idle) = spawn_with_inbox("idle", |mut inbox: Inbox<()>| async move { inbox.receive().await });
        assert!(idle.stop(5.secs()).await.is_orderly());
    });
}
