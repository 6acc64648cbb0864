//! The protocol over real sockets, with a client that speaks it frame by frame.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod app;
mod ends;
mod handshake;
mod limits;
mod long_poll;
mod messages;
mod process;
mod resume;
