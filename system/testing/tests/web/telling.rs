//! What the log and telemetry say of requests.

use std::sync::Arc;

use simurgh_runtime::sync::Mutex;
use simurgh_telemetry::{attach, detach, logs};
use simurgh_test::{get, post};
use simurgh_web::{Conn, Endpoint, Error, Filter, Plug, RequestLog, Result, request_id, router};

use crate::case::{Stage, cases};

cases! {
    "telling.log_line": "each request has one line: method, target, status, time, route, id" => log_line;
    "telling.log_levels": "failures are warnings, those of the server errors, with what was behind them" => log_levels;
    "telling.log_filter": "secrets in path and query are not in the log" => log_filter;
    "telling.log_except": "a path can be left out, as long as it does not fail" => log_except;
    "telling.log_one_line": "no value makes a line of its own" => log_one_line;
    "telling.errors_without_log": "errors of the server are logged also without a request log" => errors_without_log;
    "telling.events": "a request that is answered tells start, dispatch and stop" => events;
    "telling.event_panic": "one that panics tells an exception in place of the stop" => event_panic;
}

mod shop {
    use super::{Conn, Error, Result};

    pub(super) async fn order(_: &mut Conn) -> &'static str {
        "an order"
    }
    pub(super) async fn reset(_: &mut Conn) -> Result {
        Err(Error::internal("mail server said no\nand another line"))
    }
    pub(super) async fn panics(_: &mut Conn) -> &'static str {
        panic!("no stock")
    }
}

router! {
    get "/orders/:id" => shop::order;
    get "/reset/:token" => shop::reset;
    get "/panics" => shop::panics;
}

/// The lines of one request for this target.
async fn lines<P: Plug>(stage: &Stage, endpoint: Endpoint<P>, target: &str) -> Vec<Arc<str>> {
    let http = stage.http(endpoint).await;
    logs::remember(0);
    logs::remember(100);
    http.send(get(target).header("x-request-id", "0190163d-8694-739b-aea5")).await;
    logs::recent()
}

fn logged() -> Endpoint<impl Plug> {
    Endpoint::new((request_id, router())).log(RequestLog::new().except("/orders/health").except("/reset/health"))
}

/// The line is one of this level, and says all of this.
#[track_caller]
fn assert_says(line: &str, level: &str, parts: &[&str]) {
    assert!(line.contains(&format!(" {level} ")), "no {level}: {line}");
    for part in parts {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

async fn log_line(stage: Stage) {
    let lines = lines(&stage, logged(), "/orders/7?page=2").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let id = "request_id=0190163d-8694-739b-aea5";
    assert_says(&lines[0], "INFO", &["GET /orders/7?page=2", "status=200", "duration_us=", "route=/orders/:id", id]);
}

async fn log_levels(stage: Stage) {
    let warned = lines(&stage, logged(), "/nowhere").await;
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_says(&warned[0], "WARN", &["GET /nowhere", "status=404", "code=not_found"]);
    let failed = lines(&stage, logged(), "/reset/x").await;
    assert_says(&failed[0], "ERROR", &["status=500", "code=internal", "mail server said no"]);
    let panicked = lines(&stage, logged(), "/panics").await;
    assert_says(panicked.last().unwrap(), "ERROR", &["status=500", "code=panic", "no stock"]);
}

async fn log_filter(stage: Stage) {
    let endpoint = Endpoint::new(router()).log(RequestLog::new().filter(Filter::default().hide("iban")));
    let lines = lines(&stage, endpoint, "/reset/s3cr3t?password=s3cr3t&IBAN=s3cr3t&page=2").await;
    assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains("s3cr3t")), "{lines:?}");
    assert_says(&lines[0], "ERROR", &["GET /reset/[filtered]?password=[filtered]&IBAN=[filtered]&page=2"]);
}

async fn log_except(stage: Stage) {
    assert_eq!(lines(&stage, logged(), "/orders/health").await, []);
    assert_eq!(lines(&stage, logged(), "/reset/health").await.len(), 1);
}

async fn log_one_line(stage: Stage) {
    let lines = lines(&stage, logged(), "/reset/%0Aforged").await;
    assert_eq!((lines.len(), lines[0].lines().count()), (1, 1), "{lines:?}");
}

async fn errors_without_log(stage: Stage) {
    let quiet = lines(&stage, Endpoint::new(router()), "/orders/7").await;
    assert_eq!(quiet, []);
    let failed = lines(&stage, Endpoint::new(router()), "/reset/x").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_says(&failed[0], "ERROR", &["GET /reset/[filtered]", "status=500", "mail server said no"]);
}

/// The web's events while this is asked for.
async fn told(stage: &Stage, target: &str) -> Vec<String> {
    let http = stage.http(Endpoint::new(router())).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&told);
    attach("case", "web", move |event| {
        let fact = ["kind", "route", "path"].iter().find_map(|name| event.str(name)).unwrap_or_default().to_owned();
        let status = event.measurement("status").map(|status| format!(" {status}")).unwrap_or_default();
        let is_timed = event.measurement("duration_ns").is_some();
        into.lock().push(format!("{} {fact}{status}{}", event.name, if is_timed { " timed" } else { "" }));
    })
    .unwrap();
    http.send(get(target)).await;
    assert!(detach("case"));
    http.send(post("/nowhere")).await;
    let told = told.lock();
    told.clone()
}

async fn events(stage: Stage) {
    let expected =
        ["web.request.start /orders/7", "web.router.dispatch /orders/:id", "web.request.stop /orders/:id 200 timed"];
    assert_eq!(told(&stage, "/orders/7?page=2").await, expected);
}

async fn event_panic(stage: Stage) {
    let expected = ["web.request.start /panics", "web.router.dispatch /panics", "web.request.exception panic timed"];
    assert_eq!(told(&stage, "/panics").await, expected);
}
