//! Parts of the page: what was expected and seen, the log, the rows of faults.

use super::*;

pub(super) fn section<'a>(html: &'a str, title: &str) -> &'a str {
    let rest = html.split(&format!("<h2>{title}</h2>")).nth(1).unwrap_or_else(|| panic!("there is no {title}"));
    rest.split("</section>").next().unwrap_or_default()
}

#[test]
fn what_is_expected_and_what_was_seen_are_two_parts_for_failures_without_a_history_too() {
    let mut report = report();
    let of = |class: &str, invariant: &str, demands: &str, message: &str, report: &mut Report| {
        (report.verdict.class, report.verdict.invariant) = (class.into(), invariant.into());
        (report.verdict.demands, report.verdict.message) = (demands.into(), message.into());
        report.verdict.evidence.clear();
        (report.to_html(&about_it()), report.to_text(&about_it()))
    };
    let list = "the body had not ended after 500 polls; alive: client1 task 1 (main), replica2 task 4 (gossip)";
    let panic = "client1 task 3 panicked: no <room>\nat queue.rs:7";
    for (class, invariant, demands, message, first, more) in [
        ("livelock", "", "the run ends", list, "the body had not ended after 500 polls", "alive: client1 task 1"),
        (
            "unsupervised-panic",
            "",
            "no task panics",
            panic,
            "client1 task 3 panicked: no &lt;room&gt;",
            "at queue.rs:7",
        ),
        (
            "invariant",
            "memory.bounded",
            "bounds are kept",
            "client1: 9 wait, at most 8",
            "client1: 9 wait, at most 8",
            "",
        ),
    ] {
        let (html, text) = of(class, invariant, demands, message, &mut report);
        let part = section(&html, "Expected and seen");
        let by = if invariant.is_empty() { format!("class {class}") } else { format!("<code>{invariant}</code>") };
        let expected = format!("<dd class=\"want\">{demands} <span class=\"note\">({by})</span></dd>");
        assert!(part.contains(&expected) && part.contains(&format!("<dd class=\"got\">{first}</dd>")), "{part}");
        assert_eq!(part.contains("<pre>"), !more.is_empty(), "{part}");
        assert!(part.contains(more), "{part}");
        assert!(
            text.contains(&format!(
                "expected\n  {demands}\nseen\n  {}",
                first.replace("&lt;", "<").replace("&gt;", ">")
            )),
            "{text}"
        );
    }
}

#[test]
fn what_a_node_says_again_and_again_is_one_line_of_the_log() {
    let mut report = report();
    let probe =
        |ms: u64, node: &str, text: &str| LogLine { kind: "probe".into(), ..line(ms * 1_000_000, ms, node, text) };
    report.log = (1..=15).map(|step| probe(step * 200, "client1", "register.waited")).collect();
    report.log.extend((1..=15).map(|step| probe(step * 200 + 1, "replica1", "register.waited")));
    report.log.push(probe(3_200, "client1", "register.disagreed"));
    report.log.push(probe(3_300, "client1", "register.waited"));
    report.log.sort_by_key(|line| line.at_ns);
    report.log.extend((1..=2).map(|step| line(4 * SECOND + step, 4_000 + step, "client1", "bound.level len=1")));
    report.log.push(line(4 * SECOND + 3, 4_003, "client1", "bound.level len=2"));
    report.log.push(line(4 * SECOND + 4, 4_004, "client1", "bound.level len=1"));
    let html = report.to_html(&about_it());
    let log = section(&html, "Log of all nodes");
    assert_eq!(log.matches("<tr").count(), 6, "two waited, one disagreed, three levels: {log}");
    assert!(log.contains("register.waited <span class=\"note\">the same 15 times more until 3.300 s</span>"), "{log}");
    assert!(log.contains("register.waited <span class=\"note\">the same 14 times more until 3.001 s</span>"), "{log}");
    assert_eq!(log.matches("bound.level len=1 <span class=\"note\">the same once more at 4.000 s").count(), 1, "{log}");
    assert_eq!(log.matches("bound.level len=1").count(), 2, "an event is not folded past another: {log}");
    assert!(log.contains("the last 6 lines, in virtual time; 30 that repeat one of them are folded into it"), "{log}");
}

#[test]
fn a_long_line_is_cut_everywhere_and_never_in_the_middle_of_a_letter() {
    use super::html::LINE_MAX;
    let mut report = report();
    let long = format!("effect.applied key=1003 as={}END", "ä".repeat(LINE_MAX));
    report.log[0].text.clone_from(&long);
    let (html, text) = (report.to_html(&about_it()), report.to_text(&about_it()));
    let cut = format!("{}…", long.chars().take(LINE_MAX - 1).collect::<String>());
    for title in ["What can have caused it", "Log of all nodes"] {
        let part = section(&html, title);
        assert!(part.contains(&cut) && !part.contains(&long), "{part}");
    }
    assert!(text.contains('…') && text.lines().all(|line| line.chars().count() < LINE_MAX), "{text}");
    report.log[0].text = long.chars().take(LINE_MAX).collect();
    assert!(section(&report.to_html(&about_it()), "Log of all nodes").contains(&report.log[0].text), "that fits");
}

