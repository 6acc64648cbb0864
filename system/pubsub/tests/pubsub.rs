//! Subscribing, publishing and leaving: bounds, errors, hooks, servers, names, and races on threads.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use simurgh_otp::{self as otp, Inbox};
use simurgh_pubsub::{
    BroadcastError, Closed, Delivered, Dispatched, Dispatcher, DispatcherError, EncodeError, Encoding, Entries, Limits,
    Message, NameError, Options, PubSub, SubscribeError, Subscriber, Subscription,
};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{DurationExt, run, spawn, timeout, yield_now};
use simurgh_sim::{Outcome, Sim};
use simurgh_telemetry::{attach, context};

fn message(topic: &str, number: u64) -> Message {
    Message::json(topic, "n", &number).unwrap()
}

fn waiting(of: &mut Subscription) -> Vec<u64> {
    std::iter::from_fn(|| of.try_recv().ok().flatten()).map(|message| message.deserialize().unwrap()).collect()
}

/// Calls a closure.
struct Calls<F>(F);

impl<F: Fn(&Message) -> Delivered + Send + Sync + 'static> Subscriber for Calls<F> {
    fn deliver(&self, message: &Message) -> Delivered {
        (self.0)(message)
    }
}

fn calls(f: impl Fn(&Message) -> Delivered + Send + Sync + 'static) -> Arc<dyn Subscriber> {
    Arc::new(Calls(f))
}

#[test]
fn each_bound_is_said() {
    run("test", async {
        let limits = Limits { topics_max: 2, subscribers_max: 2, topic_len_max: 4, event_len_max: 4 };
        let pubsub = PubSub::local_with("small", limits);
        let one = pubsub.subscribe("one").unwrap();
        let two = pubsub.subscribe("two").unwrap();
        assert_eq!(pubsub.subscribe("more").unwrap_err(), SubscribeError::TooManyTopics { max: 2 });
        let again = pubsub.subscribe("one").unwrap();
        let error = pubsub.subscribe("one").unwrap_err();
        assert_eq!(error, SubscribeError::TooManySubscribers { topic: "one".into(), max: 2 });
        drop(again);
        drop(two);
        let more = pubsub.subscribe("more").unwrap();
        assert_eq!(pubsub.subscribe("longer").unwrap_err(), SubscribeError::TopicTooLong { len: 6, max: 4 });
        let refused = pubsub.broadcast(message("longer", 1)).unwrap_err();
        assert_eq!(refused, BroadcastError::TopicTooLong { len: 6, max: 4 });
        let refused = pubsub.broadcast(Message::raw_json("one", "too long", "1")).unwrap_err();
        assert_eq!((refused.code(), one.counts().came), ("pubsub.event_too_long", 0));
        drop((one, more));
        assert_eq!((pubsub.counts().topics, pubsub.counts().subscribers, pubsub.topics()), (0, 0, vec![]));
    });
}

#[test]
fn what_is_counted_is_what_was() {
    run("test", async {
        let pubsub = PubSub::local("counted");
        let mut fast = pubsub.subscribe("room").unwrap();
        let _slow = pubsub.subscribe_opts("room", Options::drop_oldest(1)).unwrap();
        let mut closes = pubsub.subscribe_opts("room", Options::close(1)).unwrap();
        let done: Vec<Dispatched> = (0..3).map(|number| pubsub.broadcast(message("room", number)).unwrap()).collect();
        assert_eq!(
            done,
            [
                Dispatched { taken: 3, dropped: 0, gone: 0 },
                Dispatched { taken: 1, dropped: 1, gone: 1 },
                Dispatched { taken: 1, dropped: 1, gone: 0 },
            ]
        );
        let counts = pubsub.counts();
        assert_eq!((counts.topics, counts.subscribers, counts.broadcasts), (1, 2, 3));
        assert_eq!((counts.delivered, counts.dropped, counts.closed), (5, 2, 1));
        assert_eq!(pubsub.topic("room").unwrap().subscribers, 2);
        assert_eq!(waiting(&mut fast), [0, 1, 2]);
        assert_eq!(closes.recv().await.unwrap(), message("room", 0));
        assert_eq!(closes.recv().await, Err(Closed { capacity: 1 }));
        assert!(closes.counts().closed);
    });
}

/// The outbox of a subscription can stand at other topics too.
#[test]
fn one_outbox_at_two_topics() {
    run("test", async {
        let pubsub = PubSub::local("two topics");
        let mut both = pubsub.subscribe("one").unwrap();
        let registration = pubsub.subscribe_as(both.id(), "two", both.subscriber()).unwrap();
        pubsub.broadcast(message("one", 1)).unwrap();
        pubsub.broadcast(message("two", 2)).unwrap();
        pubsub.broadcast_from(both.id(), message("two", 3)).unwrap();
        drop(registration);
        pubsub.broadcast(message("two", 4)).unwrap();
        assert_eq!(waiting(&mut both), [1, 2]);
    });
}

