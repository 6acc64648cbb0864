//! The command line for a registry of simulations: `list`, `run`, `determinism`, `planted`.
//!
//! A program calls [`main`] with a [`Registry`]; in this repository that program is the crate
//! `scenarios`, behind `cargo sim`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::effects::{Effect, Effects};
use crate::flags::Flags;
use crate::mutants;
use crate::registry::{Registry, Simulation};
use crate::run::Report;
use crate::runner::{Goal, Progress, all_cores, describe_failure, find_difference, look_again, sweep, where_they_part};
use crate::tally::Tally;
use crate::verdict::Verdict;
use crate::worker::{Job, Launch, World};
use crate::{put, say, warn};

const HELP: &str = "\
Runs simulations: whole systems under virtual time, network and scheduling, all drawn from a seed.

";

/// A command: its name, its words, what it does, and an example.
struct Command {
    name: &'static str,
    words: &'static str,
    about: &'static str,
    example: &'static str,
}

const COMMANDS: [Command; 5] = [
    Command {
        name: "list",
        words: "",
        about: "the simulations, with the planted bugs that each must find",
        example: "sim list",
    },
    Command {
        name: "run",
        words: "NAME [--seeds N] [--seed S] [--world own|calm|random|pct|pos|fifo] [--planted BUG] [--trace FILE]",
        about: "runs a simulation under many seeds (default 100), or under one. --world calm is first come first served,\n\
                without faults; random, pct, pos and fifo choose the strategy alone. --trace writes every event",
        example: "sim run echo/chaos --seeds 200",
    },
    Command {
        name: "determinism",
        words: "[NAME] [--seeds N]",
        about: "runs each seed twice, in a batch and in a process of its own, and a tenth in reverse order and in\n\
                parallel: all hashes must be equal (default 1000 seeds of echo/chaos)",
        example: "sim determinism echo/chaos --seeds 200",
    },
    Command {
        name: "planted",
        words: "[NAME] [--seeds N]",
        about: "looks for each planted bug: found by the default world, missed by the calm one, and clean when it is not\n\
                planted (default 1000 seeds)",
        example: "sim planted echo/chaos",
    },
    Command {
        name: "mutants",
        words: "[--seeds N] [--calm N] [--bases N] [--base SEED] [--only BUG] [--strategy S]",
        about: "how soon the default world finds each of the bugs that are planted in real services: under each strategy\n\
                from --base on (default 0), under the default from 20 others on, for at most 1000 seeds each; and that\n\
                the calm world misses it, and that the simulations are clean without (--calm seeds each). --strategy\n\
                (default, random, pct, pos or fifo) is only that one. Writes the report, unless it was asked for less.\n\
                What is known of this build is not measured again: an interrupted one goes on",
        example: "sim mutants --only net.lost-wakeup --calm 3",
    },
];

/// The help of all commands.
fn help() -> String {
    let mut text = HELP.to_owned();
    for Command { name, words, .. } in &COMMANDS {
        let _ = writeln!(text, "{}", format!("usage: sim {name} {words}").trim_end());
    }
    let _ = writeln!(text, "       sim COMMAND --help says more\n");
    for Command { name, about, .. } in &COMMANDS {
        let _ = writeln!(text, "  {name:<12} {}", about.replace('\n', &format!("\n{:15}", "")));
    }
    let _ = writeln!(text, "\nexample: {}", COMMANDS[1].example);
    text
}

