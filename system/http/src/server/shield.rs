//! Writes that go on without their client.

use std::sync::Arc;
use std::time::Duration;

use simurgh_otp::Spawn;
use simurgh_runtime::{Node, select, timeout};
use simurgh_telemetry::event;
use tokio::sync::watch;

use super::answer::Answering;

/// The handlers of one server that have lost their clients and run to their end.
pub(super) struct Shields {
    running: watch::Sender<usize>,
    /// Turned once: whoever still runs is dropped.
    ends: watch::Sender<bool>,
    running_max: usize,
    limit: Duration,
}

impl Shields {
    pub(super) fn new(running_max: usize, limit: Duration) -> Arc<Self> {
        Arc::new(Self { running: watch::Sender::new(0), ends: watch::Sender::new(false), running_max, limit })
    }

    /// Lets a handler go on as a process of its own, unless there is no room for it.
    pub(super) fn adopt(self: &Arc<Self>, handler: Answering, (connection, request): (u64, u64)) {
        if Node::try_current().is_none_or(|node| node.is_dead()) {
            return; // nothing goes on where nothing runs
        }
        let has_room = self.running.send_if_modified(|running| {
            let has_room = *running < self.running_max;
            *running += usize::from(has_room);
            has_room
        });
        if !has_room {
            event!("http.shield.stop", { running: self.running_max }, {
                connection: connection, request: request, result: "refused",
            });
            return;
        }
        let stay = Stay { shields: Arc::clone(self), connection, request, result: "dropped" };
        event!("http.shield.start", { running: *self.running.borrow() }, { connection: connection, request: request });
        let mut ends = self.ends.subscribe();
        let limit = self.limit;
        Spawn::new(("shielded request", request)).spawn(async move {
            let mut stay = stay;
            let ended = select! {
                biased;
                ended = timeout(limit, handler) => ended.map(drop),
                _ = ends.wait_for(|ends| *ends) => return,
            };
            stay.result = if ended.is_ok() { "finished" } else { "timeout" };
        });
    }

    /// How many go on.
    pub(super) fn count(&self) -> usize {
        *self.running.borrow()
    }

    /// Waits until no handler goes on without a client; each has its limit.
    pub(super) async fn finished(&self) {
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await; // we hold the sender
    }

    /// Drops what still runs.
    pub(super) async fn end(&self) {
        self.ends.send_replace(true);
        self.finished().await;
        self.ends.send_replace(false); // for who starts the tree again
    }
}

/// A handler's place among those that go on.
struct Stay {
    shields: Arc<Shields>,
    connection: u64,
    request: u64,
    result: &'static str,
}

impl Drop for Stay {
    fn drop(&mut self) {
        let result = if std::thread::panicking() { "panic" } else { self.result };
        event!("http.shield.stop", {}, { connection: self.connection, request: self.request, result: result });
        self.shields.running.send_modify(|running| *running -= 1);
    }
}
