//! `sim mutants`: how soon the default world finds each bug that is planted in a real service.
//!
//! ```text
//!   for each mutant    each strategy, from one seed on     a worker runs seeds until one fails: after how many?
//!                      the default, from 20 others on      the same: median and most
//!                      the calm world                      must miss it
//!   for each simulation, without a mutant                  must be clean
//! ```
//!
//! All in one world, [`Profile::nasty`](crate::Profile::nasty), whatever the simulation's own is. What was measured is kept beside the program,
//! line by line, for as long as the program is the same.

mod keep;
mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use simurgh_runtime::sync::Mutex;

use crate::command::launch;
use crate::flags::Flags;
use crate::registry::{Mutant, Registry};
use crate::runner::all_cores;
use crate::worker::{Job, World};
use crate::{say, warn};

use keep::Keep;

/// Seeds of a search, at most.
const SEEDS: u64 = 1_000;
/// Other first seeds for the default strategy.
const BASES: u64 = 20;
/// The n-th of the others is n times this.
const BASE_STEP: u64 = 1_000_000;

/// One search: seeds from `first` on, until one fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Search {
    simulation: &'static str,
    /// What is planted; nothing, to see that all is clean.
    bug: Option<&'static str>,
    world: &'static str,
    first: u64,
    /// How many, at most.
    seeds: u64,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Seeds that were run.
    seeds: u64,
    /// The invariant, or the class of the verdict, of the last of them; none if all passed.
    by: Option<String>,
}

/// What is asked for.
struct Plan {
    seeds: u64,
    bases: u64,
    base: u64,
    /// Seeds of the calm world, and of simulations without a mutant.
    calm: u64,
    only: Option<String>,
    strategies: Vec<&'static str>,
}

const STRATEGIES: [&str; 5] = ["default", "random", "pct", "pos", "fifo"];

impl Plan {
    fn of(flags: &Flags) -> Result<Self, String> {
        let strategies =
            match flags.values.get("strategy") {
                None => STRATEGIES.to_vec(),
                Some(name) => {
                    let known = STRATEGIES.into_iter().find(|known| known == name);
                    vec![known.ok_or_else(|| {
                        format!("--strategy: there is no {name}; there are {}", STRATEGIES.join(", "))
                    })?]
                }
            };
        let number = |flag, default| flags.number(flag).map(|number| number.unwrap_or(default));
        let seeds = number("seeds", SEEDS)?;
        let plan = Self {
            seeds,
            calm: number("calm", seeds)?,
            bases: number("bases", BASES)?,
            base: number("base", 0)?,
            only: flags.values.get("only").cloned(),
            strategies,
        };
        match (plan.seeds, plan.calm) {
            (0, _) => Err("--seeds: at least one".to_owned()),
            (_, 0) => Err("--calm: at least one".to_owned()),
            _ => Ok(plan),
        }
    }

    fn is_whole(&self) -> bool {
        let whole = (SEEDS, SEEDS, BASES, 0, STRATEGIES.len());
        let this = (self.seeds, self.calm, self.bases, self.base, self.strategies.len());
        this == whole && self.only.is_none()
    }

    /// All searches for a mutant.
    fn searches(&self, mutant: &Mutant) -> Vec<Search> {
        let search = |world: &'static str, first| {
            let seeds = if world == "calm" { self.calm } else { self.seeds };
            Search { simulation: mutant.simulation, bug: Some(mutant.bug), world, first, seeds }
        };
        let own = self.strategies.iter().map(|&strategy| search(strategy, self.base));
        let bases = if self.strategies.contains(&"default") { self.bases } else { 0 };
        let others = (1..=bases).map(|base| search("default", self.base + base * BASE_STEP));
        own.chain(others).chain([search("calm", self.base)]).collect()
    }
}

/// What is known of one mutant.
struct Row<'a> {
    mutant: &'a Mutant,
    /// Files in which it is planted.
    places: Vec<String>,
    by_strategy: BTreeMap<&'static str, Found>,
    /// From the other seeds on.
    bases: Vec<Found>,
    calm: Found,
}

