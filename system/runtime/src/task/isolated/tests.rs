//! Isolated tasks on the real machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::task::Builder;
use crate::{Carried, run, sleep, spawn};

fn isolated(label: &'static str) -> Builder {
    Builder::new().label(label).isolated()
}

/// Sets a mark when it is dropped, and says by which task.
struct Marks(Arc<AtomicBool>);

impl Drop for Marks {
    fn drop(&mut self) {
        let label = Header::with(|header| header.map(|header| header.label().to_string()));
        assert_eq!(label.as_deref(), Some("marks"), "dropped inside of its own header");
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn it_is_a_task_as_others_on_a_thread_of_its_own() {
    run("test", async {
        Carried::set(Some(Arc::new(Carried { trace: None, locale: Some("de-CH".into()) })));
        let task = isolated("a long sum").spawn(async {
            sleep(Duration::from_millis(1)).await;
            let child = spawn(async { Node::current().name().to_owned() }).await.unwrap();
            let locale = Carried::current().and_then(|carried| carried.locale.clone());
            let label = Header::with(|header| header.unwrap().label().to_string());
            (child, locale, label, std::thread::current().name().map(str::to_owned))
        });
        let number = task.header().number();
        let (child, locale, label, thread) = task.await.unwrap();
        assert_eq!((child.as_str(), locale.as_deref()), ("test", Some("de-CH")));
        assert_eq!((label.as_str(), thread.as_deref()), ("a long sum", Some("a long sum")));
        assert!(number > 0);
    });
}

#[test]
fn tasks_that_hold_their_threads_hold_up_nobody() {
    run("test", async {
        let holds: Vec<_> = (0..8)
            .map(|_| {
                let (release, released) = mpsc::channel::<()>();
                (release, isolated("holds").spawn(async move { released.recv().is_ok() }))
            })
            .collect();
        spawn(async {}).await.unwrap();
        for (release, task) in holds {
            drop(release);
            assert!(!task.await.unwrap());
        }
    });
}

#[test]
fn an_abort_drops_it_at_its_next_await_and_then_its_joiner_hears() {
    run("test", async {
        let dropped = Arc::new(AtomicBool::new(false));
        let marks = Marks(Arc::clone(&dropped));
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let task = isolated("marks").spawn(async move {
            let _marks = marks;
            let _ = started.send(());
            let _ = released.recv();
            std::future::pending::<()>().await;
        });
        has_started.await.unwrap();
        task.abort();
        assert!(!dropped.load(Ordering::SeqCst), "not while it is being polled");
        drop(release);
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert!(dropped.load(Ordering::SeqCst), "gone before its joiner hears");
    });
}

#[test]
fn its_panic_is_its_own_and_has_a_place() {
    run("test", async {
        let error = isolated("fails").spawn(async { panic!("no luck") }).await.map(|never: ()| never).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no luck") && text.contains("tests.rs:"), "{text}");
    });
}

#[test]
fn one_too_many_is_told_so_and_a_place_is_free_when_one_has_ended() {
    run("test", async {
        let pending = || isolated("waits").spawn(std::future::pending::<()>());
        let mut tasks: Vec<_> = (0..ISOLATED_MAX).map(|_| pending()).collect();
        let dropped = Arc::new(AtomicBool::new(false));
        let marks = Marks(Arc::clone(&dropped));
        let refused = isolated("marks").spawn(async move { drop(marks) });
        let error = refused.await.unwrap_err().to_string();
        assert!(error.contains("did not start: 512 isolated tasks are running"), "{error}");
        assert!(dropped.load(Ordering::SeqCst));

        let one = tasks.pop().unwrap();
        one.abort();
        assert!(one.await.is_err());
        isolated("fits").spawn(async {}).await.unwrap();
    });
}

#[test]
fn the_end_of_the_node_drops_it_and_does_not_wait_for_one_that_holds_on() {
    let dropped = Arc::new(AtomicBool::new(false));
    let marks = Marks(Arc::clone(&dropped));
    run("test", async move {
        let (started, has_started) = oneshot::channel();
        drop(isolated("marks").spawn(async move {
            let _marks = marks;
            let _ = started.send(());
            std::future::pending::<()>().await;
        }));
        has_started.await.unwrap();
    });
    assert!(dropped.load(Ordering::SeqCst));

    let (release, released) = mpsc::channel::<()>();
    let start = Instant::now();
    run("test", async move {
        let (started, has_started) = oneshot::channel();
        drop(isolated("holds on").spawn(async move {
            let _ = started.send(());
            let _ = released.recv();
        }));
        has_started.await.unwrap();
    });
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(release);
}
