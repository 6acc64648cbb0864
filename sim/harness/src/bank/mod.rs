//! The bank of failing seeds: what once failed is kept, and run again before anything else.
//!
//! ```text
//!   sim run, sim sweep ──> seeds/pending/<fingerprint>.toml      a failure that nobody expected, at once
//!            sim bank add ──> seeds/<scenario>/<fingerprint>.toml  the plan, what it came to, and its spot
//!         sim bank replay      does it still come to the old spot, and what happens there?
//!          sim bank close      mended: from now on it must come there and pass
//! ```
//!
//! A replay that no longer comes to the old spot is stale, not green ([`crate::Spot`]).

mod around;
mod build;
mod command;
mod entry;
mod keep;
mod pending;
mod replay;

pub(crate) use build::{Build, day, from_root, target};
#[cfg(test)]
pub(crate) use command::COMMANDS;
pub(crate) use command::{USAGE, command};
pub(crate) use keep::Bank;
pub(crate) use pending::{Pending, Running};
