//! `sim shrink`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simurgh_sim::{put, say};

use crate::command::{Command, Words, own_seed, read};
use crate::registry::Registry;

use super::{Options, output, shrink};

pub(crate) const COMMAND: Command = Command {
    name: "shrink",
    words: "FILE --seed S [--out FILE] [--test] [--runs N] [--jobs N]",
    about: "Makes a failing run small: faults, operations and nodes are left out, times and numbers made round, decisions of\n\
            the schedule taken back, as long as it fails in the same way. Writes a scenario file that is complete in itself\n\
            (default: shrunk/NAME_seed_S.toml in the target folder), with --test a Rust test beside it, and prints the sizes\n\
            before and after and the command that replays the result. --runs is how many runs it may take (default:\n\
            [shrink] runs, or 400), --jobs how many at the same time (default: as many as there are cores); the result is\n\
            the same for any number of jobs.",
    example: "sim shrink scenarios/negative/register-split-brain.toml --seed 7 --out small.toml",
};

/// Does the command.
pub(crate) fn command(registry: &Registry, words: &Words) -> Result<ExitCode, String> {
    let path = words.file()?;
    let scenario = read(&path, registry)?;
    let seed = words.number("seed")?.or_else(|| own_seed(&scenario)).ok_or("--seed S: which run?")?;
    let options = Options {
        runs: words.at_least_one("runs")?,
        jobs: words.at_least_one("jobs")?.map(|jobs| jobs.min(1024) as usize),
        progress: true,
    };
    let shrunk = shrink(&scenario, seed, registry, options)?;
    let out = words.values.get("out").map_or_else(|| default_out(&output::name_of(&shrunk.first)), PathBuf::from);
    write(&out, &shrunk.text)?;
    put!("{}", output::words(&shrunk, &out));
    if words.has("test") {
        let test = out.with_extension("rs");
        write(&test, &output::rust_test(&shrunk, &program()))?;
        say!("as a test: {}", test.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn default_out(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    target.join("shrunk").join(format!("{name}.toml"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(path, text).map_err(wrong)
}

/// The name of this program, which knows the names in the file.
fn program() -> String {
    let own = std::env::current_exe().ok();
    let stem = own.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "scenarios".into())
}
