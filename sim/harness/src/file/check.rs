//! Is a file right? Each field against its definition, names against the registry, and what fields mean together.

use crate::registry::Registry;
use crate::select::PREFIXED;
use crate::value::{Span, Unit};

use super::fields::{Field, Kind, ROOT, Table};
use super::problem::{Problem, instead};
use super::tree::{Node, What};

/// Checks a file whose bases are merged in.
pub(crate) fn check(root: &Node, registry: &Registry) -> Vec<Problem> {
    let mut checks = Checks { registry, problems: Vec::new() };
    checks.table(root, &ROOT);
    if checks.problems.is_empty() {
        checks.meaning(root);
    }
    checks.problems
}

/// Checks the form of one file, before it is merged with others: fields may be missing.
pub(crate) fn check_form(root: &Node, registry: &Registry) -> Vec<Problem> {
    let mut checks = Checks { registry, problems: Vec::new() };
    checks.table(root, &ROOT);
    checks.problems
}

/// The span that a node of a number holds.
pub(crate) fn span_of(node: &Node, unit: Unit) -> Result<Span, String> {
    let plain = |number: f64| {
        if unit == Unit::Time || unit == Unit::Rate || unit == Unit::Bandwidth {
            return if number == 0.0 {
                Ok(Span { low: 0.0, high: 0.0 })
            } else {
                Err(format!("{number} has no unit: it must be {}", unit.example()))
            };
        }
        unit.check(Span { low: number, high: number })
    };
    match &node.what {
        What::Int(number) => plain(*number as f64),
        What::Float(number) => plain(*number),
        What::Text(text) => unit.parse(text),
        _ => Err(format!("it is {}, and must be {}", node.kind(), unit.example())),
    }
}

