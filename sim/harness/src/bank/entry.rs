//! An entry of the bank: a failure that can be run again, and what it came to.
//!
//! It is a resolved scenario file with one more table, so everything that takes a scenario file takes an entry.
//!
//! ```toml
//! schema = 1
//! name = "register/split-brain"
//! # the plan: every number a value, every fault an instance, the seed, the decisions of the schedule if they are few
//!
//! [bank]
//! magic = "simurgh bank"
//! form = 2
//! class = "invariant"
//! fingerprint = "7c1f0a9b3d5e2468"
//! ```
//!
//! The older form has three fields besides `schema`: the name of a simulation that is a function, a seed, and why.

use std::path::{Path, PathBuf};

use crate::file::{Node, Problem, Problems, Scenario, Source, What, number, read_form, span_of};
use crate::plan::Plan;
use crate::reach::Spot;
use crate::registry::Registry;
use crate::report::Report;
use crate::value::Unit;

use super::build::{Build, hash, today};
use super::keep::origin;

const MAGIC: &str = "simurgh bank";
const FORM: i64 = 2;
/// More decisions than these are no sparse schedule: the plan's seed and strategy give the same one.
const DECISIONS_MAX: usize = 200;
/// The fields of the older form.
const PLAIN: [&str; 4] = ["schema", "simulation", "seed", "why"];
/// The longest message that is kept, in letters.
const MESSAGE_MAX: usize = 400;

/// What is kept of a failure.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// A plan: it can be asked whether it still comes to the old spot.
    Plan(Box<Entry>),
    /// A simulation that is a function, and a seed.
    Plain(Plain),
}

/// A seed of a simulation that is a function, which once failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) path: PathBuf,
    pub(crate) simulation: String,
    pub(crate) seed: u64,
    pub(crate) why: String,
}

/// A plan that failed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    /// The resolved scenario.
    pub(crate) plan: Node,
    pub(crate) facts: Facts,
    pub(crate) spot: Spot,
    /// The plan, if all that it names is still there; or what is not.
    pub(crate) scenario: Result<Scenario, Problems>,
}

/// What the run of an entry came to, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) file: String,
    pub(crate) scenario_hash: String,
    pub(crate) build: Build,
    pub(crate) class: String,
    pub(crate) invariant: String,
    pub(crate) message: String,
    pub(crate) fingerprint: String,
    pub(crate) event: u64,
    pub(crate) at_ns: u64,
    pub(crate) node: String,
    pub(crate) trace_hash: String,
    pub(crate) opened: String,
    pub(crate) fixed_by: Option<String>,
    pub(crate) stale: Option<String>,
}

/// What an entry has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It fails, and should not.
    Open,
    /// It fails, and must: its bug is planted.
    Planted,
    /// It fails, and must: its file expects that of the world as it is, without a planted bug.
    Expected,
    /// It is mended and passes.
    Fixed,
    /// It is known to come nowhere.
    Stale,
}

impl State {
    /// Whether it must fail for ever.
    pub(crate) fn is_wanted(self) -> bool {
        matches!(self, State::Planted | State::Expected)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Planted => "planted",
            State::Expected => "expected",
            State::Fixed => "fixed",
            State::Stale => "stale",
        }
    }
}

impl Kept {
    /// Reads a file of the bank, of either form.
    pub(crate) fn read(path: &Path, registry: &Registry) -> Result<Self, Problems> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Problems(vec![format!("{}: {error}", path.display())]))?;
        Self::parse(path, &text, registry)
    }

    pub(crate) fn parse(path: &Path, text: &str, registry: &Registry) -> Result<Self, Problems> {
        let is_plain = text.lines().any(|line| line.split('=').next().is_some_and(|key| key.trim() == "simulation"));
        if is_plain {
            Plain::parse(path, text).map(Kept::Plain)
        } else {
            Entry::parse(path, text, registry).map(|entry| Kept::Plan(Box::new(entry)))
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Kept::Plan(entry) => &entry.path,
            Kept::Plain(plain) => &plain.path,
        }
    }

    /// The scenario or simulation.
    pub(crate) fn name(&self) -> &str {
        match self {
            Kept::Plan(entry) => entry.name(),
            Kept::Plain(plain) => &plain.simulation,
        }
    }
}

