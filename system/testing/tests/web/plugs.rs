//! Plugs: functions and types, their order, halts and forwards.

use std::sync::Arc;

use http::header::HeaderName;
use simurgh_runtime::sync::Mutex;
use simurgh_test::get;
use simurgh_web::{Conn, Endpoint, Error, Plug, Result, StatusCode, router};

use crate::case::{Stage, cases};

cases! {
    "plugs.function": "a function is a plug" => function;
    "plugs.type_with_options": "a type is a plug, with options of its own" => type_with_options;
    "plugs.order": "a pipeline's plugs are called in order, and their before_send in reverse" => order;
    "plugs.pipelines_nest": "inner pipelines come after outer ones, and leave before them" => pipelines_nest;
    "plugs.registered_before_send": "what is registered for the response runs last, the latest first" => registered;
    "plugs.halt": "after a halt neither later plugs nor the handler are called" => halt;
    "plugs.halted_see_the_response": "those that saw the request see the response of a halt" => halted_see_the_response;
    "plugs.error_halts": "an error halts, and is the answer" => error_halts;
    "plugs.forward": "a forward hands on the rest of the path" => forward;
    "plugs.forward_nests": "a router behind a forward matches the rest" => forward_nests;
    "plugs.way": "the way of a request is recorded in order, with times" => way;
}

/// Writes down who sees the request on its way in and out.
struct Note(&'static str);

#[derive(Default)]
struct Notes(Vec<String>);

fn note(conn: &mut Conn, text: String) -> Result {
    let notes = conn.assigns_mut().get_or_insert_with(Notes::default);
    notes.0.push(text);
    let notes = notes.0.join(" ");
    conn.try_put_header(HeaderName::from_static("x-seen"), notes)?;
    Ok(())
}

impl Plug for Note {
    async fn call(&self, conn: &mut Conn) -> Result {
        note(conn, format!("+{}", self.0))
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        note(conn, format!("-{}", self.0))
    }
}

async fn no_store(conn: &mut Conn) {
    conn.put_header("cache-control", "no-store");
}

async fn closed(conn: &mut Conn) {
    conn.put_status(StatusCode::SERVICE_UNAVAILABLE).text("closed");
    conn.halt();
}

async fn keyed(conn: &mut Conn) -> Result {
    let no_key = || Error::new(StatusCode::UNAUTHORIZED, "no_key", "A key is needed.");
    conn.header("x-key").map(drop).ok_or_else(no_key)
}

async fn registers(conn: &mut Conn) {
    for name in ["first", "second"] {
        conn.register_before_send(move |conn| note(conn, name.to_owned()));
    }
}

async fn home(conn: &mut Conn) -> Result<&'static str> {
    note(conn, "handler".to_owned())?;
    Ok("home")
}

async fn mounted(conn: &mut Conn) {
    let text = format!("{} then {}", conn.script_name(), conn.path_info());
    conn.text(text);
}

mod inner {
    use simurgh_web::{Conn, router};

    async fn item(conn: &mut Conn) -> String {
        format!("{} in {}", conn.path_param("id").unwrap_or_default(), conn.script_name())
    }

    router! { get "/items/:id" => item; }
}

router! {
    pipeline browser { no_store; Note("a"); Note("b"); }
    pipeline locked { Note("c"); keyed; Note("d"); }
    pipeline shut { Note("c"); closed; Note("d"); }
    pipeline late { registers; }

    scope "/" through browser {
        get "/" => home;
        scope "/locked" through locked { get "/" => home; }
        scope "/shut" through shut { get "/" => home; }
        scope "/late" through late { get "/" => home; }
    }
    forward "/legacy" => mounted;
    forward "/shop" => inner::router();
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new((Note("endpoint"), router()))
}

async fn function(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/").await.assert_status(200).assert_header("cache-control", "no-store");
}

async fn type_with_options(stage: Stage) {
    let http = stage.http(Endpoint::new((Note("its option"), no_store, closed))).await;
    http.get("/").await.assert_header("x-seen", "+its option -its option");
}

async fn order(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/").await.assert_header("x-seen", "+endpoint +a +b handler -b -a -endpoint");
}

async fn pipelines_nest(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(get("/locked").header("x-key", "k")).await;
    answer.assert_header("x-seen", "+endpoint +a +b +c +d handler -d -c -b -a -endpoint");
}

async fn registered(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/late").await.assert_header("x-seen", "+endpoint +a +b handler -b -a -endpoint second first");
}

async fn halt(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/shut").await;
    assert_eq!(answer.text_response(503), "closed");
    let seen = answer.header("x-seen").unwrap_or_default();
    assert!(!seen.contains("+d") && !seen.contains("handler"), "{seen}");
}

async fn halted_see_the_response(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/shut").await.assert_header("x-seen", "+endpoint +a +b +c -c -b -a -endpoint");
}

async fn error_halts(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/locked").await;
    assert_eq!(answer.text_response(401), "401 A key is needed.");
    answer.assert_header("x-seen", "+endpoint +a +b +c -c -b -a -endpoint");
}

async fn forward(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, text) in
        [("/legacy/a/b?c", "/legacy then /a/b"), ("/legacy", "/legacy then /"), ("/legacy/", "/legacy then /")]
    {
        assert_eq!(http.get(target).await.text_response(200), text, "{target}");
    }
    http.get("/legacyx").await.assert_status(404);
}

async fn forward_nests(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/shop/items/7").await.text_response(200), "7 in /shop");
    http.get("/shop/nothing").await.assert_status(404);
    http.get("/items/7").await.assert_status(404);
}

async fn way(stage: Stage) {
    let ways = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&ways);
    let endpoint = endpoint().traced(move |_, trace| {
        let steps = trace.steps();
        assert!(steps.windows(2).all(|pair| pair[0].at <= pair[1].at) && steps.iter().all(|step| step.took.is_some()));
        let names: Vec<_> = steps.iter().map(|step| format!("{} {}", step.way.arrow(), step.name)).collect();
        into.lock().push(names.join(", "));
    });
    let http = stage.http(endpoint).await;
    http.get("/").await.assert_status(200);
    let expected = "-> endpoint, -> Note, -> router, -> pipeline browser, -> no_store, -> Note, -> Note, -> handler home, \
                    <- pipeline browser, <- Note, <- Note, <- no_store, <- endpoint, <- router, <- Note";
    let ways = ways.lock();
    assert_eq!(ways[0], expected);
}
