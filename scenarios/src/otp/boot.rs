//! Boot and stop in stages, of which one may fail or hang.
//!
//! A root of stages, each a supervisor of a few children. In most seeds one child fails or hangs in
//! its init, or hangs in its terminate: then the boot is rolled back in reverse order, and the stop
//! takes no longer than the limits allow.

use simurgh::otp::{ChildSpec, Context, Flow, InitError, Server, Shutdown, Supervisor};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules, watch_tree};

const STAGES: u64 = 3;
const CHILDREN: u64 = 3;
/// The limit of each child's start, and of its stop, in seconds.
const LIMIT_S: u64 = 1;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "stages that come up in order, one of which fails or hangs at start or at stop: rolled back, bounded";
    let simulation = Simulation::new("otp/boot", about, boot).profile(schedules());
    registry.with(simulation.planted_plainly(&[
        "supervisor.forgets-rollback",
        "supervisor.order-not-reversed",
        "otp.shutdown-ignored",
    ]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a boot that should fail does not, or the other way round, or something takes longer than it may.
pub async fn boot(sim: Sim) -> Outcome {
    watch_tree(sim);
    on_a_node(sim, || async {
        for _ in 0..6 {
            once().await?;
            nothing_left()?;
        }
        Ok::<(), String>(())
    })
    .await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Well,
    FailsToStart,
    PanicsAtStart,
    HangsAtStart,
    HangsAtStop,
}

async fn once() -> Result<(), String> {
    let how = [How::Well, How::FailsToStart, How::PanicsAtStart, How::HangsAtStart, How::HangsAtStop]
        [random::range(0..5) as usize];
    let bad = (random::range(0..STAGES), random::range(0..CHILDREN));
    let mut root = Supervisor::one_for_one();
    for stage in 0..STAGES {
        let mut tree = Supervisor::one_for_one();
        for child in 0..CHILDREN {
            let how = if bad == (stage, child) { how } else { How::Well };
            let spec = ChildSpec::server(move || Part(how));
            let spec = spec.start_timeout(LIMIT_S.secs()).shutdown(Shutdown::Timed(LIMIT_S.secs()));
            tree = tree.child(&format!("part {child}"), spec);
        }
        root = root.child(&format!("stage {stage}"), tree);
    }
    let began = Instant::now();
    let started = root.start("root").await;
    let comes_up = matches!(how, How::Well | How::HangsAtStop);
    // All others are quick; the slack is theirs.
    let bound = LIMIT_S.secs() + 100.millis();
    let root = match started {
        Ok(root) if comes_up => root,
        Ok(_) => return Err(format!("{how:?}: it came up")),
        Err(error) if comes_up => return Err(format!("{how:?}: {error}")),
        Err(_) if began.elapsed() > bound => {
            return Err(format!("{how:?}: rolled back after {:?}", began.elapsed()));
        }
        Err(_) => return Ok(()),
    };
    sleep(random::range(0..50).millis()).await;
    let began = Instant::now();
    let reason = root.stop(60.secs()).await;
    if reason != ExitReason::Normal || began.elapsed() > bound {
        return Err(format!("{how:?}: it ended with {reason} after {:?}", began.elapsed()));
    }
    Ok(())
}

struct Part(How);

impl Server for Part {
    type Message = ();

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        sleep(random::range(0..2_000).micros()).await;
        match self.0 {
            How::FailsToStart => return Err("as planned".into()),
            How::PanicsAtStart => panic!("as planned"),
            How::HangsAtStart => std::future::pending().await,
            How::HangsAtStop => {}
            How::Well => event!("tree.prompt", {}, { process: cx.pid().number() }),
        }
        Ok(())
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if self.0 == How::HangsAtStop {
            std::future::pending::<()>().await;
        }
        sleep(random::range(0..2_000).micros()).await;
    }
}
