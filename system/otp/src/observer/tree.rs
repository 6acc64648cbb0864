//! The tree: who runs, and under whom.

use std::cmp::Reverse;

use simurgh_runtime::collections::HashMap;
use simurgh_runtime::{Label, Node, Timestamp};

use crate::{Kind, Pid, ProcessInfo, json};

/// Processes that a tree shows; what is beyond is counted. Those of supervised trees go first.
pub const PROCESSES_MAX: usize = 10_000;

/// A node's processes at one moment. Its `Display` is a table with the tree drawn in its first column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tree {
    /// The node's name.
    pub node: String,
    /// When it was taken.
    pub at: Timestamp,
    /// Processes that nobody alive supervises, the oldest first.
    pub roots: Vec<Branch>,
    /// Processes that are not shown, since there are more than [`PROCESSES_MAX`].
    pub omitted: usize,
}

/// A process and what it supervises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The process.
    pub info: ProcessInfo,
    /// Its children, the oldest first.
    pub children: Vec<Branch>,
}

/// By what processes are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The longest mailbox first.
    Mailbox,
    /// The most memory first.
    Memory,
    /// The most messages handled first.
    Handled,
}

/// The current node's processes now.
///
/// # Panics
/// Outside of a task of a node.
pub fn tree() -> Tree {
    let node = Node::current();
    Tree::of(node.name(), Timestamp::now(), crate::list())
}

impl Tree {
    pub(super) fn of(node: &str, at: Timestamp, mut processes: Vec<ProcessInfo>) -> Self {
        let omitted = processes.len().saturating_sub(PROCESSES_MAX);
        if omitted > 0 {
            processes
                .sort_by_key(|info| (info.parent.is_none() && !matches!(info.kind, Kind::Supervisor(_)), info.pid));
            processes.truncate(PROCESSES_MAX);
        }
        processes.sort_unstable_by_key(|info| info.pid);
        let places: HashMap<Pid, usize> = processes.iter().enumerate().map(|(place, info)| (info.pid, place)).collect();
        let parents: Vec<Option<usize>> =
            processes.iter().map(|info| info.parent.and_then(|parent| places.get(&parent).copied())).collect();
        let mut branches: Vec<Option<Branch>> =
            processes.into_iter().map(|info| Some(Branch { info, children: Vec::new() })).collect();
        let mut roots = Vec::new();
        // A child is younger than its parent: from the youngest on, each is complete when it is hung up.
        for place in (0..branches.len()).rev() {
            let Some(mut branch) = branches[place].take() else { continue };
            branch.children.reverse();
            match parents[place].and_then(|parent| branches[parent].as_mut()) {
                Some(parent) => parent.children.push(branch),
                None => roots.push(branch),
            }
        }
        roots.reverse();
        Self { node: node.to_owned(), at, roots, omitted }
    }

    /// Each process with its depth, from the root down.
    pub fn rows(&self) -> Vec<(usize, &ProcessInfo)> {
        let mut rows = Vec::new();
        let mut left: Vec<(usize, &Branch)> = self.roots.iter().rev().map(|root| (0, root)).collect();
        while let Some((depth, branch)) = left.pop() {
            rows.push((depth, &branch.info));
            left.extend(branch.children.iter().rev().map(|child| (depth + 1, child)));
        }
        rows
    }

    /// Each process with its path: the labels from the root down to itself.
    pub fn paths(&self) -> Vec<(String, &ProcessInfo)> {
        let mut above: Vec<String> = Vec::new();
        let path = |(depth, info): (usize, &'_ ProcessInfo)| {
            above.truncate(depth);
            above.push(info.label.to_string());
            above.join(" > ")
        };
        let rows = self.rows();
        let paths: Vec<String> = rows.iter().copied().map(path).collect();
        paths.into_iter().zip(rows).map(|(path, (_, info))| (path, info)).collect()
    }

    /// How many processes it shows.
    pub fn count(&self) -> usize {
        self.rows().len()
    }

    /// One of its processes.
    pub fn get(&self, pid: Pid) -> Option<&ProcessInfo> {
        self.rows().into_iter().map(|(_, info)| info).find(|info| info.pid == pid)
    }

    /// The same processes as a flat list, sorted, each labelled with its path.
    pub fn sorted(&self, by: SortBy) -> Self {
        let mut all: Vec<ProcessInfo> = self.paths().into_iter().map(|(path, info)| labelled(info, path)).collect();
        all.sort_by_key(|info| (Reverse(by.of(info)), info.pid));
        let roots = all.into_iter().map(|info| Branch { info, children: Vec::new() }).collect();
        Self { node: self.node.clone(), roots, ..*self }
    }

    /// As a JSON object on one line: `node`, `at`, `omitted` and `processes`, from the root down, each
    /// with its `depth`.
    pub fn to_json(&self) -> String {
        let rows = self.rows();
        let mut out = String::with_capacity(256 * (rows.len() + 1));
        json::object(&mut out, |it| {
            it.text("node", &self.node).text("at", self.at).number("omitted", self.omitted);
            it.field("processes", |out| json::list(out, rows, |out, (depth, info)| write_info(out, depth, info)));
        });
        out
    }
}

fn labelled(info: &ProcessInfo, path: String) -> ProcessInfo {
    ProcessInfo { label: Label::Owned(path.into()), ..info.clone() }
}

fn write_info(out: &mut String, depth: usize, info: &ProcessInfo) {
    json::object(out, |it| {
        it.text("pid", info.pid).number("depth", depth).text_or_null("parent", info.parent);
        it.text("label", &info.label).text("kind", info.kind.name());
        it.number("age_ms", info.age.as_millis());
        it.number("handled", info.handled).number("polls", info.polls);
        it.number("poll_time_ms", info.poll_time.as_millis()).number("memory_estimate", info.memory);
        it.number("links", info.links.len());
        it.field("mailbox", |out| match &info.mailbox {
            None => out.push_str("null"),
            Some(counts) => json::object(out, |it| {
                it.number("len", counts.len).number("high_water", counts.high_water).number("shed", counts.shed);
                it.number("blocked", counts.blocked).number("capacity", counts.capacity);
            }),
        });
    });
}

impl SortBy {
    /// All, and their words.
    pub const ALL: [(&str, SortBy); 3] =
        [("mailbox", SortBy::Mailbox), ("memory", SortBy::Memory), ("handled", SortBy::Handled)];

    fn of(self, info: &ProcessInfo) -> u64 {
        match self {
            Self::Mailbox => info.mailbox.as_ref().map_or(0, |counts| counts.len as u64),
            Self::Memory => info.memory as u64,
            Self::Handled => info.handled,
        }
    }
}

/// A word that sorts nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("processes are not sorted by {0}, but by mailbox, memory or handled")]
pub struct ParseSortError(String);

impl std::str::FromStr for SortBy {
    type Err = ParseSortError;

    fn from_str(word: &str) -> Result<Self, ParseSortError> {
        let known = Self::ALL.iter().find(|(name, _)| *name == word);
        known.map(|(_, by)| *by).ok_or_else(|| ParseSortError(word.to_owned()))
    }
}
