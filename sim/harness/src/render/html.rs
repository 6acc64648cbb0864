//! The report as one HTML file.

use std::fmt::Write as _;

use crate::report::{FaultReport, LogLine, Report};

use super::slice::{Item, backwards, is_telling};
use super::{About, diagram, escape, headline, mentions, overview, span, time, topics};

pub(super) const STYLE: &str = include_str!("style.css");
/// Lines of the log that a page shows.
const LOG_MAX: usize = 600;

pub(super) fn page(report: &Report, about: &About) -> String {
    let mut body = String::new();
    verdict(report, about, &mut body);
    commands(about, &mut body);
    section(&mut body, "What happened", &format!("<p class=\"story\">{}</p>", escape(&report.story())));
    evidence(report, &mut body);
    pictures(report, &mut body);
    causes(report, &mut body);
    faults(report, &mut body);
    scoreboard(report, &mut body);
    plan(report, about, &mut body);
    log(report, &mut body);
    document(&format!("{} seed {}", report.scenario, report.seed), &body)
}

/// A whole page around a body.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n",
        escape(title)
    )
}

pub(super) fn section(body: &mut String, title: &str, content: &str) {
    let _ = writeln!(body, "<section><h2>{title}</h2>{content}</section>");
}

pub(super) fn folded(body: &mut String, title: &str, note: &str, content: &str) {
    let _ = writeln!(
        body,
        "<section><details><summary><h2>{title}</h2> <span class=\"note\">{note}</span></summary>{content}</details></section>\n"
    );
}

/// A table; cells are HTML.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect::<Vec<_>>().concat();
    let cells = |row: &Vec<String>| row.iter().map(|cell| format!("<td>{cell}</td>")).collect::<Vec<_>>().concat();
    let rows: String = rows.iter().map(|row| format!("<tr>{}</tr>", cells(row))).collect::<Vec<_>>().concat();
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}

fn verdict(report: &Report, about: &About, body: &mut String) {
    let verdict = &report.verdict;
    let tone = if report.passed() { "pass" } else { "bad" };
    let standing =
        if report.passed() && about.standing == super::Standing::New { "PASS" } else { about.standing.word() };
    let _ = write!(
        body,
        "<header class=\"{tone}\"><p class=\"tags\"><b class=\"badge\">{standing}</b> <span>{}</span></p><h1>{}</h1>\
         <p class=\"note\">{} · seed {} · class <b>{}</b> · fingerprint {} · trace {}</p></header>",
        escape(&report.why),
        escape(&headline(report)),
        escape(&report.scenario),
        report.seed,
        escape(&verdict.class),
        if verdict.fingerprint.is_empty() { "none" } else { &verdict.fingerprint },
        escape(&report.trace_hash),
    );
}

fn commands(about: &About, body: &mut String) {
    let all =
        [("replay it, bit for bit", &about.replay), ("run the small one", &about.shrunk), ("step to it", &about.step)];
    let given = all.iter().filter(|(_, command)| !command.is_empty());
    let rows: String = given
        .map(|(what, command)| format!("<dt>{what}</dt><dd><code>{}</code></dd>", escape(command)))
        .collect::<Vec<_>>()
        .concat();
    if !rows.is_empty() {
        let _ = writeln!(body, "<section><dl class=\"commands\">{rows}</dl></section>");
    }
}

fn evidence(report: &Report, body: &mut String) {
    let verdict = &report.verdict;
    if report.passed() {
        return;
    }
    let rows: Vec<Vec<String>> = verdict
        .evidence
        .iter()
        .map(|one| {
            vec![
                escape(&one.key),
                format!("<span class=\"want\">{}</span>", escape(&one.expected)),
                format!("<span class=\"got\">{}</span>", escape(&one.seen)),
            ]
        })
        .collect();
    let mut content = String::new();
    if !rows.is_empty() {
        content.push_str(&table(&["what", "expected", "seen"], &rows));
    }
    let _ = write!(content, "<pre>{}</pre>", escape(&verdict.message));
    section(body, "Expected and seen", &content);
}

const LEGEND: &str = "<p class=\"legend\"><span class=\"key ways\"></span>ways cut or slow <span class=\"key kill\"></span>dead or dying \
     <span class=\"key disk\"></span>disk <span class=\"key other\"></span>other faults <span class=\"key crossed\">✕</span>process ends \
     <span class=\"key failing\"></span>the failure</p>";

fn pictures(report: &Report, body: &mut String) {
    if report.nodes.is_empty() {
        return;
    }
    let content = format!("<div class=\"wide\">{}</div>{LEGEND}", overview::svg(report));
    section(body, "The whole run", &content);
    if let Some(svg) = diagram::svg(report) {
        let about = topics(report);
        let note = if about.is_empty() {
            "The last messages.".to_owned()
        } else {
            format!("Messages that mention {}.", about.join(", "))
        };
        let content = format!(
            "<p class=\"note\">{} Time goes down, and is bent: its numbers stand at the left. Point at an arrow, a dot or a band, and it says what it is.</p>\
             <div class=\"wide\">{svg}</div>",
            escape(&note)
        );
        section(body, "Before the failure", &content);
    }
}

