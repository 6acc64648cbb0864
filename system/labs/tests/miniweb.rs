//! `MiniWeb` without sockets: the transcript, byte for byte, and the way of a request.

use simurgh::runtime;
use simurgh_labs::miniweb::{endpoint, lab, plugs};
use simurgh_test::{Http, get, post};

fn run(body: impl Future<Output = ()> + Send + 'static) {
    runtime::run("test", body);
}

#[test]
fn the_transcript_is_byte_equal() {
    assert_eq!(lab::start_line(([127, 0, 0, 1], 4000).into()), "Server running at http://localhost:4000");
    run(async {
        let http = Http::new(&endpoint());
        assert_eq!(http.get("/").await.text_response(200), "Welcome to MiniWeb!");
        assert_eq!(http.get("/hello/world").await.text_response(200), "Hello, world!");
        assert_eq!(http.get("/unknown").await.text_response(404), "404 Not Found");
        // As curl -d sends it: JSON that is declared to be a form.
        let curl =
            post("/users").header("content-type", "application/x-www-form-urlencoded").body("{\"name\": \"Alice\"}");
        assert_eq!(http.send(curl).await.text_response(201), "Created user: Alice");
        let json = post("/users").json(&serde_json::json!({ "name": "Alice" }));
        assert_eq!(http.send(json).await.text_response(201), "Created user: Alice");
        assert_eq!(
            http.send(post("/users").form(&[("name", "Alice")])).await.text_response(201),
            "Created user: Alice"
        );
        http.send(post("/users").form(&[("nam", "Alice")])).await.assert_status(400);
    });
}

#[test]
fn middleware_of_both_kinds_works_on_the_conn() {
    run(async {
        let http = Http::new(&endpoint());
        http.get("/").await.assert_header("server", "MiniWeb");
        let took = http.get("/unknown").await.header("x-response-time").map(|took| took.ends_with("us"));
        assert_eq!(took, Some(true), "also when it failed");
        assert_eq!(http.get("/vault").await.text_response(401), "The word, please.");
        assert_eq!(http.send(get("/vault").header("x-word", "sesame")).await.text_response(200), "Gold.");
        http.send(get("/").header("user-agent", "scraper")).await.assert_status(403);
    });
}

#[test]
#[should_panic(expected = "\"no header\" is no header")]
fn options_are_checked_when_the_application_starts() {
    let _ = plugs::ResponseTime::new("no header");
}
