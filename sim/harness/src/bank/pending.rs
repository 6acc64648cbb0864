//! What must not be lost: seeds that are being run, and failures that nobody expected.
//!
//! A run writes its seeds to `sim/running-<process>.jsonl` in the target folder before it begins, line by line as they
//! are started and done, and removes the file at its end. A file whose process is gone was killed: the next run says so.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use simurgh_runtime::sync::Mutex;

use crate::file::Scenario;
use crate::registry::Registry;
use crate::report::Report;

use super::build::{Build, root, target};
use super::entry::Entry;
use super::keep::{FOLDER, PENDING, replace};

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
    /// Begins it, and says which earlier runs were killed.
    pub(crate) fn begin(scenario: &Scenario) -> Result<(Self, Vec<String>), String> {
        Self::begin_in(&target().join("sim"), scenario)
    }

    fn begin_in(folder: &Path, scenario: &Scenario) -> Result<(Self, Vec<String>), String> {
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

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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
                "a run of {file} was killed while it ran seeds {}; again: cargo sim run {file} --seed {first}",
                all.join(", ")
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
    /// Defects that the bank knows.
    known: Vec<String>,
}

impl Pending {
    /// The folder, or `seeds/pending` of the repository; `known` are fingerprints that need not be kept.
    pub(crate) fn new(folder: Option<PathBuf>, registry: &Registry, known: Vec<String>) -> Self {
        let folder = folder.unwrap_or_else(|| root().join(FOLDER).join(PENDING));
        Self { folder, registry: registry.clone(), build: Build::of_here(), known }
    }

    /// Keeps a failure, unless it is kept; says where, or why not.
    pub(crate) fn keep(&self, scenario: &Scenario, report: &Report) -> Result<Option<PathBuf>, String> {
        let fingerprint = &report.verdict.fingerprint;
        let path = self.folder.join(format!("{fingerprint}.toml"));
        if self.known.contains(fingerprint) || path.exists() {
            return Ok(None);
        }
        let entry = Entry::of(report, scenario, &self.registry, &self.build).map_err(|problems| problems.to_string())?;
        std::fs::create_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))?;
        replace(&path, &entry.print())?;
        Ok(Some(path))
    }
}
