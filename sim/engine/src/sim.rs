//! What a test holds in its hands: the world, and its nodes.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use simurgh_runtime::signal::Signal;
use simurgh_runtime::sim::BoxFuture;
use simurgh_runtime::{self as runtime, Header, PanicReport};

use crate::core::{Core, WORLD};
use crate::disk::DiskFaults;
use crate::draws::{Purpose, Stream, entity};
use crate::effects::{Effect, Effects};
use crate::engine::{Engine, engine};
use crate::invariant::Invariant;
use crate::node::{Exit, Kill, NodeState, Start};
use crate::tally::Tally;
use crate::trace::{Kind, mix};
use crate::verdict::Verdict;

/// The world of a simulation, for the test's body.
///
/// ```
/// # simurgh_sim::doctest(|sim| async move {
/// use simurgh_runtime as runtime;
/// use std::time::Duration;
///
/// let node = sim.node("sleeper", || async {
///     runtime::ready();
///     runtime::sleep(Duration::from_secs(3600)).await; // an hour, in no time
/// });
/// node.started().await?;
/// node.ended().await;
/// assert!(sim.elapsed() >= Duration::from_secs(3600));
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sim {
    pub(crate) _private: (),
}

/// A node of the world: its machine, and the process that runs on it now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub(crate) index: u32,
    name: Arc<str>,
}

/// What a node's program may return.
pub trait Ended {
    /// The error, in words, if it is one.
    fn error(self) -> Option<String>;
}

impl Ended for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Display> Ended for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Virtual time since the start of the run on this thread; zero outside of one. For invariants, which hold no [`Sim`].
pub fn elapsed() -> Duration {
    Duration::from_nanos(crate::engine::now())
}

/// The engine of the run that this code is part of.
fn this_engine() -> Rc<Engine> {
    engine().expect("Sim and Node are used inside a simulation")
}

fn with<R>(f: impl FnOnce(&mut Core) -> R) -> R {
    this_engine().with(f)
}

impl Sim {
    /// Whether this is the world without any faults, [`Profile::calm`](crate::Profile::calm): a story that causes
    /// disasters of its own leaves them out then.
    pub fn is_calm(&self) -> bool {
        with(|core| core.is_calm)
    }

