//! Polls of a hundred tasks that do nothing but yield, in our simulator and in plain tokio.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bench_sim::work::measure;
use simurgh_runtime as runtime;
use simurgh_sim::{Body, run_once};

const TASKS: u64 = 100;
const POLLS: u64 = 10_000;

/// The same code for both.
async fn yields() {
    for _ in 0..POLLS {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

pub fn ours(seconds: f64) -> f64 {
    let body: Body = Arc::new(|sim| {
        Box::pin(async move {
            let node = sim.node("node", || async {
                let tasks: Vec<_> = (0..TASKS).map(|_| runtime::spawn(yields())).collect();
                for task in tasks {
                    task.await.expect("an end");
                }
            });
            node.ended().await;
            Ok(())
        })
    });
    let (runs, took) = measure(seconds, |seed| drop(super::passed(run_once(&super::config(seed), &body))));
    runs * (TASKS * POLLS) as f64 / took
}

pub fn tokio(seconds: f64) -> f64 {
    let (runs, took) = measure(seconds, |_| {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(yields())).collect();
            for task in tasks {
                task.await.expect("an end");
            }
        });
    });
    runs * (TASKS * POLLS) as f64 / took
}
