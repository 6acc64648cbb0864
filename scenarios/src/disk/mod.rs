//! Disks: a write-ahead log through power cuts, crashes inside file calls, full and failing disks; the same log
//! without its syncs, and on a disk that lies; a file that is replaced as a whole; the studio's history.
//!
//! ```text
//!   each seed, ten times   writers append in batches and count what is acknowledged
//!                          the power goes, at any time or inside a file call; sometimes a crash before or after it
//!                          the log is opened again, perhaps with a cut while it is: nothing acknowledged is missing, nothing is wrong
//! ```

pub mod history;
mod wal;

use std::io;
use std::path::Path;
use std::sync::Arc;

use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh::runtime::sync::AsyncMutex;
use simurgh_invariants::{LogCounts, LogLosesNothing};
use simurgh_sim::{DiskFaults, Disks, Effect, Exit, Kill, Node, Outcome, Profile, Registry, Sim, Simulation, Stream};

use wal::{State, Syncs, Wal};

/// Power cuts of one seed.
const POWER_CUTS: u64 = 10;
const WRITERS: u64 = 3;

/// The planted bugs that `disk/wal` must find.
pub const PLANTED: [&str; 6] = [
    "wal.unsynced",
    "wal.short-read",
    "wal.sync-again",
    "wal.found-is-safe",
    "fs.replace-unsynced",
    "fs.rename-unsynced",
];

/// Those that it must find and that a kill between two writes finds, too.
pub const PLANTED_PLAINLY: [&str; 2] = ["wal.acked-before-sync", "wal.unchecked"];

/// What a disk must have done in a sweep of these simulations.
const SHOWN: [Effect; 8] = [
    Effect::Unsynced,
    Effect::Undone,
    Effect::CrashPoint,
    Effect::ShortRead,
    Effect::ShortWrite,
    Effect::DiskError,
    Effect::DiskFull,
    Effect::DiskSlow,
];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "a write-ahead log through 10 power cuts a seed, on a disk that fails: nothing acknowledged is lost";
    let log = Simulation::new("disk/wal", about, wal).profile(profile()).planted(&PLANTED);
    let log = log.planted_plainly(&PLANTED_PLAINLY).shows(&SHOWN);
    let about = "the same log without its syncs: how much it loses";
    let careless = Simulation::new("disk/wal-unsynced", about, unsynced).profile(profile());
    let about = "the same log on a disk whose syncs do nothing, now and then: noticed by what is lost";
    let lying = Simulation::new("disk/wal-lying", about, lying).profile(lying_profile());
    history::register(registry.with(log).with(careless).with(lying))
}

/// All that a disk may do to a program that is right.
pub fn profile() -> Profile {
    Profile { disks: Disks { latency_max_ns: 5_000_000, ..Disks::nasty() }, ..Profile::nasty().without_faults() }
}

/// The same, and it lies.
pub fn lying_profile() -> Profile {
    Profile { disks: Disks { lie: 0.1, ..profile().disks }, ..profile() }
}

/// The whole story: see the module.
///
/// # Errors
/// If the log cannot be opened on a disk that is mended.
pub async fn wal(sim: Sim) -> Outcome {
    let checker = LogLosesNothing::default();
    let counts = checker.counts();
    sim.watch(checker);
    power_cuts(sim, Syncs::EachBatch, true).await?;
    tell(sim, &counts);
    Ok(())
}

/// The log that syncs at checkpoints only, and what it loses.
///
/// # Errors
/// As those of [`wal`].
pub async fn unsynced(sim: Sim) -> Outcome {
    let checker = LogLosesNothing::that_only_counts();
    let counts = checker.counts();
    sim.watch(checker);
    power_cuts(sim, Syncs::Checkpoints, false).await?;
    tell(sim, &counts);
    Ok(())
}

/// The log on a disk that lies, and whether that is noticed.
///
/// By whom? Whoever remembers what was acknowledged (a client, another node) notices each loss: that is what is counted
/// as lost here. The store alone notices only if its files contradict each other. If all of what is gone was at the
/// end, what is left is an earlier state of the same store, whole and with right checksums, and nothing on this disk
/// tells it from a store that had not been written to since. A checksum or an epoch cannot help: what they would be
/// compared with lay on the same disk. And a lie after which a true sync came before the power went cost nothing.
///
/// # Errors
/// As those of [`wal`].
pub async fn lying(sim: Sim) -> Outcome {
    let checker = LogLosesNothing::that_only_counts();
    let counts = checker.counts();
    sim.watch(checker);
    let ended = power_cuts(sim, Syncs::EachBatch, false).await;
    // Or the store itself says that its files are not as it had synced them; then nothing more comes of this seed.
    let is_damaged = ended.as_ref().is_err_and(|why| why.0.contains("is damaged"));
    if !is_damaged {
        ended?;
    }
    tell(sim, &counts);
    let lied = sim.effects().of(Effect::DiskLie) > 0;
    sim.count("seeds on whose disk a sync lied", u64::from(lied));
    sim.count("seeds that noticed, by a loss or by themselves", u64::from(counts.lost() > 0 || is_damaged));
    sim.count("seeds whose clients miss what was acknowledged", u64::from(counts.lost() > 0));
    sim.count("seeds whose store finds its files damaged", u64::from(is_damaged));
    sim.count(
        "seeds on whose disk a sync lied, and nothing was lost by it",
        u64::from(lied && counts.lost() == 0 && !is_damaged),
    );
    Ok(())
}

