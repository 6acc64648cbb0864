//! Each scenario file of this folder: it is right, it comes to what it expects, and what it resolves to gives the same run.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs and reads files

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scenarios::files::registry;
use simurgh_harness::{Report, Scenario, SetReport};

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for area in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        if matches!(area.file_name().unwrap().to_str(), Some("src" | "tests" | "base")) {
            continue;
        }
        let paths = std::fs::read_dir(area).unwrap().map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")));
    }
    files.sort();
    assert!(files.len() >= 4, "the files are not found");
    files
}

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenarios")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn every_file_comes_to_what_it_expects() {
    for file in files() {
        let output = sim(&["run", file.to_str().unwrap(), "--seeds", "60"]);
        assert!(output.status.success(), "{}", text(&output));
        assert!(text(&output).contains(": green\n"), "{}", text(&output));
    }
}

/// The hash line of a replay.
fn hash(args: &[&str]) -> String {
    let output = text(&sim(args));
    output.lines().find(|line| line.starts_with("hash ")).unwrap_or_else(|| panic!("{output}")).to_owned()
}

#[test]
fn what_a_file_resolves_to_gives_the_same_run() {
    let registry = registry();
    let folder = tempfile();
    for file in files() {
        let scenario = Scenario::read(&file, &registry).unwrap();
        for seed in [1u64, 4] {
            let path = folder.join(format!("{}-{seed}.toml", scenario.name().replace('/', "-")));
            std::fs::write(&path, scenario.explain(seed)).unwrap();
            let own = hash(&["replay", file.to_str().unwrap(), "--seed", &seed.to_string()]);
            assert_eq!(hash(&["replay", path.to_str().unwrap()]), own, "{}, seed {seed}", file.display());
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_finding_is_written_replayed_and_noticed_when_it_comes_out_otherwise() {
    let folder = tempfile();
    let path = folder.join("set.json");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/echo/chaos.toml");
    let run = sim(&["run", file, "--seed", "0", "--planted", "echo.byte-twice", "--json", path.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(10), "{}", text(&run));
    assert!(text(&run).contains("replay it: cargo sim run "), "{}", text(&run));
    let set: SetReport = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let (mut report, seeds) = set.findings[0].clone();
    assert_eq!(
        (seeds, report.verdict.invariant.as_str(), report.verdict.role.as_str()),
        (1, "echo.in_order", "client")
    );
    assert!(!report.log.is_empty() && !report.messages.is_empty() && !report.nodes.is_empty());
    assert_eq!(Report::from_json(&report.to_json()).unwrap(), report);

    let replayed = sim(&["replay", path.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(10), "{}", text(&replayed));
    report.trace_hash = "0".into();
    std::fs::write(&path, report.to_json()).unwrap();
    let replayed = sim(&["replay", path.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(40), "{}", text(&replayed));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_run_that_takes_too_long_in_real_time_is_ended_and_says_so() {
    let folder = tempfile();
    let path = folder.join("long.toml");
    let text = format!(
        "schema = 1\nname = \"test/long\"\nwhy = \"days of virtual time\"\nextends = \"{}/echo/chaos.toml\"\n\
         [time]\nchaos = \"300000s\"\nmax_steps = 4_000_000_000\n[[workload]]\nname = \"echo.lines\"\nrate = \"1/s\"\n",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["run", path.to_str().unwrap(), "--seed", "1"]).env("SIM_WALL_S", "1");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(51), "{}", self::text(&output));
    assert!(self::text(&output).contains("the run took longer than 1 s of real time"), "{}", self::text(&output));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn each_command_has_help_with_an_example_and_says_what_is_wrong() {
    for command in ["list", "schema", "explain", "run", "replay", "report", "sweep"] {
        let output = sim(&[command, "--help"]);
        assert!(output.status.success() && text(&output).contains("example: sim "), "{command}: {}", text(&output));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/echo/chaos.toml");
    for (args, says) in [
        (&["explain"][..], "error: which file?"),
        (&["explain", "no-such.toml"], "error: no-such.toml: "),
        (&["run", file, "--sedes", "3"], "error: there is no --sedes here; sim run --help says what there is"),
        (
            &["run", file, "--planted", "echo.byte-twise"],
            "error: --planted: there is no planted bug echo.byte-twise; the nearest is",
        ),
        (&["replay", file], "error: --seed S: which run?"),
    ] {
        let output = sim(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).starts_with(says), "{args:?}: {}", text(&output));
    }
}

/// A folder of this process and test.
fn tempfile() -> PathBuf {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("simurgh-files-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
