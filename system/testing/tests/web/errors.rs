//! What clients hear of errors, and what the people who write the application see.

use simurgh_test::{Http, get, post};
use simurgh_web::pages::{Development, Production};
use simurgh_web::{Conn, Endpoint, Error, Json, Pages, Plug, Result, StatusCode, request_id, router, secure_headers};

use crate::case::{Stage, cases};

cases! {
    "errors.plain": "if nothing is said, an error is one line of text" => plain;
    "errors.production_text": "in production, text for who takes anything" => production_text;
    "errors.production_json": "in production, JSON with status, code, message, details and the request's id" => production_json;
    "errors.production_html": "in production, a small page for browsers" => production_html;
    "errors.cause_is_not_told": "clients hear nothing of what was behind a 500" => cause_is_not_told;
    "errors.not_stored": "no cache keeps an error" => not_stored;
    "errors.policy_of_production": "the page's own style is let in, also behind secure_headers" => policy_of_production;
    "errors.policy_of_development": "so are the development page's own style and script" => policy_of_development;
    "errors.markup": "nothing in a page is markup of a stranger" => markup;
    "errors.development_page": "in development, a page with source, request, way, routes, processes and log" => development_page;
    "errors.development_text": "in development, the same as Markdown for curl" => development_text;
    "errors.development_json": "in development, the same as JSON" => development_json;
    "errors.development_routes": "in development, a 404 lists the routes, the nearest first of all" => development_routes;
    "errors.development_secrets": "in development, secrets are not shown in any form" => development_secrets;
    "errors.development_strangers": "strangers see the production answer" => development_strangers;
    "errors.own_pages": "an application may answer errors itself" => own_pages;
    "errors.panic": "a panic is 500, and ends nothing else" => panic;
    "errors.panic_in_plug": "so it is in a plug, on the way in and out" => panic_in_plug;
    "errors.silent_handler": "a handler that answers nothing is 404" => silent_handler;
    "errors.question_mark": "any error becomes a 500 by a question mark" => question_mark;
}

mod shop {
    use super::{Conn, Error, Json, Result, StatusCode};

    pub(super) async fn order(_: &mut Conn) -> Result<&'static str> {
        let _: u32 = "seven".parse()?;
        Ok("never said")
    }
    pub(super) async fn taken(_: &mut Conn) -> Result {
        let details = serde_json::json!({ "field": "name" });
        Err(Error::new(StatusCode::CONFLICT, "name_taken", "This name is <b>taken</b>.").details(details))
    }
    pub(super) async fn reset(_: &mut Conn) -> Result {
        Err(Error::internal("mail server said no"))
    }
    pub(super) async fn panics(_: &mut Conn) -> &'static str {
        panic!("no stock")
    }
    pub(super) async fn silent(_: &mut Conn) {}
    pub(super) async fn name(_: &mut Conn, Json(name): Json<String>) -> String {
        name
    }
    pub(super) async fn well(_: &mut Conn) -> &'static str {
        "well"
    }
}

struct PanicsLate;

impl Plug for PanicsLate {
    async fn call(&self, _: &mut Conn) -> Result {
        Ok(())
    }

    async fn before_send(&self, _: &mut Conn) -> Result {
        panic!("late")
    }
}

async fn panics_early(_: &mut Conn) {
    panic!("early")
}

router! {
    pipeline browser { secure_headers; }
    pipeline late { PanicsLate; }
    pipeline early { panics_early; }

    scope "/" through browser {
        get "/orders/:id" => shop::order;
        post "/users" => shop::taken;
        get "/reset/:token" => shop::reset;
        get "/panics" => shop::panics;
        get "/silent" => shop::silent;
        post "/name" => shop::name;
        get "/well" => shop::well;
    }
    scope "/late" through late { get "/" => shop::well; }
    scope "/early" through early { get "/" => shop::well; }
}

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const JSON: &str = "application/json";

async fn with(stage: &Stage, pages: impl Pages) -> Http {
    stage.http(Endpoint::new((request_id, router())).pages(pages)).await
}

async fn production(stage: &Stage) -> Http {
    with(stage, Production::new()).await
}

async fn development(stage: &Stage) -> Http {
    with(stage, Development::new().source_root(env!("CARGO_MANIFEST_DIR"))).await
}