#[test]
fn a_subscriber_that_panics_hurts_nobody_else() {
    run("test", async {
        let pubsub = PubSub::local("panics");
        let mut before = pubsub.subscribe("room").unwrap();
        let _panics = pubsub.subscribe_with("room", calls(|_| panic!("on purpose"))).unwrap();
        let _panics_too = pubsub.subscribe_with("room", calls(|_| panic!("on purpose"))).unwrap();
        let mut after = pubsub.subscribe("room").unwrap();
        assert_eq!(pubsub.broadcast(message("room", 1)).unwrap(), Dispatched { taken: 2, dropped: 0, gone: 2 });
        assert_eq!(pubsub.broadcast(message("room", 2)).unwrap(), Dispatched { taken: 2, dropped: 0, gone: 0 });
        assert_eq!((waiting(&mut before), waiting(&mut after)), (vec![1, 2], vec![1, 2]));
    });
}

#[test]
fn a_subscriber_that_panics_at_a_message_s_approach_gets_it_all_the_same() {
    struct Shies(AtomicUsize);
    impl Subscriber for Shies {
        fn deliver(&self, _: &Message) -> Delivered {
            self.0.fetch_add(1, Ordering::Relaxed);
            Delivered::Taken
        }

        fn approach(&self) {
            panic!("on purpose");
        }
    }
    run("test", async {
        let pubsub = PubSub::local("shies");
        let mut before = pubsub.subscribe("room").unwrap();
        let shies: Vec<_> = (0..20).map(|_| Arc::new(Shies(AtomicUsize::new(0)))).collect();
        let register = |shies: &Arc<Shies>| pubsub.subscribe_with("room", Arc::clone(shies) as _).unwrap();
        let registered: Vec<_> = shies.iter().map(register).collect();
        let mut after = pubsub.subscribe("room").unwrap();
        assert_eq!(pubsub.broadcast(message("room", 1)).unwrap(), Dispatched { taken: 22, dropped: 0, gone: 0 });
        assert_eq!((waiting(&mut before), waiting(&mut after)), (vec![1], vec![1]));
        assert!(shies.iter().all(|one| one.0.load(Ordering::Relaxed) == 1));
        drop(registered);
    });
}

#[test]
fn a_subscriber_may_subscribe_leave_and_publish() {
    run("test", async {
        let pubsub = PubSub::local("again");
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (inner, into) = (pubsub.clone(), Arc::clone(&kept));
        let busy = pubsub.subscribe_with(
            "room",
            calls(move |came| {
                let number: u64 = came.deserialize().unwrap();
                if number < 3 {
                    into.lock().push(inner.subscribe("room").unwrap());
                    inner.broadcast(message("room", number + 1)).unwrap();
                    if number == 2 {
                        let left = std::mem::take(&mut *into.lock());
                        drop(left);
                    }
                }
                Delivered::Taken
            }),
        );
        let mut other = pubsub.subscribe("room").unwrap();
        pubsub.broadcast(message("room", 0)).unwrap();
        // What was published from within went out first.
        assert_eq!(waiting(&mut other), [3, 2, 1, 0]);
        drop((busy, other));
        assert_eq!(pubsub.counts().topics, 0);
    });
}

/// What a subscriber owns may come back to the same topic when it goes.
#[test]
fn a_subscriber_s_end_may_come_back() {
    run("test", async {
        let pubsub = PubSub::local("ends");
        let other = pubsub.subscribe("room").unwrap();
        let owner = calls(move |_| {
            let _ = &other;
            Delivered::Gone
        });
        drop(pubsub.subscribe_with("room", owner).unwrap());
        assert_eq!(pubsub.counts().topics, 0);

        let limits = Limits { subscribers_max: 1, ..Limits::default() };
        let pubsub = PubSub::local_with("refuses", limits);
        let other = pubsub.subscribe("room").unwrap();
        let refused = calls(move |_| {
            let _ = &other;
            Delivered::Gone
        });
        assert!(pubsub.subscribe_with("room", refused).is_err());
        assert_eq!(pubsub.counts().topics, 0, "who is refused is dropped, and what it owns");
    });
}

struct Nowhere;

