//! The control socket: how an operator's tool looks into a running node.
//!
//! ```
//! use simurgh_net::control::{Client, Control, ControlOptions};
//!
//! simurgh_runtime::run("doc", async {
//!     let control = Control::start(ControlOptions { dir: None, ..ControlOptions::default() }).await?;
//!     let mut client = Client::connect(control.access()).await?;
//!     assert!(client.ask("tree text").await?[0].starts_with("node doc, "));
//!     assert!(client.ask("kill 7").await.is_err());
//!     control.stop().await;
//!     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! })
//! .unwrap();
//! ```
//!
//! A conversation is lines of text, so that it can be had by hand as well:
//!
//! ```text
//!   operator                                   node
//!   simurgh-control 1 <token>         ──────>
//!                                     <──────  ok simurgh-control 1 <node>
//!   tree text                         ──────>
//!                                     <──────  ok 12          twelve lines follow
//!   kill <0.99.0>                     ──────>
//!                                     <──────  error there is no process <0.99.0>
//! ```
//!
//! The commands are those of [`HELP`]. Who has the token may kill any process, so:
//!
//! - it listens on loopback, unless [`ControlOptions::allow_remote`] says that nothing else is meant;
//!   what travels is not encrypted;
//! - the token is compared in constant time; a wrong one is answered late, with one line, and the
//!   connection ends;
//! - a line has at most [`LINE_LEN_MAX`] bytes, a greeting comes within [`GREETING_TIMEOUT`], an idle
//!   connection ends, and there are only a few at once;
//! - where the node can be reached, and the token, stand in a file that only its owner can read
//!   ([`found`]), which goes with the node, unless that is killed.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use simurgh_config::Secret;
use simurgh_runtime::{Node, random};
use simurgh_telemetry::event;

use crate::{Connection, ListenError, Listener, Options};

mod access;
mod client;
mod command;
mod lines;
mod session;

pub use access::{Access, default_dir, found};
pub use client::{Client, ClientError};
pub use command::HELP;

use access::AccessFile;

/// Bytes of a command, its end included.
pub const LINE_LEN_MAX: usize = 1_024;

/// How long a client may take to greet.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// How late a wrong token is answered.
const WRONG_TOKEN_DELAY: Duration = Duration::from_millis(500);

/// Letters of a token at least.
const TOKEN_LEN_MIN: usize = 16;

/// How a node is controlled.
#[derive(Debug, Clone)]
pub struct ControlOptions {
    /// Where it listens; by default a free port of 127.0.0.1.
    pub addr: SocketAddr,
    /// What operators have to know; by default a new one of 256 bits.
    pub token: Option<Secret<String>>,
    /// Whether an address other than loopback is meant.
    pub allow_remote: bool,
    /// Where the file goes that says where to connect; no file if there is none. See [`default_dir`].
    pub dir: Option<PathBuf>,
    /// Operators at once; further ones wait.
    pub max_connections: usize,
    /// A connection that says nothing for so long ends.
    pub idle_timeout: Duration,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
            allow_remote: false,
            dir: Some(default_dir()),
            max_connections: 8,
            idle_timeout: Duration::from_mins(15),
        }
    }
}

/// Why a node cannot be controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Others could reach it.
    #[error(
        "{0} can be reached from other machines, and the control socket is not encrypted; listen on 127.0.0.1, or set allow_remote"
    )]
    NotLoopback(SocketAddr),
    /// The token is no token.
    #[error("a control token has at least {TOKEN_LEN_MIN} visible ASCII letters and no blanks")]
    Token,
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The file that says where to connect cannot be written.
    #[error("cannot write {path}: {error}; set another directory, or none", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl ControlError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLoopback(_) => "net.control.not_loopback",
            Self::Token => "net.control.token",
            Self::Listen(error) => error.code(),
            Self::File { .. } => "net.control.file",
        }
    }
}

/// A node that can be controlled. Dropping it ends that too, but lets connections that are open go on.
pub struct Control {
    listener: Listener,
    access: Access,
    file: Option<AccessFile>,
}

impl Control {
    /// Lets operators look into the current node.
    ///
    /// # Errors
    /// [`ControlError`] says what is wrong with the options or the machine.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(options: ControlOptions) -> Result<Self, ControlError> {
        if !options.addr.ip().is_loopback() && !options.allow_remote {
            return Err(ControlError::NotLoopback(options.addr));
        }
        let token = options.token.unwrap_or_else(new_token);
        let is_visible = token.expose().bytes().all(|letter| letter.is_ascii_graphic());
        if token.expose().len() < TOKEN_LEN_MIN || token.expose().len() > LINE_LEN_MAX / 2 || !is_visible {
            return Err(ControlError::Token);
        }
        let limits = Options {
            max_connections: options.max_connections,
            max_per_address: options.max_connections,
            handshake_timeout: GREETING_TIMEOUT,
            read_timeout: options.idle_timeout,
            idle_timeout: Some(options.idle_timeout),
            ..Options::default()
        };
        let expected = Arc::new(token.clone());
        let serve = move |connection: Connection| session::serve(connection, Arc::clone(&expected));
        let listener = Listener::start(options.addr, limits, serve).await?;
        let node = Node::current().name().to_owned();
        let access = Access { node, process: simurgh_runtime::process::id(), addr: listener.local_addr(), token };
        let file = match options.dir {
            Some(dir) => Some(AccessFile::write(&dir, &access).await?),
            None => None,
        };
        event!("net.control.start", {}, { port: access.addr.port() });
        Ok(Self { listener, access, file })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.access.addr
    }

    /// What a client has to know.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The file that says so, if there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_ref().map(AccessFile::path)
    }

    /// Ends now, with all connections. An operator's connection cannot outlive it.
    pub async fn stop(mut self) {
        if let Some(file) = self.file.take() {
            file.remove().await;
        }
        self.listener.stop().await;
    }
}

fn new_token() -> Secret<String> {
    let [a, b, c, d] = std::array::from_fn(|_| random::u64());
    Secret::new(format!("{a:016x}{b:016x}{c:016x}{d:016x}"))
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("access", &self.access).finish_non_exhaustive()
    }
}
