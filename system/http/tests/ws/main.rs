//! The WebSocket codec against its two RFCs, other implementations, and hostile peers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod compression;
mod frames;
mod hostile;
mod peers;
mod properties;
mod rules;
mod shared;
mod splits;
mod window;