impl Row<'_> {
    /// Found from every seed on that the default strategy began with, and only where there are faults.
    fn is_good(&self) -> bool {
        let by_default = self.by_strategy.get("default").into_iter().chain(&self.bases);
        by_default.into_iter().all(|found| found.by.is_some()) && self.calm.by.is_none() && !self.places.is_empty()
    }

    /// What caught it, over all searches.
    fn caught_by(&self) -> Vec<&str> {
        let all = self.by_strategy.values().chain(&self.bases);
        let mut names: Vec<&str> = all.filter_map(|found| found.by.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Seeds that the default strategy needed, the least first; none for a search in vain.
    fn by_default(&self) -> Vec<Option<u64>> {
        let all = self.by_strategy.get("default").into_iter().chain(&self.bases);
        let mut seeds: Vec<Option<u64>> = all.map(|found| found.by.as_ref().map(|_| found.seeds)).collect();
        seeds.sort_by_key(|seeds| seeds.unwrap_or(u64::MAX));
        seeds
    }
}

/// The command.
pub(crate) fn command(registry: &Registry, flags: &Flags) -> Result<ExitCode, String> {
    let plan = Plan::of(flags)?;
    let mutants = &registry.mutants;
    let chosen: Vec<&Mutant> =
        mutants.all.iter().filter(|mutant| plan.only.as_deref().is_none_or(|only| only == mutant.bug)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = mutants.all.iter().map(|mutant| mutant.bug).collect();
        return Err(match &plan.only {
            Some(only) => format!("--only: there is no {only}; there are {}", known.join(", ")),
            None => "this program has no mutants".to_owned(),
        });
    }
    let places = places(&mutants.root, &mutants.sources)?;
    let keep = Keep::open()?;
    let began = Instant::now();
    let mut rows = Vec::new();
    say!("{}", page::line_head());
    for (number, mutant) in chosen.iter().enumerate() {
        let mut found = run(registry, &keep, &plan.searches(mutant));
        let mut take = |world, first| found.remove(&(world, first)).expect("each search has ended");
        let calm = take("calm", plan.base);
        let by_strategy = plan.strategies.iter().map(|strategy| (*strategy, take(*strategy, plan.base))).collect();
        let bases = found.into_values().collect();
        let files = places.get(mutant.bug).cloned().unwrap_or_default();
        let row = Row { mutant, places: files, by_strategy, bases, calm };
        say!("{}", page::line(&row));
        rows.push(row);
        warn!("{}/{} mutants, {:.0} s", number + 1, chosen.len(), began.elapsed().as_secs_f64());
    }
    let mut simulations: Vec<&'static str> = chosen.iter().map(|mutant| mutant.simulation).collect();
    simulations.sort_unstable();
    simulations.dedup();
    let clean: Vec<Search> = simulations
        .into_iter()
        .map(|simulation| Search { simulation, bug: None, world: "default", first: plan.base, seeds: plan.calm })
        .collect();
    let mut failing = Vec::new();
    for search in clean {
        let found = run(registry, &keep, std::slice::from_ref(&search));
        let bad = found.values().find_map(|found| found.by.as_ref().map(|by| (found.seeds, by)));
        let verdict = bad.map_or_else(
            || format!("{} seeds: clean", plan.calm),
            |(seeds, by)| format!("FAILS with seed {}: {by}", plan.base + seeds - 1),
        );
        say!("{:<34} {:<18} {verdict}", "(none)", search.simulation);
        failing.extend(bad.is_some().then_some(search.simulation));
    }
    let bad: Vec<&str> = rows.iter().filter(|row| !row.is_good()).map(|row| row.mutant.bug).collect();
    if plan.is_whole() {
        let path = mutants.root.join(&mutants.report);
        page::write(&path, &rows, plan.seeds, plan.bases)?;
        say!("written to {}", path.display());
    }
    if bad.is_empty() && failing.is_empty() {
        say!("PASS: each is found by the default world and missed by the calm one; clean when mended");
        return Ok(ExitCode::SUCCESS);
    }
    say!("FAIL: {}", bad.into_iter().chain(failing).collect::<Vec<_>>().join(", "));
    Ok(ExitCode::FAILURE)
}

/// Carries out searches, as many at once as there are cores, but for those whose end is known.
fn run(registry: &Registry, keep: &Keep, searches: &[Search]) -> BTreeMap<(&'static str, u64), Found> {
    let queue = Mutex::new(searches.iter().collect::<Vec<_>>());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..all_cores().min(searches.len()) {
            scope.spawn(|| {
                loop {
                    let Some(search) = queue.lock().pop() else { return };
                    let found = keep.known(search).unwrap_or_else(|| {
                        let found = find(registry, search);
                        keep.add(search, &found);
                        found
                    });
                    done.lock().insert((search.world, search.first), found);
                }
            });
        }
    });
    done.into_inner()
}

fn find(registry: &Registry, search: &Search) -> Found {
    let simulation = registry.get(search.simulation).expect("the registry has looked");
    let job = Job {
        seeds: (search.first..search.first + search.seeds).collect(),
        planted: search.bug.map(str::to_owned),
        world: World::parse(search.world).unwrap_or_default(),
        in_default: true,
        until_failure: true,
        ..Job::default()
    };
    let mut found = Found { seeds: 0, by: None };
    launch(simulation).run(&job, |report| {
        found.seeds += 1;
        if let Some(failure) = &report.failure {
            let name = failure.invariant();
            found.by.get_or_insert(if name.is_empty() { failure.class().0 } else { name }.to_owned());
        }
    });
    found
}

/// In which files below a folder each bug is planted.
fn places(root: &Path, sources: &Path) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.join(sources)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                for bug in text.split("planted!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                    let files = places.entry(bug.to_owned()).or_default();
                    if !files.contains(&name) {
                        files.push(name.clone());
                    }
                }
            }
        }
    }
    for files in places.values_mut() {
        files.sort();
    }
    Ok(places)
}
