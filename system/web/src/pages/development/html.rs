//! The report as a page: no file but itself, nothing that a policy with a nonce would not let pass.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::report::{Report, Section};
use super::{markdown, paint};
use crate::pages::escape::Escaped;
use crate::trace::{Step, Trace, Way, micros};
use crate::{FILTERED, Outcome, Route};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Steps that are deeper are shown as deep as this.
const DEPTH_MAX: usize = 6;

pub(super) fn page(report: &Report, nonce: &str) -> String {
    let mut page = Page(String::with_capacity(32 * 1024));
    let kind = if report.status < 500 { "client" } else { "server" };
    page.push(format_args!(
        "<!doctype html><html lang=\"en\" class=\"{kind}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head><body>",
        Escaped(report.title())
    ));
    page.top(report);
    page.push(format_args!("<div class=\"wrap grid\"><main>"));
    page.source(report);
    page.causes(report);
    page.routes(&report.routes, report.nearest);
    if let Some((trace, elapsed)) = &report.trace {
        page.way(trace, *elapsed);
    }
    page.block("Details", report.details.as_deref());
    page.log(report);
    page.processes(report);
    page.push(format_args!("</main><aside>"));
    report.sections.iter().for_each(|section| page.section(section));
    let seen = if report.is_for_all {
        "Everybody who can reach this server sees this page. In production the answer is"
    } else {
        "Only clients on this machine see this page. Everybody else gets"
    };
    page.push(format_args!(
        "</aside></div><footer class=\"wrap\">{seen} <code>{} {}</code>.</footer><textarea id=\"markdown\" readonly hidden aria-hidden=\"true\">\n{}</textarea>\
         <script nonce=\"{nonce}\">{SCRIPT}</script></body></html>\n",
        report.status,
        Escaped(report.reason),
        Escaped(markdown::of(report))
    ));
    page.0
}

struct Page(String);

impl Page {
    fn push(&mut self, part: fmt::Arguments<'_>) {
        self.0.write_fmt(part).expect("a string takes everything");
    }

    fn top(&mut self, report: &Report) {
        let kind = if report.is_panic { "panic" } else { report.code };
        self.push(format_args!(
            "<header class=\"top\"><div class=\"wrap\"><div class=\"bar\"><span class=\"chip\">{}</span>\
             <span>{}</span><code>{}</code><button id=\"copy\" type=\"button\">Copy as Markdown</button></div><h1>{}</h1>",
            report.status,
            Escaped(report.reason),
            Escaped(kind),
            Escaped(&report.headline)
        ));
        self.push(format_args!(
            "<p class=\"asked\"><b class=\"mono\">{}</b> <span class=\"mono\">{}</span>",
            Escaped(&report.method),
            Escaped(&report.target)
        ));
        if let Some(route) = report.route {
            self.push(format_args!(", handled by <span class=\"mono\">{}</span>", Escaped(route.handler)));
        }
        self.push(format_args!("</p>"));
        if report.headline != report.message && report.message != report.reason {
            self.push(format_args!("<p class=\"told\">The client is told: {}</p>", Escaped(&report.message)));
        }
        self.push(format_args!("</div></header>"));
    }

    fn source(&mut self, report: &Report) {
        let Some(place) = &report.place else { return };
        let title = if report.is_panic { "Panicked here" } else { "Failed here" };
        self.push(format_args!("<section><h2>{title} "));
        match &report.link {
            Some(link) => {
                self.push(format_args!("<a class=\"mono\" href=\"{}\">{}</a>", Escaped(link), Escaped(place)));
            }
            None => self.push(format_args!("<span class=\"mono\">{}</span>", Escaped(place))),
        }
        self.push(format_args!("</h2>"));
        if let Some(excerpt) = &report.excerpt {
            self.push(format_args!("<pre class=\"src\"><code>"));
            for (number, line) in (excerpt.first..).zip(&excerpt.lines) {
                let here = if number == place.line { " class=\"here\"" } else { "" };
                self.push(format_args!("<span{here} data-n=\"{number}\">{}\n</span>", paint::line(line)));
            }
            self.push(format_args!("</code></pre>"));
        }
        self.push(format_args!("</section>"));
    }

    fn causes(&mut self, report: &Report) {
        if report.causes.is_empty() {
            return;
        }
        self.push(format_args!("<section><h2>Because</h2><ol class=\"causes\">"));
        for cause in &report.causes {
            self.push(format_args!("<li>{}</li>", Escaped(cause)));
        }
        self.push(format_args!("</ol></section>"));
    }

