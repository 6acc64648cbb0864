//! What was measured with this very program: a line for each search, beside the program.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use simurgh_runtime::sync::Mutex;

use super::{Found, Search};
use crate::trace::digest;

/// Begins the file; the program's digest follows.
const HEAD: &str = "simurgh mutants 1";

/// What is known already.
pub(super) struct Keep {
    path: PathBuf,
    known: Mutex<BTreeMap<String, Found>>,
}

impl Keep {
    /// Opens what there is of this program, of another one nothing is kept.
    pub(super) fn open() -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
        let bytes = std::fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
        let head = format!("{HEAD} {:016x}", digest(&bytes));
        let path = program.with_file_name("mutants.tsv");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let known =
            if lines.next() == Some(head.as_str()) { lines.filter_map(decode).collect() } else { BTreeMap::new() };
        if known.is_empty() {
            std::fs::write(&path, format!("{head}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self { path, known: Mutex::new(known) })
    }

    pub(super) fn known(&self, search: &Search) -> Option<Found> {
        self.known.lock().get(&key(search)).cloned()
    }

    /// Keeps what came of a search. A line that cannot be written costs the next run a search, and nothing else.
    pub(super) fn add(&self, search: &Search, found: &Found) {
        let mut known = self.known.lock();
        let line = format!("{}\t{}\t{}\n", key(search), found.seeds, found.by.as_deref().unwrap_or("-"));
        let file = std::fs::OpenOptions::new().append(true).open(&self.path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        known.insert(key(search), found.clone());
    }
}

fn key(search: &Search) -> String {
    let Search { simulation, bug, world, first, seeds } = search;
    format!("{simulation} {} {world} {first} {seeds}", bug.unwrap_or("-"))
}

fn decode(line: &str) -> Option<(String, Found)> {
    let mut fields = line.split('\t');
    let (key, seeds, by) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
    Some((key.to_owned(), Found { seeds, by: (by != "-").then(|| by.to_owned()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_is_no_result() {
        let found = Found { seeds: 7, by: Some("a.b".into()) };
        assert_eq!(decode("x - default 0\t7\ta.b"), Some(("x - default 0".into(), found)));
        assert_eq!(decode("x - calm 0\t1000\t-").map(|(_, found)| found.by), Some(None));
        assert_eq!(decode("x - calm 0\t10"), None);
        assert_eq!(decode(""), None);
    }
}
