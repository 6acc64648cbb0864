//! The shrinker on runs that are made up: a rule says which plans fail.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::freeze::{faults_of, id_of, operations_of};
use super::list::fewer;
use super::*;
use crate::report::{FaultReport, Judgement, NodeReport};
use crate::subject::{Subject, Workload};

const FILE: &str = r#"
schema = 1
name = "made/up"
why = "rules are quicker than runs"
weight = 3

[topology]
server = { count = 5 }
client = { count = 3 }

[link]
loss = 0.0123
per_pair = "17ms"

[disk]
latency = "5ms"

[time]
warmup = "1s"
chaos = "20s"
calm = "10s"

[schedule]
preempt = 0.3

[[workload]]
name = "made.ops"
rate = "6/s"

[[fault]]
kind = "partition"
target = "minority"
every = "1s..3s"
hold = "300ms..900ms"

[[fault]]
kind = "pause"
target = "one"
every = "2s..3s"
hold = "300ms..900ms"

[shrink]
runs = 1000
"#;

fn registry() -> Registry {
    let subject = Subject::new("made", "nothing runs").role("server", |_| async { Ok(()) });
    Registry::new().subject(subject).workload(Workload::new(
        "made.ops",
        "made",
        "nothing is done",
        &["read", "write"],
        |_| async { Ok(()) },
    ))
}

fn judged(message: &str) -> Judgement {
    Judgement { at_ns: 18_000_000_000, ..Judgement::new("invariant", "a.b", message, &["client".into()]) }
}

/// A run of a plan that is not run: its faults strike two servers each, and `fails` says whether it fails, and how.
fn run(root: &Node, fails: &dyn Fn(&Plan) -> Option<&'static str>) -> Report {
    let plan = Plan::new(&scenario_of(root), 7);
    let mut report = Report { seed: 7, scenario: "made/up".into(), ..Report::default() };
    report.faults = faults_of(&plan.file)
        .iter()
        .map(|fault| FaultReport {
            id: id_of(fault),
            kind: fault.get("kind").and_then(Node::as_text).unwrap_or_default().into(),
            nodes: vec!["server2".into(), "server4".into()],
            outcome: "effective".into(),
            at_ns: 3_000_000_000,
            ..FaultReport::default()
        })
        .collect();
    report.nodes = plan
        .roles
        .iter()
        .flat_map(crate::plan::RolePlan::names)
        .map(|name| NodeReport { name, ..NodeReport::default() })
        .collect();
    report.decisions = vec![(1, 2, None), (5, 1, Some(0)), (9, 3, None)];
    report.trace_hash = root.print().len().to_string();
    report.verdict = match fails(&plan) {
        None => Judgement::pass(),
        Some(why @ "nobody can say") => Judgement::new("inconclusive", "a.b", why, &[]),
        Some(why) => judged(why),
    };
    report
}

