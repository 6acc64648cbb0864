//! Makes a failing run small: the same failure from fewer faults, fewer operations, fewer nodes and rounder numbers.
//!
//! ```text
//!   freeze      what the seed drew becomes what the file says: faults by whom they struck, operations by number
//!   families    kinds of faults are left out
//!   faults      then single ones
//!   operations  clients are left out, then single operations
//!   nodes       nodes are left out; groups of a fault lose members
//!   times       phases become shorter, numbers rounder, what is rough becomes calm
//!   decisions   the schedule becomes first come, first served, but for a few decisions
//! ```
//!
//! and from the second line on again, until nothing is left to take away or the runs are spent; a stage may take half of the
//! runs that are left. The schedule is drawn from the seed until the last stage: its decisions are numbered by polls, and
//! each fault that is left out would make them other ones. A smaller plan is taken
//! only if it fails in the same way (its fingerprint is the same) in two processes with one trace hash. The result is a
//! function of file, seed and build: runs at the same time are looked at in the order of their candidates.

mod command;
mod freeze;
mod list;
mod output;
mod search;
mod simpler;
mod size;
mod stages;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use simurgh_sim::shared::all_cores;

use crate::file::{Node, Scenario, What, tree_of};
use crate::plan::Plan;
use crate::registry::Registry;
use crate::report::Report;
use crate::run::Look;
use crate::set::KEEP;
use crate::worker::{Job, launch};

pub(crate) use command::{COMMAND, command};
use search::{Oracle, Progress, RECORD, Search};
pub(crate) use size::{Measured, about_of, origin_of};
use stages::Ground;

/// How a failure is made small.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Runs at most; else what the file says in `[shrink] runs`, or 400.
    pub(crate) runs: Option<u64>,
    /// Workers at the same time; else one for each core. It changes no result.
    pub(crate) jobs: Option<usize>,
    /// Whether standard error shows how far it is.
    pub(crate) progress: bool,
}

/// What a failing run was made into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shrunk {
    /// The scenario file: complete in itself, and with the seed.
    pub(crate) text: String,
    /// The run of it.
    pub(crate) report: Report,
    /// The run that it comes from.
    pub(crate) first: Report,
    /// How large the plan was, and is.
    pub(crate) before: Measured,
    pub(crate) after: Measured,
    /// Runs that it took.
    pub(crate) runs: u64,
    /// What a reader should know: that freezing changed the run, that the runs were spent.
    pub(crate) notes: Vec<String>,
}

impl Shrunk {
    /// Which defect it is.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.report.verdict.fingerprint
    }

    /// The failure that the file expects; None if it expects to pass.
    fn wanted(&self) -> Option<String> {
        let outcome = tree_of(&self.text)?.find("expect.outcome").and_then(Node::as_text).map(str::to_owned)?;
        outcome.strip_prefix("fail:").map(str::to_owned)
    }
}

/// Runs that shrinking may take, if nobody says how many.
const RUNS: u64 = 400;
/// Runs that are no search: two before it, one after it.
const LOOKS: u64 = 3;

/// Makes the run of a scenario under a seed small.
///
/// # Errors
/// If the run passes, does not repeat, or is of a kind that cannot be made small.
pub(crate) fn shrink(scenario: &Scenario, seed: u64, registry: &Registry, options: Options) -> Result<Shrunk, String> {
    let oracle = |plans: &[Node], look: Look| run_all(&scenario.path, seed, plans, look);
    shrink_by(&oracle, scenario, seed, registry, options)
}

/// The same, by whatever runs plans.
fn shrink_by(
    oracle: Oracle<'_>,
    scenario: &Scenario,
    seed: u64,
    registry: &Registry,
    options: Options,
) -> Result<Shrunk, String> {
    let ground = Ground { registry, path: scenario.path.clone(), seed };
    let first = first_run(scenario, seed, oracle)?;
    let plan = Arc::new(Plan::new(scenario, seed));
    let before = Measured::of(&plan, &first, registry);
    let runs_max = options.runs.unwrap_or_else(|| scenario.shrink_runs().unwrap_or(RUNS));
    let resolved = freeze::bare(&plan.file);
    // Two runs were spent on the first look, and one is for the last.
    let mut search = Search::new(oracle, resolved, first.clone(), runs_max.saturating_sub(LOOKS))
        .at_once(options.jobs.unwrap_or_else(all_cores))
        .any_failure(scenario.root.find("shrink.keep").and_then(Node::as_text) == Some("any_failure"));
    search.progress = options.progress.then(|| Progress::new(format!("{} seed {seed}", scenario.name())));
    let mut notes = Vec::new();
    if !search.take(freeze::freeze(&plan, &first, registry)) {
        notes.push(
            "frozen, with each fault's nodes and each operation by name, the run does not fail in the same way: what was made \
             small is the resolved file, whose selectors still choose"
                .to_owned(),
        );
    }
    stages::all(&mut search, &ground);
    if search.is_spent() {
        notes.push(format!("the {runs_max} runs are spent: with more (--runs), it may become smaller"));
    }
    if search.progress.take().is_some() {
        Progress::clear();
    }
    finish(search, &ground, oracle, Shrunk { first, before, notes, ..Shrunk::default() })
}

