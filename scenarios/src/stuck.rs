//! A poll that never returns: nothing inside a process can end it, so the watchdog must.

use simurgh::prelude::*;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "a task that never awaits, found by the real-time watchdog";
    registry.with(Simulation::new("verdict/stuck-poll", about, stuck).expect("stuck-poll"))
}

async fn stuck(sim: Sim) -> Outcome {
    let node = sim.node("service", || async {
        let spinner = runtime::task::Builder::new().label("spinner").spawn(async {
            loop {
                std::hint::spin_loop();
            }
        });
        let _ = spinner.await;
    });
    node.ended().await;
    Ok(())
}
