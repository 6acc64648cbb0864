//! What must not be lost: seeds that are being run, and failures that nobody expected.
//!
//! A run writes its seeds to `sim/running-<process>.jsonl` in the target folder before it begins, line by line as they
//! are started and done, and removes the file at its end. A file whose process is gone was killed: the next run says so.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use simurgh_runtime::sync::Mutex;
use simurgh_sim::shared::called;
use simurgh_sim::warn;

use crate::file::Scenario;
use crate::registry::Registry;
use crate::report::{Report, replay_command};

use super::build::{Build, from_root, root, target};
use super::entry::Entry;
use super::keep::{Bank, FOLDER, PENDING, replace};

/// Files of killed runs that are looked at, at most.
const KILLED_MAX: usize = 20;

/// A line of a run's journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Line {
    /// A run begins.
    Begin { magic: String, file: String },
    /// These seeds are run now.
    Start { seeds: Vec<u64> },
    /// This one was run.
    Done { seed: u64 },
}

const MAGIC: &str = "simurgh running 1";

/// The journal of this run.
pub(crate) struct Running {
    path: PathBuf,
    file: Mutex<File>,
}

impl Running {
    /// Begins it, and says on standard error which seeds are to run, and which earlier runs were killed. None if
    /// nothing can be written there: a run goes on without.
    pub(crate) fn announce(scenario: &Scenario, seeds: &[u64]) -> Option<Self> {
        let (first, last) = (seeds.first().copied().unwrap_or(0), seeds.last().copied().unwrap_or(0));
        match Self::begin(&target().join("sim"), scenario) {
            Ok((running, killed)) => {
                for told in &killed {
                    warn!("{told}");
                }
                warn!("seeds {first} to {last}, written to {} before they run", running.path.display());
                Some(running)
            }
            Err(why) => {
                warn!("seeds {first} to {last}, not written down: {why}");
                None
            }
        }
    }

    fn begin(folder: &Path, scenario: &Scenario) -> Result<(Self, Vec<String>), String> {
        let path = folder.join(format!("running-{}.jsonl", std::process::id()));
        let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(folder).map_err(wrong)?;
        let killed = killed(folder);
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path).map_err(wrong)?;
        let running = Self { path, file: Mutex::new(file) };
        running.write(&Line::Begin { magic: MAGIC.into(), file: scenario.path.display().to_string() });
        Ok((running, killed))
    }

    /// These seeds are run now.
    pub(crate) fn start(&self, seeds: &[u64]) {
        self.write(&Line::Start { seeds: seeds.to_vec() });
    }

    /// This one was run.
    pub(crate) fn done(&self, seed: u64) {
        self.write(&Line::Done { seed });
    }

    fn write(&self, line: &Line) {
        let mut text = serde_json::to_string(line).expect("a line is data");
        text.push('\n');
        // A run goes on if the disk is full; that its seeds are lost then is the lesser loss.
        let _ = self.file.lock().write_all(text.as_bytes());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What runs that were killed were running, one line each. Their files are removed: they were told.
fn killed(folder: &Path) -> Vec<String> {
    let mut told = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).take(KILLED_MAX) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let process = name.strip_prefix("running-").and_then(|name| name.strip_suffix(".jsonl"));
        let Some(process) = process.and_then(|process| process.parse::<u32>().ok()) else { continue };
        if process == std::process::id() || Path::new(&format!("/proc/{process}")).exists() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(&path);
        let (mut file, mut seeds) = (String::new(), Vec::new());
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            match line {
                Line::Begin { file: of, .. } => file = of,
                Line::Start { seeds: more } => seeds.extend(more),
                Line::Done { seed } => seeds.retain(|other| *other != seed),
            }
        }
        if let Some(first) = seeds.first() {
            let all: Vec<String> = seeds.iter().take(20).map(u64::to_string).collect();
            told.push(format!(
                "a run of {file} was killed while it ran seeds {}; again: {}",
                all.join(", "),
                replay_command(&file, *first)
            ));
        }
    }
    told
}

/// Where failures go that nobody expected.
pub(crate) struct Pending {
    folder: PathBuf,
    registry: Registry,
    build: Build,
    /// Defects that the bank has as open.
    known: BTreeSet<String>,
    told: Mutex<Vec<String>>,
}

impl Pending {
    /// A folder, or `seeds/pending` of the repository, beside a bank.
    pub(crate) fn new(folder: Option<PathBuf>, registry: &Registry, bank: &Bank) -> Self {
        Self {
            folder: folder.unwrap_or_else(|| root().join(FOLDER).join(PENDING)),
            registry: registry.clone(),
            build: Build::of_here(),
            known: bank.open().map(|entry| entry.facts.fingerprint.clone()).collect(),
            told: Mutex::default(),
        }
    }

    /// Keeps a run, if it is a failure that nobody expected and that is not kept yet.
    pub(crate) fn keep(&self, scenario: &Scenario, report: &Report) {
        // What could not be judged is no failure, and what does not repeat cannot be kept.
        let is_kept = matches!(report.verdict.class.as_str(), "pass" | "inconclusive" | "nondeterminism");
        let path = self.folder.join(format!("{}.toml", report.verdict.fingerprint));
        if is_kept
            || scenario.expects(&report.verdict)
            || self.known.contains(&report.verdict.fingerprint)
            || path.exists()
        {
            return;
        }
        let written = Entry::of(report, scenario, &self.registry, &self.build)
            .map_err(|problems| problems.to_string())
            .and_then(|entry| {
                std::fs::create_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))?;
                replace(&path, &entry.print())
            });
        let shown = from_root(&path);
        self.told.lock().push(match written {
            Ok(()) => {
                format!("kept: {}; after a look at it: {} bank add {}", shown.display(), called(), shown.display())
            }
            Err(why) => format!("seed {} could not be kept: {why}", report.seed),
        });
    }

    /// What was kept, one line each.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_killed_leaves_its_seeds_and_the_next_one_tells_them_once() {
        let folder = std::env::temp_dir().join(format!("simurgh-running-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // No process has a number as high as this.
        let lines = [
            Line::Begin { magic: MAGIC.into(), file: "a.toml".into() },
            Line::Start { seeds: vec![3, 4, 5] },
            Line::Done { seed: 4 },
        ];
        let text: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        std::fs::write(folder.join("running-4194999.jsonl"), text.join("\n") + "\n{\"is\":\"do").unwrap();
        std::fs::write(folder.join(format!("running-{}.jsonl", std::process::id())), &text[0]).unwrap();
        let told = killed(&folder);
        assert_eq!(
            told,
            ["a run of a.toml was killed while it ran seeds 3, 5; again: cargo sim run a.toml --seed 3"],
            "and not those of a process that lives"
        );
        assert!(killed(&folder).is_empty(), "once");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
