//! The commands of the bank.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use simurgh_sim::shared::called;
use simurgh_sim::{say, warn};

use crate::command::{Command, Words, own_seed, read};
use crate::file::{Problems, Scenario};
use crate::judge::exit_code;
use crate::registry::Registry;
use crate::set::{self, run_set};

use super::around::AROUND;
use super::build::{Build, date, day, from_root, root};
use super::entry::{Entry, Kept, State, size};
use super::keep::{Bank, FOLDER, PENDING, folder_of, make, replace, write};
use super::replay::{Options, Replayed, Verdict, replay_all};

/// Schedules that one replay may try.
const AROUND_MAX: u64 = 100_000;
/// Seeds that `renew` tries, unless told otherwise.
const RENEW_SEEDS: u64 = 2000;
/// How long a mended entry stays in any case, in days.
const PRUNE_DAYS: u64 = 365;

pub(crate) const COMMANDS: [Command; 7] = [
    Command {
        name: "bank list",
        words: "[ENTRY...] [--bank DIR]",
        about: "Lists the entries: open (fails, and should not), planted (fails, and must, by its planted bug), expected (fails,\n\
                and must, by its very world), fixed (must pass), stale.\n\
                An ENTRY is a file, a folder, the name of a scenario, or the beginning of a fingerprint.",
        example: "sim bank list",
    },
    Command {
        name: "bank show",
        words: "ENTRY [--bank DIR]",
        about: "Says what an entry is: what its run came to, in which build, and what tells its spot. An entry is a scenario\n\
                file as well: sim run, sim replay and sim explain take it.",
        example: "sim bank show seeds/negative/register-timer",
    },
    Command {
        name: "bank add",
        words: "FILE [--seed N] [--replace] [--bank DIR]",
        about: "Runs a seed of a scenario file twice and keeps its failure. FILE is any scenario file; one that holds a plan,\n\
                as a small one or one of seeds/pending does, knows its seed, and is taken away from seeds/pending.\n\
                The entry goes to the file's [seeds] bank, or to a folder of the scenario's name. --replace puts it in the place\n\
                of one of the same defect, as a smaller one should be.",
        example: "sim bank add scenarios/negative/register-timer.toml --seed 4",
    },
    Command {
        name: "bank replay",
        words: "[ENTRY...] [--around N] [--bank DIR]",
        about: "Runs entries (default: all) again, in processes of their own. One that does not fail as it did, and one that\n\
                is mended, is run under 50 schedules around the known one as well; with --around always, and under N.\n\
                An entry is replayed (fails as it did), moved (a schedule around it does), green (mended, comes to the old\n\
                spot, passes), passes (form 1: knows no spot); or it is wrong: stale (does not come to the old spot), gone\n\
                (comes there and passes, though nobody said what mended it), back (was mended and fails again), other\n\
                (fails in another way). Traces are compared within one build alone.\n\
                It exits with the code of the worst: 18 stale, 19 gone, 17 gone though planted or expected, 40 does not repeat, that of\n\
                its class for back and other, 2 for a file that is no entry.",
        example: "sim bank replay seeds/negative --around 200",
    },
    Command {
        name: "bank close",
        words: "ENTRY [--fixed-by COMMIT] [--stale WHY] [--bank DIR]",
        about: "Says what became of an entry. With --fixed-by it is replayed, must pass at the old spot now, and must from then\n\
                on. With --stale it is known to come nowhere: it is still shown, and never green.",
        example: "sim bank close 7c1f0a9b --fixed-by 4e02d1c",
    },
    Command {
        name: "bank renew",
        words: "ENTRY [--seeds N] [--bank DIR]",
        about: "Makes an entry anew that is stale or whose marks have other names: by its own plan if that still fails as it\n\
                did, else by the first of N seeds (default: 2000) of its scenario file that does.",
        example: "sim bank renew seeds/negative/register-timer --seeds 5000",
    },
    Command {
        name: "bank prune",
        words: "[ENTRY...] [--days N] [--gone] [--yes] [--bank DIR]",
        about: "Takes entries out of the bank that have done their work: those that were mended, and opened N days ago or\n\
                longer (default: 365); with --gone also those that come to their spot and pass, though nobody said what\n\
                mended them. What must fail, what is stale, and what is of form 1 stays. It says which they are, and removes\n\
                their files only with --yes.",
        example: "sim bank prune --days 180",
    },
];