impl Plain {
    fn parse(path: &Path, text: &str) -> Result<Self, Problems> {
        let source = Source { path: path.display().to_string(), text: text.to_owned() };
        let root = crate::file::parse_tree(&source)?;
        let mut problems: Vec<Problem> = root
            .entries()
            .iter()
            .filter(|entry| !PLAIN.contains(&entry.key.as_str()))
            .map(|entry| {
                let known = crate::file::instead(&entry.key, PLAIN);
                Problem::new(entry.at, format!("there is no field {} in an entry of form 1; {known}", entry.key))
            })
            .collect();
        match root.get("schema") {
            Some(node) if node.what == What::Int(1) => {}
            other => problems.push(Problem::new(
                other.unwrap_or(&root).at,
                "schema = 1 is missing: an entry that names a simulation has no other form",
            )),
        }
        let mut text_of = |name: &str| {
            let text = root.get(name).and_then(Node::as_text).filter(|text| !text.trim().is_empty());
            if text.is_none() {
                let at = root.get(name).unwrap_or(&root).at;
                problems.push(Problem::new(at, format!("{name} = \"...\" is missing, or no text")));
            }
            text.unwrap_or_default().to_owned()
        };
        let (simulation, why) = (text_of("simulation"), text_of("why"));
        let seed = root.get("seed").and_then(whole);
        if seed.is_none() {
            let at = root.get("seed").unwrap_or(&root).at;
            problems.push(Problem::new(at, "seed = <a whole number from 0 up> is missing"));
        }
        let seed = seed.unwrap_or(0);
        if problems.is_empty() {
            Ok(Self { path: path.to_owned(), simulation, seed, why })
        } else {
            Err(Problems::of(&[source], &problems))
        }
    }
}

impl Entry {
    fn parse(path: &Path, text: &str, registry: &Registry) -> Result<Self, Problems> {
        let source = Source { path: path.display().to_string(), text: text.to_owned() };
        let root = read_form(&source, registry)?;
        let mut read = Reading { root: &root, problems: Vec::new() };
        let (facts, spot) = read.all();
        let problems = read.problems;
        if !problems.is_empty() {
            return Err(Problems::of(&[source], &problems));
        }
        let mut plan = root.clone();
        plan.remove(&["bank"]);
        Ok(Self { path: path.to_owned(), plan, facts, spot, scenario: Scenario::parse(path, text, registry) })
    }

    /// An entry of a run that failed, as it would stand at a path.
    pub(crate) fn of(
        report: &Report,
        came_from: &Scenario,
        registry: &Registry,
        build: &Build,
    ) -> Result<Self, Problems> {
        // A process that died told no plan.
        let told = Some(report.plan.clone()).filter(|plan| !plan.is_empty());
        let text = told.unwrap_or_else(|| came_from.explain(report.seed));
        let mut scenario = Scenario::parse(&came_from.path, &text, registry)?;
        let has_decisions = scenario.root.find("plan.decisions").is_some();
        if !has_decisions && !report.decisions.is_empty() && report.decisions.len() <= DECISIONS_MAX {
            scenario.root.set(&["plan", "decisions"], decisions(&report.decisions));
        }
        let verdict = &report.verdict;
        let message = verdict.message.lines().next().unwrap_or_default();
        let mut plan = scenario.root.clone();
        plan.remove(&["bank"]);
        let (file, scenario_hash) = origin(came_from, registry);
        let facts = Facts {
            file,
            scenario_hash,
            build: build.clone(),
            class: verdict.class.clone(),
            invariant: verdict.invariant.clone(),
            message: message.chars().take(MESSAGE_MAX).collect(),
            fingerprint: verdict.fingerprint.clone(),
            event: verdict.event,
            at_ns: verdict.at_ns,
            node: verdict.node.clone(),
            trace_hash: report.trace_hash.clone(),
            opened: today(),
            fixed_by: None,
            stale: None,
        };
        Ok(Self { path: PathBuf::new(), plan, facts, spot: Spot::of(report), scenario: Ok(scenario) })
    }

