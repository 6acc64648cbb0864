//! Presence: who is where, on all nodes, without a database and without anybody in charge.
//!
//! ```
//! use simurgh_channels::presence::{Presence, PresenceClient};
//! use simurgh_otp::{self as otp, Supervisor};
//! use simurgh_pubsub::PubSub;
//! # use simurgh_runtime::DurationExt;
//!
//! simurgh_runtime::run("doc", async {
//!     let pubsub = PubSub::local("chat");
//!     let presence = Presence::new(pubsub.clone());
//!     let root = Supervisor::one_for_one().child("presence", presence.supervisor()).start("root").await.unwrap();
//!
//!     // A channel of Alice's: it subscribes, tracks itself, and pushes the state.
//!     let mut diffs = pubsub.subscribe("room:lobby").unwrap();
//!     let alice = otp::spawn("alice", std::future::pending::<()>());
//!     presence.track(alice, "room:lobby", "alice", &serde_json::json!({"status": "here"})).unwrap();
//!     let state = serde_json::to_value(presence.state("room:lobby").await).unwrap();
//!
//!     // Her client: a state, and then diffs.
//!     let mut client = PresenceClient::default();
//!     client.joined();
//!     client.state(&state);
//!     client.diff(&diffs.recv().await.unwrap().deserialize().unwrap());
//!     assert_eq!(client.keys().collect::<Vec<_>>(), ["alice"]);
//!
//!     otp::kill(alice);
//!     client.diff(&diffs.recv().await.unwrap().deserialize().unwrap());
//!     assert_eq!(client.keys().count(), 0);
//!     root.stop(5.secs()).await;
//! });
//! ```
//!
//! How the parts meet:
//!
//! ```text
//!   track, update, untrack          list, get_by_key, state
//!            │                              ▲
//!            ▼                              │
//!   Presence: shards by topic, each a lock around a Tracker ──> changes ──> fetch hook ──> Broadcast: presence_diff
//!            ▲                              │                                 to the subscribers of this node
//!   a worker for each shard: ends of        │ messages
//!   processes, ticks                        ▼
//!                                         Link ──> other nodes, which tell their own subscribers
//! ```
//!
//! The [`Tracker`] is the replicated set, without clock, network or tasks; [`Message`] is what its replicas tell each
//! other, with a form in bytes. [`Presence`] is what an application uses. [`PresenceClient`] is the client's side, for
//! tests.
//!
//! # What is promised
//!
//! | when | what is seen |
//! | --- | --- |
//! | a process is tracked, updated, untracked | here at once; on other nodes within 1.7 s and the network's time |
//! | a process ends, however | here as soon as its shard's worker runs; elsewhere as above |
//! | a node ends in order | its presences are gone at once |
//! | a node dies, or is cut off | its presences are hidden after 30 s of silence, and forgotten after 20 min |
//! | it is heard again within 20 min, in the same life | they are shown again, with what changed meanwhile |
//! | it starts again | it is another replica; what its former life had is gone with the first word of the new one |
//! | messages are lost, doubled, late | what is missed is asked for within two ticks; nothing is shown twice |
//! | a message of a dead node comes late | what it had may be shown again, for 30 s at most |
//! | nodes are split | each side sees its own after 30 s; when they meet, all is as if they had not been |
//!
//! It is eventual: two nodes may see different lists for a while. It is for showing who is there, not for counting what
//! costs money, nor for electing anybody.
//!
//! # Clients
//!
//! What they get is the protocol of npm `phoenix`: a `presence_state` after each join, a `presence_diff` for each change.
//! Keys are any text; `__proto__` is one like others. Each meta has a `phx_ref`, an updated one also `phx_ref_prev`, and
//! the application cannot set either.
//!
//! | `Phoenix.Presence` | here |
//! | --- | --- |
//! | `use Phoenix.Presence`, in the supervision tree | [`Presence::new`], [`Presence::supervisor`] |
//! | `track/3` of a socket | [`Presence::track_self`], in the channel's process |
//! | `track/4`, `update/4`, `untrack/3` of a pid | [`Presence::track`], [`Presence::update`], [`Presence::untrack`] |
//! | `list/1`, `get_by_key/2` | [`Presence::state`] with the hook, [`Presence::list`] and [`Presence::get_by_key`] without |
//! | `fetch/2` | [`PresenceBuilder::fetch`], for all keys of a list or a diff at once |
//! | `handle_metas/4`, a dispatcher | a [`Broadcast`] of one's own |
//! | `pool_size`, `broadcast_period`, `down_period`, ... | [`PresenceOptions`], [`TrackerOptions`] |
//! | `graceful_permdown/1` | what the supervisor's end does |

mod client;
mod delta;
mod dots;
mod hooks;
mod item;
mod meta;
mod options;
mod replica;
mod shard;
mod shell;
mod tracker;
mod view;
mod wire;
mod worker;

pub use client::PresenceClient;
pub use delta::{Clocks, Delta, Message, Part};
pub use dots::Dots;
pub use hooks::{Broadcast, Link};
pub use item::{Change, Item};
pub use meta::{Meta, MetaError, Ref};
pub use options::PresenceOptions;
pub use replica::{ReplicaId, Version};
pub use shell::{Presence, PresenceBuilder, ReceiveError};
pub use tracker::{Action, Effects, TrackError, Tracker, TrackerOptions};
pub use view::{Diff, Extras, Presences};
pub use wire::{DecodeError, MESSAGE_LEN_MAX};

#[cfg(test)]
fn tracker_for_tests(name: &str) -> Tracker {
    let id = ReplicaId::new(name, Version { started_us: 1, unique: 1 });
    Tracker::new(id, TrackerOptions::default(), std::time::Duration::ZERO, 0)
}
