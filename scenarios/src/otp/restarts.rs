//! Restarts: how often, after which delay, and that they come.
//!
//! Trees of every strategy whose children take their time to start and to stop, and crash alone and
//! together. Some crash more often than their supervisor bears, which then ends.

use simurgh::otp::{
    Backoff, ChildSpec, ChildState, Context, Flow, InitError, Server, Strategy, Supervisor, SupervisorRef,
};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules, watch_tree};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const RESTARTS: u32 = 3;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "children that crash alone and together: intensity, back-off, and each is up again";
    let simulation = Simulation::new("otp/restarts", about, restarts).profile(schedules());
    let simulation = simulation.planted(&["supervisor.exit-lost-to-preemption"]);
    registry.with(simulation.planted_plainly(&[
        "supervisor.double-start",
        "supervisor.intensity-off-by-one",
        "supervisor.lost-restart",
        "supervisor.order-not-reversed",
        "supervisor.delay-cut-short",
        "otp.orphans-live",
    ]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a tree that lives is not whole in the end, or something of a tree is left.
pub async fn restarts(sim: Sim) -> Outcome {
    watch_tree(sim);
    on_a_node(sim, || async {
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            tree(strategy).await.map_err(|why| format!("{strategy:?}: {why}"))?;
            nothing_left()?;
        }
        Ok::<(), String>(())
    })
    .await
}

async fn tree(strategy: Strategy) -> Result<(), String> {
    let backoff = Backoff { first: 20.millis(), max: 500.millis(), reset_after: 1.secs(), ..Backoff::default() };
    let mut tree = Supervisor::new(strategy).intensity(RESTARTS, 100.millis());
    for name in NAMES {
        let child = ChildSpec::server(|| Slow);
        tree = tree.child(name, if name == "b" { child.backoff(backoff) } else { child });
    }
    let root = tree.start("root").await.map_err(|error| error.to_string())?;
    for _ in 0..8 {
        // Mostly what is borne, now and then more.
        let victims = random::range(1..4);
        for _ in 0..victims {
            crash(&root, NAMES[random::range(0..4) as usize]).await;
            sleep(random::range(0..4_000).micros()).await;
        }
        sleep(random::range(0..300).millis()).await;
    }
    for _ in 0..5 {
        sleep(10.secs()).await;
        event!("tree.census");
    }
    if root.reason().is_none() {
        let children = root.which_children().await.map_err(|error| error.to_string())?;
        if let Some(down) = children.iter().find(|child| child.state != ChildState::Running) {
            return Err(format!("{} is not up again: {:?}", down.id, down.state));
        }
        if random::chance(0.3) {
            otp::kill(root.pid());
            root.monitor().await;
        }
    }
    root.stop(60.secs()).await;
    Ok(())
}

/// Crashes a child, if it is there.
async fn crash(root: &SupervisorRef, name: &str) {
    let Ok(children) = root.which_children().await else { return };
    let Some(pid) = children.into_iter().find(|child| &*child.id == name).and_then(|child| child.pid) else { return };
    if random::chance(0.5) {
        otp::kill(pid);
    } else {
        otp::exit(pid, ExitReason::error("as planned"));
    }
}

/// Takes its time to start and to stop.
struct Slow;

impl Server for Slow {
    type Message = ();

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        sleep(random::range(0..3_000).micros()).await;
        event!("tree.prompt", {}, { process: cx.pid().number() });
        Ok(())
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        sleep(random::range(0..3_000).micros()).await;
    }
}
