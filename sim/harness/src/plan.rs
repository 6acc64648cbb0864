//! A resolved file, with types: what exactly one run is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use simurgh_sim::{
    Clocks, Datagrams, Decision, DiskFaults, DiskLatency, DiskPhysics, Draws, Faults, Latency, Lookups, Physics,
    Purpose, Schedule,
};

use crate::file::{Condition, Knob, Node, Scenario, What, knob_of, resolve, span_of};
use crate::registry::{Params, Registry};
use crate::subject::{Planned, Subject};
use crate::value::{Unit, Value};

/// The kinds of progress that `[expect] live` may demand.
pub(crate) const PROGRESS: [&str; 3] = ["calls_answered", "converged", "quiescent"];

/// What exactly one run is.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) level: String,
    pub(crate) planted: Option<String>,
    /// The subject, if the file names it.
    subject: Option<String>,
    pub(crate) seed: u64,
    pub(crate) roles: Vec<RolePlan>,
    pub(crate) physics: Physics,
    pub(crate) warmup_ns: u64,
    pub(crate) chaos_ns: u64,
    pub(crate) calm_ns: u64,
    pub(crate) max_polls: u64,
    pub(crate) workloads: Vec<WorkloadPlan>,
    pub(crate) faults: Vec<FaultPlan>,
    pub(crate) budget: Budget,
    pub(crate) knobs: BTreeMap<String, Value>,
    pub(crate) invariants: Vec<InvariantPlan>,
    pub(crate) never: Vec<String>,
    pub(crate) live: Option<Live>,
    pub(crate) decisions: Option<Vec<Decision>>,
    /// The resolved file.
    pub(crate) file: Node,
}

#[derive(Debug, Clone)]
pub(crate) struct RolePlan {
    pub(crate) name: String,
    pub(crate) count: u32,
    /// If not all of them are there: who is.
    only: Option<Vec<String>>,
    pub(crate) zones: u32,
    pub(crate) versions: u32,
    pub(crate) is_supervised: bool,
    pub(crate) knobs: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
pub(crate) struct WorkloadPlan {
    pub(crate) name: String,
    pub(crate) clients: String,
    rate: f64,
    ops: Vec<(String, u64)>,
    most: Option<u64>,
    only: Option<Vec<String>>,
    pub(crate) cases: u32,
}

/// When a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// So long after the chaos phase began.
    At(u64),
    /// When the probe is passed so often since then.
    Probe(String, u64),
}

#[derive(Debug, Clone)]
pub(crate) struct FaultPlan {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) target: Target,
    pub(crate) others: Option<Vec<String>>,
    pub(crate) direction: String,
    pub(crate) trigger: Trigger,
    pub(crate) hold: Duration,
    pub(crate) by: f64,
    pub(crate) coin: u64,
}

/// Whom a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Selector(String),
    Nodes(Vec<String>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Budget {
    pub(crate) dead_at_once: Option<usize>,
    pub(crate) keep: String,
    pub(crate) per_run: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct InvariantPlan {
    pub(crate) name: String,
    /// If the file says when.
    pub(crate) check: Option<String>,
    pub(crate) period_ns: u64,
    pub(crate) params: Params,
}

#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) is_quorum: bool,
    pub(crate) within: Duration,
    pub(crate) what: Vec<String>,
}

impl RolePlan {
    /// The numbers of its nodes, from 1.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        let is_there = |number: &u32| self.only.as_ref().is_none_or(|only| only.contains(&self.name_of(*number)));
        (1..=self.count).filter(is_there)
    }

    /// The name of one of its nodes.
    pub(crate) fn name_of(&self, number: u32) -> String {
        format!("{}{number}", self.name)
    }

    /// The names of its nodes.
    pub(crate) fn names(&self) -> Vec<String> {
        self.numbers().map(|number| self.name_of(number)).collect()
    }
}

/// Reads values of a resolved file.
struct Read<'a>(&'a Node);

