//! How a disk fails: what is set for it, and what is drawn for each call.

use std::io;

use crate::core::Core;
use crate::draws::{Purpose, Stream};
use crate::effects::Effect;
use crate::node::Kill;
use crate::trace::Kind;

use super::{Disk, Fate};

/// How a node's disk behaves from now on. Chances are shares of 1, for each call.
///
/// ```
/// # simurgh_sim::doctest(|sim| async move {
/// use simurgh_runtime::fs::{File, OpenOptions};
/// use simurgh_sim::{DiskFaults, Exit};
///
/// let node = sim.node("node", || async {
///     let file = File::open("notes", &OpenOptions::editing())?;
///     file.write_all_at(b"hello", 0)?;
///     file.sync_all()
/// });
/// sim.set_disk(&node, DiskFaults { sync_error: 1.0, ..DiskFaults::none() });
/// assert!(matches!(node.ended().await, Exit::Failed(why) if why.contains("Input/output error")));
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiskFaults {
    /// A read or write does a part of what was asked, as POSIX allows.
    pub short: f64,
    /// A read fails with `EIO`.
    pub read_error: f64,
    /// A write, or a change of a directory, fails with `EIO` and does nothing.
    pub write_error: f64,
    /// A sync fails with `EIO`: a part of what was written reached the disk, and the rest is taken for written.
    pub sync_error: f64,
    /// A sync says yes and does nothing. No program can survive it; it is for showing that somebody notices.
    pub lie: f64,
    /// How long a write or sync takes.
    pub latency: DiskLatency,
}

impl DiskFaults {
    /// A disk without faults.
    pub fn none() -> Self {
        Self { short: 0.0, read_error: 0.0, write_error: 0.0, sync_error: 0.0, lie: 0.0, latency: DiskLatency::None }
    }
}

/// How long a write or sync of a file takes, in nanoseconds of virtual time. Work that was given to
/// [`blocking`](simurgh_runtime::blocking) ends that much later; nobody else waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiskLatency {
    /// No time at all.
    None,
    /// Any time below this.
    UpTo(u64),
    /// Mostly below the first, and for the share of calls that is last, below the second: a disk that is busy with
    /// something else now and then.
    Mostly(u64, u64, f64),
}

impl DiskLatency {
    fn draw(self, stream: &mut Stream) -> u64 {
        match self {
            DiskLatency::None => 0,
            DiskLatency::UpTo(most) => stream.below(most),
            DiskLatency::Mostly(fast, slow, share) => {
                let most = if stream.chance(share) { slow } else { fast };
                stream.below(most)
            }
        }
    }

    /// One of the shapes, with no time above `max_ns`.
    pub(crate) fn shape(max_ns: u64, is_even: bool) -> Self {
        match (max_ns, is_even) {
            (0, _) => DiskLatency::None,
            (_, true) => DiskLatency::UpTo(max_ns),
            (_, false) => DiskLatency::Mostly(max_ns / 50, max_ns, 0.03),
        }
    }
}

/// What a disk does, as far as it is no content.
pub(crate) struct State {
    pub(crate) faults: DiskFaults,
    /// The bytes that files may have in all.
    pub(crate) capacity: Option<u64>,
    /// In how many changing calls the process ends, and how.
    pub(crate) crash: Option<(u32, Kill)>,
    /// What blocking work still has to wait for the disk.
    pub(crate) busy_ns: u64,
    /// Whether any call was made.
    pub(crate) is_used: bool,
    stream: Stream,
}

/// What a call is to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Look,
    Read,
    Write,
    Sync,
    Change,
}

/// What was drawn for a call.
#[derive(Default)]
pub(crate) struct Plan {
    /// At most so many bytes of those asked for.
    pub(crate) len_max: Option<usize>,
    /// The process ends when the call is done.
    pub(crate) dies: Option<Kill>,
    /// Of a sync: nothing happens.
    pub(crate) lies: bool,
    /// Of a sync: it fails like this, and with the second what programs see goes, too.
    pub(crate) fails: Option<(Fate, bool)>,
    /// Bytes that there is room for beyond the end.
    pub(crate) free: Option<u64>,
}

impl State {
    pub(crate) fn new(faults: DiskFaults, stream: Stream) -> Self {
        Self { faults, capacity: None, crash: None, busy_ns: 0, is_used: false, stream }
    }
}

