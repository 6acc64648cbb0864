//! Protocols of the web, as state machines without a socket, a clock or a runtime.
//!
//! What is here is [`ws`], the WebSocket codec: RFC 6455 with permessage-deflate (RFC 7692), for both
//! roles.
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

pub mod ws;
