//! The journal of sweeps: a line before seeds are run, a line for each finding as it happens.
//!
//! It is appended to and flushed line by line, so that a sweep that is killed loses nothing: what it found is listed by
//! the next one, and the seeds that it was running are run first.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bank::{Bank, from_root};
use crate::file::Scenario;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(crate) enum Line {
    /// A sweep begins.
    Begin { commit: String, from: u64 },
    /// These seeds of a file are run now.
    Start { batch: u64, file: String, seeds: Vec<u64> },
    /// They were run.
    Done { batch: u64 },
    /// A defect, the first time that this sweep saw it.
    Found(Found),
    /// A seed that once failed has passed.
    Resolved { fingerprint: String },
    /// The sweep came to its end.
    End { class: String },
}

/// A finding in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Which defect it is.
    pub(crate) fingerprint: String,
    /// The class of the failure.
    pub(crate) class: String,
    /// The invariant, if one did not hold.
    pub(crate) invariant: String,
    /// What was seen, the first line of it.
    pub(crate) message: String,
    /// The scenario's file.
    pub(crate) file: String,
    /// The first seed.
    pub(crate) seed: u64,
    /// It is what the file expects: a canary.
    pub(crate) expected: bool,
}

/// What earlier sweeps left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// Findings that no later run has seen pass, canaries left out.
    pub(crate) open: BTreeMap<String, Found>,
    /// Seeds that were being run when a sweep was killed: file and seeds.
    pub(crate) unfinished: Vec<(String, Vec<u64>)>,
    /// The last sweep did not come to its end.
    pub(crate) was_killed: bool,
    /// By file: the seed after the highest that was run, below the end of the first interval.
    pub(crate) next: BTreeMap<String, u64>,
}

impl Past {
    /// Reads a journal; one that is not there is empty. A line that is cut, as the last one of a killed sweep may be,
    /// says nothing.
    pub(crate) fn read(path: &Path, interval: u64) -> Self {
        let Ok(file) = File::open(path) else { return Self::default() };
        Self::of(BufReader::new(file).lines().map_while(Result::ok), interval)
    }

    /// Takes in what a bank has as open, of scenarios that are swept: such a finding is known, and its seed run first.
    pub(crate) fn know(&mut self, bank: &Bank, scenarios: &[Scenario]) {
        for entry in bank.open() {
            let swept = scenarios.iter().find(|scenario| from_root(&scenario.path) == Path::new(&entry.facts.file));
            let Some(scenario) = swept else { continue };
            self.open.entry(entry.facts.fingerprint.clone()).or_insert_with(|| Found {
                fingerprint: entry.facts.fingerprint.clone(),
                class: entry.facts.class.clone(),
                invariant: entry.facts.invariant.clone(),
                message: entry.facts.message.clone(),
                file: scenario.path.display().to_string(),
                seed: entry.seed(),
                expected: false,
            });
        }
    }

    fn of(lines: impl Iterator<Item = String>, interval: u64) -> Self {
        let mut past = Self::default();
        let mut running: BTreeMap<u64, (String, Vec<u64>)> = BTreeMap::new();
        for line in lines.filter_map(|line| serde_json::from_str::<Line>(&line).ok()) {
            match line {
                Line::Begin { .. } => {
                    // Those of an older sweep that was killed were taken up by the one after it.
                    running.clear();
                    past.was_killed = true;
                }
                Line::Start { batch, file, seeds } => {
                    let highest = seeds.iter().filter(|seed| **seed < interval).max();
                    if let Some(highest) = highest {
                        let next = past.next.entry(file.clone()).or_default();
                        *next = (*next).max(highest + 1);
                    }
                    running.insert(batch, (file, seeds));
                }
                Line::Done { batch } => drop(running.remove(&batch)),
                Line::Found(found) if found.expected => {}
                Line::Found(found) => drop(past.open.entry(found.fingerprint.clone()).or_insert(found)),
                Line::Resolved { fingerprint } => drop(past.open.remove(&fingerprint)),
                Line::End { .. } => past.was_killed = false,
            }
        }
        past.unfinished = running.into_values().collect();
        past
    }
}

/// A journal that is being written.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens it, and makes it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let wrong = |error: std::io::Error| format!("the journal {}: {error}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(wrong)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(wrong)?;
        // After a line that was cut, a new one begins.
        file.write_all(b"\n").map_err(wrong)?;
        Ok(Self { file })
    }

    /// Writes a line, in one call, so that a kill leaves it whole or not at all.
    pub(crate) fn write(&mut self, line: &Line) -> Result<(), String> {
        let mut text = serde_json::to_string(line).expect("a line is data");
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|error| format!("the journal: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_sweep_loses_no_finding_and_no_seed() {
        let found = |fingerprint: &str, expected| {
            Line::Found(Found { fingerprint: fingerprint.into(), seed: 3, expected, ..Found::default() })
        };
        let start = |batch, seeds| Line::Start { batch, file: "a.toml".into(), seeds };
        let lines = [
            Line::Begin { commit: String::new(), from: 0 },
            start(1, vec![0, 1]),
            found("one", false),
            found("two", false),
            found("canary", true),
            Line::Done { batch: 1 },
            start(2, vec![2, 3]),
            Line::Resolved { fingerprint: "two".into() },
            start(3, vec![7_000]),
        ];
        let text = |line: &Line| serde_json::to_string(line).unwrap();
        let past = Past::of(lines.iter().map(text).chain(["{\"is\":\"found\",\"fing".into()]), 1_000);
        assert!(past.was_killed);
        assert_eq!(past.open.keys().collect::<Vec<_>>(), ["one"]);
        assert_eq!(past.unfinished, [("a.toml".to_owned(), vec![2, 3]), ("a.toml".to_owned(), vec![7_000])]);
        assert_eq!(past.next["a.toml"], 4, "a night's seeds do not move the others on");

        let end = [Line::Done { batch: 2 }, Line::Done { batch: 3 }, Line::End { class: "pass".into() }];
        let past = Past::of(lines.iter().chain(&end).map(text), 1_000);
        assert!(!past.was_killed && past.unfinished.is_empty());
    }
}
