//! The simulations of this repository, by name. `cargo sim list` shows them.

#![forbid(unsafe_code)]

pub mod echo;

use simurgh_sim::Registry;

/// All simulations.
pub fn registry() -> Registry {
    echo::register(Registry::new())
}
