//! Spawning and killing.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use simurgh_runtime::task::{self, Life};
use simurgh_runtime::{Header, Label, Node, PanicReport};
use simurgh_telemetry::event;

use crate::cell::{Core, Plain, Process};
use crate::crowd::NoRoom;
use crate::monitor::monitor_process;
use crate::table::Table;
use crate::{ExitReason, IntoExit, Monitor, Pid};

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
    Spawn::new(label).spawn_with(
        Plain::of,
        |_| body,
        |process| (process.core.pid(), monitor_process(Arc::clone(process) as Arc<dyn Process>)),
    )
}

/// Starts a process and links it to the running one, with no moment between: see [`link`](crate::link).
///
/// # Panics
/// Outside of a process.
pub fn spawn_link<T: IntoExit + Send + 'static>(
    label: impl Into<Label>,
    body: impl Future<Output = T> + Send + 'static,
) -> Pid {
    let me = running().expect("spawn_link() is called inside a process");
    Spawn::new(label).spawn_with(
        Plain::of,
        |_| body,
        |process| {
            link_both(&*me, &process.core);
            process.core.pid()
        },
    )
}

/// Links two processes of which the second has not begun.
pub(crate) fn link_both(one: &dyn Process, other: &Core) {
    other.set_watched();
    if one.core().add_link(other.pid()) {
        other.add_link(one.pid());
        event!("otp.link.set", {}, { process: one.pid().number(), other: other.pid().number() });
    } else {
        other.doom(one.core().reason().unwrap_or(ExitReason::NoProcess));
    }
}

/// Options for a process.
#[derive(Debug)]
pub struct Spawn {
    label: Label,
    supervised: bool,
    parent: Option<Arc<dyn Process>>,
    member: bool,
    isolated: bool,
}

impl Spawn {
    /// A process of this label.
    pub fn new(label: impl Into<Label>) -> Self {
        Self { label: label.into(), supervised: false, parent: None, member: false, isolated: false }
    }

    /// Its spawner deals with its end by itself (as a listener does with a connection's): a panic is
    /// then no surprise, though no monitor is there.
    pub fn supervised(mut self) -> Self {
        self.supervised = true;
        self
    }

    /// On an OS thread of its own: for code that may hold its thread for long, where the processes on a
    /// worker thread would wait for it. A kill still takes effect only at its next await. A node has at
    /// most [`ISOLATED_MAX`](simurgh_runtime::task::ISOLATED_MAX) of them; in the simulator it is a
    /// process as any other.
    ///
    /// ```
    /// use simurgh_otp::{self as otp, Spawn};
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let pid = Spawn::new("long sum").isolated().spawn(async { assert_eq!((1..=100).sum::<u32>(), 5_050) });
    ///     assert!(otp::monitor(pid).await.reason.is_orderly() || !otp::is_alive(pid));
    /// });
    /// ```
    pub fn isolated(self) -> Self {
        self.isolated_if(true)
    }

    pub(crate) fn isolated_if(mut self, isolated: bool) -> Self {
        self.isolated = isolated;
        self
    }

    pub(crate) fn supervised_if(mut self, supervised: bool) -> Self {
        self.supervised |= supervised;
        self
    }

    /// As a child of this process: it does not outlive it.
    pub(crate) fn child_of(mut self, parent: Arc<dyn Process>) -> Self {
        self.parent = Some(parent);
        self
    }

    /// As a member of this process's crowd, if it has room.
    pub(crate) fn member_of(mut self, parent: Arc<dyn Process>) -> Self {
        self.member = true;
        self.child_of(parent)
    }

    /// Starts it.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn spawn<T: IntoExit + Send + 'static>(self, body: impl Future<Output = T> + Send + 'static) -> Pid {
        self.spawn_with(Plain::of, |_| body, |process| process.core.pid())
    }

    /// Starts a process: `make` makes its record, `body` what it does, and `first`, whose answer is the
    /// caller's, is called when it stands in the table and has not begun. One whose parent has ended
    /// meanwhile never begins.
    pub(crate) fn spawn_with<P, B, R>(
        self,
        make: impl FnOnce(Core) -> P,
        body: impl FnOnce(&Arc<P>) -> B,
        first: impl FnOnce(&Arc<P>) -> R,
    ) -> R
    where
        P: Process,
        B: Future<Output: IntoExit> + Send + 'static,
    {
        let process = self.prepare(make, size_of::<Body<P, B>>());
        if join_parent(&process).is_err() {
            process.core().doom(ExitReason::Kill); // its parent has ended
        }
        launch(process, body, first)
    }

    /// As [`Spawn::spawn_with`], if its parent has room for it; if not, there never was a process.
    pub(crate) fn try_spawn_with<P, B, R>(
        self,
        make: impl FnOnce(Core) -> P,
        body: impl FnOnce(&Arc<P>) -> B,
        first: impl FnOnce(&Arc<P>) -> R,
    ) -> Result<R, NoRoom>
    where
        P: Process,
        B: Future<Output: IntoExit> + Send + 'static,
    {
        let process = self.prepare(make, size_of::<Body<P, B>>());
        join_parent(&process)?;
        Ok(launch(process, body, first))
    }

    #[inline]
    fn prepare<P: Process>(self, make: impl FnOnce(Core) -> P, task_bytes: usize) -> Arc<P> {
        let mut builder = task::Builder::new().label(self.label);
        if self.isolated {
            builder = builder.isolated();
        }
        let watched = self.supervised || self.parent.is_some();
        let mut core = Core::new(builder.into_header(), self.parent, self.member, watched);
        core.set_task_bytes(task_bytes);
        Arc::new(make(core))
    }
}

