//! Monitors: to be told, once, that a process has ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use simurgh_runtime::Node;
use simurgh_sync::port;

use crate::cell::{Process, Watcher};
use crate::table::Table;
use crate::{ExitReason, Pid};

/// A process has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Which.
    pub pid: Pid,
    /// Why. [`ExitReason::NoProcess`] if it was gone already when the monitor was set up.
    pub reason: ExitReason,
}

/// Awaits the end of a process: exactly one [`Down`]. Dropping it ends the monitoring.
#[derive(Debug)]
#[must_use = "dropping a monitor ends the monitoring"]
pub struct Monitor {
    pid: Pid,
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    process: Arc<dyn Process>,
    key: usize,
    down: port::Receiver<ExitReason>,
}

/// Monitors a process of the current node.
pub fn monitor(pid: Pid) -> Monitor {
    Table::of(&Node::current()).get(pid).map_or(Monitor { pid, watched: None }, monitor_process)
}

/// Monitors a process that is at hand.
pub(crate) fn monitor_process(process: Arc<dyn Process>) -> Monitor {
    let pid = process.pid();
    let (sender, down) = port::pair();
    let watched = match process.core().watch(Watcher::Port(sender)) {
        Ok(key) => Some(Watched { process, key, down }),
        Err(_) => None,
    };
    Monitor { pid, watched }
}

impl Monitor {
    /// Who is monitored.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        let pid = self.pid;
        let Some(watched) = &mut self.watched else {
            return Poll::Ready(Down { pid, reason: ExitReason::NoProcess });
        };
        let told = std::task::ready!(watched.down.poll_take(cx));
        // Told, so there is nothing to take back: the key may be another's by now.
        self.watched = None;
        // The sender is dropped unused only when the whole node goes.
        Poll::Ready(Down { pid, reason: told.unwrap_or(ExitReason::NodeDown) })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(watched) = &mut self.watched
            && watched.down.try_take().is_none()
        {
            watched.process.core().unwatch(watched.key);
        }
    }
}
