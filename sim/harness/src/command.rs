//! The command line for a registry: scenario files, and simulations by name.

mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simurgh_sim::shared::called;
use simurgh_sim::{put, say, warn};

use crate::bank::{self, Bank, Build, Pending, Running};
use crate::file::{Node, Scenario, json_schema};
use crate::registry::Registry;
use crate::report::{Report, replay_command};
use crate::run::Look;
use crate::set::{KEEP, Options, run_set};
use crate::worker::{self, Job};
pub(crate) use words::{Command, Words};

const COMMANDS: [Command; 8] = [
    Command {
        name: "list",
        words: "[--folder DIR] [--names]",
        about: "Lists the scenario files below DIR (default: scenarios) and the simulations that are functions;\n\
                with --names, the workloads, faults, invariants, probes, selectors and planted bugs that files may name.",
        example: "sim list --names",
    },
    Command {
        name: "schema",
        words: "",
        about: "Prints the JSON schema of scenario files, for editors.",
        example: "sim schema > scenario.schema.json",
    },
    Command {
        name: "explain",
        words: "FILE [--seed N]",
        about: "Prints the file as the seed resolves it: every number a value, every fault an instance with its time.\n\
                What it prints can be run itself.",
        example: "sim explain scenarios/echo/chaos.toml --seed 7 > seven.toml",
    },
    Command {
        name: "run",
        words: "FILE|NAME [--seeds N] [--seed S] [--from S] [--planted BUG] [--json FILE] [--first] [--pending DIR]",
        about: "Runs a scenario file under many seeds (default: [seeds] count.pr, or 20), or under one, and prints its\n\
                scoreboard; exits with the code of the class of what is wrong. A name is a simulation that is a\n\
                function; sim help says what else those take. --json writes all of it, --first ends at the first finding.\n\
                Seeds begin at --from, or where [seeds] base says. They are written down before they are run, in the target\n\
                folder; a failure that nobody expects goes to --pending (default: seeds/pending) as it is found.",
        example: "sim run scenarios/echo/chaos.toml --seeds 200",
    },
    Command {
        name: "replay",
        words: "FILE [--seed S] [--until EVENT] [--log] [--times N]",
        about: "Runs one seed again, in a process of its own, and prints what happened last. FILE is a scenario file, or\n\
                a report that run --json wrote: then the run must come out as it was. --until shows events up to a\n\
                number, --log shows all that are kept. --times runs it N times, each in a process of its own, and counts the\n\
                hashes: there must be one.",
        example: "sim replay scenarios/echo/chaos.toml --seed 7 --log",
    },
    Command {
        name: "sweep",
        words: "[FILE|FOLDER...] [--minutes M] [--jobs N] [--from S] [--night N] [--tier T] [--canary FILE] [--journal FILE] [--json FILE] [--pending DIR]",
        about: "Runs seeds of all scenario files there (default: scenarios) in worker processes, as many at once as there are\n\
                cores or --jobs, for --minutes (default: 5); a finding does not end it. Scenarios get virtual time by weight.\n\
                Seeds go on after those of earlier sweeps, or begin at --from, or are those of a --night: N times 10^9 on; or\n\
                where [seeds] base says.\n\
                --tier pr, nightly (default: pr too) or rare (all). The canary, a file that expects a failure (default: the\n\
                first one there, or in scenarios/negative), must fail, or the sweep is red. Each finding is written to the\n\
                journal (default: sweep/journal.jsonl in the target folder) as it happens; what a killed sweep found is\n\
                listed by the next, and run first. A finding is new, known (open in the bank, or found by an earlier sweep),\n\
                rare (known, below one seed in 1,000), or resolved (its seed passes now). A failure that nobody expects goes\n\
                to --pending (default: seeds/pending) at once. --json writes all of it.\n\
                It exits with the code of the worst class:",
        example: "sim sweep scenarios --minutes 5 --json sweep.json",
    },
    crate::shrink::COMMAND,
    Command {
        name: "report",
        words: "FILE [--html FILE] [--scenario FILE]",
        about: "Shows the report of a run, the first finding of a set, or a sweep, that --json wrote: as text, or with --html\n\
                as one page that needs nothing else. --scenario is the file that its commands name, if it is not that of\n\
                the report. A failure is KNOWN if the bank (seeds/) has it, RARE if also less than one seed in 1,000 shows\n\
                it, BACK if the bank has it as mended, else NEW; a run that passes is RESOLVED if it is one that failed and\n\
                was mended.",
        example: "sim report found.json --html found.html",
    },
];

