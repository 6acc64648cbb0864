//! The seam between Simurgh and the machine: tasks, time, network, files, signals, OS processes and
//! randomness, on tokio in production and, for the same code, in a seeded simulator.
//!
//! ```
//! use simurgh_runtime as runtime;
//! use std::time::Duration;
//!
//! runtime::run("example", async {
//!     let answer = runtime::spawn(async {
//!         runtime::sleep(Duration::from_millis(1)).await;
//!         42
//!     });
//!     assert_eq!(answer.await.unwrap(), 42);
//! });
//! ```
//!
//! How the parts meet: a [`Node`] owns tasks; a [`Header`] stands around each poll of a task and
//! says who runs; every type that touches the machine looks once, when it is made, whether a
//! simulator has entered the thread ([`sim`]), and is then either tokio's own type or the
//! simulator's. Only this crate names tokio's time, net, fs and spawn or the clock, entropy,
//! threads and environment of the OS.

// Allowed, with the reason, in `header` and `sim`, a thread-local pointer each, in `watchdog`, which
// reads the former, in `process`, which sends signals, and in `net`, which reads into memory that is not filled yet.
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)] // the seam is where the machine is named

mod header;
mod macros;
mod node;
mod panic;
mod run;
mod service;

pub mod collections;
pub mod env;
pub mod fs;
pub mod net;
pub mod observe;
pub mod process;
pub mod random;
pub mod signal;
pub mod stdio;
pub mod sync;
pub mod task;
pub mod time;
pub mod watchdog;

#[doc(hidden)]
pub mod sim;

#[doc(hidden)]
pub use header::Headed;
pub use header::{Carried, Header, Label, TraceContext};
pub use node::{Node, NodeId, Slot, ready, stopping};
pub use panic::PanicReport;
#[doc(hidden)]
pub use panic::install_hook;
pub use run::{exit_code, run};
pub use task::{JoinError, JoinHandle, Scope, blocking, shield, spawn, yield_now};
pub use time::{DurationExt, Instant, Timestamp, interval, sleep, sleep_until, timeout};

#[doc(hidden)]
pub use macros::support;
