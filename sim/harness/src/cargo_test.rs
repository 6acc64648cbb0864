//! The scenario target of an application as `cargo test` runs it: each scenario file is a test.
//!
//! It understands what the harness of the standard library does: words that names must contain, `--exact`, `--skip`,
//! `--list`; what says how those are run in threads or printed changes nothing here.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use simurgh_sim::{say, warn};

use crate::command::collect;
use crate::file::Scenario;
use crate::registry::Registry;
use crate::set::{Options, run_set};

/// How cargo shows that tests failed.
const FAILED: u8 = 101;

/// Which files are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    words: Vec<String>,
    skipped: Vec<String>,
    is_exact: bool,
    is_list: bool,
    /// Only those that are ignored, of which there are none.
    is_none: bool,
}

impl Wanted {
    fn parse(args: &[String]) -> Self {
        const TAKE_VALUES: [&str; 6] = ["--test-threads", "--format", "--color", "--logfile", "--shuffle-seed", "-Z"];
        let mut wanted = Self::default();
        let mut args = args.iter();
        while let Some(word) = args.next() {
            match word.as_str() {
                "--exact" => wanted.is_exact = true,
                "--list" => wanted.is_list = true,
                "--ignored" => wanted.is_none = true,
                "--skip" => wanted.skipped.extend(args.next().cloned()),
                flag if TAKE_VALUES.contains(&flag) => {
                    args.next();
                }
                flag if flag.starts_with('-') => {}
                name => wanted.words.push(name.to_owned()),
            }
        }
        wanted
    }

    fn takes(&self, name: &str) -> bool {
        let is = |word: &String| if self.is_exact { name == word } else { name.contains(word.as_str()) };
        !self.is_none && (self.words.is_empty() || self.words.iter().any(is)) && !self.skipped.iter().any(is)
    }
}

/// Runs the scenario files of a folder as `cargo test` wants it.
pub(crate) fn main(registry: &Registry, folder: &Path, args: &[String]) -> ExitCode {
    let seeds = match std::env::var("SIM_SEEDS").ok().map(|text| text.replace('_', "").parse::<u64>()).transpose() {
        Ok(seeds) => seeds,
        Err(error) => {
            warn!("error: SIM_SEEDS: {error}");
            return ExitCode::from(2);
        }
    };
    let wanted = Wanted::parse(args);
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    if files.is_empty() {
        warn!("error: there is no scenario file in {}, which Registry::files names", folder.display());
        return ExitCode::from(FAILED);
    }
    let name_of = |path: &Path| path.display().to_string();
    let (run, left_out): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| wanted.takes(&name_of(path)));
    if wanted.is_list {
        for path in &run {
            say!("{}: test", name_of(path));
        }
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    say!("\nrunning {} scenario files", run.len());
    let failed: Vec<String> = run
        .iter()
        .filter_map(|path| {
            let outcome = one(registry, path, seeds);
            say!("scenario {} ... {}", name_of(path), if outcome.is_ok() { "ok" } else { "FAILED" });
            outcome.err()
        })
        .collect();
    if !failed.is_empty() {
        say!("\nfailures:\n\n{}", failed.join("\n"));
    }
    say!(
        "\nscenario result: {}. {} passed; {} failed; {} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        run.len() - failed.len(),
        failed.len(),
        left_out.len(),
        began.elapsed().as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Runs a file under its seeds; what is wrong, in words.
fn one(registry: &Registry, path: &Path, seeds: Option<u64>) -> Result<(), String> {
    let scenario = Scenario::read(path, registry).map_err(|problems| problems.to_string())?;
    let seeds: Vec<u64> = (0..seeds.unwrap_or_else(|| scenario.seeds())).collect();
    let set = run_set(&scenario, &seeds, Options::default());
    if set.is_green() {
        return Ok(());
    }
    let first = set.findings.first().map(|(report, _)| format!(" --seed {}", report.seed)).unwrap_or_default();
    Err(format!("{}run it again: simurgh sim run {}{first}\n", set.text(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_test_says_chooses_files() {
        let wanted = |line: &str| Wanted::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(wanted("").takes("scenarios/split.toml"));
        assert!(wanted("--nocapture --test-threads 1 split").takes("scenarios/split.toml"));
        assert!(!wanted("heal --color=always").takes("scenarios/split.toml"));
        assert!(!wanted("--skip split").takes("scenarios/split.toml"));
        assert!(!wanted("split --exact").takes("scenarios/split.toml"));
        assert!(wanted("--exact scenarios/split.toml").takes("scenarios/split.toml"));
        assert!(!wanted("--ignored").takes("scenarios/split.toml"));
        assert!(wanted("--list --format terse").is_list);
    }
}
