//! Scenario files: read, checked, printed, resolved for a seed.

mod check;
mod differs;
mod fields;
mod problem;
mod resolve;
mod schema;
mod tree;

use std::path::{Path, PathBuf};

use crate::registry::Registry;
use crate::value::Unit;

pub(crate) use check::{Condition, Knob, knob_of, span_of};
pub(crate) use differs::differs;
pub(crate) use problem::Problem;
pub use problem::Problems;
pub(crate) use problem::instead;
pub(crate) use resolve::{number, resolve};
pub use schema::json_schema;
use tree::At;
pub(crate) use tree::{Node, Source, What};

/// A scenario file that was found right, with what it extends.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it was read.
    pub path: PathBuf,
    pub(crate) root: Node,
}

/// Reads a file as a tree, whatever its fields are.
pub(crate) fn parse_tree(source: &Source) -> Result<Node, Problems> {
    tree::parse(0, source).map_err(|problem| Problems::of(std::slice::from_ref(source), &[problem]))
}

/// Reads the form of one file alone: its fields, and not what they name.
pub(crate) fn read_form(source: &Source, registry: &Registry) -> Result<Node, Problems> {
    let root = parse_tree(source)?;
    let problems = check::check_form(&root, registry);
    if problems.is_empty() { Ok(root) } else { Err(Problems::of(std::slice::from_ref(source), &problems)) }
}

/// A text as a tree, whatever it says; None if it is no TOML.
pub(crate) fn tree_of(text: &str) -> Option<Node> {
    tree::parse(0, &Source { path: String::new(), text: text.to_owned() }).ok()
}

/// Files that a file may extend, one behind the other.
const BASES_MAX: usize = 8;

impl Scenario {
    /// Reads a file and what it extends.
    ///
    /// # Errors
    /// All that is wrong with it: file, line, column, and the nearest right name.
    pub fn read(path: &Path, registry: &Registry) -> Result<Self, Problems> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Problems(vec![format!("{}: {error}", path.display())]))?;
        Self::parse(path, &text, registry)
    }

    /// Reads the text of a file that stands, or would stand, at `path`.
    ///
    /// # Errors
    /// As [`Scenario::read`].
    pub fn parse(path: &Path, text: &str, registry: &Registry) -> Result<Self, Problems> {
        let mut sources = vec![Source { path: path.display().to_string(), text: text.to_owned() }];
        let mut problems = Vec::new();
        let mut files = Vec::new();
        let (mut folder, mut number) = (path.parent().map(Path::to_owned).unwrap_or_default(), 0);
        loop {
            let root = tree::parse(number, &sources[number]).map_err(|problem| Problems::of(&sources, &[problem]))?;
            problems.extend(check::check_form(&root, registry));
            let base = root.get("extends").and_then(|base| Some((base.at, base.as_text()?.to_owned())));
            files.push(root);
            let Some((at, base)) = base else { break };
            let path = folder.join(&base);
            if files.len() > BASES_MAX || sources.iter().any(|known| Path::new(&known.path) == path) {
                problems.push(Problem::new(
                    at,
                    format!("{base} extends what extends it, or the chain is longer than {BASES_MAX}"),
                ));
                break;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => sources.push(Source { path: path.display().to_string(), text }),
                Err(error) => {
                    problems.push(Problem::new(at, format!("{} cannot be read: {error}", path.display())));
                    break;
                }
            }
            folder = path.parent().map(Path::to_owned).unwrap_or_default();
            number += 1;
        }
        let mut root = files.into_iter().rev().reduce(|base, file| file.over(base)).unwrap_or_else(Node::table);
        root.at = At::default();
        root.remove(&["extends"]);
        if problems.is_empty() {
            problems = check::check(&root, registry);
        }
        if problems.is_empty() {
            Ok(Self { path: path.to_owned(), root })
        } else {
            Err(Problems::of(&sources, &problems))
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.root.get("name").and_then(Node::as_text).unwrap_or_default()
    }

    /// Why it exists.
    pub fn why(&self) -> &str {
        self.root.get("why").and_then(Node::as_text).unwrap_or_default()
    }

    /// What its runs must come to: `pass`, or `fail:` and an invariant or a class.
    pub(crate) fn outcome(&self) -> &str {
        self.root.find("expect.outcome").and_then(Node::as_text).unwrap_or("pass")
    }

    /// Whether a failure is the one that its runs must come to.
    pub(crate) fn expects(&self, verdict: &crate::report::Judgement) -> bool {
        let wanted = self.outcome().strip_prefix("fail:");
        wanted.is_some_and(|wanted| verdict.invariant == wanted || verdict.class == wanted)
    }

    fn least(&self, path: &str, unit: Unit) -> Option<f64> {
        self.root.find(path).and_then(|node| span_of(node, unit).ok()).map(|span| span.low)
    }

    /// Seeds of a set, if nobody says how many.
    pub(crate) fn seeds(&self) -> u64 {
        self.least("seeds.count.pr", Unit::Count).map_or(20, |count| count as u64)
    }

    /// Its share of a sweep, beside others.
    pub(crate) fn weight(&self) -> f64 {
        self.least("weight", Unit::Count).unwrap_or(1.0).max(1e-3)
    }

    /// Of the seeds that pass, one in so many is run twice.
    pub(crate) fn recheck_every(&self) -> u64 {
        let share = self.least("seeds.recheck", Unit::Share).unwrap_or(0.05);
        if share > 0.0 { (1.0 / share).round().max(1.0) as u64 } else { u64::MAX }
    }

    /// Runs that shrinking may take, if the file says how many.
    pub(crate) fn shrink_runs(&self) -> Option<u64> {
        self.least("shrink.runs", Unit::Count).map(|runs| runs as u64)
    }

    /// The whole file, with what it extends, as one file.
    pub fn print(&self) -> String {
        self.root.print()
    }

    /// The file as the seed resolves it: every number a value, every fault an instance with its time. It can be run
    /// itself, and resolves to itself.
    pub fn explain(&self, seed: u64) -> String {
        resolve(&self.root, seed).print()
    }
}
