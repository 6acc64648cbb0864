//! The server, on real sockets.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod answers;
mod drain;
mod hostile;
mod lives;
mod shared;
mod slow;
mod sockets;
mod upgrade;
