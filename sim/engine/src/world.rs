//! The world as the runtime sees it: the seam's simulated arm.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use simurgh_runtime::fs::OpenOptions;
use simurgh_runtime::observe::{Event, Value};
use simurgh_runtime::signal::Signal;
use simurgh_runtime::sim::{self, BoxFuture, Output, PathOp, PathReply};
use simurgh_runtime::{Headed, Header};

use crate::children;
use crate::clock;
use crate::core::{Core, TimerState, current};
use crate::disk::{Call, call_of, gone};
use crate::draws::Purpose;
use crate::effects::Effect;
use crate::engine::{self, current_in_words, engine, with_core};
use crate::heap::Due;
use crate::invariant::Seen;
use crate::net::socket::{Connecting, ListenerSocket, UdpSocket};
use crate::node::Kill;
use crate::trace::{Kind, Moment, digest, mix};
use crate::verdict::Verdict;
use crate::waits;

/// Wall time at the start of every run: 2026-01-01T00:00:00Z.
pub(crate) const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// Lines of output kept of each node.
const OUTPUT_LINES: usize = 50;

/// The world of the run on this thread.
pub(crate) struct ThisWorld;

impl sim::World for ThisWorld {
    fn now(&self) -> Instant {
        engine().map_or_else(Instant::now, |engine| engine.base + Duration::from_nanos(engine::now()))
    }

    fn wall_ns(&self) -> i64 {
        clock::wall_ns() as i64
    }

    fn timer(&self, deadline: Instant) -> Box<dyn sim::Timer> {
        Box::new(Timer { deadline: to_ns(deadline), entry: None })
    }

    fn spawn(&self, headed: Arc<dyn Headed>, task: BoxFuture) -> Box<dyn sim::Task> {
        let alive = with_core(|core| !core.nodes[headed.header().node().id().0 as usize].rt.is_dead()) == Some(true);
        let ids = engine().filter(|_| alive).map(|engine| engine.spawn(headed, task, false));
        Box::new(TaskHandle { ids })
    }

    fn blocking_latency(&self) -> Duration {
        let ns = with_core(|core| {
            let node = current().0 as usize;
            core.nodes[node].choices.between(20_000, 500_000)
        });
        Duration::from_nanos(ns.unwrap_or(0))
    }

    fn blocking_wait(&self) -> Duration {
        let busy = with_core(|core| std::mem::take(&mut core.disk_of(current().0).state.busy_ns));
        Duration::from_nanos(busy.unwrap_or(0))
    }

    fn yielded(&self) {
        if let Some(engine) = engine() {
            engine.mark_yielded();
        }
    }

