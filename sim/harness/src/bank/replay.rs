//! An entry is run again: does it still come to where it failed, and what happens there?
//!
//! ```text
//!                       fails as it did            passes                        comes nowhere near
//!   open     exactly    replayed                   gone: say what mended it      stale
//!            around     moved
//!   planted             replayed, moved            gone: nothing catches it      stale
//!   fixed               back                       green                         stale
//! ```
//!
//! Near is where the spot is reached ([`crate::Spot`]): a failure that looks the same without it is stale as well, because
//! once it is mended nothing would tell any more whether its spot is reached. A failure of another kind is `other`.

use std::sync::mpsc;

use simurgh_runtime::sync::Mutex;
use simurgh_sim::shared::{all_cores, called};

use crate::file::Scenario;
use crate::judge::exit_code;
use crate::registry::Registry;
use crate::report::{Judgement, Report};
use crate::run::Look;
use crate::worker::{Job, launch};

use super::around::{Made, around};
use super::build::{Build, from_root, hash, root};
use super::entry::{Entry, Kept, Plain, State, plan_with};

/// How an entry is replayed.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Schedules that are tried around the known one.
    pub(crate) around: u64,
    /// Try them although the known one fails as it did.
    pub(crate) always: bool,
    pub(crate) build: Build,
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fails as it did.
    Replayed,
    /// A schedule around it fails as it did.
    Moved,
    /// It is mended, and comes to the old spot.
    Green,
    /// A seed of form 1 passes; such an entry knows no spot.
    Passes,
    /// It does not come to the old spot.
    Stale,
    /// It was stale before, and somebody knows.
    KnownStale,
    /// It passes, and should fail.
    Gone,
    /// It was mended, and fails again.
    Back,
    /// It fails in another way.
    Other,
    /// Two runs of one build are not alike.
    Nondeterminism,
}

/// An entry that was replayed.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    pub(crate) verdict: Verdict,
    /// In words, one line each: the first says how it went.
    pub(crate) told: Vec<String>,
    pub(crate) exit_code: u8,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verdict::Replayed => "replayed",
            Verdict::Moved => "moved",
            Verdict::Green => "green",
            Verdict::Passes => "passes",
            Verdict::Stale | Verdict::KnownStale => "STALE",
            Verdict::Gone => "GONE",
            Verdict::Back => "BACK",
            Verdict::Other => "OTHER",
            Verdict::Nondeterminism => "NONDETERMINISM",
        }
    }

    /// Whether it is as it must be.
    pub(crate) fn is_right(self) -> bool {
        matches!(self, Self::Replayed | Self::Moved | Self::Green | Self::Passes | Self::KnownStale)
    }
}

/// Replays entries, as many at once as there are cores, and tells of each when it is done, in their order.
pub(crate) fn replay_all(kept: &[Kept], registry: &Registry, options: &Options, mut each: impl FnMut(&Kept, Replayed)) {
    let next = Mutex::new(0usize);
    let (sender, told) = mpsc::sync_channel(kept.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..all_cores().min(kept.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = {
                        let mut next = next.lock();
                        *next += 1;
                        *next - 1
                    };
                    let Some(one) = kept.get(at) else { return };
                    let _ = sender.send((at, replay(one, registry, options)));
                }
            });
        }
        drop(sender);
        let mut waiting = std::collections::BTreeMap::new();
        let mut shown = 0;
        for (at, replayed) in told {
            waiting.insert(at, replayed);
            while let Some(replayed) = waiting.remove(&shown) {
                each(&kept[shown], replayed);
                shown += 1;
            }
        }
    });
}

fn replay(kept: &Kept, registry: &Registry, options: &Options) -> Replayed {
    match kept {
        Kept::Plan(entry) => match &entry.scenario {
            Ok(scenario) => Replay { registry, entry, scenario, options }.run(),
            Err(problems) => known_stale(entry).unwrap_or_else(|| {
                let why = format!("what its plan names is there no more: {problems}");
                Replayed { verdict: Verdict::Stale, told: vec![why], exit_code: exit_code("stale") }
            }),
        },
        Kept::Plain(plain) => replay_plain(plain, registry),
    }
}

fn known_stale(entry: &Entry) -> Option<Replayed> {
    let why = entry.facts.stale.as_ref()?;
    Some(Replayed { verdict: Verdict::KnownStale, told: vec![format!("known to be stale: {why}")], exit_code: 0 })
}