/// What the kernel says when the disk fails.
pub(crate) fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

/// What the kernel says when the disk is full.
pub(crate) fn enospc() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

/// What a process is told that has ended and whose poll goes on: nothing that anybody would try again.
pub(crate) fn gone() -> io::Error {
    eio()
}

impl Core {
    /// Draws what becomes of a call of `node`, about `len` bytes.
    ///
    /// # Errors
    /// What the call ends with, without having done anything.
    pub(crate) fn plan_disk_call(&mut self, node: u32, call: Call, len: usize) -> io::Result<Plan> {
        let is_host = self.nodes[node as usize].host == node;
        let disk = self.disk_of(node);
        disk.state.is_used = true;
        let free = if call == Call::Write { disk.free() } else { None };
        let state = &mut disk.state;
        let mut plan = Plan { free, ..Plan::default() };
        if is_host
            && matches!(call, Call::Write | Call::Sync | Call::Change)
            && let Some((calls, kill)) = &mut state.crash
        {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                let kill = *kill;
                state.crash = None;
                if state.stream.chance(0.5) {
                    self.die_inside(node, kill);
                    return Err(gone());
                }
                plan.dies = Some(kill);
                return Ok(plan);
            }
        }
        let host = self.nodes[node as usize].host;
        let state = &mut self.nodes[host as usize].disk.state;
        let DiskFaults { short, read_error, write_error, sync_error, lie, latency } = state.faults;
        let error = match call {
            Call::Look => 0.0,
            Call::Read => read_error,
            Call::Write | Call::Change => write_error,
            Call::Sync => sync_error,
        };
        if latency != DiskLatency::None && matches!(call, Call::Write | Call::Sync) {
            state.busy_ns += latency.draw(&mut state.stream);
            self.effects.add(Effect::DiskSlow);
        }
        if state.stream.chance(error) {
            self.effects.add(Effect::DiskError);
            if call != Call::Sync {
                return Err(eio());
            }
            let (key, is_evicted) = (state.stream.u64(), state.stream.chance(0.5));
            plan.fails = Some((Fate::draw(self.draws.stream(Purpose::Disk, key)), is_evicted));
            return Ok(plan);
        }
        if call == Call::Sync && state.stream.chance(lie) {
            self.effects.add(Effect::DiskLie);
            plan.lies = true;
        }
        if matches!(call, Call::Read | Call::Write) && len > 1 && state.stream.chance(short) {
            plan.len_max = Some(state.stream.between(1, len as u64 - 1) as usize);
            self.effects.add(if call == Call::Read { Effect::ShortRead } else { Effect::ShortWrite });
        }
        Ok(plan)
    }

    /// The disk of the machine that a node runs on.
    pub(crate) fn disk_of(&mut self, node: u32) -> &mut Disk {
        let host = self.nodes[node as usize].host;
        &mut self.nodes[host as usize].disk
    }

    /// Ends all faults of a node's disk but those of its world.
    pub(crate) fn mend_disk(&mut self, node: u32) {
        let disk = &mut self.nodes[node as usize].disk;
        disk.limit(None);
        (disk.state.faults, disk.state.crash) = (self.physics.disk.faults, None);
    }

    /// Does one thing to the disk of `node`, and says whether its process ends with that.
    pub(crate) fn on_disk<R>(
        &mut self,
        node: u32,
        call: Call,
        f: impl FnOnce(&mut Disk, &Plan) -> io::Result<R>,
    ) -> io::Result<(R, Option<Kill>)> {
        let plan = self.plan_disk_call(node, call, 0)?;
        if plan.fails.is_some() {
            return Err(eio());
        }
        let done = f(self.disk_of(node), &plan)?;
        Ok((done, plan.dies))
    }

    /// The process of `node` ends here and now, inside the poll that runs: from now on none of its calls has any
    /// effect. The engine does the rest after the poll.
    pub(crate) fn die_inside(&mut self, node: u32, kill: Kill) {
        self.effects.add(Effect::CrashPoint);
        self.record_here(Kind::Fault, u64::from(node), kill as u64, || format!("{kill:?} inside a file call"));
        self.nodes[node as usize].rt.mark_dead();
        self.dying.push((node, kill));
    }
}
