//! The service: a listener with the echo handler, from start to drain.

use std::net::SocketAddr;

use simurgh::net::DrainReport;
use simurgh::prelude::*;

use super::handler;

/// What the echo service can be told.
#[derive(Debug, Clone)]
pub struct EchoSettings {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The listener's limits.
    pub options: Options,
}

impl Default for EchoSettings {
    fn default() -> Self {
        Self { addr: SocketAddr::from(([127, 0, 0, 1], 4000)), options: Options::default() }
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
        let listener = Listener::start(settings.addr, settings.options.clone(), handler::handle).await?;
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
