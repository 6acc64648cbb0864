//! A file and a seed make a plan: every number a value, every fault an instance with its time.
//!
//! Each draw is keyed by the path of its field, or by the fault's id and the number of its strike. To leave out a
//! fault, an operation or a field moves no other draw.

use simurgh_sim::{Draws, Purpose, Stream};

use crate::value::{Span, Unit};

use super::check::{Knob, knob_of, span_of};
use super::fields::{Kind, ROOT, Table};
use super::tree::{Entry, Node, What};

/// Strikes of one fault in a plan, at most.
const STRIKES_MAX: u64 = 1000;
/// Of those that wait for a probe, unless the file says otherwise.
const ON_MAX: f64 = 8.0;

/// Resolves a file that was found right.
pub(crate) fn resolve(root: &Node, seed: u64) -> Node {
    let resolve = Resolve { draws: Draws::new(seed), omit: omit(root, seed) };
    let mut plan = resolve.table(root, &ROOT, "");
    plan.remove(&["bank"]); // what a run came to is no part of what it is
    resolve.omit_fields(&mut plan);
    resolve.schedule(&mut plan);
    resolve.buggify(&mut plan);
    plan.set(&["plan", "seed"], Node::text(seed.to_string()));
    for (path, default) in [("warmup", "1s"), ("chaos", "10s"), ("calm", "10s")] {
        if plan.find(&format!("time.{path}")).is_none() && text_of(root, "level") != "property" {
            plan.set(&["time", path], Node::text(default));
        }
    }
    // Last, because there may be many.
    resolve.faults(root, &mut plan);
    plan
}

fn text_of<'a>(root: &'a Node, path: &str) -> &'a str {
    root.find(path).and_then(Node::as_text).unwrap_or_default()
}

fn omit(root: &Node, seed: u64) -> f64 {
    let span = root.find("swarm.omit").and_then(|node| span_of(node, Unit::Share).ok());
    span.map_or(0.0, |span| Unit::Share.draw(span, &mut Draws::new(seed).named(Purpose::Topology, "swarm.omit")))
}

struct Resolve {
    draws: Draws,
    omit: f64,
}

/// A drawn number as a part of a file.
pub(crate) fn number(unit: Unit, value: f64) -> Node {
    match unit {
        Unit::Count => Node::made(What::Int(value as i64)),
        Unit::Number | Unit::Share => Node::made(What::Float(value)),
        _ if value == 0.0 => Node::made(What::Int(0)),
        _ => Node::text(unit.print(value).trim_matches('"')),
    }
}

impl Resolve {
    fn stream(&self, path: &str) -> Stream {
        self.draws.named(Purpose::Topology, path)
    }

    fn is_omitted(&self, family: &str) -> bool {
        self.stream(&format!("omit {family}")).chance(self.omit)
    }

    fn drawn(&self, node: &Node, unit: Unit, path: &str) -> Node {
        match span_of(node, unit) {
            Ok(span) => number(unit, unit.draw(span, &mut self.stream(path))),
            Err(_) => node.clone(),
        }
    }

    fn table(&self, node: &Node, table: &'static Table, path: &str) -> Node {
        let mut entries = Vec::new();
        for entry in node.entries() {
            let Some(field) = table.field(&entry.key) else { continue };
            let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            let node = match field.kind {
                Kind::Number(unit) => self.drawn(&entry.node, unit, &path),
                Kind::Table(table) => self.table(&entry.node, table, &path),
                Kind::Named(table) => Self::each(&entry.node, &path, |node, path| self.table(node, table, path)),
                Kind::Weights => Self::each(&entry.node, &path, |node, path| self.drawn(node, Unit::Count, path)),
                Kind::Values => Self::each(&entry.node, &path, |node, path| self.knob(node, path)),
                // Faults are resolved apart.
                Kind::Tables(_) if entry.key == "fault" => Node::made(What::List(Vec::new())),
                Kind::Tables(table) => {
                    let item = |(index, item): (usize, &Node)| {
                        let name = item.get("name").and_then(Node::as_text).unwrap_or_default();
                        let earlier = entry.node.items()[..index].iter();
                        let before =
                            earlier.filter(|other| other.get("name").and_then(Node::as_text) == Some(name)).count();
                        self.table(item, table, &format!("{path}.{name}.{before}"))
                    };
                    Node::made(What::List(entry.node.items().iter().enumerate().map(item).collect()))
                }
                _ => entry.node.clone(),
            };
            entries.push(Entry { key: entry.key.clone(), at: entry.at, node });
        }
        Node::made(What::Table(entries))
    }