/// One line for the help of all commands.
pub(crate) const USAGE: &str = "bank list|show|add|replay|close|renew|prune ...";

/// Does a command of the bank.
pub(crate) fn command(registry: &Registry, args: &[String]) -> Result<ExitCode, String> {
    let (name, rest) = args.split_first().map_or(("--help", &[][..]), |(name, rest)| (name.as_str(), rest));
    if matches!(name, "help" | "--help" | "-h") {
        say!(
            "The bank of failing seeds, in the folder {FOLDER}: each can be run again, and says whether it comes to\nwhere it failed.\n"
        );
        for command in &COMMANDS {
            say!("{}", command.usage());
        }
        say!("       sim bank COMMAND --help says more\n\nexample: {}", COMMANDS[3].example);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name.strip_prefix("bank ") == Some(name)) else {
        let known = COMMANDS.iter().filter_map(|command| command.name.strip_prefix("bank "));
        return Err(format!("there is no sim bank {name}; {}", crate::file::instead(name, known)));
    };
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        say!("{}\n\n{}\n\nexample: {}", command.usage(), command.about, command.example);
        return Ok(ExitCode::SUCCESS);
    }
    let words = Words::parse(command, rest)?;
    let bank = words.values.get("bank").map_or_else(|| root().join(FOLDER), PathBuf::from);
    let at = Place { registry, folder: bank, words: &words };
    match name {
        "list" => at.list(),
        "show" => at.show(),
        "add" => at.add(),
        "replay" => at.replay(),
        "close" => at.close(),
        "prune" => at.prune(),
        _ => at.renew(),
    }
}

/// A bank, and what is asked of it.
struct Place<'a> {
    registry: &'a Registry,
    folder: PathBuf,
    words: &'a Words,
}

