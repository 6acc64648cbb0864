//! Publish and subscribe by topic, on one node and, through an adapter, on many.
//!
//! ```
//! use simurgh_pubsub::{Message, PubSub};
//!
//! simurgh_runtime::run("doc", async {
//!     let pubsub = PubSub::local("chat");
//!     let mut alice = pubsub.subscribe("room:lobby").unwrap();
//!     let mut bob = pubsub.subscribe("room:lobby").unwrap();
//!
//!     let message = Message::json("room:lobby", "new_msg", "hello").unwrap();
//!     pubsub.broadcast_from(alice.id(), message).unwrap(); // to all but Alice
//!
//!     assert_eq!(bob.recv().await.unwrap().deserialize::<String>().unwrap(), "hello");
//!     assert_eq!(alice.try_recv(), Ok(None));
//! });
//! ```
//!
//! A [`Message`] is one allocation that all share. It is written as JSON once, and in each form that a
//! wire wants once ([`Encoding`]). A [`PubSub`] finds the subscribers of its topic and hands it to each,
//! in the task of whoever publishes; nothing waits.
//!
//! # Who is slow
//!
//! A [`Subscription`] is read at its own pace: what waits for it has a bound, and a policy at the bound.
//!
//! ```
//! use simurgh_pubsub::{Message, Options, PubSub};
//!
//! # simurgh_runtime::run("doc", async {
//! let pubsub = PubSub::local("cursors");
//! let by_user = |message: &Message| message.event().parse().ok(); // one key for each user
//! let mut latest = pubsub.subscribe_opts("doc:7", Options::latest_per_key(64, by_user)).unwrap();
//! let mut strict = pubsub.subscribe_opts("doc:7", Options::close(2)).unwrap();
//!
//! for place in 1..=3 {
//!     pubsub.broadcast(Message::json("doc:7", "42", &place).unwrap()).unwrap();
//! }
//! assert_eq!(latest.recv().await.unwrap().deserialize::<u32>().unwrap(), 3);
//! assert_eq!((latest.counts().replaced, latest.counts().dropped), (2, 0));
//!
//! // Whoever must not miss any is told that it did: after what waited comes the error.
//! assert_eq!(strict.recv().await.unwrap().deserialize::<u32>().unwrap(), 1);
//! assert_eq!(strict.recv().await.unwrap().deserialize::<u32>().unwrap(), 2);
//! assert!(strict.recv().await.is_err());
//! # });
//! ```
//!
//! | [`Overflow`] | at the bound | who gets what |
//! | --- | --- | --- |
//! | `DropOldest` | the oldest makes room, and is counted | the latest, with a gap before |
//! | `LatestPerKey` | a key's earlier message is replaced at any time; if other keys fill it, as `DropOldest` | the latest of each key |
//! | `Close` | the subscription is closed | all up to then, and then [`Closed`] |
//!
//! What takes messages at once, such as a socket's outgoing queue, implements [`Subscriber`]; a server
//! gets them as messages of its own ([`PubSub::subscribe_server`]). A [`Dispatcher`] decides for each
//! subscriber of a topic, by what stands beside it ([`Tagged`]).
//!
//! # What is promised
//!
//! - Who is subscribed from before a broadcast until after it has the message, or counts it as dropped.
//! - Nobody has it twice. Messages of one sender on one topic come in their order; those of several
//!   senders may come to several subscribers in different orders.
//! - A broadcast takes no lock while it delivers. To subscribe and to unsubscribe costs the same for the
//!   first and for the 10,000th at a topic.
//! - Messages are not kept: who comes later, or whose node is cut off, does not get them. A broadcast to
//!   other nodes is at most once ([`Adapter`]); what failed is said in [`BroadcastError::Remote`], and
//!   this node's subscribers have it all the same.
//!
//! The invariants behind this are `pubsub.no_loss_while_connected`, `pubsub.no_duplicate`,
//! `pubsub.fifo_per_sender` and `pubsub.outbox_bounded`.
//!
//! # Other nodes
//!
//! An [`Adapter`] carries messages to other nodes, in a wire form with magic number and version
//! ([`Wire`]). Whoever writes one runs [`compliance`] in its tests. [`PubSub::local`] has one for a node
//! that is alone.
//!
//! # What can be seen
//!
//! [`PubSub::counts`], [`PubSub::topics`] and [`PubSub::links`] are for an operator's page. Events, when
//! somebody listens: `pubsub.subscribe` and `pubsub.unsubscribe` {`topic`, `subscriber`}; `pubsub.broadcast`
//! {`topic`, `event`} with how many took it (`taken`), lost a message (`dropped`) and had gone (`gone`);
//! `pubsub.subscriber_panicked`. Payloads are in none of them.

#![forbid(unsafe_code)]

pub mod compliance;

mod adapter;
mod dispatch;
mod encoding;
mod error;
mod limits;
mod message;
mod names;
mod outbox;
mod pubsub;
mod server;
mod subscriber;
mod subscription;
mod table;
mod topics;
mod wire;

pub use adapter::{Adapter, Inlet, LinkCounts, NodeName};
pub use dispatch::{Dispatched, Dispatcher, Entries, Recipient};
pub use encoding::Encoding;
pub use error::{
    AdapterError, BroadcastError, Closed, DecodeError, DispatcherError, EncodeError, NameError, SubscribeError,
};
pub use limits::Limits;
pub use message::{Message, Payload};
pub use outbox::{Key, Options, OutboxCounts, Overflow};
pub use pubsub::{Counts, PubSub, TopicInfo};
pub use subscriber::{Delivered, Registration, Subscriber, SubscriberId, Tagged};
pub use subscription::Subscription;
pub use wire::{Wire, WireError};
