//! What a run tells while it runs, besides its trace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::sync::Mutex;
use simurgh_sim::{Effect, Effects, Exit, Invariant, Node, Seen};

use crate::plan::InvariantPlan;
use crate::reach::Way;
use crate::report::{Evidence, FaultReport, InvariantReport, NodeReport, Phase};

/// What a run tells.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) faults: Vec<FaultReport>,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) invariants: Vec<InvariantReport>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) inconclusive: Option<String>,
    /// The class of a failure that the body itself found.
    pub(crate) class: Option<&'static str>,
    /// The property that the body found broken.
    pub(crate) law: &'static str,
    /// And the input for which it is.
    pub(crate) case: Option<crate::report::Case>,
    /// The machines, to ask how their processes ended.
    pub(crate) machines: Vec<Node>,
    /// What is counted of faults that are not over, by their places in `faults`.
    pub(crate) measuring: BTreeMap<usize, Measuring>,
    /// Events that were no heartbeats.
    pub(crate) lively: u64,
    /// When a client was last answered.
    pub(crate) answered: BTreeMap<String, Duration>,
    /// What happened last, and the spot that is looked for.
    pub(crate) way: Way,
}

/// What a fault is seen to do, from its beginning on.
#[derive(Clone)]
pub(crate) struct Measuring {
    pub(crate) measures: Vec<(&'static str, &'static [Effect])>,
    /// The effects of all faults when it began.
    pub(crate) before: Effects,
    /// What it counts itself.
    pub(crate) counted: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Measuring {
    /// What it has done, and what is so its outcome.
    pub(crate) fn write(&self, after: &Effects, report: &mut FaultReport) {
        let counted = self.counted.lock();
        let delta = |effects: &[Effect]| effects.iter().map(|effect| after.of(*effect) - self.before.of(*effect)).sum();
        let count = |(name, effects): &(&'static str, &'static [Effect])| {
            let count: u64 = if effects.is_empty() { counted.get(name).copied().unwrap_or(0) } else { delta(effects) };
            ((*name).to_owned(), count)
        };
        report.effects = self.measures.iter().map(count).collect();
        if report.outcome.is_empty() {
            let had_effect = report.effects.values().any(|count| *count > 0);
            report.outcome = if had_effect { "effective" } else { "without-effect" }.into();
        }
    }
}

/// An invariant, asked when its scenario says, and counted.
pub(crate) struct Watched {
    inner: Box<dyn Invariant>,
    check: String,
    period_ns: u64,
    last_ns: u64,
    place: usize,
    recorder: Arc<Mutex<Recorder>>,
}

impl Watched {
    pub(crate) fn new(inner: Box<dyn Invariant>, plan: &InvariantPlan, recorder: &Arc<Mutex<Recorder>>) -> Self {
        let own = || inner.checks().first().map_or(String::new(), |&first| first.to_owned());
        let check = plan.check.clone().unwrap_or_else(own);
        let place = {
            let mut recorder = recorder.lock();
            recorder.invariants.push(InvariantReport {
                name: plan.name.clone(),
                check: check.clone(),
                verdict: "held".into(),
                ..InvariantReport::default()
            });
            recorder.invariants.len() - 1
        };
        let period_ns = plan.period_ns.max(1);
        Self { inner, check, period_ns, last_ns: 0, place, recorder: Arc::clone(recorder) }
    }

    /// Asks, counts, and keeps what a violation shows.
    fn ask(&mut self, question: impl FnOnce(&mut dyn Invariant) -> Result<(), String>) -> Result<(), String> {
        let answer = question(self.inner.as_mut());
        let mut recorder = self.recorder.lock();
        recorder.invariants[self.place].evaluated += 1;
        if answer.is_err() {
            recorder.invariants[self.place].verdict = "violated".into();
            if self.inner.is_impossible() {
                recorder.class = Some("stuck-impossible");
            }
            recorder.evidence = self.inner.evidence().into_iter().map(Evidence::from).collect();
        }
        answer
    }