    /// The class of its failure, and the invariant if it was one.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.facts.class, self.facts.invariant).trim_end().to_owned()
    }

    pub(crate) fn name(&self) -> &str {
        self.plan.get("name").and_then(Node::as_text).unwrap_or_default()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.plan.find("plan.seed").and_then(Node::as_text).and_then(|seed| seed.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn state(&self) -> State {
        let is_planted = self.plan.get("planted").is_some();
        let outcome = self.plan.find("expect.outcome").and_then(Node::as_text);
        let wanted = outcome.and_then(|outcome| outcome.strip_prefix("fail:"));
        let is_expected = wanted.is_some_and(|what| what == self.facts.class || what == self.facts.invariant);
        match (&self.facts.stale, &self.facts.fixed_by) {
            (Some(_), _) => State::Stale,
            (None, Some(_)) => State::Fixed,
            (None, None) if is_planted => State::Planted,
            (None, None) if is_expected => State::Expected,
            (None, None) => State::Open,
        }
    }

    /// The file.
    pub(crate) fn print(&self) -> String {
        let facts = &self.facts;
        let mut bank = Node::table();
        for (key, text) in [
            ("magic", MAGIC),
            ("form", ""),
            ("file", facts.file.as_str()),
            ("scenario_hash", &facts.scenario_hash),
            ("plan_hash", &hash(&self.plan.print())),
            ("commit", &facts.build.commit),
            ("lock", &facts.build.lock),
            ("features", &facts.build.features),
            ("class", &facts.class),
            ("invariant", &facts.invariant),
            ("message", &facts.message),
            ("fingerprint", &facts.fingerprint),
            ("event", ""),
            ("at", ""),
            ("node", &facts.node),
            ("trace_hash", &facts.trace_hash),
            ("reach_fingerprint", &self.spot.fingerprint()),
            ("reach", ""),
            ("opened", &facts.opened),
            ("fixed_by", facts.fixed_by.as_deref().unwrap_or_default()),
            ("stale", facts.stale.as_deref().unwrap_or_default()),
        ] {
            match key {
                "form" => bank.set(&["form"], Node::made(What::Int(FORM))),
                "event" => bank.set(&["event"], Node::made(What::Int(facts.event as i64))),
                "at" => bank.set(&["at"], number(Unit::Time, facts.at_ns as f64)),
                "reach" => bank.set(&["reach"], reach(&self.spot)),
                _ if text.is_empty() => {}
                key => bank.set(&[key], Node::text(text)),
            }
        }
        let mut file = Node::table();
        file.set(&["bank"], bank);
        for entry in self.plan.entries() {
            file.set(&[entry.key.as_str()], entry.node.clone());
        }
        file.print()
    }
}

/// The plan of an entry as a scenario file, and with other decisions if some are given.
pub(crate) fn plan_with(scenario: &Scenario, made: Option<&[(u64, u32, Option<u8>)]>) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.root.remove(&["bank"]);
    if let Some(made) = made {
        scenario.root.set(&["plan", "decisions"], decisions(made));
    }
    scenario
}

/// A whole number from 0 up.
fn whole(node: &Node) -> Option<u64> {
    if let What::Int(number @ 0..) = node.what { Some(number as u64) } else { None }
}

/// Decisions as a part of a file.
fn decisions(made: &[(u64, u32, Option<u8>)]) -> Node {
    let whole = |number: u64| Node::made(What::Int(number as i64));
    let one = |(poll, place, budget): &(u64, u32, Option<u8>)| {
        let mut items = vec![whole(*poll), whole(u64::from(*place))];
        items.extend(budget.map(|budget| whole(u64::from(budget))));
        Node::made(What::List(items))
    };
    Node::made(What::List(made.iter().map(one).collect()))
}

fn reach(spot: &Spot) -> Node {
    let texts = |texts: &[String]| Node::made(What::List(texts.iter().map(Node::text).collect()));
    let mut reach = Node::table();
    reach.set(&["marks"], texts(&spot.marks));
    reach.set(&["within"], number(Unit::Time, spot.within_ns as f64));
    reach.set(&["during"], texts(&spot.during));
    reach.set(&["faults"], texts(&spot.faults));
    reach.set(&["probes"], texts(&spot.probes));
    if !spot.asked.is_empty() {
        reach.set(&["asked"], Node::text(spot.asked.as_str()));
    }
    reach
}

