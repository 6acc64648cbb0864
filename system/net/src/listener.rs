//! The listener's handle.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use simurgh_otp::{
    self as otp, ChildSpec, Context, DynamicSupervisor, ExitReason, Flow, IntoChild, Pid, Server, Shutdown, Supervisor,
    SupervisorRef,
};
use simurgh_runtime::net::{BindOptions, TcpListener};
use simurgh_runtime::{self as runtime, planted, timeout};
use simurgh_telemetry::event;
use tokio::sync::Semaphore;

use crate::acceptor::Acceptor;
use crate::connection::Handler;
use crate::table::{ConnectionShared, ConnectionState, Phase, Shared};
use crate::{ConnectionInfo, Counters, ListenError, Options};

/// How long a stop waits for what only has to be dropped.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// A listening socket, its acceptor and its connections: a supervision tree.
///
/// ```text
///   listener :4000        one_for_one
///   ├─ connections        a dynamic supervisor: a process for each connection
///   ├─ acceptor           hands connections over; restarted when it crashes, with the same socket
///   └─ drain              started last, so stopped first: lets connections finish
/// ```
///
/// [`Listener::start`] starts it by itself; [`Listener::bind`] and [`Listener::child`] put it into a
/// tree of one's own. This is a handle, cheap to clone. When the last handle of a listener that was
/// started by itself is dropped, it stops accepting; connections that are open go on.
#[derive(Clone)]
pub struct Listener {
    handle: Arc<Handle>,
}

struct Handle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tree: Supervisor,
    /// If it was started by itself.
    own: OnceLock<SupervisorRef>,
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
        Self::bind(addr, options, handler).await?.run().await
    }

    /// As [`Listener::start`], on a socket that listens already (an inherited one, say).
    ///
    /// # Errors
    /// If the socket has no address.
    pub async fn serve(listener: TcpListener, options: Options, handler: impl Handler) -> Result<Self, ListenError> {
        Self::on(listener, options, handler)?.run().await
    }

    /// Listens, and accepts nobody yet: that begins with [`Listener::child`]. Who connects meanwhile
    /// waits in the kernel's backlog.
    ///
    /// # Errors
    /// If the operating system refuses the address.
    pub async fn bind(addr: SocketAddr, options: Options, handler: impl Handler) -> Result<Self, ListenError> {
        let bind = BindOptions { backlog: options.backlog, ..BindOptions::default() };
        let listener = TcpListener::bind_with(addr, bind).await.map_err(|error| ListenError::new(addr, error))?;
        Self::on(listener, options, handler)
    }

    fn on(socket: TcpListener, options: Options, handler: impl Handler) -> Result<Self, ListenError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let addr = socket.local_addr().map_err(|error| ListenError::new(unknown, error))?;
        let slots = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let shared = Shared::new(options, addr, socket);
        // The cap is the slots': a slot is free a moment before its connection's process has ended.
        let connections = DynamicSupervisor::limit(usize::MAX).shutdown(Shutdown::Brutal);
        let acceptor = Acceptor {
            shared: Arc::clone(&shared),
            slots,
            connections: connections.handle(),
            handler: Arc::new(handler),
        };
        let (drained, drain_timeout) = (Arc::clone(&shared), shared.options.drain_timeout);
        let tree = Supervisor::one_for_one()
            .child("connections", connections)
            .child("acceptor", ChildSpec::task(move || acceptor.clone().run()).transient())
            .child(
                "drain",
                ChildSpec::server(move || Drain(Arc::clone(&drained)))
                    .shutdown(Shutdown::Timed(drain_timeout + KILL_GRACE)),
            );
        event!("net.listener.start", {}, { port: addr.port() });
        Ok(Self { handle: Arc::new(Handle { addr, shared, tree, own: OnceLock::new() }) })
    }

    async fn run(self) -> Result<Self, ListenError> {
        let label = format!("listener :{}", self.handle.addr.port());
        let supervisor = self.handle.tree.clone().start(label).await;
        let supervisor = supervisor.map_err(|error| ListenError::new(self.handle.addr, io::Error::other(error)))?;
        let _ = self.handle.own.set(supervisor);
        Ok(self)
    }

    /// Its tree, as a child of a supervisor. When that stops it, it drains and closes the socket; when
    /// that starts it again, it listens on the same address again.
    pub fn child(&self) -> ChildSpec {
        self.handle.tree.clone().into_child()
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.addr
    }

    /// The acceptor's process; the last one, if it is being restarted.
    pub fn acceptor(&self) -> Option<Pid> {
        self.handle.shared.acceptor()
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.handle.shared.count()
    }

    /// The open connections, oldest first.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.handle.shared.connections().iter().map(|connection| connection.info()).collect()
    }

    /// What it has counted so far.
    pub fn counters(&self) -> Counters {
        self.handle.shared.counters()
    }

    /// Stops accepting until [`Listener::resume`]; connections wait in the kernel's backlog.
    pub fn suspend(&self) {
        self.handle.shared.phase.send_if_modified(|phase| turn(phase, Phase::Running, Phase::Suspended));
        event!("net.listener.suspend");
    }

    /// Accepts again.
    pub fn resume(&self) {
        self.handle.shared.resumes.fetch_add(1, Ordering::Release);
        self.handle.shared.phase.send_if_modified(|phase| turn(phase, Phase::Suspended, Phase::Running));
        event!("net.listener.resume");
    }

    /// Ends in order: stops accepting, closes the socket, tells every connection
    /// ([`Connection::draining`](crate::Connection::draining)), waits for them at most the drain
    /// time-out, and kills the rest. When it returns, no connection is left. One that was given up
    /// half-way can be called again.
    pub async fn drain(&self) -> DrainReport {
        self.end(self.handle.shared.options.drain_timeout).await
    }

    /// Ends now: as [`Listener::drain`], but waits for nobody.
    pub async fn stop(&self) -> DrainReport {
        self.end(Duration::ZERO).await
    }

    async fn end(&self, limit: Duration) -> DrainReport {
        let report = self.handle.shared.drain(limit).await;
        if let Some(supervisor) = self.handle.own.get() {
            supervisor.stop(KILL_GRACE).await;
        }
        report
    }
}

