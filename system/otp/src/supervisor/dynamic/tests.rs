//! Each sentence about dynamic supervisors, on the real runtime.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use simurgh_runtime::{DurationExt, run};

use super::*;
use crate::{Context, Down, DynamicError, Flow, InitError, Reply, Server, Supervisor, kill, monitor, spawn};

struct Echo {
    fails: bool,
}

impl Server for Echo {
    type Message = Reply<u32>;

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        if self.fails { Err("no".into()) } else { Ok(()) }
    }

    async fn handle(&mut self, reply: Reply<u32>, _: &mut Context<Self>) -> Flow {
        reply.send(7);
        Flow::Continue
    }
}

/// Does not end when it is asked.
struct Stubborn;

impl Server for Stubborn {
    type Message = ();

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        pending::<()>().await;
    }
}

async fn started(limit: usize) -> (SupervisorRef, Children) {
    let supervisor = DynamicSupervisor::limit(limit).shutdown(Shutdown::Timed(20.millis()));
    let children = supervisor.handle();
    (supervisor.start("dynamic").await.unwrap(), children)
}

#[test]
fn the_limit_is_exact_whoever_comes_at_the_same_time() {
    run("test", async {
        let (_supervisor, children) = started(100).await;
        let let_in = Arc::new(AtomicUsize::new(0));
        let starters: Vec<_> = (0..8)
            .map(|_| {
                let (children, let_in) = (children.clone(), Arc::clone(&let_in));
                simurgh_runtime::spawn(async move {
                    for _ in 0..50 {
                        match children.spawn("sleeper", pending::<()>()) {
                            Ok(_) => drop(let_in.fetch_add(1, Relaxed)),
                            Err(error) => assert_eq!(error, DynamicError::MaxChildren { limit: 100 }),
                        }
                    }
                })
            })
            .collect();
        for starter in starters {
            starter.await.unwrap();
        }
        assert_eq!((let_in.load(Relaxed), children.count(), children.list().len()), (100, 100, 100));
    });
}

#[test]
fn a_child_that_ends_makes_room_and_the_supervisor_hears_nothing() {
    run("test", async {
        let (supervisor, children) = started(1).await;
        let handled = || crate::info(supervisor.pid()).unwrap().polls;
        let before = handled();
        for _ in 0..100 {
            let child = children.spawn_with("short", |me| async move { assert_eq!(me, crate::self_pid()) }).unwrap();
            monitor(child).await;
            assert_eq!(children.count(), 0, "who hears of its end finds room");
        }
        let crashed = children.spawn("bad", async { Err::<(), _>("bad") }).unwrap();
        monitor(crashed).await;
        assert_eq!(handled(), before, "it was not even woken");
    });
}

#[test]
fn servers_are_started_with_and_without_waiting() {
    run("test", async {
        let (_supervisor, children) = started(2).await;
        let echo = children.start("echo", Echo { fails: false }).await.unwrap();
        let soon = children.start_soon("echo", Echo { fails: false }).unwrap();
        assert_eq!((echo.call(|reply| reply).await, soon.call(|reply| reply).await), (Ok(7), Ok(7)));
        assert!(matches!(children.start("echo", Echo { fails: false }).await, Err(DynamicError::MaxChildren { .. })));
        children.terminate_child(soon.pid()).await.unwrap();
        assert_eq!(children.terminate_child(soon.pid()).await, Err(DynamicError::NotFound { pid: soon.pid() }));
        let Err(DynamicError::Start(error)) = children.start("bad", Echo { fails: true }).await else { panic!() };
        assert_eq!((error.label.as_str(), error.reason), ("bad", ExitReason::error("no")));
    });
}

#[test]
fn a_panic_while_the_future_is_made_is_the_childs_own() {
    run("test", async {
        let (supervisor, children) = started(9).await;
        let child = children.spawn_with("bad", |_| -> std::future::Ready<()> { panic!("made badly") }).unwrap();
        monitor(child).await;
        assert_eq!(supervisor.stop(1.secs()).await, ExitReason::Normal);
    });
}

