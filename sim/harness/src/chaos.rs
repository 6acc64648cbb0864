//! The faults of a plan as they strike: whom, within which budget, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{self as runtime, sync::Mutex};
use simurgh_sim::Node;

use crate::fault::{FaultKind, Strike, Takes};
use crate::plan::{FaultPlan, Plan, Target, Trigger};
use crate::record::{Measuring, Recorder};
use crate::registry::Registry;
use crate::report::FaultReport;
use crate::select::{self, Selecting, quorum};
use crate::subject::{Place, World};

/// Which ways a fault takes: from whom to whom.
type Ways = Vec<(Vec<Node>, Vec<Node>)>;

/// What all faults of a run share.
pub(crate) struct Chaos {
    pub(crate) world: World,
    pub(crate) plan: Arc<Plan>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) servers: Vec<Node>,
    pub(crate) clients: Vec<Node>,
    pub(crate) places: Vec<Place>,
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) state: Mutex<State>,
}

/// What is in force now.
#[derive(Default)]
pub(crate) struct State {
    /// Nodes that faults hold, with how many faults.
    pub(crate) away: BTreeMap<String, u32>,
    cuts: BTreeMap<usize, BTreeSet<(String, String)>>,
    open: BTreeMap<usize, Open>,
    struck: usize,
    /// Nodes whose disks were lost or lied.
    pub(crate) unreliable: BTreeSet<String>,
}

/// What faults have left wrong: who is cut off from whom, one way each, and whose process stands still until when.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) cuts: BTreeSet<(String, String)>,
    pub(crate) paused: BTreeMap<String, Duration>,
    pub(crate) narrow: BTreeSet<String>,
    pub(crate) drifting: BTreeSet<String>,
}

/// A strike that is not over.
struct Open {
    kind: FaultKind,
    nodes: Vec<Node>,
    ways: Ways,
    both: bool,
    /// When it would have been over, in virtual time.
    until: Duration,
}

impl Chaos {
    /// One fault, from its trigger to its end.
    pub(crate) async fn fault(self: Arc<Self>, fault: FaultPlan, probed_before: u64) {
        let sim = self.world.sim;
        match &fault.trigger {
            Trigger::At(ns) => runtime::sleep(Duration::from_nanos(*ns)).await,
            Trigger::Probe(probe, nth) => sim.passed(probe, probed_before + nth).await,
        }
        let Some(kind) = self.registry.faults.get(fault.kind.as_str()) else { return };
        let (index, strike) = match self.prepare(&fault, kind) {
            Ok(prepared) => prepared,
            Err(why) => return self.refuse(&fault, why),
        };
        (kind.strike)(strike).await;
        self.close(index);
    }

    /// What faults have left wrong now, if nobody mends it.
    pub(crate) fn left(&self) -> Left {
        let state = self.state.lock();
        let mut left = Left::default();
        for open in state.open.values() {
            if open.kind.takes == Takes::Ways {
                let cut = cuts_of(&open.ways);
                if open.both {
                    left.cuts.extend(cut.iter().map(|(from, to)| (to.clone(), from.clone())));
                }
                left.cuts.extend(cut);
            }
            let names = || open.nodes.iter().map(|node| node.name().to_owned());
            match open.kind.name {
                "pause" => left.paused.extend(names().map(|name| (name, open.until))),
                "bandwidth" => left.narrow.extend(names()),
                "clock.drift" => left.drifting.extend(names()),
                _ => {}
            }
        }
        left
    }

    /// Those strikes that are not over are over now.
    pub(crate) fn close_all(&self) {
        let open: Vec<usize> = self.state.lock().open.keys().copied().collect();
        for index in open {
            self.close(index);
        }
    }

    fn refuse(&self, fault: &FaultPlan, why: String) {
        let at_ns = self.world.sim.elapsed().as_nanos() as u64;
        let report = FaultReport { outcome: "refused".into(), why, at_ns, until_ns: Some(at_ns), ..report_of(fault) };
        self.recorder.lock().faults.push(report);
    }