impl Place<'_> {
    /// The entries that the words name, or all.
    fn asked(&self) -> Result<(Vec<Kept>, Vec<Problems>), String> {
        let bank = Bank::read(&self.folder, self.registry);
        let words: Vec<&String> = self.words.name.iter().chain(&self.words.more).collect();
        if bank.kept.is_empty() && bank.broken.is_empty() {
            return Err(format!("there is no entry below {}; sim bank add makes one", self.folder.display()));
        }
        if words.is_empty() {
            return Ok((bank.kept, bank.broken));
        }
        let mut kept = Vec::new();
        let mut broken = Vec::new();
        for word in words {
            let path = Path::new(word);
            if path.is_file() {
                match Kept::read(path, self.registry) {
                    Ok(one) => kept.push(one),
                    Err(problems) => broken.push(problems),
                }
                continue;
            }
            let found: Vec<&Kept> = bank.kept.iter().filter(|kept| is_meant(kept, word)).collect();
            if found.is_empty() {
                let known = bank.kept.iter().map(Kept::name);
                return Err(format!(
                    "there is no entry {word} below {}; {}",
                    self.folder.display(),
                    crate::file::instead(word, known)
                ));
            }
            kept.extend(found.into_iter().cloned());
        }
        Ok((kept, broken))
    }

    /// The one entry of form 2 that the words name.
    fn one(&self) -> Result<Entry, String> {
        let word = self.words.name.as_ref().ok_or("which entry? sim bank list names them")?;
        let (mut kept, broken) = self.asked()?;
        if let Some(problems) = broken.first() {
            return Err(problems.to_string());
        }
        match (kept.pop(), kept.len()) {
            (Some(Kept::Plan(entry)), 0) => Ok(*entry),
            (Some(Kept::Plain(plain)), 0) => Err(format!(
                "{} is of form 1: it names a simulation and a seed, and knows no more; edit it by hand",
                from_root(&plain.path).display()
            )),
            (_, more) => Err(format!("{word} names {} entries; say more of the fingerprint, or the file", more + 1)),
        }
    }

    fn list(&self) -> Result<ExitCode, String> {
        let pending = pending_in(&self.folder);
        let is_all = self.words.name.is_none();
        // A bank of nothing but what is pending is a bank, too.
        let asked = self.asked();
        let (kept, broken) = if is_all && !pending.is_empty() { asked.unwrap_or_default() } else { asked? };
        for one in &kept {
            match one {
                Kept::Plan(entry) => say!(
                    "{:<8} {:<16} {:<36} seed {:<8} {}",
                    entry.state().word(),
                    entry.facts.fingerprint,
                    entry.name(),
                    entry.seed(),
                    entry.what()
                ),
                Kept::Plain(plain) => {
                    say!(
                        "{:<8} {:<16} {:<36} seed {:<8} {}",
                        "fixed",
                        "form 1",
                        plain.simulation,
                        plain.seed,
                        plain.why
                    );
                }
            }
        }
        say_broken(&broken);
        if !pending.is_empty() {
            let first = from_root(&pending[0]);
            say!("{} pending: {} bank add {} keeps the first", pending.len(), called(), first.display());
        }
        Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }

    fn show(&self) -> Result<ExitCode, String> {
        let entry = self.one()?;
        let Entry { facts, spot, .. } = &entry;
        say!("{} ({})", from_root(&entry.path).display(), entry.state().word());
        say!("{} seed {}, from {}", entry.name(), entry.seed(), facts.file);
        say!("{} at {}, event {}", entry.what(), crate::render::time(facts.at_ns), facts.event);
        say!("  {}", facts.message);
        say!("kept {} in {}, trace {}", facts.opened, facts.build.words(), facts.trace_hash);
        match &entry.scenario {
            Ok(scenario) => say!("{}", size(scenario)),
            Err(problems) => say!("what its plan names is there no more:\n{problems}"),
        }
        if let Some(by) = &facts.fixed_by {
            say!("mended by {by}");
        }
        if let Some(why) = &facts.stale {
            say!("stale: {why}");
        }
        say!("its spot, reach {}:", spot.fingerprint());
        say!("  within {}: {}", crate::render::span(spot.within_ns), spot.marks.join(", "));
        for (what, of) in [("during", &spot.during), ("after", &spot.faults), ("probes", &spot.probes)] {
            say!("  {what}: {}", if of.is_empty() { "nothing".to_owned() } else { of.join(", ") });
        }
        say!("  asked: {}", if spot.asked.is_empty() { "nothing" } else { &spot.asked });
        say!("replay it: {} bank replay {}", called(), from_root(&entry.path).display());
        Ok(ExitCode::SUCCESS)
    }

    fn add(&self) -> Result<ExitCode, String> {
        let scenario = read(&self.words.file()?, self.registry)?;
        let seed = self.words.number("seed")?.or_else(|| own_seed(&scenario));
        let seed = seed.ok_or("--seed N: which run? The file holds no plan that would say")?;
        let build = Build::of_here();
        let mut entry = match make(&scenario, seed, self.registry, &build) {
            Ok(entry) => entry,
            Err(failed) => {
                warn!("error: {}", failed.why);
                return Ok(ExitCode::from(exit_code(failed.class)));
            }
        };
        // An entry knows where it came from.
        if let Ok(Kept::Plan(known)) = Kept::read(&scenario.path, self.registry) {
            entry.facts.file.clone_from(&known.facts.file);
            entry.facts.scenario_hash.clone_from(&known.facts.scenario_hash);
        }
        write(&mut entry, &folder_of(&scenario, &self.folder)?, self.words.has("replace"))?;
        if scenario.path.parent().is_some_and(|folder| folder.ends_with(PENDING)) {
            std::fs::remove_file(&scenario.path).map_err(|error| format!("{}: {error}", scenario.path.display()))?;
        }
        let path = from_root(&entry.path);
        say!("{}: {} {}", path.display(), entry.facts.class, entry.facts.message);
        say!("its spot: {}", entry.spot.marks.join(", "));
        say!("replay it: {} bank replay {}", called(), path.display());
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> Result<Options, String> {
        let around = self.words.number("around")?.map(|around| around.min(AROUND_MAX));
        Ok(Options { around: around.unwrap_or(AROUND), always: around.is_some(), build: Build::of_here() })
    }

    fn replay(&self) -> Result<ExitCode, String> {
        let began = Instant::now();
        let (kept, broken) = self.asked()?;
        let options = self.options()?;
        let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        let mut worst: Option<(usize, u8)> = None;
        replay_all(&kept, self.registry, &options, |one, replayed| {
            tell(one, &replayed);
            *counts.entry(replayed.verdict.word()).or_default() += 1;
            if !replayed.verdict.is_right() {
                let rank = (rank(replayed.verdict), replayed.exit_code);
                worst = Some(worst.map_or(rank, |worst| worst.max(rank)));
            }
        });
        say_broken(&broken);
        let counted: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        say!("{} entries: {}; {:.1} s", kept.len(), counted.join(", "), began.elapsed().as_secs_f64());
        Ok(match worst {
            _ if !broken.is_empty() => ExitCode::from(2),
            Some((_, code)) => ExitCode::from(code),
            None => ExitCode::SUCCESS,
        })
    }

    fn close(&self) -> Result<ExitCode, String> {
        let mut entry = self.one()?;
        match (self.words.values.get("fixed-by"), self.words.values.get("stale")) {
            (Some(commit), None) if !commit.trim().is_empty() => {
                entry.facts.fixed_by = Some(commit.clone());
                entry.facts.stale = None;
                let mut came = None;
                let kept = [Kept::Plan(Box::new(entry.clone()))];
                replay_all(&kept, self.registry, &self.options()?, |one, replayed| {
                    tell(one, &replayed);
                    came = Some(replayed);
                });
                if let Some(wrong) = came.filter(|came| came.verdict != Verdict::Green) {
                    warn!("error: it is not mended, or nothing shows that it is: nothing was written");
                    return Ok(ExitCode::from(wrong.exit_code));
                }
            }
            (None, Some(why)) if !why.trim().is_empty() => entry.facts.stale = Some(why.clone()),
            _ => return Err("say what became of it: --fixed-by COMMIT, or --stale WHY".into()),
        }
        replace(&entry.path, &entry.print())?;
        say!("{}: {}", from_root(&entry.path).display(), entry.state().word());
        Ok(ExitCode::SUCCESS)
    }

    fn renew(&self) -> Result<ExitCode, String> {
        let old = self.one()?;
        let build = Build::of_here();
        let own = old.scenario.as_ref().ok().and_then(|scenario| {
            let made = make(scenario, old.seed(), self.registry, &build).ok()?;
            (made.facts.fingerprint == old.facts.fingerprint).then_some(made)
        });
        let renewed = match own {
            Some(made) => Some(made),
            None => self.find_anew(&old, &build)?,
        };
        let Some(mut entry) = renewed else {
            warn!(
                "error: no seed fails as {} did: {}; if it is mended: {} bank close --fixed-by, if not: --stale",
                from_root(&old.path).display(),
                old.facts.message,
                called()
            );
            return Ok(ExitCode::from(exit_code("not-found")));
        };
        entry.facts.file.clone_from(&old.facts.file);
        entry.facts.opened.clone_from(&old.facts.opened);
        replace(&old.path, &entry.print())?;
        say!("{}: seed {}, {}", from_root(&old.path).display(), entry.seed(), entry.facts.message);
        Ok(ExitCode::SUCCESS)
    }

    fn prune(&self) -> Result<ExitCode, String> {
        let days = self.words.number("days")?.unwrap_or(PRUNE_DAYS);
        let until = date(day().saturating_sub(days));
        let (kept, broken) = self.asked()?;
        let (mut done, mut open) = (Vec::new(), Vec::new());
        for one in kept {
            match &one {
                Kept::Plan(entry) if entry.state() == State::Fixed && entry.facts.opened <= until => {
                    let by = entry.facts.fixed_by.clone().unwrap_or_default();
                    done.push((entry.path.clone(), format!("opened {}, mended by {by}", entry.facts.opened)));
                }
                Kept::Plan(entry) if entry.state() == State::Open && self.words.has("gone") => open.push(one),
                _ => {}
            }
        }
        replay_all(&open, self.registry, &self.options()?, |one, replayed| {
            if replayed.verdict == Verdict::Gone {
                done.push((one.path().to_owned(), "comes to its spot and passes".to_owned()));
            }
        });
        let is_sure = self.words.has("yes");
        for (path, why) in &done {
            if is_sure {
                std::fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
            }
            say!("{} {}: {why}", if is_sure { "removed" } else { "done with" }, from_root(path).display());
        }
        match (done.len(), is_sure) {
            (0, _) => say!("there is none to take out"),
            (count, false) => say!("{count} entries; --yes removes their files"),
            (count, true) => say!("{count} entries removed"),
        }
        say_broken(&broken);
        Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }

    /// The first seed of its scenario file that fails as it did.
    fn find_anew(&self, old: &Entry, build: &Build) -> Result<Option<Entry>, String> {
        let scenario: Scenario = read(&root().join(&old.facts.file), self.registry)?;
        let most = self.words.at_least_one("seeds")?.unwrap_or(RENEW_SEEDS);
        let step = 50;
        for from in (0..most).step_by(step) {
            let seeds: Vec<u64> = (from..most.min(from + step as u64)).collect();
            let set = run_set(&scenario, &seeds, set::Options::default());
            let found = set.findings.iter().find(|(report, _)| report.verdict.fingerprint == old.facts.fingerprint);
            if let Some((report, _)) = found {
                return make(&scenario, report.seed, self.registry, build).map(Some).map_err(|failed| failed.why);
            }
        }
        Ok(None)
    }
}