/// As the command does it, from a file that says `[shrink] keep`.
fn shrunk_keeping(keep: &str, fails: &(dyn Fn(&Plan) -> Option<&'static str> + Sync)) -> Shrunk {
    let text = format!("{FILE}keep = \"{keep}\"\n");
    let registry = registry();
    let scenario =
        Scenario::parse(Path::new("made-up.toml"), &text, &registry).map_err(|problems| problems.to_string());
    let oracle = |plans: &[Node], _: Look| -> Vec<Report> { plans.iter().map(|plan| run(plan, fails)).collect() };
    let options = Options { jobs: Some(1), ..Options::default() };
    shrink_by(&oracle, &scenario.expect("the file is right"), 7, &registry, options).expect("it fails")
}

fn faults_left(shrunk: &Shrunk) -> Vec<Node> {
    faults_of(&tree_of(&shrunk.text).expect("it is a file"))
}

fn scenario_of(root: &Node) -> Scenario {
    Scenario { path: "made-up.toml".into(), root: root.clone() }
}

/// Shrinks the file under a rule, `width` runs at a time.
fn shrunk(width: usize, runs: u64, fails: &(dyn Fn(&Plan) -> Option<&'static str> + Sync)) -> (Node, u64) {
    let registry = registry();
    let scenario = Scenario::parse(Path::new("made-up.toml"), FILE, &registry).map_err(|problems| problems.to_string());
    let scenario = scenario.expect("the file is right");
    let oracle = |plans: &[Node], _: Look| -> Vec<Report> { plans.iter().map(|plan| run(plan, fails)).collect() };
    let first = first_run(&scenario, 7, &oracle).expect("it fails");
    let plan = Plan::new(&scenario, 7);
    let mut search = Search::new(&oracle, freeze::bare(&plan.file), first.clone(), runs).at_once(width);
    assert!(search.take(freeze::freeze(&plan, &first, &registry)), "frozen, it fails too");
    let ground = Ground { registry: &registry, path: scenario.path, seed: 7 };
    stages::all(&mut search, &ground);
    let text = search.best.print();
    Scenario::parse(Path::new("small.toml"), &text, &registry)
        .map_err(|problems| problems.to_string())
        .expect("it is right");
    (search.best, search.runs)
}

fn number_of(plan: &Plan, what: &str) -> usize {
    plan.faults.iter().filter(|fault| fault.kind == what).count()
}

fn has(plan: &Plan, op: &str) -> bool {
    plan.all_operations(&registry()).iter().any(|(client, planned)| format!("{client}#{}", planned.number) == op)
}

#[test]
fn what_is_needed_stays_and_nothing_else() {
    let needed = |plan: &Plan| {
        let is_it = plan.faults.iter().any(|fault| fault.id == "pause/3");
        (is_it && has(plan, "client2#5") && has(plan, "client2#9")).then_some("client2 read 7")
    };
    let (small, _) = shrunk(1, 1000, &needed);
    assert_eq!(operations_of(&small), ["client2#5", "client2#9"]);
    let faults = faults_of(&small);
    assert_eq!(faults.iter().map(id_of).collect::<Vec<_>>(), ["pause/3"]);
    assert_eq!(faults[0].get("target").map(Node::inline), Some("[\"server4\"]".into()));
    assert_eq!(small.find("topology.client").map(Node::inline), Some("{ count = 3, only = [\"client2\"] }".into()));
    assert_eq!(small.find("topology.server.only").map(Node::inline), Some("[\"server4\"]".into()));
    for gone in ["link", "disk", "weight", "shrink", "schedule.preempt"] {
        assert!(small.find(gone).is_none_or(|node| node.entries().is_empty()), "{gone} is left: {}", small.print());
    }
    assert_eq!(small.find("schedule.strategy").and_then(Node::as_text), Some("fifo"));
}

#[test]
fn nodes_that_are_left_must_be_nodes_of_their_role() {
    let text = FILE.replace("server = { count = 5 }", "server = { count = 5, only = [\"server2\", \"server9\"] }");
    let problems = Scenario::parse(Path::new("made-up.toml"), &text, &registry()).map(|_| ()).expect_err("it is wrong");
    let said = problems.to_string();
    assert!(said.contains("only: server has no node server9; it has server1 to server5"), "{said}");
}

#[test]
fn decisions_that_matter_are_listed_if_no_simpler_schedule_will_do() {
    let needed = |plan: &Plan| {
        let is_listed = |decisions: &Vec<simurgh_sim::Decision>| decisions.iter().any(|decision| decision.poll == 5);
        let is_drawn = plan.physics.preempt > 0.2 && plan.file.find("schedule.strategy").is_none();
        plan.decisions.as_ref().map_or(is_drawn, is_listed).then_some("client1 read 7")
    };
    let (small, _) = shrunk(1, 1000, &needed);
    assert_eq!(small.find("plan.decisions").map(Node::inline), Some("[[5, 1, 0]]".into()));
    assert!(small.find("schedule").is_none() && operations_of(&small).is_empty() && faults_of(&small).is_empty());
}

#[test]
fn another_failure_is_not_the_same_one() {
    let one_of_two = |plan: &Plan| {
        let partitions = number_of(plan, "partition");
        Some(if partitions > 1 { "client1 read 7" } else { "client1 wrote 7" })
    };
    let (small, _) = shrunk(2, 1000, &one_of_two);
    assert_eq!(faults_of(&small).len(), 2, "{}", small.print());
}

#[test]
fn any_failure_will_do_if_the_file_says_so_but_not_one_that_says_little() {
    let partitions = |plan: &Plan| number_of(plan, "partition");
    let another = |plan: &Plan| Some(if partitions(plan) > 1 { "client1 read 7" } else { "client1 wrote 7" });
    let same = shrunk_keeping("same_failure", &another);
    assert_eq!((faults_left(&same).len(), same.fingerprint()), (2, judged("client1 read 7").fingerprint.as_str()));
    let any = shrunk_keeping("any_failure", &another);
    assert_eq!((faults_left(&any).len(), any.fingerprint()), (0, judged("client1 wrote 7").fingerprint.as_str()));
    assert_eq!(any.first.verdict.fingerprint, same.fingerprint(), "it began with the same run");

    let little = |plan: &Plan| Some(if partitions(plan) > 1 { "client1 read 7" } else { "nobody can say" });
    assert_eq!(faults_left(&shrunk_keeping("any_failure", &little)).len(), 2);
}

#[test]
fn what_fails_by_its_selectors_alone_is_made_small_with_them() {
    // Whom to strike depends on the run, as with a core that is chosen in the calm: with names instead it passes.
    let chooses = |plan: &Plan| {
        let is_chosen = |fault: &Node| fault.get("target").and_then(Node::as_text) == Some("minority");
        faults_of(&plan.file).iter().any(is_chosen).then_some("client1 read 7")
    };
    let small = shrunk_keeping("same_failure", &chooses);
    let left = faults_left(&small);
    assert_eq!(left.len(), 1, "{}", small.text);
    assert_eq!(left[0].get("target").and_then(Node::as_text), Some("minority"));
    assert!(small.notes.iter().any(|note| note.starts_with("frozen, ")), "{:?}", small.notes);
    let named = |plan: &Plan| (number_of(plan, "partition") > 0).then_some("client1 read 7");
    let frozen = shrunk_keeping("same_failure", &named);
    assert!(frozen.notes.is_empty() && !frozen.text.contains("minority"), "{:?} {}", frozen.notes, frozen.text);
}

#[test]
fn the_number_of_workers_changes_nothing_and_the_runs_are_bounded() {
    let needed = |plan: &Plan| (number_of(plan, "pause") > 1 && has(plan, "client3#4")).then_some("client3 read 7");
    let one = shrunk(1, 1000, &needed);
    for width in [2, 3, 16] {
        assert_eq!((one.0.print(), one.1), {
            let (small, runs) = shrunk(width, 1000, &needed);
            (small.print(), runs)
        });
    }
    for runs in [3, 10, 25, 40] {
        let (narrow, wide) = (shrunk(1, runs, &needed), shrunk(8, runs, &needed));
        assert!(narrow.1 <= runs, "{} of {runs}", narrow.1);
        assert_eq!((narrow.0.print(), narrow.1), (wide.0.print(), wide.1));
    }
}

#[test]
fn what_passes_and_what_does_not_repeat_is_refused() {
    let registry = registry();
    let scenario = Scenario::parse(Path::new("made-up.toml"), FILE, &registry).map_err(|problems| problems.to_string());
    let scenario = scenario.expect("the file is right");
    let passes = |plans: &[Node], _: Look| plans.iter().map(|plan| run(plan, &|_| None)).collect();
    let error = first_run(&scenario, 7, &passes).expect_err("it passes");
    assert!(error.starts_with("made/up seed 7 passes: there is nothing to make small"), "{error}");
    let count = AtomicU64::new(0);
    let changes = |plans: &[Node], _: Look| {
        let run = |plan| {
            let trace_hash = count.fetch_add(1, Ordering::Relaxed).to_string();
            Report { trace_hash, ..run(plan, &|_| Some("client1 read 7")) }
        };
        plans.iter().map(run).collect()
    };
    let error = first_run(&scenario, 7, &changes).expect_err("it does not repeat");
    assert!(error.contains("does not repeat: hash 0 and then 1"), "{error}");
}

#[test]
fn a_list_becomes_minimal_in_few_steps() {
    let all: Vec<u32> = (0..200).collect();
    for needed in [&[][..], &[0], &[199], &[3, 77, 150], &[20, 21, 22, 23]] {
        let mut steps = 0;
        let left = fewer(&all, |shorter| {
            let at = shorter.iter().position(|some| needed.iter().all(|one| some.contains(one)));
            steps += at.map_or(shorter.len(), |at| at + 1);
            at
        });
        assert_eq!(left, needed);
        assert!(steps <= 90, "{steps} steps for {needed:?}");
    }
    // What depends on each other: an odd number of items is needed.
    let left = fewer(&all[..51], |shorter| shorter.iter().position(|some| some.len() % 2 == 1));
    assert_eq!(left.len(), 1);
    assert!(fewer(&[] as &[u32], |_| Some(0)).is_empty());
    let ids: BTreeSet<u32> = fewer(&all, |_| None).into_iter().collect();
    assert_eq!(ids.len(), 200);
}
