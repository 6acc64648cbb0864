//! The process layer under bad schedules: links, restarts, calls, mailboxes, timers, boot and stop,
//! names, applications, dynamic supervisors.
//!
//! There are no network or machine faults here: a node's processes share its fate. What is drawn from
//! the seed is the schedule, where each process is interrupted, and who is killed when.

pub mod application;
pub mod boot;
pub mod calls;
mod cycle;
pub mod dynamic;
pub mod links;
pub mod mailboxes;
pub mod monitors;
pub mod registry;
pub mod restarts;
pub mod timers;
pub mod tree;

use std::future::Future;

use simurgh::prelude::*;
use simurgh_invariants::{
    IntensityRespected, NoDoubleStart, NoOrphans, SupervisorOrder, SupervisorRestarts, SupervisorStopBounded,
    TimerNeverEarly,
};
use simurgh_sim::{Ended, Exit, Outcome, Profile, Registry, Sim};

/// Adds the simulations of the process layer.
pub(crate) fn register(registry: Registry) -> Registry {
    let registry = links::register(monitors::register(registry));
    let registry = calls::register(restarts::register(registry));
    let registry = timers::register(mailboxes::register(registry));
    let registry = dynamic::register(application::register(registry::register(registry)));
    cycle::register(tree::register(boot::register(registry)))
}

/// Every schedule, no faults of machines.
pub(crate) fn schedules() -> Profile {
    Profile::nasty().without_faults()
}

/// What must hold of every tree.
fn watch_tree(sim: Sim) {
    sim.watch(NoOrphans::default());
    sim.watch(NoDoubleStart::default());
    sim.watch(IntensityRespected::default());
    sim.watch(SupervisorOrder::default());
    sim.watch(SupervisorRestarts::default());
    sim.watch(SupervisorStopBounded::default());
    sim.watch(TimerNeverEarly::default());
}

/// Runs a program on one node, to its end.
pub(crate) async fn on_a_node<F, T>(sim: Sim, program: impl Fn() -> F + 'static) -> Outcome
where
    F: Future<Output = T> + Send + 'static,
    T: Ended + 'static,
{
    let node = sim.node("node", program);
    match timeout((24 * 60).mins(), node.ended()).await {
        Ok(Exit::Finished) => Ok(()),
        Ok(Exit::Failed(why)) => Err(why.into()),
        other => Err(format!("the node did not finish: {other:?}").into()),
    }
}

/// Nothing is left of what a program started.
pub(crate) fn nothing_left() -> Result<(), String> {
    match otp::list().as_slice() {
        [] => Ok(()),
        left => Err(format!("{} processes are left, the first is {} ({})", left.len(), left[0].pid, left[0].label)),
    }
}
