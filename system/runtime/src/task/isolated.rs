//! Tasks with a thread of their own, for code that may hold its thread for long.
//!
//! Such a task is a future as any other: it sleeps, reads sockets and starts tasks on the runtime
//! that started it, and an abort drops it at its next await. Only its polls, and its drop, happen on
//! an OS thread that is its own, so that a poll that lasts holds up nobody else. (Its timers and
//! sockets are served by the workers: if all of those are held, it waits as well.)
//!
//! Threads are dear, and so there is a bound: [`ISOLATED_MAX`] of a node at a time. At the bound, or
//! if the operating system refuses, the task does not start: its handle says
//! [`JoinError::NoThread`], and one line goes to standard error, for nobody may hold the handle. They
//! do not queue, because those that run may be waiting for the one that would.
//!
//! When its node ends, each is aborted and waited for, but not for longer than for blocking work.
//! What holds on after that is left behind, and ends with the OS process.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, PoisonError, mpsc};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::{InHeader, JoinError, JoinHandle, Reporting};
use crate::node::Slot;
use crate::sync::Mutex;
use crate::watchdog::Watch;
use crate::{Header, Node, sim, stdio};

/// How many isolated tasks a node may have at a time.
pub const ISOLATED_MAX: usize = 512;

/// The isolated tasks of a node.
#[derive(Default)]
struct Isolated {
    tasks: Mutex<Tasks>,
    one_has_ended: Condvar,
}

#[derive(Default)]
struct Tasks {
    running: BTreeMap<u64, Arc<Stop>>,
    /// The node has ended.
    is_over: bool,
}

/// Ends one of them at its next await.
#[derive(Default)]
struct Stop(Notify);

impl sim::Task for Stop {
    fn abort(&self) {
        self.0.notify_one();
    }
}

/// A place among the isolated tasks of a node.
struct Ticket {
    of: Arc<Isolated>,
    number: u64,
}

impl Isolated {
    fn of(node: &Node) -> &Arc<Self> {
        node.slot(Slot::Isolated, Arc::default)
    }

    /// A place for one more.
    fn admit(self: &Arc<Self>, number: u64, stop: Arc<Stop>) -> Result<Ticket, JoinError> {
        let mut tasks = self.tasks.lock();
        if tasks.is_over {
            return Err(JoinError::Cancelled);
        }
        if tasks.running.len() >= ISOLATED_MAX {
            return Err(JoinError::NoThread(format!("{ISOLATED_MAX} isolated tasks are running, which is the most")));
        }
        tasks.running.insert(number, stop);
        Ok(Ticket { of: Arc::clone(self), number })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.of.tasks.lock().running.remove(&self.number);
        self.of.one_has_ended.notify_all();
    }
}

/// Starts a task on a thread of its own.
pub(super) fn spawn<F>(header: Arc<Header>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let stop = Arc::new(Stop::default());
    match start(&header, &stop) {
        Ok((thread, ticket)) => {
            // The place is free again before the joiner hears of the end, so that it can have it.
            let future = async move {
                let _ticket = ticket;
                future.await
            };
            let reporting = Reporting { header: Arc::clone(&header), sender: Some(sender), future: Some(future) };
            // If the thread were gone, this would drop the task, and the handle would say so.
            let _ = thread.send(Box::new(InHeader::new(Arc::clone(&header), reporting)));
        }
        Err(error) => {
            tell_of(&header, &error);
            let _ = sender.send(Err(error));
            drop(InHeader::new(Arc::clone(&header), future));
        }
    }
    JoinHandle::reported(header, receiver, stop)
}

/// Starts a task on a thread of its own that nobody joins. It enters `header` itself.
pub(super) fn spawn_unjoined(header: &Header, task: impl Future<Output = ()> + Send + 'static) {
    let stop = Arc::new(Stop::default());
    match start(header, &stop) {
        Ok((thread, ticket)) => {
            let task = async move {
                let _ticket = ticket;
                task.await;
            };
            let _ = thread.send(Box::new(task));
        }
        Err(error) => {
            tell_of(header, &error);
            drop(task);
        }
    }
}

/// One line for a task that did not start, if it is not the node that ends.
fn tell_of(header: &Header, error: &JoinError) {
    if let JoinError::NoThread(why) = error {
        stdio::err(&format!("error: task {} did not start: {why}", header.label()));
    }
}

/// A place, and a thread that takes one task and drives it. The thread is made before the task is
/// given away, so that the handle of a task that gets none can tell why.
fn start<F>(header: &Header, stop: &Arc<Stop>) -> Result<(mpsc::SyncSender<Box<F>>, Ticket), JoinError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let ticket = Isolated::of(header.node()).admit(header.number(), Arc::clone(stop))?;
    let runtime = tokio::runtime::Handle::current();
    let (give, take) = mpsc::sync_channel::<Box<F>>(1);
    let (watch, stop) = (Arc::clone(Watch::of(header.node())), Arc::clone(stop));
    let work = move || {
        let _watched = watch.watch_this_thread();
        if let Ok(task) = take.recv() {
            runtime.block_on(until_stopped(task, &stop));
        }
    };
    let name = header.label().to_string().replace('\0', "");
    match std::thread::Builder::new().name(name).spawn(work) {
        Ok(_detached) => Ok((give, ticket)),
        Err(error) => Err(JoinError::NoThread(format!("the operating system gives no thread: {error}"))),
    }
}

/// Drives `task` to its end, or drops it when it awaits and was stopped.
async fn until_stopped<F: Future<Output = ()>>(task: Box<F>, stop: &Stop) {
    let mut task = Box::into_pin(task);
    let mut stopped = pin!(stop.0.notified());
    poll_fn(|cx| match stopped.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => task.as_mut().poll(cx),
    })
    .await;
}

/// Aborts the isolated tasks of a node that ends, and waits until they are gone, at most for `grace`.
pub(crate) fn end_isolated(node: &Node, grace: Duration) {
    let Some(isolated) = node.slot_if_set::<Arc<Isolated>>(Slot::Isolated) else { return };
    let mut tasks = isolated.tasks.lock();
    tasks.is_over = true;
    for stop in tasks.running.values() {
        sim::Task::abort(&**stop);
    }
    let waited = isolated.one_has_ended.wait_timeout_while(tasks, grace, |tasks| !tasks.running.is_empty());
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests;
