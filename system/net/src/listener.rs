//! The listener's handle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use simurgh_otp::{self as otp, Monitor, Pid};
use simurgh_runtime::net::{BindOptions, TcpListener};
use simurgh_runtime::{planted, timeout};
use simurgh_telemetry::event;
use tokio::sync::Semaphore;

use crate::acceptor::Acceptor;
use crate::connection::Handler;
use crate::table::{ConnectionShared, ConnectionState, Phase, Shared};
use crate::{ConnectionInfo, Counters, ListenError, Options};

/// A listening socket with its acceptor and connections.
///
/// Dropping it stops accepting; connections that are open go on. To end in order, [`Listener::drain`].
pub struct Listener {
    addr: SocketAddr,
    acceptor: Pid,
    /// Held, not awaited: an acceptor's end is no surprise. A drain sets up one of its own, so that a
    /// drain that was given up leaves nothing behind.
    _watch: Monitor,
    shared: Arc<Shared>,
}

/// What a drain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that ended by themselves.
    pub finished: usize,
    /// Connections that were killed when the time was up.
    pub killed: usize,
}

impl Listener {
    /// Listens on `addr` and serves each connection in a process of its own. Port 0 takes a free one.
    ///
    /// # Errors
    /// If the operating system refuses the address.
    pub async fn start(addr: SocketAddr, options: Options, handler: impl Handler) -> Result<Self, ListenError> {
        let bind = BindOptions { backlog: options.backlog, ..BindOptions::default() };
        let listener = TcpListener::bind_with(addr, bind).await.map_err(|error| ListenError::new(addr, error))?;
        Self::serve(listener, options, handler)
    }

    /// As [`Listener::start`], on a socket that listens already (an inherited one, say).
    ///
    /// # Errors
    /// If the socket has no address.
    pub fn serve(listener: TcpListener, options: Options, handler: impl Handler) -> Result<Self, ListenError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let addr = listener.local_addr().map_err(|error| ListenError::new(unknown, error))?;
        let slots = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let shared = Shared::new(options);
        let acceptor =
            Acceptor { listener, shared: Arc::clone(&shared), slots, handler: Arc::new(handler), resumes_seen: 0 };
        let (pid, watch) = otp::spawn_monitor(format!("acceptor :{}", addr.port()), acceptor.run());
        event!("net.listener.start", {}, { port: addr.port() });
        Ok(Self { addr, acceptor: pid, _watch: watch, shared })
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The acceptor's process.
    pub fn acceptor(&self) -> Pid {
        self.acceptor
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.shared.count()
    }

    /// The open connections, oldest first.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.shared.connections().iter().map(|connection| connection.info()).collect()
    }

    /// What it has counted so far.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Stops accepting until [`Listener::resume`]; connections wait in the kernel's backlog.
    pub fn suspend(&self) {
        self.shared.phase.send_if_modified(|phase| turn(phase, Phase::Running, Phase::Suspended));
        event!("net.listener.suspend");
    }

    /// Accepts again.
    pub fn resume(&self) {
        self.shared.resumes.fetch_add(1, Ordering::Release);
        self.shared.phase.send_if_modified(|phase| turn(phase, Phase::Suspended, Phase::Running));
        event!("net.listener.resume");
    }

    /// Ends in order: stops accepting, closes the socket, tells every connection
    /// ([`Connection::draining`](crate::Connection::draining)), waits for them at most the drain
    /// time-out, and kills the rest. When it returns, no connection is left. One that was given up
    /// half-way can be called again.
    pub async fn drain(&self) -> DrainReport {
        self.end(self.shared.options.drain_timeout).await
    }

    /// Ends now: as [`Listener::drain`], but waits for nobody.
    pub async fn stop(&self) -> DrainReport {
        self.end(Duration::ZERO).await
    }

    async fn end(&self, limit: Duration) -> DrainReport {
        event!("net.listener.drain", { open: self.count() });
        self.stop_accepting().await;
        let connections: Vec<_> = self.shared.connections().into_iter().filter(|connection| sees(connection)).collect();
        for connection in &connections {
            connection.tell_drain();
        }
        let mut open = self.shared.open();
        let all = connections.len();
        let ends = async {
            if planted!("net.drain-forgets-state") {
                for connection in &connections {
                    if let Some(pid) = connection.pid() {
                        otp::monitor(pid).await;
                    }
                }
                return;
            }
            let _ = open.wait_for(|open| *open == 0).await; // the table outlives this borrow of it
        };
        let in_time = timeout(limit, ends).await.is_ok();
        let late: Vec<_> = if in_time {
            Vec::new()
        } else {
            self.shared.connections().into_iter().filter(|connection| sees(connection)).collect()
        };
        for connection in &late {
            if let Some(pid) = connection.pid() {
                otp::kill(pid);
            }
        }
        if !planted!("net.drain-forgets-state") {
            let _ = self.shared.open().wait_for(|open| *open == 0).await;
        }
        let report = DrainReport { finished: all.saturating_sub(late.len()), killed: late.len() };
        event!("net.listener.drained", { finished: report.finished, killed: report.killed, left: self.count() });
        report
    }

    async fn stop_accepting(&self) {
        self.shared.phase.send_replace(Phase::Draining);
        otp::monitor(self.acceptor).await;
    }
}

/// Whether a drain takes notice of a connection: of each.
fn sees(connection: &ConnectionShared) -> bool {
    !planted!("net.drain-forgets-state") || connection.state() == ConnectionState::Active
}

fn turn(phase: &mut Phase, from: Phase, to: Phase) -> bool {
    let turns = *phase == from;
    if turns {
        *phase = to;
    }
    turns
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.phase.send_if_modified(|phase| {
            let accepts = matches!(*phase, Phase::Running | Phase::Suspended);
            if accepts {
                *phase = Phase::Stopped;
            }
            accepts
        });
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("addr", &self.addr).field("count", &self.count()).finish_non_exhaustive()
    }
}
