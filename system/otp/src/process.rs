//! Spawning and killing.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::task::{self, AbortHandle};
use simurgh_runtime::{Header, Label, Node, PanicReport, planted, sim};
use simurgh_telemetry::event;
use tokio::sync::oneshot;

use crate::table::{ProcessInfo, Table};
use crate::{ExitReason, IntoExit, Monitor, Pid, monitor};

/// Starts a process on the current node.
///
/// # Panics
/// Outside of a task of a node.
pub fn spawn<T: IntoExit + Send + 'static>(
    label: impl Into<Label>,
    body: impl Future<Output = T> + Send + 'static,
) -> Pid {
    Spawn::new(label).spawn(body)
}

/// Starts a process and monitors it, with no moment between in which it could end unseen.
///
/// # Panics
/// Outside of a task of a node.
pub fn spawn_monitor<T: IntoExit + Send + 'static>(
    label: impl Into<Label>,
    body: impl Future<Output = T> + Send + 'static,
) -> (Pid, Monitor) {
    let (start, started) = oneshot::channel::<()>();
    let pid = Spawn::new(label).spawn(async move {
        // It begins when the monitor stands, or when its parent was dropped in between.
        let _ = started.await;
        body.await.into_exit()
    });
    let monitor = monitor(pid);
    let _ = start.send(());
    (pid, monitor)
}

/// Options for a process.
#[derive(Debug)]
pub struct Spawn {
    label: Label,
    supervised: bool,
}

impl Spawn {
    /// A process of this label.
    pub fn new(label: impl Into<Label>) -> Self {
        Self { label: label.into(), supervised: false }
    }

    /// Its spawner deals with its end by itself (as a listener does with a connection's): a panic is
    /// then no surprise, though no monitor is there.
    pub fn supervised(mut self) -> Self {
        self.supervised = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn spawn<T: IntoExit + Send + 'static>(self, body: impl Future<Output = T> + Send + 'static) -> Pid {
        let prepared = task::Builder::new().label(self.label).prepare();
        let header = Arc::clone(prepared.header());
        let pid = Pid::of(&header);
        let cell = Arc::new(Cell {
            pid,
            header,
            abort: OnceLock::new(),
            killed: AtomicBool::new(false),
            state: Mutex::new(State { watched: self.supervised, ..State::default() }),
        });
        Table::of(&Node::current()).insert(Arc::clone(&cell));
        event!("otp.process.start");
        let handle = prepared.spawn(Process { cell: Arc::clone(&cell), body: Some(body) });
        // Set after the start: another thread may poll the process, and kill it, before. The fence pairs
        // with that of `kill`: either it finds the handle, or this finds the flag.
        let _ = cell.abort.set(handle.abort_handle());
        fence(Ordering::SeqCst);
        if cell.killed.load(Ordering::Relaxed) {
            handle.abort();
        }
        pid
    }
}

/// Kills a process of the current node: its future is dropped at its next await. It cannot be
/// refused, and a process that is gone already does not mind.
pub fn kill(pid: Pid) {
    if let Some(cell) = Table::of(&Node::current()).get(pid) {
        cell.killed.store(true, Ordering::Release);
        fence(Ordering::SeqCst); // pairs with that of `spawn`
        // Without this a process that waits would live until something else wakes it.
        if !planted!("otp.kill-forgotten")
            && let Some(abort) = cell.abort.get()
        {
            abort.abort();
        }
    }
}

/// Whether a process of the current node is alive.
pub fn is_alive(pid: Pid) -> bool {
    Table::of(&Node::current()).get(pid).is_some()
}

/// Who is running.
///
/// # Panics
/// Outside of a task of a node.
pub fn self_pid() -> Pid {
    Header::with(|header| header.map(Pid::of)).expect("self_pid() is asked inside a process")
}

/// Names the running process.
pub fn set_label(label: impl Into<Label>) {
    Header::with(|header| {
        if let Some(header) = header {
            header.set_label(label);
        }
    });
}

/// What a node keeps of a process.
pub(crate) struct Cell {
    pub(crate) pid: Pid,
    header: Arc<Header>,
    abort: OnceLock<AbortHandle>,
    killed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Somebody looks after it, or did.
    watched: bool,
    ended: bool,
    next_monitor: u64,
    monitors: Vec<(u64, oneshot::Sender<ExitReason>)>,
}

impl Cell {
    pub(crate) fn info(&self) -> ProcessInfo {
        ProcessInfo { pid: self.pid, label: self.header.label(), polls: self.header.polls() }
    }

    /// Adds a monitor; none if the process has ended.
    pub(crate) fn add_monitor(&self, sender: oneshot::Sender<ExitReason>) -> Option<u64> {
        let mut state = self.state.lock();
        if state.ended {
            return None;
        }
        state.watched = true;
        state.next_monitor += 1;
        let id = state.next_monitor;
        state.monitors.push((id, sender));
        Some(id)
    }

    pub(crate) fn remove_monitor(&self, id: u64) {
        self.state.lock().monitors.retain(|(other, _)| *other != id);
    }