/// Reads the table of a file whose form is right.
struct Reading<'a> {
    root: &'a Node,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn wrong(&mut self, path: &str, message: String) {
        let (table, _) = path.rsplit_once('.').unwrap_or(("", path));
        let node = self.root.find(path).or_else(|| self.root.find(table)).unwrap_or(self.root);
        self.problems.push(Problem::new(node.at, message));
    }

    fn maybe(&self, key: &str) -> String {
        self.root.find(&format!("bank.{key}")).and_then(Node::as_text).unwrap_or_default().to_owned()
    }

    fn text(&mut self, key: &str) -> String {
        let text = self.maybe(key);
        if text.is_empty() {
            self.wrong(&format!("bank.{key}"), format!("{key} = \"...\" is missing in [bank]"));
        }
        text
    }

    fn hash(&mut self, key: &str) -> String {
        let text = self.text(key);
        let is_hash = text.len() == 16 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        if !is_hash && !text.is_empty() {
            self.wrong(&format!("bank.{key}"), format!("{key} is 16 digits of hex; this is \"{text}\""));
        }
        text
    }

    fn whole(&mut self, key: &str) -> u64 {
        let path = format!("bank.{key}");
        let number = self.root.find(&path).and_then(whole);
        if number.is_none() {
            self.wrong(&path, format!("{key} = <a whole number> is missing in [bank]"));
        }
        number.unwrap_or(0)
    }

    fn time(&mut self, key: &str) -> u64 {
        let path = format!("bank.{key}");
        let span = self.root.find(&path).and_then(|node| span_of(node, Unit::Time).ok());
        let ns = span.map(|span| (span.low as u64, span.high as u64)).filter(|(low, high)| low == high);
        if ns.is_none() {
            self.wrong(&path, format!("{key} = \"<one time, like 1.5s>\" is missing in [bank]"));
        }
        ns.map_or(0, |(ns, _)| ns)
    }

    fn texts(&self, key: &str) -> Vec<String> {
        let node = self.root.find(&format!("bank.reach.{key}"));
        node.map_or(&[][..], Node::items).iter().filter_map(Node::as_text).map(str::to_owned).collect()
    }

    fn all(&mut self) -> (Facts, Spot) {
        let nothing = (Facts::default(), Spot::default());
        if self.root.get("bank").is_none() {
            self.wrong(
                "bank",
                "[bank] is missing: this is a scenario file and no entry; sim bank add makes one of it".into(),
            );
            return nothing;
        }
        let magic = self.maybe("magic");
        if magic != MAGIC {
            self.wrong("bank.magic", format!("magic = \"{MAGIC}\" is missing: this is no entry of the bank"));
            return nothing;
        }
        match self.root.find("bank.form").map(|node| &node.what) {
            Some(What::Int(FORM)) => {}
            Some(What::Int(other)) => {
                self.wrong("bank.form", format!("the entry is of form {other}, this program knows form {FORM}; run the program that wrote it, or add it anew"));
                return nothing;
            }
            _ => self.wrong("bank.form", format!("form = {FORM} is missing in [bank]")),
        }
        let is_seed = |node: &Node| node.as_text().is_some_and(|seed| seed.parse::<u64>().is_ok());
        if !self.root.find("plan.seed").is_some_and(is_seed) {
            self.wrong("plan.seed", "seed = \"<a number>\" is missing in [plan]: an entry is one run".into());
        }
        let spot = Spot {
            marks: self.texts("marks"),
            within_ns: self.time("reach.within"),
            during: self.texts("during"),
            faults: self.texts("faults"),
            probes: self.texts("probes"),
            asked: self.maybe("reach.asked"),
        };
        let facts = Facts {
            file: self.text("file"),
            scenario_hash: self.hash("scenario_hash"),
            build: Build { commit: self.maybe("commit"), lock: self.maybe("lock"), features: self.maybe("features") },
            class: self.text("class"),
            invariant: self.maybe("invariant"),
            message: self.maybe("message"),
            fingerprint: self.hash("fingerprint"),
            event: self.whole("event"),
            at_ns: self.time("at"),
            node: self.maybe("node"),
            trace_hash: self.maybe("trace_hash"),
            opened: self.text("opened"),
            fixed_by: Some(self.maybe("fixed_by")).filter(|text| !text.is_empty()),
            stale: Some(self.maybe("stale")).filter(|text| !text.is_empty()),
        };
        let classes = crate::judge::CLASSES.iter().map(|(class, ..)| *class);
        if !facts.class.is_empty() && (facts.class == "pass" || !classes.clone().any(|class| class == facts.class)) {
            let known = crate::file::instead(&facts.class, classes.filter(|class| *class != "pass"));
            self.wrong("bank.class", format!("there is no class of failures {}; {known}", facts.class));
        }
        self.sums(&spot);
        (facts, spot)
    }

    /// What was written by hand does not fit its hash.
    fn sums(&mut self, spot: &Spot) {
        let (plan_hash, reach) = (self.hash("plan_hash"), self.hash("reach_fingerprint"));
        if !self.problems.is_empty() {
            return;
        }
        let mut plan = self.root.clone();
        plan.remove(&["bank"]);
        if hash(&plan.print()) != plan_hash {
            self.wrong(
                "bank.plan_hash",
                "the plan does not fit its hash: it was changed, and is another run; sim bank add keeps that as another entry".into(),
            );
        }
        if spot.fingerprint() != reach {
            self.wrong(
                "bank.reach_fingerprint",
                "reach does not fit its hash: it was changed; sim bank renew makes it anew".into(),
            );
        }
    }
}

/// How much a plan holds, in words.
pub(crate) fn size(scenario: &Scenario) -> String {
    let plan = Plan::new(scenario, 0);
    let nodes: u32 = plan.roles.iter().map(|role| role.count).sum();
    let decisions = plan
        .decisions
        .as_ref()
        .map_or_else(|| "by seed and strategy".to_owned(), |made| format!("{} decisions", made.len()));
    format!("{nodes} nodes, {} faults, schedule: {decisions}", plan.faults.len())
}
