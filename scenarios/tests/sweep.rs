//! Sweeps, as a person runs them: one that is killed loses no finding.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and reads the real clock

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CANARY: &str = "negative/echo-byte-twice.toml";

fn sweep(file: &Path, journal: &Path, minutes: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["sweep", "--canary", CANARY, "--minutes", minutes]);
    command.arg("--journal").arg(journal).arg("--pending").arg(journal.with_file_name("pending")).arg(file);
    command
}

/// A file whose planted bug nobody expects, and a journal of its own.
fn bed(name: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("unexpected.toml");
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("echo/chaos.toml");
    let text = format!(
        "schema = 1\nname = \"test/unexpected\"\nwhy = \"a bug that nobody expects\"\nextends = \"{}\"\n\
         planted = \"echo.byte-twice\"\n",
        base.display()
    );
    std::fs::write(&file, text).unwrap();
    (file, folder.join("journal.jsonl"))
}

#[test]
fn a_sweep_that_is_killed_loses_no_finding_and_the_next_one_lists_it() {
    let (file, journal) = bed("killed-sweep");
    let mut child = sweep(&file, &journal, "10").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let found = |text: &str| text.lines().any(|line| line.contains("\"is\":\"found\"") && line.contains("unexpected"));
    let read = || std::fs::read_to_string(&journal).unwrap_or_default();
    while !found(&read()) && began.elapsed() < Duration::from_mins(2) {
        std::thread::park_timeout(Duration::from_millis(50)); // a look at the file now and then
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found(&read()) && !read().contains("\"is\":\"end\""), "{}", read());
    // What was found is kept as an entry, too, before the journal says so.
    let pending = journal.with_file_name("pending");
    let kept: Vec<_> = std::fs::read_dir(&pending).unwrap().map(|entry| entry.unwrap().path()).collect();
    let replayed = Command::new(env!("CARGO_BIN_EXE_scenarios")).args(["bank", "replay"]).args(&kept).output().unwrap();
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert!(!kept.is_empty() && replayed.status.success() && text.contains("replayed"), "{kept:?}: {text}");

    let output = sweep(&file, &journal, "0.15").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the last sweep was killed"), "{text}");
    assert!(text.contains("found earlier: ") && text.contains("KNOWN "), "{text}");
    assert!(text.contains("canary: negative/echo-byte-twice failed, as it must"), "{text}");
    assert_eq!(output.status.code(), Some(10), "safety: {text}");
    assert!(read().contains("\"is\":\"end\""));
}
