//! Each sentence about tasks, on the real runtime.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use simurgh_runtime::{DurationExt, run, sleep, yield_now};

use super::*;
use crate::{DynamicError, is_alive, kill, monitor, spawn_monitor};

async fn tasks(limit: usize) -> Tasks {
    let supervisor = TaskSupervisor::limit(limit);
    let tasks = supervisor.handle();
    supervisor.start("tasks").await.unwrap();
    tasks
}

#[test]
fn a_task_gives_its_value_once() {
    run("test", async {
        let mut sum = task("sum", async { 1 + 2 });
        assert_eq!((&mut sum).await, Ok(3));
        assert_eq!(sum.await, Err(ExitReason::NoProcess));
    });
}

#[test]
fn a_crash_is_its_reason_and_ends_the_linked_owner() {
    run("test", async {
        let bad = task::<()>("bad", async { panic!("bad luck") });
        let pid = bad.pid();
        assert!(bad.await.is_err() && !is_alive(pid), "who hears of its end finds nothing left");
        let crash = task("bad", async { panic!("bad luck") });
        assert!(matches!(crash.await, Err::<(), _>(ExitReason::Panic(_))), "an owner that is no process hears of it");
        let (_, owner) = spawn_monitor("owner", async {
            task::<()>("bad", async { panic!("bad luck") }).ignore();
            let bad = task::<()>("bad", async { panic!("bad luck") });
            let _ = bad.await;
            pending::<()>().await;
        });
        assert!(matches!(owner.await.reason, ExitReason::Panic(_)));
    });
}

#[test]
fn a_task_ends_with_its_owner_and_with_its_handle() {
    run("test", async {
        let (sender, pid) = port::pair();
        let (owner, end) = spawn_monitor("owner", async move {
            let endless = task("endless", pending::<()>());
            sender.send(endless.pid()).unwrap();
            let _ = endless.await;
        });
        let endless = monitor(pid.await.unwrap());
        kill(owner);
        end.await;
        assert_ne!(endless.await.reason, ExitReason::Normal);

        let (_, owner) = spawn_monitor("owner", async {
            let endless = task("endless", pending::<()>());
            let end = monitor(endless.pid());
            drop(endless);
            assert!(matches!(end.await.reason, ExitReason::Shutdown(_)));
        });
        assert_eq!(owner.await.reason, ExitReason::Normal, "who drops a task does not end with it");
    });
}

#[test]
fn one_that_is_ignored_goes_on() {
    run("test", async {
        let (go, wait) = port::pair::<()>();
        let ignored = task("ignored", wait);
        let end = monitor(ignored.pid());
        let pid = ignored.pid();
        ignored.ignore();
        yield_now().await;
        assert!(is_alive(pid));
        go.send(()).unwrap();
        assert_eq!(end.await.reason, ExitReason::Normal);
    });
}

#[test]
fn yield_and_shutdown_tell_what_came_of_it() {
    run("test", async {
        let mut slow = task("slow", pending::<u32>());
        assert_eq!(slow.yield_for(1.millis()).await, None);
        assert_eq!(slow.shutdown(1.secs()).await, None);
        let done = task("done", async { 1 });
        monitor(done.pid()).await;
        assert_eq!(done.shutdown(1.secs()).await, Some(Ok(1)));
        let bad = task::<u32>("bad", async { panic!("bad luck") });
        monitor(bad.pid()).await;
        assert!(matches!(bad.shutdown(1.secs()).await, Some(Err(ExitReason::Panic(_)))));
    });
}

#[test]
fn supervised_tasks_count_and_end_with_their_supervisor() {
    run("test", async {
        let tasks = tasks(2).await;
        let one = tasks.run("one", pending::<()>()).unwrap();
        tasks.start("two", pending::<()>()).unwrap();
        assert_eq!(tasks.run_nolink("three", async {}).unwrap_err(), DynamicError::MaxChildren { limit: 2 });
        tasks.children().supervisor_ref().unwrap().stop(1.secs()).await;
        assert!(matches!(one.await, Err(ExitReason::Shutdown(_))));
        assert_eq!(tasks.start("late", async {}), Err(DynamicError::NotRunning));
    });
}

#[test]
fn a_stream_keeps_its_order_and_its_bound() {
    run("test", async {
        let tasks = tasks(100).await;
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            move |n: u64| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    sleep(((n * 7) % 5).millis()).await;
                    now.fetch_sub(1, Relaxed);
                    n
                }
            }
        };
        let results = tasks.stream(0..40, counted).max_concurrency(4).collect().await;
        assert_eq!(results, (0..40).map(Ok).collect::<Vec<_>>());
        assert!(most.load(Relaxed) <= 4);
        let mut unordered =
            tasks.stream([1_000, 0], |n: u64| async move { sleep(n.secs()).await }).max_concurrency(2).ordered(false);
        let first = unordered.next();
        assert_eq!(first.await, Some(Ok(())), "not in order, the fast one comes first");
    });
}

#[test]
fn an_item_that_fails_hangs_or_finds_no_place_is_an_error_and_the_others_go_on() {
    run("test", async {
        let tasks = tasks(3).await;
        let work = |n: u32| async move {
            match n {
                1 => panic!("bad item"),
                2 => pending().await,
                n => n,
            }
        };
        let results = tasks.stream(0..4, work).max_concurrency(3).timeout(5.millis()).collect().await;
        assert_eq!((&results[0], &results[3]), (&Ok(0), &Ok(3)));
        assert!(matches!(results[1], Err(ItemError::Exit(ExitReason::Panic(_)))));
        assert_eq!(results[2], Err(ItemError::TimedOut { after: 5.millis() }));

        while tasks.children().count() > 0 {
            yield_now().await; // the one that hung has yet to let go
        }
        let results = tasks.stream(0..4, |_| async { sleep(5.millis()).await }).max_concurrency(4).collect().await;
        let refused = results.iter().filter(|result| matches!(result, Err(ItemError::NotStarted(_)))).count();
        assert_eq!(refused, 1);
        let results = tasks.stream(0..2_000, |n| async move { n }).max_concurrency(3).collect().await;
        assert!(results.iter().all(Result::is_ok), "one that is done has made room for the next");
    });
}

#[test]
fn a_stream_that_is_dropped_ends_what_runs() {
    run("test", async {
        let tasks = tasks(9).await;
        let mut stream = tasks.stream(0..9, |_| pending::<()>()).max_concurrency(3).timeout(None);
        assert!(timeout(1.millis(), stream.next()).await.is_err());
        let running: Vec<_> = tasks.children().list().iter().map(|task| monitor(task.pid)).collect();
        assert_eq!(running.len(), 3, "no more were started than may run");
        drop(stream);
        for end in running {
            assert!(matches!(end.await.reason, ExitReason::Shutdown(_) | ExitReason::NoProcess));
        }
    });
}
