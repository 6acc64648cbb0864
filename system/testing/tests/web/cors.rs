//! Which foreign pages may read answers.

use simurgh_test::{get, options};
use simurgh_web::pages::Production;
use simurgh_web::{Conn, Cors, CorsOptions, Endpoint, Error, Plug, Result};

use crate::case::{Stage, cases};

cases! {
    "cors.preflight": "a preflight of an origin, method and headers that are let through is 204" => preflight;
    "cors.preflight_refused": "another origin, method or header is 403, and says which" => preflight_refused;
    "cors.simple": "the page of an origin that is let through may read the answer, cookies included" => simple;
    "cors.below": "all origins below a name can be let through" => below;
    "cors.error": "it may read errors too" => errors;
    "cors.others": "others may not, and the answer varies by origin" => others;
    "cors.any": "to all there are, an answer is the same" => any;
}

async fn api(conn: &mut Conn) -> Result {
    if conn.path() == "/fails" {
        return Err(Error::not_found());
    }
    conn.text("for you");
    Ok(())
}

fn endpoint(origins: &[&str], credentials: bool) -> Endpoint<impl Plug> {
    let options = CorsOptions {
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        headers: vec!["content-type".to_owned(), "x-token".to_owned()],
        expose: vec!["x-total".to_owned()],
        credentials,
        ..CorsOptions::default()
    };
    Endpoint::new((Cors::new(options).unwrap(), api)).pages(Production::new())
}

const APP: &str = "https://app.example";

async fn preflight(stage: Stage) {
    let http = stage.http(endpoint(&[APP], true)).await;
    let request = options("/").header("origin", APP).header("access-control-request-method", "PUT");
    http.send(request.header("access-control-request-headers", "X-Token, content-type"))
        .await
        .assert_status(204)
        .assert_body("")
        .assert_header("access-control-allow-origin", APP)
        .assert_header("access-control-allow-credentials", "true")
        .assert_header("access-control-allow-headers", "content-type, x-token")
        .assert_header("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
        .assert_header("access-control-max-age", "600");
}

async fn preflight_refused(stage: Stage) {
    let http = stage.http(endpoint(&[APP], false)).await;
    for (origin, method, headers, said) in [
        ("https://evil.example", "GET", "", "origin"),
        ("http://app.example", "GET", "", "origin"),
        (APP, "TRACE", "", "method"),
        (APP, "GET", "x-other", "headers"),
    ] {
        let request = options("/").header("origin", origin).header("access-control-request-method", method);
        let request = request.header("access-control-request-headers", headers).accept("application/json");
        let answer = http.send(request).await;
        answer.assert_error(403, "cors_refused").assert_no_header("access-control-allow-methods");
        assert!(answer.text().contains(said), "{}", answer.text());
    }
}

async fn simple(stage: Stage) {
    let http = stage.http(endpoint(&[APP], true)).await;
    http.send(get("/").header("origin", APP))
        .await
        .assert_header("access-control-allow-origin", APP)
        .assert_header("access-control-allow-credentials", "true")
        .assert_header("access-control-expose-headers", "x-total")
        .assert_header("vary", "origin")
        .assert_body("for you");
}

async fn below(stage: Stage) {
    let http = stage.http(endpoint(&["https://*.app.example"], false)).await;
    let answer = http.send(get("/").header("origin", "https://a.b.app.example")).await;
    answer.assert_header("access-control-allow-origin", "https://a.b.app.example");
    for origin in [APP, "https://evilapp.example", "http://a.app.example"] {
        http.send(get("/").header("origin", origin)).await.assert_no_header("access-control-allow-origin");
    }
}

async fn errors(stage: Stage) {
    let http = stage.http(endpoint(&[APP], false)).await;
    let answer = http.send(get("/fails").header("origin", APP)).await;
    answer.assert_status(404).assert_header("access-control-allow-origin", APP);
}

async fn others(stage: Stage) {
    let http = stage.http(endpoint(&[APP], true)).await;
    for request in [get("/").header("origin", "https://evil.example"), get("/").header("origin", "null"), get("/")] {
        let answer = http.send(request).await;
        answer.assert_body("for you").assert_no_header("access-control-allow-origin").assert_header("vary", "origin");
    }
}

async fn any(stage: Stage) {
    let http = stage.http(endpoint(&["*"], false)).await;
    let answer = http.send(get("/").header("origin", APP)).await;
    answer.assert_header("access-control-allow-origin", "*").assert_no_header("vary");
}
