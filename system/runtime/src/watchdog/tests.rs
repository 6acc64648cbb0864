//! The watchdog on the real machine. When it speaks is tested in `tracker`, without a clock.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::*;
use crate::run::run_watched;
use crate::sync::Mutex;
use crate::task::Builder;
use crate::{blocking, run, spawn, yield_now};

/// Holds the thread.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        spin_loop();
    }
}

/// This node's reports from now on, each with its time.
fn reports() -> mpsc::UnboundedReceiver<(Stuck, Instant)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    on_stuck(move |stuck| drop(sender.send((stuck.clone(), Instant::now()))));
    receiver
}

#[test]
fn a_poll_that_does_not_return_is_named_in_time_and_once() {
    run("test", async {
        let mut reports = reports();
        let begin = Instant::now();
        let spins = Builder::new().label(("spin", 7)).spawn(async {
            spin(Duration::from_millis(250));
            std::thread::current().name().map(str::to_owned)
        });
        let (late, at) = reports.recv().await.unwrap();
        assert!(at - begin <= Duration::from_millis(200), "{:?}", at - begin);
        assert_eq!((late.task, &late.label, late.polls), (spins.header().number(), &Label::Numbered("spin", 7), 1));
        assert!(!late.has_returned && late.for_ms >= 100, "{late:?}");
        assert!(late.to_string().starts_with(&format!("task spin 7 <0.{}.0> holds thread runtime-", late.task)));

        let (over, _) = reports.recv().await.unwrap();
        assert!(over.has_returned && over.for_ms >= late.for_ms && over.task == late.task, "{over:?}");
        let header = Arc::clone(spins.header());
        assert_eq!(spins.await.unwrap(), Some(late.thread));
        assert_eq!((reported(), stuck()), (1, Vec::new()));
        assert!(header.poll_time_sampled() >= 4 * TICK, "{:?}", header.poll_time_sampled());
        assert!(reports.try_recv().is_err(), "nothing more is said");
    });
}

#[test]
fn what_is_stuck_can_be_asked_for_and_a_handler_that_panics_ends_nothing() {
    run("test", async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        on_stuck(move |stuck| {
            let inside = Header::with(|header| header.map(|header| header.label().to_string()));
            let _ = sender.send((stuck.has_returned, inside));
            panic!("in the handler");
        });
        let (release, released) = std::sync::mpsc::channel::<()>();
        let held = Builder::new().label("held").spawn(async move { released.recv().is_ok() });
        assert_eq!(receiver.recv().await.unwrap(), (false, Some("watchdog".to_owned())));
        let labels: Vec<_> = stuck().into_iter().map(|stuck| stuck.label).collect();
        assert_eq!(labels, [Label::Static("held")]);
        drop(release);
        assert!(!held.await.unwrap());
        assert!(receiver.recv().await.unwrap().0, "the watchdog goes on");
    });
}

#[test]
fn who_yields_and_who_has_a_thread_of_its_own_is_left_alone() {
    run("test", async {
        let long = Duration::from_millis(300);
        let mut reports = reports();
        let isolated = Builder::new().isolated().spawn(async move {
            spin(long);
            Header::with(|header| header.unwrap().poll_time_sampled())
        });
        let works = blocking(move || spin(long));
        let yields = spawn(async move {
            let start = Instant::now();
            while start.elapsed() < long {
                yield_now().await;
            }
        });
        yields.await.unwrap();
        works.await;
        assert!(isolated.await.unwrap() >= TICK, "it is sampled all the same");
        assert!(reports.try_recv().is_err() && reported() == 0);
    });
}

/// Tasks end while they are looked at, at far more ticks than in earnest.
#[test]
fn tasks_may_end_under_the_watchdogs_eyes() {
    let settings = Settings { tick: Duration::from_micros(20), late: Duration::ZERO };
    run_watched("test", settings, async {
        let strange = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&strange);
        on_stuck(move |stuck| {
            let label = stuck.label.to_string();
            if label != "main" && !label.starts_with("short lived ") {
                found.lock().push(label);
            }
        });
        let start = Instant::now();
        let mut number = 0_u64;
        while start.elapsed() < Duration::from_millis(600) {
            // Nobody keeps a handle, so that a task's header goes when the task does.
            let (alive, mut all_gone) = mpsc::channel::<()>(1);
            for _ in 0..64 {
                number += 1;
                let alive = alive.clone();
                let task = Builder::new().label(format!("short lived {number}")).spawn(async move {
                    spin(Duration::from_micros(1));
                    drop(alive);
                });
                if number.is_multiple_of(8) {
                    task.abort();
                }
            }
            drop(alive);
            assert!(all_gone.recv().await.is_none());
        }
        assert_eq!(*strange.lock(), [""; 0]);
    });
}
