//! The connections of a listener: who is there, how many, and what they have done.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use simurgh_otp::Pid;
use simurgh_runtime::collections::HashMap;
use simurgh_runtime::net::{BindOptions, TcpListener};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, planted};
use tokio::sync::watch;

use crate::Options;

/// What all parts of a listener share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) phase: watch::Sender<Phase>,
    inner: Mutex<Inner>,
    /// How many connections are in the table: drains wait for zero.
    open: watch::Sender<usize>,
    pub(crate) resumes: AtomicU64,
    /// How often it had been resumed when the acceptor last began to accept.
    pub(crate) resumes_seen: AtomicU64,
    /// The socket, while no acceptor has it.
    socket: Mutex<Option<TcpListener>>,
    /// Whether there is a socket, here or with the acceptor.
    listening: watch::Sender<bool>,
    acceptor: Mutex<Option<Pid>>,
    addr: SocketAddr,
    /// The socket was closed because the tree was stopped: when that is started again, it opens again.
    opens_again: AtomicBool,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
}

/// What a listener is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Suspended,
    Draining,
    Stopped,
}

#[derive(Default)]
struct Inner {
    connections: HashMap<u64, Arc<ConnectionShared>>,
    per_address: HashMap<IpAddr, usize>,
}

/// What is known of one connection.
pub(crate) struct ConnectionShared {
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) since: Instant,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pid: Mutex<Option<Pid>>,
    state: AtomicU8,
    draining: AtomicBool,
    on_drain: Mutex<Option<Waker>>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectionState {
    /// Accepted; its process has not begun.
    Accepted = 0,
    /// Its first byte has not come.
    Handshake = 1,
    /// Being handled.
    Active = 2,
}

/// A connection, for people and tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Its process.
    pub pid: Option<Pid>,
    /// The other end.
    pub peer: SocketAddr,
    /// How long it has been open.
    pub age: Duration,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// How far it is.
    pub state: ConnectionState,
}

/// What a listener has counted since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    /// Connections reset because their address had as many as it may have.
    pub refused: u64,
    /// Failed accepts.
    pub accept_errors: u64,
}

impl Shared {
    pub(crate) fn new(options: Options, addr: SocketAddr, socket: TcpListener) -> Arc<Self> {
        Arc::new(Self {
            options,
            phase: watch::Sender::new(Phase::Running),
            inner: Mutex::default(),
            open: watch::Sender::new(0),
            resumes: AtomicU64::new(0),
            resumes_seen: AtomicU64::new(0),
            socket: Mutex::new(Some(socket)),
            listening: watch::Sender::new(true),
            acceptor: Mutex::new(None),
            addr,
            opens_again: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
        })
    }

    /// The socket, for an acceptor; none once it is closed.
    pub(crate) fn take_socket(&self) -> Option<TcpListener> {
        self.socket.lock().take()
    }

    /// An acceptor gives the socket back, for the next one; if the listener is over, it closes.
    pub(crate) fn put_back(&self, socket: Option<TcpListener>) {
        if matches!(*self.phase.borrow(), Phase::Running | Phase::Suspended) {
            *self.socket.lock() = socket;
        } else {
            drop(socket);
            self.listening.send_replace(false);
        }
    }

    /// No more accepts, for good: ready when the socket is closed.
    pub(crate) async fn stop_accepting(&self) {
        self.phase.send_replace(Phase::Draining);
        // Between two acceptors it lies here, and nobody else will close it.
        let socket = self.take_socket();
        if socket.is_some() {
            self.put_back(socket);
        }
        let _ = self.listening.subscribe().wait_for(|listening| !listening).await; // the sender is here
    }