fn tell(sim: Sim, counts: &Arc<LogCounts>) {
    sim.count("commits acknowledged", counts.acked());
    sim.count("commits acknowledged and lost", counts.lost());
    sim.count("logs found corrupt", counts.corrupt());
}

async fn power_cuts(sim: Sim, syncs: Syncs, fails: bool) -> Outcome {
    let node = sim.node("store", move || store(syncs));
    let mut stream = sim.workload("kills");
    for _ in 0..POWER_CUTS {
        begin(sim, &node, &mut stream, fails).await?;
        if stream.chance(0.3) {
            end(sim, &node, &mut stream, Kill::Crash).await;
            begin(sim, &node, &mut stream, fails).await?;
        }
        end(sim, &node, &mut stream, Kill::Power).await;
        sim.count("power cuts", 1);
    }
    if !node.is_running() {
        node.restart();
    }
    Ok(node.started().await?)
}

/// Starts the store if it does not run, on a disk that works; with `fails`, it has troubles later, perhaps.
async fn begin(sim: Sim, node: &Node, stream: &mut Stream, fails: bool) -> Outcome {
    while !node.is_running() {
        node.restart();
        if stream.chance(0.3) {
            // The power goes again, while it opens what the last cut left.
            sim.kill_inside(node, Kill::Power, stream.between(1, 20) as u32);
        }
        node.started().await?;
    }
    let own = sim.disk(node);
    let fails = fails && !sim.is_calm();
    match stream.below(4) {
        0 if fails => {
            sim.set_disk(node, DiskFaults { read_error: 0.01, write_error: 0.02, sync_error: 0.1, ..own });
        }
        1 if fails => sim.limit_disk(node, Some(stream.below(8_000))),
        _ => {}
    }
    Ok(())
}

/// Kills the store at a time that is drawn, perhaps inside a file call, and mends its disk.
async fn end(sim: Sim, node: &Node, stream: &mut Stream, how: Kill) {
    if sim.is_calm() {
        sleep(stream.between(1, 100).millis()).await;
        return; // it goes on: a kill is a fault
    }
    if stream.chance(0.5) {
        sim.kill_inside(node, how, stream.between(1, 40) as u32);
        // It may end by itself before that, by an error of its disk.
        let _ = timeout(1.secs(), node.ended()).await;
    } else {
        sleep(stream.between(1, 100).millis()).await;
    }
    if node.exit() != Some(Exit::Killed) {
        sim.kill(node, how);
    }
    sim.mend_disk(node);
}

/// The program: writers that share the log. It ends when the disk fails, and whoever runs it starts it again.
async fn store(syncs: Syncs) -> io::Result<()> {
    let log = runtime::blocking(move || Wal::open(Path::new("/data/store"), syncs)).await;
    if log.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
        event!("log.opened", {}, { last: 0, whole: false });
    }
    let log = log?;
    let found = log.state();
    event!("log.opened", {}, { last: found.last, whole: found == expected(found.last) });
    runtime::ready();
    let log = Arc::new(AsyncMutex::named("the log", Some(log)));
    let scope = runtime::Scope::new();
    for _ in 0..WRITERS {
        scope.spawn("writer", writer(Arc::clone(&log)));
    }
    scope.wait().await.map_err(io::Error::other)?;
    Err(io::Error::other("the log has failed"))
}

async fn writer(log: Arc<AsyncMutex<Option<Wal>>>) {
    loop {
        sleep(random::range(0..3_000).micros()).await;
        let mut log = log.lock().await;
        let Some(mut wal) = log.take() else { return };
        let first = wal.state().last + 1;
        let count = random::range(1..6);
        let payloads: Vec<Vec<u8>> = (first..first + count).map(payload).collect();
        if planted!("wal.acked-before-sync") {
            event!("log.acked", {}, { last: first + count - 1 });
        }
        let (wal, appended) = runtime::blocking(move || {
            let appended = wal.append(&payloads);
            (wal, appended)
        })
        .await;
        if appended.is_err() {
            return; // and nobody uses the log any more
        }
        event!("log.acked", {}, { last: wal.state().last });
        *log = Some(wal);
    }
}

/// What the record of a number holds: all of it follows from the number.
fn payload(number: u64) -> Vec<u8> {
    let len = 1 + number * 7_919 % 900;
    (0..len).map(|at| (number * 31 + at * at % 251) as u8).collect()
}

/// What a log holds up to a number, if it holds what was written.
fn expected(last: u64) -> State {
    (1..=last).fold(State::default(), |at, number| at.with(&payload(number)))
}