    fn prepare(&self, fault: &FaultPlan, kind: &FaultKind) -> Result<(usize, Strike), String> {
        let mut state = self.state.lock();
        if self.plan.budget.per_run.is_some_and(|most| state.struck >= most) {
            return Err(format!("the budget of {} faults in a run is spent", state.struck));
        }
        let mut nodes = self.select(fault, kind)?;
        let wanted = nodes.len();
        let mut ways = self.ways(fault, kind, &nodes);
        let mut why = String::new();
        while let Err(breaks) = self.within_budget(&state, kind, &nodes, &ways) {
            why = breaks;
            nodes.pop();
            if nodes.is_empty()
                || matches!(&fault.target, Target::Selector(name) if name == "ring" || name == "all" || name == "pair")
                    && kind.takes == Takes::Ways
            {
                return Err(why);
            }
            ways = self.ways(fault, kind, &nodes);
        }
        let is_weakened = nodes.len() < wanted;
        state.struck += 1;
        let counted: Arc<Mutex<BTreeMap<&'static str, u64>>> = Arc::default();
        let names = |nodes: &[Node]| -> Vec<String> { nodes.iter().map(|node| node.name().to_owned()).collect() };
        let (one, others) = match ways.as_slice() {
            [(one, others)] if fault.direction == "in" => (names(others), names(one)),
            [(one, others)] => (names(one), names(others)),
            _ => (names(&nodes), Vec::new()),
        };
        let report = FaultReport {
            nodes: one,
            others,
            at_ns: self.world.sim.elapsed().as_nanos() as u64,
            outcome: if is_weakened { "weakened".into() } else { String::new() },
            why: if is_weakened { why } else { String::new() },
            ..report_of(fault)
        };
        let index = {
            let mut recorder = self.recorder.lock();
            recorder.faults.push(report);
            recorder.faults.len() - 1
        };
        if kind.takes == Takes::Nodes {
            for node in &nodes {
                *state.away.entry(node.name().to_owned()).or_default() += 1;
            }
        }
        if matches!(kind.name, "kill.wipe" | "disk.lie") {
            state.unreliable.extend(nodes.iter().map(|node| node.name().to_owned()));
        }
        state.cuts.insert(index, cuts_of(&ways));
        let open = Open {
            kind: kind.clone(),
            nodes: nodes.clone(),
            ways: ways.clone(),
            both: fault.direction == "both",
            until: self.world.sim.elapsed() + fault.hold,
        };
        let measuring = Measuring {
            measures: kind.measures.clone(),
            before: self.world.sim.effects(),
            counted: Arc::clone(&counted),
        };
        self.recorder.lock().measuring.insert(index, measuring);
        state.open.insert(index, open);
        let strike = Strike {
            world: self.world.clone(),
            nodes,
            ways,
            hold: fault.hold,
            by: fault.by,
            both: fault.direction == "both",
            coin: fault.coin,
            counted,
        };
        Ok((index, strike))
    }

    fn close(&self, index: usize) {
        let mut state = self.state.lock();
        let Some(open) = state.open.remove(&index) else { return };
        state.cuts.remove(&index);
        if open.kind.takes == Takes::Nodes {
            for node in &open.nodes {
                if let Some(count) = state.away.get_mut(node.name()) {
                    *count -= 1;
                    if *count == 0 {
                        state.away.remove(node.name());
                    }
                }
            }
        }
        let after = self.world.sim.effects();
        let mut recorder = self.recorder.lock();
        let measuring = recorder.measuring.remove(&index);
        let report = &mut recorder.faults[index];
        if let Some(measuring) = measuring {
            measuring.write(&after, report);
        }
        report.until_ns = Some(self.world.sim.elapsed().as_nanos() as u64);
    }

    fn select(&self, fault: &FaultPlan, kind: &FaultKind) -> Result<Vec<Node>, String> {
        let selecting = Selecting { world: &self.world, nodes: &self.servers, places: &self.places, coin: fault.coin };
        let nodes = match &fault.target {
            Target::Nodes(names) => selecting.named(names),
            Target::Selector(name) => match select::prefixed(name, &selecting) {
                Some(nodes) => nodes,
                None => match self.registry.selectors.get(name.as_str()) {
                    Some(selector) => (selector.select)(&selecting),
                    None => return Err(format!("there is no selector {name}")),
                },
            },
        };
        let is_power = matches!(kind.name, "kill.power" | "kill.wipe");
        let nodes: Vec<Node> =
            nodes.into_iter().filter(|node| kind.takes != Takes::Nodes || is_power || node.is_running()).collect();
        if nodes.is_empty() {
            return Err(match &fault.target {
                Target::Selector(name) => format!("{name} is nobody now"),
                Target::Nodes(names) => format!("{} cannot be struck now", names.join(", ")),
            });
        }
        Ok(nodes)
    }

    /// The ways between whom a fault strikes and the others.
    fn ways(&self, fault: &FaultPlan, kind: &FaultKind, nodes: &[Node]) -> Ways {
        if kind.takes != Takes::Ways {
            return Vec::new();
        }
        let all: Vec<Node> = self.servers.iter().chain(&self.clients).cloned().collect();
        match &fault.target {
            Target::Selector(name) if name == "pair" && nodes.len() == 2 => {
                return directed(&fault.direction, nodes[..1].to_vec(), nodes[1..].to_vec());
            }
            Target::Selector(name) if name == "all" => {
                let each = nodes
                    .iter()
                    .map(|one| (vec![one.clone()], all.iter().filter(|other| *other != one).cloned().collect()));
                return each.collect();
            }
            Target::Selector(name) if name == "ring" => return ring(nodes),
            _ => {}
        }
        let mut one = nodes.to_vec();
        if let Some(names) = &fault.others {
            let others = all.into_iter().filter(|node| names.iter().any(|name| name == node.name())).collect();
            return directed(&fault.direction, one, others);
        }
        if !matches!(fault.target, Target::Nodes(_)) {
            let with = self.clients.iter().enumerate().filter(|(at, _)| fault.coin >> (at % 32) & 1 == 1);
            one.extend(with.map(|(_, client)| client.clone()));
        }
        let others: Vec<Node> = all.into_iter().filter(|node| !one.contains(node)).collect();
        directed(&fault.direction, one, others)
    }