/// Whether a word means an entry: a folder it lies in, its scenario, or the beginning of its fingerprint.
fn is_meant(kept: &Kept, word: &str) -> bool {
    const FINGERPRINT_MIN: usize = 4;
    let in_folder = || {
        let (folder, path) = (Path::new(word).canonicalize().ok(), kept.path().canonicalize().ok());
        folder.zip(path).is_some_and(|(folder, path)| path.starts_with(folder))
    };
    let begins = |entry: &Entry| word.len() >= FINGERPRINT_MIN && entry.facts.fingerprint.starts_with(word);
    kept.name() == word || matches!(kept, Kept::Plan(entry) if begins(entry)) || in_folder()
}

fn pending_in(bank: &Path) -> Vec<PathBuf> {
    let mut pending: Vec<PathBuf> = std::fs::read_dir(bank.join(PENDING))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    pending.sort();
    pending
}

fn say_broken(broken: &[Problems]) {
    for problems in broken {
        warn!("error: {problems}");
    }
}

fn tell(kept: &Kept, replayed: &Replayed) {
    let path = from_root(kept.path());
    let (first, rest) = replayed.told.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    say!("{:<9} {}\n          {first}", replayed.verdict.word(), path.display());
    for line in rest {
        say!("          {line}");
    }
}

/// What counts more: a run that does not repeat, a failure, a bug that nothing catches, an entry that shows nothing.
fn rank(verdict: Verdict) -> usize {
    [Verdict::Stale, Verdict::Gone, Verdict::Other, Verdict::Back, Verdict::Nondeterminism]
        .iter()
        .position(|known| *known == verdict)
        .unwrap_or(0)
}
