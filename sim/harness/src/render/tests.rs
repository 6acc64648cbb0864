//! Pages of a run that is made up: what they must say, and what they must not need.

use std::collections::BTreeMap;

mod parts;

use self::parts::section;
use super::*;
use crate::report::{Evidence, FaultReport, Life, LogLine, Message, NodeReport, Phase};
use crate::sweep::{SweepReport, SweptProbe, SweptScenario};

const SECOND: u64 = 1_000_000_000;

fn line(at_ns: u64, event: u64, node: &str, text: &str) -> LogLine {
    LogLine { at_ns, event, node: node.into(), task: 1, kind: "event".into(), text: text.into() }
}

fn message(from: &str, to: &str, sent_ns: u64, event: u64, begins: &str) -> Message {
    let arrived_ns = sent_ns + 2_000_000;
    let (from, to, len, begins) = (from.into(), to.into(), begins.len(), begins.into());
    Message { from, to, sent_ns, arrived_ns, event, len, begins, ..Message::default() }
}

/// A client that was told less than was written, since its replica had been cut off.
fn report() -> Report {
    let node = |name: &str, role: &str| NodeReport {
        name: name.into(),
        role: role.into(),
        zone: 1,
        ip: format!("10.0.0.{}", if role == "client" { 13 } else { name.len() }),
        lives: vec![Life {
            until_ns: (name == "replica2").then_some(4 * SECOND),
            how: "killed".into(),
            ..Life::default()
        }],
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
        "class=\"end killed\"",
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
    let causes = text.split("what can have caused it, backwards").nth(1).expect("there are causes");
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

#[test]
fn an_operation_that_is_done_with_too_few_answers_is_told_everywhere() {
    let mut report = report();
    let with = |counts: &str| {
        let mut report = report.clone();
        report.log = vec![
            line(3 * SECOND, 3, "client1", "history.invoke op=write key=pears value=1002"),
            line(4 * SECOND, 7, "client1", &format!("history.ok {counts}")),
            line(5 * SECOND, 10, "client1", "history.invoke op=read key=pears"),
        ];
        (report.to_text(&about_it()), report.to_html(&about_it()))
    };
    let (text, html) = with("asked=5 needed=1 counted=1");
    for told in [text.as_str(), html.as_str()] {
        assert!(told.contains("1 answer of 5 asked, 1 needed"), "{told}");
        assert!(told.contains("still waits"), "{told}");
    }
    assert!(
        text.replace('\n', " ").contains(
            "At 4.000 s \"write pears 1002\" of client1 was called done with 1 answer of 5 asked, 1 needed; a majority would be 3."
        ),
        "{text}"
    );
    assert!(
        html.contains("<span class=\"got\">1 answer of 5 asked, 1 needed</span>") && html.contains("bar done short")
    );
    assert!(html.contains("told done, 1 of 5 answers"), "the diagram says it too");
    let (text, html) = with("asked=5 needed=3 counted=3");
    assert!(text.contains("3 answers of 5 asked, 3 needed") && !text.contains("was called done with"), "{text}");
    assert!(!html.contains("bar done short"));
    // Who does not say it has no such column.
    let (text, html) = with("");
    assert!(!text.contains("asked, ") && !html.contains("<th>with</th>"), "{text}");
    report.log.pop();
    report.log.push(line(5 * SECOND, 9, "client1", "history.info asked=3 needed=2 counted=1"));
    report.log.insert(0, line(SECOND, 1, "client1", "history.invoke op=write key=pears value=1002"));
    assert!(
        report.story().contains(
            "At 5.000 s \"write pears 1002\" of client1 ended without what it waited for: 1 answer of 3 asked, 2 needed."
        ),
        "{}",
        report.story()
    );
}

#[test]
fn where_an_operation_took_effect_stands_beside_it() {
    let mut report = report();
    report.log.splice(
        ..1,
        [
            line(SECOND, 1, "client1", "history.invoke op=write key=pears value=1003"),
            line(2 * SECOND, 2, "replica1", "effect.applied key=1003 as=4"),
            line(3 * SECOND, 3, "replica2", "effect.applied key=1003 as=4"),
            line(3 * SECOND, 4, "replica2", "effect.applied key=1003 as=4"),
            line(3 * SECOND, 5, "replica2", "effect.applied key=1004 as=5"),
        ],
    );
    report.log.push(line(6 * SECOND, 11, "replica1", "effect.applied key=1003 as=6"));
    let wanted = "replica1 as 4, replica2 as 4 (2 times)";
    let (text, html) = (report.to_text(&about_it()), report.to_html(&about_it()));
    assert!(text.contains(&format!(", took effect at {wanted}\n")), "{text}");
    let asked = section(&html, "What clients asked");
    assert!(asked.contains("<th>took effect at</th>") && asked.contains(&format!("<td>{wanted}</td>")), "{asked}");
    report.log.retain(|line| !line.text.starts_with("effect.applied"));
    assert!(!report.to_html(&about_it()).contains("took effect at"), "nobody says it, and so there is no such column");
}

#[test]
fn the_story_is_in_the_order_of_time() {
    let mut report = report();
    report.log.splice(
        ..1,
        [
            line(SECOND, 1, "client1", "history.invoke op=write key=pears value=1003"),
            line(SECOND + 5, 2, "client1", "history.ok asked=2 needed=1 counted=1"),
            LogLine { kind: "note".into(), ..line(3 * SECOND, 3, "client1", "waits 5 ms: no answer") },
        ],
    );
    let story = report.story();
    let place = |words: &str| story.find(words).unwrap_or_else(|| panic!("{words} is missing in {story}"));
    assert!(place("was called done with 1 answer") < place("were cut from each other"), "{story}");
    assert!(place("were cut from each other") < place("client1 waits 5 ms."), "{story}");
    assert!(place("client1 waits 5 ms.") < place("Then, at 5.000 s"), "{story}");
}

#[test]
fn what_is_answered_is_drawn_if_it_was_the_next_on_its_connection() {
    let mut report = report();
    let answer = |event, connection, begins: &str, report: &mut Report| {
        let sent_ns = 5 * SECOND - 4_000_000;
        report.messages.push(Message { connection, ..message("client1", "replica1", sent_ns, event, begins) });
    };
    let drawn = |report: &Report| report.to_html(&about_it()).matches("class=\"arrow answer\"").count();
    assert_eq!(drawn(&report), 0);
    report.messages[1] = message("replica1", "client1", 5 * SECOND - 6_000_000, 8, "9 has pears <1002>\\n");
    answer(11, 1, "kept elsewhere", &mut report);
    assert_eq!(drawn(&report), 0, "that is another connection");
    answer(12, 0, "9 kept", &mut report);
    // "apples" came first over the same connection.
    assert_eq!(drawn(&report), 0);
    report.messages.retain(|message| !message.begins.contains("apples"));
    assert_eq!(drawn(&report), 1);
    assert!(report.to_html(&about_it()).contains(">9 kept</text>"));
}

#[test]
fn what_was_asked_is_drawn_with_its_answer_though_it_names_nothing() {
    let mut report = report();
    report.messages[0] = message("client1", "replica1", 5 * SECOND - 6_000_000, 7, "9 get it\\n");
    let labels = |report: &Report| report.to_html(&about_it()).matches(">9 get it</text>").count();
    assert_eq!(labels(&report), 1);
    report.messages[0].connection = 4;
    assert_eq!(labels(&report), 0, "that is another connection");
}

#[test]
fn faults_before_the_failure_are_among_the_causes_the_nearest_first_and_not_too_many() {
    let mut report = report();
    let fault = |kind: &str, at_ns, until_ns, outcome: &str, effects: &[(&str, u64)]| FaultReport {
        id: format!("{kind}/1"),
        kind: kind.into(),
        nodes: vec!["replica2".into()],
        at_ns,
        until_ns,
        outcome: outcome.into(),
        effects: effects.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        ..FaultReport::default()
    };
    report.faults.push(fault("kill.power", 4 * SECOND, None, "effective", &[("unsynced_lost", 3), ("killed", 1)]));
    report.faults.push(fault("pause", SECOND, Some(SECOND + 1), "without-effect", &[]));
    report.faults.push(fault("kill.wipe", 6 * SECOND, None, "effective", &[("killed", 1)]));
    report.words.insert("count unsynced_lost".into(), "sectors that are <gone>".into());
    let html = report.to_html(&about_it());
    let causes = html.split("<h2>What can have caused it</h2>").nth(1).and_then(|rest| rest.split("</section>").next());
    let causes = causes.expect("there are causes");
    let place = |words: &str| causes.find(words).unwrap_or_else(|| panic!("{words} is missing in {causes}"));
    assert!(place("replica2 lost power and 3 sectors that were not synced") < place("were cut from each other"));
    assert!(place("it still held") < place("were cut from each other"));
    place("<span title=\"sectors that are &lt;gone&gt;\">3 unsynced lost</span>");
    assert!(causes.matches("class=\"struck\"").count() == 2, "they stand among the events too");
    assert!(!causes.contains("stood still") && !causes.contains("lost with its disk"), "without effect, and too late");
    let text = report.to_text(&about_it());
    assert!(text.contains("1.00 s before, still held: replica2 lost power and 3 sectors"), "{text}");

    report.faults = (1..=20).map(|at| fault("pause", at * 100, Some(at * 100 + 50), "effective", &[])).collect();
    let (html, text) = (report.to_html(&about_it()), report.to_text(&about_it()));
    assert!(html.contains("12 more had come and gone before") && text.contains("and 12 before those"), "{text}");
    report.faults.clear();
    assert!(report.to_html(&about_it()).contains("No fault had taken effect before it."));
}

#[test]
fn names_are_explained_if_they_appear_and_only_then() {
    let mut report = report();
    for (name, about) in [
        ("effect.applied", "a replica has it on disk"),
        ("effect.applied key", "the number of the operation"),
        ("value", "what is <read>"),
        ("mail.sent", "nobody sends mail here"),
    ] {
        report.words.insert(name.into(), about.into());
    }
    report.log[0].text = "effect.applied key=1003 as=two words value=7".into();
    let (text, html) = (report.to_text(&about_it()), report.to_html(&about_it()));
    assert!(html.contains("<dt><code>key</code> <span class=\"note\">in effect.applied</span></dt><dd>the number of the operation</dd>"), "{html}");
    assert!(html.contains("<dt><code>value</code></dt><dd>what is &lt;read&gt;</dd>"));
    assert!(html.contains("title=\"a replica has it on disk\""));
    assert!(text.contains("effect.applied key") && text.contains("a replica has it on disk"), "{text}");
    assert!(!html.contains("nobody sends mail here") && !text.contains("nobody sends mail here"));
    let fields = fields_of("effect.applied key=1003 as=two words value=7");
    assert_eq!(fields, ("effect.applied", vec![("key", "1003"), ("as", "two words"), ("value", "7")]));
    assert_eq!(fields_of("live.end"), ("live.end", vec![]));
    assert_eq!(fields_of("a b=c=d E=f g="), ("a", vec![("b", "c=d E=f"), ("g", "")]));
}

#[test]
fn a_kill_a_failure_and_a_normal_end_look_different_and_are_explained() {
    let mut report = report();
    let legend_has = |html: &str, words: &str| html.contains(&format!("</svg>{words}</span>"));
    let html = report.to_html(&about_it());
    assert!(html.contains("end killed") && legend_has(&html, "killed") && !legend_has(&html, "ended by itself, done"));
    report.nodes[1].lives[0].how = "finished".into();
    report.nodes[0].lives[0] =
        Life { until_ns: Some(3 * SECOND), how: "failed".into(), why: "no <room>".into(), ..Life::default() };
    let html = report.to_html(&about_it());
    assert!(legend_has(&html, "ended by itself, done") && legend_has(&html, "its program failed"), "{html}");
    assert!(!html.contains("end killed") && html.contains("its program failed: no &lt;room&gt;"));
    let shape = |class: &str| {
        html.split(&format!("class=\"end {class}\" d=\"M")).nth(1).and_then(|d| d.split(['m', 'l']).nth(1))
    };
    assert!(shape("ended").is_some() && shape("ended") != shape("crashed"), "the shapes differ, not only the colours");
}

#[test]
fn addresses_are_told_as_names() {
    let mut report = report();
    report.log[0].text = "to 10.0.0.13:4200, 10.0.0.130, 10.0.0.8 and 110.0.0.13".into();
    let html = report.to_html(&about_it());
    assert!(html.contains("to client1:4200, 10.0.0.130, replica1 and 110.0.0.13"), "{html}");
}

#[test]
fn how_many_of_a_role_run_and_what_a_majority_of_them_is_is_said() {
    use crate::report::RoleReport;
    let mut report = report();
    let role = |name: &str, count, runs, is_client| RoleReport { name: name.into(), count, runs, is_client };
    report.roles = vec![role("replica", 2, 2, false), role("client", 1, 1, true)];
    assert!(report.story().starts_with("2 replicas and 1 client ran. At"), "{}", report.story());
    report.roles = vec![role("replica", 5, 2, false), role("client", 4, 1, true)];
    let said = "2 of the file's 5 replicas and 1 of the file's 4 clients ran. The 2 replicas knew of no others: a majority of \
                them is 2, not 3. At";
    assert!(report.story().starts_with(said), "{}", report.story());
    let html = report.to_html(&about_it());
    assert!(html.contains("<td>replica</td><td>5</td><td>3</td><td>2</td><td>2</td>"), "{html}");
}

#[test]
fn the_axis_has_round_numbers_in_the_unit_of_the_run_each_once() {
    let words = |until_ns| super::overview::ticks(until_ns).into_iter().map(|(_, words)| words).collect::<Vec<_>>();
    assert_eq!(words(7_603_750_905), ["0 s", "2 s", "4 s", "6 s"]);
    assert_eq!(words(2_400_000_000), ["0.0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s"]);
    assert_eq!(words(1_069_176_000), ["0 ms", "200 ms", "400 ms", "600 ms", "800 ms", "1000 ms"]);
    assert_eq!(words(23_000), ["0 µs", "5 µs", "10 µs", "15 µs", "20 µs"]);
    for until_ns in (0..64).map(|power| 1_u64 << power).chain([1, 3, 999, 7_777_777, 86_400_000_000_000]) {
        let words = words(until_ns);
        let once: std::collections::BTreeSet<&String> = words.iter().collect();
        assert!(once.len() == words.len() && words.len() <= 7, "{until_ns}: {words:?}");
    }
}

#[test]
fn a_report_of_a_file_that_was_made_small_says_from_what_to_what() {
    let plan = "[plan.shrunk]\nfrom = \"scenarios/a.toml\"\nruns = 313\n\
                before = { nodes = 9, faults = 4, operations = 152, decisions = 865, time = \"8613027430ns\" }\n\
                after = { nodes = 3, faults = 1, operations = 4, decisions = 0, time = \"7603750905ns\" }\n";
    let about = About { size: crate::shrink::about_of(plan), origin: crate::shrink::origin_of(plan), ..about_it() };
    let said = "made small: 3 nodes, 1 fault, 4 operations, 0 decisions of the schedule, 7.60 s; 9 nodes, 4 faults, 152 operations, \
                865 decisions of the schedule, 8.61 s before; from scenarios/a.toml, in 313 runs";
    let (text, html) = (report().to_text(&about), report().to_html(&about));
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{text}");
    assert!(html.contains(said), "{html}");
    assert!(!report().to_html(&about_it()).contains("made small"));
    assert_eq!(crate::shrink::about_of("name = \"a\""), None);
}

#[test]
fn what_a_program_says_that_it_decides_is_a_step_of_the_story_the_diagram_the_causes_and_the_log() {
    let mut report = report();
    let note = |at_ns, event, text: &str| LogLine { kind: "note".into(), ..line(at_ns, event, "client1", text) };
    let waits = "waits 3.2s before it tries 10.0.0.8 again: no answer to \"put pears 7\"";
    report.log.insert(0, line(SECOND, 1, "client2", "history.invoke op=write key=apples value=1004"));
    report.log.insert(1, note(5 * SECOND - 9_000_000, 7, waits));
    report.log.insert(2, note(5 * SECOND - 8_000_000, 7, waits));
    report.log.insert(3, note(5 * SECOND - 7_000_000, 7, "begins the write of pears anew, with version 7"));
    report.log.insert(4, note(5 * SECOND - 6_000_000, 7, "begins the write of apples anew, with version 8"));
    let story = report.story();
    assert!(story.contains("At 4.991 s client1 waits 3.2s before it tries replica1 again (2 times)."), "{story}");
    assert!(story.contains("At 4.993 s client1 begins the write of pears anew, with version 7."), "{story}");
    assert!(!story.contains("apples"), "that is about another register: {story}");
    let html = report.to_html(&about_it());
    let (diagram, causes, log) = ("Before the failure", "What can have caused it", "Log of all nodes");
    let (diagram, causes, log) = (section(&html, diagram), section(&html, causes), section(&html, log));
    assert!(diagram.contains("class=\"dot note\"") && diagram.contains(">begins the write of pears anew"), "{diagram}");
    assert!(diagram.contains("tries replica1 again: no answer to &quot;put pears 7&quot;, 2 times until"), "{diagram}");
    assert!(!diagram.contains("write of apples"), "{diagram}");
    report.log.push(line(5 * SECOND, 11, "client1", "history.invoke op=write key=apples value=1002"));
    report.log.last_mut().expect("it was pushed").event = 9;
    assert!(report.story().contains("write of apples anew"), "1002 is in question, and so is its register");
    report.log.pop();
    assert!(causes.contains("<td>after #7</td><td>client1</td>") && causes.contains("with version 7"), "{causes}");
    assert!(log.contains("<td>note</td>") && log.contains("<dt><code>note</code></dt>"), "{log}");
    let text = report.to_text(&about_it());
    assert!(text.contains("client1      begins the write of pears anew, with version 7"), "{text}");
}

#[test]
fn a_message_that_never_arrived_is_a_broken_arrow_and_is_told_with_the_fault_that_took_it() {
    use crate::report::Undelivered;
    let mut report = report();
    (report.faults[0].at_ns, report.faults[0].until_ns) = (5 * SECOND - 9_000_000, None);
    let lost = |to: &str, ms: u64, stop: &str, begins: &str| Undelivered {
        from: "client1".into(),
        to: to.into(),
        sent_ns: 5 * SECOND - ms * 1_000_000,
        stopped_ns: 5 * SECOND - ms * 1_000_000 + 500_000,
        stop: stop.into(),
        connection: u64::from(!begins.is_empty()),
        len: begins.len(),
        begins: begins.into(),
    };
    report.log.insert(0, line(SECOND, 1, "client1", "history.invoke op=write key=apples value=1004"));
    report.undelivered = vec![
        lost("replica1", 3, "cut", "12 put pears 7 <1003>\\n"),
        lost("replica1", 2, "cut", ""),
        lost("replica2", 2, "off", "13 get pears\\n"),
        lost("replica1", 2, "cut", "14 get apples\\n"),
    ];
    let (html, text, story) = (report.to_html(&about_it()), report.to_text(&about_it()), report.story());
    assert_eq!(html.matches("<g class=\"arrow lost ways\">").count(), 2, "{html}");
    assert_eq!(html.matches("<g class=\"arrow lost other\">").count(), 1, "no fault of the report took that");
    for part in [
        "&quot;12 put pears 7 &lt;1003&gt;&quot; of client1 never reached replica1: the way was cut, by the fault partition/1",
        "the request for a connection of client1 never reached replica1",
        "&quot;13 get pears&quot; of client1 never reached replica2: the machine was off",
        "<td>replica1 ↚ client1</td><td>&quot;12 put pears 7 &lt;1003&gt;&quot; of client1 never reached replica1",
        ">asks for a connection</text>",
        "a message that never arrived, up to what stopped it",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(!html.contains("14 get apples"), "that is about another register");
    let told = "It stopped \"12 put pears 7 <1003>\" from client1 to replica1, and one message more.";
    assert!(story.contains(told), "{story}");
    assert!(text.contains("replica1     \"12 put pears 7 <1003>\" of client1 never reached replica1"), "{text}");
    // A cut that was over before, and one between others, took nothing.
    report.faults[0].until_ns = Some(5 * SECOND - 8_000_000);
    assert!(!report.story().contains("It stopped"), "{}", report.story());
    (report.faults[0].until_ns, report.faults[0].others) = (None, vec!["replica2".into()]);
    assert!(!report.story().contains("It stopped"), "{}", report.story());
    report.undelivered.clear();
    assert!(!report.to_html(&about_it()).contains("never arrived"));
}

#[test]
fn the_form_of_messages_is_explained_if_they_have_it() {
    use crate::report::Form;
    let form = |form: &str| Form { form: form.into(), about: "the <value>".into() };
    let (has, put, kept) = (form("NUMBER has KEY VALUE"), form("NUMBER put KEY TIME VALUE"), form("NUMBER kept"));
    assert!(has.fits("9 has pears 1002\\n") && has.fits("8 kept\\n9 has pears 1002\\n"));
    assert!(kept.fits("8 kept\\n9 has pears 1002\\n") && !kept.fits("9 has pears 1002\\n") && !kept.fits("kept"));
    let cut = "123456 put pears-of-which-the-name-is-long-indeed-an";
    assert!(put.fits(cut) && !put.fits("1 put pears") && !put.fits(&cut.replace("put", "get")));
    let mut report = report();
    assert!(!report.to_html(&about_it()).contains("How the messages read"));
    report.forms = vec![has];
    let (html, text) = (report.to_html(&about_it()), report.to_text(&about_it()));
    assert!(html.contains("<dt><code>NUMBER has KEY VALUE</code></dt><dd>the &lt;value&gt;</dd>"), "{html}");
    assert!(text.contains("NUMBER has KEY VALUE                 the <value>"), "{text}");
}
