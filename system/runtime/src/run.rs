//! The production runtime: one node on tokio.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::watchdog::{self, Watchdog};
use crate::{Header, JoinError, Label, Node, NodeId, panic, stdio, task};

mod workers;

#[cfg(test)]
mod tests;

use workers::{Count, Workers};

/// How long a finished program waits for blocking work and isolated tasks that are still running.
const GRACE: Duration = Duration::from_secs(1);

/// Runs `main` as the first task of a node called `name`, on tokio, and returns its output. What is
/// still running then is dropped.
///
/// There is a worker thread for each core that the process may use, or as many as the environment's
/// `TOKIO_WORKER_THREADS` says. One alone serves its tasks strictly in order.
///
/// ```
/// let answer = simurgh_runtime::run("example", async { 42 });
/// assert_eq!(answer, 42);
/// ```
///
/// # Panics
/// With `main`'s own panic. If the operating system gives no event queue, the program ends with one
/// line on standard error.
pub fn run<T: Send + 'static>(name: &str, main: impl Future<Output = T> + Send + 'static) -> T {
    run_watched(name, watchdog::Settings::default(), main)
}

/// As [`run`], with a watchdog that watches in its own way.
pub(crate) fn run_watched<T: Send + 'static>(
    name: &str,
    settings: watchdog::Settings,
    main: impl Future<Output = T> + Send + 'static,
) -> T {
    run_on(Count::of_this_machine(), name, settings, main)
}

fn run_on<T: Send + 'static>(
    count: Count,
    name: &str,
    settings: watchdog::Settings,
    main: impl Future<Output = T> + Send + 'static,
) -> T {
    panic::install_hook();
    let node = Node::new(NodeId(0), name, 0);
    let workers = match handles_are_left().and_then(|()| Workers::start(count, &node)) {
        Ok(workers) => workers,
        // No file handles left, most likely. There is nothing to run on, so nothing to return to.
        Err(error) => {
            stdio::err(&format!("error: cannot start {name}: the operating system gives no event queue: {error}"));
            std::process::exit(1);
        }
    };
    // This thread is not watched: it waits for main, and polls no task itself.
    let _watchdog = Watchdog::start(&node, settings);
    let header = Header::new(Arc::clone(&node), Label::Static("main"), None);
    let output = {
        let _inside = workers.tokio().enter();
        let main = task::spawn_with(header, main);
        workers.tokio().block_on(main)
    };
    let ended = Instant::now();
    task::end_isolated(&node, GRACE);
    workers.end(GRACE.saturating_sub(ended.elapsed()));
    match output {
        Ok(output) => output,
        // As text, so that a test harness understands it.
        Err(JoinError::Panic(report)) => std::panic::resume_unwind(Box::new(report.to_string())),
        Err(JoinError::Cancelled | JoinError::NoThread(_)) => {
            unreachable!("nobody has a handle to abort main with, and it is not isolated")
        }
    }
}

/// Whether the process may open as many files as the runtime needs: tokio panics if its pipe for
/// signals cannot be made.
fn handles_are_left() -> std::io::Result<()> {
    const NEEDED: usize = 8;
    let open = |_| std::fs::File::open("/dev/null");
    (0..NEEDED).map(open).collect::<std::io::Result<Vec<_>>>().map(drop)
}

/// A program's exit code: 0, or 1 after one line `error: ...` on standard error.
pub fn exit_code<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stdio::err(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
