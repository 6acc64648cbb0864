//! The service: a listener with the echo handler, from start to drain.

use std::net::SocketAddr;
use std::time::Duration;

use simurgh::config::{Limits, settings};
use simurgh::net::DrainReport;
use simurgh::prelude::*;

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
    /// The operating system gave no signal handlers.
    #[error("cannot wait for the signal to end: {0}")]
    Signals(#[source] std::io::Error),
}

/// A running echo service.
#[derive(Debug)]
pub struct Echo {
    /// Its listener.
    pub listener: Listener,
}

impl Echo {
    /// Starts listening.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn start(settings: &EchoSettings) -> Result<Self, EchoError> {
        let listener = Listener::start(settings.addr, settings.options(), handler::handle).await?;
        Ok(Self { listener })
    }

    /// Ends in order.
    pub async fn stop(&self) -> DrainReport {
        self.listener.drain().await
    }
}

/// The whole program: starts, says so, serves until it is asked to end, drains.
///
/// # Errors
/// If it could not start.
pub async fn main(settings: EchoSettings) -> Result<(), EchoError> {
    let end = runtime::signal::shutdown().map_err(EchoError::Signals)?;
    let echo = Echo::start(&settings).await?;
    out!("Listening on port {}...", echo.listener.local_addr().port());
    runtime::ready();
    end.await;
    let report = echo.stop().await;
    out!("Stopped: {} connections finished, {} killed.", report.finished, report.killed);
    Ok(())
}
