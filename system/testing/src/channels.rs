//! Clients of channels.
//!
//! ```
//! use serde_json::json;
//! use simurgh_channels::prelude::*;
//! use simurgh_pubsub::PubSub;
//! use simurgh_test::channels::TestSocket;
//! # struct User;
//! # impl UserSocket for User {
//! #     async fn connect(_: Params, _: &ConnectInfo) -> Result<Self, Refused> { Ok(User) }
//! #     fn channels() -> Channels { Channels::new().channel::<Room>("room:*") }
//! # }
//! # struct Room;
//! # impl Channel for Room {
//! #     type Info = ();
//! #     async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> { Ok(Room.into()) }
//! #     async fn handle_in(&mut self, _: &str, payload: Payload, socket: &mut Socket) -> Handled {
//! #         socket.broadcast("new_msg", &payload).await?;
//! #         Handled::reply(&json!({}))
//! #     }
//! # }
//!
//! # simurgh_runtime::run("doc", async {
//! let sockets = Sockets::<User>::new(PubSub::local("chat"), SocketOptions::default());
//! let mut alice = TestSocket::in_memory(&sockets, "name=alice").await.unwrap();
//! let mut bob = TestSocket::in_memory(&sockets, "name=bob").await.unwrap();
//! alice.join("room:lobby", json!({})).await.assert_ok();
//! bob.join("room:lobby", json!({})).await.assert_ok();
//!
//! let sent = alice.push("room:lobby", "new_msg", json!({"body": "hi"})).await;
//! alice.assert_reply(&sent, "ok", json!({})).await;
//! bob.assert_broadcast("room:lobby", "new_msg", json!({"body": "hi"})).await;
//! # });
//! ```
//!
//! [`TestSocket`] says and hears frame by frame; [`PhoenixClient`] is a process that does what the official client
//! does by itself: heartbeats, reconnects, rejoins. Both go over real sockets and in the simulator.

mod client;
mod frame;
mod socket;

pub use client::{PhoenixClient, PhoenixOptions, PushError, RECONNECT_MS, REJOIN_MS, State, TestChannel};
pub use frame::{Event, Response};
pub use socket::{Reference, TestSocket};
