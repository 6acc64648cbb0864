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

/// Whatever the key was, and whether it was a read or a write, and whichever tasks were alive.
#[test]
fn one_bug_at_many_seeds_is_one_finding() {
    let folder = tempfile();
    for name in
        ["register-waits-for-all", "register-timer", "register-livelock", "register-impossible", "register-unlocked"]
    {
        let (json, file) =
            (folder.join(format!("{name}.json")), format!("{}/negative/{name}.toml", env!("CARGO_MANIFEST_DIR")));
        let output = sim(&["run", &file, "--seeds", "60", "--json", json.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output));
        let set: SetReport = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(set.findings.len(), 1, "{}", text(&output));
        assert!(set.findings[0].1 >= 20, "{}", text(&output));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn replicas_may_be_asked_at_the_end_of_the_calm_and_at_no_event() {
    let folder = tempfile();
    let run = |check: &str| {
        let path = folder.join("asked.toml");
        let text = format!(
            "schema = 1\nname = \"test/asked\"\nwhy = \"when it is asked\"\nextends = \"{}/negative/register-divergence.toml\"\n\
             [[invariant]]\nname = \"replica.converges\"\n{check}",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::write(&path, text).unwrap();
        let output = sim(&["replay", path.to_str().unwrap(), "--seed", "1"]);
        (output.status.code(), self::text(&output))
    };
    // When it was last told: in seconds.
    let ended = |said: &str| -> f64 {
        let line = said.lines().rfind(|line| line.contains(" s #")).unwrap();
        line.trim_start().split(' ').next().unwrap().parse().unwrap()
    };
    let (own, at_calm) = (run(""), run("check = \"calm\"\n"));
    for (code, said) in [&own, &at_calm] {
        assert!(*code == Some(10) && said.contains(": invariant replica.converges "), "{said}");
    }
    assert!(ended(&at_calm.1) + 5.0 < ended(&own.1), "before all is settled: {} {}", at_calm.1, own.1);
    let (code, said) = run("check = \"event\"\n");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("asked.toml:7:9: replica.converges cannot be asked at event; it has the checks end, calm"),
        "{said}"
    );
    std::fs::remove_dir_all(folder).unwrap();
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
        (&["schema", "all"], "error: all: sim schema takes no name; usage: sim schema"),
        (&["list", "scenarios"], "error: scenarios: sim list takes no name; usage: sim list [--folder DIR] [--names]"),
        (&["run", file, "--seeds", "0"], "error: --seeds: at least one"),
        (&["run", file, "--seeds", "few"], "error: --seeds: \"few\" is not a number"),
        (&["run", file, "--json", "--first"], "error: --json wants a value"),
        (&["run", file, "--first=yes"], "error: --first takes no value"),
        (
            &["run", file, "--from", "18446744073709551615"],
            "error: --from: there are no 50 seeds after 18446744073709551615",
        ),
        (&["run", file, "--seed", "1", "--seed", "2"], "error: --seed is given twice"),
        (&["replay", file, "--seed", "1", "--times", "0"], "error: --times: at least one"),
        (&["sweep", "--jobs", "0"], "error: --jobs: at least one"),
        (&["sweep", "--minutes", "soon"], "error: --minutes: \"soon\" is not a number of minutes"),
        (&["report", file], "error: this is no report: "),
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