/// The run that is to be made small, twice: what does not repeat cannot be made small.
fn first_run(scenario: &Scenario, seed: u64, oracle: Oracle<'_>) -> Result<Report, String> {
    let name = format!("{} seed {seed}", scenario.name());
    if scenario.root.get("level").and_then(Node::as_text) == Some("property") {
        return Err(format!("{name}: at level property the property itself makes its input small; read its message"));
    }
    let roots = [scenario.root.clone(), scenario.root.clone()];
    let mut seen = oracle(&roots, RECORD);
    let (Some(again), Some(mut first)) = (seen.pop(), seen.pop()) else {
        return Err(format!("{name}: no worker process gave a report"));
    };
    first.file = scenario.path.display().to_string();
    if first.passed() {
        return Err(format!("{name} passes: there is nothing to make small; sim run finds seeds that fail"));
    }
    if first.verdict.class == "host-timeout" {
        return Err(format!("{name} takes too long in real time: {}; shorten [time] first", first.verdict.message));
    }
    if again.trace_hash != first.trace_hash {
        return Err(format!(
            "{name} does not repeat: hash {} and then {}; that must be mended first, and sim run says more",
            first.trace_hash, again.trace_hash
        ));
    }
    Ok(first)
}

/// Runs the result as it is written, and tells its size in it.
fn finish(search: Search<'_>, ground: &Ground<'_>, oracle: Oracle<'_>, shrunk: Shrunk) -> Result<Shrunk, String> {
    let mut root = search.best;
    let look = Look { keep: KEEP, record: true };
    let last = oracle(std::slice::from_ref(&root), look).pop().ok_or("no worker process gave a report")?;
    if last.trace_hash != search.report.trace_hash || last.verdict.fingerprint != search.report.verdict.fingerprint {
        return Err(format!(
            "what was made small does not repeat: hash {} and then {}",
            search.report.trace_hash, last.trace_hash
        ));
    }
    let after = Measured::of(&ground.plan(&root), &last, ground.registry);
    let runs = search.runs + LOOKS;
    let told: [(&str, Node); 5] = [
        ("from", Node::text(&shrunk.first.file)),
        ("runs", Node::made(What::Int(runs as i64))),
        ("fingerprint", Node::text(&last.verdict.fingerprint)),
        ("before", shrunk.before.node()),
        ("after", after.node()),
    ];
    for (name, node) in told {
        root.set(&["plan", "shrunk", name], node);
    }
    // At the end, where what is told of a run does not come before what the run is.
    let plan = root.get("plan").cloned().unwrap_or_else(Node::table);
    root.remove(&["plan"]);
    root.set(&["plan"], plan);
    let text = output::file(&root, &last.story());
    Scenario::parse(&ground.path, &text, ground.registry).map_err(|problems| {
        format!("what was made small is no right file, which is a bug of the shrinker: {problems}")
    })?;
    Ok(Shrunk { text, after, runs, report: last, ..shrunk })
}

/// Runs plans in worker processes, all at the same time, each in its own.
fn run_all(path: &Path, seed: u64, plans: &[Node], look: Look) -> Vec<Report> {
    let run = |plan: &Node| {
        let scenario = Scenario { path: path.to_owned(), root: plan.clone() };
        let mut seen = None;
        launch(&Job { look, ..Job::new(&scenario, vec![seed]) }, |report| seen = Some(report));
        seen.unwrap_or_default()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = plans.iter().map(|plan| scope.spawn(move || run(plan))).collect();
        running.into_iter().map(|one| one.join().unwrap_or_default()).collect()
    })
}
