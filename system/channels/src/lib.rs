//! Channels: topics that browsers join, over one socket for each client.
//!
//! The protocol is that of Phoenix, whose JavaScript client (npm `phoenix`) speaks to it as it is.
//!
//! ```
//! use simurgh_channels::prelude::*;
//! use simurgh_pubsub::PubSub;
//!
//! struct User;
//!
//! impl UserSocket for User {
//!     async fn connect(_params: Params, _info: &ConnectInfo) -> Result<Self, Refused> {
//!         Ok(User)
//!     }
//!
//!     fn channels() -> Channels {
//!         Channels::new().channel::<Room>("room:*")
//!     }
//! }
//!
//! struct Room;
//!
//! impl Channel for Room {
//!     type Info = ();
//!
//!     async fn join(_topic: &Topic, _params: Payload, _socket: &mut Socket) -> Joined<Self> {
//!         Ok(Room.into())
//!     }
//!
//!     async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
//!         match event {
//!             "new_msg" => {
//!                 socket.broadcast("new_msg", &payload).await?;
//!                 Handled::noreply()
//!             }
//!             _ => Handled::unknown(),
//!         }
//!     }
//! }
//!
//! # simurgh_runtime::run("doc", async {
//! let sockets = Sockets::<User>::new(PubSub::local("chat"), SocketOptions::default());
//! // in the router: socket "/socket" => sockets();
//! # });
//! ```
//!
//! How the parts meet:
//!
//! ```text
//!   client <══ WebSocket or long-poll ══> the connection's process ── messages ──> a process for each channel
//!                                              ^                                        │
//!                                              └──── outbox, bounded <── pushes, replies┘
//!                                                        ^
//!            pubsub ── broadcasts, encoded once ─────────┘   (past the channels' processes)
//! ```
//!
//! One socket's messages are handled in the order in which they came; a join is done before the next message is
//! looked at. A channel that fails ends alone: its client is told, and joins anew.
//!
//! Who is in a topic, on all nodes, is [`presence`].

#![forbid(unsafe_code)]

mod budget;
mod channel;
mod connected;
mod filter;
mod frame;
mod long_poll;
mod mount;
mod options;
mod origin;
mod outbox;
mod params;
mod payload;
mod process;
mod resume;
mod session;
mod shared;
mod socket;
mod topic;
mod user_socket;
mod websocket;

pub mod presence;

pub use budget::{Budget, Rate};
pub use channel::{Accepted, Answers, Channel, Ending, Fault, Handled, Joined, Outcome, Rejected};
pub use frame::{DecodeError, EncodeError, Frame, Incoming, REF_LEN_MAX, Ref, TOPIC_LEN_MAX, UnsupportedVsn, Vsn};
pub use mount::{SocketCounts, Sockets};
pub use options::{DrainOptions, LongPollOptions, SocketOptions};
pub use origin::{CheckOrigin, OriginPattern};
pub use outbox::{OutboxOptions, Overflow};
pub use params::Params;
pub use payload::{Payload, PayloadError, ToPayload};
pub use process::Sender;
pub use resume::ResumeOptions;
pub use socket::{PublishError, ReplyRef, Socket};
pub use topic::Topic;
pub use user_socket::{Channels, ConnectInfo, Refused, UserSocket};

/// What most files with channels want.
pub mod prelude {
    pub use crate::{
        Accepted, Answers, Channel, Channels, ConnectInfo, Handled, Joined, Params, Payload, Refused, Rejected, Socket,
        SocketOptions, Sockets, Topic, UserSocket,
    };
}
