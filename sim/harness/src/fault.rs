//! The kinds of faults: what each does, and by which of its effects one sees that it tested something.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{self as runtime, sync::Mutex};
use simurgh_sim::{DiskFaults, DiskLatency, Effect, Kill, Node, Sim};

use crate::subject::World;

type StrikeFn = Arc<dyn Fn(Strike) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A kind of fault.
#[derive(Clone)]
pub struct FaultKind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) takes: Takes,
    /// What it may count, by name, and from which effects of the simulator; of none if the fault counts it itself.
    pub(crate) measures: Vec<(&'static str, &'static [Effect])>,
    pub(crate) strike: StrikeFn,
}

/// What a fault takes away while it lasts, for the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing that a budget counts.
    Nothing,
    /// The nodes that it strikes.
    Nodes,
    /// The ways between two groups.
    Ways,
}

/// One fault as it strikes.
#[derive(Clone)]
pub struct Strike {
    /// The world.
    pub world: World,
    /// Whom it strikes.
    pub nodes: Vec<Node>,
    /// For faults that take ways: the ways, from whom to whom; each is meant one way.
    pub ways: Vec<(Vec<Node>, Vec<Node>)>,
    /// How long it lasts.
    pub hold: Duration,
    /// How strong it is; what that means, the kind says.
    pub by: f64,
    /// Both directions of a way are taken: it is no cut of one way.
    pub both: bool,
    /// Drawn for this strike.
    pub coin: u64,
    /// What it counted itself.
    pub(crate) counted: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl FaultKind {
    /// A kind of fault. `strike` begins it, waits for [`Strike::hold`], and mends it.
    pub fn new<F>(name: &'static str, about: &'static str, strike: impl Fn(Strike) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let strike: StrikeFn = Arc::new(move |fault| Box::pin(strike(fault)));
        Self { name, about, takes: Takes::Nothing, measures: Vec::new(), strike }
    }

    /// What it takes away while it lasts.
    pub fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// It counts this itself ([`Strike::count`]).
    pub fn measure(mut self, name: &'static str) -> Self {
        self.measures.push((name, &[]));
        self
    }

    fn sees(mut self, name: &'static str, effects: &'static [Effect]) -> Self {
        self.measures.push((name, effects));
        self
    }
}

impl Strike {
    /// Counts an effect that the kind has declared as a measure.
    pub fn count(&self, measure: &'static str, more: u64) {
        *self.counted.lock().entry(measure).or_default() += more;
    }

    fn sim(&self) -> Sim {
        self.world.sim
    }

