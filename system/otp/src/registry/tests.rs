//! Registries, as their users see them.

use std::future::pending;

use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{DurationExt, random, run, yield_now};

use super::*;
use crate::{CallError, CastError, Context, ExitReason, Flow, Monitor, Reply, Start, Supervisor};

fn sleeper() -> (Pid, Monitor) {
    crate::spawn_monitor("sleeper", pending::<()>())
}

async fn end(pid: Pid, monitor: Monitor) {
    crate::kill(pid);
    assert_eq!(monitor.await.reason, ExitReason::Kill);
}

struct Counter(u64);

impl Server for Counter {
    type Message = Reply<u64>;

    async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>) -> Flow {
        self.0 += 1;
        reply.send(self.0);
        Flow::Continue
    }
}

#[test]
fn a_unique_key_has_one_owner_whom_a_refusal_names() {
    run("test", async {
        let registry: Registry<&str, u8> = Registry::unique("rooms");
        let ((one, one_end), (two, _two_end)) = (sleeper(), sleeper());
        registry.register_for(one, "blue", 1).unwrap();
        for late in [one, two] {
            let error = registry.register_for(late, "blue", 2).unwrap_err();
            assert_eq!(error.code(), "otp.registry.already_registered");
            assert!(
                error.to_string().contains(&format!("\"blue\" of the registry rooms is taken by {one}")),
                "{error}"
            );
        }
        assert_eq!(registry.get("blue"), Some(Entry { pid: one, value: 1 }));
        end(one, one_end).await;
        assert_eq!((registry.get("blue"), registry.count(), registry.keys(one)), (None, 0, Vec::new()));
        registry.register_for(two, "blue", 2).unwrap();
        assert_eq!((registry.unregister_for(one, "blue"), registry.unregister_for(two, "blue")), (0, 1));
        assert_eq!((registry.whereis("blue"), registry.keys(two)), (None, Vec::new()));
    });
}

/// Registers itself in its last breath.
struct Late(Registry<Name>, Arc<Mutex<Option<RegisterError>>>);
impl Drop for Late {
    fn drop(&mut self) {
        *self.1.lock() = self.0.register("last words".into(), ()).err();
    }
}
#[test]
fn who_has_ended_or_is_about_to_or_is_no_process_is_not_registered() {
    run("test", async {
        let names = names();
        let (pid, monitor) = sleeper();
        crate::kill(pid);
        assert_eq!(names.register_for(pid, "late".into(), ()), Err(RegisterError::Ended { pid }));
        monitor.await;
        assert_eq!(names.register_for(pid, "late".into(), ()), Err(RegisterError::Ended { pid }));
        assert_eq!(register("nobody"), Err(RegisterError::NotAProcess));

        let said = Arc::new(Mutex::new(None));
        let late = Late(names, Arc::clone(&said));
        let (pid, monitor) = crate::spawn_monitor("late", async move {
            let _late = late;
            pending::<()>().await;
        });
        end(pid, monitor).await;
        assert!(said.lock().is_some());
    });
}

#[test]
fn duplicate_keys_have_many_entries_and_each_process_its_own() {
    run("test", async {
        let registry: Registry<&str, u32> = Registry::duplicate("topics");
        let sleepers: Vec<_> = (0..100).map(|_| sleeper()).collect();
        for (number, (pid, _)) in sleepers.iter().enumerate() {
            registry.register_for(*pid, "news", number as u32).unwrap();
            registry.register_for(*pid, "news", 1_000).unwrap();
            registry.register_for(*pid, "sport", 0).unwrap();
        }
        assert_eq!((registry.count(), registry.count_of("news")), (300, 200));
        assert_eq!(registry.lookup_match("news", |_, value| *value == 7)[0].pid, sleepers[7].0);
        assert_eq!(registry.select(|key, _, value| (*key == "news" && *value == 1_000).then_some(())).len(), 100);
        let told = registry.dispatch("news", |entries| entries.iter().filter(|entry| entry.value < 1_000).count());
        assert_eq!(told, Some(100));
        assert_eq!(registry.unregister_for(sleepers[0].0, "news"), 2);
        assert_eq!(registry.keys(sleepers[0].0), ["sport"]);
        assert_eq!(registry.whereis("news"), Some(sleepers[1].0));
        for (pid, monitor) in sleepers {
            end(pid, monitor).await;
            assert!(registry.lookup("news").iter().all(|entry| entry.pid != pid));
        }
        assert_eq!(registry.count(), 0);
    });
}

