//! Every crash order of a tree of five children, and a crash at each await point of start and stop.
//!
//! Enumerated, not sampled: each seed runs all cases, under its own schedule.
//!
//! - **Orders**: 120 orders in which the five are crashed, by a panic or a kill, times three strategies.
//! - **Await points of children**: each child awaits a few times in its init and its terminate. A tree
//!   is booted, loses a child, and is stopped, again and again; the n-th time, the n-th await that any
//!   child comes to is where that child crashes. There is no list of points to be forgotten: the
//!   enumeration ends with the first run that has no n-th await.
//! - **Await points of the supervisor**: the same with the supervisor itself, which is killed in its
//!   n-th poll that starts, stops or buries a child.
//!
//! After each case nothing may be left, no child may have had two lives at once, and each call that was
//! under way has its answer or an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use simurgh::otp::{
    CallError, ChildState, Context, Flow, InitError, Reply, Server, Strategy, Supervisor, SupervisorRef,
};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;
use simurgh::runtime::{Scope, random, yield_now};
use simurgh_sim::{Failure, Outcome, Registry, Sim, Simulation};

use super::{on_a_node, schedules, watch_tree};

const CHILDREN: usize = 5;
/// How often each child awaits in its init, and in its terminate.
const AWAITS: usize = 2;
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const NAMES: [&str; CHILDREN] = ["a", "b", "c", "d", "e"];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "five children crashed in every order, and at each await point of start and stop, by three strategies";
    registry.with(Simulation::new("tree/crash-orders", about, crash_orders).profile(schedules()))
}

/// What was covered, and what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Crash orders that were run, of all strategies.
    pub orders: u64,
    /// How many there are.
    pub orders_of: u64,
    /// Await points of start and stop at which something crashed; the enumeration ended because there
    /// was no further one.
    pub points: u64,
    /// Processes that outlived their supervisor.
    pub orphans: u64,
    /// Children that began a life while they had one.
    pub double_starts: u64,
    /// Calls that were made while children crashed.
    pub calls: u64,
    /// Those that had neither an answer nor an error before their time limit.
    pub lost: u64,
}

/// Runs all cases under this run's schedule.
///
/// # Errors
/// If a tree does not recover, or does not end.
pub async fn cover(sim: Sim) -> Result<Coverage, Failure> {
    watch_tree(sim);
    let cases = Arc::new(Cases::default());
    let program = Arc::clone(&cases);
    on_a_node(sim, move || all(Arc::clone(&program))).await?;
    Ok(cases.coverage())
}

/// The simulation: all cases, counted.
///
/// # Errors
/// If one of them does not come out as it should.
pub async fn crash_orders(sim: Sim) -> Outcome {
    let coverage = cover(sim).await?;
    (0..coverage.orders).for_each(|order| sim.cover("orders", order, coverage.orders_of));
    (0..coverage.points).for_each(|point| sim.cover("await points of start and stop", point, coverage.points));
    sim.count("orphans", coverage.orphans);
    sim.count("double starts", coverage.double_starts);
    sim.count("lost replies without an error", coverage.lost);
    sim.count("calls while children crashed", coverage.calls);
    let Coverage { orders, orders_of, points, orphans, double_starts, lost, .. } = coverage;
    if orders != orders_of || points == 0 || orphans + double_starts + lost > 0 {
        return Err(format!("{coverage:?}").into());
    }
    Ok(())
}

/// What the cases share.
#[derive(Default)]
struct Cases {
    orders: AtomicU64,
    orders_of: AtomicU64,
    points: AtomicU64,
    orphans: AtomicU64,
    double_starts: AtomicU64,
    calls: AtomicU64,
    lost: AtomicU64,
    alive: [AtomicU64; CHILDREN],
    trap: Mutex<Trap>,
}