    /// The process has ended. Its future is dropped already: whoever hears of the end finds what it
    /// held released.
    fn end(&self, reason: &ExitReason) {
        if self.header.node().is_dead() {
            return; // nobody is left to tell
        }
        Table::of(self.header.node()).remove(self.pid);
        let (monitors, watched) = {
            let mut state = self.state.lock();
            state.ended = true;
            (std::mem::take(&mut state.monitors), state.watched)
        };
        event!("otp.process.stop", {}, { reason: reason.kind() });
        if !reason.is_orderly() {
            tracing::warn!(pid = %self.pid, "process ended: {reason}");
        }
        if let (ExitReason::Panic(report), false) = (reason, watched) {
            sim::world(|world| world.unsupervised_panic(&self.header, &report.to_string()));
        }
        for (_, monitor) in monitors {
            let _ = monitor.send(reason.clone()); // a monitor that was dropped meanwhile
        }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.pid, self.header.label())
    }
}

pin_project! {
    /// A process's future: catches panics, and ends exactly once, however it ends.
    struct Process<F> {
        cell: Arc<Cell>,
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for Process<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                // Dropped before it was ready: by a kill, or with its node.
                let _ = catch_unwind(AssertUnwindSafe(|| this.body.set(None)));
                this.cell.end(&ExitReason::Kill);
            }
        }
    }
}

impl<F: Future<Output: IntoExit>> Future for Process<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| body.poll(cx).map(IntoExit::into_exit)));
        let reason = match polled {
            Ok(Poll::Pending) if this.cell.killed.load(Ordering::Acquire) => ExitReason::Kill,
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(reason)) => reason,
            Err(payload) => ExitReason::Panic(Arc::new(PanicReport::from_payload(payload))),
        };
        let _ = catch_unwind(AssertUnwindSafe(|| this.body.set(None)));
        this.cell.end(&reason);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{count, list};

    fn ends_with<T: IntoExit + Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> ExitReason {
        simurgh_runtime::run("test", async { spawn_monitor("test", body).1.await.reason })
    }

    #[test]
    fn every_end_has_its_reason() {
        assert_eq!(ends_with(async {}), ExitReason::Normal);
        assert_eq!(ends_with(async { Err::<(), _>("no") }), ExitReason::error("no"));
        assert_eq!(ends_with(async { ExitReason::shutdown("enough") }), ExitReason::shutdown("enough"));
        assert!(matches!(ends_with::<()>(async { panic!("oh") }), ExitReason::Panic(report) if report.message == "oh"));
        assert_eq!(
            ends_with(async {
                kill(self_pid());
                std::future::pending::<()>().await;
            }),
            ExitReason::Kill
        );
    }

    /// Each link starts a process that has itself killed at once. Tokio lets another thread take a new
    /// task before its spawner has gone on only where links start one another.
    fn chain(left: u64, pids: mpsc::UnboundedSender<Pid>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let victim = spawn("victim", async {
                let me = self_pid();
                spawn("killer", async move { kill(me) });
                std::future::pending::<()>().await;
            });
            let _ = pids.send(victim);
            if left > 1 {
                spawn("link", chain(left - 1, pids));
            }
        })
    }

    #[test]
    fn a_kill_that_comes_while_a_process_is_being_started_is_not_lost() {
        simurgh_runtime::run("test", async {
            let (sender, mut victims) = mpsc::unbounded_channel();
            chain(20_000, sender).await;
            while let Some(victim) = victims.recv().await {
                let reason = crate::monitor(victim).await.reason;
                assert!(matches!(reason, ExitReason::Kill | ExitReason::NoProcess), "{reason}");
            }
        });
    }

    #[test]
    fn a_monitor_hears_after_the_process_let_go_of_everything() {
        simurgh_runtime::run("test", async {
            let held = Arc::new(());
            let holds = Arc::clone(&held);
            let (pid, monitor) = spawn_monitor("holder", async move {
                std::future::pending::<()>().await;
                drop(holds);
            });
            let second = crate::monitor(pid);
            drop(crate::monitor(pid));
            assert!(is_alive(pid));
            kill(pid);
            assert_eq!(monitor.await, Down { pid, reason: ExitReason::Kill });
            assert_eq!(second.await.reason, ExitReason::Kill);
            assert_eq!(Arc::strong_count(&held), 1);
            assert!(!is_alive(pid));
            assert_eq!(crate::monitor(pid).await.reason, ExitReason::NoProcess);
        });
    }

    #[test]
    fn processes_are_listed_and_counted_and_none_stays_behind() {
        simurgh_runtime::run("test", async {
            let mut monitors: Vec<_> =
                (0..50).map(|number| spawn_monitor(("sleeper", number), std::future::pending::<()>())).collect();
            assert_eq!(count(), 50);
            let listed = list();
            assert_eq!(listed[7].label.to_string(), "sleeper 7");
            assert_eq!(
                listed.iter().map(|info| info.pid).collect::<Vec<_>>(),
                monitors.iter().map(|(pid, _)| *pid).collect::<Vec<_>>()
            );
            for (pid, monitor) in monitors.drain(..) {
                kill(pid);
                kill(pid);
                monitor.await;
            }
            assert_eq!((count(), list()), (0, Vec::new()));
        });
    }

    #[test]
    fn what_a_node_keeps_of_a_process_is_small() {
        let size = size_of::<Cell>() + size_of::<Header>();
        assert!(size <= 288, "{size} bytes");
    }

    use crate::Down;
}