    fn within_budget(&self, state: &State, kind: &FaultKind, nodes: &[Node], ways: &Ways) -> Result<(), String> {
        let budget = &self.plan.budget;
        let mut away: BTreeSet<&str> = state.away.keys().map(String::as_str).collect();
        away.extend(self.servers.iter().filter(|node| !node.is_running()).map(Node::name));
        if kind.takes == Takes::Nodes {
            away.extend(nodes.iter().map(Node::name));
            if let Some(most) = budget.dead_at_once
                && away.len() > most
            {
                return Err(format!("{} nodes would be dead at once, the budget allows {most}", away.len()));
            }
        }
        let needed = match budget.keep.as_str() {
            "quorum" => quorum(self.servers.len()),
            "one" => 1,
            _ => return Ok(()),
        };
        if kind.takes == Takes::Nothing {
            return Ok(());
        }
        let mut cut = cuts_of(ways);
        cut.extend(state.cuts.values().flatten().cloned());
        let alive: Vec<&str> = self.servers.iter().map(Node::name).filter(|name| !away.contains(name)).collect();
        let connected = largest_group(&alive, &cut);
        if connected < needed {
            return Err(format!(
                "{connected} of {} nodes would be alive and connected, {} must be",
                self.servers.len(),
                budget.keep
            ));
        }
        Ok(())
    }
}

fn report_of(fault: &FaultPlan) -> FaultReport {
    FaultReport {
        id: fault.id.clone(),
        kind: fault.kind.clone(),
        target: match &fault.target {
            Target::Selector(name) => name.clone(),
            Target::Nodes(names) => names.join(", "),
        },
        direction: fault.direction.clone(),
        ..FaultReport::default()
    }
}

fn directed(direction: &str, one: Vec<Node>, others: Vec<Node>) -> Ways {
    if direction == "in" { vec![(others, one)] } else { vec![(one, others)] }
}

/// Each node reaches its two neighbours alone.
fn ring(nodes: &[Node]) -> Ways {
    let count = nodes.len();
    let mut ways = Vec::new();
    for (at, one) in nodes.iter().enumerate() {
        let far = (at + 2..count).filter(|other| other - at != count - 1).map(|other| nodes[other].clone());
        let far: Vec<Node> = far.collect();
        if !far.is_empty() {
            ways.push((vec![one.clone()], far));
        }
    }
    ways
}

fn cuts_of(ways: &Ways) -> BTreeSet<(String, String)> {
    let pairs = ways.iter().flat_map(|(one, others)| {
        one.iter().flat_map(move |from| others.iter().map(move |to| (from.name().to_owned(), to.name().to_owned())))
    });
    pairs.collect()
}

/// How many of those alive reach each other, over ways that are open both ways.
fn largest_group(alive: &[&str], cut: &BTreeSet<(String, String)>) -> usize {
    let open = |one: &str, other: &str| {
        !cut.contains(&(one.to_owned(), other.to_owned())) && !cut.contains(&(other.to_owned(), one.to_owned()))
    };
    let mut left: BTreeSet<&str> = alive.iter().copied().collect();
    let mut largest = 0;
    while let Some(first) = left.pop_first() {
        let (mut group, mut edge) = (1, vec![first]);
        while let Some(one) = edge.pop() {
            let reached: Vec<&str> = left.iter().copied().filter(|other| open(one, other)).collect();
            group += reached.len();
            for other in reached {
                left.remove(other);
                edge.push(other);
            }
        }
        largest = largest.max(group);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_group_is_what_open_ways_connect() {
        let cut = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
        };
        let nodes = ["a", "b", "c", "d", "e"];
        assert_eq!(largest_group(&nodes, &cut(&[])), 5);
        assert_eq!(
            largest_group(&nodes, &cut(&[("a", "c"), ("a", "d"), ("a", "e"), ("c", "b"), ("d", "b"), ("e", "b")])),
            3
        );
        assert_eq!(largest_group(&nodes[..1], &cut(&[])), 1);
        assert_eq!(largest_group(&[], &cut(&[])), 0);
    }
}
