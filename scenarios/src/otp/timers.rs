//! Timers of servers: many, some taken back, none early.

use std::collections::BTreeMap;

use simurgh::otp::{Context, Flow, Server};
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_invariants::TimerNeverEarly;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{nothing_left, on_a_node, schedules};

const TIMERS: u64 = 60;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "a server with many timers, some taken back: none rings early, all others ring";
    let simulation = Simulation::new("otp/timers", about, timers).profile(schedules());
    registry.with(simulation.planted_plainly(&["otp.timer-early"]))
}

/// The whole story: see the module.
///
/// # Errors
/// If a timer does not ring, or one that was taken back does.
pub async fn timers(sim: Sim) -> Outcome {
    sim.watch(TimerNeverEarly::default());
    on_a_node(sim, || async {
        let clock = otp::start("clock", Clock::default()).await.map_err(|error| error.to_string())?;
        for id in 0..TIMERS {
            let _ = clock.cast(Message::Set(id)).await;
            sleep(random::range(0..2_000).micros()).await;
        }
        sleep(1.secs()).await;
        let left = clock.visit(|clock| clock.set.len()).await.map_err(|error| error.to_string())?;
        clock.stop(1.secs()).await;
        if left > 0 {
            return Err(format!("{left} timers did not ring"));
        }
        nothing_left()
    })
    .await
}

#[derive(Default)]
struct Clock {
    set: BTreeMap<u64, simurgh::otp::TimerRef>,
}

enum Message {
    Set(u64),
    Rang(u64),
}

impl Server for Clock {
    type Message = Message;

    async fn handle(&mut self, message: Message, cx: &mut Context<Self>) -> Flow {
        match message {
            Message::Set(id) => {
                let after = std::time::Duration::from_nanos(random::range(0..50_000_000));
                event!("timer.set", { after_ns: after.as_nanos() }, { id: id });
                self.set.insert(id, cx.send_after(after, Message::Rang(id)));
                let taken = self.set.keys().copied().find(|_| random::chance(0.05));
                if let Some(timer) = taken.and_then(|id| self.set.remove(&id)) {
                    cx.cancel(timer);
                }
            }
            Message::Rang(id) => {
                event!("timer.rang", {}, { id: id });
                if self.set.remove(&id).is_none() {
                    return Flow::fail(format_args!("timer {id} was taken back and rang"));
                }
            }
        }
        Flow::Continue
    }
}
