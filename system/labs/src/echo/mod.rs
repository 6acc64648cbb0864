//! The echo service: every byte comes back, once and in order, on each connection independently.
//!
//! A connection that is idle holds no buffer: bytes are read onto the stack and written at once;
//! only what the peer does not take yet is kept, at most [`BUFFER_MAX`] bytes, and while something
//! is kept nothing more is read. So a peer that does not read stops itself, and costs a bounded
//! amount of memory.
//!
//! [`main`] is the whole program; [`lab`] shows its nine points with figures.

mod handler;
pub mod lab;
mod parts;
mod service;

pub use handler::{BUFFER_MAX, handle};
pub use service::{Echo, EchoError, EchoSettings, main};
