//! One run: a seed, a profile and a body in; a verdict, a hash and what there is to tell out.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use simurgh_runtime as runtime;
use simurgh_runtime::Header;

use crate::clock;
use crate::core::{Core, WORLD};
use crate::draws::{Draws, Purpose, Stream};
use crate::drive::Drive;
use crate::effects::Effects;
use crate::engine::{self, Engine, Options};
use crate::interpose::{self, Hooks};
use crate::physics::{Physics, Profile, Schedule};
use crate::schedule::{Decision, Scheduler};
use crate::sim::{Sim, body_task};
use crate::tally::Tally;
use crate::trace::{Message, Trace, TraceEvent, Undelivered};
use crate::verdict::Verdict;
use crate::watch::Watch;
use crate::world::ThisWorld;

/// What a simulation's body returns.
pub type Outcome = Result<(), Failure>;

/// Why a body failed, in words. Made from any error by `?`.
///
/// It is not an error or displayable itself: then it could not be made from everything that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What a test's body may fail with.
#[doc(hidden)]
pub trait Words {
    /// The failure, in words.
    fn words(self) -> String;
}

impl Words for Failure {
    fn words(self) -> String {
        self.0
    }
}

impl<E: std::fmt::Display> Words for E {
    fn words(self) -> String {
        self.to_string()
    }
}

/// A simulation's body, made anew for each seed.
pub type Body = Arc<dyn Fn(Sim) -> BodyFuture + Send + Sync>;
/// What a [`Body`] makes.
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Everything that decides a run, but for the body.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The root of all draws.
    pub seed: u64,
    /// The kind of world.
    pub profile: Profile,
    /// The world itself, instead of what the seed would draw from the profile.
    pub physics: Option<Physics>,
    /// The planted bug to have, if any.
    pub planted: Option<String>,
    /// Polls after which a run is a livelock.
    pub max_polls: u64,
    /// Keep the last events in words.
    pub in_words: bool,
    /// Keep every event.
    pub full_trace: bool,
    /// Keep so many of the last events and messages, for [`Report::kept`] and [`Report::messages`].
    pub keep: usize,
    /// Record the decisions of the schedule.
    pub record: bool,
    /// Make these decisions instead of drawing them.
    pub replay: Option<Vec<Decision>>,
}

impl RunConfig {
    /// The defaults for a seed in a world.
    pub fn new(seed: u64, profile: Profile) -> Self {
        Self {
            seed,
            profile,
            physics: None,
            planted: None,
            max_polls: 50_000_000,
            in_words: false,
            full_trace: false,
            keep: 0,
            record: false,
            replay: None,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was wrong, if anything.
    pub failure: Option<Verdict>,
    /// The hash over all events.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How many polls.
    pub polls: u64,
    /// The hash at every 1,024th event.
    pub checkpoints: Vec<u64>,
    /// How long it took in virtual time.
    pub elapsed: Duration,
    /// What the faults did.
    pub effects: Effects,
    /// The probes that were passed, with how often.
    pub probes: Vec<(String, u64)>,
    /// What the body counted and covered.
    pub tally: Tally,
    /// The last events of each node, in words, if they were kept.
    pub last_events: String,
    /// Every event, if they were kept.
    pub full_trace: Option<Vec<String>>,
    /// The decisions of the schedule, if they were recorded.
    pub decisions: Vec<Decision>,
    /// The last events, if they were kept.
    pub kept: Vec<TraceEvent>,
    /// The last messages, if they were kept.
    pub messages: Vec<Message>,
    /// The last messages that never arrived, if messages were kept.
    pub undelivered: Vec<Undelivered>,
}

/// Runs a body once, on a fresh thread.
///
/// # Panics
/// If the operating system gives no thread.
pub fn run_once(config: &RunConfig, body: &Body) -> Report {
    let (report, _watch) = begin(config, body);
    report.recv().unwrap_or_else(|_| died(config.seed))
}

/// Begins a run on a fresh thread; the watch tells from outside what it is doing.
pub(crate) fn begin(config: &RunConfig, body: &Body) -> (mpsc::Receiver<Report>, Arc<Watch>) {
    let (sender, receiver) = mpsc::channel();
    let watch = Arc::new(Watch::default());
    let (config, body, inside) = (config.clone(), Arc::clone(body), Arc::clone(&watch));
    std::thread::Builder::new()
        .name("simulation".into())
        .stack_size(8 << 20)
        .spawn(move || {
            let report = run_here(&config, &body, inside);
            let _ = sender.send(report); // nobody waits any more: the watchdog has spoken
        })
        .expect("the operating system gives a thread for a run");
    (receiver, watch)
}

/// The report of a run whose thread ended without one.
pub(crate) fn died(seed: u64) -> Report {
    report_of_nothing(seed, Verdict::Crashed("the simulator itself panicked; its message stands above".into()))
}

pub(crate) fn report_of_nothing(seed: u64, failure: Verdict) -> Report {
    Report {
        seed,
        failure: Some(failure),
        hash: 0,
        events: 0,
        polls: 0,
        checkpoints: Vec::new(),
        elapsed: Duration::ZERO,
        effects: Effects::default(),
        probes: Vec::new(),
        tally: Tally::default(),
        last_events: String::new(),
        full_trace: None,
        decisions: Vec::new(),
        kept: Vec::new(),
        messages: Vec::new(),
        undelivered: Vec::new(),
    }
}

static RUNS: AtomicU64 = AtomicU64::new(1);
thread_local! {
    static ENTROPY: Mutex<Option<Stream>> = const { Mutex::new(None) };
}

/// Runs a body on this thread, which nothing has simulated on before.
fn run_here(config: &RunConfig, body: &Body, watch: Arc<Watch>) -> Report {
    runtime::install_hook();
    if let Err(why) = interpose::self_test() {
        return report_of_nothing(config.seed, Verdict::Refused(why));
    }
    let draws = Draws::new(config.seed);
    let mut physics = config.physics.clone().unwrap_or_else(|| Physics::draw(&config.profile, draws));
    if config.replay.is_some() {
        physics.schedule = Schedule::Replay;
    }
    let trace = Trace::new(config.in_words, config.full_trace, config.keep);
    let decisions = config.replay.clone().unwrap_or_default();
    let scheduler = Scheduler::new(physics.schedule, physics.preempt, draws, config.record, decisions);
    let mut core = Core::new(draws, physics, trace, scheduler);
    core.planted.clone_from(&config.planted);
    core.is_calm = config.physics.is_none() && config.profile == Profile::calm();
    core.add_node("world", None);

    let _caught = Caught::begin(draws.stream(Purpose::Entropy, 0));
    let options = Options { max_polls: config.max_polls };
    // The counter only tells wakers of one run from another's; no run ever sees its value.
    let engine = Engine::new(RUNS.fetch_add(1, Ordering::Relaxed), core, options, watch);
    engine::set_engine(Some(engine.clone()));
    runtime::sim::enter(&ThisWorld, || drive(&engine, body));
    engine::set_engine(None);
    report(config, &engine)
}

/// Runs the body and, when all is decided, clears the world.
fn drive(engine: &std::rc::Rc<Engine>, body: &Body) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(engine::on_park)
        .build()
        .expect("a current-thread runtime needs nothing of the operating system");
    let world = engine.with(|core| Arc::clone(&core.nodes[WORLD as usize].rt));
    let header = Header::for_world(world, "body");
    let future = {
        let _entered = header.enter();
        body(Sim { _private: () })
    };
    engine.spawn(header, body_task(future), true);
    tokio.block_on(async { Drive::new(engine.clone()).await });
    end(engine);
    // The world first, then the tasks: what their Drop code does has no effect any more.
    let tasks = engine.with(|core| {
        core.keep_all_flights();
        core.closed = true;
        for node in &core.nodes {
            node.rt.mark_dead();
        }
        core.tasks.take_all()
    });
    for task in tasks {
        let headed = Arc::clone(&task.fixed.headed);
        let _entered = headed.header().enter();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(task)));
    }
    // Tasks that others gave to tokio end with it, on this thread and inside this world.
    drop(tokio);
}