    fn unsupervised_panic(&self, header: &Header, message: &str) {
        let who = engine::describe(header);
        with_core(|core| {
            core.record_here(Kind::Panic, digest(message.as_bytes()), 0, || message.to_owned());
            core.fail(Verdict::UnsupervisedPanic(format!("{who}: {message}")));
        });
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn sim::Listener>> {
        let made = with_core(|core| core.listen(current().0, addr, backlog));
        let (index, generation) = made.unwrap_or_else(|| Err(ErrorKind::NotConnected.into()))?;
        Ok(Box::new(ListenerSocket { index, generation }))
    }

    fn connect(&self, addr: SocketAddr) -> Box<dyn sim::Connect> {
        let (index, generation) = with_core(|core| core.connect(current().0, addr)).unwrap_or((u32::MAX, u32::MAX));
        Box::new(Connecting { index, generation })
    }

    fn udp(&self, addr: SocketAddr) -> io::Result<Box<dyn sim::Udp>> {
        let made = with_core(|core| core.open_udp(current().0, addr));
        let (index, generation) = made.unwrap_or_else(|| Err(ErrorKind::NotConnected.into()))?;
        Ok(Box::new(UdpSocket { index, generation }))
    }

    fn lookup(&self, host: &str) -> (Duration, io::Result<Vec<IpAddr>>) {
        let (ns, found) = with_core(|core| core.lookup(current().0, host))
            .unwrap_or_else(|| (0, Err(ErrorKind::NotConnected.into())));
        (Duration::from_nanos(ns), found)
    }

    fn open(&self, path: &Path, options: &OpenOptions) -> io::Result<Box<dyn sim::File>> {
        let opened = with_core(|core| {
            let (node, _) = current();
            core.take_handle(node)?;
            core.record_here(Kind::File, digest(path.as_os_str().as_encoded_bytes()), 0, || {
                format!("open {}", path.display())
            });
            let incarnation = core.nodes[node as usize].rt.incarnation();
            let call = if core.disk_of(node).open_changes(path, options) { Call::Change } else { Call::Look };
            let opened = core.on_disk(node, call, |disk, _| disk.open(node, incarnation, path, options));
            if opened.is_err() {
                core.release_handle(node);
            }
            opened
        });
        // The file goes out of scope when the world is borrowed by nobody: its Drop code asks for it.
        Ok(Box::new(or_die(opened)?))
    }

    fn path(&self, op: PathOp<'_>) -> io::Result<PathReply> {
        let done = with_core(|core| {
            let words = format!("{op:?}");
            core.record_here(Kind::File, digest(words.as_bytes()), 1, || words.clone());
            core.on_disk(current().0, call_of(&op), |disk, plan| disk.path(op, plan))
        });
        or_die(done)
    }

    fn signals(&self, signal: Signal) -> Box<dyn sim::Signals> {
        let seen = with_core(|core| core.nodes[current().0 as usize].signals.entry(signal as u8).or_default().count);
        Box::new(SignalStream { node: current().0, signal, seen: seen.unwrap_or(0) })
    }

    fn ready(&self) {
        with_core(|core| {
            let (node, _) = current();
            core.record_here(Kind::Ready, 0, 0, || "says that it is ready".into());
            core.nodes[node as usize].ready = true;
            let watchers = std::mem::take(&mut core.nodes[node as usize].watchers);
            core.wakes.extend(watchers);
        });
    }

    fn start_process(&self, program: &sim::Program<'_>) -> io::Result<sim::Started> {
        children::start(program)
    }

    fn standard_stream(&self, number: usize) -> Option<Box<dyn sim::Pipe>> {
        children::standard_stream(number)
    }

    fn var(&self, name: &str) -> Option<String> {
        with_core(|core| core.nodes[current().0 as usize].vars.get(name).cloned()).flatten()
    }

    fn args(&self) -> Vec<String> {
        with_core(|core| core.nodes[current().0 as usize].args.clone()).unwrap_or_default()
    }

    fn print(&self, to: Output, bytes: &[u8]) {
        with_core(|core| {
            let line = String::from_utf8_lossy(bytes).trim_end().to_owned();
            core.record_here(Kind::Print, digest(bytes), u64::from(to == Output::Stderr), || line.clone());
            if core.print_to_pipe(current().0, if to == Output::Stdout { 1 } else { 2 }, bytes) {
                return;
            }
            let host = core.nodes[current().0 as usize].host;
            let output = &mut core.nodes[host as usize].output;
            if output.len() == OUTPUT_LINES {
                output.remove(0);
            }
            output.push(line);
        });
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let filled = with_core(|core| {
            core.nodes[current().0 as usize].user.fill(bytes);
            core.record_here(Kind::Random, digest(bytes), 0, || format!("{} bytes", bytes.len()));
        });
        if filled.is_none() {
            bytes.fill(0xA5); // zeros would make who draws again until it suits him do so for ever
        }
    }

    fn choose(&self, count: usize) -> usize {
        with_core(|core| core.nodes[current().0 as usize].choices.below(count as u64) as usize).unwrap_or(0)
    }

    fn probe(&self, name: &'static str) {
        with_core(|core| {
            *core.probes.entry(name).or_default() += 1;
            core.record_here(Kind::Probe, digest(name.as_bytes()), 0, || name.to_owned());
            if let Some(watchers) = core.probe_watchers.remove(name) {
                core.wakes.extend(watchers);
            }
        });
    }

    fn note(&self, words: std::fmt::Arguments<'_>) {
        with_core(|core| core.note_here(|| words.to_string()));
    }

    fn buggify(&self, site: &'static str) -> bool {
        with_core(|core| fires(core, site)).unwrap_or(false)
    }

    fn planted(&self, name: &'static str) -> bool {
        with_core(|core| core.planted.as_deref() == Some(name)).unwrap_or(false)
    }

    fn observe(&self, event: &Event<'_>) {
        observe(event);
    }

    fn new_resource(&self) -> u64 {
        with_core(|core| core.waits.new_resource()).unwrap_or(0)
    }

    fn wait_begin(&self, resource: u64, what: &'static str) {
        with_core(|core| {
            core.record_here(Kind::Wait, resource, 0, || format!("for {what}"));
            if let Some(circle) = core.waits.begin(current(), resource, what) {
                let text = waits::describe(&circle, |(node, number)| name_of(core, node, number));
                core.fail(Verdict::WaitCycle(text));
            }
        });
    }

    fn wait_end(&self, resource: u64) {
        with_core(|core| core.waits.end(current(), resource));
    }

    fn hold(&self, resource: u64) {
        with_core(|core| core.waits.hold(current(), resource));
    }

    fn release(&self, resource: u64) {
        with_core(|core| core.waits.release(resource));
    }

    fn stuck(&self, why: &str) {
        let who = current_in_words();
        with_core(|core| core.fail(Verdict::WaitCycle(format!("{who}: {why}"))));
    }
}

/// The result of an operation on the disk; the process ends here if that was drawn.
fn or_die<R>(done: Option<io::Result<(R, Option<Kill>)>>) -> io::Result<R> {
    match done.unwrap_or_else(|| Err(gone()))? {
        (done, None) => Ok(done),
        (_, Some(kill)) => {
            with_core(|core| core.die_inside(current().0, kill));
            Err(gone())
        }
    }
}

fn to_ns(at: Instant) -> u64 {
    engine().map_or(0, |engine| at.saturating_duration_since(engine.base).as_nanos() as u64)
}

fn name_of(core: &Core, node: u32, number: u64) -> String {
    let task = core.tasks.iter().find(|task| task.node == node && task.header().number() == number);
    task.map_or_else(
        || format!("{} task {number}", core.nodes[node as usize].rt.name()),
        |task| engine::describe(task.header()),
    )
}

/// Whether a buggify site fires: on or off for the whole run, then by chance.
fn fires(core: &mut Core, site: &'static str) -> bool {
    if !core.physics.buggify {
        return false;
    }
    let (draws, (on, fires)) = (core.draws, core.physics.buggify_site);
    let stream = core.sites.entry(site).or_insert_with(|| {
        let mut stream = draws.stream(Purpose::Buggify, digest(site.as_bytes()));
        stream.chance(on).then_some(stream)
    });
    let fires = stream.as_mut().is_some_and(|stream| stream.chance(fires));
    if fires {
        core.effects.add(Effect::Buggify);
        core.record_here(Kind::Buggify, digest(site.as_bytes()), 0, || site.to_owned());
    }
    fires
}

/// A telemetry event: into the trace, and to the invariants.
fn observe(event: &Event<'_>) {
    let Some(engine) = engine() else { return };
    let recorded = with_core(|core| {
        let mut facts = digest(event.name.as_bytes());
        for (name, value) in event.measurements {
            facts = mix(mix(facts, digest(name.as_bytes())), value.to_bits());
        }
        for (name, value) in event.metadata {
            facts = mix(mix(facts, digest(name.as_bytes())), digest_of(value));
        }
        core.record_here(Kind::Event, facts, 0, || in_words(event));
        if !event.name.ends_with(".heartbeat") {
            core.last_progress = core.now;
        }
    });
    // An invariant that emits events itself is not asked again.
    let Ok(mut invariants) = engine.invariants.try_borrow_mut() else { return };
    if recorded.is_none() || invariants.is_empty() {
        return;
    }
    let (node, task) = current();
    let name = engine.core.borrow().nodes[node as usize].rt.name().to_owned();
    let seen = Seen { at: Moment(engine::now()), node: &name, task, event };
    for invariant in invariants.iter_mut() {
        if let Err(message) = invariant.event(&seen) {
            let name = invariant.name().to_owned();
            engine.core.borrow_mut().fail(Verdict::Invariant { name, message });
        }
    }
}

fn digest_of(value: &Value<'_>) -> u64 {
    match *value {
        Value::U64(value) => value,
        Value::I64(value) => value as u64,
        Value::F64(value) => value.to_bits(),
        Value::Bool(value) => u64::from(value),
        Value::Str(value) => digest(value.as_bytes()),
    }
}

fn in_words(event: &Event<'_>) -> String {
    let measurements = event.measurements.iter().map(|(name, value)| format!(" {name}={value}"));
    let metadata = event.metadata.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{}{}", event.name, measurements.chain(metadata).collect::<String>())
}

/// A task, by its place.
struct TaskHandle {
    ids: Option<(u32, u32)>,
}

impl sim::Task for TaskHandle {
    fn abort(&self) {
        let dead = Header::with(|header| header.is_some_and(|header| header.node().is_dead()));
        if let (Some(engine), Some((slot, generation)), false) = (engine(), self.ids, dead) {
            engine.abort(slot, generation);
        }
    }
}

/// A timer; it stands in the heap only from its first poll.
struct Timer {
    deadline: u64,
    entry: Option<(u32, u32)>,
}

impl Timer {
    fn cancel(&mut self) {
        if let Some((id, generation)) = self.entry.take() {
            with_core(|core| {
                if core.timers.get(id as usize).is_some_and(|timer| timer.generation == generation) {
                    core.timers.remove(id as usize);
                }
            });
        }
    }
}

impl sim::Timer for Timer {
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if engine::now() >= self.deadline {
            self.cancel();
            return Poll::Ready(());
        }
        let deadline = self.deadline;
        let entry = self.entry;
        self.entry = with_core(|core| {
            let waiter = core.polled.waiter(cx.waker());
            let known = entry.and_then(|(id, generation)| {
                core.timers.get_mut(id as usize).filter(|timer| timer.generation == generation)
            });
            if let Some(timer) = known {
                timer.waiter = waiter;
                return entry;
            }
            let generation = core.next_generation();
            let id = core.timers.insert(TimerState { generation, waiter }) as u32;
            core.heap.push(deadline, Due::Timer { id, generation });
            Some((id, generation))
        })
        .flatten();
        Poll::Pending
    }

    fn reset(&mut self, deadline: Instant) {
        self.cancel();
        self.deadline = to_ns(deadline);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The arrivals of one signal at one node.
struct SignalStream {
    node: u32,
    signal: Signal,
    seen: u64,
}

impl sim::Signals for SignalStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let count = with_core(|core| {
            let state = core.nodes[self.node as usize].signals.entry(self.signal as u8).or_default();
            if state.count == self.seen {
                state.watchers.push(cx.waker().clone());
            }
            state.count
        });
        match count {
            Some(count) if count > self.seen => {
                self.seen = count;
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}
