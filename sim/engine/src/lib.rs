//! The simulator: whole systems, many nodes in one thread, under virtual time, network and
//! scheduling that are all drawn from one seed. A failing seed replays bit for bit.
//!
//! ```no_run
//! use simurgh_sim::{Kill, Sim};
//! use std::time::Duration;
//!
//! # async fn serve() {}
//! #[simurgh_sim::test(seeds = 200)]
//! async fn the_service_comes_back(sim: Sim) {
//!     let nodes = sim.nodes(3, serve).await?;
//!     sim.kill(&nodes[1], Kill::Power);
//!     nodes[1].restart();
//!     nodes[1].started().await?;
//! }
//! ```
//!
//! How the parts meet: a [`Profile`] says what a world may be like; a seed draws its physics from
//! it ([`Draws`]); the engine polls tasks by a strategy and moves virtual time from event to event;
//! the virtual network carries bytes between nodes; each node has a disk that loses what was not synced
//! when the power goes ([`DiskFaults`], [`Kill`]), a wall clock that is wrong ([`Clocks`]), and starts
//! processes that the test has registered ([`Sim::program`]); a trace hashes all that happens; [`Invariant`]s
//! watch. Runs happen in worker processes, also under plain `cargo test` ([`run_test`]); [`main`]
//! is the command line for a registry of simulations.

#![deny(unsafe_code)] // allowed in `interpose` and `prefetch`, with the reason there
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // the simulator stands beside the seam: it starts processes and reads the real clock

mod budgets;
mod chacha;
mod chaos;
mod children;
mod clock;
mod command;
mod core;
mod disk;
mod draws;
mod drive;
mod effects;
mod engine;
mod faults;
mod flags;
mod heap;
mod interpose;
mod invariant;
mod mutants;
mod net;
mod node;
mod physics;
mod prefetch;
mod ready;
mod registry;
mod run;
mod runner;
mod schedule;
mod sim;
mod tally;
mod tasks;
mod terminal;
mod trace;
mod verdict;
mod waiter;
mod waits;
mod watch;
mod worker;
mod world;

pub use command::main;
pub use disk::{DiskFaults, DiskLatency};
pub use draws::{Draws, Purpose, Stream};
pub use effects::{Effect, Effects};
pub use invariant::{Evidence, Invariant, Seen};
pub use net::flight::Stop;
pub use node::{Exit, Kill};
pub use physics::{
    Clocks, Datagrams, DiskPhysics, Disks, Faults, Latency, Lookups, Physics, Profile, Schedule, Strategies,
};
pub use registry::{Mutant, Mutants, Registry, Simulation};
pub use run::{Body, BodyFuture, Failure, Outcome, Report, RunConfig, run_once};
pub use runner::run_test;
pub use schedule::Decision;
pub use sim::{Ended, Node, Sim, elapsed};
pub use simurgh_runtime::observe::Value;
pub use simurgh_sim_macros::test;
pub use tally::Tally;
pub use trace::{Message, Moment, TraceEvent, Undelivered, first_difference};
pub use verdict::Verdict;
pub use worker::run_watched;

/// What the harness shares with the command line of the simulator.
#[doc(hidden)]
pub mod shared {
    pub use crate::command::called;
    pub use crate::runner::{Goal, Progress, all_cores, in_batches};
    pub use crate::terminal::{put, warn};
    pub use crate::worker::tail;
}

#[doc(hidden)]
pub use run::Words;
#[doc(hidden)]
pub use runner::doctest;