#[test]
fn a_process_changes_and_gives_back_what_is_its_own() {
    run("test", async {
        let registry: Registry<u8, u32> = Registry::duplicate("numbers");
        let theirs = registry.clone();
        let (_, monitor) = crate::spawn_monitor("owner", async move {
            theirs.register(1, 10).unwrap();
            theirs.register(1, 20).unwrap();
            assert_eq!(theirs.update(&1, |value| std::mem::replace(value, 11)), Some(10));
            assert_eq!(theirs.update(&2, |_| ()), None);
            assert_eq!(theirs.unregister_match(&1, |value| *value == 20), 1);
            assert_eq!(theirs.keys(crate::self_pid()), [1]);
            assert_eq!(theirs.get(&1).unwrap().value, 11);
            assert_eq!((theirs.unregister(&1), theirs.unregister(&1)), (1, 0));
        });
        assert_eq!(monitor.await.reason, ExitReason::Normal);
    });
}

/// Registers, gives back and kills at random, and compares with a plain map.
#[test]
fn it_is_what_a_plain_map_would_be() {
    run("test", async {
        let registry: Registry<u64, u64> = Registry::with_partitions("any", Keys::Unique, 3);
        let mut model: HashMap<u64, (Pid, u64)> = HashMap::default();
        let mut alive: Vec<(Pid, Monitor)> = (0..8).map(|_| sleeper()).collect();
        for step in 0..4_000 {
            let key = random::range(0..20);
            let who = random::range(0..alive.len() as u64) as usize;
            let pid = alive[who].0;
            match random::range(0..10) {
                0..6 => match registry.register_for(pid, key, step) {
                    Ok(()) => assert_eq!(model.insert(key, (pid, step)), None),
                    Err(RegisterError::AlreadyRegistered { pid, .. }) => assert_eq!(model[&key].0, pid),
                    Err(error) => panic!("{error}"),
                },
                6..9 => {
                    let was = model.get(&key).is_some_and(|(owner, _)| *owner == pid);
                    assert_eq!(registry.unregister_for(pid, &key), usize::from(was));
                    model.retain(|known, _| !was || *known != key);
                }
                _ => {
                    let (pid, monitor) = std::mem::replace(&mut alive[who], sleeper());
                    end(pid, monitor).await;
                    model.retain(|_, (owner, _)| *owner != pid);
                }
            }
            assert_eq!(registry.count(), model.len());
            let found = registry.get(&key).map(|entry| (entry.pid, entry.value));
            assert_eq!(found, model.get(&key).copied());
        }
    });
}

/// Threads that take one name from each other, as fast as they can: whoever hears of an owner's end
/// may have the name, and nobody ever finds an owner whose end was told.
#[test]
fn a_name_is_free_when_its_owners_end_is_told() {
    run("test", async {
        let registry: Registry<&str> = Registry::unique("one");
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let registry = registry.clone();
                simurgh_runtime::spawn(async move {
                    let mut taken = 0;
                    while taken < 500 {
                        let theirs = registry.clone();
                        let (pid, monitor) = crate::spawn_monitor("taker", async move {
                            let got = theirs.register("it", ());
                            if got.is_ok() {
                                yield_now().await;
                                assert_eq!(theirs.whereis("it"), Some(crate::self_pid()));
                            }
                            got
                        });
                        let reason = monitor.await.reason;
                        assert_ne!(registry.whereis("it"), Some(pid));
                        taken += u32::from(reason == ExitReason::Normal);
                        assert!(!matches!(reason, ExitReason::Panic(_)), "{reason}");
                    }
                })
            })
            .collect();
        for taker in takers {
            taker.await.unwrap();
        }
        assert_eq!(registry.count(), 0);
    });
}

