//! The service: an application with one stage, the listener, from start to drain.
//!
//! ```text
//!   echo                    rest_for_one, the application's root
//!   └─ listener             one_for_one
//!      ├─ connections       a process for each connection
//!      ├─ acceptor
//!      └─ drain
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use simurgh::config::{Limits, settings};
use simurgh::net::DrainReport;
use simurgh::net::control::{Control, ControlError, ControlOptions};
use simurgh::otp::{Application, BootFailure, Running};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;

use super::handler;

settings! {
    /// What the echo service can be told.
    pub struct EchoSettings {
        /// Where it listens; port 0 takes a free one.
        addr: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 4000)), env "ECHO_ADDR";
        /// Connections at once.
        max_connections: usize = Limits::DEFAULT.connections_max, env "ECHO_MAX_CONNECTIONS", in 1..=10_000_000;
        /// Connections at once from one address.
        max_per_address: usize = Limits::DEFAULT.connections_per_address_max, env "ECHO_MAX_PER_ADDRESS",
            in 1..=10_000_000;
        /// Time until a connection's first byte.
        handshake_timeout: Duration = Limits::DEFAULT.handshake_timeout, env "ECHO_HANDSHAKE_TIMEOUT";
        /// Time that a read may wait.
        read_timeout: Duration = Limits::DEFAULT.read_timeout, env "ECHO_READ_TIMEOUT";
        /// Time that the end waits for connections to finish.
        drain_timeout: Duration = Limits::DEFAULT.drain_timeout, env "ECHO_DRAIN_TIMEOUT";
        /// Whether operators of this machine may look in (`cargo lab observer`).
        control: bool = false, env "ECHO_CONTROL";
    }
}

impl EchoSettings {
    /// The listener's limits.
    pub fn options(&self) -> Options {
        Options {
            max_connections: self.max_connections,
            max_per_address: self.max_per_address,
            handshake_timeout: self.handshake_timeout,
            read_timeout: self.read_timeout,
            drain_timeout: self.drain_timeout,
            ..Options::default()
        }
    }
}

/// Why the echo service did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EchoError {
    /// It could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It did not come up.
    #[error(transparent)]
    Boot(#[from] BootFailure),
    /// Operators could not be let in.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The operating system gave no signal handlers.
    #[error("cannot wait for the signal to end: {0}")]
    Signals(#[source] std::io::Error),
}

/// What a stage of the application may take beside the drain.
const STAGE_LIMIT: Duration = Duration::from_secs(10);

/// A running echo service.
#[derive(Debug)]
pub struct Echo {
    /// Its listener.
    pub listener: Listener,
    application: Mutex<Option<Running>>,
    /// The root of its tree.
    pub root: Pid,
}

impl Echo {
    /// Starts listening.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn start(settings: &EchoSettings) -> Result<Self, EchoError> {
        let listener = Listener::bind(settings.addr, settings.options(), handler::handle).await?;
        let limit = settings.drain_timeout.saturating_add(STAGE_LIMIT);
        let application = Application::new("echo").stage("listener", limit, listener.child()).start().await?;
        let root = application.root().pid();
        Ok(Self { listener, application: Mutex::new(Some(application)), root })
    }

    /// Ends in order: connections first, then the tree.
    pub async fn stop(&self) -> DrainReport {
        let report = self.listener.drain().await;
        let application = self.application.lock().take();
        if let Some(application) = application {
            application.stop().await;
        }
        report
    }
}

/// The whole program: starts, says so, serves until it is asked to end, drains.
///
/// # Errors
/// If it could not start.
pub async fn main(settings: EchoSettings) -> Result<(), EchoError> {
    let end = runtime::signal::shutdown().map_err(EchoError::Signals)?;
    let echo = Echo::start(&settings).await?;
    let control = if settings.control { Some(Control::start(ControlOptions::default()).await?) } else { None };
    out!("Listening on port {}...", echo.listener.local_addr().port());
    runtime::ready();
    end.await;
    if let Some(control) = control {
        control.stop().await;
    }
    let report = echo.stop().await;
    out!("Stopped: {} connections finished, {} killed.", report.finished, report.killed);
    Ok(())
}
