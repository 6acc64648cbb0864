//! A planted bug is made small: what is left is small, replays bit for bit, and is a test that compiles.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs and reads files

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FILE: &str = "scenarios/negative/register-split-brain.toml";
const SEED: &str = "7";

/// The command line, as one uses it in the folder of the repository: what it writes names files from there.
fn sim(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Command::new(env!("CARGO_BIN_EXE_scenarios")).current_dir(root).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("simurgh-shrink-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The line that begins so, without its beginning.
fn line<'a>(text: &'a str, begins: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(begins))
        .unwrap_or_else(|| panic!("no line begins {begins}:\n{text}"))
}

#[test]
fn the_split_brain_is_three_nodes_two_faults_four_operations_at_most_and_replays_by_the_printed_command() {
    let folder = folder("split-brain");
    let small = folder.join("small.toml");
    let output = sim(&["shrink", FILE, "--seed", SEED, "--test", "--out", small.to_str().unwrap()]);
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    for (what, most) in [("nodes", 3), ("faults", 2), ("operations", 4), ("decisions", 0)] {
        let sizes: Vec<u64> = line(&told, what).split_whitespace().map(|size| size.parse().unwrap()).collect();
        assert!(sizes[1] <= most && sizes[0] > most, "{what}: {told}");
    }

    let replay: Vec<&str> = line(&told, "replay it: cargo sim ").split(' ').collect();
    for _ in 0..2 {
        let replayed = text(&sim(&replay));
        assert!(replayed.contains(": invariant history.linearizable "), "{replayed}");
        let (is, was) = (line(&replayed, "hash "), line(&told, "hash "));
        assert!(is.starts_with(was), "{is}, and not {was}");
    }
    let again = folder.join("again.toml");
    let one = sim(&["shrink", FILE, "--seed", SEED, "--jobs", "1", "--out", again.to_str().unwrap()]);
    assert!(one.status.success(), "{}", text(&one));
    assert_eq!(std::fs::read_to_string(&again).unwrap(), std::fs::read_to_string(&small).unwrap(), "jobs change it");

    let json = folder.join("small.json");
    let run = sim(&["run", small.to_str().unwrap(), "--json", json.to_str().unwrap()]);
    assert!(run.status.success(), "it expects to fail: {}", text(&run));
    let report = text(&sim(&["report", json.to_str().unwrap()]));
    assert!(report.contains("made small: ") && report.contains(" before"), "{report}");
    // What went wrong stands there in numbers: half of those that ran were enough.
    assert!(
        report.contains("1 answer of 2 asked, 1 needed") && report.contains("2 of the file's 5 replicas"),
        "{report}"
    );
    is_as_committed(&std::fs::read_to_string(small.with_extension("rs")).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
}

/// The test that was written is the one in this folder, which is thereby compiled and run.
fn is_as_committed(written: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shrunk.rs");
    if std::env::var("SIM_SHRUNK").is_ok_and(|what| what == "write") {
        std::fs::write(path, written).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == written,
        "{path} is not what shrinking writes now; if that is right: SIM_SHRUNK=write cargo test -p scenarios --test shrink\n{written}"
    );
}

#[test]
fn what_cannot_be_made_small_is_said() {
    for (args, says) in [
        (&["shrink"][..], "error: which file?"),
        (&["shrink", "no-such.toml", "--seed", "1"], "error: no-such.toml: "),
        (&["shrink", FILE], "error: --seed S: which run?"),
        (&["shrink", FILE, "--seed", "x"], "error: --seed: \"x\" is not a number"),
        (&["shrink", FILE, "--seed", "1", "--runs", "0"], "error: --runs: at least one"),
        (&["shrink", FILE, "--seeds", "1"], "error: there is no --seeds here; sim shrink --help says what there is"),
        (
            &["shrink", "scenarios/register/split-brain.toml", "--seed", "1"],
            "error: register/split-brain seed 1 passes: there is nothing to make small",
        ),
    ] {
        let output = sim(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).starts_with(says), "{args:?}: {}", text(&output));
    }
    let help = text(&sim(&["shrink", "--help"]));
    assert!(help.contains("example: sim shrink "), "{help}");
}

#[test]
fn few_runs_are_enough_for_a_part_and_it_says_that_there_is_more() {
    let folder = folder("few");
    let small = folder.join("small.toml");
    let output = sim(&["shrink", FILE, "--seed", SEED, "--runs", "30", "--out", small.to_str().unwrap()]);
    let told = text(&output);
    assert!(output.status.success() && told.contains("note: the 30 runs are spent"), "{told}");
    let replayed = text(&sim(&["replay", small.to_str().unwrap()]));
    assert!(line(&replayed, "hash ").starts_with(line(&told, "hash ")), "{replayed}\n{told}");
    std::fs::remove_dir_all(folder).unwrap();
}
