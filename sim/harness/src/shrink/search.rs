//! The search: candidates are run, and the first that fails in the same way is the plan from then on.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use crate::file::Node;
use crate::report::{Judgement, Report};
use crate::run::Look;

/// Runs plans, and gives the report of each. They may be run at the same time.
pub(super) type Oracle<'a> = &'a dyn Fn(&[Node], Look) -> Vec<Report>;

/// How far the plan is.
pub(super) struct Search<'a> {
    oracle: Oracle<'a>,
    /// Candidates that are run at the same time. Which one is taken does not depend on it.
    width: usize,
    wanted: Judgement,
    /// Whether any failure will do.
    any: bool,
    pub(super) runs: u64,
    runs_max: u64,
    /// Plans that were run and refused.
    refused: BTreeSet<String>,
    /// The smallest plan until now, and its run.
    pub(super) best: Node,
    pub(super) report: Report,
    pub(super) progress: Option<Progress>,
}

/// A look at the schedule too.
pub(super) const RECORD: Look = Look { keep: 0, record: true };

impl<'a> Search<'a> {
    /// A search that begins with a plan and the run of it.
    pub(super) fn new(oracle: Oracle<'a>, best: Node, report: Report, runs_max: u64) -> Self {
        Self {
            oracle,
            width: 1,
            wanted: report.verdict.clone(),
            any: false,
            runs: 0,
            runs_max,
            refused: BTreeSet::new(),
            best,
            report,
            progress: None,
        }
    }

    /// So many candidates at the same time.
    pub(super) fn at_once(self, width: usize) -> Self {
        Self { width: width.max(1), ..self }
    }

    /// Whether any failure will do, or the same one alone.
    pub(super) fn any_failure(self, any: bool) -> Self {
        Self { any, ..self }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.runs >= self.runs_max
    }

    /// Does something that may take half of the runs that are left: what comes after it has its share, too.
    pub(super) fn with_half(&mut self, stage: impl FnOnce(&mut Self)) {
        let most = self.runs_max;
        self.runs_max = self.runs + most.saturating_sub(self.runs).div_ceil(2);
        stage(self);
        self.runs_max = most;
    }

    /// Runs candidates, and takes the first that fails in the same way, and does so again.
    pub(super) fn first(&mut self, candidates: &[Node]) -> Option<usize> {
        let own = self.best.print();
        let mut seen = BTreeSet::from([own]);
        let fresh: Vec<(usize, String)> = candidates
            .iter()
            .enumerate()
            .map(|(index, candidate)| (index, candidate.print()))
            .filter(|(_, text)| !self.refused.contains(text) && seen.insert(text.clone()))
            .collect();
        for chunk in fresh.chunks(self.width) {
            let room = self.runs_max.saturating_sub(self.runs) as usize;
            let chunk = &chunk[..chunk.len().min(room)];
            let nodes: Vec<Node> = chunk.iter().map(|(index, _)| candidates[*index].clone()).collect();
            if nodes.is_empty() {
                return None;
            }
            let reports = (self.oracle)(&nodes, Look::default());
            for ((index, text), report) in chunk.iter().zip(reports) {
                // What ran at the same time and comes after one that is taken does not count: it is as if it had not run.
                if self.is_spent() {
                    return None;
                }
                self.count();
                if self.is_it(&report) && self.comes_again(&candidates[*index], &report) {
                    (self.best, self.report) = (candidates[*index].clone(), report);
                    return Some(*index);
                }
                self.refused.insert(text.clone());
            }
        }
        None
    }

    /// Takes one plan, if it fails in the same way.
    pub(super) fn take(&mut self, candidate: Node) -> bool {
        self.first(&[candidate]).is_some()
    }

    /// The plan as it is now, to go back to.
    pub(super) fn saved(&self) -> (Node, Report) {
        (self.best.clone(), self.report.clone())
    }

    pub(super) fn go_back(&mut self, saved: (Node, Report)) {
        (self.best, self.report) = saved;
    }

    /// Runs the plan as it is now, in some other way of looking.
    pub(super) fn look(&mut self, look: Look) -> Option<Report> {
        if self.is_spent() {
            return None;
        }
        self.count();
        (self.oracle)(std::slice::from_ref(&self.best), look).pop()
    }

    fn count(&mut self) {
        self.runs += 1;
        if let Some(progress) = &mut self.progress {
            progress.show(self.runs, self.runs_max, &self.report);
        }
    }

    fn is_it(&self, report: &Report) -> bool {
        let verdict = &report.verdict;
        if self.any {
            let says_little = matches!(verdict.class.as_str(), "inconclusive" | "host-timeout" | "crash" | "refused");
            return !report.passed() && (!says_little || verdict.class == self.wanted.class);
        }
        verdict.fingerprint == self.wanted.fingerprint
    }

    fn comes_again(&mut self, candidate: &Node, first: &Report) -> bool {
        if self.is_spent() {
            return false;
        }
        self.count();
        let again = (self.oracle)(std::slice::from_ref(candidate), Look::default()).pop();
        again.is_some_and(|again| {
            again.trace_hash == first.trace_hash && again.verdict.fingerprint == first.verdict.fingerprint
        })
    }
}

/// A line that shows how far the search is; on a terminal it stays in place.
pub(super) struct Progress {
    what: String,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(what: String) -> Self {
        Self { what, shown: Instant::now() }
    }

    fn show(&mut self, runs: u64, most: u64, report: &Report) {
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let size = format!(
            "{} nodes, {} faults, {:.1} s",
            report.nodes.len(),
            report.faults.len(),
            report.elapsed_ns as f64 / 1e9
        );
        let line = format!("{}: {runs} of at most {most} runs; {size}", self.what);
        // Who does not see it misses nothing.
        let _ =
            if terminal { write!(std::io::stderr(), "\r\x1b[K{line}") } else { writeln!(std::io::stderr(), "{line}") };
    }

    /// Takes the line away.
    pub(super) fn clear() {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
