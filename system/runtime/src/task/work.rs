//! Work that is not an ordinary task: shielded, blocking, or standing aside.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use super::{Builder, JoinError, JoinHandle, spawn_with};
use crate::header::Owner;
use crate::{Carried, Header, Label, Node, sim};

/// Runs `future` as a task of the node, so that neither dropping the waiter nor killing its process
/// ends it; only the end of the node does, and that is its bound.
///
/// For what must finish once it has begun: a write, a hand-over. It starts at once, not at the
/// first poll of what is returned. A panic goes on in the waiter.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// let (done, is_done) = tokio::sync::oneshot::channel();
/// drop(simurgh_runtime::shield(async move { done.send("finished").unwrap() }));
/// assert_eq!(is_done.await, Ok("finished"));
/// # });
/// ```
pub fn shield<F>(future: F) -> impl Future<Output = F::Output> + Send
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    go_on(Builder::new().label("shield").spawn(future))
}

/// Runs `work`, which may block, where it stops no other task. Once begun it completes, even if the
/// caller is dropped. It begins at once, not at the first poll of what is returned. A panic goes on
/// in the caller.
///
/// In the simulator it runs in one piece after a while of virtual time.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// let sum = simurgh_runtime::blocking(|| (1..=1_000u64).sum::<u64>()).await;
/// assert_eq!(sum, 500_500);
/// # });
/// ```
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> + Send {
    let header = Arc::new(Header::with_hold(Node::current(), Label::Static("blocking"), Carried::current(), true));
    let handle = if let Some(latency) = sim::world(|world| world.blocking_latency()) {
        spawn_with(header, async move {
            crate::sleep(latency).await;
            let done = work();
            let wait = sim::world(|world| world.blocking_wait()).unwrap_or_default();
            if !wait.is_zero() {
                crate::sleep(wait).await;
            }
            done
        })
    } else {
        let inside = Owner::new(Arc::clone(&header));
        let work = move || {
            let _entered = inside.enter_poll();
            work()
        };
        JoinHandle::real(header, tokio::task::spawn_blocking(work))
    };
    go_on(handle)
}

/// The task's output. Its panic goes on here; if it ended with its node, so will we.
async fn go_on<T>(handle: JoinHandle<T>) -> T {
    match handle.await {
        Ok(value) => value,
        Err(JoinError::Panic(report)) => report.resume(),
        Err(JoinError::Cancelled | JoinError::NoThread(_)) => std::future::pending().await,
    }
}

/// Lets other tasks go first, once.
pub async fn yield_now() {
    if !sim::is_simulated() {
        return tokio::task::yield_now().await;
    }
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        sim::world(|world| world.yielded());
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
