//! The folder of the bank: which entries there are, and where a new one belongs.

use std::path::{Path, PathBuf};

use crate::file::{Node, Problems, Scenario, What};
use crate::registry::Registry;
use crate::render::Standing;
use crate::report::Report;
use crate::run::Look;
use crate::set::KEEP;
use crate::sweep::SweepFinding;
use crate::worker::{Job, launch};

use super::build::{Build, from_root, hash, root};
use super::entry::{Entry, Kept, State};

/// The folder that the bank lies in, from the repository's.
pub(crate) const FOLDER: &str = "seeds";
/// The folder of failures that nobody has looked at.
pub(super) const PENDING: &str = "pending";
/// Files of a bank, at most: a folder with more is not meant.
const ENTRIES_MAX: usize = 100_000;

/// All entries of a folder.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    pub(crate) kept: Vec<Kept>,
    /// Files that cannot be read as entries.
    pub(crate) broken: Vec<Problems>,
}

impl Bank {
    /// Reads a folder, in the order of names, without what is pending.
    pub(crate) fn read(folder: &Path, registry: &Registry) -> Self {
        let mut paths = Vec::new();
        collect(folder, &mut paths);
        let mut bank = Self::default();
        for path in paths {
            match Kept::read(&path, registry) {
                Ok(kept) => bank.kept.push(kept),
                Err(problems) => bank.broken.push(problems),
            }
        }
        bank
    }

    /// That of the repository in which this runs.
    pub(crate) fn of_here(registry: &Registry) -> Self {
        Self::read(&root().join(FOLDER), registry)
    }

    /// The entries of failures that nobody planted and nobody mended.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| matches!(entry.state(), State::Open | State::Stale))
    }

    /// The entry of a failure of a scenario. A bug that is planted, or expected, is known to its own scenario alone.
    fn of(&self, fingerprint: &str, scenario: &str) -> Option<&Entry> {
        let of_defect = self.entries().filter(|entry| entry.facts.fingerprint == fingerprint);
        let known = of_defect.filter(|entry| !entry.state().is_wanted() || entry.name() == scenario);
        // One that is open says more than one that was mended.
        known.min_by_key(|entry| entry.state() == State::Fixed)
    }

    /// Whether a run was seen before. `share`: how many of how many seeds came to it, if that is known.
    pub(crate) fn standing(&self, report: &Report, share: Option<(u64, u64)>) -> Standing {
        if report.passed() {
            let is_it = |entry: &&Entry| {
                entry.state() == State::Fixed && entry.name() == report.scenario && entry.seed() == report.seed
            };
            return if self.entries().any(|entry| is_it(&entry)) { Standing::Resolved } else { Standing::New };
        }
        let entry = self.of(&report.verdict.fingerprint, &report.scenario);
        standing(entry, entry.is_some(), share)
    }

    /// The same of a failure that a sweep came to, and who has mended it once. `is_known`: to the sweep, from before.
    pub(crate) fn standing_of(&self, finding: &SweepFinding, is_known: bool, seeds: u64) -> (Standing, Option<&str>) {
        let entry = self.of(&finding.fingerprint, &finding.scenario);
        let standing = standing(entry, is_known || entry.is_some(), Some((finding.count, seeds)));
        (standing, entry.filter(|_| standing == Standing::Back).and_then(|entry| entry.facts.fixed_by.as_deref()))
    }

    /// The same in words, of a failure.
    pub(crate) fn told(&self, report: &Report, share: (u64, u64)) -> String {
        let fingerprint = &report.verdict.fingerprint;
        let standing = self.standing(report, Some(share));
        let Some(entry) = self.of(fingerprint, &report.scenario) else {
            return format!("{} {fingerprint}: no entry of the bank", standing.word());
        };
        let known = match &entry.facts.fixed_by {
            Some(by) if standing == Standing::Back => format!("mended by {by}, and fails again:"),
            _ => format!("{} in the bank,", entry.state().word()),
        };
        format!("{} {fingerprint}: {known} {}", standing.word(), from_root(&entry.path).display())
    }

    /// The file and the seed of the plan that is kept of a failure.
    pub(crate) fn plan_of(&self, report: &Report) -> Option<(String, u64)> {
        let entry = self.of(&report.verdict.fingerprint, &report.scenario)?;
        Some((from_root(&entry.path).display().to_string(), entry.seed()))
    }

    /// The entries that are plans.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.kept.iter().filter_map(|kept| match kept {
            Kept::Plan(entry) => Some(&**entry),
            Kept::Plain(_) => None,
        })
    }
}