impl Read<'_> {
    fn number(&self, path: &str, unit: Unit) -> Option<f64> {
        self.0.find(path).and_then(|node| span_of(node, unit).ok()).map(|span| span.low)
    }

    fn share(&self, path: &str) -> f64 {
        self.number(path, Unit::Share).unwrap_or(0.0)
    }

    fn time(&self, path: &str, default_ns: u64) -> u64 {
        self.number(path, Unit::Time).map_or(default_ns, |ns| ns as u64)
    }

    fn count(&self, path: &str) -> Option<u64> {
        self.number(path, Unit::Count).map(|count| count as u64)
    }

    fn text(&self, path: &str, default: &str) -> String {
        self.0.find(path).and_then(Node::as_text).unwrap_or(default).to_owned()
    }

    fn texts(&self, path: &str) -> Option<Vec<String>> {
        let node = self.0.find(path)?;
        Some(node.items().iter().filter_map(Node::as_text).map(str::to_owned).collect())
    }

    fn values(&self, path: &str) -> BTreeMap<String, Value> {
        let entries = self.0.find(path).map_or(&[][..], Node::entries);
        entries.iter().filter_map(|entry| Some((entry.key.clone(), value(&knob_of(&entry.node).ok()?)))).collect()
    }

    fn items(&self, path: &str) -> &[Node] {
        self.0.find(path).map_or(&[][..], Node::items)
    }
}

fn value(knob: &Knob) -> Value {
    match knob {
        Knob::Span(Unit::Time, span) => Value::Time(span.low as u64),
        Knob::Span(_, span) => Value::Number(span.low),
        Knob::Text(text) => Value::Text(text.clone()),
        Knob::Bool(yes) => Value::Bool(*yes),
        Knob::List(items) => Value::List(items.iter().map(value).collect()),
    }
}

impl Plan {
    /// What a scenario is under a seed.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let file = resolve(&scenario.root, seed);
        let read = Read(&file);
        let roles = file.get("topology").map_or(&[][..], Node::entries).iter();
        let roles = roles.map(|entry| {
            let read = Read(&entry.node);
            RolePlan {
                name: entry.key.clone(),
                count: read.count("count").unwrap_or(1) as u32,
                only: read.texts("only"),
                zones: read.count("zones").unwrap_or(1).max(1) as u32,
                versions: read.count("versions").unwrap_or(1).max(1) as u32,
                is_supervised: read.text("restart", "supervised") == "supervised",
                knobs: read.values("knobs"),
            }
        });
        Self {
            name: scenario.name().to_owned(),
            why: scenario.why().to_owned(),
            level: read.text("level", "distributed"),
            subject: file.get("subject").and_then(Node::as_text).map(str::to_owned),
            planted: file.get("planted").and_then(Node::as_text).map(str::to_owned),
            seed,
            roles: roles.collect(),
            physics: physics(&read),
            warmup_ns: read.time("time.warmup", 1_000_000_000),
            chaos_ns: read.time("time.chaos", 10_000_000_000),
            calm_ns: read.time("time.calm", 10_000_000_000),
            max_polls: read.count("time.max_steps").unwrap_or(50_000_000),
            workloads: read.items("workload").iter().map(workload).collect(),
            faults: read.items("fault").iter().map(fault).collect(),
            budget: Budget {
                dead_at_once: read.count("budget.dead_at_once").map(|count| count as usize),
                keep: read.text("budget.keep", "nothing"),
                per_run: read.count("budget.per_run").map(|count| count as usize),
            },
            knobs: read.values("swarm.knobs"),
            invariants: read.items("invariant").iter().map(invariant).collect(),
            never: read.texts("expect.never").unwrap_or_default(),
            live: file.find("expect.live").map(|_| Live {
                is_quorum: read.text("expect.live.core", "all") == "quorum",
                within: Duration::from_nanos(read.time("expect.live.within", 10_000_000_000)),
                what: read
                    .texts("expect.live.what")
                    .unwrap_or_else(|| PROGRESS[..1].iter().map(|&what| what.to_owned()).collect()),
            }),
            decisions: file.find("plan.decisions").map(|node| node.items().iter().filter_map(decision).collect()),
            file,
        }
    }

    /// What is simulated.
    pub(crate) fn subject<'a>(&self, registry: &'a Registry) -> Option<&'a Subject> {
        let of_workload = || Some(registry.workloads.get(self.workloads.first()?.name.as_str())?.subject);
        registry.subjects.get(self.subject.as_deref().or_else(of_workload)?)
    }

    /// Whether a role's nodes are clients.
    pub(crate) fn is_client(&self, role: &str) -> bool {
        self.workloads.iter().any(|workload| workload.clients == role)
    }

    /// The operations of one client of a workload, in the order of time.
    pub(crate) fn operations(
        &self,
        workload: &WorkloadPlan,
        client: &str,
        clients: u32,
        registry: &Registry,
    ) -> Arc<Vec<Planned>> {
        let known: &[&'static str] = registry.workloads.get(workload.name.as_str()).map_or(&[], |kind| &kind.ops);
        let weights: Vec<(&'static str, u64)> = if workload.ops.is_empty() {
            known.iter().map(|op| (*op, 1)).collect()
        } else {
            let name_of = |(op, weight): &(String, u64)| Some((*known.iter().find(|known| *known == op)?, *weight));
            workload.ops.iter().filter_map(name_of).collect()
        };
        let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
        let pick = |draw: f64| {
            let mut left = (draw * total as f64) as u64;
            weights.iter().find(|(_, weight)| {
                let is_it = left < *weight;
                left = left.saturating_sub(*weight);
                is_it
            })
        };
        let each_ns = 1e9 * f64::from(clients.max(1)) / workload.rate.max(1e-6);
        let most = workload.most.unwrap_or(u64::MAX);
        let draws = Draws::new(self.seed);
        let mut planned = Vec::new();
        let end = self.warmup_ns + self.chaos_ns;
        for number in 1..=most {
            // Each in a slot of its own: to leave one out moves no other.
            let mut stream = draws.named(Purpose::Workload, &format!("{client} slot {number}"));
            let at_ns = self.warmup_ns + ((number as f64 - 1.0 + stream.unit()) * each_ns) as u64;
            let (draw, is_last) = (stream.unit(), at_ns >= end);
            if let Some((name, _)) = pick(draw) {
                let at_ns = if is_last { end + 1 } else { at_ns };
                planned.push(Planned { number, name, at_ns, is_last });
            }
            if is_last || total == 0 {
                break;
            }
        }
        if let Some(only) = &workload.only {
            planned.retain(|op| only.iter().any(|only| *only == format!("{client}#{}", op.number)));
        }
        Arc::new(planned)
    }

    /// The operations of all clients, each with the name of its client.
    pub(crate) fn all_operations(&self, registry: &Registry) -> Vec<(String, Planned)> {
        let mut all = Vec::new();
        for role in &self.roles {
            // As a client is installed: the first workload of its role is its program.
            let Some(workload) = self.workloads.iter().find(|workload| workload.clients == role.name) else { continue };
            for client in role.names() {
                let planned = self.operations(workload, &client, role.count, registry);
                all.extend(planned.iter().map(|op| (client.clone(), op.clone())));
            }
        }
        all
    }

    /// The names of a role's nodes.
    pub(crate) fn names_of(&self, role: &str) -> Vec<String> {
        self.roles.iter().find(|known| known.name == role).map_or_else(Vec::new, RolePlan::names)
    }

    /// All roles' names.
    pub(crate) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }
}