const HELP: &str = "\
Scenario files: failures described as data, run from seeds.

";

/// Runs the command line of this process on a registry: as `simurgh sim` and `cargo sim` call it, and, if the registry
/// names a folder of scenario files ([`Registry::files`]), as `cargo test` does.
pub fn main(registry: &Registry) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // The `simurgh` command says `sim` before the words; what cargo test says is no command.
    let words = match args.split_first() {
        Some((first, rest)) if first == "sim" => rest,
        first => match registry.files {
            Some(folder) if first.is_none_or(|(first, _)| !first.starts_with("__")) => {
                return crate::cargo_test::main(registry, Path::new(folder), &args);
            }
            _ => &args,
        },
    };
    match command(registry, words) {
        Some(Ok(code)) => code,
        Some(Err(why)) => {
            warn!("error: {why}");
            ExitCode::from(2)
        }
        None => simurgh_sim::main(&registry.simulations),
    }
}

/// Does a command; None if it is one of the simulations that are functions.
fn command(registry: &Registry, args: &[String]) -> Option<Result<ExitCode, String>> {
    let (name, rest) = args.split_first().map_or(("help", &[][..]), |(name, rest)| (name.as_str(), rest));
    if name == worker::COMMAND {
        return Some(worker::work(registry).map(|()| ExitCode::SUCCESS));
    }
    if matches!(name, "help" | "--help" | "-h") {
        put!("{HELP}");
        for command in &COMMANDS {
            say!("{}", command.usage());
        }
        say!("usage: sim {}", bank::USAGE);
        say!("       sim COMMAND --help says more\n");
        return None;
    }
    if name == "bank" {
        return Some(bank::command(registry, rest));
    }
    let command = COMMANDS.iter().find(|command| command.name == name)?;
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        let codes = if name == "sweep" { format!("\n{}", crate::sweep::codes()) } else { String::new() };
        say!("{}\n\n{}{codes}\n\nexample: {}", command.usage(), command.about, command.example);
        return Some(Ok(ExitCode::SUCCESS));
    }
    let words = match Words::parse(command, rest) {
        // What the simulations that are functions take besides, they judge themselves.
        Err(_) if name == "run" && !rest.iter().any(|word| is_file(word)) => return None,
        Err(why) => return Some(Err(why)),
        Ok(words) => words,
    };
    match name {
        "list" => Some(Ok(list(registry, &words))),
        "schema" => {
            say!("{}", serde_json::to_string_pretty(&json_schema(registry)).expect("a schema is data"));
            Some(Ok(ExitCode::SUCCESS))
        }
        "explain" => Some(explain(registry, &words)),
        "replay" => Some(replay(registry, &words)),
        "sweep" => Some(sweep(registry, &words)),
        "shrink" => Some(crate::shrink::command(registry, &words)),
        "report" => Some(report(registry, &words)),
        _ if words.name.as_deref().is_some_and(is_file) => Some(run(registry, &words)),
        _ if words.name.is_some() && registry.simulations.iter().next().is_none() => {
            Some(Err(format!("{} is no scenario file, whose name ends with .toml; sim list names them", rest[0])))
        }
        _ => None,
    }
}

fn is_file(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "toml" || extension == "json")
}

pub(crate) fn read(path: &Path, registry: &Registry) -> Result<Scenario, String> {
    Scenario::read(path, registry).map_err(|problems| problems.to_string())
}

/// The seed that a resolved file was resolved for.
pub(crate) fn own_seed(scenario: &Scenario) -> Option<u64> {
    scenario.root.find("plan.seed").and_then(Node::as_text).and_then(|seed| seed.parse().ok())
}

fn list(registry: &Registry, words: &Words) -> ExitCode {
    if words.has("names") {
        put!("{}", names(registry));
        return ExitCode::SUCCESS;
    }
    let folder = words.values.get("folder").map_or("scenarios", String::as_str);
    let mut files = Vec::new();
    collect(Path::new(folder), &mut files);
    files.sort();
    if files.is_empty() {
        warn!("there is no scenario file below {folder}; --folder DIR says where they are");
    }
    let mut is_right = true;
    for path in files {
        match Scenario::read(&path, registry) {
            Ok(scenario) => say!("{:<40} {}", path.display(), scenario.why()),
            Err(problems) => {
                is_right = false;
                warn!("error: {problems}");
            }
        }
    }
    for simulation in registry.simulations.iter() {
        say!("{:<40} {}", simulation.name(), simulation.about());
        for bug in simulation.planted_bugs() {
            say!("{:<40} finds {bug}", "");
        }
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Files to extend are no scenarios themselves, and a manifest is none either.
        if path.is_dir() && !matches!(name.as_str(), "base" | "src" | "tests" | "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "toml") && name != "Cargo.toml" {
            files.push(path);
        }
    }
}

