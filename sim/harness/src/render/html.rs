//! The report as one HTML file.

use std::fmt::Write as _;

use crate::report::{FaultReport, Form, LogLine, Report};
use crate::select::quorum;

use super::operations::{Operation, in_question, took_effect_at};
use super::slice::{Item, faults_before, with_faults};
use super::words::{legend, meaning, say};
use super::{
    About, case, demanded, diagram, escape, headline, log, marks, overview, seen, short, span, story, time, topics,
    undelivered,
};

pub(super) const STYLE: &str = include_str!("style.css");
/// Letters of a line; the JSON has all.
pub(super) const LINE_MAX: usize = 400;

pub(super) fn page(report: &Report, about: &About) -> String {
    let mut body = String::new();
    verdict(report, about, &mut body);
    commands(about, &mut body);
    section(&mut body, "What happened", &format!("<p class=\"story\">{}</p>", escape(&report.story())));
    evidence(report, &mut body);
    case::page(report, &mut body);
    operations(report, &mut body);
    pictures(report, &mut body);
    causes(report, &mut body);
    faults(report, &mut body);
    scoreboard(report, &mut body);
    plan(report, about, &mut body);
    if !case::is_property(report) {
        log::section(report, &mut body);
    }
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
    let names: String = head.iter().map(|name| format!("<th>{name}</th>")).collect::<Vec<_>>().concat();
    let is_headless = head.iter().all(|name| name.is_empty());
    let head = if is_headless { String::new() } else { format!("<thead><tr>{names}</tr></thead>") };
    let cells = |row: &Vec<String>| row.iter().map(|cell| format!("<td>{cell}</td>")).collect::<Vec<_>>().concat();
    let rows: String = rows.iter().map(|row| format!("<tr>{}</tr>", cells(row))).collect::<Vec<_>>().concat();
    format!("<div class=\"wide\"><table>{head}<tbody>{rows}</tbody></table></div>")
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
    let small = about
        .made_small()
        .map_or_else(String::new, |small| format!("<p class=\"small\">This run was {}.</p>", escape(&small)));
    if !rows.is_empty() || !small.is_empty() {
        let _ = writeln!(body, "<section>{small}<dl class=\"commands\">{rows}</dl></section>");
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
    let (first, more) = seen(report);
    let by = match verdict.invariant.as_str() {
        "" => format!("class {}", escape(&verdict.class)),
        invariant => format!("<code>{}</code>", escape(invariant)),
    };
    let demands = demanded(report);
    let mut content = format!(
        "<dl class=\"two\"><dt>expected</dt><dd class=\"want\">{} <span class=\"note\">({by})</span></dd><dt>seen</dt>\
         <dd class=\"got\">{}</dd></dl>",
        escape(demands),
        escape(first)
    );
    if !rows.is_empty() {
        content.push_str(&table(&["what", "expected", "seen"], &rows));
    }
    if !more.is_empty() {
        let _ = write!(content, "<pre>{}</pre>", escape(more));
    }
    section(body, "Expected and seen", &content);
}

/// What clients asked of what the failure is about, and what they were told.
fn operations(report: &Report, body: &mut String) {
    let operations = in_question(report);
    if operations.is_empty() || report.passed() {
        return;
    }
    let has_counts = operations.iter().any(|operation| operation.counts.is_some());
    let effects: Vec<String> = operations.iter().map(|operation| took_effect_at(report, operation)).collect();
    let has_effects = effects.iter().any(|places| !places.is_empty());
    let row = |(operation, effects): (&Operation<'_>, &String)| {
        let over = operation.ended.map_or_else(|| "<span class=\"note\">not over</span>".into(), |(at, _)| time(at));
        let mut row = vec![
            escape(&operation.client),
            escape(&operation.what),
            format!("<span class=\"how {}\">{}</span>", operation.how.class(), escape(&operation.outcome())),
        ];
        if has_counts {
            row.push(match operation.counts {
                Some(counts) if operation.is_short() => format!("<span class=\"got\">{counts}</span>"),
                Some(counts) => counts.to_string(),
                None => String::new(),
            });
        }
        if has_effects {
            row.push(escape(effects));
        }
        row.extend([time(operation.asked.0), over]);
        row
    };
    let rows: Vec<Vec<String>> = operations.iter().zip(&effects).map(row).collect();
    let mut head = vec!["client", "asks", "is told"];
    if has_counts {
        head.push("with");
    }
    if has_effects {
        head.push("took effect at");
    }
    head.extend(["from", "until"]);
    let short = operations.iter().any(Operation::is_short);
    let note = match (has_counts, short) {
        (true, true) => {
            " Answers: of the step of the operation that had the fewest. Red: half of those asked or fewer, or fewer than it waited for."
        }
        (true, false) => " Answers: of the step of the operation that had the fewest.",
        _ => "",
    };
    let which = match topics(report).as_slice() {
        [] => "The last operations.".to_owned(),
        topics => format!("The last operations that mention {}.", escape(&topics.join(", "))),
    };
    let table = table(&head, &rows);
    let content = format!("<p class=\"note\">{which}{note}</p><div class=\"asked\">{table}</div>");
    section(body, "What clients asked", &content);
}

fn pictures(report: &Report, body: &mut String) {
    if report.nodes.is_empty() {
        return;
    }
    let legend = marks::legend(report);
    let content = format!("<div class=\"wide\">{}</div>{legend}", overview::svg(report));
    section(body, "The whole run", &content);
    if let Some(svg) = diagram::svg(report) {
        let about = topics(report);
        let note = if about.is_empty() {
            "The last messages.".to_owned()
        } else {
            format!("Messages that mention {}, and what was answered to them (dashed).", about.join(", "))
        };
        let content = format!(
            "<p class=\"note\">{} Time goes down, and is bent: its numbers stand at the left. Bars on lanes are what clients asked, from \
             question to answer; pale bands are faults. Point at anything, and it says what it is.</p><div class=\"wide\">{svg}</div>{legend}{}",
            escape(&note),
            forms(report)
        );
        section(body, "Before the failure", &content);
    }
}

/// How the messages in the arrows read.
fn forms(report: &Report) -> String {
    if report.forms.is_empty() {
        return String::new();
    }
    let row = |form: &Form| format!("<dt><code>{}</code></dt><dd>{}</dd>", escape(&form.form), escape(&form.about));
    let rows: String = report.forms.iter().map(row).collect();
    format!(
        "<details class=\"words\" open><summary>How the messages read: words as they are sent, fields in capitals</summary><dl>{rows}</dl>\
         </details>"
    )
}

fn causes(report: &Report, body: &mut String) {
    let items = with_faults(report);
    if items.is_empty() || report.passed() || case::is_property(report) {
        return;
    }
    let mut content = faults_nearest(report);
    let rows: String = items.iter().map(|item| cause(report, item)).collect();
    let _ = write!(
        content,
        "<h3>Events and messages</h3><p class=\"note\">Backwards from the failure over the messages that arrived, in the order of time: \
         the failure comes after the last line. Lines of other nodes tell what did not come here.</p><div class=\"wide causes\"><table>\
         <thead><tr><th>time</th><th>event</th><th>where</th><th>what</th></tr></thead><tbody>{rows}</tbody></table></div>"
    );
    let lines = items.iter().filter_map(|item| if let Item::Line(line) = item { Some(*line) } else { None });
    content.push_str(&legend_of(&legend(report, lines)));
    section(body, "What can have caused it", &content);
}

fn cause(report: &Report, item: &Item<'_>) -> String {
    let (class, cells) = match item {
        Item::Line(line) => {
            let title = meaning(report, line);
            let title = if title.is_empty() { title } else { format!(" title=\"{}\"", escape(&title)) };
            let words = format!("<span{title}>{}</span>", escape(&short(&say(report, line), LINE_MAX)));
            ("", [time(line.at_ns), number(line), escape(&line.node), words])
        }
        Item::Message(message) => {
            let words = format!(
                "<code>{}</code> <span class=\"note\">sent {} before</span>",
                escape(message.begins.trim_end_matches("\\n")),
                span(message.arrived_ns.saturating_sub(message.sent_ns))
            );
            let way = format!("{} ← {}", escape(&message.to), escape(&message.from));
            ("", [time(message.arrived_ns), format!("#{}", message.event), way, words])
        }
        Item::Undelivered(message) => {
            let words = escape(&undelivered::tell(report, message));
            let way = format!("{} ↚ {}", escape(&message.to), escape(&message.from));
            (" class=\"missing\"", [time(message.stopped_ns), "–".into(), way, words])
        }
        Item::Fault(fault) => {
            let whom = escape(&fault.nodes.join(", "));
            let words = format!("fault: {}", escape(&story::what(fault)));
            (" class=\"struck\"", [time(fault.at_ns), event_of(report, fault), whom, words])
        }
    };
    format!("<tr{class}>{}</tr>", cells.map(|cell| format!("<td>{cell}</td>")).concat())
}

/// The number of an event; a note is none, and comes after one.
pub(super) fn number(line: &LogLine) -> String {
    if line.kind == "note" { format!("after #{}", line.event) } else { format!("#{}", line.event) }
}

/// The number of the event with which a fault struck: one that only changes how something behaves is none, and comes
/// after one; and the log may not go back so far.
fn event_of(report: &Report, fault: &FaultReport) -> String {
    let is_at = |line: &&LogLine| line.at_ns == fault.at_ns;
    let is_strike = |line: &&LogLine| matches!(line.kind.as_str(), "fault" | "kill" | "pause" | "reset" | "signal");
    let strike = report.log.iter().filter(is_at).find(is_strike);
    let before = || report.log.iter().rfind(|line| line.at_ns <= fault.at_ns && line.kind != "note");
    match (strike, before()) {
        (Some(line), _) => format!("#{}", line.event),
        (None, Some(line)) => format!("after #{}", line.event),
        (None, None) => "before the log".into(),
    }
}

/// The faults that took effect before the failure, the nearest first.
fn faults_nearest(report: &Report) -> String {
    let (faults, more) = faults_before(report);
    if faults.is_empty() {
        return "<p class=\"note\">No fault had taken effect before it.</p>".into();
    }
    let at = report.verdict.at_ns;
    let row = |fault: &&FaultReport| {
        let since = span(at.saturating_sub(fault.at_ns));
        let over = match fault.until_ns.filter(|until| *until < at) {
            Some(until) => format!("{} before", span(at - until)),
            None => "<b>it still held</b>".into(),
        };
        vec![
            format!("{since} before"),
            over,
            format!("<span class=\"key {}\"></span>{}", marks::class_of(&fault.kind), escape(&story::what(fault))),
            effects(report, fault),
        ]
    };
    let rows: Vec<Vec<String>> = faults.iter().map(row).collect();
    let more = match more {
        0 => String::new(),
        more => {
            format!("<p class=\"note\">{more} more had come and gone before; the section of faults has them all.</p>")
        }
    };
    let table = table(&["it began", "it was over", "fault", "what it did"], &rows);
    format!("<h3>Faults before it, the nearest first</h3><div class=\"nearest\">{table}</div>{more}")
}

/// What a fault did, each count with what it counts for who points at it.
fn effects(report: &Report, fault: &FaultReport) -> String {
    let one = |(name, count): (&String, &u64)| match report.words.get(&format!("count {name}")) {
        Some(about) => format!("<span title=\"{}\">{count} {}</span>", escape(about), escape(&name.replace('_', " "))),
        None => format!("{count} {}", escape(&name.replace('_', " "))),
    };
    fault.effects.iter().filter(|(_, count)| **count > 0).map(one).collect::<Vec<_>>().join(", ")
}

/// What names mean.
pub(super) fn legend_of(legend: &[(String, String)]) -> String {
    if legend.is_empty() {
        return String::new();
    }
    let row = |(name, about): &(String, String)| {
        let name = match name.rsplit_once(' ') {
            Some((event, field)) => {
                format!("<code>{}</code> <span class=\"note\">in {}</span>", escape(field), escape(event))
            }
            None => format!("<code>{}</code>", escape(name)),
        };
        format!("<dt>{name}</dt><dd>{}</dd>", escape(about))
    };
    let rows: String = legend.iter().map(row).collect();
    format!("<details class=\"words\" open><summary>What these names mean</summary><dl>{rows}</dl></details>")
}

fn faults(report: &Report, body: &mut String) {
    if report.faults.is_empty() {
        return;
    }
    let count = |outcome: &str| report.faults.iter().filter(|fault| fault.outcome == outcome).count();
    let row = |fault: &FaultReport| {
        let long = fault.until_ns.map_or_else(|| "to the end".into(), |until| span(until.saturating_sub(fault.at_ns)));
        let did = effects(report, fault);
        let why = if fault.why.is_empty() { did } else { format!("{}; {did}", escape(&fault.why)) };
        let why = why.trim_end_matches("; ").to_owned();
        let others = if fault.others.is_empty() { String::new() } else { format!(" | {}", fault.others.join(", ")) };
        vec![
            time(fault.at_ns),
            event_of(report, fault),
            escape(&fault.id),
            escape(&format!("{}{others}", fault.nodes.join(", "))),
            long,
            format!("<span class=\"{0}\">{0}</span>", escape(&fault.outcome)),
            why,
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
    folded(body, "Faults", &note, &table(&["time", "event", "fault", "whom", "for", "outcome", "what it did"], &rows));
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
    let mut content = String::new();
    if !rows.is_empty() {
        content.push_str(&table(&["invariant", "evaluated", "events seen", "verdict"], &rows));
    }
    let probes: Vec<Vec<String>> = report
        .probes
        .iter()
        .map(|probe| {
            let hit =
                if probe.count == 0 { "<span class=\"violated\">MISS</span>".into() } else { probe.count.to_string() };
            vec![escape(&probe.name), hit, escape(&probe.expected), escape(&probe.about)]
        })
        .collect();
    if !probes.is_empty() {
        content.push_str(&table(&["probe", "passed", "expected", "what it means"], &probes));
    }
    let counts = report.tally.iter().chain(&report.effects);
    let counts: Vec<Vec<String>> = counts.map(|(name, count)| vec![escape(name), count.to_string()]).collect();
    if !counts.is_empty() {
        content.push_str(&table(&["count or high-water mark", ""], &counts));
    }
    if case::is_property(report) {
        if !content.is_empty() {
            folded(body, "Counts", "of the laws", &content);
        }
        return;
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
    if let Some(small) = about.made_small() {
        let _ = write!(content, "<p>This run was {}.</p>", escape(&small));
    }
    content.push_str(&roles(report));
    if !rows.is_empty() {
        content.push_str(&table(&["field", "default", "here"], &rows));
    }
    let _ = write!(content, "<h3>The scenario as this seed resolves it</h3><pre>{}</pre>", escape(&report.plan));
    folded(body, "Scenario", &format!("{} differences from the defaults", rows.len()), &content);
}

/// How many of each role run, and how many are a majority.
fn roles(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .roles
        .iter()
        .map(|role| {
            let majority = |count: u32| {
                if role.is_client || count == 0 { String::new() } else { quorum(count as usize).to_string() }
            };
            let (runs, count) = (majority(role.runs), majority(role.count));
            vec![escape(&role.name), role.count.to_string(), count, role.runs.to_string(), runs]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&["role", "in the file", "a majority of those", "run", "a majority of those that run"], &rows)
}
