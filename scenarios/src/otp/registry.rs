//! Names: who has which, while owners come and go in every way.
//!
//! Keepers are children of a supervisor, each with a name and a room, and have both again in each
//! life. Clerks take, look up and give back names of a few, and end as they like; some are given a
//! room by somebody else, also when they are about to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simurgh::otp::{
    Context, ExitReason, Flow, InitError, RegisterError, Registry as Names, Server, Spawn, Start, Supervisor,
};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::RegistryOneOwner;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules, watch_tree};

const KEEPERS: [&str; 4] = ["keeper a", "keeper b", "keeper c", "keeper d"];
const DESKS: [&str; 3] = ["desk a", "desk b", "desk c"];
const CLERKS: u64 = 12;
/// Rooms that no keeper has.
const ROOMS: std::ops::Range<u64> = 100..103;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "names taken, looked up, given back and inherited, by processes that end in every way: one owner each";
    let simulation = Simulation::new("otp/registry", about, names).profile(schedules());
    registry.with(simulation.planted_plainly(&["registry.stale-name", "registry.two-owners"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a name is left, or points at the dead.
pub async fn names(sim: Sim) -> Outcome {
    sim.watch(RegistryOneOwner::default());
    watch_tree(sim);
    on_a_node(sim, program).await
}

async fn program() -> Result<(), String> {
    let rooms: Names<u64, u64> = Names::unique("rooms");
    let booted = Arc::new(AtomicBool::new(false));
    let mut tree = Supervisor::one_for_one().intensity(100_000, 1.secs());
    for (number, name) in (0..).zip(KEEPERS) {
        event!("name.child", {}, { child: name });
        let (rooms, booted) = (rooms.clone(), Arc::clone(&booted));
        tree = tree.child(name, move || {
            let keeper = Keeper { name, booted: Arc::clone(&booted) };
            Start::new("keeper", keeper).name(name).register(&rooms, number, 0)
        });
    }
    let root = tree.start("root").await.map_err(|error| error.to_string())?;
    booted.store(true, Ordering::Relaxed);
    let (mut pids, mut ends) = (Vec::new(), Vec::new());
    for number in 0..CLERKS {
        let pid = Spawn::new(("clerk", number)).supervised().spawn(clerk());
        pids.push(pid);
        ends.push(otp::spawn("mourner", mourn(pid, rooms.clone())));
    }
    for _ in 0..60 {
        sleep(random::range(0..3_000).micros()).await;
        let clerk = pids[random::range(0..CLERKS) as usize];
        match random::range(0..8) {
            0 => otp::kill(clerk),
            1 => otp::exit(clerk, ExitReason::error("as planned")),
            2 | 3 => give_a_room(clerk, &rooms),
            _ => crash_a_keeper(),
        }
        for name in KEEPERS.into_iter().chain(DESKS) {
            look_up(name);
        }
    }
    sleep(1.secs()).await;
    for name in KEEPERS {
        look_up(name).ok_or_else(|| format!("nobody is called {name}"))?;
    }
    root.stop(60.secs()).await;
    pids.into_iter().for_each(otp::kill);
    sleep(1.secs()).await;
    if let Some(pid) = ends.into_iter().find(|pid| otp::is_alive(*pid)) {
        return Err(format!("{pid} has not heard of an end"));
    }
    match (otp::names().count(), rooms.count()) {
        (0, 0) => nothing_left(),
        (names, rooms) => Err(format!("{names} names and {rooms} rooms are left")),
    }
}

/// Who has a name, if anybody: it is told, so that it can be judged.
fn look_up(name: &str) -> Option<Pid> {
    otp::whereis(name).inspect(|pid| event!("name.found", {}, { process: pid.number() }))
}

fn give_a_room(clerk: Pid, rooms: &Names<u64, u64>) {
    let key = random::range(ROOMS);
    match rooms.register_for(clerk, key, 0) {
        Err(RegisterError::AlreadyRegistered { pid, .. }) => event!("name.found", {}, { process: pid.number() }),
        _ if random::chance(0.3) => drop(rooms.unregister_for(clerk, &key)),
        _ => {}
    }
}

fn crash_a_keeper() {
    let name = KEEPERS[random::range(0..KEEPERS.len() as u64) as usize];
    let Some(pid) = look_up(name) else { return };
    match random::range(0..4) {
        0 => otp::kill(pid),
        1 => otp::exit(pid, ExitReason::error("as planned")),
        2 => drop(otp::named::<Keeper>(name).try_cast(How::Panics)),
        _ => drop(otp::named::<Keeper>(name).try_cast(How::Fails)),
    }
}

/// Whoever hears of an end finds that no name points there.
async fn mourn(pid: Pid, rooms: Names<u64, u64>) {
    otp::monitor(pid).await;
    assert!(!DESKS.iter().any(|name| look_up(name) == Some(pid)), "a desk is {pid}'s, which has ended");
    assert!(rooms.keys(pid).is_empty(), "a room is {pid}'s, which has ended");
}

/// Takes names and gives some back, and ends in one of the ways.
async fn clerk() -> ExitReason {
    for _ in 0..10 {
        let name = DESKS[random::range(0..DESKS.len() as u64) as usize];
        match otp::register(name) {
            Err(RegisterError::AlreadyRegistered { pid, .. }) => event!("name.found", {}, { process: pid.number() }),
            Ok(()) | Err(_) => assert_eq!(look_up(name), Some(otp::self_pid()), "what was taken is one's own"),
        }
        sleep(random::range(0..5_000).micros()).await;
        if random::chance(0.5) {
            otp::unregister(name);
        }
        match random::range(0..30) {
            0 => return ExitReason::Normal,
            1 => return ExitReason::error("as planned"),
            2 => panic!("as planned"),
            _ => {}
        }
    }
    std::future::pending().await
}

enum How {
    Panics,
    Fails,
}

struct Keeper {
    name: &'static str,
    booted: Arc<AtomicBool>,
}

impl Server for Keeper {
    type Message = How;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        let (name, pid) = (self.name, cx.pid());
        let has_it = || look_up(name) == Some(pid);
        assert!(has_it(), "{} begins without its name", self.name);
        sleep(random::range(0..1_000).micros()).await;
        if self.booted.load(Ordering::Relaxed) && random::chance(0.1) {
            return Err("as planned".into());
        }
        assert!(has_it(), "{} has lost its name", self.name);
        event!("tree.prompt", {}, { process: pid.number() });
        Ok(())
    }

    async fn handle(&mut self, how: How, _: &mut Context<Self>) -> Flow {
        sleep(random::range(0..500).micros()).await;
        match how {
            How::Panics => panic!("as planned"),
            How::Fails => Flow::fail("as planned"),
        }
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        sleep(random::range(0..1_000).micros()).await;
    }
}