    /// Whether it was told to end, by whoever has its handle.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Draining | Phase::Stopped)
    }

    /// The tree is stopped, and not the listener: it may be started again.
    pub(crate) fn tree_stopped(&self) {
        self.opens_again.store(true, Ordering::Release);
    }

    /// Opens the socket again, if a stop of the tree has closed it.
    pub(crate) async fn open_again(&self) -> io::Result<()> {
        if !self.opens_again.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let bind = BindOptions { backlog: self.options.backlog, ..BindOptions::default() };
        let socket = TcpListener::bind_with(self.addr, bind).await.inspect_err(|_| self.tree_stopped())?;
        self.listening.send_replace(true);
        self.phase.send_replace(Phase::Running);
        self.put_back(Some(socket));
        Ok(())
    }

    pub(crate) fn set_acceptor(&self, pid: Pid) {
        *self.acceptor.lock() = Some(pid);
    }

    pub(crate) fn acceptor(&self) -> Option<Pid> {
        *self.acceptor.lock()
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            accept_errors: self.accept_errors.load(Ordering::Relaxed),
        }
    }

    /// Enters a connection into the table.
    pub(crate) fn enter(&self, peer: SocketAddr) -> Arc<ConnectionShared> {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(ConnectionShared {
            number,
            peer,
            since: Instant::now(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            pid: Mutex::new(None),
            state: AtomicU8::new(ConnectionState::Accepted as u8),
            draining: AtomicBool::new(false),
            on_drain: Mutex::new(None),
        });
        self.inner.lock().connections.insert(number, Arc::clone(&connection));
        self.open.send_modify(|open| *open += 1);
        // A drain that began meanwhile did not see this connection in the table.
        if *self.phase.borrow() == Phase::Draining {
            connection.tell_drain();
        }
        connection
    }

    /// Counts a connection of an address, if it may have one more; tells how many it then has.
    pub(crate) async fn admit(&self, address: IpAddr) -> Option<usize> {
        let most = self.options.max_per_address;
        if planted!("net.cap-check-then-act") {
            let count = self.inner.lock().per_address.get(&address).copied().unwrap_or(0);
            if count >= most {
                return None;
            }
            tokio::task::coop::consume_budget().await; // nearly always ready at once
            let mut inner = self.inner.lock();
            let count = inner.per_address.entry(address).or_default();
            *count += 1;
            return Some(*count);
        }
        let mut inner = self.inner.lock();
        let count = inner.per_address.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(*count)
    }

    /// The opposite of [`Shared::admit`].
    pub(crate) fn dismiss(&self, address: IpAddr) {
        let mut inner = self.inner.lock();
        if let Some(count) = inner.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                inner.per_address.remove(&address);
            }
        }
    }

    /// Takes a connection out of the table; tells how many are left.
    pub(crate) fn leave(&self, number: u64) -> usize {
        let removed = self.inner.lock().connections.remove(&number).is_some();
        if removed {
            self.open.send_modify(|open| *open -= 1);
        }
        *self.open.borrow()
    }

    pub(crate) fn count(&self) -> usize {
        *self.open.borrow()
    }

    pub(crate) fn open(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }

    /// All connections, oldest first.
    pub(crate) fn connections(&self) -> Vec<Arc<ConnectionShared>> {
        let mut all: Vec<_> = self.inner.lock().connections.values().cloned().collect();
        all.sort_unstable_by_key(|connection| connection.number);
        all
    }
}

impl ConnectionShared {
    pub(crate) fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            pid: self.pid(),
            peer: self.peer,
            age: self.since.elapsed(),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            state: self.state(),
        }
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        *self.pid.lock()
    }

    pub(crate) fn set_pid(&self, pid: Pid) {
        *self.pid.lock() = Some(pid);
    }

    pub(crate) fn state(&self) -> ConnectionState {
        match self.state.load(Ordering::Relaxed) {
            0 => ConnectionState::Accepted,
            1 => ConnectionState::Handshake,
            _ => ConnectionState::Active,
        }
    }

    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Tells the connection's process that the listener drains.
    pub(crate) fn tell_drain(&self) {
        self.draining.store(true, Ordering::Release);
        let waker = self.on_drain.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes `waker` when the listener drains.
    pub(crate) fn wake_on_drain(&self, waker: &Waker) {
        let mut on_drain = self.on_drain.lock();
        if !on_drain.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *on_drain = Some(waker.clone());
        }
    }
}