/// Asks the invariants a last time, unless something is wrong already.
fn end(engine: &Engine) {
    let mut invariants = engine.invariants.borrow_mut();
    for invariant in invariants.iter_mut() {
        if engine.core.borrow().failure.is_some() {
            return;
        }
        if let Err(message) = invariant.end() {
            let name = invariant.name().to_owned();
            engine.core.borrow_mut().fail(Verdict::Invariant { name, message });
        }
    }
}

fn report(config: &RunConfig, engine: &Engine) -> Report {
    let mut core = engine.core.borrow_mut();
    let core = &mut *core;
    Report {
        seed: config.seed,
        failure: core.failure.take(),
        hash: core.trace.hash(),
        events: core.trace.events(),
        polls: core.scheduler.polls(),
        checkpoints: core.trace.checkpoints().to_vec(),
        elapsed: Duration::from_nanos(core.now),
        effects: core.effects.clone(),
        probes: core.probes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        tally: core.tally.clone(),
        last_events: if config.in_words { core.trace.last_events(6, 14) } else { String::new() },
        full_trace: core.trace.take_full(),
        decisions: core.scheduler.take_decisions(),
        kept: core.trace.take_kept(),
        messages: core.trace.take_messages(),
        undelivered: core.trace.take_undelivered(),
    }
}

/// The time in which this thread's calls to libc are answered by the run.
struct Caught;

impl Caught {
    fn begin(entropy: Stream) -> Self {
        ENTROPY.with(|cell| *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(entropy));
        interpose::set(Some(Hooks {
            // A machine that has been up for a day: code may subtract from Instant::now().
            monotonic_ns: || 86_400_000_000_000 + engine::now(),
            wall_ns: clock::wall_ns,
            entropy: |bytes| {
                ENTROPY.with(|cell| {
                    if let Some(stream) = cell.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                        stream.fill(bytes);
                    }
                });
            },
            thread_refused,
        }));
        Self
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        interpose::set(None);
    }
}

/// A thread inside a simulation: the run fails and names who wanted it.
fn thread_refused() {
    let who = engine::current_in_words();
    if let Some(engine) = engine::engine()
        && let Ok(mut core) = engine.core.try_borrow_mut()
    {
        core.fail(Verdict::Refused(format!(
            "{who} tried to start an OS thread, which no seed can schedule; use runtime::spawn, or runtime::blocking for \
             work that blocks"
        )));
    }
}
