//! HTTP: bodies, and [`ws`], the WebSocket codec: RFC 6455 with permessage-deflate (RFC 7692), for both
//! roles, as a state machine without a socket, a clock or a runtime.
//!
//! ```
//! use bytes::{BufMut, BytesMut};
//! use simurgh_http::ws::{Codec, Config, Event, Message};
//!
//! let config = Config::default().shared();
//! let mut server = Codec::server(config.clone(), None);
//! let mut client = Codec::client(config, None, || [1, 2, 3, 4]); // in production: drawn from the system
//!
//! client.text("hello")?;
//! let mut wire = BytesMut::new();
//! wire.put(client.output());
//!
//! let Some(Event::Message(Message::Text(text))) = server.feed(&mut wire)? else { panic!("a whole message") };
//! assert_eq!(text.as_str(), "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod body;
mod service;

pub mod ws;

pub use body::{Body, BodyError, Chunks};
pub use service::{Client, Service};

/// A request.
pub type Request = http::Request<Body>;

/// A response.
pub type Response = http::Response<Body>;
