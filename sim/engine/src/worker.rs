//! Worker processes: where runs happen, and how their reports come back.
//!
//! A worker is this very program, started again with [`JOB`] in its environment. It runs the seeds
//! it was given and writes a line for each before and after, so that a worker that dies still tells
//! which seed it died of. It gives up on a poll that does not return, which nothing inside a process
//! could end.

#![allow(clippy::print_stderr)] // a worker's notes go on to its parent's terminal

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::effects::Effects;
use crate::physics::{Profile, Strategies};
use crate::run::{self, Body, Report, RunConfig};
use crate::tally::Tally;
use crate::verdict::Verdict;

/// The environment variable that makes this program a worker, and tells it what to do.
pub(crate) const JOB: &str = "SIM_JOB";
/// Begins each line that is meant for the parent.
const MARK: &str = "\u{1}sim\t";
/// Begins the first line of a file of events.
const TRACE_HEAD: &str = "simurgh trace 1";
/// How long a poll may take in real time, unless `SIM_STUCK_MS` says otherwise.
const STUCK: Duration = Duration::from_secs(10);

/// How to start this program as a worker.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Arguments that lead it to where it looks for its job.
    pub(crate) args: Vec<String>,
}

/// What a worker is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a word of the job
pub(crate) struct Job {
    pub(crate) seeds: Vec<u64>,
    /// Run them on two threads at once.
    pub(crate) parallel: bool,
    /// Keep the last events in words.
    pub(crate) in_words: bool,
    /// Write every event to this file (of the last seed).
    pub(crate) trace: Option<PathBuf>,
    pub(crate) planted: Option<String>,
    pub(crate) world: World,
    /// In the default world instead of the simulation's own.
    pub(crate) in_default: bool,
    /// Stop at the first seed that fails.
    pub(crate) until_failure: bool,
}

/// The kind of world, as far as a command line can choose it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum World {
    /// The simulation's own profile.
    #[default]
    Own,
    /// First come, first served, and no faults.
    Calm,
    /// Its own profile with one strategy.
    Random,
    /// Its own profile with one strategy.
    Pct,
    /// Its own profile with one strategy.
    Pos,
    /// Its own profile with one strategy.
    Fifo,
}

impl World {
    pub(crate) const NAMES: [(&'static str, World); 6] = [
        ("own", World::Own),
        ("calm", World::Calm),
        ("random", World::Random),
        ("pct", World::Pct),
        ("pos", World::Pos),
        ("fifo", World::Fifo),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, world)| world)
    }

    fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, world)| *world == self).map_or("own", |(name, _)| name)
    }

    fn apply(self, own: Profile) -> Profile {
        match self {
            World::Own => own,
            World::Calm => Profile::calm(),
            World::Random => Profile { strategies: Strategies::RandomOnly, ..own },
            World::Pct => Profile { strategies: Strategies::PctOnly, ..own },
            World::Pos => Profile { strategies: Strategies::PosOnly, ..own },
            World::Fifo => Profile { strategies: Strategies::FifoOnly, ..own },
        }
    }
}

impl Job {
    fn encode(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let mut text = format!("seeds={}\nworld={}\n", seeds.join(","), self.world.name());
        for (name, on) in [
            ("parallel", self.parallel),
            ("in_words", self.in_words),
            ("in_default", self.in_default),
            ("until_failure", self.until_failure),
        ] {
            if on {
                let _ = writeln!(text, "{name}=yes");
            }
        }
        if let Some(path) = &self.trace {
            let _ = writeln!(text, "trace={}", path.display());
        }
        if let Some(planted) = &self.planted {
            let _ = writeln!(text, "planted={planted}");
        }
        text
    }

    fn decode(text: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        Some(Self {
            seeds: fields.get("seeds")?.split(',').map(|seed| seed.parse().ok()).collect::<Option<_>>()?,
            parallel: fields.contains_key("parallel"),
            in_words: fields.contains_key("in_words"),
            trace: fields.get("trace").map(PathBuf::from),
            planted: fields.get("planted").map(|planted| (*planted).to_owned()),
            world: World::parse(fields.get("world")?)?,
            in_default: fields.contains_key("in_default"),
            until_failure: fields.contains_key("until_failure"),
        })
    }