/// Runs the command line of this process on a registry.
pub fn main(registry: &Registry) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // The `simurgh` command says `sim` before the words.
    let words = if args.first().is_some_and(|word| word == "sim") { &args[1..] } else { &args };
    match command(registry, words) {
        Ok(code) => code,
        Err(why) => {
            warn!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn command(registry: &Registry, args: &[String]) -> Result<ExitCode, String> {
    let (name, rest) = args.split_first().map_or(("help", &[][..]), |(name, rest)| (name.as_str(), rest));
    let known = COMMANDS.iter().find(|command| command.name == name);
    if let Some(Command { words, about, example, .. }) = known.filter(|_| rest.iter().any(|word| is_help(word))) {
        say!("{}\n\n{about}\n\nexample: {example}", format!("usage: sim {name} {words}").trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    match name {
        "__worker" => {
            let simulation = find(registry, rest.first())?;
            let job = Job::of_this_process().ok_or("a worker is started by sim run, not by hand")?;
            job.work(&simulation.profile, &simulation.body);
            Ok(ExitCode::SUCCESS)
        }
        "list" => {
            Flags::parse(rest, &[])?.without_name()?;
            put!("{}", list(registry));
            Ok(ExitCode::SUCCESS)
        }
        "run" => {
            let flags = Flags::parse(rest, &["seeds", "seed", "world", "planted", "trace"])?;
            run(find(registry, flags.name.as_ref())?, &flags)
        }
        "determinism" => {
            let flags = Flags::parse(rest, &["seeds"])?;
            let name = flags.name.clone().unwrap_or_else(|| "echo/chaos".into());
            Ok(determinism(find(registry, Some(&name))?, flags.at_least_one("seeds")?.unwrap_or(1000)))
        }
        "planted" => {
            let flags = Flags::parse(rest, &["seeds"])?;
            let chosen = flags.name.as_ref().map(|name| find(registry, Some(name))).transpose()?;
            let all = registry.iter().filter(|simulation| chosen.is_none_or(|chosen| chosen.name == simulation.name));
            planted(&all.collect::<Vec<_>>(), flags.at_least_one("seeds")?.unwrap_or(1000))
        }
        "mutants" => {
            let flags = Flags::parse(rest, &["seeds", "calm", "bases", "base", "only", "strategy"])?;
            flags.without_name()?;
            mutants::command(registry, &flags)
        }
        "help" | "--help" | "-h" => {
            put!("{}", help());
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("there is no command {other}; sim help lists them")),
    }
}

/// How the commands of this program are called, for those that it suggests: the `simurgh` command says it.
pub fn called() -> String {
    let by_simurgh = std::env::args().nth(1).is_some_and(|word| word == "sim");
    let default = || if by_simurgh { "simurgh sim" } else { "cargo sim" }.to_owned();
    std::env::var("SIMURGH_COMMAND").unwrap_or_else(|_| default())
}

fn is_help(word: &str) -> bool {
    matches!(word, "--help" | "-h")
}

fn find<'a>(registry: &'a Registry, name: Option<&String>) -> Result<&'a Simulation, String> {
    let name = name.ok_or("which simulation? sim list names them")?;
    registry.get(name).ok_or_else(|| {
        let known: Vec<&str> = registry.iter().map(Simulation::name).collect();
        format!("there is no simulation {name}; there are: {}", known.join(", "))
    })
}

fn list(registry: &Registry) -> String {
    let mut text = String::new();
    for simulation in registry.iter() {
        let _ = writeln!(text, "{:<24} {}", simulation.name, simulation.about);
        if let Some(class) = simulation.expect {
            let _ = writeln!(text, "{:<24} must end with the verdict {class}", "");
        }
        for bug in simulation.bugs() {
            let _ = writeln!(text, "{:<24} finds {bug}", "");
        }
    }
    text
}

pub(crate) fn launch(simulation: &Simulation) -> Launch {
    Launch { args: vec!["__worker".into(), simulation.name.into()] }
}

fn run(simulation: &Simulation, flags: &Flags) -> Result<ExitCode, String> {
    let seeds: Vec<u64> = match flags.number("seed")? {
        Some(seed) => vec![seed],
        None => (0..flags.at_least_one("seeds")?.unwrap_or(100)).collect(),
    };
    let world = match flags.values.get("world") {
        Some(name) => World::parse(name)
            .ok_or_else(|| format!("--world: there is no {name}; there are own, calm, random, pct, pos, fifo"))?,
        None => World::Own,
    };
    let planted = flags.values.get("planted").cloned();
    if let Some(bug) = planted.as_ref().filter(|bug| !simulation.bugs().any(|known| known == bug.as_str())) {
        return Err(format!(
            "--planted: {} has no {bug}; it has: {}",
            simulation.name,
            simulation.bugs().collect::<Vec<_>>().join(", ")
        ));
    }
    let trace = flags.values.get("trace").map(PathBuf::from);
    let launch = launch(simulation);
    let job = Job { seeds, trace, planted, world, ..Job::default() };
    let (mut total, mut first_bad) = (Totals::default(), None);
    let mut progress = Progress::new(simulation.name, Goal::Seeds(job.seeds.len()));
    sweep(&launch, &job, all_cores(), 25, |report| {
        let report = if report.failure.is_some() { look_again(&launch, &job, &report) } else { report };
        let expected = simulation
            .expect
            .is_some_and(|class| report.failure.as_ref().is_some_and(|failure| failure.class().0 == class));
        let bad = !expected && (report.failure.is_some() || simulation.expect.is_some());
        progress.add(bad);
        total.add(&report, bad);
        if bad {
            first_bad.get_or_insert(report);
        }
        true
    });
    progress.finish();
    put!("{}", total.text(simulation.name, progress.per_minute()));
    let Some(report) = first_bad else { return Ok(ExitCode::SUCCESS) };
    let bug = job.planted.as_ref().map(|bug| format!(" --planted {bug}")).unwrap_or_default();
    let replay = format!("{} run {} --seed {}{bug}", called(), simulation.name, report.seed);
    say!("\n{}", describe_failure(simulation.name, &report, &replay));
    Ok(ExitCode::from(report.failure.as_ref().map_or(1, |failure| failure.class().1)))
}

/// What many runs came to.
#[derive(Default)]
struct Totals {
    runs: u64,
    findings: u64,
    events: u64,
    polls: u64,
    virtual_s: f64,
    effects: Effects,
    probes: BTreeMap<String, u64>,
    tally: Tally,
}

impl Totals {
    fn add(&mut self, report: &Report, finding: bool) {
        self.runs += 1;
        self.findings += u64::from(finding);
        self.events += report.events;
        self.polls += report.polls;
        self.virtual_s += report.elapsed.as_secs_f64();
        self.effects.merge(&report.effects);
        for (name, count) in &report.probes {
            *self.probes.entry(name.clone()).or_default() += count;
        }
        self.tally.merge(&report.tally);
    }

    fn text(&self, name: &str, per_minute: f64) -> String {
        let mut text = format!(
            "{name}: {} seeds, {} findings; {per_minute:.0} seeds a minute; {} events, {} polls, {:.0} s of virtual time\n",
            self.runs, self.findings, self.events, self.polls, self.virtual_s
        );
        text.push_str(&self.effects_text());
        for (name, count) in &self.probes {
            let _ = writeln!(text, "  probe {name:<34} {count:>12}");
        }
        text.push_str(&self.tally.to_string());
        text
    }

    fn effects_text(&self) -> String {
        let mut text = String::from("effects:\n");
        for (effect, name, what) in Effect::ALL {
            let _ = writeln!(text, "  {name:<20} {:>12}  {what}", self.effects.of(*effect));
        }
        text
    }
}

/// What a simulation must have felt: its schedule, the faults that its world has, and what it says itself.
fn must_show(simulation: &Simulation) -> Vec<Effect> {
    let faults = &simulation.profile.faults;
    let of_faults = [
        (faults.crash_every_ns, Effect::Crash),
        (faults.power_every_ns, Effect::Power),
        (faults.pause_every_ns, Effect::Pause),
        (faults.partition_every_ns, Effect::Partition),
        (faults.one_way_every_ns, Effect::OneWay),
        (faults.reset_every_ns, Effect::Reset),
        (faults.emfile_every_ns, Effect::Emfile),
        (faults.clog_every_ns, Effect::Clog),
        (faults.swizzle_every_ns, Effect::Swizzle),
        (faults.half_open_every_ns, Effect::HalfOpen),
        // Connections that are reset are there to be felt.
        (faults.reset_every_ns, Effect::Loss),
        (faults.reset_every_ns, Effect::SplitRead),
        (faults.reset_every_ns, Effect::SplitWrite),
    ];
    let caused = of_faults.into_iter().filter(|(every_ns, _)| *every_ns > 0).map(|(_, effect)| effect);
    [Effect::Preempt, Effect::Reorder].into_iter().chain(caused).chain(simulation.shows.iter().copied()).collect()
}

fn determinism(simulation: &Simulation, count: u64) -> ExitCode {
    let began = Instant::now();
    let launch = launch(simulation);
    let seeds: Vec<u64> = (0..count).collect();
    let mut hashes: BTreeMap<u64, (u64, Vec<u64>)> = BTreeMap::new();
    let mut total = Totals::default();
    let mut first_bad: Option<Report> = None;
    let mut differing: Option<(u64, String)> = None;

    let tenth: Vec<u64> = seeds.iter().rev().copied().step_by(10).collect();
    let passes = [
        ("in batches", Job { seeds: seeds.clone(), ..Job::default() }, 50, all_cores()),
        ("each in a process of its own", Job { seeds: seeds.clone(), ..Job::default() }, 1, all_cores()),
        ("a tenth, in reverse and two at once", Job { seeds: tenth, parallel: true, ..Job::default() }, 20, 1),
    ];
    for (number, (what, job, batch, workers)) in passes.iter().enumerate() {
        let mut progress = Progress::new(what, Goal::Seeds(job.seeds.len()));
        let mut equal = 0u64;
        sweep(&launch, job, *workers, *batch, |report| {
            let known = hashes.entry(report.seed).or_insert_with(|| (report.hash, report.checkpoints.clone()));
            let differs = known.0 != report.hash;
            equal += u64::from(!differs);
            progress.add(differs || report.failure.is_some());
            if number == 0 {
                total.add(&report, report.failure.is_some());
            }
            if differs {
                differing.get_or_insert_with(|| (report.seed, where_they_part(&known.1, &report.checkpoints)));
            }
            if report.failure.is_some() {
                first_bad.get_or_insert(report);
            }
            true
        });
        progress.finish();
        say!("{what}: {equal} of {} hashes equal, {:.0} seeds a minute", job.seeds.len(), progress.per_minute());
    }
    put!("{}", total.effects_text());
    say!(
        "{count} seeds, {} events, {:.0} s of virtual time, in {:.0} s",
        total.events,
        total.virtual_s,
        began.elapsed().as_secs_f64()
    );
    if let Some((seed, part)) = differing {
        say!("seed {seed} does not repeat: {part}\n{}", find_difference(&launch, &Job::default(), seed));
        return ExitCode::from(Verdict::Nondeterminism(String::new()).class().1);
    }
    if let Some(report) = first_bad {
        let report = look_again(&launch, &Job::default(), &report);
        let replay = format!("{} run {} --seed {}", called(), simulation.name, report.seed);
        say!("{}", describe_failure(simulation.name, &report, &replay));
        return ExitCode::from(report.failure.as_ref().map_or(1, |failure| failure.class().1));
    }
    let must_show = must_show(simulation);
    let silent: Vec<&str> = Effect::ALL
        .iter()
        .filter(|(effect, ..)| must_show.contains(effect) && total.effects.of(*effect) == 0)
        .map(|(_, name, _)| *name)
        .collect();
    if !silent.is_empty() && count >= 100 {
        say!("FAIL: without any effect in {count} seeds: {}", silent.join(", "));
        return ExitCode::FAILURE;
    }
    say!("PASS: every seed gave one hash, and the invariants held in all runs");
    ExitCode::SUCCESS
}

fn planted(simulations: &[&Simulation], count: u64) -> Result<ExitCode, String> {
    let mut good = true;
    let mut looked = false;
    say!("{:<34} {:<16} {:>10} {:>8}  found as", "planted bug", "simulation", "first seed", "of 100");
    for simulation in simulations {
        let launch = launch(simulation);
        for bug in simulation.bugs() {
            looked = true;
            let planted = Some(bug.to_owned());
            let (found, of_100) = find_bug(&launch, &Job { planted: planted.clone(), ..Job::default() }, count);
            let calm = Job { seeds: vec![0, 1, 2], planted, world: World::Calm, ..Job::default() };
            let missed_by_calm = first_failure(&launch, &calm).is_none();
            let plain = simulation.planted_plainly.contains(&bug);
            good &= found.is_some() && (missed_by_calm || plain);
            let seed = found.as_ref().map_or_else(|| "never".to_owned(), |report| report.seed.to_string());
            let what = found.and_then(|report| report.failure).map_or_else(String::new, |failure| match failure {
                Verdict::Invariant { name, .. } => name,
                other => other.class().0.to_owned(),
            });
            let calm = match (missed_by_calm, plain) {
                (true, _) => "missed by the calm world",
                (false, true) => "needs no faults",
                (false, false) => "FOUND BY THE CALM WORLD TOO",
            };
            say!("{bug:<34} {:<16} {seed:>10} {of_100:>8}  {what}; {calm}", simulation.name);
        }
        if simulation.bugs().next().is_some() {
            let clean = first_failure(&launch, &Job { seeds: (0..count).collect(), ..Job::default() });
            good &= clean.is_none();
            let verdict = clean.map_or_else(|| "clean".to_owned(), |report| format!("FAILS with seed {}", report.seed));
            say!("{:<34} {:<16} {count} seeds: {verdict}", "(none)", simulation.name);
        }
    }
    if !looked {
        return Err("no planted bugs there".into());
    }
    say!(
        "{}",
        if good {
            "PASS: each found, those that need faults missed by the calm world, clean when mended"
        } else {
            "FAIL"
        }
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first seed that finds a bug, and how many of the first hundred do.
fn find_bug(launch: &Launch, job: &Job, count: u64) -> (Option<Report>, u64) {
    let mut found: Vec<Report> = Vec::new();
    let first_hundred = Job { seeds: (0..count.min(100)).collect(), ..job.clone() };
    sweep(launch, &first_hundred, all_cores(), 10, |report| {
        found.extend(report.failure.is_some().then_some(report));
        true
    });
    let of_100 = found.len() as u64;
    if found.is_empty() && count > 100 {
        found.extend(first_failure(launch, &Job { seeds: (100..count).collect(), ..job.clone() }));
    }
    (found.into_iter().min_by_key(|report| report.seed), of_100)
}

fn first_failure(launch: &Launch, job: &Job) -> Option<Report> {
    let mut found = None;
    sweep(launch, job, all_cores(), 10, |report| {
        if report.failure.is_some() {
            found.get_or_insert(report);
        }
        found.is_none()
    });
    found
}
