//! The bank of failing seeds, as `ci/test` replays it, and the hash of one seed in many processes.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs and reads files

use std::path::{Path, PathBuf};
use std::process::Command;

fn sim(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_scenarios")).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "pending") {
            files.extend(toml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_entry_of_the_bank_comes_to_its_spot_and_to_what_it_must() {
    let (code, said) = sim(&["bank", "replay"]);
    assert_eq!(code, Some(0), "{said}");
    let entries = toml_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../seeds"))).len();
    assert!(entries >= 20 && said.contains(&format!("\n{entries} entries: ")), "{entries} files: {said}");
    assert!(!said.contains("STALE"), "{said}");
}

#[test]
fn each_negative_is_in_the_bank() {
    let (code, said) = sim(&["bank", "list"]);
    assert_eq!(code, Some(0), "{said}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("negative");
    let names = toml_files(&folder).into_iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    for name in names {
        // One that fails by its very world holds no planted bug: its file expects that.
        let stands = if name == "register-impossible" { "expected " } else { "planted " };
        let is_it = |line: &str| line.starts_with(stands) && line.contains(&format!(" negative/{name} "));
        assert!(said.lines().any(is_it), "negative/{name} is missing in:\n{said}");
    }
}

/// What each entry of the register comes to in another version of it: its verdict, by its folder.
fn replayed_in(version: &str) -> (Option<i32>, Vec<(String, String)>, String) {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../seeds/negative");
    let output = Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .args(["bank", "replay", seeds])
        .env("SIMURGH_REGISTER", version)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let verdict = |line: &str| {
        let (verdict, path) = line.split_once(' ')?;
        let folder = path.trim().split("register-").nth(1)?.split('/').next()?;
        (!line.starts_with(' ')).then(|| (folder.to_owned(), verdict.to_owned()))
    };
    (output.status.code(), said.lines().filter_map(verdict).collect(), said)
}

#[test]
fn one_await_more_in_the_register_finds_each_bug_again_or_says_that_it_does_not() {
    let (code, verdicts, said) = replayed_in("await");
    assert!(verdicts.len() >= 18, "{said}");
    let count = |wanted: &[&str]| verdicts.iter().filter(|(_, verdict)| wanted.contains(&verdict.as_str())).count();
    let (found, lost) = (count(&["replayed", "moved"]), count(&["STALE", "GONE"]));
    assert_eq!(found + lost, verdicts.len(), "none is green, and none fails in another way: {said}");
    assert!(found >= 15, "{found} of {} entries still find their bug: {said}", verdicts.len());
    // One that comes to its spot and does not fail is as red as one that does not come there.
    assert_eq!(code == Some(0), lost == 0, "{said}");
    assert!(matches!(code, Some(0 | 17 | 18)), "{code:?}: {said}");
    // It is another version: a run of many decisions has another trace.
    assert!(said.contains("the trace is another one"), "{said}");
}

#[test]
fn a_probe_that_is_gone_from_the_register_makes_stale_what_it_told() {
    let (code, verdicts, said) = replayed_in("no-probe");
    assert_eq!(code, Some(18), "{said}");
    let mut stale = 0;
    for (folder, verdict) in &verdicts {
        let entries = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../seeds/negative/register-{folder}"));
        let told_by_it = toml_files(&entries).iter().any(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().any(|line| line.starts_with("reach = ") && line.contains("register.waited"))
        });
        assert_eq!(verdict, if told_by_it { "STALE" } else { "replayed" }, "{folder}: {said}");
        stale += usize::from(told_by_it);
    }
    assert!(stale >= 8, "{stale}: {said}");
    assert!(said.contains("the probe register.waited was not passed"), "{said}");
    assert!(said.contains("probe register.waited was never seen"), "{said}");
}

#[test]
fn one_seed_has_one_hash_in_twenty_processes() {
    for file in ["negative/register-split-brain.toml", "register/split-brain.toml", "presence/split-brain-heal.toml"] {
        let (code, said) = sim(&["replay", file, "--seed", "3", "--times", "20"]);
        assert_eq!(code, Some(0), "{file}: {said}");
        assert!(said.contains(" in 20 of 20 processes") && said.lines().count() == 1, "{file}: {said}");
    }
}
