//! Calls and replies: servers that answer, answer late, let others answer, forget, panic, are killed
//! and are flooded; callers with long and short patience, some of which are killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simurgh::otp::{ChildSpec, Context, Flow, Policy, Reply, Server, Spawn, Start, Supervisor, SupervisorRef};
use simurgh::prelude::*;
use simurgh::runtime::{random, yield_now};
use simurgh_invariants::CallOneReplyOrError;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules, watch_tree};

const CALLERS: u64 = 12;
const CALLS: u64 = 15;
/// Servers with mailboxes of every kind that bears a flood.
const DESKS: [(&str, Policy, usize); 4] = [
    ("patient", Policy::Block, 2),
    ("forgetful", Policy::ShedOldest, 2),
    ("strict", Policy::Fail, 2),
    ("roomy", Policy::Block, 1_024),
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about =
        "calls to servers that answer, forget, hand on, panic, are killed and flooded: one reply or one error each";
    let simulation = Simulation::new("otp/calls", about, calls).profile(schedules());
    registry.with(simulation.planted_plainly(&["otp.call-forgets-the-dead", "otp.reply-forgotten"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If something is left in the end.
pub async fn calls(sim: Sim) -> Outcome {
    sim.watch(CallOneReplyOrError::default());
    watch_tree(sim);
    on_a_node(sim, program).await
}

async fn program() -> Result<(), String> {
    let mut tree = Supervisor::one_for_one().intensity(100_000, 1.secs());
    for (name, policy, room) in DESKS {
        tree = tree.child(name, ChildSpec::server(move || Start::new("desk", Desk).mailbox(policy, room)));
    }
    let root = tree.start("root").await.map_err(|error| error.to_string())?;
    let ids = Arc::new(AtomicU64::new(1));
    let mut ends = Vec::new();
    let mut pids = Vec::new();
    for number in 0..CALLERS {
        let pid = Spawn::new(("caller", number)).supervised().spawn(ask(root.clone(), Arc::clone(&ids)));
        pids.push(pid);
        ends.push(otp::monitor(pid));
    }
    for _ in 0..20 {
        sleep(random::range(0..20_000).micros()).await;
        if random::chance(0.2) {
            otp::kill(pids[random::range(0..CALLERS) as usize]);
        } else if let Ok(children) = root.which_children().await {
            let victim = children[random::range(0..DESKS.len() as u64) as usize].pid;
            victim.into_iter().for_each(otp::kill);
        }
    }
    for end in ends {
        end.await;
    }
    root.stop(60.secs()).await;
    sleep(10.secs()).await; // for those who answer late
    event!("call.census");
    nothing_left()
}

/// Calls servers, again and again.
async fn ask(root: SupervisorRef, ids: Arc<AtomicU64>) {
    for _ in 0..CALLS {
        let (name, ..) = DESKS[random::range(0..DESKS.len() as u64) as usize];
        let Ok(desk) = root.child::<Desk>(name).await else {
            sleep(1.millis()).await;
            continue;
        };
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let how = How::ALL[random::range(0..How::ALL.len() as u64) as usize];
        let limit = if random::chance(0.3) { random::range(0..5_000).micros() } else { 5.secs() };
        let gone = Gone(id);
        event!("call.begin", { limit_ns: limit.as_nanos() }, { id: id, server: desk.pid().number() });
        let answer = desk.call_within(limit, |reply| Ask { id, how, reply }).await;
        let result = match answer {
            Ok(answer) if answer == id => "ok",
            Ok(_) => "another call's answer",
            Err(error) => error.code(),
        };
        event!("call.end", {}, { id: id, result: result });
        std::mem::forget(gone);
        if random::chance(0.5) {
            sleep(random::range(0..3_000).micros()).await;
        }
    }
}

/// A caller that was killed has no more to say of its call.
struct Gone(u64);

impl Drop for Gone {
    fn drop(&mut self) {
        event!("call.gone", {}, { id: self.0 });
    }
}

struct Desk;

struct Ask {
    id: u64,
    how: How,
    reply: Reply<u64>,
}

#[derive(Debug, Clone, Copy)]
enum How {
    AtOnce,
    Slowly,
    /// Another process answers.
    HandedOn,
    /// Another process answers, if it is not killed before.
    Lost,
    Forgotten,
    Panic,
    Stop,
}

impl How {
    const ALL: [How; 10] = [
        How::AtOnce,
        How::AtOnce,
        How::AtOnce,
        How::Slowly,
        How::Slowly,
        How::HandedOn,
        How::Lost,
        How::Forgotten,
        How::Panic,
        How::Stop,
    ];
}

fn answer(id: u64, reply: Reply<u64>) {
    event!("call.answered", {}, { id: id });
    reply.send(id);
}

impl Server for Desk {
    type Message = Ask;

    async fn handle(&mut self, Ask { id, how, reply }: Ask, _: &mut Context<Self>) -> Flow {
        match how {
            How::AtOnce => answer(id, reply),
            How::Slowly => {
                sleep(short()).await;
                answer(id, reply);
            }
            How::HandedOn => drop(otp::spawn("clerk", async move {
                sleep(short()).await;
                answer(id, reply);
            })),
            How::Lost => {
                let clerk = otp::spawn("clerk", async move {
                    yield_now().await;
                    sleep(short()).await;
                    answer(id, reply);
                });
                yield_now().await;
                otp::kill(clerk);
            }
            How::Forgotten => {
                event!("call.dropped", {}, { id: id });
                drop(reply);
            }
            How::Panic => panic!("as planned"),
            How::Stop => return Flow::fail("as planned"),
        }
        Flow::Continue
    }
}

fn short() -> Duration {
    random::range(0..2_000).micros()
}
