//! What each negative scenario of the register takes to be found, and how small it becomes:
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
        "runs from seed 0 until a seed fails, {SEEDS} seeds at most. Then `cargo sim shrink` makes that run small. Sizes: nodes\n\
         (clients too), faults that struck, operations that were due, decisions of the schedule that first come, first served\n\
         would not have made, virtual time until it failed. Build: {}.\n",
        build()
    );
    println!(
        "A batch of seeds is run to its end, so the seed shown need not be the lowest. Four of the worlds (timer,\n\
         forgotten-sync, non-monotonic-read, livelock) were changed after it was seen how long their bugs took: the seeds\n\
         say that each is found, and not how hard that is.\n"
    );
    println!("| scenario | planted bug | class | found by | first seed | real time to find |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut small = Vec::new();
    for file in files {
        let (found, shrunk) = row(&sim, &file)?;
        println!("{found}");
        small.extend(shrunk);
    }
    println!("\n## Made small\n");
    let again: Vec<bool> = small.iter().filter_map(|small| small.comes_again).collect();
    let same = again.iter().filter(|comes_again| **comes_again).count();
    println!(
        "A step is taken only if two processes give it one hash. Each file that came of it was run once more for this table:\n\
         {same} of {} gave the hash that was printed with it.\n",
        again.len()
    );
    println!("| scenario | seed | | nodes | faults | operations | decisions | virtual time | runs | real time |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for Small { rows, .. } in small {
        println!("{rows}");
    }
    Ok(())
}

/// A run that was made small.
struct Small {
    /// As two rows of a table: before and after; or as one that says why there is nothing to make small.
    rows: String,
    /// Whether the file, run once more, gave the hash that was printed with it.
    comes_again: Option<bool>,
}

/// How this program was built, and so what it measures.
fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug (`[profile.dev]` of this workspace)" } else { "release" }
}

/// What it took to find, as a row of a table; and what became of it when it was made small.
fn row(sim: &Path, file: &Path) -> Result<(String, Option<Small>), Box<dyn std::error::Error>> {
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
        return Ok((format!("| {name} | | | not found in {} seeds | | {took:.1} s |", set.seeds), None));
    };
    let Report { verdict, seed, planted, .. } = first;
    let is_property = first.level == "property";
    let by = if verdict.invariant.is_empty() { "the simulator" } else { &verdict.invariant };
    let planted = planted.as_deref().unwrap_or("");
    let found = format!("| {name} | `{planted}` | {} | {by} | {seed} | {took:.1} s |", verdict.class);
    if is_property {
        // Proptest has made the input small by then, and it is in the message.
        let rows = format!("| {name} | {seed} | level property: no nodes | | | | | | | |");
        return Ok((found, Some(Small { rows, comes_again: None })));
    }
    Ok((found, Some(shrink(sim, file, *seed)?)))
}

fn shrink(sim: &Path, file: &Path, seed: u64) -> Result<Small, Box<dyn std::error::Error>> {
    let small = std::env::temp_dir().join(format!("planted-{}.toml", std::process::id()));
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let began = Instant::now();
    let mut command = Command::new(sim);
    let done = command.arg("shrink").arg(file).args(["--seed", &seed.to_string(), "--out"]).arg(&small).output()?;
    let took = began.elapsed().as_secs_f64();
    if !done.status.success() {
        return Err(format!("{name} seed {seed}: {}", String::from_utf8_lossy(&done.stderr).trim()).into());
    }
    let hash_of = |output: &[u8]| {
        let text = String::from_utf8_lossy(output).into_owned();
        text.lines().find_map(|line| Some(line.strip_prefix("hash ")?.split(',').next()?.to_owned()))
    };
    let told = hash_of(&done.stdout).ok_or("shrinking tells the hash")?;
    let replayed = Command::new(sim).arg("replay").arg(&small).output()?;
    let comes_again = Some(hash_of(&replayed.stdout).is_some_and(|hash| hash == told));
    let table: toml::Table = std::fs::read_to_string(&small)?.parse()?;
    std::fs::remove_file(&small)?;
    let shrunk = table.get("plan").and_then(|plan| plan.get("shrunk")).ok_or("a file that was made small says so")?;
    let size = |when: &str| -> Result<String, Box<dyn std::error::Error>> {
        let of = |name: &str| shrunk.get(when).and_then(|size| size.get(name)).ok_or("a size has all its parts");
        let count = |name| Ok::<_, &str>(of(name)?.as_integer().ok_or("a count is a number")?.to_string());
        let whole = ["nodes", "faults", "operations", "decisions"].map(count);
        let whole = whole.into_iter().collect::<Result<Vec<_>, _>>()?.join(" | ");
        Ok(format!("{whole} | {}", time(of("time")?.as_str().unwrap_or("0"))))
    };
    let runs =
        shrunk.get("runs").and_then(toml::Value::as_integer).ok_or("a file that was made small tells its runs")?;
    let rows = format!(
        "| {name} | {seed} | before | {} | | |\n| | | after | {} | {runs} | {took:.1} s |",
        size("before")?,
        size("after")?
    );
    Ok(Small { rows, comes_again })
}

/// A time of a scenario file, in seconds.
fn time(text: &str) -> String {
    let units = [("ns", 1e9), ("us", 1e6), ("ms", 1e3), ("s", 1.0)];
    let in_unit = |(unit, per_s): &(&str, f64)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? / per_s);
    units.iter().find_map(in_unit).map_or_else(|| text.to_owned(), |seconds| format!("{seconds:.2} s"))
}