    async fn holds(&self) {
        runtime::sleep(self.hold).await;
    }
}

/// The faults that every program has.
pub(crate) fn built_in() -> impl Iterator<Item = FaultKind> {
    of_nodes().into_iter().chain(of_ways()).chain(of_machines())
}

fn of_nodes() -> Vec<FaultKind> {
    let kill = |name, about, how| {
        FaultKind::new(name, about, move |strike| kill(strike, how)).takes(Takes::Nodes).measure("killed")
    };
    let away = |kind: FaultKind| kind.takes(Takes::Nodes);
    vec![
        kill(
            "kill.crash",
            "processes die; their kernels reset the connections; they start again after `hold`",
            Kill::Crash,
        )
        .sees("connections_reset", &[Effect::Crash]),
        kill("kill.power", "machines lose power: silence, and what was not synced may be lost", Kill::Power)
            .sees("connections_silent", &[Effect::Power])
            .sees("unsynced_lost", &[Effect::Unsynced, Effect::Undone]),
        kill("kill.wipe", "machines are lost with their disks; what starts next finds an empty one", Kill::Wipe)
            .sees("files_gone", &[Effect::Wipe]),
        away(FaultKind::new("stop", "processes are asked to end, and start again after `hold`", stop))
            .measure("stopped"),
        away(FaultKind::new("pause", "processes are stopped for `hold`, as by SIGSTOP", |strike| async move {
            for node in &strike.nodes {
                strike.sim().pause(node, strike.hold);
            }
            strike.holds().await;
        }))
        .sees("polls_waited", &[Effect::Pause]),
        FaultKind::new("crash_point", "processes end inside one of their next `by` file calls", crash_point)
            .takes(Takes::Nodes)
            .sees("ended_inside", &[Effect::CrashPoint]),
    ]
}

fn of_ways() -> Vec<FaultKind> {
    vec![
        FaultKind::new("partition", "ways between two groups are cut; what is sent waits", |strike| async move {
            let sim = strike.sim();
            for (from, to) in &strike.ways {
                if strike.both { sim.partition(from, to) } else { sim.partition_one_way(from, to) }
            }
            strike.holds().await;
            for (from, to) in &strike.ways {
                if strike.both { sim.rejoin(from, to) } else { sim.rejoin_one_way(from, to) }
            }
        })
        .takes(Takes::Ways)
        .sees("dropped", &[Effect::Partition, Effect::OneWay]),
        FaultKind::new(
            "clog",
            "ways between two groups hold everything, and release it at once",
            |strike| async move {
                let sim = strike.sim();
                let both = |f: &dyn Fn(&[Node], &[Node])| {
                    for (from, to) in &strike.ways {
                        f(from, to);
                        if strike.both {
                            f(to, from);
                        }
                    }
                };
                both(&|from, to| sim.clog(from, to));
                strike.holds().await;
                both(&|from, to| sim.unclog(from, to));
            },
        )
        .takes(Takes::Ways)
        .sees("held", &[Effect::Clog]),
        FaultKind::new(
            "swizzle",
            "the ways of some nodes clog one after the other, and open in another order",
            |strike| async move { strike.sim().swizzle(&strike.nodes, strike.hold).await },
        )
        .sees("held", &[Effect::Swizzle]),
        FaultKind::new("bandwidth", "the ways of the nodes are `by` bytes a second wide", |strike| async move {
            let sim = strike.sim();
            let all: Vec<Node> = strike.world.nodes.values().flatten().cloned().collect();
            sim.limit_bandwidth(&strike.nodes, &all, strike.by.max(1.0) as u64);
            strike.holds().await;
            sim.limit_bandwidth(&strike.nodes, &all, 0);
        })
        .sees("waited", &[Effect::Bandwidth])
        .sees("dropped", &[Effect::QueueFull]),
        FaultKind::new("reset", "one connection of each node is reset", |strike| async move {
            let resets = strike.nodes.iter().filter(|node| strike.sim().reset_one(node)).count();
            strike.count("reset", resets as u64);
        })
        .measure("reset"),
        FaultKind::new(
            "half_open",
            "one connection of each node is lost, and the other side not told",
            |strike| async move {
                let lost = strike.nodes.iter().filter(|node| strike.sim().forget_one(node)).count();
                strike.count("half_open", lost as u64);
            },
        )
        .measure("half_open"),
    ]
}

fn of_machines() -> Vec<FaultKind> {
    vec![
        FaultKind::new("emfile", "processes have only `by` more file handles for `hold`", |strike| async move {
            strike.nodes.iter().for_each(|node| strike.sim().limit_handles(node, Some(strike.by as u64)));
            strike.holds().await;
            strike.nodes.iter().for_each(|node| strike.sim().limit_handles(node, None));
        })
        .sees("refused", &[Effect::Emfile]),
        FaultKind::new("lookup", "host look-ups fail for `hold`", |strike| async move {
            strike.nodes.iter().for_each(|node| strike.sim().fail_lookups(node, true));
            strike.holds().await;
            strike.nodes.iter().for_each(|node| strike.sim().fail_lookups(node, false));
        })
        .sees("failed", &[Effect::LookupFailed]),
        FaultKind::new("disk.full", "disks have room for `by` more bytes for `hold`", |strike| async move {
            strike.nodes.iter().for_each(|node| strike.sim().limit_disk(node, Some(strike.by as u64)));
            strike.holds().await;
            strike.nodes.iter().for_each(|node| strike.sim().limit_disk(node, None));
        })
        .sees("refused", &[Effect::DiskFull]),
        FaultKind::new("disk.error", "the share `by` of file calls fails with EIO for `hold`", |strike| async move {
            let by = strike.by;
            of_disks(strike, |own| DiskFaults { read_error: by, write_error: by, sync_error: by, ..own }).await;
        })
        .sees("failed", &[Effect::DiskError]),
        FaultKind::new("disk.slow", "writes and syncs take up to `by` milliseconds for `hold`", |strike| async move {
            let most_ns = (strike.by * 1e6) as u64;
            of_disks(strike, |own| DiskFaults { latency: DiskLatency::UpTo(most_ns), ..own }).await;
        })
        .sees("slow", &[Effect::DiskSlow]),
        FaultKind::new(
            "disk.lie",
            "the share `by` of syncs says yes and does nothing for `hold`",
            |strike| async move {
                let by = strike.by;
                of_disks(strike, |own| DiskFaults { lie: by, ..own }).await;
            },
        )
        .sees("lied", &[Effect::DiskLie]),
        FaultKind::new("clock.step", "wall clocks are set `by` milliseconds ahead, or back", |strike| async move {
            strike.nodes.iter().for_each(|node| strike.sim().step_clock(node, strike.by as i64));
        })
        .sees("seen", &[Effect::ClockStep]),
        FaultKind::new("clock.drift", "wall clocks gain `by` microseconds in each second", |strike| async move {
            strike.nodes.iter().for_each(|node| strike.sim().drift_clock(node, (strike.by * 1e3) as i64));
            strike.holds().await;
            strike.nodes.iter().for_each(|node| strike.sim().drift_clock(node, 0));
        })
        .sees("off", &[Effect::ClockOff]),
    ]
}

async fn kill(strike: Strike, how: Kill) {
    for node in &strike.nodes {
        strike.sim().kill(node, how);
    }
    strike.count("killed", strike.nodes.len() as u64);
    strike.holds().await;
    start_again(&strike.nodes);
}

async fn stop(strike: Strike) {
    const PATIENCE: Duration = Duration::from_mins(2);
    for node in &strike.nodes {
        node.stop(PATIENCE).await;
    }
    strike.count("stopped", strike.nodes.len() as u64);
    strike.holds().await;
    start_again(&strike.nodes);
}

async fn crash_point(strike: Strike) {
    for node in &strike.nodes {
        let how = if strike.coin & 1 == 0 { Kill::Crash } else { Kill::Power };
        let calls = 1 + (strike.coin >> 8) as u32 % (strike.by.max(1.0) as u32);
        strike.sim().kill_inside(node, how, calls);
    }
    strike.holds().await;
    start_again(&strike.nodes);
}

fn start_again(nodes: &[Node]) {
    for node in nodes.iter().filter(|node| !node.is_running()) {
        node.restart();
    }
}

async fn of_disks(strike: Strike, faults: impl Fn(DiskFaults) -> DiskFaults + Send) {
    let sim = strike.sim();
    let own: Vec<DiskFaults> = strike.nodes.iter().map(|node| sim.disk(node)).collect();
    for (node, own) in strike.nodes.iter().zip(&own) {
        sim.set_disk(node, faults(*own));
    }
    strike.holds().await;
    for (node, own) in strike.nodes.iter().zip(own) {
        sim.set_disk(node, own);
    }
}
