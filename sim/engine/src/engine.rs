//! The executor: our ready queue and our event heap, run as the one future of a paused tokio runtime.
//!
//! ```text
//!   tokio current_thread, clock paused
//!   └─ block_on(Drive)
//!        loop: what is due now ─> one ready task by strategy, one poll ─> else move time
//! ```
//!
//! Code that uses tokio's own timers and channels works unmodified: its wakes arrive from outside
//! and become events of ours at tokio's time. Our heap decides time to the nanosecond; tokio's wheel
//! turns in milliseconds, so its clock may stand up to one millisecond ahead of ours. When nothing
//! is left to do, one tokio sleep is armed for our next event, and tokio's auto-advance moves to
//! that or to an earlier timer of somebody else.

use std::cell::{Cell, RefCell, RefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use simurgh_runtime::{Headed, Header};
use tokio::runtime::RuntimeMetrics;

use crate::budgets::Budgets;
use crate::core::{Core, WORLD, current};
use crate::effects::Effect;
use crate::heap::Due;
use crate::invariant::Invariant;
use crate::node::{Exit, Kill};
use crate::ready::Entry;
use crate::tasks::Task;
use crate::trace::Kind;
use crate::verdict::Verdict;
use crate::waiter::Waiter;
use crate::watch::Watch;

/// Outside of the engine: tokio runs somebody else's task or timer.
const OUTSIDE: u32 = u32::MAX;
/// The engine itself is at work.
const DRIVER: u32 = u32::MAX - 1;

/// One run's executor.
pub(crate) struct Engine {
    /// Tells the wakers of this run from those of another on the same thread.
    run: u64,
    pub(crate) core: RefCell<Core>,
    pub(crate) invariants: RefCell<Vec<Box<dyn Invariant>>>,
    pub(crate) options: Options,
    pub(crate) base: std::time::Instant,
    /// Who is at work: a node's number while its code runs.
    context: Cell<u32>,
    woken: RefCell<Vec<(u32, u32)>>,
    outside: RefCell<Vec<(u32, u32)>>,
    driver: RefCell<Option<Waker>>,
    foreign_asked: Cell<bool>,
    foreign_idle: Cell<bool>,
    yielded: Cell<bool>,
    finished: Cell<bool>,
    /// Some invariant wants to be asked after each poll.
    pub(crate) asks_steps: Cell<bool>,
    watch: Arc<Watch>,
}

/// Limits of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) max_polls: u64,
}

