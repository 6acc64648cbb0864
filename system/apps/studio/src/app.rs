//! The studio as a whole: start, serve, drain.
//!
//! ```text
//!   studio                  rest_for_one
//!   ├─ presence             a worker for each shard
//!   ├─ rooms                a process for each room in use
//!   ├─ pulse                answers probes
//!   └─ web                  the listener: a process for each connection, and one for each channel
//! ```
//!
//! Asked to end, it says at `/readyz` that it is not ready, waits [`unready`](Settings::unready) so that a balancer can
//! notice, and then ends in reverse order: it accepts nobody, answers the requests under way, closes sockets with 1012
//! in batches, and ends when all that was said is on disk.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use simurgh::channels::presence::Presence;
use simurgh::http::{self, Options as ServerOptions};
use simurgh::net;
use simurgh::otp::{BootFailure, Outcome, Running};
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;

use crate::pulse::Pulse;
use crate::rooms::Rooms;
use crate::settings::{LogFormat, Settings};
use crate::web::{self, State};
use crate::{browser, channel};

/// Why the studio did not run, or not to its orderly end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It did not come up.
    #[error(transparent)]
    Boot(#[from] BootFailure),
    /// There is no place for histories.
    #[error("the directory {directory} cannot be written to: {source}; STUDIO_DATA names another")]
    Data {
        /// Which.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// The operating system gave no signal handlers.
    #[error("cannot wait for the signal to end: {0}")]
    Signals(#[source] io::Error),
    /// It ended by itself, or had to kill something at its end.
    #[error("the studio {0}")]
    Ended(String),
}

/// A running studio.
pub struct Studio {
    state: State,
    server: http::Server,
    running: Running,
}

impl Studio {
    /// Starts it: it listens when this returns.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn start(settings: &Settings) -> Result<Self, Failure> {
        let pubsub = PubSub::local("studio");
        let presence = Presence::new(pubsub.clone());
        let children = DynamicSupervisor::limit(settings.rooms_max);
        let data = settings.data.join("rooms");
        let rooms = Rooms::new(pubsub, presence.clone(), children.handle(), data.clone(), settings.rooms_max);
        let prepared = rooms.clone();
        runtime::blocking(move || prepared.prepare())
            .await
            .map_err(|source| Failure::Data { directory: data.display().to_string(), source })?;
        let state = State::new(settings, rooms.clone());
        let endpoint = web::endpoint(settings, state.clone());
        let server = http::Server::bind(settings.addr, server_options(settings), endpoint).await?;
        let running = Application::new("studio")
            .stage("presence", 5.secs(), presence.supervisor())
            .stage("rooms", 5.secs(), children)
            .stage("pulse", 5.secs(), Pulse::start)
            .stage("web", settings.drain + 2.secs(), server.child())
            .start()
            .await?;
        state.set_server(Some(server.clone()));
        state.set_ready(true);
        Ok(Self { state, server, running })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What its requests have in common.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Runs until it is asked to end, and ends in order.
    pub async fn run_until(self, settings: &Settings, signal: impl Future + Send) -> Outcome {
        let Self { state, running, server } = self;
        let (at_end, unready) = (state.clone(), settings.unready);
        let outcome = running
            .run_until(async move {
                signal.await;
                runtime::stopping();
                at_end.rooms().drain();
                let sockets = at_end.sockets().counts().sockets;
                tracing::info!(sockets, "asked to end: not ready any more");
                sleep(unready).await;
                // The listener tells WebSockets by itself; sessions of long-poll have no connection to be told by.
                join!(server.drain(), at_end.sockets().drain());
            })
            .await;
        state.set_server(None);
        outcome
    }
}

impl fmt::Debug for Studio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Studio").field("addr", &self.local_addr()).finish_non_exhaustive()
    }
}

fn server_options(settings: &Settings) -> ServerOptions {
    ServerOptions {
        listener: net::Options {
            max_connections: settings.connections_max,
            max_per_address: settings.per_address_max,
            drain_timeout: settings.connections_limit(),
            ..net::Options::default()
        },
        shield_timeout: settings.connections_limit(),
        // Nothing here takes more than a few messages by long-poll.
        body_len_max: channel::MESSAGE_LEN_MAX as u64,
        ..ServerOptions::default()
    }
}

/// The whole program: starts, says so, serves until it is asked to end, drains.
///
/// # Errors
/// [`Failure`].
pub async fn main(settings: Settings) -> Result<(), Failure> {
    telemetry::logs::configure(settings.log());
    let end = runtime::signal::shutdown().map_err(Failure::Signals)?;
    let studio = Studio::start(&settings).await?;
    browser::begin(studio.state());
    let addr = studio.local_addr();
    // Who reads JSON has it from the log.
    let is_text = settings.log_format == LogFormat::Text;
    if is_text {
        out!("Studio running at {}", url(addr));
    }
    tracing::info!(%addr, mode = ?settings.mode, data = %settings.data.display(), "listening");
    runtime::ready();
    let outcome = studio.run_until(&settings, end).await;
    match outcome.code() {
        0 => {
            if is_text {
                out!("Stopped in order.");
            }
            Ok(())
        }
        _ => Err(Failure::Ended(outcome.to_string())),
    }
}

fn url(addr: SocketAddr) -> String {
    let host = if addr.ip().is_loopback() || addr.ip().is_unspecified() {
        "localhost".to_owned()
    } else {
        addr.ip().to_string()
    };
    format!("http://{host}:{}", addr.port())
}
