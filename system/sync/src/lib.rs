//! Shared cells with no runtime inside: what processes pass to each other goes through these.
//!
//! ```
//! use simurgh_sync::mailbox::{Mailbox, Policy, Sent};
//! use simurgh_sync::port;
//!
//! let mailbox: Mailbox<&str, ()> = Mailbox::new(Policy::Fail, 2);
//! assert!(matches!(mailbox.try_send("hello", None), Ok(Sent::Queued)));
//!
//! let (answer, mut question) = port::pair::<u32>();
//! answer.send(42).unwrap();
//! assert_eq!(question.try_take(), Some(Ok(42)));
//! ```
//!
//! | cell | what it is |
//! | --- | --- |
//! | [`mailbox`] | a bounded queue of many senders and one receiver, with a policy at the bound and signals that have room always |
//! | [`port`] | one value from one side to the other, once: the way back of a call |
//! | [`shards`] | a map in parts, so that those who write to different keys seldom meet |
//!
//! Each is modelled under loom (`ci/loom`): every interleaving of a few threads within a bound, and
//! for every memory ordering stronger than relaxed a model that fails when it is weakened.

#![deny(unsafe_code)] // allowed in `port`, with the reason there
#![allow(clippy::disallowed_types)] // below the seam: locks and maps are the standard library's, or loom's

pub mod mailbox;
pub mod port;
pub mod shards;

mod atomics;