struct Checks<'a> {
    registry: &'a Registry,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn wrong(&mut self, node: &Node, message: impl Into<String>) {
        self.problems.push(Problem::new(node.at, message));
    }

    fn table(&mut self, node: &Node, table: &'static Table) {
        if !matches!(node.what, What::Table(_)) {
            return self.wrong(node, format!("{} is {}, and must be a table", table.head, node.kind()));
        }
        for entry in node.entries() {
            let Some(field) = table.field(&entry.key) else {
                let known = instead(&entry.key, table.fields.iter().map(|field| field.name));
                self.problems.push(Problem::new(
                    entry.at,
                    format!("there is no field {} in {}; {known}", entry.key, table.head),
                ));
                continue;
            };
            self.value(&entry.node, field);
        }
    }

    fn value(&mut self, node: &Node, field: &'static Field) {
        let name = field.name;
        let must = |what: &str| format!("{name} is {}, and must be {what}", node.kind());
        match field.kind {
            Kind::Text => match node.as_text() {
                Some(text) if text.trim().is_empty() => self.wrong(node, format!("{name} is empty")),
                Some(_) => {}
                None => self.wrong(node, must("a text")),
            },
            Kind::Texts => self.texts(node, name),
            Kind::OneOf(names) => match node.as_text() {
                Some(text) if names.contains(&text) => {}
                Some(text) => {
                    self.wrong(node, format!("there is no {name} {text}; {}", instead(text, names.iter().copied())));
                }
                None => self.wrong(node, must(&format!("one of {}", names.join(", ")))),
            },
            Kind::Number(unit) => {
                if let Err(why) = span_of(node, unit) {
                    self.wrong(node, format!("{name}: {why}"));
                }
            }
            Kind::Whole => {
                if !matches!(node.what, What::Int(0..)) {
                    self.wrong(node, must("a whole number from 0 up"));
                }
            }
            Kind::Table(table) => self.table(node, table),
            Kind::Tables(table) => match &node.what {
                What::List(items) => items.iter().for_each(|item| self.table(item, table)),
                _ => self.wrong(node, format!("{name} is {}: write [[{name}]], with two brackets", node.kind())),
            },
            Kind::Named(table) => self.named(node, name, |checks, _, value| checks.table(value, table)),
            Kind::Weights => self.named(node, name, |checks, key, value| {
                if let Err(why) = span_of(value, Unit::Count) {
                    checks.wrong(value, format!("{key}: {why}"));
                }
            }),
            Kind::Values => self.named(node, name, |checks, key, value| {
                if let Err(why) = knob_of(value) {
                    checks.wrong(value, format!("{key}: {why}"));
                }
            }),
            Kind::Conditions => self.named(node, name, |checks, key, value| {
                let condition = value.as_text().and_then(Condition::parse);
                if condition.is_none() {
                    checks.wrong(value, format!("{key}: this must be a condition, like \"dropped >= 1\""));
                }
            }),
            Kind::Target => match &node.what {
                What::Text(text) if !text.is_empty() => {}
                What::List(_) => self.texts(node, name),
                _ => self.wrong(node, must("a selector, or a list of nodes")),
            },
            Kind::Decisions => {
                let is_decision = |item: &Node| matches!(item.items(), [a, b] | [a, b, _] if matches!((&a.what, &b.what), (What::Int(0..), What::Int(0..))));
                if !matches!(&node.what, What::List(items) if items.iter().all(is_decision)) {
                    self.wrong(node, must("a list of [poll, place] or [poll, place, budget]"));
                }
            }
        }
    }

    fn texts(&mut self, node: &Node, name: &str) {
        match &node.what {
            What::List(items) => {
                for item in items.iter().filter(|item| item.as_text().is_none()) {
                    self.wrong(item, format!("{name} holds {}, and must hold texts", item.kind()));
                }
            }
            _ => self.wrong(node, format!("{name} is {}, and must be a list of texts", node.kind())),
        }
    }

    fn named(&mut self, node: &Node, name: &str, mut each: impl FnMut(&mut Self, &str, &Node)) {
        if !matches!(node.what, What::Table(_)) {
            return self.wrong(node, format!("{name} is {}, and must be a table", node.kind()));
        }
        for entry in node.entries() {
            each(self, &entry.key, &entry.node);
        }
    }

    /// What fields mean together, and names against the registry.
    fn meaning(&mut self, root: &Node) {
        match root.get("schema") {
            Some(node) if node.what == What::Int(1) => {}
            Some(node) => self.wrong(node, "this program knows schema = 1 alone"),
            None => self.wrong(root, "schema = 1 is missing: it says which form the file has"),
        }
        for required in ["name", "why"] {
            if root.get(required).is_none() {
                self.wrong(root, format!("{required} = \"...\" is missing"));
            }
        }
        if let Some(node) = root.get("planted") {
            self.known(node, "planted bug", self.registry.planted.keys().copied().collect());
        }
        let level = root.get("level").and_then(Node::as_text).unwrap_or("distributed");
        if level == "property" {
            self.of_property(root);
        } else {
            self.of_system(root, level);
        }
        for node in root.find("expect.reach").into_iter().chain(root.find("expect.never")).flat_map(Node::items) {
            self.known(node, "probe", self.registry.probes.keys().copied().collect());
        }
        self.expectations(root);
    }

    fn known(&mut self, node: &Node, what: &str, known: Vec<&str>) {
        let Some(name) = node.as_text() else { return };
        if !known.contains(&name) {
            self.wrong(node, format!("there is no {what} {name}; {}", instead(name, known)));
        }
    }

    fn of_property(&mut self, root: &Node) {
        for name in ["topology", "fault", "link", "disk", "clock", "invariant"] {
            if let Some(entry) = root.entries().iter().find(|entry| entry.key == name) {
                self.problems.push(Problem::new(
                    entry.at,
                    format!("at level property there is no {name}: nothing runs but the property"),
                ));
            }
        }
        let workloads = root.get("workload").map_or(&[][..], Node::items);
        if workloads.is_empty() {
            self.wrong(root, "[[workload]] is missing: it names the property");
        }
        for workload in workloads {
            match workload.get("name") {
                Some(name) => self.known(name, "property", self.registry.properties.keys().copied().collect()),
                None => self.wrong(workload, "name = \"...\" is missing in [[workload]]"),
            }
        }
    }

    fn of_system(&mut self, root: &Node, level: &str) {
        let topology = root.get("topology");
        let roles: Vec<&str> = topology.map_or(&[][..], Node::entries).iter().map(|entry| entry.key.as_str()).collect();
        let workloads = root.get("workload").map_or(&[][..], Node::items);
        let named = root.get("subject");
        if workloads.is_empty() && named.is_none() {
            self.wrong(root, "[[workload]] or subject is missing: it says what runs");
        }
        if let Some(named) = named {
            self.known(named, "subject", self.registry.subjects.keys().copied().collect());
        }
        let named = named.and_then(Node::as_text).and_then(|name| self.registry.subjects.get(name));
        let (mut subject, mut client_roles) = (named.map(|subject| subject.name), Vec::new());
        for workload in workloads {
            let Some(name) = workload.get("name") else {
                self.wrong(workload, "name = \"...\" is missing in [[workload]]");
                continue;
            };
            self.known(name, "workload", self.registry.workloads.keys().copied().collect());
            let clients = workload.get("clients").and_then(Node::as_text).unwrap_or("client");
            client_roles.push(clients);
            if !roles.contains(&clients) {
                let at = workload.get("clients").unwrap_or(workload);
                self.wrong(
                    at,
                    format!("no role in [topology] is called {clients}; {}", instead(clients, roles.iter().copied())),
                );
            }
            let Some(kind) = name.as_text().and_then(|name| self.registry.workloads.get(name)) else { continue };
            for op in workload.get("ops").map_or(&[][..], Node::entries) {
                if !kind.ops.contains(&op.key.as_str()) {
                    self.problems.push(Problem::new(
                        op.at,
                        format!(
                            "{} has no operation {}; {}",
                            kind.name,
                            op.key,
                            instead(&op.key, kind.ops.iter().copied())
                        ),
                    ));
                }
            }
            if *subject.get_or_insert(kind.subject) != kind.subject {
                self.wrong(
                    name,
                    format!("{} is a workload of {}, others here are of another subject", kind.name, kind.subject),
                );
            }
        }
        let Some(subject) = subject.and_then(|subject| self.registry.subjects.get(subject)) else { return };
        for entry in topology.map_or(&[][..], Node::entries) {
            let is_client = client_roles.contains(&entry.key.as_str());
            if !is_client && !subject.roles.contains_key(entry.key.as_str()) {
                let known = instead(&entry.key, subject.roles.keys().copied().chain(client_roles.iter().copied()));
                self.problems
                    .push(Problem::new(entry.at, format!("{} has no role {}; {known}", subject.name, entry.key)));
            }
            self.knobs(entry.node.get("knobs"), subject);
            self.names_of_role(&entry.key, &entry.node);
        }
        self.knobs(root.find("swarm.knobs"), subject);
        if level == "concurrency" {
            self.of_one_node(root, topology, &client_roles);
        }
        for fault in root.get("fault").map_or(&[][..], Node::items) {
            self.fault(fault, &roles, &client_roles);
        }
        for invariant in root.get("invariant").map_or(&[][..], Node::items) {
            match invariant.get("name") {
                Some(name) => self.known(name, "invariant", self.registry.invariants.keys().copied().collect()),
                None => self.wrong(invariant, "name = \"...\" is missing in [[invariant]]"),
            }
            self.asked(invariant);
        }
    }

    /// A check that would ask nothing is refused.
    fn asked(&mut self, invariant: &Node) {
        let name = invariant.get("name").and_then(Node::as_text).unwrap_or_default();
        let Some(kind) = self.registry.invariants.get(name) else { return };
        let checks = kind.checks();
        let Some(check) = invariant.get("check") else { return };
        let wanted = check.as_text().unwrap_or_default();
        if checks.is_empty() {
            self.wrong(check, format!("{name} has no checks: it judges by itself, as events come; leave check out"));
        } else if !checks.contains(&wanted) {
            self.wrong(check, format!("{name} cannot be asked at {wanted}; it has the checks {}", checks.join(", ")));
        }
    }

    /// The nodes that `only` names are nodes of the role.
    fn names_of_role(&mut self, role: &str, table: &Node) {
        let span = table.get("count").and_then(|count| span_of(count, Unit::Count).ok());
        let most = span.map_or(1, |span| span.high as u32);
        for name in table.get("only").map_or(&[][..], Node::items) {
            let number = name.as_text().and_then(|name| name.strip_prefix(role)?.parse::<u32>().ok());
            if !number.is_some_and(|number| (1..=most).contains(&number)) {
                let named = name.as_text().unwrap_or_default();
                self.wrong(name, format!("only: {role} has no node {named}; it has {role}1 to {role}{most}"));
            }
        }
    }

    fn knobs(&mut self, knobs: Option<&Node>, subject: &crate::subject::Subject) {
        for knob in knobs.map_or(&[][..], Node::entries) {
            if !subject.knobs.contains_key(knob.key.as_str()) {
                let known = instead(&knob.key, subject.knobs.keys().copied());
                self.problems
                    .push(Problem::new(knob.at, format!("{} has no knob {}; {known}", subject.name, knob.key)));
            }
        }
    }

    fn of_one_node(&mut self, root: &Node, topology: Option<&Node>, clients: &[&str]) {
        for entry in
            topology.map_or(&[][..], Node::entries).iter().filter(|entry| !clients.contains(&entry.key.as_str()))
        {
            let most = entry
                .node
                .get("count")
                .and_then(|count| span_of(count, Unit::Count).ok())
                .map_or(1.0, |span| span.high);
            if most > 1.0 {
                self.wrong(
                    &entry.node,
                    format!("at level concurrency there is one node; {} has up to {most}", entry.key),
                );
            }
        }
        if let Some(fault) = root.get("fault").and_then(|faults| faults.items().first()) {
            self.wrong(fault, "at level concurrency there are no faults: schedules are explored");
        }
    }

    fn fault(&mut self, fault: &Node, roles: &[&str], clients: &[&str]) {
        match fault.get("kind") {
            Some(kind) => self.known(kind, "kind of fault", self.registry.faults.keys().copied().collect()),
            None => self.wrong(fault, "kind = \"...\" is missing in [[fault]]"),
        }
        let triggers: Vec<&str> =
            ["at", "every", "rate", "on"].into_iter().filter(|name| fault.get(name).is_some()).collect();
        match triggers.as_slice() {
            [] => self.wrong(fault, "a fault has exactly one of at, every, rate, on; this one has none"),
            [_] => {}
            several => {
                let at = fault.get(several[1]).unwrap_or(fault);
                self.wrong(
                    at,
                    format!("a fault has exactly one of at, every, rate, on; this one has {}", several.join(" and ")),
                );
            }
        }
        if let Some(every) = fault.get("every")
            && span_of(every, Unit::Time).is_ok_and(|span| span.low < 1e6)
        {
            self.wrong(every, "every: more often than once a millisecond is no fault but a flood");
        }
        if let Some(on) = fault.get("on") {
            self.known(on, "probe", self.registry.probes.keys().copied().collect());
        } else if let Some(nth) = fault.get("nth") {
            self.wrong(nth, "nth goes with on alone");
        }
        let Some(target) = fault.get("target") else { return };
        let Some(selector) = target.as_text() else { return };
        let prefixes = PREFIXED.map(|(prefix, _)| prefix);
        if let Some(role) = selector.strip_prefix("role:") {
            if clients.contains(&role) {
                self.wrong(
                    target,
                    format!("the nodes of {role} are clients, and selectors find none of them: name them, as in [\"{role}1\"]"),
                );
            } else if !roles.contains(&role) {
                self.wrong(
                    target,
                    format!("no role in [topology] is called {role}; {}", instead(role, roles.iter().copied())),
                );
            }
        } else if let Some(zone) = selector.strip_prefix("zone:") {
            if zone.parse::<u32>().is_err() {
                self.wrong(target, format!("a failure domain is a number, like zone:1; this is {zone}"));
            }
        } else {
            self.known(target, "selector", self.registry.selectors.keys().copied().chain(prefixes).collect());
        }
    }

    fn expectations(&mut self, root: &Node) {
        if let Some(outcome) = root.find("expect.outcome") {
            let text = outcome.as_text().unwrap_or_default();
            let known: Vec<&str> = self
                .registry
                .invariants
                .keys()
                .copied()
                .chain(self.registry.properties.keys().copied())
                .chain(crate::judge::CLASSES.iter().map(|(class, ..)| *class))
                .collect();
            match text.strip_prefix("fail:") {
                None if text == "pass" => {}
                None => self.wrong(
                    outcome,
                    format!("outcome is \"pass\" or \"fail:\" and an invariant or a class; this is \"{text}\""),
                ),
                Some(what) if known.contains(&what) => {}
                Some(what) => {
                    self.wrong(outcome, format!("there is no invariant or class {what}; {}", instead(what, known)));
                }
            }
        }
        for what in root.find("expect.live.what").map_or(&[][..], Node::items) {
            self.known(what, "kind of progress", crate::plan::PROGRESS.to_vec());
        }
        for effect in root.find("expect.effect").map_or(&[][..], Node::entries) {
            let Some(kind) = self.registry.faults.get(effect.key.as_str()) else {
                let known = instead(&effect.key, self.registry.faults.keys().copied());
                self.problems
                    .push(Problem::new(effect.at, format!("there is no kind of fault {}; {known}", effect.key)));
                continue;
            };
            let Some(condition) = effect.node.as_text().and_then(Condition::parse) else { continue };
            let measures: Vec<&str> = kind.measures.iter().map(|(name, _)| *name).collect();
            if !measures.contains(&condition.measure.as_str()) {
                self.wrong(
                    &effect.node,
                    format!(
                        "{} does not count {}; {}",
                        kind.name,
                        condition.measure,
                        instead(&condition.measure, measures)
                    ),
                );
            }
        }
        if let Some(stop) = root.find("seeds.stop") {
            let text = stop.as_text().unwrap_or_default();
            if text.strip_prefix("plateau:").and_then(|number| number.parse::<u64>().ok()).is_none() {
                self.wrong(
                    stop,
                    format!("stop is \"plateau:\" and a number of seeds, like \"plateau:50\"; this is \"{text}\""),
                );
            }
        }
    }
}