fn names(registry: &Registry) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut section = |what: &str, items: Vec<(&str, String)>| {
        let _ = writeln!(text, "{what}");
        for (name, about) in items {
            let _ = writeln!(text, "  {name:<36} {about}");
        }
    };
    let plain = |map: &BTreeMap<&'static str, &'static str>| {
        map.iter().map(|(name, about)| (*name, (*about).to_owned())).collect()
    };
    section(
        "subjects",
        registry
            .subjects
            .iter()
            .map(|(name, subject)| {
                let roles: Vec<&str> = subject.roles.keys().copied().collect();
                let knobs: Vec<&str> = subject.knobs.keys().copied().collect();
                (*name, format!("{}; roles: {}; knobs: {}", subject.about, roles.join(", "), knobs.join(", ")))
            })
            .collect(),
    );
    section(
        "workloads",
        registry
            .workloads
            .iter()
            .map(|(name, workload)| (*name, format!("{}; operations: {}", workload.about, workload.ops.join(", "))))
            .collect(),
    );
    section(
        "properties",
        registry.properties.iter().map(|(name, property)| (*name, property.about.to_owned())).collect(),
    );
    section(
        "faults",
        registry
            .faults
            .iter()
            .map(|(name, kind)| {
                let measures: Vec<&str> = kind.measures.iter().map(|(name, _)| *name).collect();
                (*name, format!("{}; counts {}", kind.about, measures.join(", ")))
            })
            .collect(),
    );
    let asked =
        |checks: &[&str]| if checks.is_empty() { String::new() } else { format!("; check: {}", checks.join(", ")) };
    let invariants = registry.invariants.iter();
    section(
        "invariants",
        invariants.map(|(name, kind)| (*name, format!("{}{}", kind.about, asked(kind.checks())))).collect(),
    );
    section("probes", plain(&registry.probes));
    section(
        "selectors",
        registry
            .selectors
            .iter()
            .map(|(name, selector)| (*name, selector.about.to_owned()))
            .chain(crate::select::PREFIXED.iter().map(|(name, about)| (*name, (*about).to_owned())))
            .collect(),
    );
    section("planted bugs", plain(&registry.planted));
    text
}

fn explain(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let scenario = read(&words.file()?, registry)?;
    let seed = words.number("seed")?.or_else(|| own_seed(&scenario)).unwrap_or(0);
    put!("{}", scenario.explain(seed));
    Ok(ExitCode::SUCCESS)
}