fn physics(read: &Read<'_>) -> Physics {
    let (fast, slow) = (read.time("link.latency.fast", 1_000_000), read.time("link.latency.slow", 10_000_000));
    let latency = match read.text("link.latency.shape", "fixed").as_str() {
        "uniform" => Latency::Uniform(fast.min(slow), slow.max(fast)),
        "exponential" => Latency::Exponential(fast, slow),
        "bimodal" => Latency::Bimodal(fast, slow, read.number("link.latency.slow_share", Unit::Share).unwrap_or(0.01)),
        _ => Latency::Fixed(fast),
    };
    let strategy = match read.text("schedule.strategy", "random").as_str() {
        "fifo" => Schedule::Fifo,
        "pos" => Schedule::Pos,
        "pct" => Schedule::Pct {
            depth: read.count("schedule.depth").unwrap_or(2).max(1) as u32,
            length: read.count("schedule.length").unwrap_or(1024).max(1),
        },
        _ => Schedule::Random,
    };
    let disk_latency = read.time("disk.latency", 0);
    Physics {
        latency,
        loss: read.share("link.loss"),
        pair_latency_max_ns: read.time("link.per_pair", 0),
        bandwidth_min: read.number("link.bandwidth", Unit::Bandwidth).unwrap_or(0.0) as u64,
        datagrams: Datagrams {
            loss_max: read.share("link.loss"),
            duplicate_max: read.share("link.duplicate"),
            reorder_max: read.share("link.reorder"),
            corrupt_max: read.share("link.corrupt"),
            no_fragments_max: read.share("link.no_fragments"),
        },
        lookups: Lookups { fail_max: read.share("link.lookup_fail"), slow_max: read.share("link.lookup_slow") },
        split: read.share("link.split"),
        preempt: read.share("schedule.preempt"),
        buggify: read.share("swarm.buggify.runs") >= 1.0,
        buggify_site: (
            read.number("swarm.buggify.site_on", Unit::Share).unwrap_or(0.25),
            read.number("swarm.buggify.fires", Unit::Share).unwrap_or(0.25),
        ),
        clocks: Clocks {
            skew_max_ns: read.time("clock.skew", 0),
            drift_max_ppb: (read.number("clock.drift_ppm", Unit::Number).unwrap_or(0.0) * 1000.0) as u64,
        },
        disk: DiskPhysics {
            loses_unsynced: read.share("disk.torn_write") > 0.0,
            faults: DiskFaults {
                short: read.share("disk.short"),
                read_error: read.share("disk.read_error"),
                write_error: read.share("disk.write_error"),
                sync_error: read.share("disk.sync_error"),
                lie: read.share("disk.lie"),
                latency: if disk_latency == 0 { DiskLatency::None } else { DiskLatency::UpTo(disk_latency) },
            },
        },
        faults: Faults::none(),
        schedule: strategy,
    }
}