#[test]
fn at_its_end_children_are_asked_all_at_once_and_then_killed() {
    run("test", async {
        let (supervisor, children) = started(100).await;
        let mut polite = Vec::new();
        for number in 0..50 {
            polite.push(children.start(("polite", number), Echo { fails: false }).await.unwrap().monitor());
        }
        let plain = monitor(children.spawn("plain", pending::<()>()).unwrap());
        let stubborn = children.start("stubborn", Stubborn).await.unwrap();
        let stubborn_end = stubborn.monitor();
        let stop = simurgh_runtime::spawn(async move { supervisor.stop(5.secs()).await });
        for polite in polite {
            assert!(polite.await.reason.is_orderly());
        }
        assert!(plain.await.reason.is_orderly());
        assert!(!stubborn.is_alive() || children.spawn("late", async {}) == Err(DynamicError::NotRunning));
        assert_eq!(stubborn_end.await.reason, ExitReason::Kill);
        assert_eq!(stop.await.unwrap(), ExitReason::Normal);
        assert_eq!(children.spawn("late", async {}), Err(DynamicError::NotRunning));
    });
}

#[test]
fn children_of_a_killed_one_are_killed_before_its_end_is_told() {
    run("test", async {
        let (supervisor, children) = started(100).await;
        let child = children.spawn("child", pending::<()>()).unwrap();
        let end = supervisor.monitor();
        kill(supervisor.pid());
        assert_eq!(end.await.reason, ExitReason::Kill);
        assert!(!crate::is_alive(child));
    });
}

#[test]
fn the_handle_follows_it_through_a_restart() {
    run("test", async {
        let dynamic = DynamicSupervisor::limit(10);
        let children = dynamic.handle();
        let root = Supervisor::one_for_one().child("dynamic", dynamic).start("root").await.unwrap();
        let first = children.supervisor_ref().unwrap();
        let child = monitor(children.spawn("child", pending::<()>()).unwrap());
        let end = first.monitor();
        kill(first.pid());
        assert_eq!(child.await.reason, ExitReason::Kill);
        end.await;
        root.which_children().await.unwrap();
        let again = loop {
            match children.spawn("child", pending::<()>()) {
                Ok(pid) => break pid,
                Err(error) => assert_eq!(error, DynamicError::NotRunning),
            }
            simurgh_runtime::yield_now().await;
        };
        assert_eq!(crate::info(again).unwrap().parent, children.supervisor_ref().map(|supervisor| supervisor.pid()));
        assert_ne!(children.supervisor_ref().unwrap().pid(), first.pid());
    });
}

#[test]
fn kept_children_are_restarted_and_count_to_the_limit() {
    run("test", async {
        let dynamic = DynamicSupervisor::limit(2).restart(Restart::Transient).intensity(100, 1.secs());
        let children = dynamic.handle();
        let supervisor = dynamic.start("dynamic").await.unwrap();
        let spec = || ChildSpec::task(|| async { pending::<()>().await });
        let kept = children.start_child("kept", spec()).await.unwrap();
        children.spawn("member", pending::<()>()).unwrap();
        assert_eq!(children.start_child("kept", spec()).await, Err(DynamicError::MaxChildren { limit: 2 }));
        kill(kept);
        let again = loop {
            let info = supervisor.which_children().await.unwrap().remove(0);
            assert_eq!((&*info.id, children.count()), ("kept 1", 2));
            match info.pid {
                Some(pid) if pid != kept => break pid,
                _ => simurgh_runtime::yield_now().await,
            }
        };
        children.terminate_child(again).await.unwrap();
        assert_eq!((children.count(), supervisor.count_children().await.unwrap().specs), (1, 0));
        children.start_child("kept", spec()).await.unwrap();
        assert_eq!(supervisor.stop(1.secs()).await, ExitReason::Normal);
    });
}

#[test]
fn linked_it_ends_with_its_starter() {
    run("test", async {
        let dynamic = DynamicSupervisor::limit(2);
        let children = dynamic.handle();
        let (ready, is_ready) = port::pair();
        let starter = spawn("starter", async move {
            dynamic.start_link("dynamic").await.unwrap();
            ready.send(()).unwrap();
            pending::<()>().await;
        });
        is_ready.await.unwrap();
        let child = children.spawn("child", pending::<()>()).unwrap();
        let end = monitor(child);
        kill(starter);
        assert_eq!(end.await, Down { pid: child, reason: ExitReason::Kill });
    });
}
