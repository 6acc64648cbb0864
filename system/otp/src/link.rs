//! Links: two processes that end together.

use simurgh_runtime::{Node, planted};
use simurgh_telemetry::event;

use crate::cell::Process;
use crate::process::running;
use crate::signal::{Exit, Signal};
use crate::table::Table;
use crate::{ExitReason, Pid};

/// Links the running process to another: when either ends out of order, the other ends for the same
/// reason, unless it traps exits, in which case it gets the [`Exit`] as a message. A normal end ends
/// nobody else. Linking a process that is gone delivers its exit, `no such process`, at once.
///
/// ```
/// use simurgh_otp::{self as otp, ExitReason};
///
/// simurgh_runtime::run("doc", async {
///     let (boss, monitor) = otp::spawn_monitor("boss", async {
///         let worker = otp::spawn::<()>("worker", async { panic!("lost") });
///         otp::link(worker);
///         std::future::pending::<()>().await;
///     });
///     assert!(matches!(monitor.await.reason, ExitReason::Panic(_) | ExitReason::NoProcess));
/// });
/// ```
///
/// # Panics
/// Outside of a process.
pub fn link(other: Pid) {
    let me = running().expect("link() is called inside a process");
    if other == me.pid() {
        return;
    }
    let linked = Table::of(&Node::current()).get(other).filter(|process| {
        process.core().set_watched();
        process.core().add_link(me.pid())
    });
    if linked.is_some() {
        me.core().add_link(other);
        event!("otp.link.set", {}, { process: me.pid().number(), other: other.number() });
    } else {
        event!("otp.link.dead", {}, { process: me.pid().number(), other: other.number() });
        deliver(&*me, other, &ExitReason::NoProcess);
    }
}

/// Takes a link back. An exit that has arrived already stays in the mailbox, as in OTP.
///
/// # Panics
/// Outside of a process.
pub fn unlink(other: Pid) {
    let me = running().expect("unlink() is called inside a process");
    me.core().remove_link(other);
    event!("otp.link.unset", {}, { process: me.pid().number(), other: other.number() });
    if let Some(process) = Table::of(&Node::current()).get(other) {
        process.core().remove_link(me.pid());
    }
}

/// Ends a process of the current node for `reason`, as a link would: one that traps exits gets it as
/// a message. [`ExitReason::Kill`] cannot be trapped; `Normal` is ignored by who does not trap.
pub fn exit(pid: Pid, reason: ExitReason) {
    let node = Node::current();
    let Some(process) = Table::of(&node).get(pid) else { return };
    if reason == ExitReason::Kill {
        process.core().doom(reason);
    } else {
        let from = running().map_or(pid, |me| me.pid());
        deliver(&*process, from, &reason);
    }
}

/// An exit reaches a process.
pub(crate) fn deliver(process: &dyn Process, from: Pid, reason: &ExitReason) {
    if process.core().traps_exits.load(std::sync::atomic::Ordering::Relaxed) {
        let _ = process.signal(Box::new(Signal::Exit(Exit { pid: from, reason: reason.clone() })));
    } else if ends(reason) && !planted!("otp.link-forgotten") {
        process.core().note_exit_of(from);
        process.core().doom(reason.clone());
    }
}

/// Whether an exit ends who does not trap it.
fn ends(reason: &ExitReason) -> bool {
    *reason != ExitReason::Normal || planted!("otp.normal-exit-kills")
}
