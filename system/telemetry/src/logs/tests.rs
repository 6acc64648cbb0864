use std::cell::RefCell;

use simurgh_runtime::{Timestamp, run, spawn};
use tracing::Level;

use super::line::{Said, Who};
use super::*;
use crate::context::{self, TraceContext};

fn line() -> Line {
    Line {
        at: Timestamp::from_nanos(1_767_225_600_123_456_789),
        level: Level::WARN,
        target: "shop::orders",
        who: Some(Who { node: "node1".into(), task: 7, label: "connection 17".into() }),
        trace_id: Some(0xAB),
        message: "refused\n2026 FORGED".into(),
        fields: vec![("peer", Said::Text("a \"b\"".into())), ("count", Said::Bare("3".into()))],
    }
}

#[test]
fn text_is_one_line() {
    assert_eq!(
        line().text(),
        "2026-01-01T00:00:00.123Z WARN  [node1] connection 17: refused\\n2026 FORGED peer=\"a \\\"b\\\"\" count=3 \
         trace_id=000000000000000000000000000000ab"
    );
    let nobody = Line { who: None, trace_id: None, ..line() };
    assert!(nobody.text().starts_with("2026-01-01T00:00:00.123Z WARN  shop::orders: refused"));
}

#[test]
fn a_screen_stands_below_the_line_behind_bars() {
    let fields =
        vec![("screen", Said::Text("one\n2026-01-01 FORGED\u{1b}[2J".into())), ("count", Said::Bare("3".into()))];
    let line = Line { fields, message: "ended".into(), trace_id: None, ..line() };
    assert_eq!(
        line.text(),
        "2026-01-01T00:00:00.123Z WARN  [node1] connection 17: ended count=3\n    | one\n    | 2026-01-01 FORGED\\u001b[2J"
    );
    assert_eq!(line.json().lines().count(), 1);
}

#[test]
fn json_is_one_object() {
    assert_eq!(
        line().json(),
        "{\"ts\":\"2026-01-01T00:00:00.123456789Z\",\"level\":\"WARN\",\"target\":\"shop::orders\",\"node\":\"node1\",\
         \"task\":7,\"label\":\"connection 17\",\"trace_id\":\"000000000000000000000000000000ab\",\
         \"message\":\"refused\\n2026 FORGED\",\"fields\":{\"peer\":\"a \\\"b\\\"\",\"count\":3}}"
    );
}

#[test]
fn no_character_can_forge_a_line() {
    for letter in ('\0'..='\u{2FFF}').chain(['\u{FEFF}', '😀']) {
        let hostile = format!("a{letter}b");
        let line = Line { message: hostile.clone(), fields: vec![("f", Said::Text(hostile))], ..line() };
        for text in [line.text(), line.json()] {
            assert_eq!(text.lines().count(), 1, "{letter:?}");
            assert!(!text.chars().any(|c| c.is_control() || ('\u{2028}'..='\u{202E}').contains(&c)), "{letter:?}");
        }
    }
}

thread_local! {
    static WRITTEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What `f` logs, without the time at the beginning of each line. (All of it on this thread.)
fn written(f: impl FnOnce()) -> Vec<String> {
    let write = |line: &str| WRITTEN.with_borrow_mut(|lines| lines.push(line.to_owned()));
    tracing::subscriber::with_default(Logs { write }, f);
    let lines = WRITTEN.take();
    lines.iter().map(|line| line.split_once(' ').map_or(line.clone(), |(_, rest)| rest.to_owned())).collect()
}

#[test]
fn a_line_says_who_and_in_which_trace() {
    let lines = run("shop", async {
        install();
        context::set_trace(Some(TraceContext { trace_id: 0xAB, span_id: 1, sampled: true }));
        let task = spawn(async {
            Header::with(|header| header.expect("a task").set_label(("order", 7)));
            written(|| {
                let error = "x".parse::<u8>().unwrap_err();
                tracing::warn!(error = &error as &dyn std::error::Error, r#type = "new", half = 0.5, "refused");
                tracing::debug!("not important enough");
            })
        });
        task.await.unwrap()
    });
    assert_eq!(
        lines,
        ["WARN  [shop] order 7: refused error=\"invalid digit found in string\" type=new half=0.5 \
          trace_id=000000000000000000000000000000ab"]
    );
}

#[test]
fn each_node_has_its_own_levels() {
    let log = || {
        written(|| {
            tracing::info!(target: "shop", "info");
            tracing::debug!(target: "shop::orders", "debug");
            tracing::warn!(target: "other", "warn");
        })
    };
    let node = |levels: &'static str| {
        run("n", async move {
            configure(LogConfig { levels: levels.parse().unwrap(), ..LogConfig::default() });
            log()
        })
    };
    assert_eq!(node("error,shop=debug"), ["INFO  [n] main: info", "DEBUG [n] main: debug"]);
    assert_eq!(node("shop=off"), ["WARN  [n] main: warn"]);
    assert_eq!(node("off"), [""; 0]);
    assert_eq!(run("n", async move { log() }), ["INFO  [n] main: info", "WARN  [n] main: warn"], "the default");
    assert_eq!(log(), ["INFO  shop: info", "WARN  other: warn"], "outside of any node the default holds");
}

#[test]
fn a_long_value_is_cut() {
    let lines = run("n", async {
        install();
        written(|| {
            tracing::info!(long = %"ä".repeat(1_000_000), list = ?vec![0; 1_000_000], "{}", "m".repeat(1_000_000));
        })
    });
    let [line] = lines.as_slice() else { panic!("{} lines", lines.len()) };
    assert!((3 * VALUE_LEN_MAX..3 * VALUE_LEN_MAX + 100).contains(&line.len()), "{}", line.len());
    assert!(line.contains("ä... ") || line.contains("ä...\""), "the end of a cut value is told");
}

#[test]
fn the_last_lines_are_remembered_and_no_more() {
    run("n", async {
        assert!(recent().is_empty(), "nobody has asked for it");
        let say = |lines: std::ops::Range<usize>| {
            written(|| lines.for_each(|number| tracing::info!("{number}")));
        };
        let remembered = || recent().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
        install();
        say(0..1);
        assert!(recent().is_empty());
        remember(3);
        say(1..6);
        assert_eq!(remembered(), ["3", "4", "5"]);
        remember(2);
        assert_eq!(remembered(), ["4", "5"]);
        written(|| tracing::info!("{}", "\u{e4}".repeat(VALUE_LEN_MAX)));
        assert!(recent()[1].len() <= RECENT_LEN_MAX);
        remember(usize::MAX);
        say(0..RECENT_MAX + 10);
        assert_eq!(recent().len(), RECENT_MAX);
        remember(0);
        say(0..1);
        assert!(recent().is_empty());
    });
}
