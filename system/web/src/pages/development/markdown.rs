//! The report as text: for terminals, and to be pasted where errors are talked about.

use std::fmt::Write as _;

use super::report::{Report, Section};

pub(super) fn of(report: &Report) -> String {
    let mut text = String::with_capacity(4 * 1024);
    let _ = writeln!(text, "# {}\n", one_line(&report.title()));
    let _ = writeln!(text, "{} {}", report.method, report.target);
    if let Some(place) = &report.place {
        let _ = writeln!(text, "at {place}");
    }
    if report.headline != report.message && report.message != report.reason {
        let _ = writeln!(text, "the client is told: {}", one_line(&report.message));
    }
    if !report.causes.is_empty() {
        let _ = writeln!(text, "\n## Because\n");
        for cause in &report.causes {
            let _ = writeln!(text, "- {}", one_line(cause));
        }
    }
    if let Some(source) = source(report) {
        fenced(&mut text, "Source", "rust", &source);
    }
    if let Some(details) = &report.details {
        fenced(&mut text, "Details", "json", details);
    }
    if let Some((trace, _)) = &report.trace {
        fenced(&mut text, "Way", "", &trace.to_string());
    }
    if !report.routes.is_empty() {
        let width = report.routes.iter().map(|route| route.path.len()).max().unwrap_or_default();
        let mut routes = String::new();
        for (at, route) in report.routes.iter().enumerate() {
            let meant = if report.nearest == Some(at) { "  (did you mean this?)" } else { "" };
            let _ = writeln!(routes, "{:7} {:width$}  {}{meant}", route.method, route.path, route.handler);
        }
        fenced(&mut text, "Routes", "", &routes);
    }
    for section in &report.sections {
        fenced(&mut text, section.title, "", &rows(section));
    }
    if !report.log.is_empty() {
        fenced(&mut text, "Log", "", &report.log.join("\n"));
    }
    if !report.processes.is_empty() {
        fenced(&mut text, "Processes", "", &report.processes.join("\n"));
    }
    text
}

fn source(report: &Report) -> Option<String> {
    let (excerpt, place) = (report.excerpt.as_ref()?, report.place.as_ref()?);
    let mut text = String::new();
    for (number, line) in (excerpt.first..).zip(&excerpt.lines) {
        let mark = if number == place.line { '>' } else { ' ' };
        let _ = writeln!(text, "{}", format!("{mark} {number:>5} | {line}").trim_end());
    }
    Some(text)
}

fn rows(section: &Section) -> String {
    let mut text = String::new();
    for (name, value) in &section.rows {
        let colon = if value.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "{}{colon}{}", one_line(name), one_line(value));
    }
    text
}

/// A block of its own, between fences longer than any in it.
fn fenced(text: &mut String, title: &str, language: &str, block: &str) {
    let longest = block.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(text, "\n## {title}\n\n{fence}{language}\n{}\n{fence}", block.trim_end_matches('\n'));
}

fn one_line(value: &str) -> String {
    simurgh_telemetry::logs::OneLine(value).to_string()
}
