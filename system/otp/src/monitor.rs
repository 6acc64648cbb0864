//! Monitors: to be told, once, that a process has ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use simurgh_runtime::Node;
use tokio::sync::oneshot;

use crate::process::Cell;
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
    cell: Arc<Cell>,
    id: u64,
    down: oneshot::Receiver<ExitReason>,
}

/// Monitors a process of the current node.
pub fn monitor(pid: Pid) -> Monitor {
    let watched = Table::of(&Node::current()).get(pid).and_then(|cell| {
        let (sender, down) = oneshot::channel();
        let id = cell.add_monitor(sender)?;
        Some(Watched { cell, id, down })
    });
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
        // The sender is dropped unused only when the whole node goes.
        Pin::new(&mut watched.down).poll(cx).map(|reason| Down { pid, reason: reason.unwrap_or(ExitReason::NodeDown) })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(watched) = &self.watched {
            watched.cell.remove_monitor(watched.id);
        }
    }
}
