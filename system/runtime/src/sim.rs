//! The simulated arm of the seam: what a simulator must provide, and how a type finds it.
//!
//! Not public API: `simurgh-sim` pins this crate exactly. Dispatch happens once, when a value is
//! constructed: [`world`] looks at one thread-local pointer; if a simulator has entered this
//! thread, the value takes its simulated arm, a boxed trait object from [`World`]; otherwise the
//! real arm, which is tokio's own type. There is no feature and no cfg to choose by.
//!
//! ```text
//!   TcpStream::connect ──┬── no world on this thread ──> tokio::net::TcpStream
//!                        └── world.connect(addr) ──────> Box<dyn Stream>
//! ```
//!
//! Every method acts for the node of the task that is being polled ([`crate::Header::with`]).

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;

use crate::fs::{Metadata, OpenOptions};
use crate::observe::Event;
use crate::process::Stdio;
use crate::signal::Signal;
use crate::{Headed, Header};

/// A task as the simulator takes it: its output has gone to its join handle already.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All that a simulator gives to the code it runs.
///
/// Rules for implementors: no method may poll or drop a future of the caller, and none may call a
/// waker of a task while it holds a lock that a task could want.
pub trait World {
    /// Monotonic virtual time, as the clock of the current node shows it.
    fn now(&self) -> std::time::Instant;
    /// Wall time of the current node, in nanoseconds since 1970-01-01 UTC.
    fn wall_ns(&self) -> i64;
    /// A timer that is due at `deadline`.
    fn timer(&self, deadline: std::time::Instant) -> Box<dyn Timer>;

    /// Starts a task that belongs to the header's node. On a dead node nothing starts.
    fn spawn(&self, headed: Arc<dyn Headed>, task: BoxFuture) -> Box<dyn Task>;
    /// How long a piece of blocking work takes here.
    fn blocking_latency(&self) -> Duration;
    /// How much longer it takes, when it is done: what its calls waited for a slow disk.
    fn blocking_wait(&self) -> Duration;
    /// The current task asked to be put behind the others.
    fn yielded(&self);
    /// A task ended by a panic that nobody was left to see.
    fn unsupervised_panic(&self, header: &Header, message: &str);

    /// Listens on `addr`; port 0 takes a free one.
    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>>;
    /// Begins to connect to `addr`.
    fn connect(&self, addr: SocketAddr) -> Box<dyn Connect>;
    /// Opens a UDP socket on `addr`; port 0 takes a free one.
    fn udp(&self, addr: SocketAddr) -> io::Result<Box<dyn Udp>>;
    /// Looks up the addresses of a host: how long that takes here, and what it then says.
    fn lookup(&self, host: &str) -> (Duration, io::Result<Vec<IpAddr>>);