#[test]
fn listeners_hear_in_order_come_back_and_one_that_panics_is_removed() {
    run("test", async {
        let registry: Registry<u8, char> = Registry::unique("heard");
        let heard: Arc<Mutex<Vec<Change<u8, char>>>> = Arc::default();
        let (into, back) = (Arc::clone(&heard), registry.clone());
        let listener = registry.listen(move |change| {
            assert!(back.count() < 10); // no lock is held
            into.lock().push(change.clone());
        });
        registry.listen(|_| panic!("on purpose"));
        let (pid, monitor) = sleeper();
        registry.register_for(pid, 1, 'a').unwrap();
        registry.register_for(pid, 1, 'b').unwrap_err();
        registry.unregister_for(pid, &1);
        registry.register_for(pid, 1, 'c').unwrap();
        end(pid, monitor).await;
        let changes = [
            Change::Registered { key: 1, pid, value: 'a' },
            Change::Unregistered { key: 1, pid },
            Change::Registered { key: 1, pid, value: 'c' },
            Change::Unregistered { key: 1, pid },
        ];
        assert_eq!(*heard.lock(), changes);
        assert!(registry.unlisten(listener) && !registry.unlisten(listener));
    });
}

#[test]
fn what_is_stored_may_use_the_registry_when_it_is_dropped() {
    #[derive(Clone)]
    struct Uses(Arc<Mutex<Option<Registry<u8, Uses>>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let registry = self.0.lock().take();
            if let Some(registry) = registry {
                assert!(registry.unregister(&1) == 0 && registry.count() < 2);
            }
        }
    }
    run("test", async {
        let registry: Registry<u8, Uses> = Registry::unique("drops");
        let uses = || Uses(Arc::new(Mutex::new(Some(registry.clone()))));
        let (pid, monitor) = sleeper();
        registry.register_for(pid, 1, uses()).unwrap();
        registry.register_for(pid, 1, uses()).unwrap_err();
        registry.unregister_for(pid, &1);
        registry.register_for(pid, 1, uses()).unwrap();
        end(pid, monitor).await;
    });
}

#[test]
fn a_taken_name_fails_a_start_before_init_and_names_the_owner() {
    struct Never;
    impl Server for Never {
        type Message = ();
        async fn init(&mut self, _: &mut Context<Self>) -> Result<(), crate::InitError> {
            panic!("its init ran")
        }
        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
            Flow::Continue
        }
    }
    run("test", async {
        let counter = Start::new("counter", Counter(0)).name("counter").start().await.unwrap();
        for _ in 0..200 {
            let error = Start::new("never", Never).name("free").name("counter").start().await.unwrap_err();
            assert!(error.to_string().contains(&format!("is taken by {}", counter.pid())), "{error}");
            assert_eq!(whereis("free"), None, "what it had already it has no more");
        }
    });
}

#[test]
fn a_child_that_is_started_anew_has_its_predecessors_name_and_calls_find_it() {
    run("test", async {
        let counter = named::<Counter>("counter");
        assert!(matches!(counter.call(|reply| reply).await, Err(CallError::NotRegistered { .. })));
        let (port, _) = simurgh_sync::port::pair();
        let sent = counter.try_cast(Reply::new(port));
        assert!(matches!(&sent, Err(error @ CastError::NotRegistered { .. }) if error.to_string().contains("counter")));

        let child = || Start::new("counter", Counter(0)).name("counter");
        let root = Supervisor::one_for_one().intensity(1_000, 5.secs()).child("counter", child).start("root").await;
        let root = root.unwrap();
        for _ in 0..300 {
            assert_eq!(counter.call(|reply| reply).await, Ok(1));
            let before = counter.server().unwrap();
            let end = before.monitor();
            crate::kill(before.pid());
            end.await;
            assert_ne!(counter.pid(), Some(before.pid()));
            while counter.pid().is_none() {
                yield_now().await;
            }
        }
        root.stop(5.secs()).await;
        assert_eq!(counter.pid(), None);
    });
}

#[test]
fn a_registry_keeps_nobody_who_ended_and_is_kept_by_nobody() {
    run("test", async {
        let registry: Registry<u8> = Registry::unique("weak");
        let weak = Arc::downgrade(&registry.inner);
        let (pid, monitor) = sleeper();
        registry.register_for(pid, 1, ()).unwrap();
        drop(registry);
        assert!(weak.upgrade().is_none());
        end(pid, monitor).await;
    });
}