impl Shared {
    /// Stops accepting, tells every connection, waits for them at most `limit`, and kills the rest.
    async fn drain(&self, limit: Duration) -> DrainReport {
        event!("net.listener.drain", { open: self.count() });
        self.stop_accepting().await;
        let connections: Vec<_> = self.connections().into_iter().filter(|connection| sees(connection)).collect();
        for connection in &connections {
            connection.tell_drain();
        }
        let mut open = self.open();
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
            self.connections().into_iter().filter(|connection| sees(connection)).collect()
        };
        for connection in &late {
            if let Some(pid) = connection.pid() {
                otp::kill(pid);
            }
        }
        if !planted!("net.drain-forgets-state") {
            let _ = self.open().wait_for(|open| *open == 0).await;
        }
        let report = DrainReport { finished: all.saturating_sub(late.len()), killed: late.len() };
        event!("net.listener.drained", { finished: report.finished, killed: report.killed, left: self.count() });
        report
    }
}

/// Drains when its supervisor stops: started last, it is stopped first.
struct Drain(Arc<Shared>);

impl Server for Drain {
    type Message = std::convert::Infallible;

    async fn handle(&mut self, message: Self::Message, _: &mut Context<Self>) -> Flow {
        match message {}
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        let already = self.0.is_over();
        self.0.drain(self.0.options.drain_timeout).await;
        if !already {
            self.0.tree_stopped();
        }
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

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(supervisor) = self.own.take() else { return };
        let stops = self.shared.phase.send_if_modified(|phase| {
            let accepts = matches!(*phase, Phase::Running | Phase::Suspended);
            if accepts {
                *phase = Phase::Stopped;
            }
            accepts
        });
        // Its tree ends with the last connection, and not before.
        if stops && runtime::Node::try_current().is_some_and(|node| !node.is_dead()) {
            let mut open = self.shared.open();
            otp::spawn("listener dropped", async move {
                let _ = open.wait_for(|open| *open == 0).await;
                supervisor.stop(KILL_GRACE).await;
            });
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("addr", &self.handle.addr)
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
