//! What the log and telemetry say of requests.

use std::sync::Arc;

use http::{Method, StatusCode};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::timeout;
use simurgh_telemetry::{attach, logs};
use simurgh_web::{Body, Conn, Endpoint, Error, Plug, RequestLog, Result, router, test};

mod shop {
    use simurgh_web::{Conn, Error, Result};

    pub(crate) async fn order(_: &mut Conn) -> &'static str {
        "an order"
    }

    pub(crate) async fn reset(_: &mut Conn) -> Result {
        Err(Error::internal("mail server said no"))
    }

    pub(crate) async fn panics(_: &mut Conn) -> &'static str {
        panic!("no stock")
    }

    pub(crate) async fn never(_: &mut Conn) -> &'static str {
        std::future::pending().await
    }
}

async fn with_id(conn: &mut Conn) {
    conn.put_header("x-request-id", "r-1");
}

router! {
    pipeline browser { with_id; }
    scope "/" through browser {
        get "/orders/:id" => shop::order;
        get "/reset/:token/of/:user" => shop::reset;
        get "/panics" => shop::panics;
        get "/never" => shop::never;
    }
}

/// The lines without time and duration, of requests for these targets.
async fn lines<P: Plug>(endpoint: &Endpoint<P>, targets: &[&str]) -> Vec<String> {
    logs::remember(0);
    logs::remember(100);
    for target in targets {
        let answer = test::send(endpoint, test::request(Method::GET, target, Body::empty()));
        let _ = timeout(std::time::Duration::from_millis(20), answer).await;
    }
    let without_times = |line: &Arc<str>| {
        let words = line.split(' ').skip(1).filter(|word| !word.starts_with("duration_us="));
        words.collect::<Vec<_>>().join(" ")
    };
    logs::recent().iter().map(without_times).collect()
}

#[test]
fn a_line_for_each_request_without_secrets() {
    simurgh_runtime::run("shop", async {
        let endpoint = Endpoint::new(router()).log(RequestLog::new().except("/orders/9"));
        let targets = ["/orders/7?page=2&api_key=abc", "/orders/9", "/nowhere", "/reset/abc/of/7", "/never?token=abc"];
        let expected = [
            "INFO  [shop] main: GET /orders/7?page=2&api_key=[filtered] status=200 route=/orders/:id request_id=r-1",
            "WARN  [shop] main: GET /nowhere status=404 code=not_found",
            "ERROR [shop] main: GET /reset/[filtered]/of/7 status=500 route=/reset/:token/of/:user request_id=r-1 \
             code=internal error=\"mail server said no\"",
            "INFO  [shop] main: GET /never?token=[filtered] gone=true",
        ];
        assert_eq!(lines(&endpoint, &targets).await, expected);
        let panicked = lines(&endpoint, &["/panics"]).await;
        let line = panicked.iter().find(|line| line.contains("GET /panics")).unwrap();
        assert!(line.contains("code=panic error=\"panicked: no stock, at system/web/tests/log.rs:"), "{line}");
    });
}

#[test]
fn without_a_request_log_the_servers_own_errors_are_logged() {
    simurgh_runtime::run("shop", async {
        let endpoint = Endpoint::new(router());
        let expected =
            ["ERROR [shop] main: GET /reset/[filtered]/of/7 status=500 code=internal error=\"mail server said no\""];
        assert_eq!(lines(&endpoint, &["/orders/7", "/nowhere", "/reset/abc/of/7", "/never"]).await, expected);
    });
}

#[test]
fn levels_are_a_choice() {
    simurgh_runtime::run("shop", async {
        let log = RequestLog::new()
            .level(|status| if status == StatusCode::OK { tracing::Level::DEBUG } else { tracing::Level::INFO });
        let lines = lines(&Endpoint::new(router()).log(log), &["/orders/7", "/nowhere"]).await;
        assert_eq!(lines, ["INFO  [shop] main: GET /nowhere status=404 code=not_found"]);
    });
}

#[test]
fn a_value_cannot_make_a_line() {
    async fn fails(_: &mut Conn) -> Result {
        Err(Error::internal("first\n2026-01-01T00:00:00.000Z ERROR [shop] main: forged"))
    }
    simurgh_runtime::run("shop", async {
        let endpoint = Endpoint::new(fails).log(RequestLog::new());
        let lines = lines(&endpoint, &["/%0A"]).await;
        assert_eq!((lines.len(), lines[0].lines().count()), (1, 1), "{lines:?}");
    });
}

#[test]
fn each_start_has_one_stop_or_exception() {
    simurgh_runtime::run("shop", async {
        let events = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&events);
        attach("test", "web", move |event| {
            let fact = ["kind", "route", "path"].iter().find_map(|name| event.str(name)).unwrap_or_default().to_owned();
            let status = event.measurement("status").map(|status| format!(" {status}")).unwrap_or_default();
            let is_timed = event.measurement("duration_ns").is_some();
            into.lock().push(format!("{} {fact}{status}{}", event.name, if is_timed { " timed" } else { "" }));
        })
        .unwrap();
        lines(&Endpoint::new(router()), &["/orders/7", "/nowhere", "/panics", "/never"]).await;
        let expected = [
            "web.request.start /orders/7",
            "web.router.dispatch /orders/:id",
            "web.request.stop /orders/:id 200 timed",
            "web.request.start /nowhere",
            "web.request.stop  404 timed",
            "web.request.start /panics",
            "web.router.dispatch /panics",
            "web.request.exception panic timed",
            "web.request.start /never",
            "web.router.dispatch /never",
            "web.request.exception gone timed",
        ];
        assert_eq!(*events.lock(), expected);
    });
}