    fn each(node: &Node, path: &str, f: impl Fn(&Node, &str) -> Node) -> Node {
        let entry = |entry: &Entry| Entry { node: f(&entry.node, &format!("{path}.{}", entry.key)), ..entry.clone() };
        Node::made(What::Table(node.entries().iter().map(entry).collect()))
    }

    fn knob(&self, node: &Node, path: &str) -> Node {
        match knob_of(node) {
            Ok(Knob::Span(Unit::Number, span)) if matches!(node.what, What::Int(_)) => {
                Node::made(What::Int(span.low as i64))
            }
            Ok(Knob::Span(unit, span)) => number(unit, unit.draw(span, &mut self.stream(path))),
            _ => node.clone(),
        }
    }

    /// Leaves out fields, knobs and operations that are off for this seed.
    fn omit_fields(&self, plan: &mut Node) {
        for group in ["link", "disk", "clock", "swarm.knobs"] {
            let path: Vec<&str> = group.split('.').collect();
            let keys: Vec<String> =
                plan.find(group).map_or(&[][..], Node::entries).iter().map(|entry| entry.key.clone()).collect();
            for key in keys.iter().filter(|key| *key != "latency" || group != "link") {
                if self.is_omitted(&format!("{group}.{key}")) {
                    plan.remove(&[path.as_slice(), &[key.as_str()]].concat());
                }
            }
        }
        if let What::Table(entries) = &mut plan.what
            && let Some(workloads) = entries.iter_mut().find(|entry| entry.key == "workload")
            && let What::List(workloads) = &mut workloads.node.what
        {
            for workload in workloads {
                let name = text_of(workload, "name").to_owned();
                let ops: Vec<String> =
                    workload.get("ops").map_or(&[][..], Node::entries).iter().map(|op| op.key.clone()).collect();
                let off: Vec<&String> = ops.iter().filter(|op| self.is_omitted(&format!("{name}.{op}"))).collect();
                // One stays.
                for op in off.iter().take(ops.len().saturating_sub(1)) {
                    workload.remove(&["ops", op.as_str()]);
                }
            }
        }
        if plan.find("swarm.omit").is_some() {
            plan.set(&["swarm", "omit"], Node::made(What::Float(0.0)));
        }
    }

    fn schedule(&self, plan: &mut Node) {
        if text_of(plan, "schedule.strategy") != "pct" {
            return;
        }
        for (field, default) in [("depth", "1..4"), ("length", "128..32768")] {
            if plan.find(&format!("schedule.{field}")).is_none() {
                let node = self.drawn(&Node::text(default), Unit::Count, &format!("schedule.{field}"));
                plan.set(&["schedule", field], node);
            }
        }
    }

    fn buggify(&self, plan: &mut Node) {
        if let Some(What::Float(runs)) = plan.find("swarm.buggify.runs").map(|node| node.what.clone()) {
            let on = if self.stream("buggify").chance(runs) { 1.0 } else { 0.0 };
            plan.set(&["swarm", "buggify", "runs"], Node::made(What::Float(on)));
        }
    }

    fn faults(&self, root: &Node, plan: &mut Node) {
        let chaos =
            plan.find("time.chaos").and_then(|node| span_of(node, Unit::Time).ok()).map_or(10e9, |span| span.low);
        let mut faults = root.get("fault").map_or(Vec::new(), |faults| faults.items().to_vec());
        let half_open = plan.find("link.half_open").cloned();
        if let Some(rate) = half_open.filter(|rate| span_of(rate, Unit::Rate).is_ok_and(|span| span.low > 0.0)) {
            let mut fault = Node::table();
            fault.set(&["id"], Node::text("link.half_open"));
            fault.set(&["kind"], Node::text("half_open"));
            fault.set(&["rate"], rate);
            faults.push(fault);
            plan.set(&["link", "half_open"], Node::made(What::Int(0)));
        }
        let mut known: Vec<String> = Vec::new();
        let mut instances = Vec::new();
        for fault in &faults {
            let kind = text_of(fault, "kind");
            let id = fault.get("id").and_then(Node::as_text).map_or_else(
                || {
                    let before = known.iter().filter(|known| known.split('#').next() == Some(kind)).count();
                    if before == 0 { kind.to_owned() } else { format!("{kind}#{}", before + 1) }
                },
                str::to_owned,
            );
            known.push(id.clone());
            if !self.is_omitted(&format!("fault {id}")) {
                instances.extend(self.instances(fault, &id, chaos));
            }
        }
        plan.remove(&["fault"]);
        if !instances.is_empty() {
            plan.set(&["fault"], Node::made(What::List(instances)));
        }
    }