/// A number, a time, or a text, or a range of one of the first two.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Knob {
    Span(Unit, Span),
    Text(String),
    Bool(bool),
    List(Vec<Knob>),
}

pub(crate) fn knob_of(node: &Node) -> Result<Knob, String> {
    let one = |number: f64, unit| Ok(Knob::Span(unit, Span { low: number, high: number }));
    match &node.what {
        What::Int(number) => one(*number as f64, Unit::Number),
        What::Float(number) => one(*number, Unit::Number),
        What::Bool(yes) => Ok(Knob::Bool(*yes)),
        What::List(items) => Ok(Knob::List(items.iter().map(knob_of).collect::<Result<_, _>>()?)),
        What::Text(text) => {
            for unit in [Unit::Count, Unit::Number, Unit::Time] {
                match unit.parse(text) {
                    Ok(span) => return Ok(Knob::Span(unit, span)),
                    Err(why) if why.contains("the range is empty") => return Err(why),
                    Err(_) => {}
                }
            }
            if text.contains("..") {
                return Err(format!("\"{text}\" is a range neither of numbers nor of times"));
            }
            Ok(Knob::Text(text.clone()))
        }
        _ => Err(format!("it is {}, and must be a number, a time, a text, or a range", node.kind())),
    }
}

/// `measure >= number`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) measure: String,
    pub(crate) least: u64,
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (measure, least) = text.split_once(">=")?;
        Some(Self { measure: measure.trim().to_owned(), least: least.trim().parse().ok()? })
    }
}
