//! Applications of a few stages and hooks, one of which may fail, panic or hang, and a signal to stop
//! that comes when it likes, also in the middle of the boot.

use simurgh::otp::{Application, ChildSpec, Context, Flow, InitError, Outcome as End, Server, Supervisor};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::ApplicationOrder;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules, watch_tree};

/// The limit of each step.
const LIMIT_MS: u64 = 300;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "stages and hooks that come up in order, one of which goes wrong, or a signal that comes meanwhile";
    let simulation = Simulation::new("otp/application", about, application).profile(schedules());
    registry.with(simulation.planted_plainly(&["application.stops-in-order", "application.forgets-stage"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If it does not come out as planned, or something is left.
pub async fn application(sim: Sim) -> Outcome {
    sim.watch(ApplicationOrder::default());
    watch_tree(sim);
    on_a_node(sim, || async {
        for _ in 0..8 {
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
    Fails,
    Panics,
    HangsAtStart,
    HangsAtStop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Tree,
    Hook,
}

async fn once() -> Result<(), String> {
    let how = [How::Well, How::Fails, How::Panics, How::HangsAtStart, How::HangsAtStop][random::range(0..5) as usize];
    let steps = random::range(3..7);
    let bad = random::range(0..steps);
    let mut bad_kind = Kind::Server;
    let mut application = Application::new("shop");
    for place in 0..steps {
        let kind = [Kind::Server, Kind::Server, Kind::Tree, Kind::Hook][random::range(0..4) as usize];
        let (name, limit) = (format!("step {place}"), LIMIT_MS.millis());
        let how = if place == bad { how } else { How::Well };
        if place == bad {
            bad_kind = kind;
        }
        event!("application.step", { limit_ns: limit.as_nanos() }, { stage: &*name, hook: kind == Kind::Hook });
        application = match kind {
            Kind::Server => application.stage(&name, limit, ChildSpec::server(move || Part(how))),
            Kind::Tree => {
                let tree = Supervisor::one_for_one().child("first", || Part(How::Well));
                application.stage(&name, limit, tree.child("second", move || Part(how)))
            }
            Kind::Hook => application.hook_within(&name, limit, move || hook(how)),
        };
    }
    let early = random::chance(0.4);
    // A boot takes 6 ms or less, if nobody hangs.
    let after = if early { random::range(0..8_000).micros() } else { 10.secs() };
    let outcome = application
        .run_until(async {
            sleep(after).await;
            event!("application.signal");
        })
        .await;
    event!("application.outcome", {}, { code: u64::from(outcome.code()) });
    if early {
        return Ok(()); // what came first is what the checker knows
    }
    let as_planned = match (how, &outcome) {
        (How::Fails | How::Panics | How::HangsAtStart, End::BootFailed(failure)) => {
            *failure.stage == *format!("step {bad}")
        }
        (How::Fails | How::Panics | How::HangsAtStart, _) => false,
        (How::HangsAtStop, end) if bad_kind != Kind::Hook => end.code() == 5,
        (How::HangsAtStop | How::Well, end) => end.code() == 0,
    };
    if as_planned { Ok(()) } else { Err(format!("{how:?} at step {bad}, {bad_kind:?}: {outcome:?}")) }
}

async fn hook(how: How) -> Result<(), String> {
    sleep(random::range(0..1_000).micros()).await;
    match how {
        How::Fails => Err("as planned".to_owned()),
        How::Panics => panic!("as planned"),
        How::HangsAtStart => std::future::pending().await,
        How::HangsAtStop | How::Well => Ok(()),
    }
}

struct Part(How);

impl Server for Part {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        Ok(hook(self.0).await?)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if self.0 == How::HangsAtStop {
            std::future::pending::<()>().await;
        }
        sleep(random::range(0..1_000).micros()).await;
    }
}
