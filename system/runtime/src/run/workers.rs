//! What runs a node's tasks: threads that poll them.
//!
//! As many as tokio would take: what `TOKIO_WORKER_THREADS` says, or one for each core that the process
//! may use. Several share their work, and steal it from each other. One alone has nobody to share with,
//! and has a plain queue: cheaper, without a bound, and served strictly in order, so that of a thousand
//! busy connections none waits while others are served again and again.
//!
//! Whoever starts them polls nothing, so that neither a task that holds its thread nor one that does not
//! let itself be dropped keeps the program from its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::Node;
use crate::watchdog::Watch;

/// The threads, until they are told to end.
pub(super) enum Workers {
    /// They are tokio's.
    Several(Runtime),
    /// Ours, which drives tokio.
    One(Alone),
}

/// A worker that has no others beside it.
pub(super) struct Alone {
    tokio: Handle,
    /// It ends when this is gone.
    goes_on: oneshot::Sender<()>,
    /// Closed when it has ended.
    ended: Receiver<()>,
}

/// Every how many tasks one of several workers takes one from the queue that they share.
///
/// Its own queue holds 256 tasks; when more are ready at once the rest goes to the shared one, which it would look at
/// for every 61st only: with a thousand busy connections some would wait for a tenth of a second while others are
/// served again and again. An empty shared queue costs a look at one number.
const SHARED_QUEUE_INTERVAL: u32 = 2;

impl Workers {
    /// Starts them, watched for `node`.
    pub(super) fn start(count: Count, node: &Node) -> io::Result<Self> {
        match count {
            Count::One => Alone::start(node).map(Self::One),
            Count::Several => several(node).map(Self::Several),
        }
    }

    /// The tokio that they run.
    pub(super) fn tokio(&self) -> &Handle {
        match self {
            Self::Several(tokio) => tokio.handle(),
            Self::One(alone) => &alone.tokio,
        }
    }

    /// Drops all tasks, and waits until they are gone and blocking work is done, at most for `grace`.
    pub(super) fn end(self, grace: Duration) {
        match self {
            Self::Several(tokio) => tokio.shutdown_timeout(grace),
            Self::One(alone) => {
                drop(alone.goes_on);
                let _ = alone.ended.recv_timeout(grace);
            }
        }
    }
}

/// How many there are to be; how many several are, tokio knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Several,
}

impl Count {
    pub(super) fn of_this_machine() -> Self {
        let is_one = match std::env::var("TOKIO_WORKER_THREADS") {
            Ok(said) => said.parse() == Ok(1),
            Err(_) => std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1),
        };
        if is_one { Self::One } else { Self::Several }
    }
}

/// Several threads, with names that tell them apart.
fn several(node: &Node) -> io::Result<Runtime> {
    let watch = Arc::clone(Watch::of(node));
    let threads = AtomicU64::new(0);
    Builder::new_multi_thread()
        .enable_all()
        .global_queue_interval(SHARED_QUEUE_INTERVAL)
        .thread_name_fn(move || format!("runtime-{}", threads.fetch_add(1, Ordering::Relaxed)))
        .on_thread_start(move || watch.watch_this_thread_to_its_end())
        .build()
}

impl Alone {
    fn start(node: &Node) -> io::Result<Self> {
        let watch = Arc::clone(Watch::of(node));
        let threads = AtomicU64::new(1);
        let on_start = Arc::clone(&watch);
        let tokio = Builder::new_current_thread()
            .enable_all()
            .thread_name_fn(move || format!("runtime-{}", threads.fetch_add(1, Ordering::Relaxed)))
            .on_thread_start(move || on_start.watch_this_thread_to_its_end())
            .build()?;
        let handle = tokio.handle().clone();
        let (goes_on, over) = oneshot::channel();
        let (until_end, ended) = mpsc::channel();
        let work = move || {
            let _until_end = until_end;
            let _watched = watch.watch_this_thread();
            let _ = tokio.block_on(over);
            drop(tokio); // first the tasks; then it waits for blocking work, longer than we are waited for, maybe
        };
        std::thread::Builder::new().name("runtime-0".to_owned()).spawn(work)?;
        Ok(Self { tokio: handle, goes_on, ended })
    }
}