fn causes(report: &Report, body: &mut String) {
    let items = backwards(report);
    if items.is_empty() || report.passed() {
        return;
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Item::Line(line) => {
                vec![time(line.at_ns), format!("#{}", line.event), escape(&line.node), escape(&line.text)]
            }
            Item::Message(message) => vec![
                time(message.arrived_ns),
                format!("#{}", message.event),
                format!("{} ← {}", escape(&message.to), escape(&message.from)),
                format!(
                    "<code>{}</code> <span class=\"note\">sent {} before</span>",
                    escape(message.begins.trim_end_matches("\\n")),
                    span(message.arrived_ns.saturating_sub(message.sent_ns))
                ),
            ],
        })
        .collect();
    let content = format!(
        "<p class=\"note\">Backwards from the failure over the messages that arrived; read it from the end. Lines of other nodes tell what did not come here.</p><div class=\"causes\">{}</div>",
        table(&["time", "event", "where", "what"], &rows)
    );
    section(body, "What can have caused it", &content);
}

fn faults(report: &Report, body: &mut String) {
    if report.faults.is_empty() {
        return;
    }
    let count = |outcome: &str| report.faults.iter().filter(|fault| fault.outcome == outcome).count();
    let row = |fault: &FaultReport| {
        let long = fault.until_ns.map_or_else(|| "to the end".into(), |until| span(until.saturating_sub(fault.at_ns)));
        let effects: Vec<String> = fault.effects.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let why = if fault.why.is_empty() { effects.join(", ") } else { fault.why.clone() };
        vec![
            time(fault.at_ns),
            escape(&fault.id),
            escape(&fault.nodes.join(", ")),
            long,
            format!("<span class=\"{0}\">{0}</span>", escape(&fault.outcome)),
            escape(&why),
        ]
    };
    let rows: Vec<Vec<String>> = report.faults.iter().map(row).collect();
    let note = format!(
        "{} attempted, {} effective, {} without effect, {} weakened, {} refused",
        report.faults.len(),
        count("effective"),
        count("without-effect"),
        count("weakened"),
        count("refused")
    );
    folded(body, "Faults", &note, &table(&["time", "fault", "whom", "for", "outcome", "what it did"], &rows));
}

fn scoreboard(report: &Report, body: &mut String) {
    let rows: Vec<Vec<String>> = report
        .invariants
        .iter()
        .map(|one| {
            vec![
                escape(&one.name),
                one.evaluated.to_string(),
                one.events.to_string(),
                format!("<span class=\"{0}\">{0}</span>", escape(&one.verdict)),
            ]
        })
        .collect();
    let mut content = table(&["invariant", "evaluated", "events seen", "verdict"], &rows);
    let probes: Vec<Vec<String>> = report
        .probes
        .iter()
        .map(|probe| {
            let hit =
                if probe.count == 0 { "<span class=\"violated\">MISS</span>".into() } else { probe.count.to_string() };
            vec![escape(&probe.name), hit, escape(&probe.expected)]
        })
        .collect();
    if !probes.is_empty() {
        content.push_str(&table(&["probe", "passed", "expected"], &probes));
    }
    let counts = report.tally.iter().chain(&report.effects);
    let counts: Vec<Vec<String>> = counts.map(|(name, count)| vec![escape(name), count.to_string()]).collect();
    if !counts.is_empty() {
        content.push_str(&table(&["count or high-water mark", ""], &counts));
    }
    let note = format!(
        "{} invariants, {} events, {} polls, {} of virtual time",
        rows.len(),
        report.events,
        report.polls,
        time(report.elapsed_ns)
    );
    folded(body, "Scoreboard", &note, &content);
}

fn plan(report: &Report, about: &About, body: &mut String) {
    let rows: Vec<Vec<String>> =
        report.differs.iter().map(|one| vec![escape(&one.field), escape(&one.default), escape(&one.value)]).collect();
    let mut content = String::new();
    if let Some(planted) = &report.planted {
        let _ = write!(content, "<p>This run has a bug on purpose: <code>{}</code>.</p>", escape(planted));
    }
    if let Some((before, after)) = &about.size {
        let _ = write!(content, "<p>Made small: {after}; {before} before.</p>");
    }
    content.push_str(&table(&["field", "default", "here"], &rows));
    let _ = write!(content, "<h3>The scenario as this seed resolves it</h3><pre>{}</pre>", escape(&report.plan));
    folded(body, "Scenario", &format!("{} differences from the defaults", rows.len()), &content);
}

fn log(report: &Report, body: &mut String) {
    let topics = topics(report);
    let row = |line: &LogLine| {
        let mark = if line.event == report.verdict.event {
            " class=\"hot\""
        } else if mentions(&line.text, &topics) {
            " class=\"warm\""
        } else {
            ""
        };
        format!(
            "<tr{mark}><td>{}</td><td>#{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            time(line.at_ns),
            line.event,
            escape(&line.node),
            escape(&line.kind),
            escape(&line.text)
        )
    };
    let telling: Vec<&LogLine> =
        report.log.iter().filter(|line| is_telling(line) || line.kind == "arrive" || line.kind == "reset").collect();
    let rows: String = telling.iter().skip(telling.len().saturating_sub(LOG_MAX)).map(|line| row(line)).collect();
    let content = format!("<div class=\"wide\"><table class=\"log\"><tbody>{rows}</tbody></table></div>");
    folded(
        body,
        "Log of all nodes",
        &format!("the last {} lines, in virtual time", telling.len().min(LOG_MAX)),
        &content,
    );
}