    /// Adds a node and starts its program, a function that makes it anew for each start: usually
    /// the one that production's `main` awaits.
    ///
    /// # Panics
    /// If there is a node of this name already.
    pub fn node<F, T>(&self, name: &str, program: impl Fn() -> F + 'static) -> Node
    where
        F: Future<Output = T> + Send + 'static,
        T: Ended + 'static,
    {
        let index = with(|core| {
            let taken = core.nodes.iter().any(|node| node.rt.name() == name);
            (!taken).then(|| core.add_node(name, Some(start_of(program))))
        });
        let node =
            Node { index: index.unwrap_or_else(|| panic!("there is a node called {name} already")), name: name.into() };
        node.boot();
        node
    }

    /// Registers what a node's [`Command`](simurgh_runtime::process::Command) of this name starts: the name of the
    /// program's file, whatever its folder.
    ///
    /// ```
    /// # simurgh_sim::doctest(|sim| async move {
    /// use simurgh_runtime::process::Command;
    /// use simurgh_runtime::{env, out};
    /// use tokio::io::AsyncReadExt;
    ///
    /// sim.program("echo", || async { out!("{}", env::args()[1..].join(" ")) });
    /// let node = sim.node("node", || async {
    ///     let mut child = Command::new("/bin/echo").arg("hello").spawn()?;
    ///     let mut said = String::new();
    ///     child.stdout.take().expect("piped unless said otherwise").read_to_string(&mut said).await?;
    ///     assert!(child.wait().await?.success() && said == "hello\n");
    ///     std::io::Result::Ok(())
    /// });
    /// assert_eq!(node.ended().await, simurgh_sim::Exit::Finished);
    /// # Ok(()) });
    /// ```
    pub fn program<F, T>(&self, name: &str, program: impl Fn() -> F + 'static)
    where
        F: Future<Output = T> + Send + 'static,
        T: Ended + 'static,
    {
        with(|core| core.children.register(name, start_of(program)));
    }

    /// Adds `count` nodes of the same program, called `node1`, `node2`, ..., and waits until each is
    /// ready ([`runtime::ready`]) or has ended.
    ///
    /// # Errors
    /// If one of them fails to start.
    pub async fn nodes<F, T>(
        &self,
        count: usize,
        program: impl Fn() -> F + Clone + 'static,
    ) -> Result<Vec<Node>, String>
    where
        F: Future<Output = T> + Send + 'static,
        T: Ended + 'static,
    {
        let nodes: Vec<Node> = (1..=count).map(|number| self.node(&format!("node{number}"), program.clone())).collect();
        for node in &nodes {
            node.started().await?;
        }
        Ok(nodes)
    }

    /// Virtual time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(crate::engine::now())
    }

    /// Cuts all ways between the two groups, both directions, until [`Sim::heal`]. What is under way
    /// waits and is sent again as TCP does; nothing is lost.
    pub fn partition(&self, one: &[Node], other: &[Node]) {
        for (from, to) in pairs(one, other) {
            cut(from, to, Effect::Partition, true);
            cut(to, from, Effect::Partition, true);
        }
    }

    /// Cuts the ways from one group to the other, in this direction alone, until [`Sim::heal`].
    pub fn partition_one_way(&self, from: &[Node], to: &[Node]) {
        for (from, to) in pairs(from, to) {
            cut(from, to, Effect::OneWay, true);
        }
    }

    /// Takes back one [`Sim::partition`] of the same groups.
    pub fn rejoin(&self, one: &[Node], other: &[Node]) {
        for (from, to) in pairs(one, other) {
            cut(from, to, Effect::Partition, false);
            cut(to, from, Effect::Partition, false);
        }
    }

    /// Takes back one [`Sim::partition_one_way`] of the same groups.
    pub fn rejoin_one_way(&self, from: &[Node], to: &[Node]) {
        for (from, to) in pairs(from, to) {
            cut(from, to, Effect::OneWay, false);
        }
    }

    /// Opens all ways again: cuts are taken back, and clogs release what they held.
    pub fn heal(&self) {
        with(|core| {
            core.cuts.clear();
            core.unclog_all();
            core.record(WORLD, 0, Kind::Fault, 0, 0, || "all ways are open".into());
        });
    }

    /// Kills a node's process; [`Node::restart`] starts the next one. A machine whose process has ended by itself can
    /// still lose its power or its disk.
    pub fn kill(&self, node: &Node, how: Kill) {
        this_engine().end_process(node.index, &Exit::Killed, Some(how));
    }

    /// Stops a node's process for a while, as `SIGSTOP` does: its kernel goes on acknowledging.
    pub fn pause(&self, node: &Node, time: Duration) {
        with(|core| core.pause(node.index, time.as_nanos() as u64));
    }

    /// Resets one of a node's connections, drawn by the seed. False if it has none.
    pub fn reset_one(&self, node: &Node) -> bool {
        with(|core| {
            let state = &mut core.nodes[node.index as usize];
            state.resets += 1;
            let mut stream = core.draws.stream(Purpose::Faults, mix(state.entity, state.resets));
            let conns: Vec<_> = state.conns.iter().copied().collect();
            let picked = stream.pick(&conns).copied();
            if let Some((id, _)) = picked {
                core.record(node.index, 0, Kind::Fault, u64::from(id.index), 1, || {
                    format!("connection {} is reset", id.index)
                });
                core.reset_both(id);
            }
            picked.is_some()
        })
    }

    /// Lets a node's process have `more` file handles than it has now; `None` lifts the limit.
    pub fn limit_handles(&self, node: &Node, more: Option<u64>) {
        with(|core| {
            let state = &mut core.nodes[node.index as usize];
            state.handles_max = more.map_or(u64::MAX, |more| state.handles + more);
        });
    }

    /// Sets a node's wall clock ahead by so many milliseconds, or back if negative. The monotonic clock and all timers
    /// go on as they are.
    pub fn step_clock(&self, node: &Node, by_ms: i64) {
        with(|core| core.step_clock(node.index, by_ms.saturating_mul(1_000_000)));
    }

    /// Makes a node's wall clock gain so many nanoseconds in each second from now on, or lose them if negative.
    pub fn drift_clock(&self, node: &Node, drift_ppb: i64) {
        with(|core| core.drift_clock(node.index, drift_ppb));
    }

    /// Ends a node's process inside a poll: at the `calls`-th call from now on that changes its disk (a write, a
    /// sync, an entry made or removed), before the call has an effect or after it, as the seed has it. No later call
    /// of that poll has any. For states of files that a kill between polls never leaves.
    pub fn kill_inside(&self, node: &Node, how: Kill, calls: u32) {
        with(|core| core.nodes[node.index as usize].disk.state.crash = Some((calls.max(1), how)));
    }

    /// Lets a node's disk hold `more` bytes than it holds now; `None` lifts the limit. A write that finds some room
    /// writes that much, and the next one fails with `ENOSPC`.
    pub fn limit_disk(&self, node: &Node, more: Option<u64>) {
        with(|core| core.nodes[node.index as usize].disk.limit(more));
    }

    /// How a node's disk behaves now.
    pub fn disk(&self, node: &Node) -> DiskFaults {
        with(|core| core.nodes[node.index as usize].disk.state.faults)
    }

    /// Takes back what was set for a node's disk: it behaves as its world has it, and has room.
    pub fn mend_disk(&self, node: &Node) {
        with(|core| core.mend_disk(node.index));
    }

    /// How a node's disk behaves from now on.
    pub fn set_disk(&self, node: &Node, faults: DiskFaults) {
        with(|core| core.nodes[node.index as usize].disk.state.faults = faults);
    }

    /// Watches the run from now on.
    pub fn watch(&self, invariant: impl Invariant + 'static) {
        let engine = this_engine();
        if invariant.wants_steps() {
            engine.asks_steps.set(true);
        }
        engine.invariants.borrow_mut().push(Box::new(invariant));
    }

    /// Asks all invariants something; the first that says no ends the run.
    ///
    /// ```
    /// # simurgh_sim::doctest(|sim| async move {
    /// sim.ask(|invariant| invariant.calm());
    /// # Ok(()) });
    /// ```
    pub fn ask(&self, question: impl FnMut(&mut dyn Invariant) -> Result<(), String>) {
        this_engine().ask(question);
    }

    /// Waits until `probe!(name)` was passed `count` times in all.
    pub async fn passed(&self, name: &str, count: u64) {
        poll_fn(|cx| {
            with(|core| {
                if core.probes.get(name).is_some_and(|passed| *passed >= count) {
                    return Poll::Ready(());
                }
                core.probe_watchers.entry(name.to_owned()).or_default().push(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
    }

    /// Adds a node that runs nothing yet: a machine with a name and an address, for programs that must know the
    /// addresses of all before the first starts. [`Node::install`] starts it.
    ///
    /// # Panics
    /// If there is a node of this name already.
    pub fn machine(&self, name: &str) -> Node {
        let index = with(|core| {
            let taken = core.nodes.iter().any(|node| node.rt.name() == name);
            (!taken).then(|| core.add_node(name, None))
        });
        Node { index: index.unwrap_or_else(|| panic!("there is a node called {name} already")), name: name.into() }
    }

    /// From now on, `limit` of virtual time without any telemetry event but heartbeats (events whose
    /// name ends with `.heartbeat`) ends the run with the verdict `no-progress`.
    pub fn expect_progress(&self, limit: Duration) {
        with(|core| (core.no_progress_ns, core.last_progress) = (Some(limit.as_nanos() as u64), core.now));
    }

    /// Waits until `condition` holds, looking every millisecond and at the end.
    ///
    /// # Errors
    /// If it does not hold within `limit` of virtual time.
    pub async fn eventually(&self, limit: Duration, mut condition: impl FnMut() -> bool + Send) -> Result<(), String> {
        let deadline = runtime::Instant::now() + limit;
        loop {
            if condition() {
                return Ok(());
            }
            if runtime::Instant::now() >= deadline {
                return Err(format!("not so within {limit:?}"));
            }
            runtime::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Draws for what the test's clients do: independent of all other draws, one stream a name.
    pub fn workload(&self, name: &str) -> Stream {
        with(|core| core.draws.stream(Purpose::Workload, entity(name)))
    }

    /// How often `probe!(name)` was passed so far.
    pub fn probed(&self, name: &str) -> u64 {
        with(|core| core.probes.get(name).copied().unwrap_or(0))
    }

    /// Adds to a count that `sim run` sums over the seeds and prints at the end, also if it is 0.
    pub fn count(&self, name: &str, more: u64) {
        with(|core| core.tally.count(name, more));
    }

    /// Marks one of `of` cases as covered. `sim run` prints how many are, of all seeds together.
    pub fn cover(&self, name: &str, case: u64, of: u64) {
        with(|core| core.tally.cover(name, case, of));
    }

    /// What was counted and covered in this run so far.
    pub fn tally(&self) -> Tally {
        with(|core| core.tally.clone())
    }

    /// What the faults of this run did so far.
    pub fn effects(&self) -> Effects {
        with(|core| core.effects.clone())
    }
}

fn pairs(one: &[Node], other: &[Node]) -> Vec<(u32, u32)> {
    one.iter().flat_map(|from| other.iter().map(|to| (from.index, to.index))).collect()
}

fn cut(from: u32, to: u32, effect: Effect, closed: bool) {
    with(|core| {
        if closed {
            core.cuts.cut(from, to, effect);
        } else {
            core.cuts.mend(from, to, effect);
        }
        let words = if closed { "cut" } else { "open again" };
        core.record_with(from, Kind::Fault, (u64::from(to), u64::from(closed)), to, |to| {
            format!("the way to {to} is {words}")
        });
    });
}

fn start_of<F, T>(program: impl Fn() -> F + 'static) -> Start
where
    F: Future<Output = T> + Send + 'static,
    T: Ended + 'static,
{
    Rc::new(move || Box::pin(run_program(program())))
}

/// Runs a node's program; its error or panic becomes the way its process ended.
async fn run_program<T: Ended>(program: impl Future<Output = T> + Send) {
    let ended = {
        let mut program = pin!(program);
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(value.error()),
            Err(payload) => Poll::Ready(Some(format!("panic: {}", PanicReport::from_payload(payload)))),
        })
        .await
    };
    let index = Header::with(|header| header.map_or(WORLD, |header| header.node().id().0));
    with(|core| core.nodes[index as usize].exit = Some(ended.map_or(Exit::Finished, Exit::Failed)));
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.state(|state| state.ip)
    }

    /// Whether its process lives.
    pub fn is_running(&self) -> bool {
        self.state(|state| state.is_running())
    }

    /// How its process ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.state(|state| state.exit.clone())
    }

    /// The last lines that it printed.
    pub fn output(&self) -> Vec<String> {
        self.state(|state| state.output.clone())
    }

    /// Sets an environment variable for its next process (and this one's later look-ups).
    pub fn set_var(&self, name: &str, value: &str) {
        self.state(|state| state.vars.insert(name.to_owned(), value.to_owned()));
    }

    /// Starts the first process of a [`Sim::machine`].
    ///
    /// # Panics
    /// If it has had one.
    pub fn install<F, T>(&self, program: impl Fn() -> F + 'static)
    where
        F: Future<Output = T> + Send + 'static,
        T: Ended + 'static,
    {
        self.state(|state| {
            assert!(state.start.is_none(), "{} has a program already: upgrade it", self.name);
            state.start = Some(start_of(program));
        });
        self.boot();
    }

    /// Starts a new process after the last one ended, with another program, as an upgrade does: another version of it,
    /// on the same machine and disk. Later restarts start that one.
    ///
    /// ```
    /// # simurgh_sim::doctest(|sim| async move {
    /// use simurgh_runtime::{fs, out};
    ///
    /// let node = sim.node("service", || fs::atomic_replace("state", "version 1"));
    /// node.ended().await;
    /// node.upgrade(|| async {
    ///     out!("found {}", String::from_utf8_lossy(&fs::read("state").await?));
    ///     std::io::Result::Ok(())
    /// });
    /// node.ended().await;
    /// assert_eq!(node.output(), ["found version 1"]);
    /// # Ok(()) });
    /// ```
    ///
    /// # Panics
    /// If its process is running.
    pub fn upgrade<F, T>(&self, program: impl Fn() -> F + 'static)
    where
        F: Future<Output = T> + Send + 'static,
        T: Ended + 'static,
    {
        self.state(|state| state.start = Some(start_of(program)));
        self.restart();
    }

    /// Starts a new process after the last one ended, with the same program and disk.
    ///
    /// # Panics
    /// If its process is running.
    pub fn restart(&self) {
        assert!(!self.is_running(), "{} is running: kill it or wait for its end first", self.name);
        with(|core| core.reincarnate(self.index));
        self.boot();
    }

    /// Waits until its program says that it is ready, or ends.
    ///
    /// # Errors
    /// If it ended with an error.
    pub async fn started(&self) -> Result<(), String> {
        self.until(|state| state.ready || !state.is_running()).await;
        match self.exit() {
            Some(Exit::Failed(why)) => Err(format!("{} failed: {why}", self.name)),
            _ => Ok(()),
        }
    }

    /// Waits until its process has ended.
    pub async fn ended(&self) -> Exit {
        self.until(|state| !state.is_running()).await;
        self.exit().unwrap_or(Exit::Finished)
    }

    /// Asks its process to end, as `SIGTERM` does, and waits for that; kills it after `limit`.
    pub async fn stop(&self, limit: Duration) -> Exit {
        with(|core| core.raise(self.index, Signal::Terminate));
        if runtime::timeout(limit, self.ended()).await.is_err() {
            this_engine().end_process(self.index, &Exit::Killed, Some(Kill::Crash));
        }
        self.exit().unwrap_or(Exit::Finished)
    }

    fn boot(&self) {
        let engine = this_engine();
        let made = engine.with(|core| {
            let state = &mut core.nodes[self.index as usize];
            let start = state.start.clone();
            let node = Arc::clone(&state.rt);
            let incarnation = node.incarnation();
            core.record(self.index, 0, Kind::Start, u64::from(incarnation), 0, || {
                format!("the process starts, the node's number {}", incarnation + 1)
            });
            start.map(|start| (start, node))
        });
        if let Some((start, node)) = made {
            let header = Header::for_world(node, "main");
            let entered = header.enter();
            let program = start();
            drop(entered);
            engine.spawn(header, program, true);
            if let Ok(mut invariants) = engine.invariants.try_borrow_mut() {
                invariants.iter_mut().for_each(|invariant| invariant.node_started(&self.name));
            }
        }
    }

    fn state<R>(&self, f: impl FnOnce(&mut NodeState) -> R) -> R {
        with(|core| f(&mut core.nodes[self.index as usize]))
    }

    async fn until(&self, condition: impl Fn(&NodeState) -> bool) {
        poll_fn(|cx| {
            self.state(|state| {
                if condition(state) {
                    return Poll::Ready(());
                }
                state.watchers.push(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
    }
}

/// Turns the body's future into the world's main task; its failure becomes the verdict.
pub(crate) fn body_task(body: impl Future<Output = Result<(), String>> + Send + 'static) -> BoxFuture {
    Box::pin(async move {
        let ended = {
            let mut body = pin!(body);
            poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(ended)) => Poll::Ready(ended),
                Err(payload) => Poll::Ready(Err(format!("panic: {}", PanicReport::from_payload(payload)))),
            })
            .await
        };
        let engine = this_engine();
        if let Err(why) = ended {
            engine.with(|core| core.fail(Verdict::Failed(why)));
        }
        engine.finish();
    })
}
