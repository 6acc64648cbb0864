//! What each negative scenario of the register takes to be found:
//! `cargo build -p scenarios && cargo run -p scenarios --example planted > reports/register.md`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout)] // it starts the command, measures it, and says what it measured

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use simurgh_harness::{Report, SetReport};

/// Seeds among which a planted bug has to be found.
const SEEDS: &str = "2000";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = std::env::current_exe()?;
    let sim = own.parent().and_then(Path::parent).ok_or("an example lies in examples/")?.join("scenarios");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("scenarios/negative")?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("register-")));
    files.sort();
    println!("# The planted bugs of the register\n");
    println!(
        "Written by `cargo run -p scenarios --example planted`. Each scenario of `scenarios/negative/register-*.toml`"
    );
    println!(
        "runs from seed 0 until a seed fails, {SEEDS} seeds at most. Size: nodes and faults of the failing run. Build: {}.\n",
        build()
    );
    println!(
        "A batch of seeds is run to its end, so the seed shown need not be the lowest. Four of the worlds (timer,\n\
         forgotten-sync, non-monotonic-read, livelock) were changed after it was seen how long their bugs took: the seeds\n\
         say that each is found, and not how hard that is.\n"
    );
    println!(
        "| scenario | planted bug | class | found by | first seed | size | virtual time of the run | real time to find |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for file in files {
        println!("{}", row(&sim, &file)?);
    }
    Ok(())
}

/// How this program was built, and so what it measures.
fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug (`[profile.dev]` of this workspace)" } else { "release" }
}

fn row(sim: &Path, file: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let json = std::env::temp_dir().join(format!("planted-{}.json", std::process::id()));
    let began = Instant::now();
    let mut command = Command::new(sim);
    command.arg("run").arg(file).args(["--seeds", SEEDS, "--first", "--json"]).arg(&json);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = began.elapsed().as_secs_f64();
    let set: SetReport = serde_json::from_str(&std::fs::read_to_string(&json)?)?;
    std::fs::remove_file(&json)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let Some(first) = set.findings.iter().map(|(report, _)| report).min_by_key(|report| report.seed) else {
        return Ok(format!("| {name} | | | not found in {} seeds | | | | {took:.1} s |", set.seeds));
    };
    let Report { verdict, nodes, faults, seed, elapsed_ns, .. } = first;
    let by = if verdict.invariant.is_empty() { "the simulator" } else { &verdict.invariant };
    Ok(format!(
        "| {name} | `{}` | {} | {by} | {seed} | {} nodes, {} faults | {:.1} s | {took:.1} s |",
        first.planted.as_deref().unwrap_or(""),
        verdict.class,
        nodes.len(),
        faults.len(),
        *elapsed_ns as f64 / 1e9,
    ))
}
