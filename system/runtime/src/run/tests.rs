//! One worker and several: for a program they are the same.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;

use super::*;
use crate::sync::Mutex;
use crate::{blocking, spawn, yield_now};

/// Runs it on one worker and on several.
fn on_each<T, F>(main: impl Fn(Count) -> F, check: impl Fn(Count, T))
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    for count in [Count::One, Count::Several] {
        let output = run_on(count, "test", watchdog::Settings::default(), main(count));
        check(count, output);
    }
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn main_is_a_task_on_a_worker() {
    on_each(
        |_| async { (thread_name(), spawn(async { thread_name() }).await.unwrap()) },
        |count, (main, task)| {
            assert!(main.starts_with("runtime-") && task.starts_with("runtime-"), "{count:?}: {main}, {task}");
        },
    );
}

/// Says so when it is dropped.
struct Dropped(mpsc::Sender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let label = Header::with(|header| header.map(|header| header.label().to_string()));
        let _ = self.0.send(label.unwrap_or_default());
    }
}

#[test]
fn what_still_runs_is_dropped_as_itself_also_beside_work_that_blocks() {
    let (said, dropped) = mpsc::channel();
    // Held until this test is over, which is long after the node.
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    on_each(
        |_| {
            let (said, held) = (said.clone(), Arc::clone(&held));
            async move {
                drop(blocking(move || held.lock().recv().is_ok()));
                let task = Dropped(said);
                drop(task::Builder::new().label("left").spawn(async move {
                    let _task = task;
                    std::future::pending::<()>().await;
                }));
                yield_now().await;
            }
        },
        |count, ()| assert_eq!(dropped.try_recv().as_deref(), Ok("left"), "{count:?}"),
    );
    drop(hold);
}

#[test]
fn a_task_that_holds_its_thread_does_not_keep_the_program_from_its_end() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    on_each(
        |_| {
            let held = Arc::clone(&held);
            async move { drop(spawn(async move { held.lock().recv().is_ok() })) }
        },
        |_, ()| (),
    );
    drop(hold);
}

#[test]
fn a_held_thread_is_named() {
    on_each(
        |_| async {
            let (say, said) = mpsc::channel();
            watchdog::on_stuck(move |stuck| drop(say.send(stuck.thread.clone())));
            said.recv().unwrap() // this very poll
        },
        |count, thread| assert!(thread.starts_with("runtime-"), "{count:?}: {thread}"),
    );
}

/// As a task does that is woken at once; one that yields waits for the event queue also.
async fn go_to_the_end_of_the_queue() {
    let mut has_gone = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_gone, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn one_worker_serves_in_order_however_many_are_ready() {
    const TASKS: usize = 1_000;
    let turns = run_on(Count::One, "test", watchdog::Settings::default(), async {
        let turns = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let turns = Arc::clone(&turns);
                spawn(async move {
                    for _ in 0..3 {
                        turns.lock().push(number);
                        go_to_the_end_of_the_queue().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *turns.lock())
    });
    let each: Vec<usize> = (0..TASKS).collect();
    assert!(turns.chunks(TASKS).all(|round| round == each), "each had its turn before any had its next");
}
