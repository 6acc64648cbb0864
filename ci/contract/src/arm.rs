//! What a case asks of an arm: sockets, a clock, and a place to say what it saw.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use simurgh_runtime::process::Command;
use tokio::io::{AsyncRead, AsyncWrite};

/// A network and a clock.
pub trait Arm: Sized + 'static {
    type Listener: Send + 'static;
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type ReadHalf: AsyncRead + Unpin + Send + 'static;
    type WriteHalf: AsyncWrite + Unpin + Send + 'static;
    type Udp: Send + Sync + 'static;

    fn bind(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn split(stream: Self::Stream) -> (Self::ReadHalf, Self::WriteHalf);
    fn addresses(stream: &Self::Stream) -> io::Result<(SocketAddr, SocketAddr)>;
    /// False if the arm does not know the option.
    fn zero_linger(stream: &mut Self::Stream) -> bool;

    fn udp(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Udp>> + Send;
    fn udp_addr(socket: &Self::Udp) -> io::Result<SocketAddr>;
    fn send_to(socket: &Self::Udp, bytes: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;
    fn recv_from(socket: &Self::Udp, into: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;
    /// None if the arm has no sending and receiving without an address.
    fn udp_connect(socket: &Self::Udp, to: SocketAddr) -> impl Future<Output = Option<io::Result<()>>> + Send;
    fn send(socket: &Self::Udp, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;
    fn recv(socket: &Self::Udp, into: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
    /// Time since some moment in the past.
    fn now() -> Duration;
}

/// Where the two sides of a case are, and what they have seen.
#[derive(Clone)]
pub struct Scene {
    /// The address of the server's machine.
    pub server: IpAddr,
    /// A port that is the case's own, and three more after it.
    pub port: u16,
    /// The address on which to listen: all of the machine's, or the loopback's.
    pub any: IpAddr,
    /// How to start one of `children.rs`.
    pub program: fn(&str) -> Command,
    folder: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    server: Vec<String>,
    client: Vec<String>,
    skipped: Option<String>,
}

/// The side of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Server,
    Client,
}

impl Scene {
    pub fn new(server: IpAddr, any: IpAddr, port: u16) -> Self {
        let folder = PathBuf::from(format!("/contract-{}-{port}", std::process::id()));
        Self { server, port, any, program: |name| Command::new(name), folder, seen: Arc::default() }
    }

    /// The same on the real machine: below its folder for what is temporary, and with real processes.
    pub fn on_the_machine(mut self) -> Self {
        self.folder = std::env::temp_dir().join(self.folder.strip_prefix("/").unwrap_or(&self.folder));
        self.program = |name| Command::this_program().expect("this program").var(crate::children::CHILD, name);
        self
    }

    /// A folder that is the case's own, and empty at first.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's address at one of the case's ports.
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.server, self.port + port)
    }

    /// Where to listen for it.
    pub fn listen_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.any, self.port + port)
    }

    /// Where to open a socket of no particular port.
    pub fn anywhere(&self) -> SocketAddr {
        SocketAddr::new(self.any, 0)
    }

    /// Notes what a side has seen.
    pub fn saw(&self, side: Side, what: impl Into<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match side {
            Side::Server => seen.server.push(what.into()),
            Side::Client => seen.client.push(what.into()),
        }
    }

    /// This arm cannot be asked.
    pub fn skip(&self, why: &str) {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).skipped = Some(why.to_owned());
    }

    /// All that was seen: the server's part, then the client's; or why nothing could be.
    pub fn outcome(&self) -> Result<Vec<String>, String> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(why) = seen.skipped.take() {
            return Err(why);
        }
        let server = seen.server.iter().map(|what| format!("server: {what}"));
        let client = seen.client.iter().map(|what| format!("client: {what}"));
        Ok(server.chain(client).collect())
    }
}
