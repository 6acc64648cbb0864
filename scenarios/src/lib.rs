//! The simulations of this repository, by name. `cargo sim list` shows them.

#![deny(unsafe_code)] // allowed in `determinism`: a raw system call, which is the planted fault

pub mod channels;
pub mod children;
pub mod clocks;
mod determinism;
pub mod disk;
pub mod echo;
pub mod files;
pub mod http;
mod mutants;
pub mod otp;
pub mod presence;
pub mod pubsub;
pub mod register;
pub mod sessions;
mod stuck;
pub mod studio;
mod words;

use simurgh_sim::Registry;

/// All simulations.
pub fn registry() -> Registry {
    let registry = http::register(echo::register(otp::register(Registry::new())));
    let registry = children::register(channels::register(registry));
    let registry = presence::register(sessions::register(pubsub::register(registry)));
    let registry = register::register(registry);
    let registry = disk::register(clocks::register(stuck::register(determinism::register(registry))));
    mutants::register(studio::register(registry))
}