    fn routes(&mut self, routes: &[&Route], nearest: Option<usize>) {
        if routes.is_empty() {
            return;
        }
        self.push(format_args!("<section><h2>Routes <span class=\"mono\">{}</span></h2>", routes.len()));
        self.push(format_args!("<table class=\"routes mono\">"));
        for (at, route) in routes.iter().enumerate() {
            let meant = if nearest == Some(at) { "<span class=\"det\">did you mean this?</span>" } else { "" };
            let Route { method, path, handler, .. } = route;
            self.push(format_args!(
                "<tr><td>{}</td><td>{}{meant}</td><td>{}</td></tr>",
                Escaped(method),
                Escaped(path),
                Escaped(handler)
            ));
        }
        self.push(format_args!("</table></section>"));
    }

    /// Each step beside a bar: when it began, and how long it took.
    fn way(&mut self, trace: &Trace, whole: Duration) {
        let whole = whole.max(Duration::from_nanos(1));
        self.push(format_args!("<section><h2>Its way so far <span class=\"mono\">{}</span></h2>", micros(whole)));
        self.push(format_args!("<table class=\"way mono\">"));
        trace.steps().iter().for_each(|step| self.step(step, whole));
        self.push(format_args!("</table></section>"));
    }

    fn step(&mut self, step: &Step, whole: Duration) {
        let bad = if step.outcome == Outcome::Passed { "" } else { " class=\"bad\"" };
        let (arrow, way) = match step.way {
            Way::In => ("\u{2192}", "in"),
            Way::Out => ("\u{2190}", "out"),
        };
        let depth = step.depth.min(DEPTH_MAX);
        self.push(format_args!(
            "<tr{bad}><td><div class=\"d{depth}\"><span class=\"arrow\">{arrow}</span>{}",
            Escaped(step.name)
        ));
        if let Some(detail) = step.detail {
            self.push(format_args!(" <span class=\"det\">{}</span>", Escaped(detail)));
        }
        if step.outcome != Outcome::Passed {
            self.push(format_args!(" <span class=\"oc\">{}</span>", step.outcome));
        }
        let share = |part: Duration| part.as_secs_f64() / whole.as_secs_f64() * 1_000.0;
        // What has not ended reaches to now.
        let took = step.took.unwrap_or_else(|| whole.saturating_sub(step.at));
        let (x, width) = (share(step.at).min(994.0), share(took).max(6.0));
        let took = micros(took);
        self.push(format_args!(
            "</div></td><td><svg viewBox=\"0 0 1000 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"{way}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"8\"/></svg></td><td>{took}</td></tr>"
        ));
    }

    fn block(&mut self, title: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.push(format_args!(
                "<section><h2>{title}</h2><pre class=\"plain\"><code>{}</code></pre></section>",
                Escaped(text)
            ));
        }
    }

    fn log(&mut self, report: &Report) {
        if report.log.is_empty() {
            return;
        }
        let lines = report.log.len();
        self.push(format_args!(
            "<details open><summary>Log <span class=\"count\">last {lines}</span></summary><pre class=\"plain log\"><code>"
        ));
        for line in &report.log {
            let level = line.split_whitespace().nth(1).unwrap_or_default();
            let class = match level {
                "ERROR" => "e",
                "WARN" => "w",
                "DEBUG" | "TRACE" => "d",
                _ => "i",
            };
            self.push(format_args!("<span class=\"{class}\">{}</span>", Escaped(line)));
        }
        self.push(format_args!("</code></pre></details>"));
    }

    fn processes(&mut self, report: &Report) {
        let Some((first, rest)) = report.processes.split_first() else { return };
        self.push(format_args!(
            "<details open><summary>Processes <span class=\"count\">{}</span></summary>\
             <pre class=\"plain\"><code>{}</code></pre></details>",
            Escaped(first.rsplit("Z: ").next().unwrap_or(first)),
            Escaped(rest.join("\n"))
        ));
    }

    fn section(&mut self, section: &Section) {
        let rows = section.rows.len();
        self.push(format_args!(
            "<details open><summary>{} <span class=\"count\">{rows}</span></summary><table class=\"kv mono\">",
            Escaped(section.title)
        ));
        for (name, value) in &section.rows {
            let hidden = if value == FILTERED { " class=\"hid\"" } else { "" };
            if value.is_empty() {
                self.push(format_args!("<tr><td class=\"alone\" colspan=\"2\">{}</td></tr>", Escaped(name)));
            } else {
                self.push(format_args!("<tr><td>{}</td><td{hidden}>{}</td></tr>", Escaped(name), Escaped(value)));
            }
        }
        self.push(format_args!("</table></details>"));
    }
}
