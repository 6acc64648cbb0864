//! The studio: chat rooms with presence, and a page on what runs. What `cargo run` starts.
//!
//! ```text
//!   browser ══ channels ══> RoomChannel ── say ──> Room ── append, fsync ──> rooms/lobby.log
//!                               │                    │
//!                               └─ track ─> Presence └─ broadcast `new_msg`, once it is on disk
//! ```
//!
//! | where | what |
//! | --- | --- |
//! | [`settings`] | what can be set, by the environment or a file |
//! | [`names`] | what rooms, people and messages may be called and say |
//! | [`history`] | the last messages of a room, in a file that survives a power cut |
//! | [`room`], [`rooms`] | a process for each room that is in use, and who knows them all |
//! | [`channel`] | what the official client talks to |
//! | [`web`], [`pages`], [`node`] | the pages, their plugs, probes for balancers |
//! | [`browser`] | the official client's files: fetched in development, part of the program when shipped |
//! | [`app`] | start, serve, drain |

#![forbid(unsafe_code)]

pub mod app;
pub mod browser;
pub mod channel;
pub mod history;
pub mod names;
pub mod node;
pub mod pages;
pub mod pulse;
pub mod room;
pub mod rooms;
pub mod settings;
pub mod web;
