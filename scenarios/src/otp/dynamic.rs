//! A dynamic supervisor with little room, and many who want children of it at the same time.
//!
//! Starters start children of every kind and stop some; children end by themselves and are killed, and
//! so are starters in the middle of a start, and now and then the supervisor, which is then started
//! anew, or is stopped and started by an operator. In the end there is room for as many as ever.

use simurgh::otp::{
    ChildSpec, Children, Context, DynamicError, DynamicSupervisor, ExitReason, Flow, InitError, Server, Shutdown,
    Spawn, Supervisor, SupervisorRef,
};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::{
    DynamicLimitKept, IntensityRespected, NoDoubleStart, NoOrphans, SupervisorStopBounded, TimerNeverEarly,
};
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules};

const LIMIT: usize = 4;
const STARTERS: u64 = 10;

pub(crate) fn register(registry: Registry) -> Registry {
    let about =
        "many who start children of a supervisor with little room, which is killed too: never more than its limit";
    let simulation = Simulation::new("otp/dynamic", about, dynamic).profile(schedules());
    registry.with(simulation.planted_plainly(&["dynamic.limit-check-then-act"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If room is lost or won, or something is left.
pub async fn dynamic(sim: Sim) -> Outcome {
    sim.watch(DynamicLimitKept::default());
    // Not the order: it stops its children all at once.
    sim.watch(NoOrphans::default());
    sim.watch(NoDoubleStart::default());
    sim.watch(IntensityRespected::default());
    sim.watch(SupervisorStopBounded::default());
    sim.watch(TimerNeverEarly::default());
    on_a_node(sim, program).await
}

async fn program() -> Result<(), String> {
    event!("dynamic.limit", { limit: LIMIT }, { child: "sessions" });
    let sessions = DynamicSupervisor::limit(LIMIT).intensity(100_000, 1.secs());
    let sessions = sessions.shutdown(Shutdown::Timed(20.millis()));
    let children = sessions.handle();
    let root = Supervisor::one_for_one().intensity(100_000, 1.secs()).child("sessions", sessions);
    let root = root.start("root").await.map_err(|error| error.to_string())?;
    let (mut pids, mut ends) = (Vec::new(), Vec::new());
    for number in 0..STARTERS {
        let pid = Spawn::new(("starter", number)).supervised().spawn(starts(children.clone()));
        pids.push(pid);
        ends.push(otp::monitor(pid));
    }
    for _ in 0..40 {
        sleep(random::range(0..2_000).micros()).await;
        match random::range(0..20) {
            0 => otp::kill(pids[random::range(0..STARTERS) as usize]),
            1 => children.supervisor_ref().into_iter().for_each(|supervisor| otp::kill(supervisor.pid())),
            2 => restart(&root).await,
            _ => any(&children).into_iter().for_each(otp::kill),
        }
        if children.count() > LIMIT {
            return Err(format!("{} children are counted", children.count()));
        }
    }
    for end in ends {
        end.await;
    }
    sleep(1.secs()).await;
    room_for_all(&children).await?;
    if random::chance(0.5) {
        children.supervisor_ref().into_iter().for_each(|supervisor| otp::kill(supervisor.pid()));
    }
    root.stop(60.secs()).await;
    match children.count() {
        0 => nothing_left(),
        count => Err(format!("{count} children are counted of a supervisor that is gone")),
    }
}

/// An operator stops the supervisor and starts it again.
async fn restart(root: &SupervisorRef) {
    let _ = root.terminate_child("sessions").await;
    sleep(random::range(0..1_000).micros()).await;
    let _ = root.restart_child("sessions").await;
}

/// When all children are stopped, there is room for as many as the limit says, and not for one more.
async fn room_for_all(children: &Children) -> Result<(), String> {
    while let Some(pid) = any(children) {
        let _ = children.terminate_child(pid).await;
    }
    sleep(1.secs()).await;
    for number in 0..LIMIT {
        let started = children.spawn("late", std::future::pending::<()>());
        started.map_err(|error| format!("no room for late child {number}: {error}"))?;
    }
    match children.spawn("one too many", std::future::pending::<()>()) {
        Err(DynamicError::MaxChildren { .. }) => Ok(()),
        other => Err(format!("one too many: {other:?}")),
    }
}

fn any(children: &Children) -> Option<Pid> {
    let list = children.list();
    list.get(random::range(0..list.len().max(1) as u64) as usize).map(|child| child.pid)
}

/// Starts children of every kind.
async fn starts(children: Children) {
    for _ in 0..12 {
        let session = Session { hangs: random::chance(0.05) };
        match random::range(0..8) {
            0 => drop(children.spawn("job", job())),
            1 | 2 => drop(children.start("session", session).await),
            3 => drop(children.start_soon("session", session)),
            4 => drop(children.start_child("kept", ChildSpec::task(job).temporary()).await),
            5 => drop(children.start_child("kept", || Session { hangs: false }).await),
            _ => {
                if let Some(pid) = any(&children) {
                    let _ = children.terminate_child(pid).await;
                }
            }
        }
        sleep(random::range(0..2_000).micros()).await;
    }
}

async fn job() -> ExitReason {
    sleep(random::range(0..10_000).micros()).await;
    match random::range(0..4) {
        0 => ExitReason::Normal,
        1 => ExitReason::error("as planned"),
        2 => panic!("as planned"),
        _ => std::future::pending().await,
    }
}

struct Session {
    /// Does not stop when it is asked.
    hangs: bool,
}

impl Server for Session {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        sleep(random::range(0..2_000).micros()).await;
        if random::chance(0.1) { Err("as planned".into()) } else { Ok(()) }
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        sleep(random::range(0..1_000).micros()).await;
    }
}
