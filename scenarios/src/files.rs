//! What scenario files may name: subjects, workloads, invariants, probes, planted bugs.

use simurgh_harness::Registry;

/// All of it, and the simulations that are functions.
pub fn registry() -> Registry {
    let registry = Registry::new().simulations(crate::registry());
    let registry = crate::echo::file::register(crate::words::register(registry));
    crate::register::subject::register(crate::presence::file::register(registry))
}