    /// The strikes of one fault.
    fn instances(&self, fault: &Node, id: &str, chaos: f64) -> Vec<Node> {
        let span = |name: &str, unit| fault.get(name).and_then(|node| span_of(node, unit).ok());
        let draw = |name: &str, unit: Unit, strike: u64, default: f64| {
            let mut stream = self.draws.named(Purpose::Faults, &format!("{id} {strike} {name}"));
            span(name, unit).map_or(default, |span| unit.draw(span, &mut stream))
        };
        let by_probe = fault.get("on").is_some();
        let most = draw("max", Unit::Count, 0, if by_probe { ON_MAX } else { STRIKES_MAX as f64 }) as u64;
        let mut instances = Vec::new();
        let mut add = |strike: u64, is_one: bool, trigger: &[(&str, Node)], hold: f64| {
            let mut instance = Node::table();
            let name = if is_one { id.to_owned() } else { format!("{id}/{strike}") };
            instance.set(&["id"], Node::text(name));
            for key in ["kind", "target", "others", "direction"] {
                if let Some(node) = fault.get(key) {
                    instance.set(&[key], node.clone());
                }
            }
            for (key, node) in trigger {
                instance.set(&[key], node.clone());
            }
            instance.set(&["hold"], number(Unit::Time, hold));
            if span("by", Unit::Number).is_some() {
                instance.set(&["by"], number(Unit::Number, draw("by", Unit::Number, strike, 0.0)));
            }
            let coin = fault.get("coin").cloned().unwrap_or_else(|| {
                let coin = self.draws.named(Purpose::Faults, &format!("{id} {strike} coin")).below(1 << 32);
                Node::made(What::Int(coin as i64))
            });
            instance.set(&["coin"], coin);
            instances.push(instance);
        };
        let hold_of = |strike| draw("hold", Unit::Time, strike, 1e9);
        if fault.get("at").is_some() {
            add(1, true, &[("at", number(Unit::Time, draw("at", Unit::Time, 1, 0.0)))], hold_of(1));
        } else if let Some(probe) = fault.get("on") {
            let one = span("nth", Unit::Count).map(|_| draw("nth", Unit::Count, 1, 1.0) as u64);
            let first = one.unwrap_or(1);
            for strike in first..first + if one.is_some() { 1 } else { most } {
                let nth = Node::made(What::Int(strike as i64));
                add(strike, one.is_some(), &[("on", probe.clone()), ("nth", nth)], hold_of(strike));
            }
        } else {
            let (mut at, mut free) = (0.0f64, 0.0f64);
            for strike in 1..=most.min(STRIKES_MAX) {
                let wait = if fault.get("every").is_some() {
                    draw("every", Unit::Time, strike, 1e9)
                } else {
                    self.wait_of_rate(id, strike, span("rate", Unit::Rate))
                };
                at = (at + wait).max(free);
                if at >= chaos {
                    break;
                }
                let hold = hold_of(strike);
                free = at + if fault.get("gap").is_some() { hold + draw("gap", Unit::Time, strike, 0.0) } else { 0.0 };
                add(strike, false, &[("at", number(Unit::Time, (at / 1e4).round() * 1e4))], hold);
            }
        }
        instances
    }

    /// A Poisson process: waits are exponential, and cut at ten means.
    fn wait_of_rate(&self, id: &str, strike: u64, rate: Option<Span>) -> f64 {
        let per_s = rate.map_or(1.0, |span| Unit::Rate.draw(span, &mut self.stream(&format!("{id} rate")))).max(1e-9);
        let unit = self.draws.named(Purpose::Faults, &format!("{id} {strike} wait")).unit();
        (1e9 / per_s * (-(1.0 - unit).ln()).min(10.0)).max(1e6)
    }
}
