//! Pages of a run that is made up: what they must say, and what they must not need.

use std::collections::BTreeMap;

use super::*;
use crate::report::{Evidence, FaultReport, Life, LogLine, Message, NodeReport, Phase};
use crate::sweep::{SweepReport, SweptProbe, SweptScenario};

const SECOND: u64 = 1_000_000_000;

fn line(at_ns: u64, event: u64, node: &str, text: &str) -> LogLine {
    LogLine { at_ns, event, node: node.into(), task: 1, kind: "event".into(), text: text.into() }
}

fn message(from: &str, to: &str, sent_ns: u64, event: u64, begins: &str) -> Message {
    let arrived_ns = sent_ns + 2_000_000;
    Message { from: from.into(), to: to.into(), sent_ns, arrived_ns, event, len: begins.len(), begins: begins.into() }
}

/// A client that was told less than was written, since its replica had been cut off.
fn report() -> Report {
    let node = |name: &str, role: &str| NodeReport {
        name: name.into(),
        role: role.into(),
        zone: 1,
        lives: vec![Life { from_ns: 0, until_ns: (name == "replica2").then_some(4 * SECOND) }],
    };
    let mut report = Report {
        scenario: "register/<made up>".into(),
        seed: 7,
        why: "pages are looked at".into(),
        ..Report::default()
    };
    report.nodes = vec![node("replica1", "replica"), node("replica2", "replica"), node("client1", "client")];
    report.phases = vec![Phase { name: "chaos".into(), from_ns: 0, until_ns: 6 * SECOND }];
    report.elapsed_ns = 5 * SECOND;
    report.faults = vec![FaultReport {
        id: "partition/1".into(),
        kind: "partition".into(),
        nodes: vec!["replica1".into()],
        direction: "both".into(),
        at_ns: 2 * SECOND,
        until_ns: Some(4 * SECOND),
        outcome: "effective".into(),
        effects: BTreeMap::from([("dropped".into(), 12)]),
        ..FaultReport::default()
    }];
    report.messages = vec![
        message("replica2", "client1", 1_000_000, 2, "3 has pears 1001\\n"),
        message("replica1", "client1", 5 * SECOND - 3_000_000, 8, "9 has pears <1002>\\n"),
        message("replica1", "client1", 5 * SECOND - 2_500_000, 9, "9 has apples 5\\n"),
    ];
    report.log = vec![
        line(3 * SECOND, 5, "replica2", "effect.applied key=1003"),
        line(4 * SECOND, 6, "replica1", "replica.digest.heartbeat digest=1002"),
        line(5 * SECOND, 10, "client1", "history.ok value=1002"),
    ];
    report.verdict.class = "invariant".into();
    report.verdict.invariant = "history.linearizable".into();
    report.verdict.message = "pears: client1 read 1002 does not fit: the register holds 1003 then. 2 operations".into();
    (report.verdict.at_ns, report.verdict.event) = (5 * SECOND, 10);
    report.verdict.evidence =
        vec![Evidence { key: "pears".into(), expected: "read 1003".into(), seen: "read 1002".into() }];
    report
}

fn about_it() -> About {
    About {
        replay: "cargo sim replay a.toml --seed 7".into(),
        step: "cargo sim replay --until 10".into(),
        ..About::default()
    }
}

#[test]
fn the_page_tells_the_story_needs_nothing_else_and_lets_no_text_become_markup() {
    let html = report().to_html(&about_it());
    for part in [
        "NEW",
        "history.linearizable did not hold at 5.000000 s, event 10",
        "cargo sim replay a.toml --seed 7",
        "At 2.000 s replica1 and everybody else were cut from each other, for 2.00 s.",
        "Then, at 5.000 s, in the chaos phase: pears: client1 read 1002 does not fit: the register holds 1003 then.",
        "<span class=\"want\">read 1003</span>",
        "class=\"cross\"",
        "9 has pears &lt;1002&gt;",
        "effect.applied key=1003",
        "1 attempted, 1 effective, 0 without effect, 0 weakened, 0 refused",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
    for foreign in ["http://", "https://", "<script", "<link", "<img", "url(http", "<made up>", "<1002>"] {
        assert!(!html.contains(foreign), "{foreign} is in the page");
    }
}

#[test]
fn causes_are_what_was_heard_about_the_matter_and_what_others_knew_of_it() {
    let report = report();
    let text = report.to_text(&about_it());
    let causes = text.split("what can have caused it").nth(1).expect("there are causes");
    for part in
        ["heard \"9 has pears <1002>\" of replica1, after 2 ms", "effect.applied key=1003", "history.ok value=1002"]
    {
        assert!(causes.contains(part), "{part} is missing in {causes}");
    }
    for noise in ["apples", "heartbeat"] {
        assert!(!causes.contains(noise), "{noise} has nothing to do with it: {causes}");
    }
}

#[test]
fn a_run_that_passed_says_so_in_every_form() {
    let mut report = report();
    report.verdict = crate::report::Judgement { class: "pass".into(), ..crate::report::Judgement::default() };
    let (text, html) = (report.to_text(&About::default()), report.to_html(&About::default()));
    assert!(text.starts_with("PASS register/<made up>: seed 7 passed"), "{text}");
    assert!(html.contains("<header class=\"pass\">") && !html.contains("did not hold"));
}

#[test]
fn the_page_of_a_sweep_has_the_slowest_first_and_says_which_probes_were_missed() {
    let scenario = |name: &str, wall_ms| SweptScenario {
        name: name.into(),
        seeds: 50,
        wall_ms,
        virtual_ns: 9 * SECOND,
        class: "pass".into(),
        ..SweptScenario::default()
    };
    let row = |name: &str, count| SweptProbe { name: name.into(), counts: BTreeMap::from([("fast".into(), count)]) };
    let mut sweep = SweepReport {
        class: "pass".into(),
        wall_ms: 2_000,
        workers: 2,
        scenarios: vec![scenario("fast", 100), scenario("slow", 900)],
        probes: vec![row("a.hit", 3), row("a.missed", 0)],
        canary: Some(("negative/canary".into(), true)),
        ..SweepReport::default()
    };
    let headline =
        "100 seeds of 2 scenarios in 2.0 s, 50.0 seeds/s, 9 virtual seconds a second, 0.50 of 2 workers busy";
    assert_eq!(sweep.headline(), headline);
    assert!(sweep.text().contains("MISS") && sweep.text().contains("canary: negative/canary failed, as it must"));
    let html = sweep.to_html();
    assert!(html.find("<td>slow").expect("it is there") < html.find("<td>fast").expect("it is there"));
    assert!(html.contains("a.missed <span class=\"violated\">MISS</span>") && html.contains("GREEN"));
    sweep.canary = Some(("negative/canary".into(), false));
    (sweep.class, sweep.message) = ("harness".into(), "the canary <b> did not fail".into());
    for told in [sweep.text(), sweep.to_html()] {
        assert!(told.contains("RED") && told.contains("the sweep would not have seen a failure"), "{told}");
    }
    assert!(sweep.to_html().contains("the canary &lt;b&gt; did not fail"));
}