thread_local! {
    static ENGINE: RefCell<Option<Rc<Engine>>> = const { RefCell::new(None) };
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// This thread's engine.
pub(crate) fn engine() -> Option<Rc<Engine>> {
    ENGINE.try_with(|engine| engine.borrow().clone()).ok().flatten()
}

/// Sets this thread's engine.
pub(crate) fn set_engine(engine: Option<Rc<Engine>>) -> Option<Rc<Engine>> {
    NOW.set(0);
    ENGINE.with(|cell| cell.replace(engine))
}

/// Virtual time, readable whatever is borrowed.
pub(crate) fn now() -> u64 {
    NOW.try_with(Cell::get).unwrap_or(0)
}

/// Runs `f` on the world's state for the code that is running. None if the run is over, or the
/// code belongs to a dead node: then its calls have no effect.
pub(crate) fn with_core<R>(f: impl FnOnce(&mut Core) -> R) -> Option<R> {
    // Borrowed, not counted: programs come here with each read and write.
    let on_engine = |engine: &RefCell<Option<Rc<Engine>>>| {
        let engine = engine.borrow();
        let engine = engine.as_ref()?;
        if Header::with(|header| header.is_some_and(|header| header.node().is_dead())) {
            let mut core = engine.core.borrow_mut();
            core.effects.add(Effect::DeadCall);
            core.record_here(Kind::DeadCall, 0, 0, || "a call of a dead node, without effect".into());
            return None;
        }
        Some(engine.with(f))
    };
    ENGINE.try_with(on_engine).ok().flatten()
}

/// Wakes a task, from wherever.
pub(crate) fn wake(run: u64, slot: u32, generation: u32, node: u32) {
    // A thread that ends has no engine any more.
    let _ = ENGINE.try_with(|engine| {
        if let Some(engine) = engine.borrow().as_ref().filter(|engine| engine.run == run) {
            engine.wake(slot, generation, node);
        }
    });
}

/// tokio is about to park: nothing that it owns is runnable.
pub(crate) fn on_park() {
    let Some(engine) = engine() else { return };
    if engine.foreign_asked.replace(false) {
        engine.foreign_idle.set(true);
        engine.wake_driver();
    }
}

impl Engine {
    pub(crate) fn new(run: u64, core: Core, options: Options, watch: Arc<Watch>) -> Rc<Self> {
        Rc::new(Self {
            run,
            core: RefCell::new(core),
            invariants: RefCell::new(Vec::new()),
            options,
            base: std::time::Instant::now(),
            context: Cell::new(OUTSIDE),
            woken: RefCell::new(Vec::new()),
            outside: RefCell::new(Vec::new()),
            driver: RefCell::new(None),
            foreign_asked: Cell::new(false),
            foreign_idle: Cell::new(false),
            yielded: Cell::new(false),
            finished: Cell::new(false),
            asks_steps: Cell::new(false),
            watch,
        })
    }

    /// Runs `f` on the state, then wakes whom it left to be woken.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.borrow_mut();
        let result = f(&mut core);
        self.wake_all(core);
        result
    }

    /// Wakes whom an operation left to be woken, when its borrow is over.
    fn wake_all(&self, mut core: RefMut<'_, Core>) {
        if core.wakes.0.is_empty() {
            return;
        }
        let mut wakes = std::mem::take(&mut core.wakes.0);
        drop(core);
        let before = self.context.replace(DRIVER);
        for waiter in wakes.drain(..) {
            match waiter {
                Waiter::Task { slot, generation } => self.woken.borrow_mut().push((slot, generation)),
                Waiter::Other(waker) => waker.wake(),
            }
        }
        self.context.set(before);
        let mut core = self.core.borrow_mut();
        if core.wakes.0.is_empty() {
            core.wakes.0 = wakes; // keep the allocation
        }
    }

    fn wake(&self, slot: u32, generation: u32, node: u32) {
        match self.context.get() {
            OUTSIDE => {
                self.outside.borrow_mut().push((slot, generation));
                self.wake_driver();
                return;
            }
            DRIVER => {}
            waker => {
                if waker != node && waker != WORLD && node != WORLD {
                    self.report_shared_state(slot, generation, waker);
                }
            }
        }
        self.woken.borrow_mut().push((slot, generation));
    }

    fn report_shared_state(&self, slot: u32, generation: u32, waker: u32) {
        // A borrow means that the engine itself is waking, which is the world at work.
        let Ok(mut core) = self.core.try_borrow_mut() else { return };
        let Some(target) = core.tasks.get(slot, generation) else { return };
        let target = describe(target.header());
        let source =
            Header::with(|header| header.map_or_else(|| core.nodes[waker as usize].rt.name().to_owned(), describe));
        core.fail(Verdict::SharedState(format!(
            "{source} woke {target} without the network: they share a channel, a lock or an Arc, which no partition could \
             cut and whose Drop would be a perfect failure detector; let them talk through a socket"
        )));
    }

    /// Asks all invariants; the first that says no ends the run.
    pub(crate) fn ask(&self, mut question: impl FnMut(&mut dyn Invariant) -> Result<(), String>) {
        // An invariant that is being asked, and causes this itself, is not asked again.
        let Ok(mut invariants) = self.invariants.try_borrow_mut() else { return };
        for invariant in invariants.iter_mut() {
            if let Err(message) = question(invariant.as_mut()) {
                let name = invariant.name().to_owned();
                self.core.borrow_mut().fail(Verdict::Invariant { name, message });
            }
        }
    }

    fn wake_driver(&self) {
        let driver = self.driver.borrow().clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// The test's body has ended.
    pub(crate) fn finish(&self) {
        self.finished.set(true);
    }

    /// The task being polled wants others to go first.
    pub(crate) fn mark_yielded(&self) {
        self.yielded.set(true);
    }

    pub(crate) fn set_now(core: &mut Core, now: u64) {
        core.now = now;
        NOW.set(now);
        if let Some(limit) = core.no_progress_ns
            && now.saturating_sub(core.last_progress) > limit
        {
            let waiting = who_waits(core);
            let limit = Duration::from_nanos(limit);
            core.fail(Verdict::NoProgress(format!(
                "nothing but heartbeats for {limit:?} of virtual time; waiting: {waiting}"
            )));
        }
    }

    /// Adds a task. On a dead node it is dropped instead.
    pub(crate) fn spawn(
        &self,
        headed: Arc<dyn Headed>,
        future: simurgh_runtime::sim::BoxFuture,
        is_main: bool,
    ) -> (u32, u32) {
        let ids = self.with(|core| core.add_task(self.run, Arc::clone(&headed), future, is_main));
        self.watch.add(ids.0, headed);
        ids
    }

    /// Drops a task's future now, or as soon as its poll ends.
    pub(crate) fn abort(&self, slot: u32, generation: u32) {
        let removed = self.with(|core| {
            let task = core.tasks.get(slot, generation)?;
            let (node, number) = (task.node, task.number);
            if task.future.is_none() {
                task.aborted = true;
                return None;
            }
            let task = core.tasks.remove(slot);
            core.record(node, number, Kind::Abort, 0, 0, || {
                format!("the task {} was dropped before it was done", task.header().label())
            });
            core.waits.forget((node, number));
            Some(task)
        });
        if let Some(task) = removed {
            self.drop_task(slot, task);
        }
    }

    /// Drops a task's future as the task's own code.
    fn drop_task(&self, slot: u32, mut task: Task) {
        let future = task.future.take();
        let before = self.context.replace(task.node);
        let entered = task.header().enter();
        // A panic in Drop is that task's; the task is gone already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        drop(entered);
        self.context.set(before);
        self.watch.remove(slot);
    }

    /// Ends the process of a node.
    pub(crate) fn end_process(&self, node: u32, how: &Exit, kill: Option<Kill>) {
        if self.core.borrow().nodes[node as usize].is_running() {
            self.bury(node, how, kill);
        } else if let Some(Kill::Power | Kill::Wipe) = kill {
            self.with(|core| core.cut_power(node, kill == Some(Kill::Wipe)));
        }
    }

    /// Takes away what is left of a node's process.
    fn bury(&self, node: u32, how: &Exit, kill: Option<Kill>) {
        let (name, tasks) = self.with(|core| {
            let name = core.nodes[node as usize].rt.name().to_owned();
            (name, core.end_process(node, how, kill))
        });
        if let Ok(mut invariants) = self.invariants.try_borrow_mut() {
            invariants.iter_mut().for_each(|invariant| invariant.node_ended(&name));
        }
        for (slot, task) in tasks {
            self.drop_task(slot, task);
        }
        let children = self.core.borrow().ending_with(node, kill);
        for (child, kill) in children {
            self.end_process(child, &Exit::Killed, Some(kill));
        }
    }

    /// Polls one task.
    fn poll_task(&self, mut core: RefMut<'_, Core>, entry: Entry, budgets: &mut Budgets) {
        let core_ref = &mut *core;
        let Some(task) = core_ref.tasks.get(entry.slot, entry.generation) else { return };
        let (node, number) = (task.node, task.number);
        let state = &mut core_ref.nodes[node as usize];
        if state.paused.is_some() {
            // It stays queued: the node's resume puts it back.
            state.parked.push((entry.slot, entry.generation));
            core_ref.effects.add(Effect::Pause);
            return;
        }
        task.queued = false;
        let Some(mut future) = task.future.take() else { return };
        let fixed = Rc::clone(&task.fixed);
        let (header, waker) = (fixed.headed.header(), &fixed.waker);
        core_ref.poll_begins(entry.slot, entry.generation, waker);
        core_ref.record(node, number, Kind::Poll, u64::from(entry.cost_ns), entry.budget.map_or(9, u64::from), || {
            header.label().to_string()
        });
        drop(core);

        self.yielded.set(false);
        self.foreign_idle.set(false);
        self.context.set(node);
        self.watch.begin(entry.slot);
        let entered = header.enter_poll();
        let polled =
            catch_unwind(AssertUnwindSafe(|| budgets.poll(&mut future, entry.budget, &mut Context::from_waker(waker))));
        drop(entered);
        self.watch.end();
        self.context.set(DRIVER);

        let mut core = self.core.borrow_mut();
        core.poll_ended();
        let (preempted, poll) = polled.unwrap_or((false, Poll::Ready(())));
        if preempted {
            core.effects.add(Effect::Preempt);
            core.record(node, number, Kind::Preempt, 0, 0, || "an await that was ready ended the poll".into());
            // It goes on at once, if the strategy says so; tokio's own wake for it comes later.
            core.make_ready(entry.slot, entry.generation);
        }
        let later = core.now + u64::from(entry.cost_ns);
        Self::set_now(&mut core, later);
        if self.asks_steps.get() {
            drop(core);
            self.ask(|invariant| invariant.step());
            core = self.core.borrow_mut();
        }
        let demotion = core.scheduler.demotion(self.yielded.get());
        let over = match core.tasks.get(entry.slot, entry.generation) {
            // Its node was killed by what it did itself.
            None => Some(None),
            Some(task) if poll.is_ready() || task.aborted => {
                let task = core.tasks.remove(entry.slot);
                core.record(node, number, Kind::Exit, 0, 0, || {
                    let why = if task.aborted { "was dropped before it was done" } else { "is done" };
                    format!("the task {} {why}", task.header().label())
                });
                core.waits.forget((node, number));
                Some(Some(task))
            }
            Some(task) => {
                task.priority = demotion.unwrap_or(task.priority);
                task.future = Some(future);
                core.fetch_task();
                return;
            }
        };
        drop(core);
        let Some(task) = over else { return };
        let is_main = task.as_ref().is_some_and(|task| task.is_main);
        let task = Task { future: Some(future), ..task.unwrap_or_else(|| Task::gone(node, Rc::clone(&fixed))) };
        self.drop_task(entry.slot, task);
        self.context.set(DRIVER);
        if is_main {
            self.main_ended(node);
        }
    }

    /// A node's program is over, and its process with it.
    fn main_ended(&self, node: u32) {
        if node == WORLD {
            self.finish();
            return;
        }
        let how = self.with(|core| core.nodes[node as usize].exit.take()).unwrap_or(Exit::Finished);
        self.end_process(node, &how, None);
    }

    /// The engine goes to work; `waker` calls it back to it.
    pub(crate) fn begin_drive(&self, waker: &Waker) {
        self.context.set(DRIVER);
        *self.driver.borrow_mut() = Some(waker.clone());
    }

    /// The engine rests: from now on tokio is at work.
    pub(crate) fn end_drive(&self) {
        self.context.set(OUTSIDE);
    }

    /// Whether the run's verdict is known.
    pub(crate) fn is_decided(&self) -> bool {
        self.finished.get() || self.core.borrow().failure.is_some()
    }

    /// Whether tasks that others gave to tokio must have a turn before time moves; the park hook
    /// tells when they have had it.
    pub(crate) fn foreign_tasks_go_first(&self, tokio: &RuntimeMetrics) -> bool {
        let first = tokio.num_alive_tasks() > 0 && !self.foreign_idle.get();
        if first {
            self.foreign_asked.set(true);
        }
        first
    }

    /// Makes wakes from outside events of ours, at tokio's time.
    ///
    /// tokio also sends back the wakes of polls whose budget was cut, at once and without its clock
    /// having moved: those happen now, since our clock may stand behind tokio's.
    pub(crate) fn take_outside(&self, tokio_now: u64, moved: bool) {
        let outside = std::mem::take(&mut *self.outside.borrow_mut());
        let mut core = self.core.borrow_mut();
        for (slot, generation) in outside {
            let at = if moved { core.now.max(tokio_now) } else { core.now };
            if moved {
                core.effects.add(Effect::Foreign);
            }
            core.heap.push(at, Due::Wake { slot, generation });
        }
    }

    /// One tick: true if something was done.
    pub(crate) fn step(&self, budgets: &mut Budgets) -> bool {
        let mut core = self.core.borrow_mut();
        for (slot, generation) in self.woken.borrow_mut().drain(..) {
            core.make_ready(slot, generation);
        }
        if let Some((node, kill)) = core.dying.pop() {
            drop(core);
            self.bury(node, &Exit::Killed, Some(kill));
            return true;
        }
        if core.do_due() {
            core.make_woken_ready();
            // Mostly whom it woke goes on now: nothing else is due at the same nanosecond.
            if !core.wakes.0.is_empty() || core.failure.is_some() || !core.dying.is_empty() || core.is_due() {
                self.wake_all(core);
                return true;
            }
        }
        let Some((entry, early)) = core.scheduler.pop() else { return false };
        if early {
            core.effects.add(Effect::Reorder);
        }
        if core.scheduler.polls() > self.options.max_polls {
            let polls = self.options.max_polls;
            let waiting = who_waits(&core);
            core.fail(Verdict::Livelock(format!("the body had not ended after {polls} polls; alive: {waiting}")));
            return true;
        }
        self.poll_task(core, entry, budgets);
        true
    }
}

/// A task in words.
pub(crate) fn describe(header: &Header) -> String {
    format!("{} task {} ({})", header.node().name(), header.number(), header.label())
}

/// The tasks that are left, in words; at most twelve.
pub(crate) fn who_waits(core: &Core) -> String {
    const MOST: usize = 12;
    let mut names: Vec<String> = core.tasks.iter().map(|task| describe(task.header())).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", names.join(", "))
}

/// The current task, in words.
pub(crate) fn current_in_words() -> String {
    Header::with(|header| header.map_or_else(|| format!("node {}", current().0), describe))
}