    /// The job that this process was started with, if it is a worker.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = std::env::var(JOB).ok()?;
        Some(Self::decode(&text).expect("the parent process writes jobs that can be read"))
    }

    /// Does the job, in this process.
    pub(crate) fn work(&self, profile: &Profile, body: &Body) {
        let own = if self.in_default { Profile::nasty() } else { profile.clone() };
        let profile = self.world.apply(own);
        if self.parallel {
            let (one, other) = self.seeds.split_at(self.seeds.len() / 2);
            std::thread::scope(|scope| {
                scope.spawn(|| self.run_all(one, &profile, body));
                scope.spawn(|| self.run_all(other, &profile, body));
            });
        } else {
            self.run_all(&self.seeds, &profile, body);
        }
    }

    fn run_all(&self, seeds: &[u64], profile: &Profile, body: &Body) {
        for &seed in seeds {
            tell(&format!("start\t{seed}"));
            let config = RunConfig {
                planted: self.planted.clone(),
                in_words: self.in_words,
                full_trace: self.trace.is_some(),
                ..RunConfig::new(seed, profile.clone())
            };
            let mut report = run_guarded(&config, body);
            if let (Some(path), Some(events)) = (&self.trace, report.full_trace.take()) {
                let text = format!("{TRACE_HEAD}, seed {seed}\n{}\n", events.join("\n"));
                if let Err(error) = std::fs::write(path, text) {
                    tell(&format!("note\tthe trace could not be written to {}: {error}", path.display()));
                }
            }
            tell(&format!("done\t{}", encode(&report)));
            if self.until_failure && report.failure.is_some() {
                return;
            }
        }
    }
}

/// Runs once; if a poll does not return, says so and ends this process.
fn run_guarded(config: &RunConfig, body: &Body) -> Report {
    match run_watched(config, body) {
        Ok(report) => report,
        Err(report) => {
            tell(&format!("done\t{}", encode(&report)));
            std::process::exit(3);
        }
    }
}