fn replay_plain(plain: &Plain, registry: &Registry) -> Replayed {
    let Some(simulation) = registry.simulations.get(&plain.simulation) else {
        let why = format!("there is no simulation {} any more", plain.simulation);
        return Replayed { verdict: Verdict::Stale, told: vec![why], exit_code: exit_code("stale") };
    };
    let config = simurgh_sim::RunConfig::new(plain.seed, simulation.own_profile().clone());
    let ran = simurgh_sim::run_once(&config, simulation.body());
    match ran.failure {
        None => Replayed {
            verdict: Verdict::Passes,
            told: vec![format!("seed {} passes; an entry of form 1 knows no spot", plain.seed)],
            exit_code: 0,
        },
        Some(failure) => Replayed {
            verdict: Verdict::Back,
            told: vec![format!("seed {} fails again: {failure}", plain.seed), format!("it was: {}", plain.why)],
            exit_code: exit_code(failure.class().0),
        },
    }
}

struct Replay<'a> {
    registry: &'a Registry,
    entry: &'a Entry,
    scenario: &'a Scenario,
    options: &'a Options,
}

/// What the schedules around a run came to.
#[derive(Default)]
struct Around {
    tried: u64,
    /// Fail as it did, at the old spot.
    same: Vec<Report>,
    /// Fail as it did, and miss a mark.
    blind: Vec<Report>,
    /// Fail in another way.
    others: Vec<Report>,
    /// Pass, at the old spot.
    passed_there: u64,
}