impl Dispatcher for Nowhere {
    fn dispatch(&self, entries: &Entries<'_>, message: &Message) {
        assert!(entries.iter().all(|entry| entry.metadata::<u8>().is_none()));
        if let Some(entry) = entries.iter().last() {
            entry.deliver(message);
        }
    }
}

#[test]
fn dispatchers_are_known_by_name_and_bounded() {
    run("test", async {
        let pubsub = PubSub::local("hooked");
        let mut one = pubsub.subscribe("room").unwrap();
        let mut two = pubsub.subscribe("room").unwrap();
        let hooked = message("room", 1).dispatched_by("last");
        let unknown = pubsub.broadcast(&hooked).unwrap_err();
        assert_eq!(unknown, BroadcastError::UnknownDispatcher { name: "last".into() });
        pubsub.add_dispatcher("last", Arc::new(Nowhere)).unwrap();
        assert_eq!(pubsub.broadcast(&hooked).unwrap().taken, 1);
        assert_eq!(pubsub.broadcast_from(two.id(), &hooked).unwrap().taken, 1);
        pubsub.local_dispatch(&Nowhere, None, message("room", 2)).unwrap();
        assert_eq!((waiting(&mut one), waiting(&mut two)), (vec![1], vec![1, 2]));

        let taken = pubsub.add_dispatcher("last", Arc::new(Nowhere)).unwrap_err();
        assert_eq!(taken, DispatcherError::Taken { name: "last".into() });
        let long = pubsub.add_dispatcher(&"x".repeat(256), Arc::new(Nowhere)).unwrap_err();
        assert_eq!(long, DispatcherError::NameTooLong { len: 256, max: 255 });
        (1..64).for_each(|number| pubsub.add_dispatcher(&number.to_string(), Arc::new(Nowhere)).unwrap());
        assert_eq!(pubsub.add_dispatcher("more", Arc::new(Nowhere)), Err(DispatcherError::TooMany { max: 64 }));
    });
}

static ENCODED: AtomicUsize = AtomicUsize::new(0);

struct Form<const N: usize>;

impl<const N: usize> Encoding for Form<N> {
    type Output = usize;

    fn encode(message: &Message) -> Result<usize, EncodeError> {
        ENCODED.fetch_add(1, Ordering::Relaxed);
        if message.event() == "bad" { Err(EncodeError::new("it is bad")) } else { Ok(N) }
    }
}

