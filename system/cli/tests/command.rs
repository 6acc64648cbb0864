//! The command, as a person uses it, on a package of its own.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and writes packages

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A target that says how it was started.
const MAIN: &str = "\
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    println!(\"args {}\", args.join(\" \"));
    println!(\"pid {}\", std::process::id());
    println!(\"folder {}\", std::env::current_dir().unwrap().display());
    println!(\"target {}\", std::env::var(\"CARGO_TARGET_DIR\").unwrap_or_default());
    println!(\"called {}\", std::env::var(\"SIMURGH_COMMAND\").unwrap_or_default());
    std::process::ExitCode::from(if args.iter().any(|arg| arg == \"fail\") { 42 } else { 0 })
}
";

fn package(name: &str, manifest: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{manifest}\n[workspace]\n");
    for (path, text) in [("Cargo.toml", manifest.as_str()), ("src/lib.rs", "")].iter().chain(files) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn simurgh(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simurgh"));
    command.args(args).current_dir(folder);
    // A stranger's cargo builds in the package's own folder.
    command.env_remove("CARGO_TARGET_DIR").env_remove("SIMURGH_COMMAND");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const HARNESS_FALSE: &str = "[[test]]\nname = \"scenarios\"\nharness = false\n";

#[test]
fn the_process_becomes_the_target_with_its_arguments_and_its_exit_code() {
    let root = package("becomes", HARNESS_FALSE, &[("tests/scenarios.rs", MAIN), ("deep/inside/x", "")]);
    let folder = root.join("deep/inside");
    let child = simurgh(&folder, &["sim", "--offline", "run", "fail", "--seeds", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(42), "{said}");
    let real = |path: &Path| path.canonicalize().unwrap().display().to_string();
    for line in [
        "args sim run fail --seeds 3".to_owned(),
        format!("pid {pid}"),
        format!("folder {}", real(&folder)),
        format!("target {}", real(&root.join("target"))),
        "called simurgh sim".to_owned(),
    ] {
        assert!(said.lines().any(|known| known == line), "{line}:\n{said}");
    }
    let output = simurgh(&root, &["sim", "--offline", "--package", "becomes"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("args sim help\n"), "{}", text(&output));
    assert!(text(&output).contains("called simurgh sim --package becomes\n"), "{}", text(&output));
}

#[test]
fn a_program_called_scenarios_is_a_target_too() {
    let manifest = "[[bin]]\nname = \"scenarios\"\npath = \"src/main.rs\"\n";
    let root = package("program", manifest, &[("src/main.rs", MAIN)]);
    let output = simurgh(&root, &["sim", "--offline", "list"]).output().unwrap();
    assert!(output.status.success() && text(&output).contains("args sim list\n"), "{}", text(&output));
}

#[test]
fn what_is_missing_is_said_with_the_next_step() {
    let none = package("nothing", "", &[]);
    let ordinary = package("ordinary", "", &[("tests/scenarios.rs", "#[test]\nfn a() {}\n")]);
    let broken = package("broken", HARNESS_FALSE, &[("tests/scenarios.rs", "fn main() { wrong }\n")]);
    for (folder, args, code, says) in [
        (
            none.as_path(),
            &["sim", "list"][..],
            2,
            "error: package nothing has no scenario target; add [[test]] name = \"scenarios\" harness = false to ",
        ),
        (&none, &["sim", "--package", "nothign"], 2, "error: there is no package nothign in the workspace "),
        (
            &none,
            &["sim", "--pakage", "x"],
            2,
            "error: there is no option --pakage before the command of simurgh sim; the nearest is --package",
        ),
        (
            &ordinary,
            &["sim", "list"],
            2,
            "error: tests/scenarios.rs of ordinary is built as an ordinary test, whose main is not its own; say harness = false",
        ),
        (&broken, &["sim", "--offline", "list"], 101, "error: could not compile `broken`"),
        (
            Path::new("/"),
            &["sim", "list"],
            2,
            "error: neither / nor a folder above has a Cargo.toml; go to the folder of your application",
        ),
        (&none, &["smi"], 2, "error: there is no command smi; the nearest is sim; simurgh --help says more"),
        (
            &none,
            &["load", "chanels"],
            2,
            "error: there is no load for \"chanels\", only for channels; simurgh load --help says what there is",
        ),
    ] {
        let output = simurgh(folder, args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{args:?}: {}", text(&output));
    }
}

#[test]
fn each_command_has_help_with_an_example() {
    for (args, says) in [
        (&["--help"][..], "simurgh sim run scenarios/split.toml --seeds 200"),
        (&[], "usage: simurgh sim "),
        (&["sim", "--help"], "harness = false"),
        (&["load", "--help"], "simurgh load channels echo --connections 1000 --rate 20000"),
    ] {
        let output = simurgh(Path::new("/"), args).output().unwrap();
        assert!(output.status.success() && text(&output).contains(says), "{args:?}: {}", text(&output));
    }
}