async fn plain(stage: Stage) {
    let http = stage.http(Endpoint::new(router())).await;
    assert_eq!(http.get("/nowhere").await.text_response(404), "404 Not Found");
    assert_eq!(http.send(post("/users").accept(HTML)).await.text_response(409), "409 This name is <b>taken</b>.");
}

async fn production_text(stage: Stage) {
    let http = production(&stage).await;
    for accept in ["*/*", "text/plain", "image/png"] {
        let answer = http.send(get("/nowhere").accept(accept)).await;
        assert_eq!(answer.assert_header("vary", "accept").text_response(404), "404 Not Found", "{accept}");
    }
}

async fn production_json(stage: Stage) {
    let http = production(&stage).await;
    let answer = http.send(post("/users").accept(JSON)).await;
    let error = &answer.json_response(409)["error"];
    assert_eq!(
        error,
        &serde_json::json!({
            "status": 409,
            "code": "name_taken",
            "message": "This name is <b>taken</b>.",
            "details": { "field": "name" },
            "request_id": answer.header("x-request-id"),
        })
    );
    assert!(answer.header("x-request-id").is_some());
}

async fn production_html(stage: Stage) {
    let http = production(&stage).await;
    let answer = http.send(get("/nowhere").accept(HTML)).await;
    let page = answer.html_response(404);
    for part in ["<!doctype html>", "<h1>Not Found</h1>", "prefers-color-scheme:dark", "name=\"viewport\""] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(page.contains(answer.header("x-request-id").unwrap_or("none")), "{page}");
}

async fn cause_is_not_told(stage: Stage) {
    let http = production(&stage).await;
    for target in ["/orders/7", "/reset/x", "/panics"] {
        for accept in ["*/*", HTML, JSON] {
            let answer = http.send(get(target).accept(accept)).await;
            let text = answer.assert_status(500).text();
            for hidden in ["invalid digit", "mail server", "no stock", ".rs"] {
                assert!(!text.contains(hidden), "{hidden}: {text}");
            }
        }
    }
}

async fn not_stored(stage: Stage) {
    let http = production(&stage).await;
    for target in ["/nowhere", "/orders/7", "/panics"] {
        http.get(target).await.assert_header("cache-control", "no-store");
    }
    let http = development(&stage).await;
    http.get("/orders/7").await.assert_header("cache-control", "no-store");
}

/// The page's own elements of this kind have the nonce that the one policy lets in.
fn assert_let_in(answer: &simurgh_test::Answer, element: &str) {
    let page = answer.html_response(500);
    let policies: Vec<_> = answer.headers().get_all("content-security-policy").iter().collect();
    assert_eq!(policies.len(), 1, "several policies all count: {policies:?}");
    let policy = policies[0].to_str().unwrap();
    let begin = format!("<{element} nonce=\"");
    let nonces: Vec<&str> = page.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!nonces.is_empty() && nonces.len() == page.matches(&format!("<{element}")).count(), "{page}");
    let directive =
        policy.split("; ").find_map(|part| part.strip_prefix(&format!("{element}-src "))).unwrap_or_default();
    for nonce in nonces {
        assert!(directive.contains(&format!("'nonce-{nonce}'")), "{nonce} is not let in by {policy}");
    }
}

async fn policy_of_production(stage: Stage) {
    let http = production(&stage).await;
    for target in ["/orders/7", "/panics"] {
        let answer = http.send(get(target).accept(HTML)).await;
        assert_let_in(&answer, "style");
        answer.assert_header("x-content-type-options", "nosniff");
    }
}

async fn policy_of_development(stage: Stage) {
    let http = development(&stage).await;
    for target in ["/orders/7", "/panics"] {
        let answer = http.send(get(target).accept(HTML)).await;
        assert_let_in(&answer, "style");
        assert_let_in(&answer, "script");
    }
}

async fn markup(stage: Stage) {
    async fn evil(_: &mut Conn) -> Result {
        let text = "</textarea><script>alert(1)</script>\"'&";
        Err(Error::new(StatusCode::BAD_REQUEST, "evil", text).because(std::io::Error::other(text)))
    }
    for http in [
        stage.http(Endpoint::new(evil).pages(Production::new())).await,
        stage.http(Endpoint::new(evil).pages(Development::new())).await,
    ] {
        let request = get("/%3Cscript%3Ealert(1)?%3Cscript%3E=%3Cscript%3Ealert(1)").accept(HTML);
        let answer = http.send(request.header("x-evil", "<script>alert(1)</script>")).await;
        let page = answer.html_response(400);
        assert_eq!(page.matches("<script").count(), page.matches("<script nonce=").count(), "{page}");
        assert!(!page.contains("alert(1)</script"), "{page}");
    }
}