#[test]
fn each_row_of_a_fault_has_the_number_of_its_event() {
    let mut report = report();
    report.log.insert(0, LogLine { kind: "fault".into(), ..line(2 * SECOND, 3, "world", "the way is cut") });
    report.faults.push(FaultReport { at_ns: 3 * SECOND + 1, ..report.faults[0].clone() });
    report.faults.insert(0, FaultReport { at_ns: SECOND, ..report.faults[0].clone() });
    let html = report.to_html(&about_it());
    for title in ["What can have caused it", "Faults"] {
        let part = section(&html, title);
        for number in ["<td>#3</td>", "<td>after #5</td>", "<td>before the log</td>"] {
            assert!(part.contains(number), "{title}: {number} is missing in {part}");
        }
    }
}

#[test]
fn a_broken_property_shows_its_input_and_the_ways_side_by_side_and_nothing_of_nodes() {
    use crate::report::{Case, Judgement, Way};
    let way = |name: &str, end: &str| Way { name: name.into(), steps: vec!["hears <1>".into(), end.into()] };
    let mut report = Report { scenario: "a/law".into(), level: "property".into(), ..Report::default() };
    report.log = vec![line(0, 1, "world", "task 1")];
    report.verdict = Judgement {
        class: "invariant".into(),
        invariant: "a.commutes".into(),
        message: "heard backwards, \"1\" is held and not \"2\" for [(1, 2), (1, 1)]".into(),
        demands: "any order will do".into(),
        ..Judgement::default()
    };
    let ways = vec![way("as generated", "holds 2"), way("backwards", "holds 1")];
    report.case = Some(Case { input: "[(1, 2), (1, 1)]".into(), ways });
    let (html, text) = (report.to_html(&about_it()), report.to_text(&about_it()));
    let part = section(&html, "The case that fails");
    assert!(part.contains("<pre>[(1, 2), (1, 1)]</pre>"), "{part}");
    assert!(part.contains("<th>step</th><th>as generated</th><th>backwards</th>"), "{part}");
    assert!(part.contains("<td>1</td><td>hears &lt;1&gt;</td><td>hears &lt;1&gt;</td>"), "{part}");
    assert!(part.contains("<span class=\"got\">holds 2</span></td><td><span class=\"got\">holds 1</span>"), "{part}");
    assert!(html.contains("<h1>a.commutes did not hold for [(1, 2), (1, 1)]</h1>"), "{html}");
    assert!(text.contains("backwards\n    1  hears <1>\n    2  holds 1\n"), "{text}");
    for noise in [
        "0 invariants",
        "MISS",
        "No fault",
        "fault struck",
        "What can have caused it",
        "Scoreboard",
        "virtual time</span>",
    ] {
        assert!(!html.contains(noise), "{noise} has nothing to do with a law: {html}");
    }
    assert!(!text.contains("scoreboard") && !text.contains("none had taken effect"), "{text}");
    report.case.as_mut().expect("it was set").ways[1].steps[1] = "holds 2".into();
    assert!(!section(&report.to_html(&about_it()), "The case that fails").contains("In red"));
}

#[test]
fn who_waits_in_vain_is_explained_by_what_its_node_decided_for_whatever_key() {
    let mut report = report();
    let note = |at_ns: u64, event: u64, node: &str, text: &str| LogLine {
        kind: "note".into(),
        ..line(at_ns, event, node, text)
    };
    report.verdict.invariant = "live.progress".into();
    report.verdict.message = "stuck: the \"write of apples\" of client1 was given up within 8 s; 0 clients wait".into();
    report.verdict.evidence =
        vec![Evidence { key: "apples".into(), expected: "it is answered".into(), seen: "it was given up".into() }];
    report.log = vec![
        line(2 * SECOND, 4, "client1", "history.invoke client=1 op=read key=pears"),
        note(3 * SECOND, 5, "client1", "waits 6.4s before it tries replica1 again: no answer to \"get pears\""),
        note(3 * SECOND, 5, "replica1", "waits 1s before it tells replica2 of pears again"),
        line(4 * SECOND, 7, "client1", "history.invoke client=1 op=write key=apples"),
        line(5 * SECOND, 10, "client1", "history.info client=1 op=write key=apples"),
    ];
    report.messages.truncate(1);
    assert_eq!(topics(&report), ["apples"], "nothing speaks of \"stuck\"");
    let html = report.to_html(&about_it());
    assert!(
        report.story().contains("At 3.000 s client1 waits 6.4s before it tries replica1 again."),
        "{}",
        report.story()
    );
    assert!(!report.story().contains("waits 1s"), "another node's, about another key: {}", report.story());
    let causes = section(&html, "What can have caused it");
    assert!(causes.contains("waits 6.4s") && !causes.contains("waits 1s"), "{causes}");
    assert!(section(&html, "Before the failure").contains("waits 6.4s"));
    assert!(section(&html, "What clients asked").contains("write apples"));
}