/// The await at which somebody crashes.
#[derive(Default)]
struct Trap {
    /// How many awaits are still to pass before the one meant; none if no trap is set.
    left: Option<u64>,
    victim: Victim,
    sprung: bool,
    last_poll: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Victim {
    #[default]
    ChildPanics,
    ChildIsKilled,
    SupervisorIsKilled,
}

impl Trap {
    /// Whether this await is the one.
    fn springs(&mut self) -> bool {
        match &mut self.left {
            Some(0) => {
                self.left = None;
                self.sprung = true;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

impl Cases {
    fn coverage(&self) -> Coverage {
        Coverage {
            orders: self.orders.load(Relaxed),
            orders_of: self.orders_of.load(Relaxed),
            points: self.points.load(Relaxed),
            orphans: self.orphans.load(Relaxed),
            double_starts: self.double_starts.load(Relaxed),
            calls: self.calls.load(Relaxed),
            lost: self.lost.load(Relaxed),
        }
    }

    /// An await of a child's init or terminate.
    async fn point(&self) {
        let victim = {
            let mut trap = self.trap.lock();
            let victim = trap.victim;
            (victim != Victim::SupervisorIsKilled && trap.springs()).then_some(victim)
        };
        match victim {
            Some(Victim::ChildPanics) => panic!("as planned"),
            Some(_) => otp::kill(otp::self_pid()),
            None => {}
        }
        yield_now().await;
    }

    /// The supervisor starts, stops or buries a child.
    fn supervisor_works(&self) {
        let me = otp::self_pid();
        let poll = otp::info(me).map_or(0, |info| info.polls);
        let mut trap = self.trap.lock();
        // Several things that one poll does have one await after them.
        if trap.victim == Victim::SupervisorIsKilled && trap.last_poll != poll {
            trap.last_poll = poll;
            if trap.springs() {
                drop(trap);
                otp::kill(me);
            }
        }
    }

    fn tree(self: &Arc<Self>, strategy: Strategy) -> Supervisor {
        (0..CHILDREN).fold(Supervisor::new(strategy).intensity(1_000, 1.secs()), |tree, place| {
            let cases = Arc::clone(self);
            tree.child(NAMES[place], move || Child { place, cases: Arc::clone(&cases), begun: false })
        })
    }

    /// Calls a child while it may crash.
    async fn call(self: Arc<Self>, root: SupervisorRef, place: usize) {
        let Ok(child) = root.child::<Child>(NAMES[place]).await else { return };
        self.calls.fetch_add(1, Relaxed);
        if let Err(CallError::TimedOut { .. }) = child.call(Message::Echo).await {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn count_orphans(&self) {
        self.orphans.fetch_add(otp::count() as u64, Relaxed);
    }
}

struct Child {
    place: usize,
    cases: Arc<Cases>,
    begun: bool,
}

enum Message {
    Echo(Reply<()>),
    Panic,
}

impl Server for Child {
    type Message = Message;

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        self.begun = true;
        if self.cases.alive[self.place].fetch_add(1, Relaxed) > 0 {
            self.cases.double_starts.fetch_add(1, Relaxed);
        }
        for _ in 0..AWAITS {
            self.cases.point().await;
        }
        Ok(())
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) -> Flow {
        match message {
            Message::Echo(reply) => {
                yield_now().await;
                reply.send(());
            }
            Message::Panic => panic!("as planned"),
        }
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        for _ in 0..AWAITS {
            self.cases.point().await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.begun {
            self.cases.alive[self.place].fetch_sub(1, Relaxed);
        }
    }
}

async fn all(cases: Arc<Cases>) -> Result<(), String> {
    let orders = permutations(CHILDREN);
    cases.orders_of.store((STRATEGIES.len() * orders.len()) as u64, Relaxed);
    for strategy in STRATEGIES {
        for order in &orders {
            crash_in_order(&cases, strategy, order).await.map_err(|why| format!("{strategy:?} {order:?}: {why}"))?;
            cases.orders.fetch_add(1, Relaxed);
        }
    }
    let hears = Arc::clone(&cases);
    telemetry::attach("tree", "otp.child", move |_| hears.supervisor_works()).map_err(|error| error.to_string())?;
    for strategy in STRATEGIES {
        for victim in [Victim::ChildPanics, Victim::ChildIsKilled, Victim::SupervisorIsKilled] {
            for point in 0.. {
                let crashed = crash_at(&cases, strategy, victim, point).await;
                if !crashed.map_err(|why| format!("{strategy:?} {victim:?} at {point}: {why}"))? {
                    break;
                }
                cases.points.fetch_add(1, Relaxed);
            }
        }
    }
    Ok(())
}

/// One order: each child is crashed when the tree is whole again, with calls under way.
async fn crash_in_order(cases: &Arc<Cases>, strategy: Strategy, order: &[usize]) -> Result<(), String> {
    let root = cases.tree(strategy).start("root").await.map_err(|error| error.to_string())?;
    let scope = Scope::new();
    for &place in order {
        let other = random::range(0..CHILDREN as u64) as usize;
        for called in [place, other] {
            scope.spawn("caller", Arc::clone(cases).call(root.clone(), called));
        }
        let child = root.child::<Child>(NAMES[place]).await.map_err(|error| error.to_string())?;
        let end = child.monitor();
        if random::chance(0.5) {
            otp::kill(child.pid());
        } else {
            child.cast(Message::Panic).await.map_err(|error| error.to_string())?;
        }
        end.await;
        whole_again(&root).await?;
    }
    scope.wait().await.map_err(|error| error.to_string())?;
    let reason = root.stop(60.secs()).await;
    cases.count_orphans();
    if reason.is_orderly() { Ok(()) } else { Err(format!("it ended with {reason}")) }
}

/// Boots a tree, crashes a child, and stops it all; at the await `point`, the victim crashes. False if
/// there was no such await.
async fn crash_at(cases: &Arc<Cases>, strategy: Strategy, victim: Victim, point: u64) -> Result<bool, String> {
    *cases.trap.lock() = Trap { left: Some(point), victim, ..Trap::default() };
    if let Ok(root) = cases.tree(strategy).start("root").await {
        let scope = Scope::new();
        scope.spawn("caller", Arc::clone(cases).call(root.clone(), 1));
        scope.spawn("caller", Arc::clone(cases).call(root.clone(), 3));
        if let Ok(child) = root.child::<Child>(NAMES[1]).await {
            let end = child.monitor();
            otp::kill(child.pid());
            end.await;
        }
        let whole = whole_again(&root).await;
        if root.reason().is_none() {
            whole?;
        }
        root.stop(60.secs()).await;
        scope.wait().await.map_err(|error| error.to_string())?;
    }
    cases.count_orphans();
    let mut trap = cases.trap.lock();
    trap.left = None;
    Ok(trap.sprung)
}

/// Waits until all children run.
async fn whole_again(root: &SupervisorRef) -> Result<(), String> {
    for _ in 0..10_000 {
        let children = root.which_children().await.map_err(|error| error.to_string())?;
        if children.iter().all(|child| child.state == ChildState::Running) {
            return Ok(());
        }
        sleep(1.micros()).await; // to ask without a pause could keep all others from running
    }
    Err(format!("not whole again: {:?}", root.which_children().await))
}

/// All orders of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in permutations(count - 1) {
        for place in 0..count {
            let mut longer = order.clone();
            longer.insert(place, count - 1);
            all.push(longer);
        }
    }
    all
}