async fn development_page(stage: Stage) {
    let http = development(&stage).await;
    let answer = http.send(get("/orders/7?page=2").accept(HTML)).await;
    let page = answer.html_response(500);
    for part in ["invalid digit found in string", "errors.rs", "/orders/:id", "secure_headers", "page", "Processes"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(page.contains("<textarea"), "the Markdown to copy is not in {page}");
}

async fn development_text(stage: Stage) {
    let http = development(&stage).await;
    let answer = http.get("/orders/7?page=2").await;
    let text = answer.text_response(500);
    assert!(text.starts_with("# 500 Internal Server Error: invalid digit found in string\n"), "{text}");
    for part in ["GET /orders/7?page=2", "errors.rs:", "-> handler shop::order", "failed with 500", "## Processes"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

async fn development_json(stage: Stage) {
    let http = development(&stage).await;
    let answer = http.send(get("/panics").accept(JSON)).await;
    let error = &answer.json_response(500)["error"];
    assert_eq!((&error["code"], &error["debug"]["headline"]), (&"panic".into(), &"no stock".into()), "{error}");
    assert_eq!(error["debug"]["route"], "/panics");
}

async fn development_routes(stage: Stage) {
    let http = development(&stage).await;
    let answer = http.get("/ordres/7").await;
    let text = answer.text_response(404);
    let nearest = text.lines().find(|line| line.contains("did you mean this?")).unwrap_or_default();
    assert!(nearest.contains("/orders/:id") && text.contains("/reset/:token"), "{text}");
}

async fn development_secrets(stage: Stage) {
    let http = development(&stage).await;
    for accept in ["*/*", HTML, JSON] {
        let request = get("/reset/s3cr3t?new_password=s3cr3t&%70assword=s3cr3t&page=1").accept(accept);
        let request = request.bearer("s3cr3t").cookie("_shop", "s3cr3t").header("x-api-key", "s3cr3t");
        let answer = http.send(request.header("x-csrf-token", "s3cr3t")).await;
        let text = answer.assert_status(500).text();
        assert!(!text.contains("s3cr3t"), "{accept}: {text}");
        for shown in ["[filtered]", "_shop", "page", "mail server said no"] {
            assert!(text.contains(shown), "{shown} is not in {text}");
        }
    }
}

async fn development_strangers(stage: Stage) {
    let http = development(&stage).await;
    for (name, value) in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1"), ("host", "rebound.example")]
    {
        let answer = http.send(get("/orders/7").header(name, value)).await;
        assert_eq!(answer.text_response(500), "500 Internal Server Error", "{name}");
    }
}

async fn own_pages(stage: Stage) {
    struct Mine;
    impl Pages for Mine {
        fn answer(&self, conn: &mut Conn, error: &Error) {
            let html = format!("<h1>{}</h1>", error.code());
            conn.html(html);
        }
    }
    let http = with(&stage, Mine).await;
    assert_eq!(http.send(post("/users")).await.html_response(409), "<h1>name_taken</h1>");
}

async fn panic(stage: Stage) {
    let http = production(&stage).await;
    for _ in 0..3 {
        http.send(get("/panics").accept(JSON)).await.assert_error(500, "panic");
        assert_eq!(http.get("/well").await.text_response(200), "well");
    }
}

async fn panic_in_plug(stage: Stage) {
    let http = production(&stage).await;
    for target in ["/early", "/late"] {
        http.send(get(target).accept(JSON)).await.assert_error(500, "panic");
    }
    assert_eq!(http.get("/well").await.text_response(200), "well");
}

async fn silent_handler(stage: Stage) {
    let http = production(&stage).await;
    http.send(get("/silent").accept(JSON)).await.assert_error(404, "not_found");
}

async fn question_mark(stage: Stage) {
    let http = production(&stage).await;
    http.send(get("/orders/7").accept(JSON)).await.assert_error(500, "internal");
    // one that has a status of its own keeps it
    let request = post("/name").header("content-type", JSON).accept(JSON).body(vec![b' '; (1 << 20) + 1]);
    http.send(request).await.assert_error(413, "body_too_large");
}
