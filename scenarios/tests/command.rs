//! The command line, as a person uses it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and asks what the bans keep from others

use std::process::{Command, Output};

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenarios")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn list_names_simulations_and_planted_bugs() {
    let output = sim(&["list"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for name in ["echo/chaos", "determinism/address", "net.lost-wakeup"] {
        assert!(text.contains(name), "{name} is missing in:\n{text}");
    }
}

#[test]
fn run_counts_effects_and_a_planted_bug_ends_with_its_replay() {
    let output = sim(&["run", "echo/chaos", "--seeds", "20"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("20 seeds, 0 findings"), "{}", text(&output));

    let output = sim(&["run", "echo/chaos", "--seeds", "20", "--planted", "echo.byte-twice"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(10), "{text}");
    assert!(text.contains("invariant echo.in_order:"), "{text}");
    assert!(
        text.contains("replay it: cargo sim run echo/chaos --seed ") && text.contains("--planted echo.byte-twice"),
        "{text}"
    );
}

#[test]
fn what_a_simulation_covers_is_printed_over_all_seeds() {
    let output = sim(&["run", "tree/crash-orders", "--seeds", "2"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for line in ["  360/360 orders", "  0 orphans", "  0 double starts", "  0 lost replies without an error"] {
        assert!(text.lines().any(|known| known == line), "{line}:\n{text}");
    }
    let points = text.lines().find_map(|line| line.trim().strip_suffix(" await points of start and stop"));
    let (covered, of) = points.and_then(|points| points.split_once('/')).unwrap();
    assert!(covered == of && covered.parse::<u64>().unwrap() > 0, "{text}");
}

#[test]
fn what_power_cuts_did_to_a_log_is_printed() {
    let output = sim(&["run", "disk/wal", "--seeds", "30"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for line in ["  300 power cuts", "  0 commits acknowledged and lost", "  0 logs found corrupt"] {
        assert!(text.lines().any(|known| known == line), "{line}:\n{text}");
    }
}

/// All of them, from one seed on; `cargo sim mutants` does it from twenty others on and with each strategy.
#[test]
fn each_mutant_is_found_by_the_default_world_and_missed_by_the_calm_one() {
    let output = sim(&["mutants", "--strategy", "default", "--bases", "0", "--calm", "3"]);
    let text = text(&output);
    assert!(output.status.success() && text.contains("PASS"), "{text}");
    assert!(text.lines().filter(|line| line.contains(" missed; ")).count() >= 20, "{text}");
}

#[test]
fn every_seed_repeats() {
    let output = sim(&["determinism", "--seeds", "30"]);
    assert!(output.status.success() && text(&output).contains("PASS"), "{}", text(&output));
}

#[test]
fn each_fault_of_determinism_is_reported_at_the_first_difference() {
    for name in ["determinism/address", "determinism/clock", "determinism/global"] {
        let output = sim(&["determinism", name, "--seeds", "20"]);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(40), "{name}: {text}");
        assert!(text.contains("does not repeat"), "{name}: {text}");
        assert!(text.contains("\n  first ") && text.contains("\n  second "), "{name}: {text}");
        assert!(text.contains("subject task 1"), "{name}: {text}");
    }
}

#[test]
fn a_poll_that_never_returns_is_named() {
    let output = sim_with("SIM_STUCK_MS", "300", &["run", "verdict/stuck-poll", "--seed", "1"]);
    assert!(output.status.success(), "{}", text(&output));
    let output = sim_with("SIM_STUCK_MS", "300", &["determinism", "verdict/stuck-poll", "--seeds", "1"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(24), "{text}");
    assert!(text.contains("stuck-poll: service task 2 (spinner) did not return from a poll for 300ms"), "{text}");
}

fn sim_with(name: &str, value: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenarios")).args(args).env(name, value).output().unwrap()
}

#[test]
fn bad_input_is_one_clear_line() {
    for (args, says) in [
        (&["no-such"][..], "error: there is no command no-such; sim help lists them"),
        (&["run"], "error: which simulation? sim list names them"),
        (&["run", "echo/none"], "error: there is no simulation echo/none; there are: "),
        (&["run", "echo/chaos", "--seeds", "many"], "error: --seeds: \"many\" is not a number"),
        (&["run", "echo/chaos", "--sedes", "3"], "error: there is no --sedes here; sim help lists what there is"),
        (&["run", "echo/chaos", "--world", "mars"], "error: --world: there is no mars;"),
        (&["run", "echo/chaos", "--planted", "x"], "error: --planted: echo/chaos has no x; it has: "),
        (&["determinism", "--seeds", "0"], "error: --seeds: at least one"),
        (&["run", "echo/chaos", "--seeds", "0"], "error: --seeds: at least one"),
        (&["run", "echo/chaos", "--seed", "--world"], "error: --seed wants a value"),
        (&["planted", "--seeds", "0"], "error: --seeds: at least one"),
        (&["mutants", "echo/chaos"], "error: echo/chaos: this command takes no name"),
        (&["mutants", "--calm", "0"], "error: --calm: at least one"),
        (&["mutants", "--only", "x"], "error: --only: there is no x; there are net.cap-check-then-act"),
        (&["mutants", "--strategy", "lucky"], "error: --strategy: there is no lucky; there are default"),
    ] {
        let output = sim(args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.starts_with(says) && text.lines().count() == 1, "{args:?}: {text}");
    }
}

#[test]
fn each_command_of_simulations_has_help_with_an_example() {
    for command in ["determinism", "planted", "mutants"] {
        let output = sim(&[command, "--help"]);
        let text = text(&output);
        assert!(output.status.success() && text.starts_with(&format!("usage: sim {command} ")), "{text}");
        assert!(text.contains(&format!("example: sim {command} ")), "{text}");
    }
}

/// As with `| head`: there is nobody who reads, and it ends as a Unix tool does.
#[test]
fn who_has_read_enough_ends_a_command_quietly() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/negative/register-unlocked.toml");
    let bank = concat!(env!("CARGO_MANIFEST_DIR"), "/../seeds");
    for args in [
        &["help"][..],
        &["list"],
        &["list", "--names"],
        &["schema"],
        &["explain", file],
        &["run", file, "--seed", "1"],
        &["replay", file, "--seed", "1"],
        &["run", "--help"],
        &["bank", "list", "--bank", bank],
        &["bank", "show", "--bank", bank, "negative/register-unlocked"],
        &["bank", "--help"],
        &["run", "echo/chaos", "--seed", "1"],
        &["determinism", "--help"],
    ] {
        for errors_too in [false, true] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
            if errors_too {
                command.stderr(writer.try_clone().unwrap());
            } else {
                command.stderr(std::process::Stdio::piped());
            }
            let output = command.args(args).stdout(writer).spawn().unwrap().wait_with_output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(141), "{args:?}: {errors}");
            assert!(!errors.contains("panicked") && !errors.contains("error"), "{args:?}: {errors}");
        }
    }
}
