//! The default disasters: faults of nodes and links, drawn from the seed, for a stated time.

use std::time::Duration;

use simurgh_runtime as runtime;

use crate::core::Core;
use crate::disk::{DiskFaults, DiskLatency};
use crate::draws::{Purpose, Stream};
use crate::engine::engine;
use crate::node::{Kill, NodeState};
use crate::sim::{Node, Sim};
use crate::trace::Kind;

/// A kind of fault that [`Sim::chaos`] causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Crash,
    Power,
    Pause,
    Partition,
    OneWay,
    Reset,
    Emfile,
    CrashPoint,
    DiskFull,
    DiskError,
    DiskSlow,
    ClockStep,
    Clog,
    Swizzle,
    HalfOpen,
    Lookup,
}

impl Fault {
    const ALL: [Fault; 11] = [
        Fault::Crash,
        Fault::Power,
        Fault::Pause,
        Fault::Partition,
        Fault::OneWay,
        Fault::Reset,
        Fault::Emfile,
        Fault::Clog,
        Fault::Swizzle,
        Fault::HalfOpen,
        Fault::Lookup,
    ];

    /// Those of disks: for nodes that use them.
    const OF_DISKS: [Fault; 4] = [Fault::CrashPoint, Fault::DiskFull, Fault::DiskError, Fault::DiskSlow];

    /// The mean time between two of this kind; 0 for never.
    fn every_ns(self, core: &Core) -> u64 {
        let faults = &core.physics.faults;
        match self {
            Fault::Crash => faults.crash_every_ns,
            Fault::Power => faults.power_every_ns,
            Fault::Pause => faults.pause_every_ns,
            Fault::Partition => faults.partition_every_ns,
            Fault::OneWay => faults.one_way_every_ns,
            Fault::Reset => faults.reset_every_ns,
            Fault::Emfile => faults.emfile_every_ns,
            Fault::CrashPoint => faults.crash_point_every_ns,
            Fault::DiskFull => faults.disk_full_every_ns,
            Fault::DiskError => faults.disk_error_every_ns,
            Fault::DiskSlow => faults.disk_slow_every_ns,
            Fault::ClockStep => faults.clock_step_every_ns,
            Fault::Clog => faults.clog_every_ns,
            Fault::Swizzle => faults.swizzle_every_ns,
            Fault::HalfOpen => faults.half_open_every_ns,
            Fault::Lookup => faults.lookup_every_ns,
        }
    }
}

impl Sim {
    /// Lets the seed's faults strike `nodes` for `time`, then mends everything: dead nodes are
    /// restarted and ready, all ways are open. `others` can be cut off from the nodes, and lose
    /// connections, but are not killed. In a world without faults this only waits.
    ///
    /// Nodes that used their disks before it begins also end inside file calls, and have full, failing and slow disks;
    /// of those that looked at their wall clocks, the clocks are set. Disks that lie or are lost with their machine
    /// are left to tests that ask for them ([`DiskFaults::lie`], [`Kill::Wipe`]): no program survives them alone.
    ///
    /// # Errors
    /// If a node that was restarted fails to start.
    pub async fn chaos(&self, nodes: &[Node], others: &[Node], time: Duration) -> Result<(), String> {
        let scope = runtime::Scope::new();
        let any =
            |uses: fn(&NodeState) -> bool| nodes.iter().any(|node| this(|core| uses(&core.nodes[node.index as usize])));
        // Faults that nobody could feel are not even begun: a run without a file is what it was.
        let uses_disks = any(|node| node.disk.state.is_used);
        let looks_at_clocks = any(|node| node.clock.is_used);
        let of_disks = Fault::OF_DISKS.into_iter().filter(|_| uses_disks);
        let of_clocks = Some(Fault::ClockStep).filter(|_| looks_at_clocks);
        for fault in Fault::ALL.into_iter().chain(of_disks).chain(of_clocks) {
            let every_ns = this(|core| fault.every_ns(core));
            if every_ns > 0 {
                // One stream per kind: to leave one out moves no other.
                let stream = this(|core| core.draws.stream(Purpose::Faults, fault as u64));
                let (sim, nodes, others) = (*self, nodes.to_vec(), others.to_vec());
                scope.spawn("chaos", async move { strike(sim, fault, every_ns, stream, nodes, others).await });
            }
        }
        runtime::sleep(time).await;
        drop(scope);
        self.mend(nodes).await
    }

    /// Ends all faults: ways are open, limits lifted, and dead nodes of `nodes` run again and are ready.
    ///
    /// # Errors
    /// If a node that was restarted fails to start.
    pub async fn mend(&self, nodes: &[Node]) -> Result<(), String> {
        self.heal();
        for node in nodes {
            self.limit_handles(node, None);
            this(|core| core.mend_disk(node.index));
            if this(|core| core.nodes[node.index as usize].lookups_fail) {
                self.fail_lookups(node, false);
            }
            if this(|core| core.nodes[node.index as usize].paused.is_some()) {
                this(|core| core.resume(node.index));
            }
            if !node.is_running() {
                node.restart();
                node.started().await?;
            }
        }
        Ok(())
    }
}

