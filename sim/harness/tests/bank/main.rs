//! The bank over a change of the code: what was kept of one version is replayed in others. This program is its own
//! command line and its own worker, with the version in the environment; so it has no harness of tests around it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::print_stdout)] // a test starts programs, reads files, and says what passed

mod toy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

const SCENARIO: &str = r#"schema = 1
name = "toy/adds"
why = "two who add at once must not lose an addition"
level = "concurrency"
subject = "toy"

[topology]
server = { count = 1 }

[time]
warmup = "1ms"
chaos = "1s"
calm = "1s"

[schedule]
strategy = "random"

[[invariant]]
name = "toy.adds_up"
"#;

/// A scenario file and a bank, in a folder of their own.
struct Bed {
    folder: PathBuf,
}

impl Bed {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bank-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("seeds")).unwrap();
        std::fs::write(folder.join("adds.toml"), SCENARIO).unwrap();
        Self { folder }
    }

    /// What a command says in a version, and its exit code.
    fn sim(&self, version: &str, args: &[&str]) -> (i32, String) {
        self.sim_as(None, version, args)
    }

    /// The same, called by a command of another name.
    fn sim_as(&self, command: Option<&str>, version: &str, args: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = Command::new(std::env::current_exe().unwrap())
            .args(args)
            .env(toy::VERSION, version)
            .envs(command.map(|command| ("SIMURGH_COMMAND", command)))
            // Its versions are one build to git, and must not be.
            .env("GIT_CEILING_DIRECTORIES", env!("CARGO_TARGET_TMPDIR"))
            .current_dir(&self.folder)
            .output()
            .unwrap();
        (status.code().unwrap_or(-1), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
    }

    /// Seeds that fail in the first version.
    fn failing(&self, most: usize) -> Vec<String> {
        let seeds = (0..200u32).map(|seed| seed.to_string());
        let fails = |seed: &String| self.sim("first", &["replay", "adds.toml", "--seed", seed]).0 == 10;
        seeds.filter(fails).take(most).collect()
    }

    fn keep(&self, seed: &str) -> PathBuf {
        let (code, said) = self.sim("first", &["bank", "add", "adds.toml", "--seed", seed]);
        assert_eq!(code, 0, "{said}");
        self.entries().pop().unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        let folder = self.folder.join("seeds/toy/adds");
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// The verdict of a replay in a version, its exit code, and all that it said.
    fn replay(&self, version: &str) -> (String, i32, String) {
        let (code, said) = self.sim(version, &["bank", "replay"]);
        (said.split_whitespace().next().unwrap_or_default().to_owned(), code, said)
    }
}

/// For several seeds, since each is another schedule.
fn one_await_more_is_replayed_or_stale_and_never_green() {
    let bed = Bed::new("await");
    let (mut found, seeds) = (0, bed.failing(6));
    assert_eq!(seeds.len(), 6);
    for seed in seeds {
        bed.keep(&seed);
        let (verdict, code, said) = bed.replay("first");
        assert_eq!((verdict.as_str(), code), ("replayed", 0), "seed {seed}: {said}");
        let (verdict, code, said) = bed.replay("await");
        match verdict.as_str() {
            "replayed" | "moved" => {
                assert_eq!(code, 0, "{said}");
                found += 1;
            }
            "STALE" => assert_eq!(code, 18, "{said}"),
            other => panic!("seed {seed}: {other}: {said}"),
        }
        std::fs::remove_dir_all(bed.folder.join("seeds/toy")).unwrap();
    }
    assert!(found >= 4, "{found} of 6 entries still find the bug; stale entries show nothing");
}

fn a_probe_that_is_gone_makes_it_stale_whether_it_fails_or_passes() {
    let bed = Bed::new("probe");
    let entry = bed.keep(&bed.failing(1)[0]);
    for version in ["no-probe", "mended-no-probe"] {
        let (verdict, code, said) = bed.replay(version);
        assert_eq!((verdict.as_str(), code), ("STALE", 18), "{version}: {said}");
        assert!(said.contains("probe toy.looked was never seen"), "{version}: {said}");
    }
    // Nor does it count as mended.
    let before = std::fs::read_to_string(&entry).unwrap();
    let (code, said) = bed.sim("mended-no-probe", &["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"]);
    assert_eq!(code, 18, "{said}");
    assert_eq!(std::fs::read_to_string(&entry).unwrap(), before, "nothing was written");
    let (code, said) = bed.sim("mended", &["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"]);
    assert_eq!(code, 0, "{said}");
    let (verdict, code, said) = bed.replay("mended-no-probe");
    assert_eq!((verdict.as_str(), code), ("STALE", 18), "{said}");
    // Who knows says so, and it is still not green.
    let (code, said) = bed.sim("mended", &["bank", "close", entry.to_str().unwrap(), "--stale", "the probe is gone"]);
    assert_eq!(code, 0, "{said}");
    let (verdict, code, said) = bed.replay("mended-no-probe");
    assert_eq!((verdict.as_str(), code), ("STALE", 0), "{said}");
    assert!(said.contains("known to be stale: the probe is gone"), "{said}");
}

fn a_place_that_is_gone_makes_it_stale() {
    let bed = Bed::new("elsewhere");
    bed.keep(&bed.failing(1)[0]);
    let (verdict, code, said) = bed.replay("elsewhere");
    assert_eq!((verdict.as_str(), code), ("STALE", 18), "{said}");
    assert!(said.contains("server toy.added was never seen"), "{said}");
}

fn what_is_mended_is_gone_then_green_and_back_when_it_fails_again() {
    let bed = Bed::new("mended");
    let entry = bed.keep(&bed.failing(1)[0]);
    let (verdict, code, said) = bed.replay("mended");
    assert_eq!((verdict.as_str(), code), ("GONE", 19), "{said}");
    assert!(said.contains("--fixed-by COMMIT"), "{said}");
    // While it fails it cannot be closed.
    let close = ["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"];
    assert_eq!(bed.sim("first", &close).0, 10);
    assert_eq!(bed.sim("mended", &close).0, 0);
    let (verdict, code, said) = bed.replay("mended");
    assert_eq!((verdict.as_str(), code), ("green", 0), "{said}");
    assert!(said.contains("mended by 4e02d1c"), "{said}");
    let (verdict, code, said) = bed.replay("first");
    assert_eq!((verdict.as_str(), code), ("BACK", 10), "{said}");
}

fn what_has_done_its_work_is_taken_out_and_only_on_request() {
    let bed = Bed::new("prune");
    let prune = |version: &str, flags: &[&str]| {
        let (code, said) = bed.sim(version, &[&["bank", "prune"], flags].concat());
        assert_eq!(code, 0, "{said}");
        said
    };
    let nothing = "there is none to take out\n";
    let entry = bed.keep(&bed.failing(1)[0]);
    assert_eq!(prune("first", &["--days", "0", "--yes"]), nothing, "it is open");
    assert_eq!(prune("first", &["--gone", "--yes"]), nothing, "it fails");
    let said = prune("mended", &["--gone"]);
    assert!(
        said.contains("comes to its spot and passes") && said.contains("1 entries; --yes") && entry.exists(),
        "{said}"
    );
    let said = prune("mended", &["--gone", "--yes"]);
    assert!(said.contains("1 entries removed") && !entry.exists(), "{said}");

    let entry = bed.keep(&bed.failing(1)[0]);
    assert_eq!(bed.sim("mended", &["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"]).0, 0);
    assert_eq!(prune("mended", &["--yes"]), nothing, "it was opened today");
    let said = prune("mended", &["--days", "0"]);
    assert!(said.contains("mended by 4e02d1c") && entry.exists(), "{said}");
    let text = std::fs::read_to_string(&entry).unwrap();
    let opened = text.lines().find(|line| line.starts_with("opened = ")).unwrap();
    std::fs::write(&entry, text.replace(opened, "opened = \"2020-02-29\"")).unwrap();
    let said = prune("mended", &["--yes"]);
    assert!(said.contains("opened 2020-02-29") && !entry.exists(), "{said}");
}

fn what_is_renamed_is_renewed() {
    let bed = Bed::new("renewed");
    let entry = bed.keep(&bed.failing(1)[0]);
    assert_eq!(bed.replay("no-probe").1, 18);
    let (code, said) = bed.sim("no-probe", &["bank", "renew", entry.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(bed.replay("no-probe").0, "replayed");
    let (code, said) = bed.sim("mended", &["bank", "renew", entry.to_str().unwrap(), "--seeds", "20"]);
    assert_eq!(code, 17, "{said}");
}

fn a_failure_that_nobody_expects_is_pending_and_then_known() {
    let bed = Bed::new("pending");
    let (code, said) = bed.sim("first", &["run", "adds.toml", "--seeds", "40"]);
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("NEW ") && said.contains("kept: seeds/pending/"), "{said}");
    let pending: Vec<_> = std::fs::read_dir(bed.folder.join("seeds/pending")).unwrap().collect();
    assert_eq!(pending.len(), 1, "one defect, one file: {pending:?}");
    let pending = pending[0].as_ref().unwrap().path();
    let (code, said) = bed.sim("first", &["bank", "add", pending.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert!(!pending.exists(), "it went to the bank");
    assert_eq!(bed.replay("first").0, "replayed");
    let (code, said) = bed.sim("first", &["run", "adds.toml", "--seeds", "40"]);
    assert!(code == 10 && said.contains("KNOWN ") && !said.contains("kept: "), "{said}");
    let entry = bed.entries().pop().unwrap();
    for command in ["show", "list"] {
        let (code, said) = bed.sim("first", &["bank", command, entry.to_str().unwrap()]);
        assert!(code == 0 && said.contains("toy/adds") && said.contains("open"), "{said}");
    }
    // An entry is a scenario file as well, and gives the run that it was made of.
    let hash = |file: &str, seed: Option<&str>| {
        let seed = seed.map_or(Vec::new(), |seed| vec!["--seed", seed]);
        let said = bed.sim("first", &[&["replay", file][..], &seed].concat()).1;
        said.lines().find(|line| line.starts_with("hash ")).map_or_else(|| panic!("{said}"), str::to_owned)
    };
    let text = std::fs::read_to_string(&entry).unwrap();
    let seed = text.lines().find_map(|line| line.strip_prefix("seed = \"")).unwrap().trim_end_matches('"');
    assert_eq!(hash(entry.to_str().unwrap(), None), hash("adds.toml", Some(seed)));
}

fn a_report_knows_what_the_bank_knows() {
    let bed = Bed::new("report");
    let standing = |file: &str| {
        let (code, said) = bed.sim("first", &["report", file]);
        assert_eq!(code, 0, "{said}");
        said.split(' ').next().unwrap_or_default().to_owned()
    };
    let (code, said) = bed.sim("first", &["run", "adds.toml", "--seeds", "40", "--json", "found.json"]);
    assert!(code == 10 && said.contains("NEW "), "{said}");
    assert_eq!(standing("found.json"), "NEW");
    let pending = std::fs::read_dir(bed.folder.join("seeds/pending")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(bed.sim("first", &["bank", "add", pending.to_str().unwrap()]).0, 0);
    assert_eq!(standing("found.json"), "KNOWN");
    let (code, said) = bed.sim("first", &["report", "found.json", "--html", "found.html"]);
    assert_eq!(code, 0, "{said}");
    assert!(std::fs::read_to_string(bed.folder.join("found.html")).unwrap().contains("<b class=\"badge\">KNOWN</b>"));
    let found = std::fs::read_to_string(bed.folder.join("found.json")).unwrap();
    std::fs::write(bed.folder.join("rare.json"), found.replacen("\"seeds\":40,", "\"seeds\":400000,", 1)).unwrap();
    assert_eq!(standing("rare.json"), "RARE");

    let entry = bed.entries().pop().unwrap();
    assert_eq!(bed.sim("mended", &["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"]).0, 0);
    assert_eq!(standing("found.json"), "BACK");
    let (code, said) = bed.sim("first", &["run", "adds.toml", "--seeds", "40"]);
    assert!(code == 10 && said.contains("BACK ") && said.contains("mended by 4e02d1c, and fails again"), "{said}");
    let text = std::fs::read_to_string(&entry).unwrap();
    let seed: u64 =
        text.lines().find_map(|line| line.strip_prefix("seed = \"")).unwrap().trim_end_matches('"').parse().unwrap();
    for (seed, expected) in [(seed, "RESOLVED"), (seed + 1, "PASS")] {
        // A set keeps no run that passes: this is what a report of one says.
        let one = format!(
            "{{\"magic\":\"simurgh report\",\"schema\":1,\"scenario\":\"toy/adds\",\"seed\":{seed},\"verdict\":{{\"class\":\"pass\"}}}}"
        );
        std::fs::write(bed.folder.join("one.json"), one).unwrap();
        assert_eq!(standing("one.json"), expected, "seed {seed}");
    }
}

fn what_is_suggested_is_what_the_user_called() {
    let bed = Bed::new("called");
    let seed = &bed.failing(1)[0];
    let called = "simurgh sim --package shop";
    let told = |args: &[&str], says: &str| {
        let (code, said) = bed.sim_as(Some(called), "first", args);
        assert!(code == 0 || args.contains(&"run"), "{said}");
        assert!(said.contains(&format!("{called} {says}")), "{args:?}: {said}");
        assert!(!said.contains("cargo sim"), "{said}");
    };
    told(&["shrink", "adds.toml", "--seed", seed, "--runs", "20", "--out", "small.toml"], "replay small.toml");
    told(&["run", "adds.toml", "--seeds", "40"], "bank add seeds/pending/");
    told(&["bank", "list"], "bank add seeds/pending/");
    told(&["bank", "add", "adds.toml", "--seed", seed], "bank replay seeds/toy/adds/");
    let entry = bed.entries().pop().unwrap();
    told(&["bank", "show", entry.to_str().unwrap()], "bank replay seeds/toy/adds/");
    for (version, says) in [("no-probe", "bank renew seeds/toy/adds/"), ("mended", "bank close seeds/toy/adds/")] {
        let (_, said) = bed.sim_as(Some(called), version, &["bank", "replay"]);
        assert!(said.contains(&format!("{called} {says}")), "{said}");
    }
    let (_, said) = bed.sim("first", &["bank", "show", entry.to_str().unwrap()]);
    assert!(said.contains("replay it: cargo sim bank replay "), "{said}");
}

fn what_fails_by_its_very_world_is_expected() {
    let bed = Bed::new("expected");
    std::fs::write(bed.folder.join("adds.toml"), format!("{SCENARIO}[expect]\noutcome = \"fail:toy.adds_up\"\n"))
        .unwrap();
    let entry = bed.keep(&bed.failing(1)[0]);
    let (code, said) = bed.sim("first", &["bank", "list"]);
    assert!(code == 0 && said.starts_with("expected ") && said.lines().count() == 1, "{said}");
    let (verdict, code, said) = bed.replay("first");
    assert_eq!((verdict.as_str(), code), ("replayed", 0), "{said}");
    let (verdict, code, said) = bed.replay("mended");
    assert_eq!((verdict.as_str(), code), ("GONE", 17), "{said}");
    assert!(said.contains("adds.toml expects a failure, and there is none"), "{said}");
    // One that expects another failure does not expect this.
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(text.contains("invariant = \"toy.adds_up\""), "{text}");
    std::fs::remove_file(&entry).unwrap();
    std::fs::write(bed.folder.join("adds.toml"), format!("{SCENARIO}[expect]\noutcome = \"fail:livelock\"\n")).unwrap();
    bed.keep(&bed.failing(1)[0]);
    let (code, said) = bed.sim("first", &["bank", "list"]);
    assert!(code == 0 && said.starts_with("open "), "{said}");
}

fn a_sweep_knows_what_the_bank_knows() {
    let bed = Bed::new("sweep");
    std::fs::write(bed.folder.join("canary.toml"), format!("{SCENARIO}[expect]\noutcome = \"fail:toy.adds_up\"\n"))
        .unwrap();
    let sweep = |version: &str, journal: &str| {
        let args = ["sweep", "adds.toml", "--canary", "canary.toml", "--minutes", "0.02", "--journal", journal];
        let said = bed.sim(version, &args).1;
        let standing = said.lines().find(|line| line.contains("toy.adds_up toy/adds"));
        (standing.unwrap_or_default().split(' ').next().unwrap_or_default().to_owned(), said)
    };
    let (standing, said) = sweep("first", "one.jsonl");
    assert!(standing == "NEW" && said.contains("kept: seeds/pending/"), "{said}");
    let pending = std::fs::read_dir(bed.folder.join("seeds/pending")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(bed.sim("first", &["bank", "add", pending.to_str().unwrap()]).0, 0);
    // With another journal, which knows of nothing.
    let (standing, said) = sweep("first", "two.jsonl");
    assert!(standing == "KNOWN" && !said.contains("kept: "), "{said}");
    let said = sweep("mended", "three.jsonl").1;
    assert!(said.contains("RESOLVED "), "{said}");
    let entry = bed.entries().pop().unwrap();
    assert_eq!(bed.sim("mended", &["bank", "close", entry.to_str().unwrap(), "--fixed-by", "4e02d1c"]).0, 0);
    let (standing, said) = sweep("first", "four.jsonl");
    assert!(standing == "BACK" && said.contains("mended by 4e02d1c, and fails again: "), "{said}");
}

fn one_seed_gives_one_hash_in_twenty_processes() {
    let bed = Bed::new("hashes");
    let (code, said) = bed.sim("first", &["replay", "adds.toml", "--seed", "5", "--times", "20"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("in 20 of 20 processes") && said.lines().count() == 1, "{said}");
}

fn another_trace_is_a_finding_in_one_build_and_said_in_two() {
    let bed = Bed::new("build");
    for args in [
        &["init", "--quiet"][..],
        &["add", "adds.toml"],
        &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "a"],
    ] {
        assert!(Command::new("git").args(args).current_dir(&bed.folder).status().unwrap().success(), "{args:?}");
    }
    let entry = bed.keep(&bed.failing(1)[0]);
    let (verdict, code, said) = bed.replay("first");
    assert!((verdict.as_str(), code) == ("replayed", 0) && !said.contains("trace"), "{said}");
    let change = |key: &str, value: &str| {
        let text = std::fs::read_to_string(&entry).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        std::fs::write(&entry, text.replace(line, &format!("{key} = \"{value}\""))).unwrap();
    };
    change("trace_hash", "0123456789abcdef");
    let (verdict, code, said) = bed.replay("first");
    assert_eq!((verdict.as_str(), code), ("NONDETERMINISM", 40), "{said}");
    change("commit", "0123456789ab");
    let (verdict, code, said) = bed.replay("first");
    assert!((verdict.as_str(), code) == ("replayed", 0) && said.contains("as it may be in another build"), "{said}");
}

fn what_is_wrong_with_an_entry_is_said() {
    use std::fmt::Write as _;
    let bed = Bed::new("wrong");
    let entry = bed.keep(&bed.failing(1)[0]);
    let good = std::fs::read_to_string(&entry).unwrap();
    let line = |key: &str| good.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap().to_owned();
    let cases = [
        (line("magic"), String::new()),
        (line("magic"), "magic = \"a bank\"".to_owned()),
        ("form = 2".to_owned(), "form = 3".to_owned()),
        ("form = 2".to_owned(), String::new()),
        ("[bank]".to_owned(), "[bnk]".to_owned()),
        (line("fingerprint"), "fingerprint = \"12\"".to_owned()),
        (line("fingerprint"), "fingerpint = \"1234567812345678\"".to_owned()),
        (line("class"), "class = \"invarant\"".to_owned()),
        (line("class"), "class = \"pass\"".to_owned()),
        (line("event"), "event = -3".to_owned()),
        (line("at"), "at = \"soon\"".to_owned()),
        (line("opened"), String::new()),
        (line("reach_fingerprint"), "reach_fingerprint = \"0123456789abcdef\"".to_owned()),
        ("marks = [".to_owned(), "marks = [\"server toy.more\", ".to_owned()),
        ("probes = [".to_owned(), "prbes = [".to_owned()),
        (line("seed"), "seed = \"seven\"".to_owned()),
        (line("seed"), "seed = \"999999\"".to_owned()),
        ("chaos = \"1s\"".to_owned(), "chaos = \"2s\"".to_owned()),
        ("[bank]".to_owned(), "[bank".to_owned()),
        (good.clone(), "schema = 1\nsimulation = \"a\"\nsed = 3\nwhy = \"b\"\n".to_owned()),
        (good.clone(), "schema = 2\nsimulation = \"a\"\nseed = -3\nwhy = \" \"\n".to_owned()),
    ];
    let mut said = String::new();
    for (from, to) in cases {
        assert!(good.contains(&from), "{from}");
        std::fs::write(&entry, good.replacen(&from, &to, 1)).unwrap();
        let (code, told) = bed.sim("first", &["bank", "list"]);
        assert_eq!(code, 2, "{from} -> {to}: {told}");
        let folder = format!("{}/", entry.parent().unwrap().display());
        let name = entry.file_name().unwrap().to_str().unwrap();
        let told = told.replace(&folder, "").replace(name, "entry.toml");
        let shown = |text: &str| match text {
            "" => "nothing".to_owned(),
            text if text.len() > 200 => "all".to_owned(),
            text => text.split(" = ").next().unwrap_or(text).to_owned(),
        };
        let becomes = if to.len() > 45 { to.replace('\n', "\\n") } else { to.clone() };
        let change = format!("{} -> {becomes}", shown(&from));
        let _ = writeln!(said, "{}\n{told}", change.trim_end());
    }
    insta::assert_snapshot!("what_is_wrong_with_an_entry", said);
}

fn what_a_command_cannot_do_is_said() {
    let bed = Bed::new("commands");
    let (code, said) = bed.sim("first", &["bank", "replay"]);
    assert!(code == 2 && said.contains("there is no entry below "), "{said}");
    let (code, said) = bed.sim("mended", &["bank", "add", "adds.toml", "--seed", "1"]);
    assert!(code == 17 && said.contains("seed 1 of adds.toml passes: there is nothing to keep"), "{said}");
    let entry = bed.keep(&bed.failing(1)[0]);
    let fingerprint = entry.file_stem().unwrap().to_str().unwrap();
    for (args, says) in [
        (&["add", "adds.toml"][..], "error: --seed N: which run?"),
        (&["replya"], "error: there is no sim bank replya; the nearest is replay"),
        (&["replay", "--arond", "3"], "error: there is no --arond here; sim bank replay --help says what there is"),
        (&["replay", "toy/ads"], "error: there is no entry toy/ads below "),
        (&["show"], "error: which entry?"),
        (&["close", fingerprint], "error: say what became of it: --fixed-by COMMIT, or --stale WHY"),
        (&["close", fingerprint, "--fixed-by", "a", "--stale", "b"], "error: say what became of it"),
    ] {
        let (code, said) = bed.sim("first", &[&["bank"], args].concat());
        assert!(code == 2 && said.starts_with(says), "{args:?}: {code} {said}");
    }
    let seed = bed.failing(1);
    let (code, said) = bed.sim("first", &["bank", "add", "adds.toml", "--seed", &seed[0]]);
    assert!(code == 2 && said.contains("is there already: this defect is kept"), "{said}");
    let (code, said) = bed.sim("first", &["bank", "add", "adds.toml", "--seed", &seed[0], "--replace"]);
    assert!(code == 0 && bed.entries().len() == 1, "{said}");
    for command in ["list", "show", "add", "replay", "close", "renew", "prune"] {
        let (code, said) = bed.sim("first", &["bank", command, "--help"]);
        assert!(code == 0 && said.contains("example: sim bank "), "{said}");
    }
}

type Case = (&'static str, fn());
macro_rules! cases {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), $name as fn())),*] };
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_command = |word: &String| {
        matches!(word.as_str(), "__scenario" | "bank" | "run" | "replay" | "report" | "shrink" | "sweep")
    };
    if args.first().is_some_and(is_command) {
        return simurgh_harness::main(&toy::registry());
    }
    let cases: [Case; 15] = cases![
        one_await_more_is_replayed_or_stale_and_never_green,
        a_probe_that_is_gone_makes_it_stale_whether_it_fails_or_passes,
        a_place_that_is_gone_makes_it_stale,
        what_is_mended_is_gone_then_green_and_back_when_it_fails_again,
        what_has_done_its_work_is_taken_out_and_only_on_request,
        what_is_renamed_is_renewed,
        a_failure_that_nobody_expects_is_pending_and_then_known,
        a_report_knows_what_the_bank_knows,
        what_is_suggested_is_what_the_user_called,
        what_fails_by_its_very_world_is_expected,
        a_sweep_knows_what_the_bank_knows,
        one_seed_gives_one_hash_in_twenty_processes,
        another_trace_is_a_finding_in_one_build_and_said_in_two,
        what_is_wrong_with_an_entry_is_said,
        what_a_command_cannot_do_is_said,
    ];
    let wanted = args.iter().find(|word| !word.starts_with('-'));
    for (name, case) in cases.iter().filter(|(name, _)| wanted.is_none_or(|wanted| name.contains(wanted.as_str()))) {
        if args.iter().any(|word| word == "--list") {
            println!("{name}: test");
            continue;
        }
        case();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