fn standing(entry: Option<&Entry>, is_known: bool, share: Option<(u64, u64)>) -> Standing {
    match entry.map(Entry::state) {
        Some(State::Fixed) => Standing::Back,
        _ if !is_known => Standing::New,
        _ if share.is_some_and(|(count, seeds)| count.saturating_mul(1000) < seeds) => Standing::Rare,
        _ => Standing::Known,
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    for path in found {
        if paths.len() >= ENTRIES_MAX {
            return;
        }
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != PENDING) {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
}

/// Where an entry of a scenario belongs: `[seeds] bank`, or a folder of its name.
pub(crate) fn folder_of(scenario: &Scenario, bank: &Path) -> Result<PathBuf, String> {
    let Some(own) = scenario.root.find("seeds.bank").and_then(Node::as_text) else {
        return Ok(bank.join(scenario.name()));
    };
    let is_below = Path::new(own).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !is_below {
        return Err(format!(
            "{}: [seeds] bank = \"{own}\" must be a folder below the repository's",
            scenario.path.display()
        ));
    }
    // A bank that lies elsewhere has the same folders.
    Ok(match Path::new(own).strip_prefix(FOLDER) {
        Ok(below) => bank.join(below),
        Err(_) => root().join(own),
    })
}

/// The scenario file from which a file came, and its hash. A plan knows it no more; it has the name of one below
/// `scenarios`, or it stands for itself.
pub(super) fn origin(scenario: &Scenario, registry: &Registry) -> (String, String) {
    let of = |scenario: &Scenario| (from_root(&scenario.path).display().to_string(), hash(&scenario.print()));
    if scenario.root.find("plan.seed").is_none() {
        return of(scenario);
    }
    let mut files = Vec::new();
    crate::command::collect(&root().join("scenarios"), &mut files);
    files.sort();
    let named = files.iter().filter_map(|path| Scenario::read(path, registry).ok());
    named.into_iter().find(|known| known.name() == scenario.name()).map_or_else(|| of(scenario), |known| of(&known))
}

/// Runs a seed of a scenario twice and makes an entry of its failure.
pub(crate) fn make(scenario: &Scenario, seed: u64, registry: &Registry, build: &Build) -> Result<Entry, Failed> {
    let run = || {
        let job = Job { look: Look { keep: KEEP, record: true }, ..Job::new(scenario, vec![seed]) };
        let mut ran = None;
        launch(&job, |report| ran = Some(report));
        ran.ok_or_else(|| Failed { class: "harness", why: "the worker gave no report".into() })
    };
    let (first, second): (Report, Report) = (run()?, run()?);
    if first.passed() {
        let why = format!("seed {seed} of {} passes: there is nothing to keep", scenario.path.display());
        return Err(Failed { class: "not-found", why });
    }
    if first.trace_hash != second.trace_hash || first.verdict.fingerprint != second.verdict.fingerprint {
        let why = format!(
            "seed {seed} gave hash {} and then {}: a run that does not repeat is no entry; sim replay --times shows more",
            first.trace_hash, second.trace_hash
        );
        return Err(Failed { class: "nondeterminism", why });
    }
    Entry::of(&first, scenario, registry, build)
        .map_err(|problems| Failed { class: "harness", why: format!("the plan cannot be read again: {problems}") })
}

/// Why there is no entry: a class of exit codes, and words.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) class: &'static str,
    pub(crate) why: String,
}

/// Writes an entry to its place. One of the same defect and scenario is replaced only on request.
pub(crate) fn write(entry: &mut Entry, folder: &Path, replaces: bool) -> Result<(), String> {
    let name = |tail: &str| folder.join(format!("{}{tail}.toml", entry.facts.fingerprint));
    let mut path = name("");
    if let Ok(text) = std::fs::read_to_string(&path) {
        let own = format!("name = {}", Node::made(What::Text(entry.name().to_owned())).inline());
        if !text.lines().any(|line| line == own) {
            // Another scenario shows the same defect.
            path = name(&format!("-{}", entry.name().replace('/', "-")));
        }
    }
    if path.exists() && !replaces {
        return Err(format!(
            "{} is there already: this defect is kept; --replace puts this plan in its place",
            from_root(&path).display()
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    replace(&path, &entry.print())?;
    entry.path = path;
    Ok(())
}

/// Writes a file whole or not at all.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let part = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, text).map_err(wrong)?;
    std::fs::rename(&part, path).map_err(wrong)
}
