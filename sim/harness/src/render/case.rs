//! What broke a property: its input, and the ways that its law compares, side by side.

use std::fmt::Write as _;

use crate::report::{Case, Report};

use super::html::{section, table};
use super::{escape, short};

/// Letters of a step on a page.
const STEP_MAX: usize = 200;

/// Whether this is a run of laws, without nodes, time and faults.
pub(super) fn is_property(report: &Report) -> bool {
    report.level == "property"
}

/// One paragraph on what was tried.
pub(super) fn story(report: &Report) -> String {
    if report.passed() {
        return "A law of values alone: no nodes run. It held for every input that was generated.".into();
    }
    let law = &report.verdict.invariant;
    let found = match &report.case {
        Some(case) if case.input.len() <= STEP_MAX => {
            format!("Of the generated inputs that break it, the smallest one that was found is {}.", case.input)
        }
        Some(_) => "The smallest generated input that was found to break it stands below.".into(),
        None => String::new(),
    };
    let first = report.verdict.message.lines().next().unwrap_or_default().trim_end_matches('.');
    format!("{law} is a law of values alone: no nodes run, and nothing goes wrong from outside. {found} Then: {first}.")
}

pub(super) fn page(report: &Report, body: &mut String) {
    let Some(case) = &report.case else { return };
    let mut content = format!(
        "<p class=\"note\">The smallest input that was found, after shrinking.</p><pre>{}</pre>",
        escape(&case.input)
    );
    if !case.ways.is_empty() {
        let differ = ends(case);
        let _ = write!(
            content,
            "<h3>What the law does with it</h3>{}",
            if differ { "<p class=\"note\">In red: where the ways end, and differ.</p>" } else { "" }
        );
        let names: Vec<String> = case.ways.iter().map(|way| escape(&way.name)).collect();
        let head: Vec<&str> = ["step"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let most = case.ways.iter().map(|way| way.steps.len()).max().unwrap_or_default();
        let cell = |way: &crate::report::Way, step: usize| {
            let text = way.steps.get(step).map(|text| escape(&short(text, STEP_MAX))).unwrap_or_default();
            if differ && step + 1 == way.steps.len() { format!("<span class=\"got\">{text}</span>") } else { text }
        };
        let row = |step: usize| {
            [(step + 1).to_string()].into_iter().chain(case.ways.iter().map(|way| cell(way, step))).collect()
        };
        let rows: Vec<Vec<String>> = (0..most).map(row).collect();
        let _ = write!(content, "<div class=\"ways\">{}</div>", table(&head, &rows));
    }
    section(body, "The case that fails", &content);
}

/// Whether the ways come to different ends.
fn ends(case: &Case) -> bool {
    let mut ends = case.ways.iter().filter_map(|way| way.steps.last());
    let first = ends.next();
    ends.any(|end| Some(end) != first)
}

pub(super) fn text(report: &Report, text: &mut String) {
    let Some(case) = &report.case else { return };
    let _ = writeln!(text, "\nthe case that fails, after shrinking\n  {}", case.input.replace('\n', "\n  "));
    for way in &case.ways {
        let _ = writeln!(text, "\n{}", if way.name.is_empty() { "steps" } else { &way.name });
        for (number, step) in way.steps.iter().enumerate() {
            let _ = writeln!(text, "  {:>3}  {}", number + 1, short(step, STEP_MAX));
        }
    }
}
