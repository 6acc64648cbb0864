//! The WebSocket: [`upgrade`] answers a request for one, [`connect`] opens one, and [`Socket`] is one. Below them is
//! [`Codec`], without a socket: bytes in, events out; messages in, bytes out.
//!
//! ```text
//!            input (yours)                                      events
//!  socket ──────────────────> Codec::feed ──> frames, mask, inflate, UTF-8 ──────────> application
//!                                  │ pong, echo of a close, close of a failure
//!            output                ▼                                                      │
//!  socket <──────────────── Codec::output <── headers, mask, deflate <── text, binary, send, shared
//! ```
//!
//! A loop around a socket reads what [`Codec::room`] says, calls [`Codec::feed`] until it has nothing to say, writes
//! [`Codec::output`] (a [`bytes::Buf`]: one vectored write takes all that is pending), and ends the connection once
//! [`Codec::is_closed`] holds and the output is written. An echo:
//!
//! ```
//! use std::io::{Read, Write};
//!
//! use bytes::{Buf, BytesMut};
//! use simurgh_http::ws::{Codec, Config, Event};
//!
//! fn echo(mut socket: impl Read + Write) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut codec = Codec::server(Config::default().shared(), None);
//!     let mut input = BytesMut::new();
//!     while !codec.is_closed() {
//!         let held = input.len();
//!         input.resize(held + codec.room(&input), 0);
//!         let read = socket.read(&mut input[held..])?;
//!         input.truncate(held + read);
//!         if read == 0 {
//!             break; // without a close frame: 1006
//!         }
//!         let outcome = loop {
//!             match codec.feed(&mut input) {
//!                 Ok(Some(Event::Message(message))) => codec.send(message)?,
//!                 Ok(Some(_)) => {} // pings and closes are answered
//!                 Ok(None) => break Ok(()),
//!                 Err(error) => break Err(error), // its close frame is in the output
//!             }
//!         };
//!         while codec.output().has_remaining() {
//!             let written = socket.write(codec.output().chunk())?;
//!             codec.output().advance(written);
//!         }
//!         outcome?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! - **Nothing is lost silently.** What a peer does against the protocol is a [`ProtocolError`] with a
//!   stable code; the close frame that tells the peer is already in the output.
//! - **Text is checked as it arrives**, across frames and reads: a wrong byte fails the connection at once
//!   (RFC 6455, 8.1), not at the end of its message.
//! - **Bounds** are one struct, [`Config`], shared by all connections of an endpoint. Inflation stops *at*
//!   the bound: what a bomb would have become is never allocated.
//! - **Encode once**: a [`Prepared`] message is framed once and compressed at most once; every
//!   connection sends the same bytes.
//! - **Idle is small.** A codec is under 200 bytes, and owns no buffer and no deflate state until the first
//!   byte that needs one.
//!
//! The opening handshake is [`handshake`], which needs nothing but `http`'s types; what it negotiates,
//! [`DeflateParams`], is what a codec is made with.

mod close;
mod codec;
mod config;
mod connect;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod extensions;
pub mod handshake;
mod header;
mod mask;
mod message;
mod options;
mod output;
mod prepared;
mod sha1;
mod socket;
mod spare;
mod upgrade;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use codec::Codec;
pub use config::Config;
pub use connect::{ConnectError, connect, connect_with};
pub use deflate::{DeflateParams, DeflatePolicy};
pub use error::{ProtocolError, SendError};
pub use message::{Event, Message, Text};
pub use options::Options;
pub use output::Output;
pub use prepared::Prepared;
pub use socket::{Socket, SocketError};
pub use upgrade::upgrade;