fn workload(node: &Node) -> WorkloadPlan {
    let read = Read(node);
    let ops = node.get("ops").map_or(&[][..], Node::entries).iter();
    let weight = |node: &Node| span_of(node, Unit::Count).map_or(0, |span| span.low as u64);
    WorkloadPlan {
        name: read.text("name", ""),
        clients: read.text("clients", "client"),
        rate: read.number("rate", Unit::Rate).unwrap_or(10.0),
        ops: ops.map(|entry| (entry.key.clone(), weight(&entry.node))).collect(),
        most: read.count("most"),
        only: read.texts("only"),
        cases: read.count("cases").unwrap_or(100) as u32,
    }
}

fn fault(node: &Node) -> FaultPlan {
    let read = Read(node);
    let target = match node.get("target").map(|node| &node.what) {
        Some(What::List(_)) => Target::Nodes(read.texts("target").unwrap_or_default()),
        _ => Target::Selector(read.text("target", "one")),
    };
    FaultPlan {
        id: read.text("id", ""),
        kind: read.text("kind", ""),
        target,
        others: read.texts("others"),
        direction: read.text("direction", "both"),
        trigger: match node.get("on").and_then(Node::as_text) {
            Some(probe) => Trigger::Probe(probe.to_owned(), read.count("nth").unwrap_or(1)),
            None => Trigger::At(read.time("at", 0)),
        },
        hold: Duration::from_nanos(read.time("hold", 1_000_000_000)),
        by: read.number("by", Unit::Number).unwrap_or(1.0),
        coin: node.get("coin").map_or(0, |node| if let What::Int(coin) = node.what { coin as u64 } else { 0 }),
    }
}

fn invariant(node: &Node) -> InvariantPlan {
    let read = Read(node);
    InvariantPlan {
        name: read.text("name", ""),
        check: node.get("check").and_then(Node::as_text).map(str::to_owned),
        period_ns: read.time("period", 100_000_000),
        params: Params(read.values("params")),
    }
}

fn decision(node: &Node) -> Option<Decision> {
    let whole = |node: &Node| if let What::Int(number) = node.what { Some(number as u64) } else { None };
    let items = node.items();
    Some(Decision {
        poll: whole(items.first()?)?,
        place: whole(items.get(1)?)? as u32,
        budget: items.get(2).and_then(whole).map(|budget| budget as u8),
    })
}

/// What the faults of a set must have done.
pub(crate) fn effects_wanted(scenario: &Scenario) -> Vec<(String, Condition)> {
    let entries = scenario.root.find("expect.effect").map_or(&[][..], Node::entries);
    entries.iter().filter_map(|entry| Some((entry.key.clone(), Condition::parse(entry.node.as_text()?)?))).collect()
}

/// The texts of a list of the file.
pub(crate) fn texts(scenario: &Scenario, path: &str) -> Vec<String> {
    Read(&scenario.root).texts(path).unwrap_or_default()
}