    fn holds_if(&mut self, check: &str) -> Result<(), String> {
        if self.check == check { self.ask(|inner| inner.holds()) } else { Ok(()) }
    }
}

impl Invariant for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        self.recorder.lock().invariants[self.place].events += 1;
        self.ask(|inner| inner.event(seen))?;
        self.holds_if("event")
    }

    fn node_ended(&mut self, node: &str) {
        self.inner.node_ended(node);
    }

    fn node_started(&mut self, node: &str) {
        self.inner.node_started(node);
    }

    fn wants_steps(&self) -> bool {
        self.check == "step" || self.inner.wants_steps()
    }

    fn step(&mut self) -> Result<(), String> {
        if self.inner.wants_steps() {
            self.ask(|inner| inner.step())?;
        }
        self.holds_if("step")
    }

    /// The tick of those that are asked periodically.
    fn holds(&mut self) -> Result<(), String> {
        self.last_ns += TICK_NS;
        if self.last_ns < self.period_ns {
            return Ok(());
        }
        self.last_ns = 0;
        self.holds_if("every")
    }

    fn calm(&mut self) -> Result<(), String> {
        self.ask(|inner| inner.calm())?;
        self.holds_if("calm")
    }

    fn end(&mut self) -> Result<(), String> {
        self.ask(|inner| inner.end())?;
        self.holds_if("end")?;
        if let Some(why) = self.inner.inconclusive() {
            let mut recorder = self.recorder.lock();
            recorder.invariants[self.place].verdict = "inconclusive".into();
            recorder.inconclusive = Some(format!("{}: {why}", self.inner.name()));
        }
        Ok(())
    }
}

/// How often those that are asked periodically are looked at.
pub(crate) const TICK_NS: u64 = 10_000_000;

impl From<simurgh_sim::Evidence> for Evidence {
    fn from(evidence: simurgh_sim::Evidence) -> Self {
        Self { key: evidence.key, expected: evidence.expected, seen: evidence.seen }
    }
}

/// Follows the lives of nodes, and how lively they are.
pub(crate) struct Lives {
    pub(crate) recorder: Arc<Mutex<Recorder>>,
}

impl Invariant for Lives {
    fn name(&self) -> &'static str {
        "harness.lives"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let mut recorder = self.recorder.lock();
        recorder.lively += u64::from(!seen.event.name.ends_with(".heartbeat"));
        if seen.event.name == "history.ok" {
            let now = simurgh_sim::elapsed();
            if let Some(at) = recorder.answered.get_mut(seen.node) {
                *at = now;
            } else {
                recorder.answered.insert(seen.node.to_owned(), now);
            }
        }
        Ok(())
    }

    fn node_started(&mut self, node: &str) {
        let from_ns = simurgh_sim::elapsed().as_nanos() as u64;
        let mut recorder = self.recorder.lock();
        if let Some(node) = recorder.nodes.iter_mut().find(|known| known.name == node) {
            node.lives.push(crate::report::Life { from_ns, ..crate::report::Life::default() });
        }
    }

    fn node_ended(&mut self, node: &str) {
        let until_ns = simurgh_sim::elapsed().as_nanos() as u64;
        let mut recorder = self.recorder.lock();
        let exit = recorder.machines.iter().find(|machine| machine.name() == node).and_then(Node::exit);
        let (how, why) = match exit {
            Some(Exit::Finished) => ("finished", String::new()),
            Some(Exit::Failed(why)) => ("failed", why),
            Some(Exit::Killed) => ("killed", String::new()),
            None => ("", String::new()),
        };
        let node = recorder.nodes.iter_mut().find(|known| known.name == node);
        if let Some(life) = node.and_then(|node| node.lives.last_mut()) {
            (life.until_ns, life.how, life.why) = (Some(until_ns), how.into(), why);
        }
    }
}
