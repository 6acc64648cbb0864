//! Simurgh: a real-time platform in which everything runs in a deterministic simulator.
//!
//! ```
//! use simurgh::prelude::*;
//!
//! async fn greet(mut connection: Connection) -> std::io::Result<()> {
//!     connection.write_all(b"hello\n").await
//! }
//!
//! async fn serve() -> Result<(), ListenError> {
//!     let listener = Listener::start("127.0.0.1:0".parse().expect("an address"), Options::default(), greet).await?;
//!     out!("Listening on port {}...", listener.local_addr().port());
//!     runtime::ready();
//!     # return Ok(());
//!     runtime::signal::shutdown().expect("signal handlers").await;
//!     listener.drain().await;
//!     Ok(())
//! }
//!
//! runtime::run("greeter", serve()).unwrap();
//! ```
//!
//! The same `serve` runs under a seeded simulator in a plain `cargo test`: see the crate
//! `simurgh-sim`, a development dependency. The modules are the floors of the house, from the
//! machine up: [`runtime`], [`telemetry`], [`config`], [`otp`], [`net`].

#![forbid(unsafe_code)]

pub use simurgh_config as config;
pub use simurgh_net as net;
pub use simurgh_otp as otp;
pub use simurgh_runtime as runtime;
pub use simurgh_telemetry as telemetry;

/// What most files of an application want.
pub mod prelude {
    pub use crate::net::{Connection, Handler, ListenError, Listener, Options};
    pub use crate::otp::{self, ExitReason, Pid};
    pub use crate::runtime::{
        self, DurationExt, Instant, Timestamp, buggify, err, join, out, planted, probe, select, sleep, spawn, timeout,
    };
    pub use crate::telemetry::{self, event};
    pub use tokio::io::{AsyncReadExt, AsyncWriteExt};
}