fn this<R>(f: impl FnOnce(&mut Core) -> R) -> R {
    engine().expect("chaos runs inside a simulation").with(f)
}

/// One kind of fault, again and again.
async fn strike(sim: Sim, fault: Fault, every_ns: u64, mut stream: Stream, nodes: Vec<Node>, others: Vec<Node>) {
    let hold_ns = this(|core| core.physics.faults.hold_ns);
    loop {
        let gap = stream.between(every_ns / 10, every_ns * 19 / 10);
        runtime::sleep(Duration::from_nanos(gap)).await;
        let hold = Duration::from_nanos(stream.between(hold_ns.0, hold_ns.1));
        let (pick, coin) = (stream.u64(), stream.u64());
        let running = this(|core| core.running(&nodes.iter().map(|node| node.index).collect::<Vec<_>>()));
        let Some(&index) = running.get((pick % running.len().max(1) as u64) as usize) else { continue };
        let node = nodes.iter().find(|node| node.index == index).expect("picked among them").clone();
        this(|core| core.record(index, 0, Kind::Fault, fault as u64, 0, || format!("{fault:?} for {hold:?}")));
        match fault {
            Fault::Crash => kill(sim, &node, Kill::Crash, hold).await,
            Fault::Power => kill(sim, &node, Kill::Power, hold).await,
            Fault::Pause => sim.pause(&node, hold),
            Fault::Partition => {
                let (one, other) = split(&nodes, &others, &node, coin);
                sim.partition(&one, &other);
                runtime::sleep(hold).await;
                sim.rejoin(&one, &other);
            }
            Fault::OneWay => {
                let (one, other) = split(&nodes, &others, &node, coin);
                let (from, to) = if coin & 1 == 0 { (one, other) } else { (other, one) };
                sim.partition_one_way(&from, &to);
                runtime::sleep(hold).await;
                sim.rejoin_one_way(&from, &to);
            }
            Fault::Reset => {
                sim.reset_one(&node);
            }
            Fault::Emfile => {
                sim.limit_handles(&node, Some(coin % 2));
                runtime::sleep(hold).await;
                sim.limit_handles(&node, None);
            }
            Fault::CrashPoint => {
                let how = if coin & 1 == 0 { Kill::Crash } else { Kill::Power };
                sim.kill_inside(&node, how, 1 + (coin >> 8) as u32 % 8);
                runtime::sleep(hold).await;
                this(|core| core.nodes[index as usize].disk.state.crash = None);
                if !node.is_running() {
                    node.restart();
                }
            }
            Fault::ClockStep => {
                // Mostly small ones, as by a daemon that sets the time; sometimes an hour, as by a person.
                let by_ms = 1 << ((coin >> 8) % 23);
                sim.step_clock(&node, if coin & 1 == 0 { by_ms } else { -by_ms });
            }
            Fault::DiskFull => {
                sim.limit_disk(&node, Some(coin % 2_000));
                runtime::sleep(hold).await;
                sim.limit_disk(&node, None);
            }
            Fault::DiskError => {
                let own = this(|core| core.physics.disk.faults);
                let failing = DiskFaults { read_error: 0.2, write_error: 0.5, sync_error: 0.5, ..own };
                sim.set_disk(&node, failing);
                runtime::sleep(hold).await;
                sim.set_disk(&node, own);
            }
            Fault::DiskSlow => {
                let own = this(|core| core.physics.disk.faults);
                let latency = DiskLatency::shape(1_000_000 << (coin % 11), coin >> 8 & 1 == 0);
                sim.set_disk(&node, DiskFaults { latency, ..own });
                runtime::sleep(hold).await;
                sim.set_disk(&node, own);
            }
            Fault::Clog => {
                let (one, other) = split(&nodes, &others, &node, coin);
                let (from, to) = if coin & 1 == 0 { (one, other) } else { (other, one) };
                sim.clog(&from, &to);
                runtime::sleep(hold).await;
                sim.unclog(&from, &to);
            }
            Fault::Swizzle => {
                let all: Vec<Node> = nodes.iter().chain(&others).cloned().collect();
                sim.swizzle(&all, hold).await;
            }
            Fault::HalfOpen => {
                sim.forget_one(&node);
            }
            Fault::Lookup => {
                sim.fail_lookups(&node, true);
                runtime::sleep(hold).await;
                sim.fail_lookups(&node, false);
            }
        }
    }
}

async fn kill(sim: Sim, node: &Node, how: Kill, hold: Duration) {
    sim.kill(node, how);
    runtime::sleep(hold).await;
    // Another kind of fault may have found it dead and left it alone; only this one restarts it.
    if !node.is_running() {
        node.restart();
    }
}

/// Divides everybody into two groups; `node` is in the first.
fn split(nodes: &[Node], others: &[Node], node: &Node, coin: u64) -> (Vec<Node>, Vec<Node>) {
    nodes.iter().chain(others).cloned().partition(|other| other == node || coin >> (8 + other.index % 48) & 1 == 1)
}