impl Replay<'_> {
    fn run(&self) -> Replayed {
        if let Some(known) = known_stale(self.entry) {
            return known;
        }
        let state = self.entry.state();
        let first = self.launch(None, false);
        let is_exact = self.is_same(&first) && self.is_there(&first);
        let must_fail = state != State::Fixed;
        let around = if is_exact && !self.options.always { Around::default() } else { self.around() };
        let mut told = Vec::new();
        let verdict = if must_fail {
            self.judge_open(&first, &around, state, &mut told)
        } else {
            self.judge_fixed(&first, &around, &mut told)
        };
        let verdict = self.compare(&first, verdict, &mut told);
        let class = match verdict {
            Verdict::Stale => "stale",
            Verdict::Gone if state.is_wanted() => "not-found",
            Verdict::Gone => "gone",
            Verdict::Back => self.entry.facts.class.as_str(),
            Verdict::Other => worst(&first, &around).map_or("failed", |other| other.class.as_str()),
            Verdict::Nondeterminism => "nondeterminism",
            _ => "pass",
        };
        Replayed { verdict, exit_code: exit_code(class), told }
    }

    fn judge_open(&self, first: &Report, around: &Around, state: State, told: &mut Vec<String>) -> Verdict {
        let facts = &self.entry.facts;
        let count = around.same.len();
        if self.is_same(first) && self.is_there(first) {
            told.push(format!(
                "seed {} fails as it did: {} at {}, event {}",
                self.entry.seed(),
                self.entry.what(),
                crate::render::time(first.elapsed_ns),
                first.verdict.event
            ));
            if around.tried > 0 {
                told.push(format!("so do {count} of {} schedules around it", around.tried));
            }
            return Verdict::Replayed;
        }
        if count > 0 {
            told.push(format!(
                "the old schedule {}; {count} of {} around it fail as it did",
                self.how(first),
                around.tried
            ));
            return Verdict::Moved;
        }
        let blind = [first].into_iter().chain(&around.blind).find(|report| self.is_same(report));
        if let Some(blind) = blind {
            told.push(format!("it fails as it did, but not at the old spot: {}", unmet(blind)));
            let path = from_root(&self.entry.path);
            told.push(format!("if that is as it should be: {} bank renew {}", called(), path.display()));
            return Verdict::Stale;
        }
        if let Some(other) = worst(first, around) {
            told.push(format!("it fails, but not as it did: {} {} {}", other.class, other.invariant, other.message));
            told.push(format!("it was: {}", facts.message));
            return Verdict::Other;
        }
        if has_reached(first) || around.passed_there > 0 {
            let there = u64::from(has_reached(first)) + around.passed_there;
            told.push(format!("it passes; {there} of {} runs come to the old spot and none fails", around.tried + 1));
            let path = from_root(&self.entry.path);
            told.push(match state {
                State::Planted => format!("nothing catches the planted bug any more; it was: {}", facts.message),
                State::Expected => {
                    format!("{} expects a failure, and there is none; it was: {}", facts.file, facts.message)
                }
                _ => format!("if it is mended: {} bank close {} --fixed-by COMMIT", called(), path.display()),
            });
            return Verdict::Gone;
        }
        self.stale(first, around, told)
    }

    fn judge_fixed(&self, first: &Report, around: &Around, told: &mut Vec<String>) -> Verdict {
        let facts = &self.entry.facts;
        let by = facts.fixed_by.as_deref().unwrap_or_default();
        let back = [first].into_iter().chain(&around.same).chain(&around.blind).find(|report| self.is_same(report));
        if let Some(back) = back {
            told.push(format!("it was mended by {by}, and fails again: {}", back.verdict.message));
            return Verdict::Back;
        }
        if let Some(other) = worst(first, around) {
            told.push(format!("it fails, but not as it did: {} {} {}", other.class, other.invariant, other.message));
            return Verdict::Other;
        }
        let there = u64::from(has_reached(first)) + around.passed_there;
        if there > 0 {
            told.push(format!("mended by {by}; {there} of {} runs come to the old spot and pass", around.tried + 1));
            return Verdict::Green;
        }
        self.stale(first, around, told)
    }

    fn stale(&self, first: &Report, around: &Around, told: &mut Vec<String>) -> Verdict {
        told.push(format!("it {}, and does not come to the old spot: {}", self.how(first), unmet(first)));
        told.push(format!(
            "nor does one of {} schedules around it; find it anew: {} bank renew {}",
            around.tried,
            called(),
            from_root(&self.entry.path).display()
        ));
        Verdict::Stale
    }

    /// Compares traces, which only one build allows, and the scenario's file.
    fn compare(&self, first: &Report, verdict: Verdict, told: &mut Vec<String>) -> Verdict {
        let facts = &self.entry.facts;
        let here = &self.options.build;
        let now = Scenario::read(&root().join(&facts.file), self.registry).map(|scenario| hash(&scenario.print()));
        if now.is_ok_and(|now| now != facts.scenario_hash) {
            told.push(format!("{} has changed since; the entry keeps the plan that failed", facts.file));
        }
        if verdict == Verdict::Replayed && first.trace_hash != facts.trace_hash {
            if facts.build.is(here) {
                told.push(format!(
                    "one build, two traces: hash {} when it was kept, {} now; the run does not repeat",
                    facts.trace_hash, first.trace_hash
                ));
                return Verdict::Nondeterminism;
            }
            told.push(format!(
                "the trace is another one, as it may be in another build: {} then, {} now",
                facts.build.words(),
                here.words()
            ));
        }
        verdict
    }

    fn how(&self, report: &Report) -> String {
        match report.passed() {
            true => "passes".to_owned(),
            false if self.is_same(report) => "fails as it did".to_owned(),
            false => format!("fails with {} {}", report.verdict.class, report.verdict.invariant),
        }
    }

    fn is_same(&self, report: &Report) -> bool {
        report.verdict.fingerprint == self.entry.facts.fingerprint
    }

    /// Whether a run came to the old spot. Where a process died nothing tells of a spot, but the death itself.
    fn is_there(&self, report: &Report) -> bool {
        has_reached(report) || self.entry.spot.is_blank() && self.is_same(report)
    }

    fn launch(&self, made: Option<&[Made]>, record: bool) -> Report {
        let scenario = plan_with(self.scenario, made);
        let seed = self.entry.seed();
        let job = Job {
            look: Look { keep: 0, record },
            spot: Some(self.entry.spot.clone()),
            ..Job::new(&scenario, vec![seed])
        };
        let mut ran = None;
        launch(&job, |report| ran = Some(report));
        ran.unwrap_or_else(|| Report {
            verdict: Judgement::new("crash", "", "the worker gave no report", &[]),
            ..Report::default()
        })
    }

    fn around(&self) -> Around {
        let mut around_it = Around::default();
        if self.options.around == 0 {
            return around_it;
        }
        let known = self.launch(None, true);
        for number in 0..self.options.around {
            let made = around(&known.decisions, known.polls, self.entry.seed(), number);
            let report = self.launch(Some(&made), false);
            around_it.tried += 1;
            match (report.passed(), self.is_there(&report)) {
                (true, true) => around_it.passed_there += 1,
                (true, false) => {}
                (false, true) if self.is_same(&report) => around_it.same.push(report),
                (false, false) if self.is_same(&report) => around_it.blind.push(report),
                (false, _) => around_it.others.push(report),
            }
        }
        around_it
    }
}

/// The failure of another kind that counts most.
fn worst<'a>(first: &'a Report, around: &'a Around) -> Option<&'a Judgement> {
    let own = (!first.passed()).then_some(first);
    own.into_iter().chain(&around.others).map(|report| &report.verdict).next()
}

fn has_reached(report: &Report) -> bool {
    report.reached.as_ref().is_some_and(|reached| reached.unmet.is_empty())
}

fn unmet(report: &Report) -> String {
    let unmet = report.reached.as_ref().map(|reached| reached.unmet.join("; ")).unwrap_or_default();
    if unmet.is_empty() { "the run told nothing".to_owned() } else { unmet }
}
