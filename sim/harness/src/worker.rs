//! Worker processes: where runs of scenario files happen, and how their reports come back.
//!
//! A worker is this very program, started with `__scenario` and a job on its standard input. It writes a line before
//! each run and a report after it, so that one that dies still tells of which seed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use simurgh_sim::shared::tail;

use crate::file::Scenario;
use crate::plan::Plan;
use crate::reach::Spot;
use crate::registry::Registry;
use crate::report::{Judgement, Report};
use crate::run::{Look, run};

/// The word that makes this program a worker.
pub(crate) const COMMAND: &str = "__scenario";
/// Begins each line that is meant for the parent.
const MARK: &str = "\u{1}scenario\t";

/// What a worker is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Where the file stands, for messages.
    pub(crate) path: PathBuf,
    /// The file, with what it extends.
    pub(crate) text: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) look: Look,
    /// How long a run may take in real time.
    pub(crate) wall_s: u64,
    /// The spot to which runs may come.
    #[serde(default)]
    pub(crate) spot: Option<Spot>,
}

/// Does the job on standard input.
///
/// # Errors
/// If there is none, or its file is wrong.
pub(crate) fn work(registry: &Registry) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let job: Job = serde_json::from_str(&text).map_err(|_| "a worker is started by sim run, not by hand")?;
    let scenario = Scenario::parse(&job.path, &job.text, registry).map_err(|problems| problems.to_string())?;
    let registry = Arc::new(registry.clone());
    for seed in job.seeds {
        tell(&format!("start\t{seed}"));
        let (mut report, is_stuck) = run(&Arc::new(Plan::new(&scenario, seed)), &registry, job.look, job.spot.clone());
        report.file = job.path.display().to_string();
        tell(&format!("done\t{}", report.to_json()));
        if is_stuck {
            std::process::exit(3); // nothing inside a process could end that poll
        }
    }
    Ok(())
}

fn tell(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "\n{MARK}{line}");
    let _ = stdout.flush();
}

/// Runs a job in a worker process, and hands out reports as they come. A worker that dies, or takes too long, gives a
/// report of that for the seed that it was running. Returns the seeds that it did not get to.
pub(crate) fn launch(job: &Job, mut each: impl FnMut(Report)) -> Vec<u64> {
    let mut left = job.seeds.clone();
    let started = std::env::current_exe().and_then(|program| {
        Command::new(program).arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    });
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let why = format!("no worker process could be started: {error}");
            left.drain(..).for_each(|seed| each(report_of_death(job, seed, "crash", &why)));
            return left;
        }
    };
    let text = serde_json::to_string(job).expect("a job is data");
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        let _ = stdin.write_all(text.as_bytes()); // one that is gone already is found out below
    }
    drop(stdin);
    let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || tail(stderr)));
    let (sender, lines) = mpsc::sync_channel::<String>(64);
    let reader = child.stdout.take().map(|stdout| {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
    });
    let mut running: Option<u64> = None;
    let mut is_late = false;
    loop {
        match lines.recv_timeout(Duration::from_secs(job.wall_s.max(1))) {
            Ok(line) => match line.strip_prefix(MARK).and_then(|line| line.split_once('\t')) {
                Some(("start", seed)) => running = seed.parse().ok(),
                Some((_, report)) => {
                    if let Ok(report) = Report::from_json(report) {
                        left.retain(|seed| *seed != report.seed);
                        running = None;
                        each(report);
                    }
                }
                None => {}
            },
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                is_late = true;
                let _ = child.kill();
                break;
            }
        }
    }
    drop(lines);
    let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    let _ = reader.map(std::thread::JoinHandle::join);
    let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
    // One that ended before it began: one of the seeds must stand for that, or nobody would know.
    let died = running.or_else(|| left.first().copied().filter(|_| !left.is_empty()));
    if let Some(seed) = died {
        left.retain(|other| *other != seed);
        let report = if is_late {
            report_of_death(
                job,
                seed,
                "host-timeout",
                &format!("the run took longer than {} s of real time", job.wall_s),
            )
        } else {
            report_of_death(
                job,
                seed,
                "crash",
                &format!("the worker process died ({status}); the end of its standard error:\n{errors}"),
            )
        };
        each(report);
    }
    left
}

/// Runs a job many times, each in a process of its own: the hashes in words, and whether there is one.
pub(crate) fn hashes(job: &Job, times: u64) -> (String, bool) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..times {
        launch(job, |report| *counts.entry(report.trace_hash).or_default() += 1);
    }
    let lines: Vec<String> =
        counts.iter().map(|(hash, count)| format!("hash {hash} in {count} of {times} processes\n")).collect();
    (lines.concat(), counts.values().eq([&times]))
}

fn report_of_death(job: &Job, seed: u64, class: &str, why: &str) -> Report {
    Report {
        magic: crate::report::MAGIC.into(),
        schema: crate::report::SCHEMA,
        scenario: name_of(&job.text),
        file: job.path.display().to_string(),
        seed,
        verdict: Judgement::new(class, "", why, &[]),
        ..Report::default()
    }
}

fn name_of(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("name = "));
    line.unwrap_or_default().trim_matches('"').to_owned()
}

impl Job {
    /// A job on a scenario.
    pub(crate) fn new(scenario: &Scenario, seeds: Vec<u64>) -> Self {
        Self {
            path: scenario.path.clone(),
            text: scenario.print(),
            seeds,
            look: Look::default(),
            wall_s: wall_s(),
            spot: None,
        }
    }
}

/// How long a run may take in real time, in seconds: `SIM_WALL_S`, or two minutes.
fn wall_s() -> u64 {
    std::env::var("SIM_WALL_S").ok().and_then(|text| text.parse().ok()).filter(|s| *s > 0).unwrap_or(120)
}
