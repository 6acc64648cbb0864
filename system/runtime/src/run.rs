//! The production runtime: one node on tokio.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use crate::{Header, JoinError, Label, Node, NodeId, panic, stdio, task};

/// How long a finished program waits for blocking work that is still running.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// Runs `main` as the first task of a node called `name`, on tokio's multi-thread runtime, and
/// returns its output. What is still running then is dropped.
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
    panic::install_hook();
    let runtime = handles_are_left().and_then(|()| tokio::runtime::Builder::new_multi_thread().enable_all().build());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        // No file handles left, most likely. There is nothing to run on, so nothing to return to.
        Err(error) => {
            stdio::err(&format!("error: cannot start {name}: the operating system gives no event queue: {error}"));
            std::process::exit(1);
        }
    };
    let node = Node::new(NodeId(0), name, 0);
    let header = Header::new(node, Label::Static("main"), None);
    let output = {
        let _inside = runtime.enter();
        let main = task::spawn_with(header, main);
        runtime.block_on(main)
    };
    runtime.shutdown_timeout(BLOCKING_GRACE);
    match output {
        Ok(output) => output,
        // As text, so that a test harness understands it.
        Err(JoinError::Panic(report)) => std::panic::resume_unwind(Box::new(report.to_string())),
        Err(JoinError::Cancelled) => unreachable!("nobody has a handle to abort main with"),
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