    /// Opens a file of the current node.
    fn open(&self, path: &Path, options: &OpenOptions) -> io::Result<Box<dyn File>>;
    /// Does one thing to a path of the current node.
    fn path(&self, op: PathOp<'_>) -> io::Result<PathReply>;

    /// The stream of one kind of signal for the current node.
    fn signals(&self, signal: Signal) -> Box<dyn Signals>;
    /// The node says that it is ready to serve.
    fn ready(&self);

    /// Starts a process on the current node's machine.
    fn start_process(&self, program: &Program<'_>) -> io::Result<Started>;
    /// One of the three standard streams of the current node's process, if it is a pipe.
    fn standard_stream(&self, number: usize) -> Option<Box<dyn Pipe>>;

    /// An environment variable of the current node.
    fn var(&self, name: &str) -> Option<String>;
    /// The arguments of the current node, its program name first.
    fn args(&self) -> Vec<String>;
    /// Bytes that the current node writes to its standard output or error.
    fn print(&self, to: Output, bytes: &[u8]);

    /// Fills `bytes` from the current node's random stream.
    fn fill_random(&self, bytes: &mut [u8]);
    /// A seeded choice among `count` equal alternatives, for `select!`.
    fn choose(&self, count: usize) -> usize;
    /// Execution passed `probe!(name)`.
    fn probe(&self, name: &'static str);
    /// The program says what it decides, for who reads the report of this run: see `note!`.
    fn note(&self, words: std::fmt::Arguments<'_>);
    /// Whether `buggify!(site)` fires this time.
    fn buggify(&self, site: &'static str) -> bool;
    /// Whether this run has the planted bug `name`.
    fn planted(&self, name: &'static str) -> bool;
    /// A telemetry event of the current node, before any handler sees it.
    fn observe(&self, event: &Event<'_>);

    /// A number for something that tasks can hold and wait for.
    fn new_resource(&self) -> u64;
    /// The current task begins to wait for `resource`, called `what`. A cycle ends the run.
    fn wait_begin(&self, resource: u64, what: &'static str);
    /// The current task no longer waits for `resource`.
    fn wait_end(&self, resource: u64);
    /// The current task now holds `resource`.
    fn hold(&self, resource: u64);
    /// `resource` is free again.
    fn release(&self, resource: u64);
    /// The current task can never go on (a lock that it would wait for forever): ends the run.
    fn stuck(&self, why: &str);
}

/// A handle to a simulated task.
pub trait Task: Send + Sync {
    /// Drops the task's future at its next await (at once if it is not being polled).
    fn abort(&self);
}

/// A simulated timer. Dropping it cancels it.
pub trait Timer: Send + Sync {
    /// Ready once the deadline has come.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Moves the deadline.
    fn reset(&mut self, deadline: std::time::Instant);
}

/// A simulated listening socket. Dropping it closes it.
pub trait Listener: Send + Sync {
    /// The next connection.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Stream>, SocketAddr)>>;
    /// Where it listens.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection being made. Dropping it gives up.
pub trait Connect: Send + Sync {
    /// Ready once it is made or has failed.
    fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>>;
}

/// One end of a simulated connection. Dropping it closes it as the kernel would: with a reset if
/// bytes are unread, else with a FIN after what was written.
pub trait Stream: Send + Sync {
    /// Reads what has arrived; nothing is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    /// Ready once a read would not wait.
    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Writes what fits into the window.
    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;
    /// Ready once a write would not wait.
    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Closes one direction or both.
    fn shutdown(&mut self, how: Shutdown) -> io::Result<()>;
    /// Makes dropping the stream send a reset.
    fn set_zero_linger(&mut self) -> io::Result<()>;
    /// Small writes at once, or gathered.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;
    /// As set.
    fn nodelay(&self) -> io::Result<bool>;
    /// This end's address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// The other end's address.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    /// A second handle to the same end; the end closes when both are gone.
    fn share(&mut self) -> Box<dyn Stream>;
}

/// A simulated UDP socket. Dropping it closes it.
pub trait Udp: Send + Sync {
    /// Takes datagrams from `addr` alone from now on, and sends there by default.
    fn connect(&self, addr: SocketAddr) -> io::Result<()>;
    /// Sends one datagram, to where it is connected if `to` is None. It never waits.
    fn send(&self, from: &[u8], to: Option<SocketAddr>) -> io::Result<usize>;
    /// The next datagram and its sender; what `into` has no room for is lost.
    fn poll_recv(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;
    /// This socket's address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// Where it is connected.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// An open file of a node.
#[allow(clippy::len_without_is_empty)] // a file is not a collection
pub trait File: Send + Sync {
    /// Reads at a position; less than asked for at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at a position, beyond the end too.
    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes content (and, unless `data_only`, metadata) durable.
    fn sync(&self, data_only: bool) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Its length.
    fn len(&self) -> io::Result<u64>;
    /// Takes the exclusive or the shared lock; false if another holds it.
    fn try_lock(&self, exclusive: bool) -> io::Result<bool>;
    /// Gives the lock back.
    fn unlock(&self) -> io::Result<()>;
}

/// One operation on a path.
#[derive(Debug, Clone, Copy)]
pub enum PathOp<'a> {
    /// Creates a directory and its parents.
    CreateDirAll(&'a Path),
    /// Removes a file.
    RemoveFile(&'a Path),
    /// Removes a directory and all below it.
    RemoveDirAll(&'a Path),
    /// Replaces the second path by the first.
    Rename(&'a Path, &'a Path),
    /// Makes a directory's entries durable.
    SyncDir(&'a Path),
    /// What kind of thing it is and how long.
    Metadata(&'a Path),
    /// The names in a directory, sorted.
    ReadDir(&'a Path),
}

/// What a [`PathOp`] answers.
#[derive(Debug)]
pub enum PathReply {
    /// Nothing to tell.
    Done,
    /// Of [`PathOp::Metadata`].
    Metadata(Metadata),
    /// Of [`PathOp::ReadDir`].
    Names(Vec<String>),
}

/// The arrivals of one kind of signal.
pub trait Signals: Send + Sync {
    /// Ready when one has arrived since the last time.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A process to be started.
#[derive(Debug)]
pub struct Program<'a> {
    /// Its path or name.
    pub program: &'a OsStr,
    /// Its arguments, without its name.
    pub args: &'a [OsString],
    /// What its environment has beyond ours.
    pub vars: &'a [(OsString, OsString)],
    /// Its standard input, output and error.
    pub streams: [Stdio; 3],
    /// Whether it ends when its handle is dropped, or its parent ends in order.
    pub kill_on_drop: bool,
}

/// A process that was started, and our ends of its pipes.
pub struct Started {
    /// The process.
    pub child: Box<dyn Child>,
    /// For each standard stream that is piped.
    pub pipes: [Option<Box<dyn Pipe>>; 3],
}

/// A process on the same machine. Dropping it kills it, unless it was started otherwise.
pub trait Child: Send + Sync {
    /// Its process id.
    fn id(&self) -> u32;
    /// Ready with its status, as wait(2) has it, when it has ended.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<i32>;
    /// Ends it as `SIGKILL` does.
    fn kill(&self);
    /// Sends a signal, which ends it unless it listens for it.
    fn signal(&self, signal: Signal);
}

/// One end of a pipe. Dropping it closes it.
pub trait Pipe: Send + Sync {
    /// Reads what is there; 0 when it is empty and the other end is closed.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;
    /// Writes what there is room for.
    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;
}

/// Where bytes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

thread_local! {
    static WORLD: Cell<Option<*const dyn World>> = const { Cell::new(None) };
}

/// Runs `f` with `world` as this thread's world.
pub fn enter<R>(world: &dyn World, f: impl FnOnce() -> R) -> R {
    struct Leave(Option<*const dyn World>);
    impl Drop for Leave {
        fn drop(&mut self) {
            WORLD.set(self.0);
        }
    }
    // SAFETY of the transmute: only the lifetime is erased; `Leave` takes the pointer out again
    // before `world` can end, also when `f` unwinds.
    #[allow(unsafe_code)]
    let erased: *const dyn World = unsafe { std::mem::transmute::<&dyn World, &'static dyn World>(world) };
    let _leave = Leave(WORLD.replace(Some(erased)));
    f()
}

/// Calls `f` with this thread's world, if there is one. The one place of dispatch.
#[inline]
pub fn world<R>(f: impl FnOnce(&dyn World) -> R) -> Option<R> {
    // A thread that is going away has no world.
    let world = WORLD.try_with(Cell::get).ok().flatten()?;
    // SAFETY: `enter` put the pointer there and takes it out before what it points to ends.
    #[allow(unsafe_code)]
    Some(f(unsafe { &*world }))
}

/// Whether a simulator has entered this thread.
#[inline]
pub fn is_simulated() -> bool {
    WORLD.try_with(|world| world.get().is_some()).unwrap_or(false)
}