fn join_parent<P: Process>(process: &Arc<P>) -> Result<(), NoRoom> {
    let Some(parent) = &process.core().parent else { return Ok(()) };
    parent.core().add_child(Arc::clone(process) as Arc<dyn Process>)
}

#[inline]
fn launch<P, B, R>(process: Arc<P>, body: impl FnOnce(&Arc<P>) -> B, first: impl FnOnce(&Arc<P>) -> R) -> R
where
    P: Process,
    B: Future<Output: IntoExit> + Send + 'static,
{
    Table::of(process.header().node()).insert(Arc::clone(&process) as Arc<dyn Process>);
    event!("otp.process.start", {}, {
        process: process.core().pid().number(),
        parent: process.core().parent.as_ref().map_or(0, |parent| parent.pid().number()),
    });
    let answer = first(&process);
    let body = body(&process);
    task::spawn_life(process, Body { body: Some(body), of: PhantomData });
    answer
}

/// Kills a process of the current node: its future is dropped at its next await. It cannot be
/// refused, and a process that is gone already does not mind.
pub fn kill(pid: Pid) {
    if let Some(process) = Table::of(&Node::current()).get(pid) {
        process.core().doom(ExitReason::Kill);
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

/// The running process; none in a task that is not one.
pub(crate) fn running() -> Option<Arc<dyn Process>> {
    let (node, pid) = Header::with(|header| header.map(|header| (Arc::clone(header.node()), Pid::of(header))))?;
    Table::of(&node).get(pid)
}

/// Names the running process.
pub fn set_label(label: impl Into<Label>) {
    Header::with(|header| {
        if let Some(header) = header {
            header.set_label(label);
        }
    });
}

impl Plain {
    pub(crate) fn of(core: Core) -> Self {
        Self { core }
    }
}

pin_project! {
    /// A process's future: catches panics, and ends exactly once, however it ends.
    struct Body<P, B> {
        // None once the process has ended.
        #[pin]
        body: Option<B>,
        of: PhantomData<fn(P)>,
    }
}

impl<P: Process, B: Future<Output: IntoExit> + Send + 'static> Life for Body<P, B> {
    type Record = P;

    #[inline]
    fn poll(self: Pin<&mut Self>, process: &Arc<P>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let core = process.core();
        let polled = if core.is_doomed() {
            Ok(Poll::Pending) // woken only to end
        } else {
            catch_unwind(AssertUnwindSafe(|| body.poll(cx).map(IntoExit::into_exit)))
        };
        let reason = match polled {
            Ok(Poll::Pending) => {
                if core.header.polls() == 1 {
                    core.waits(cx.waker());
                }
                if !core.is_doomed() {
                    return Poll::Pending;
                }
                core.reason().unwrap_or(ExitReason::Kill)
            }
            Ok(Poll::Ready(reason)) => reason,
            Err(payload) => ExitReason::Panic(Arc::new(PanicReport::from_payload(payload))),
        };
        end(this.body, &**process, reason);
        Poll::Ready(())
    }

    #[inline]
    fn leave(self: Pin<&mut Self>, process: &Arc<P>) {
        let this = self.project();
        // Still here: dropped before it was ready, with its node.
        if this.body.is_some() {
            end(this.body, &**process, process.core().reason().unwrap_or(ExitReason::Kill));
        }
    }
}

/// The end of a process, in its order.
#[inline]
fn end<B>(mut body: Pin<&mut Option<B>>, process: &dyn Process, reason: ExitReason) {
    let reason = process.announce(reason);
    let _ = catch_unwind(AssertUnwindSafe(|| body.set(None)));
    process.end(&reason);
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
        // As with servers: beside a task of 128 bytes it leaves 32 of 384.
        assert!(size_of::<Plain>() <= 184, "{} bytes", size_of::<Plain>());
        assert!(size_of::<Header>() <= 104, "{} bytes", size_of::<Header>());
    }

    use crate::Down;
}
