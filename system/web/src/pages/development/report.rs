//! All that is known of an error, gathered once, for every form.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{Version, header};
use serde_json::{Value, json};
use simurgh_otp::observer;
use simurgh_runtime::Header;
use simurgh_telemetry::logs;

use super::source::{Excerpt, Place};
use super::{Development, nearest};
use crate::{Conn, Error, FILTERED, Filter, Route, Session, Trace};

/// Lines of the process tree that are shown.
const PROCESS_LINES_MAX: usize = 60;
/// Routes that are shown when none was found.
const ROUTES_MAX: usize = 100;
/// Characters of a value that are shown.
const VALUE_LEN_MAX: usize = 2_000;

pub(super) struct Report {
    /// Whether strangers see it too.
    pub(super) is_for_all: bool,
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) code: &'static str,
    pub(super) is_panic: bool,
    /// What it is about, in a sentence.
    pub(super) headline: String,
    /// What the client would be told.
    pub(super) message: String,
    pub(super) details: Option<String>,
    /// What was behind it, the nearest first; the headline is not among them.
    pub(super) causes: Vec<String>,
    pub(super) place: Option<Place>,
    pub(super) link: Option<String>,
    pub(super) excerpt: Option<Excerpt>,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) route: Option<&'static Route>,
    /// Those that could have been meant, if no route was found.
    pub(super) routes: Vec<&'static Route>,
    /// Which of them is meant, perhaps.
    pub(super) nearest: Option<usize>,
    pub(super) sections: Vec<Section>,
    /// With the time since the request came.
    pub(super) trace: Option<(Trace, Duration)>,
    pub(super) processes: Vec<String>,
    pub(super) log: Vec<Arc<str>>,
}

/// Names and values under a title.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<(String, String)>,
}

impl Report {
    pub(super) fn of(pages: &Development, conn: &Conn, error: &Error) -> Self {
        // First of all: what is done from here on is not the request's time.
        let trace = conn.trace().map(|trace| (trace.clone(), trace.elapsed()));
        let status = error.status();
        let panic = error.get_panic();
        let mut causes: Vec<String> = error.causes().map(ToString::to_string).collect();
        let headline = match panic {
            Some(panic) => panic.message.clone(),
            None if is_lost(conn, error) => format!("no route takes {} {}", conn.method(), conn.path()),
            None if causes.is_empty() => error.message().to_owned(),
            None => causes.remove(0),
        };
        let made_at = error.made_at();
        let made_at = Place { file: made_at.file().to_owned(), line: made_at.line(), column: made_at.column() };
        let place = match panic {
            Some(panic) => panic.location.as_deref().and_then(Place::parse),
            None => Some(made_at).filter(|place| !place.is_in_std()),
        };
        // Where a missing route was missed is of no interest.
        let is_lost = is_lost(conn, error);
        let place = place.filter(|_| !is_lost);
        let excerpt = place.as_ref().and_then(|place| pages.roots.excerpt(place));
        let link = pages.editor.as_ref().zip(place.as_ref()).zip(excerpt.as_ref());
        let link =
            link.map(|((editor, place), found)| editor.link(&found.path.to_string_lossy(), place.line, place.column));
        let routes = if is_lost { conn.routes() } else { &[] };
        let routes: Vec<_> = routes.iter().take(ROUTES_MAX).collect();
        Self {
            is_for_all: pages.is_for_all,
            status: status.as_u16(),
            reason: status.canonical_reason().unwrap_or("Error"),
            code: error.code(),
            is_panic: panic.is_some(),
            headline,
            message: error.message().to_owned(),
            details: error.get_details().map(|details| format!("{details:#}")),
            causes,
            place,
            link,
            excerpt,
            method: conn.method().to_string(),
            target: pages.filter.target(conn),
            route: conn.route(),
            nearest: nearest::to(conn.path_info(), &routes),
            routes,
            sections: sections(pages, conn),
            trace,
            processes: processes(),
            log: logs::recent(),
        }
    }

    /// The first line of every form.
    pub(super) fn title(&self) -> String {
        let Self { status, reason, headline, .. } = self;
        match self.is_panic {
            true => format!("{status} {reason}: panicked: {headline}"),
            false if headline == reason => format!("{status} {reason}"),
            false => format!("{status} {reason}: {headline}"),
        }
    }

