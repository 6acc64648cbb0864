//! How large a plan is.

use crate::file::{Node, What, tree_of};
use crate::plan::Plan;
use crate::registry::Registry;
use crate::render::Size;
use crate::report::Report;
use crate::value::{Value, parse_value};

/// How large a run is: what its plan had it do until it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Nodes, clients too.
    pub(crate) nodes: u64,
    /// Faults that struck.
    pub(crate) faults: u64,
    /// Operations that were due.
    pub(crate) operations: u64,
    /// Decisions of the schedule that first come, first served would not have made.
    pub(crate) decisions: u64,
    /// Virtual time, in nanoseconds.
    pub(crate) virtual_ns: u64,
}

impl Measured {
    /// Measures a run whose decisions were recorded or replayed.
    pub(super) fn of(plan: &Plan, report: &Report, registry: &Registry) -> Self {
        let until = report.verdict.at_ns;
        let struck = report.faults.iter().filter(|fault| fault.outcome != "refused" && fault.at_ns <= until).count();
        let due = plan.all_operations(registry).into_iter().filter(|(_, op)| op.at_ns <= until).count();
        Self {
            nodes: report.nodes.len() as u64,
            faults: struck as u64,
            operations: due as u64,
            decisions: plan.decisions.as_ref().map_or(report.decisions.len(), Vec::len) as u64,
            virtual_ns: report.elapsed_ns,
        }
    }

    /// As a part of a file.
    pub(super) fn node(&self) -> Node {
        let mut node = Node::table();
        let whole = |number: u64| Node::made(What::Int(number as i64));
        for (name, number) in [
            ("nodes", self.nodes),
            ("faults", self.faults),
            ("operations", self.operations),
            ("decisions", self.decisions),
        ] {
            node.set(&[name], whole(number));
        }
        node.set(&["time"], crate::file::number(crate::value::Unit::Time, self.virtual_ns as f64));
        node
    }
}

fn size_of(root: &Node, path: &str) -> Option<Size> {
    let whole = |name: &str| match root.find(&format!("plan.shrunk.{path}.{name}"))?.what {
        What::Int(number) => u64::try_from(number).ok(),
        _ => None,
    };
    let time = root.find(&format!("plan.shrunk.{path}.time"))?.as_text()?;
    let Ok(Value::Time(virtual_ns)) = parse_value(time) else { return None };
    let (nodes, faults, operations) = (whole("nodes")?, whole("faults")?, whole("operations")?);
    Some(Size { nodes, faults, operations, decisions: whole("decisions")?, virtual_ns })
}

/// The sizes before and after that a file tells of which was made small.
pub(crate) fn about_of(text: &str) -> Option<(Size, Size)> {
    let root = tree_of(text)?;
    Some((size_of(&root, "before")?, size_of(&root, "after")?))
}

/// The file that such a file was made from, and in how many runs.
pub(crate) fn origin_of(text: &str) -> Option<(String, u64)> {
    let root = tree_of(text)?;
    let runs = match root.find("plan.shrunk.runs")?.what {
        What::Int(runs) => u64::try_from(runs).ok()?,
        _ => return None,
    };
    Some((root.find("plan.shrunk.from")?.as_text()?.to_owned(), runs))
}
