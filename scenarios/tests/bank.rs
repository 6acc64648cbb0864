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
        // One that fails by its very world holds no planted bug: it is open.
        let stands = |line: &str| line.starts_with("planted ") || line.starts_with("open ");
        let is_it = |line: &str| stands(line) && line.contains(&format!(" negative/{name} "));
        assert!(said.lines().any(is_it), "negative/{name} is missing in:\n{said}");
    }
}

#[test]
fn one_seed_has_one_hash_in_twenty_processes() {
    for file in ["negative/register-split-brain.toml", "register/split-brain.toml", "presence/split-brain-heal.toml"] {
        let (code, said) = sim(&["replay", file, "--seed", "3", "--times", "20"]);
        assert_eq!(code, Some(0), "{file}: {said}");
        assert!(said.contains(" in 20 of 20 processes") && said.lines().count() == 1, "{file}: {said}");
    }
}