/// Runs once, and watches that each poll returns (within ten seconds of real time, or `SIM_STUCK_MS`).
///
/// # Errors
/// The report of a run whose poll has not returned. Its thread goes on, and only the end of the process ends it.
pub fn run_watched(config: &RunConfig, body: &Body) -> Result<Report, Box<Report>> {
    let patience =
        std::env::var("SIM_STUCK_MS").ok().and_then(|text| text.parse().ok()).map_or(STUCK, Duration::from_millis);
    let (receiver, watch) = run::begin(config, body);
    let mut stuck_at: Option<(u64, Instant)> = None;
    loop {
        match receiver.recv_timeout(Duration::from_millis(250)) {
            Ok(report) => return Ok(report),
            Err(RecvTimeoutError::Disconnected) => return Ok(run::died(config.seed)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let polling = watch.polling();
        match (polling, stuck_at) {
            (None, _) => stuck_at = None,
            (Some(poll), Some((known, since))) if poll == known => {
                if since.elapsed() >= patience {
                    let what = format!("{} did not return from a poll for {patience:?} of real time", watch.describe());
                    return Err(Box::new(run::report_of_nothing(config.seed, Verdict::StuckPoll(what))));
                }
            }
            (Some(poll), _) => stuck_at = Some((poll, Instant::now())),
        }
    }
}

fn tell(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "\n{MARK}{line}"); // the test harness may have begun a line
    let _ = stdout.flush();
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

fn encode(report: &Report) -> String {
    let probes: Vec<String> = report.probes.iter().map(|(name, count)| format!("{name}={count}")).collect();
    let (class, name, message) = report
        .failure
        .as_ref()
        .map_or(("pass", "", ""), |failure| (failure.class().0, failure.invariant(), failure.message()));
    [
        report.seed.to_string(),
        format!("{:016x}", report.hash),
        report.events.to_string(),
        report.polls.to_string(),
        report.elapsed.as_nanos().to_string(),
        report.effects.encode(),
        probes.join(" "),
        escape(&report.tally.encode()),
        class.to_owned(),
        escape(name),
        escape(message),
        escape(&report.last_events),
        report.checkpoints.iter().map(|hash| format!("{hash:016x}")).collect::<Vec<_>>().join(" "),
    ]
    .join("\t")
}

fn decode(line: &str) -> Option<Report> {
    let mut fields = line.split('\t');
    let seed = fields.next()?.parse().ok()?;
    let hash = u64::from_str_radix(fields.next()?, 16).ok()?;
    let events = fields.next()?.parse().ok()?;
    let polls = fields.next()?.parse().ok()?;
    let elapsed = Duration::from_nanos(fields.next()?.parse().ok()?);
    let effects = Effects::decode(fields.next()?)?;
    let probes = fields.next()?.split_whitespace();
    let probes = probes
        .filter_map(|probe| probe.rsplit_once('='))
        .map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
    let probes = probes.collect::<Option<_>>()?;
    let tally = Tally::decode(&unescape(fields.next()?))?;
    let (class, name, message) = (fields.next()?, unescape(fields.next()?), unescape(fields.next()?));
    let last_events = unescape(fields.next()?);
    let checkpoints = fields.next()?.split_whitespace().map(|hash| u64::from_str_radix(hash, 16).ok());
    let checkpoints = checkpoints.collect::<Option<_>>()?;
    let failure = (class != "pass").then(|| Verdict::from_parts(class, &name, &message));
    Some(Report {
        seed,
        failure,
        hash,
        events,
        polls,
        checkpoints,
        elapsed,
        effects,
        probes,
        tally,
        last_events,
        full_trace: None,
        decisions: Vec::new(),
        kept: Vec::new(),
        messages: Vec::new(),
        undelivered: Vec::new(),
    })
}

impl Launch {
    /// Starts a worker and hands out its reports as they come. A worker that dies gives a report of
    /// that for the seed it was running. Returns the seeds that it did not get to.
    pub(crate) fn run(&self, job: &Job, mut each: impl FnMut(Report)) -> Vec<u64> {
        let mut left = job.seeds.clone();
        let (mut running, mut has_failed): (Vec<u64>, bool) = (Vec::new(), false);
        let started = std::env::current_exe().and_then(|program| {
            Command::new(program)
                .args(&self.args)
                .env(JOB, job.encode())
                .env_remove("SIM_SEED")
                .env_remove("SIM_SEEDS")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        });
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                let why = format!("no worker process could be started: {error}");
                left.drain(..).for_each(|seed| each(run::report_of_nothing(seed, Verdict::Crashed(why.clone()))));
                return left;
            }
        };
        let stderr = child.stderr.take().map(|stderr| std::thread::spawn(move || tail(stderr)));
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                let Some((what, rest)) = line.strip_prefix(MARK).and_then(|line| line.split_once('\t')) else {
                    continue;
                };
                match what {
                    "start" => running.extend(rest.parse::<u64>()),
                    "done" => {
                        if let Some(report) = decode(rest) {
                            running.retain(|seed| *seed != report.seed);
                            left.retain(|seed| *seed != report.seed);
                            has_failed |= report.failure.is_some();
                            each(report);
                        }
                    }
                    _ => eprintln!("{rest}"),
                }
            }
        }
        let status = child.wait();
        let stderr = stderr.and_then(|stderr| stderr.join().ok()).unwrap_or_default();
        if job.until_failure && has_failed {
            left.clear();
        }
        if running.is_empty() && !left.is_empty() {
            // It ended before it began: one of the seeds must stand for that, or nobody would know.
            running.push(left[0]);
        }
        for seed in running {
            left.retain(|other| *other != seed);
            let status = status.as_ref().map_or_else(ToString::to_string, ToString::to_string);
            let why = format!("the worker process died ({status}); the end of its standard error:\n{stderr}");
            each(run::report_of_nothing(seed, Verdict::Crashed(why)));
        }
        left
    }
}

/// The last part of what a worker wrote.
pub fn tail(mut from: impl Read) -> String {
    const MOST: usize = 4096;
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..len]);
        let surplus = kept.len().saturating_sub(MOST);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_reports_survive_the_wire() {
        let job = Job {
            seeds: vec![3, 1, u64::MAX],
            parallel: true,
            in_words: true,
            trace: Some("a/b.txt".into()),
            planted: Some("echo.unbounded-buffer".into()),
            world: World::Pct,
            in_default: true,
            until_failure: true,
        };
        assert_eq!(Job::decode(&job.encode()), Some(job));

        let mut report = run::report_of_nothing(7, Verdict::Failed("two\nlines\tand a \\n".into()));
        report.probes = vec![("a.b".into(), 2)];
        report.tally.count("lost", 3);
        report.tally.cover("orders", 7, 360);
        report.checkpoints = vec![7, u64::MAX];
        report.last_events = "one\ntwo".into();
        let back = decode(&encode(&report)).unwrap();
        assert_eq!((back.seed, back.failure, back.probes), (report.seed, report.failure, report.probes));
        assert_eq!(back.tally, report.tally);
        assert_eq!((back.last_events, back.checkpoints), (report.last_events, report.checkpoints));
    }
}