fn run(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let mut scenario = read(&words.file()?, registry)?;
    if let Some(bug) = words.values.get("planted") {
        if !registry.planted.contains_key(bug.as_str()) {
            let known = crate::file::instead(bug, registry.planted.keys().copied());
            return Err(format!("--planted: there is no planted bug {bug}; {known}"));
        }
        scenario.root.set(&["planted"], Node::text(bug.as_str()));
    }
    let commit = Build::of_here().commit;
    let from = words.number("from")?.unwrap_or_else(|| crate::base::first_seed(&scenario, &commit, bank::day()));
    let seeds: Vec<u64> = if let Some(seed) = words.number("seed")?.or_else(|| own_seed(&scenario)) {
        vec![seed]
    } else {
        let count = words.at_least_one("seeds")?.unwrap_or_else(|| scenario.seeds());
        let until =
            from.checked_add(count).ok_or_else(|| format!("--from: there are no {count} seeds after {from}"))?;
        (from..until).collect()
    };
    let running = Running::announce(&scenario, &seeds);
    let known = Bank::of_here(registry);
    let pending = Pending::new(words.values.get("pending").map(PathBuf::from), registry, &known);
    let options = Options {
        first: words.has("first"),
        progress: seeds.len() > 1,
        running: running.as_ref(),
        // Who plants a bug by hand expects what it does.
        pending: (!words.has("planted")).then_some(&pending),
    };
    let set = run_set(&scenario, &seeds, options);
    put!("{}", set.text());
    for (report, count) in &set.findings {
        say!("{}", known.told(report, (*count, set.seeds)));
    }
    for told in pending.told() {
        say!("{told}");
    }
    if let Some(path) = words.values.get("json") {
        let text = serde_json::to_string(&set).expect("a report is data");
        std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    if let Some((report, _)) = set.findings.first() {
        let planted = words.values.get("planted").map(|bug| format!(" --planted {bug}")).unwrap_or_default();
        say!("replay it: {}{planted}", replay_command(&scenario.path.display().to_string(), report.seed));
    }
    Ok(ExitCode::from(set.exit_code()))
}

fn replay(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let path = words.file()?;
    let (scenario, seed, was) = if path.extension().is_some_and(|extension| extension == "json") {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (was, _) = one_report(&text)?;
        let scenario =
            Scenario::parse(Path::new(&was.file), &was.plan, registry).map_err(|problems| problems.to_string())?;
        (scenario, was.seed, Some(was))
    } else {
        let scenario = read(&path, registry)?;
        let seed = words.number("seed")?.or_else(|| own_seed(&scenario)).ok_or("--seed S: which run?")?;
        (scenario, seed, None)
    };
    if let Some(times) = words.at_least_one("times")? {
        let (told, is_one) = worker::hashes(&Job::new(&scenario, vec![seed]), times.min(1000));
        put!("{told}");
        let class = if is_one { "pass" } else { "nondeterminism" };
        return Ok(ExitCode::from(crate::judge::exit_code(class)));
    }
    let mut now = None;
    let until = words.number("until")?;
    let keep = if until.is_some() || words.has("log") { 1_000_000 } else { KEEP };
    let job = Job { look: Look { keep, record: false }, ..Job::new(&scenario, vec![seed]) };
    worker::launch(&job, |report| now = Some(report));
    let now = now.ok_or("the worker gave no report")?;
    let lines: Vec<_> = now.log.iter().filter(|line| until.is_none_or(|until| line.event <= until)).collect();
    let shown = if words.has("log") { lines.len() } else { lines.len().min(60) };
    for line in &lines[lines.len() - shown..] {
        say!(
            "{:>14.9} s #{} {} task {} {} {}",
            line.at_ns as f64 / 1e9,
            line.event,
            line.node,
            line.task,
            line.kind,
            line.text
        );
    }
    say!("{} seed {seed}: {} {} {}", now.scenario, now.verdict.class, now.verdict.invariant, now.verdict.message);
    say!("hash {}, {} events, {} polls", now.trace_hash, now.events, now.polls);
    if let Some(was) = was.filter(|was| was.trace_hash != now.trace_hash) {
        say!(
            "it was hash {}, {} events: the build or the scenario has changed since, or the run does not repeat",
            was.trace_hash,
            was.events
        );
        return Ok(ExitCode::from(crate::judge::exit_code("nondeterminism")));
    }
    Ok(ExitCode::from(now.verdict.exit_code))
}

/// The scenarios of a sweep, the canary first.
fn swept(registry: &Registry, words: &Words) -> Result<Vec<Scenario>, String> {
    let tiers: &[&str] = match words.values.get("tier").map(String::as_str) {
        Some("pr") => &["pr"],
        None | Some("nightly") => &["pr", "nightly"],
        Some("rare") => &["pr", "nightly", "rare"],
        Some(other) => return Err(format!("--tier: there is no tier {other}; there are pr, nightly, rare")),
    };
    let mut files = Vec::new();
    for name in words.name.iter().chain(&words.more) {
        let path = PathBuf::from(name);
        if path.is_dir() { collect(&path, &mut files) } else { files.push(path) }
    }
    if words.name.is_none() {
        collect(Path::new("scenarios"), &mut files);
    }
    files.sort();
    files.dedup();
    let mut scenarios = Vec::new();
    for path in &files {
        let scenario = read(path, registry)?;
        let tier = scenario.root.find("tier").and_then(Node::as_text).unwrap_or("pr");
        if tiers.contains(&tier) {
            scenarios.push(scenario);
        }
    }
    if scenarios.is_empty() {
        return Err("there is no scenario file to sweep; sim list names them".into());
    }
    if let Some(canary) = words.values.get("canary") {
        scenarios.retain(|scenario| scenario.path != Path::new(canary));
        scenarios.insert(0, read(Path::new(canary), registry)?);
        if scenarios[0].outcome() == "pass" {
            return Err(format!("--canary: {canary} does not expect a failure"));
        }
    } else if let Some(at) = scenarios.iter().position(|scenario| scenario.outcome() != "pass") {
        scenarios[..=at].rotate_right(1);
    } else {
        let mut negative = Vec::new();
        collect(Path::new("scenarios/negative"), &mut negative);
        negative.sort();
        let canary = negative.first().ok_or("a sweep needs a canary, a file that expects a failure: --canary FILE")?;
        scenarios.insert(0, read(canary, registry)?);
    }
    Ok(scenarios)
}

fn sweep(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let minutes: f64 = match words.values.get("minutes") {
        None => 5.0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|minutes| (0.0..=100_000.0).contains(minutes))
            .ok_or_else(|| format!("--minutes: \"{text}\" is not a number of minutes"))?,
    };
    let night = words.number("night")?.map(|night| night.saturating_mul(crate::base::INTERVAL));
    if night.is_some() && words.has("from") {
        return Err("--night says where seeds begin; so does --from: one of them is enough".into());
    }
    let known = Bank::of_here(registry);
    let path_of = |flag: &str, default: PathBuf| words.values.get(flag).map_or(default, PathBuf::from);
    let options = crate::sweep::Options {
        budget: std::time::Duration::from_secs_f64(minutes * 60.0),
        jobs: words.at_least_one("jobs")?.map_or_else(simurgh_sim::shared::all_cores, |jobs| jobs.min(1024) as usize),
        from: words.number("from")?.or(night),
        journal: path_of("journal", bank::target().join("sweep/journal.jsonl")),
        pending: Pending::new(words.values.get("pending").map(PathBuf::from), registry, &known),
        bank: known,
    };
    let report = crate::sweep::sweep(swept(registry, words)?, &options)?;
    put!("{}", report.text());
    for told in options.pending.told() {
        say!("{told}");
    }
    if let Some(path) = words.values.get("json") {
        let text = serde_json::to_string(&report).expect("a report is data");
        std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(ExitCode::from(report.exit_code))
}

fn report(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let path = words.file()?;
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let show = |text: &dyn Fn() -> String, html: &dyn Fn() -> String| match words.values.get("html") {
        None => {
            put!("{}", text());
            Ok(ExitCode::SUCCESS)
        }
        Some(path) => {
            std::fs::write(path, html()).map_err(|error| format!("{path}: {error}")).map(|()| ExitCode::SUCCESS)
        }
    };
    if let Ok(sweep) = crate::SweepReport::from_json(&text) {
        return show(&|| sweep.text(), &|| sweep.to_html());
    }
    let (report, share) = one_report(&text)?;
    let file = words.values.get("scenario").unwrap_or(&report.file);
    let bank = Bank::of_here(registry);
    let size = crate::shrink::about_of(&report.plan);
    let kept = bank.plan_of(&report).filter(|_| size.is_none() && !report.passed());
    let replay = replay_command(file, report.seed);
    let small = kept.map(|(path, seed)| replay_command(&path, seed)).filter(|small| *small != replay);
    let about = crate::About {
        standing: bank.standing(&report, share),
        // What is small already has no smaller one.
        shrunk: small.unwrap_or_default(),
        replay,
        step: format!("{} replay {file} --seed {} --until {} --log", called(), report.seed, report.verdict.event),
        size,
        origin: crate::shrink::origin_of(&report.plan),
    };
    show(&|| report.to_text(&about), &|| report.to_html(&about))
}

/// The report in a file: of a run, or the first finding of a set, with how many of how many seeds found it.
fn one_report(text: &str) -> Result<(Report, Option<(u64, u64)>), String> {
    if let Ok(report) = Report::from_json(text) {
        return Ok((report, None));
    }
    let set: crate::SetReport = serde_json::from_str(text).map_err(|error| format!("this is no report: {error}"))?;
    let seeds = set.seeds;
    let first = set.findings.into_iter().next();
    first
        .map(|(report, count)| (report, Some((count, seeds))))
        .ok_or_else(|| "the set has no finding to replay".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_is_right() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for command in COMMANDS.iter().chain(&bank::COMMANDS) {
            let words = command.example.strip_prefix(&format!("sim {}", command.name)).unwrap_or_else(|| {
                panic!("{}: the example is one of another command: {}", command.name, command.example)
            });
            let words: Vec<String> =
                words.split_whitespace().take_while(|word| *word != ">").map(str::to_owned).collect();
            let parsed = Words::parse(command, &words).unwrap_or_else(|why| panic!("{}: {why}", command.example));
            for name in parsed.name.iter().chain(&parsed.more) {
                let is_ours = name.starts_with("scenarios") || name.starts_with("seeds");
                assert!(!is_ours || root.join(name).exists(), "{}: there is no {name}", command.example);
            }
        }
    }
}
