//! One line in the log, and two telemetry events, for each request.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use simurgh_http::Request;
use simurgh_runtime::Instant;
use simurgh_telemetry::{event, is_heard};
use tracing::Level;

use crate::{Conn, Error, Filter};

/// A line in the log for each request, when its response is ready:
///
/// ```text
/// INFO  [shop] connection 3: GET /orders/7?token=[filtered] status=200 duration_us=312 route=/orders/:id request_id=..
/// ```
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Filter, RequestLog, test};
/// use tracing::Level;
///
/// # simurgh_runtime::run("doc", async {
/// let log = RequestLog::new()
///     .filter(Filter::default().hide("iban"))
///     .level(|status| if status.is_server_error() { Level::ERROR } else { Level::DEBUG })
///     .except("/health");
/// let endpoint = Endpoint::new(async |conn: &mut Conn| conn.text("well")).log(log);
/// test::get(&endpoint, "/health").await;
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`filter`](Self::filter) | [`Filter`]'s | names whose values are not shown |
/// | [`level`](Self::level) | by status | how important a line is |
/// | [`except`](Self::except) | none | a path without a line, unless the server fails |
///
/// By default the level is `info`, for a status from 400 `warn` and from 500 `error`. A failure says its
/// `code`, and what was behind it as `error`; the client hears nothing of the latter. A request whose
/// client goes away before its answer is ready has a line too, with `gone=true` and no status. The
/// request's id is the response's header `x-request-id`.
///
/// Without a request log, an endpoint still logs errors of the server.
///
/// The events, whether or not there is a request log:
///
/// | event | measurements | metadata |
/// | --- | --- | --- |
/// | `web.request.start` | | `method`, `path` |
/// | `web.router.dispatch` | | `method`, `route`, `handler` |
/// | `web.request.stop` | `duration_ns`, `status` | `method`, `path`, `route` |
/// | `web.request.exception` | `duration_ns` | `method`, `path`, `kind`: `panic` or `gone` |
///
/// Each start has exactly one stop or exception. `path` is as it came, without the query; the name of a
/// metric should be made of `route`, of which there are not many.
#[derive(Clone)]
pub struct RequestLog {
    filter: Filter,
    level: Arc<dyn Fn(StatusCode) -> Level + Send + Sync>,
    except: Vec<String>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { filter: Filter::default(), level: Arc::new(usual_level), except: Vec::new() }
    }
}

impl std::fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestLog").field("filter", &self.filter).field("except", &self.except).finish_non_exhaustive()
    }
}

fn usual_level(status: StatusCode) -> Level {
    match status.as_u16() {
        500.. => Level::ERROR,
        400.. => Level::WARN,
        _ => Level::INFO,
    }
}

impl RequestLog {
    /// A log as described.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is not shown.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// How important a line is, by its status.
    pub fn level(mut self, level: impl Fn(StatusCode) -> Level + Send + Sync + 'static) -> Self {
        self.level = Arc::new(level);
        self
    }

    /// No line for this path, as long as it does not fail with an error of the server.
    pub fn except(mut self, path: impl Into<String>) -> Self {
        self.except.push(path.into());
        self
    }

    fn write(&self, conn: &Conn, took: Duration) {
        let status = conn.status().unwrap_or_default();
        if !status.is_server_error() && self.except.iter().any(|path| path == conn.path()) {
            return;
        }
        let method = conn.method();
        let target = self.filter.target(conn);
        let request_id = conn.response_headers().get("x-request-id").and_then(|id| id.to_str().ok());
        let route = conn.route().map(|route| route.path);
        let code = conn.error().map(Error::code);
        let behind = conn.error().and_then(Error::behind);
        let (number, duration_us) = (status.as_u16(), took.as_micros() as u64);
        // A level is part of a place in the program.
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    Level::$level,
                    status = number,
                    duration_us,
                    route,
                    request_id,
                    code,
                    error = behind,
                    "{method} {target}"
                )
            };
        }
        match (self.level)(status) {
            Level::ERROR => line!(ERROR),
            Level::WARN => line!(WARN),
            Level::INFO => line!(INFO),
            Level::DEBUG => line!(DEBUG),
            Level::TRACE => line!(TRACE),
        }
    }

    fn write_gone(&self, method: &Method, uri: &Uri, took: Duration) {
        let target = self.filter.address(&uri.to_string());
        tracing::info!(gone = true, duration_us = took.as_micros() as u64, "{method} {target}");
    }
}

/// One request, watched from its beginning to its end, or to the client's going away.
pub(crate) struct Watch {
    /// In a box, so that who is not watched takes no room for it.
    watched: Option<Box<Watched>>,
}

struct Watched {
    method: Method,
    uri: Uri,
    began: Instant,
    log: Option<Arc<RequestLog>>,
}

impl Watch {
    pub(crate) fn begin(request: &Request, log: Option<&Arc<RequestLog>>) -> Self {
        if log.is_none() && !is_heard() {
            return Self { watched: None };
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        event!("web.request.start", {}, { method: method.as_str(), path: uri.path() });
        let watched = Watched { method, uri, began: Instant::now(), log: log.cloned() };
        Self { watched: Some(Box::new(watched)) }
    }

    pub(crate) fn end(mut self, conn: &Conn) {
        let watched = self.watched.take();
        let log = watched.as_ref().and_then(|watched| watched.log.as_ref());
        if log.is_none() {
            log_failure(conn);
        }
        let Some(watched) = &watched else { return };
        let took = watched.began.elapsed();
        if let Some(log) = log {
            log.write(conn, took);
        }
        let (method, path) = (watched.method.as_str(), watched.uri.path());
        let duration_ns = took.as_nanos();
        if conn.error().is_some_and(|error| error.get_panic().is_some()) {
            event!("web.request.exception", { duration_ns: duration_ns }, { method: method, path: path, kind: "panic" });
            return;
        }
        let status = conn.status().unwrap_or_default().as_u16();
        let route = conn.route().map_or("", |route| route.path);
        event!(
            "web.request.stop",
            { duration_ns: duration_ns, status: status },
            { method: method, path: path, route: route }
        );
    }
}

/// The server's own errors are never lost, whatever is logged else.
fn log_failure(conn: &Conn) {
    let Some(error) = conn.error().filter(|error| error.status().is_server_error()) else { return };
    let target = Filter::default().target(conn);
    let (status, code, behind) = (error.status().as_u16(), error.code(), error.behind());
    tracing::error!(status, code, error = behind, "{} {target}", conn.method());
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(watched) = self.watched.take() else { return };
        let took = watched.began.elapsed();
        if let Some(log) = &watched.log {
            log.write_gone(&watched.method, &watched.uri, took);
        }
        let (method, path) = (watched.method.as_str(), watched.uri.path());
        event!(
            "web.request.exception",
            { duration_ns: took.as_nanos() },
            { method: method, path: path, kind: "gone" }
        );
    }
}