    pub(super) fn in_json(&self) -> Value {
        let sections = self.sections.iter().map(|section| {
            let rows = section.rows.iter().map(|(name, value)| json!([name, value]));
            (section.title.to_lowercase(), rows.collect())
        });
        let excerpt = self.excerpt.as_ref().map(|found| json!({ "first_line": found.first, "lines": found.lines }));
        json!({
            "headline": self.headline,
            "panicked": self.is_panic,
            "causes": self.causes,
            "at": self.place.as_ref().map(ToString::to_string),
            "source": excerpt,
            "method": self.method,
            "target": self.target,
            "route": self.route.map(|route| route.path),
            "handler": self.route.map(|route| route.handler),
            "way": self.trace.as_ref().map(|(trace, _)| lines(&trace.to_string())),
            "request": sections.collect::<serde_json::Map<String, Value>>(),
            "processes": self.processes,
            "log": self.log.iter().map(|line| &**line).collect::<Vec<_>>(),
        })
    }
}

/// Whether a router found no route for it.
fn is_lost(conn: &Conn, error: &Error) -> bool {
    let is_lost = conn.route().is_none() && !conn.routes().is_empty();
    is_lost && error.get_panic().is_none() && matches!(error.status().as_u16(), 404 | 405)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn sections(pages: &Development, conn: &Conn) -> Vec<Section> {
    let filter = &pages.filter;
    let hidden = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.to_string(), cut(filter.value(&name, &value)));
    let params = conn.path_params().iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(value.as_str())));
    let query = form_urlencoded::parse(conn.query_string().as_bytes());
    let mut sections = vec![
        Section { title: "Request", rows: facts(conn) },
        Section { title: "Path parameters", rows: params.map(hidden).collect() },
        Section { title: "Query parameters", rows: query.map(hidden).collect() },
        Section { title: "Headers", rows: headers(filter, conn) },
        Section { title: "Cookies", rows: cookies(conn) },
        Section { title: "Session", rows: session(conn) },
    ];
    for (title, rows) in &pages.sections {
        let rows = rows(conn).into_iter().map(|(name, value)| hidden((name.into(), value.into())));
        sections.push(Section { title, rows: rows.collect() });
    }
    let assigned = conn.assigns().names().map(|name| (name.to_owned(), String::new())).collect();
    sections.push(Section { title: "Assigns", rows: assigned });
    sections.retain(|section| !section.rows.is_empty());
    sections
}

fn facts(conn: &Conn) -> Vec<(String, String)> {
    let version = match conn.version() {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    };
    let mut facts = vec![
        ("method", conn.method().to_string()),
        ("address", format!("{}://{}:{}", conn.scheme(), conn.host().unwrap_or("-"), conn.port())),
        ("client", format!("{}, connection {}, {version}", conn.client().peer(), conn.client().number())),
    ];
    if let Some(route) = conn.route() {
        facts.push(("route", format!("{} {}", route.method, route.path)));
        facts.push(("handler", route.handler.to_owned()));
        if !route.pipelines.is_empty() {
            facts.push(("pipelines", route.pipelines.join(", ")));
        }
    }
    if let Some(id) = super::production::request_id(conn) {
        facts.push(("request id", id.to_owned()));
    }
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn headers(filter: &Filter, conn: &Conn) -> Vec<(String, String)> {
    let shown = conn.request_headers().iter().map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let is_address = name == header::REFERER || name == header::LOCATION;
        let text = if is_address { filter.address(&text).into() } else { text };
        let is_secret = value.is_sensitive() || filter.hides(name.as_str());
        (name.to_string(), if is_secret { FILTERED.to_owned() } else { cut(&text) })
    });
    shown.collect()
}

/// Names only: a cookie may be whoever has it.
fn cookies(conn: &Conn) -> Vec<(String, String)> {
    let values = conn.request_headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split('=').next()).map(str::trim);
    names.filter(|name| !name.is_empty()).map(|name| (name.to_owned(), FILTERED.to_owned())).collect()
}

/// Names only, if it was fetched: what is in it is the user's.
fn session(conn: &Conn) -> Vec<(String, String)> {
    let names = conn.try_session().into_iter().flat_map(Session::keys);
    names.map(|name| (cut(name), FILTERED.to_owned())).collect()
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(VALUE_LEN_MAX) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

fn processes() -> Vec<String> {
    // Outside of a node there are none.
    if Header::with(|header| header.is_none()) {
        return Vec::new();
    }
    let text = observer::tree().to_string();
    let mut lines: Vec<String> = text.lines().take(PROCESS_LINES_MAX).map(str::to_owned).collect();
    let more = text.lines().count() - lines.len();
    if more > 0 {
        lines.push(format!("and {more} lines more"));
    }
    lines
}