#[test]
fn a_form_is_made_once_whoever_asks() {
    run("test", async {
        let good = message("room", 1);
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let good = good.clone();
                spawn(async move {
                    for _ in 0..100 {
                        let all = (*good.encoded::<Form<1>>().unwrap(), *good.encoded::<Form<2>>().unwrap());
                        assert_eq!(all, (1, 2));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(ENCODED.swap(0, Ordering::Relaxed), 2);

        let bad = Message::raw_json("room", "bad", "1");
        assert_eq!(bad.encoded::<Form<1>>().unwrap_err().to_string(), "the message cannot be encoded: it is bad");
        assert!(bad.encoded::<Form<1>>().is_err());
        assert_eq!(ENCODED.swap(0, Ordering::Relaxed), 1, "an error is remembered too");

        macro_rules! ask {
            ($($n:literal)*) => { $(assert_eq!(*good.encoded::<Form<$n>>().unwrap(), $n);)* };
        }
        ask!(3 4 5 6 7 8);
        assert_eq!(ENCODED.swap(0, Ordering::Relaxed), 6);
        ask!(9 9 1 8);
        assert_eq!(ENCODED.load(Ordering::Relaxed), 2, "beyond 8 forms they are made anew");
    });
}

#[test]
fn a_message_carries_its_maker_s_context() {
    run("test", async {
        let pubsub = PubSub::local("carried");
        let mut subscription = pubsub.subscribe("room").unwrap();
        context::set_locale(Some("de-CH"));
        pubsub.broadcast(message("room", 1)).unwrap();
        context::set_locale(None);
        pubsub.broadcast(message("room", 2)).unwrap();
        subscription.recv().await.unwrap();
        assert_eq!(context::locale(), Some("de-CH".into()));
        subscription.recv().await.unwrap();
        assert_eq!(context::locale(), None);
    });
}

#[test]
fn events_tell_who_comes_and_what_is_published() {
    run("test", async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        attach("test", "pubsub", move |event| into.lock().push(event.name)).unwrap();
        let pubsub = PubSub::local("told");
        let subscription = pubsub.subscribe("room").unwrap();
        pubsub.broadcast(message("room", 1)).unwrap();
        drop(subscription);
        assert_eq!(*seen.lock(), ["pubsub.subscribe", "pubsub.broadcast", "pubsub.unsubscribe"]);
    });
}

#[test]
fn an_inbox_has_messages_of_its_own_and_is_gone_with_its_process() {
    run("test", async {
        let pubsub = PubSub::local("inbox");
        let (pid, inbox) = otp::spawn_with_inbox("adder", |mut inbox: Inbox<u64>| async move {
            assert_eq!(inbox.receive().await + inbox.receive().await, 3);
        });
        let odd_or_even = |message: &Message| message.deserialize().ok().filter(|number| *number > 0);
        let _registration = pubsub.subscribe_inbox("room", &inbox, odd_or_even).unwrap();
        for number in [0, 1, 0, 2] {
            pubsub.broadcast(message("room", number)).unwrap();
        }
        otp::monitor(pid).await;
        assert_eq!(pubsub.broadcast(message("room", 5)).unwrap(), Dispatched { taken: 0, dropped: 0, gone: 1 });
        assert_eq!(pubsub.counts().topics, 0);
    });
}

#[test]
fn names_are_bounded() {
    run("test", async {
        let all: Vec<PubSub> = (0..64).map(|number| PubSub::local(&number.to_string())).collect();
        assert!(all.iter().all(|pubsub| pubsub.register().is_ok()));
        assert_eq!(PubSub::local("more").register(), Err(NameError::TooMany { max: 64 }));
        assert_eq!(all[3].register(), Err(NameError::Taken { name: "3".into() }));
        PubSub::local("3").unregister();
        assert_eq!(PubSub::find("3").as_ref(), Some(&all[3]), "another of that name takes nothing away");
    });
}

#[simurgh_sim::test(seeds = 3)]
async fn two_nodes_share_no_names(sim: Sim) -> Outcome {
    let program = || async {
        if PubSub::find("chat").is_some() {
            return Err("another node's is found".to_owned());
        }
        let chat = PubSub::local("chat");
        chat.register().map_err(|error| error.to_string())?;
        let mut lobby = chat.subscribe("room:lobby").map_err(|error| error.to_string())?;
        let found = PubSub::find("chat").ok_or("it is not found")?;
        found.broadcast(message("room:lobby", 1)).map_err(|error| error.to_string())?;
        match timeout(1.secs(), lobby.recv()).await {
            Ok(Ok(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    for node in [sim.node("one", program), sim.node("two", program)] {
        match node.ended().await {
            simurgh_sim::Exit::Finished => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(())
}

/// On threads: who stays gets all, in each sender's order, while others come and go at the same topic.
#[test]
fn who_stays_gets_all_while_others_come_and_go() {
    const SENDERS: u64 = 4;
    const MESSAGES: u64 = 400;
    const STAYING: usize = 80;
    run("test", async {
        let pubsub = PubSub::local("threads");
        let over = Arc::new(AtomicBool::new(false));
        let staying: Vec<_> = (0..STAYING)
            .map(|_| {
                let options = Options::close((SENDERS * MESSAGES) as usize);
                let mut subscription = pubsub.subscribe_opts("room", options).unwrap();
                spawn(async move {
                    let mut next = [0; SENDERS as usize];
                    for _ in 0..SENDERS * MESSAGES {
                        let number: u64 = subscription.recv().await.unwrap().deserialize().unwrap();
                        let (sender, number) = ((number / MESSAGES) as usize, number % MESSAGES);
                        assert_eq!(number, next[sender], "of sender {sender}");
                        next[sender] += 1;
                    }
                    subscription
                })
            })
            .collect();
        let passing: Vec<_> = (0..4)
            .map(|which| {
                let (pubsub, over) = (pubsub.clone(), Arc::clone(&over));
                spawn(async move {
                    let mut kept = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let options = if which % 2 == 0 { Options::close(1) } else { Options::default() };
                        kept.push(pubsub.subscribe_opts("room", options).unwrap());
                        drop(pubsub.subscribe("elsewhere").unwrap());
                        if kept.len() > 40 {
                            kept.drain(..40);
                        }
                        yield_now().await;
                    }
                })
            })
            .collect();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let pubsub = pubsub.clone();
                spawn(async move {
                    for number in 0..MESSAGES {
                        pubsub.broadcast(message("room", sender * MESSAGES + number)).unwrap();
                        pubsub.broadcast(message("elsewhere", number)).unwrap();
                        yield_now().await;
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
        for task in passing {
            task.await.unwrap();
        }
        let mut left = Vec::new();
        for task in staying {
            left.push(task.await.unwrap());
        }
        assert_eq!(pubsub.counts().subscribers, STAYING);
        drop(left);
        assert_eq!((pubsub.counts().topics, pubsub.counts().subscribers), (0, 0));
    });
}
