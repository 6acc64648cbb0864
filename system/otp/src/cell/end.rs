//! How a process ends, and who is told of it in which order: see the model in [`super`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::task::Waker;

use simurgh_runtime::{Header, planted, sim};
use simurgh_telemetry::event;

use super::{Core, Names, Phase, Process, Rare, Watcher};
use crate::crash::CrashReport;
use crate::signal::{Exit, Signal};
use crate::table::Table;
use crate::{Down, ExitReason, Pid};

impl dyn Process {
    /// Its future is about to be dropped: from now on whoever misses an answer knows why.
    pub(crate) fn announce(&self, reason: ExitReason) -> ExitReason {
        let mut state = self.core().state.lock();
        // Doomed and ended by itself in the same poll: what it said itself counts, but for a kill.
        let reason = if state.reason == Some(ExitReason::Kill) { ExitReason::Kill } else { reason };
        state.reason = Some(reason.clone());
        reason
    }

    /// Its future is gone, and with it all that it held.
    pub(crate) fn end(&self, reason: &ExitReason) {
        let core = self.core();
        if core.header.node().is_dead() {
            return; // nobody is left to tell
        }
        let waiting = self.close();
        let mut state = core.state.lock();
        if waiting > 0 {
            state.rare().waiting = waiting;
        }
        core.set_phase(if state.rare.is_none() { Phase::Ended } else { Phase::Ending });
        let _waker = state.waker.take(); // it holds the memory of the task
        let Some(rare) = &mut state.rare else {
            drop(state);
            return self.tell(reason, None);
        };
        let callers: Vec<Waker> = rare.watchers.iter().filter_map(|(_, watcher)| watcher.caller()).collect();
        let orphans: Vec<_> = rare.children.values().cloned().collect();
        let names = if planted!("registry.stale-name") { Vec::new() } else { std::mem::take(&mut rare.names) };
        drop(state);
        // Before anybody hears of the end: who starts it anew finds its name free.
        forget(&names, core.pid());
        callers.into_iter().for_each(Waker::wake);
        if orphans.is_empty() || planted!("otp.orphans-live") {
            return self.finish();
        }
        for orphan in orphans {
            orphan.core().doom(ExitReason::Kill);
        }
    }

    /// A child has ended.
    fn child_ended(&self, child: &Core, reason: &ExitReason, report: Option<Box<CrashReport>>) {
        let mut heard = !child.member;
        let ending = {
            let mut state = self.core().state.lock();
            let left = state.rare.as_mut().map_or(0, |rare| {
                if rare.children.remove(&child.pid().number()).is_some()
                    && child.member
                    && let Some(crowd) = &mut rare.crowd
                {
                    heard = crowd.leave();
                }
                rare.children.len()
            });
            match self.core().phase() {
                Phase::Ending => left == 0,
                Phase::Alive | Phase::Ended => false,
            }
        };
        // The parent tells of the crash, together with what it does about it. About a member nothing is
        // ever done, so that nobody has to wait for it to say so: a storm of crashes queues nothing.
        let report = if child.member { report.and_then(CrashReport::not_restarted) } else { report };
        let exit = Exit { pid: child.pid(), reason: reason.clone() };
        if heard
            && let Err(signal) = self.signal(Box::new(Signal::ChildExit(exit, report)))
            && let Signal::ChildExit(_, Some(report)) = *signal
        {
            report.decided("none: its supervisor has ended").tell();
        }
        if ending {
            self.finish();
        }
    }

    /// Nothing of it is left.
    fn finish(&self) {
        let core = self.core();
        let mut state = core.state.lock();
        if core.phase() == Phase::Ended {
            return;
        }
        core.set_phase(Phase::Ended);
        let reason = state.reason.clone().unwrap_or(ExitReason::Kill);
        let rare = state.rare.take();
        drop(state);
        self.tell(&reason, rare);
    }

    /// Tells everybody of the end.
    fn tell(&self, reason: &ExitReason, mut rare: Option<Box<Rare>>) {
        let core = self.core();
        let table = Table::of(core.header.node());
        table.remove(core.pid());
        // The task at work may be another: the last child of a supervisor ends it too.
        event!("otp.process.stop", {}, { process: core.pid().number(), reason: reason.kind() });
        let mut report = (!reason.is_orderly()).then(|| Box::new(CrashReport::of(self, reason, rare.as_deref())));
        if let (ExitReason::Panic(report), false) = (reason, core.watched.load(Ordering::Relaxed)) {
            sim::world(|world| world.unsupervised_panic(&core.header, &report.to_string()));
        }
        // A member gives up its place before anybody hears of its end: who waits for that finds room.
        if let Some(parent) = core.parent.as_ref().filter(|_| core.member) {
            parent.child_ended(core, reason, report.take());
        }
        let late_names = rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.names));
        if let Some(rare) = rare {
            rare.tell(core.pid(), reason, table);
        }
        match &core.parent {
            Some(_) if core.member => {}
            Some(parent) => parent.child_ended(core, reason, report),
            None => report.into_iter().for_each(CrashReport::tell),
        }
        if planted!("registry.stale-name") && Header::with(|header| header.is_some()) {
            // As a registry does that is a process itself, and monitors those that it knows.
            let pid = core.pid();
            drop(simurgh_runtime::spawn(async move { forget(&late_names, pid) }));
        }
    }
}

impl Rare {
    /// Bids farewell, tells those who watch, then those who are linked.
    fn tell(self, pid: Pid, reason: &ExitReason, table: &Table) {
        if let Some(farewell) = self.farewell {
            // What it drops is the user's, and no panic of that may keep the end from being told.
            let _ = catch_unwind(AssertUnwindSafe(farewell));
        }
        for (_, watcher) in self.watchers {
            watcher.tell(pid, reason);
        }
        for linked in self.links {
            if let Some(other) = table.get(linked) {
                other.core().remove_link(pid);
                crate::link::deliver(&*other, pid, reason);
            }
        }
    }
}

fn forget(names: &[Weak<dyn Names>], pid: Pid) {
    names.iter().filter_map(Weak::upgrade).for_each(|names| names.forget(pid));
}

impl Watcher {
    pub(super) fn caller(&self) -> Option<Waker> {
        match self {
            Self::Caller(waker) => Some(waker.clone()),
            Self::Port(_) | Self::Server { .. } => None,
        }
    }

    fn tell(self, pid: Pid, reason: &ExitReason) {
        match self {
            Self::Port(port) => drop(port.send(reason.clone())), // a monitor that was dropped meanwhile
            Self::Server { process, monitor } => {
                let down = Down { pid, reason: reason.clone() };
                let _ = process.signal(Box::new(Signal::Down { monitor, down }));
            }
            Self::Caller(waker) => waker.wake(),
        }
    }
}
