//! The acceptor: takes a slot, then a connection, and hands both to a process of their own.
//!
//! The socket is the listener's and not the acceptor's: an acceptor that crashes puts it back, and the
//! next one, which its supervisor starts, goes on with it. Whoever connects meanwhile waits in the
//! kernel's backlog and notices nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use simurgh_otp::{Children, self_pid};
use simurgh_runtime::net::{TcpListener, TcpStream};
use simurgh_runtime::{planted, probe, select, sleep};
use simurgh_telemetry::event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::connection::{Connection, Handler, Stay};
use crate::error::is_exhaustion;
use crate::table::{Phase, Shared};

/// First and longest wait after an accept that failed for want of handles or memory.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Acceptor<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) connections: Children,
    pub(crate) handler: Arc<H>,
}

impl<H> Clone for Acceptor<H> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            slots: Arc::clone(&self.slots),
            connections: self.connections.clone(),
            handler: Arc::clone(&self.handler),
        }
    }
}

/// The listener's socket, while an acceptor has it.
struct Held<'a> {
    shared: &'a Shared,
    socket: Option<TcpListener>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.put_back(self.socket.take());
    }
}

/// The listener no longer accepts.
struct Over;

impl<H: Handler> Acceptor<H> {
    /// Accepts until the listener drains or stops; then the socket closes.
    ///
    /// # Errors
    /// If the socket was closed by a drain of the tree, and cannot be opened again.
    pub(crate) async fn run(self) -> io::Result<()> {
        self.shared.set_acceptor(self_pid());
        self.shared.open_again().await?;
        let mut phase = self.shared.phase.subscribe();
        let mut backoff = Duration::ZERO;
        let mut held = Held { shared: &self.shared, socket: self.shared.take_socket() };
        let Some(socket) = held.socket.as_mut() else { return Ok(()) };
        if *phase.borrow() == Phase::Running {
            event!("net.listener.accepting");
        }
        while let Ok(slot) = self.slot(&mut phase).await {
            let accepted = select! {
                biased;
                () = changed(&mut phase) => continue,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = Duration::ZERO;
                    self.hand_over(stream, peer, slot);
                }
                Err(error) => {
                    drop(slot);
                    backoff = self.failed(&error, backoff);
                    if planted!("net.accept-not-tried-again") {
                        changed(&mut phase).await;
                        continue;
                    }
                    select! {
                        () = sleep(backoff) => {},
                        () = changed(&mut phase) => {},
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits until the listener accepts and has room for one more.
    async fn slot(&self, phase: &mut watch::Receiver<Phase>) -> Result<OwnedSemaphorePermit, Over> {
        loop {
            self.wait_running(phase).await?;
            let slot = select! {
                biased;
                () = changed(phase) => continue,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            return slot.map_err(|_| Over);
        }
    }

    async fn wait_running(&self, phase: &mut watch::Receiver<Phase>) -> Result<(), Over> {
        if planted!("net.lost-wakeup") && *phase.borrow() == Phase::Suspended {
            // A look, then a wait: what is said in between is not heard.
            tokio::task::coop::consume_budget().await;
            phase.mark_unchanged();
            let _ = phase.changed().await;
        }
        match *phase.wait_for(|phase| *phase != Phase::Suspended).await.map_err(|_| Over)? {
            Phase::Running => {}
            Phase::Suspended | Phase::Draining | Phase::Stopped => return Err(Over),
        }
        // By number: a suspend and its resume may both have come and gone unnoticed.
        let resumes = self.shared.resumes.load(Ordering::Acquire);
        if self.shared.resumes_seen.swap(resumes, Ordering::Relaxed) != resumes {
            event!("net.listener.accepting");
        }
        Ok(())
    }

    /// Starts the connection's process. Everything that must be given back is inside it before it
    /// runs: a kill before its first poll gives back as much as one after its last.
    fn hand_over(&self, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        let shared = self.shared.enter(peer);
        let stay = Stay::new(Arc::clone(&self.shared), Arc::clone(&shared), slot);
        let handler = Arc::clone(&self.handler);
        let nodelay = self.shared.options.nodelay;
        let label = ("connection", shared.number);
        let started = self.connections.spawn(label, async move {
            let mut stay = stay;
            if !stay.admit().await {
                probe!("net.refused");
                let mut stream = stream;
                let _ = stream.set_zero_linger(); // the peer hears of it at once
                return Ok(());
            }
            let _ = stream.set_nodelay(nodelay); // a peer that is gone already is found out by reading
            let result = handler.handle(Connection::new(stream, stay.connection())).await;
            stay.ended(result.as_ref().err());
            // A broken connection is the daily bread of a listener: told by its event, not logged as a crash.
            result.or_else(|error| if is_peers_doing(&error) { Ok(()) } else { Err(error) })
        });
        match started {
            Ok(pid) => shared.set_pid(pid),
            // Dropped with all that it held, as a connection that ended at once.
            Err(error) => tracing::error!("a connection from {peer} is dropped: {error}"),
        }
    }

    /// Deals with a failed accept; tells how long to wait before the next.
    fn failed(&self, error: &io::Error, before: Duration) -> Duration {
        self.shared.accept_errors.fetch_add(1, Ordering::Relaxed);
        event!("net.accept.error", { count: 1 }, { code: error.raw_os_error().unwrap_or(0) });
        if !is_exhaustion(error) && is_peers_doing(error) {
            return Duration::ZERO; // that one connection ended before it was accepted
        }
        probe!("net.accept_exhausted");
        if before.is_zero() {
            tracing::error!("cannot accept connections for now: {error}; those that wait are served when it passes");
        }
        (before * 2).clamp(BACKOFF_FIRST, BACKOFF_MAX)
    }
}

/// Ready when the listener's phase is another one. A phase that can no longer change never is: the
/// listener's owner is gone then, and only the acceptor's own exit is left.
async fn changed(phase: &mut watch::Receiver<Phase>) {
    if phase.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether an error only says that the other end is gone, or too slow.
pub(crate) fn is_peers_doing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut, UnexpectedEof, WriteZero,
    };
    matches!(
        error.kind(),
        BrokenPipe
            | ConnectionAborted
            | ConnectionReset
            | Interrupted
            | NotConnected
            | TimedOut
            | UnexpectedEof
            | WriteZero
    )
}
