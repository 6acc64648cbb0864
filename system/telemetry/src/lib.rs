//! Telemetry: what a system says about itself.
//!
//! ```
//! use simurgh_telemetry::{attach, event};
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! simurgh_runtime::run("doc", async {
//!     static BYTES: AtomicU64 = AtomicU64::new(0);
//!     attach("count-bytes", "net.connection", |event| {
//!         if let Some(bytes) = event.measurement("bytes") {
//!             BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
//!         }
//!     })
//!     .unwrap();
//!     event!("net.connection.stop", { bytes: 12 }, { reason: "eof" });
//!     assert_eq!(BYTES.load(Ordering::Relaxed), 12);
//! });
//! ```
//!
//! Events are built on the stack, and only if somebody listens. Handlers belong to
//! a node; a simulation's invariants see every event before them. [`context`] is what travels with
//! spawns and sends; [`logs`] is the subscriber for `tracing`.

#![forbid(unsafe_code)]

mod events;
mod parcel;
mod span;

pub mod context;
pub mod logs;

pub use events::{AttachError, HANDLERS_MAX, attach, detach, emit, handlers, is_heard};
pub use parcel::Parcel;
pub use simurgh_runtime::observe::{Event, Value};
pub use span::{SpanNames, span};
