//! The conn: what a request says, and what a response is made of.

use http::header::HeaderName;
use serde_json::{Value, json};
use simurgh_test::{get, post, request};
use simurgh_web::{Conn, Cookie, Endpoint, Json, Plug, Result, StatusCode, router};

use crate::case::{Stage, cases};

cases! {
    "conn.host": "the host is the header's, without its port" => host;
    "conn.port": "the port is the header's, or the scheme's usual one" => port;
    "conn.scheme": "the scheme is that of the connection" => scheme;
    "conn.method": "the method is as it came, also one that nobody knows" => method;
    "conn.path_parts": "the path is there whole and in its segments, percent-encoded" => path_parts;
    "conn.path_params": "parameters of the path have names, and are decoded" => path_params;
    "conn.query": "the query is as it came" => query;
    "conn.request_headers": "headers of the request, one and all of a name" => request_headers;
    "conn.request_body": "the body is read once" => request_body;
    "conn.remote_ip": "the client's address is the connection's" => remote_ip;
    "conn.cookies": "cookies are read and set, safe by default" => cookies;
    "conn.assigns": "plugs leave values for those after them" => assigns;
    "conn.status": "the status is the one that was put" => status;
    "conn.response_headers": "headers of the response are set, appended and taken away" => response_headers;
    "conn.response_header_values": "a value with a line break is refused, and nothing of it is sent" => header_values;
    "conn.response_body": "text, HTML, JSON and bytes have their types" => response_body;
    "conn.redirect": "redirects are 302, 303 and 308 with a location" => redirect;
}

async fn seen(conn: &mut Conn) -> Json<Value> {
    let all = conn.request_headers().get_all("x-a").iter().map(|value| value.to_str().unwrap_or_default());
    Json(json!({
        "method": conn.method().as_str(),
        "host": conn.host(),
        "port": conn.port(),
        "scheme": conn.scheme(),
        "path": conn.path(),
        "segments": conn.path_segments().collect::<Vec<_>>(),
        "params": conn.path_params(),
        "query": conn.query_string(),
        "x_a": conn.header("x-a"),
        "all_x_a": all.collect::<Vec<_>>(),
        "is_local": conn.remote_ip().is_loopback(),
    }))
}

async fn read(conn: &mut Conn) -> Result<String> {
    let body = conn.take_body().expect("nobody has read it").collect(1_024).await?;
    Ok(format!("{} {}", String::from_utf8_lossy(&body), conn.take_body().is_none()))
}

async fn theme(conn: &mut Conn) -> Result<String> {
    let theme = conn.cookie("theme").unwrap_or("light").to_owned();
    conn.put_cookie(Cookie::new("theme", "dark"))?;
    Ok(theme)
}

struct User(&'static str);

async fn assign_user(conn: &mut Conn) {
    conn.assign(User("alice")).assign(7_u64);
}

async fn assigned(conn: &mut Conn) -> String {
    conn.assign(8_u64);
    let user = conn.assigned::<User>().map(|user| user.0);
    format!("{user:?} {:?} {:?}", conn.assigned::<u64>(), conn.assigned::<String>())
}

async fn teapot(conn: &mut Conn) {
    conn.put_status(StatusCode::IM_A_TEAPOT).text("short and stout");
}

async fn headers(conn: &mut Conn) -> &'static str {
    conn.put_header("x-set", "first").put_header("x-set", "last").put_header("x-gone", "1");
    conn.response_headers_mut().append("x-two", "a".parse().expect("a value"));
    conn.response_headers_mut().append("x-two", "b".parse().expect("a value"));
    conn.response_headers_mut().remove("x-gone");
    "headers"
}

async fn splits(conn: &mut Conn) -> Result<&'static str> {
    conn.try_put_header(HeaderName::from_static("x-name"), "a\r\nx-forged: 1")?;
    Ok("never said")
}

mod answers {
    use simurgh_web::{Html, Redirect};

    use super::{Conn, Json};

    pub(super) async fn text(_: &mut Conn) -> &'static str {
        "text"
    }
    pub(super) async fn html(_: &mut Conn) -> Html<&'static str> {
        Html("<p>html")
    }
    pub(super) async fn json(_: &mut Conn) -> Json<[u8; 2]> {
        Json([1, 2])
    }
    pub(super) async fn bytes(_: &mut Conn) -> Vec<u8> {
        vec![0, 255]
    }
    pub(super) async fn found(_: &mut Conn) -> Redirect {
        Redirect::to("/a")
    }
    pub(super) async fn see_other(_: &mut Conn) -> Redirect {
        Redirect::see_other("/b?c=d")
    }
    pub(super) async fn moved(_: &mut Conn) -> Redirect {
        Redirect::permanent("https://other.example/")
    }
}

router! {
    pipeline users { assign_user; }

    any "/seen" => seen;
    any "/seen/:shop/*rest" => seen;
    post "/read" => read;
    get "/theme" => theme;
    scope "/" through users { get "/assigned" => assigned; }
    get "/teapot" => teapot;
    get "/headers" => headers;
    get "/splits" => splits;
    get "/text" => answers::text;
    get "/html" => answers::html;
    get "/json" => answers::json;
    get "/bytes" => answers::bytes;
    get "/found" => answers::found;
    get "/see-other" => answers::see_other;
    get "/moved" => answers::moved;
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router())
}

async fn host(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (given, expected) in
        [("shop.example", "shop.example"), ("shop.example:8080", "shop.example"), ("[::1]:1", "[::1]")]
    {
        let answer = http.send(get("/seen").header("host", given)).await;
        assert_eq!(answer.json_response(200)["host"], expected, "{given}");
    }
}

async fn port(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (given, expected) in [("shop.example", 80), ("shop.example:8080", 8080), ("[::1]:4000", 4000)] {
        let answer = http.send(get("/seen").header("host", given)).await;
        assert_eq!(answer.json_response(200)["port"], expected, "{given}");
    }
}

async fn scheme(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/seen").await.json_response(200)["scheme"], "http");
}

async fn method(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let answer = http.send(request(method.parse().unwrap(), "/seen")).await;
        assert_eq!(answer.json_response(200)["method"], method);
    }
}

async fn path_parts(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let seen = http.get("/seen/a%2Fb//c%20d/").await.json_response(200);
    assert_eq!(seen["path"], "/seen/a%2Fb//c%20d/");
    assert_eq!(seen["segments"], json!(["seen", "a%2Fb", "c%20d"]));
}

async fn path_params(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let seen = http.get("/seen/J%C3%BCrgen/x/y%20z").await.json_response(200);
    assert_eq!(seen["params"], json!([["shop", "Jürgen"], ["rest", "x/y z"]]));
}

async fn query(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/seen?a=1&b=%20&a").await.json_response(200)["query"], "a=1&b=%20&a");
    assert_eq!(http.get("/seen").await.json_response(200)["query"], "");
}

async fn request_headers(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let seen = http.send(get("/seen").header("X-A", "1").header("x-a", "2")).await.json_response(200);
    assert_eq!((&seen["x_a"], &seen["all_x_a"]), (&json!("1"), &json!(["1", "2"])));
}

async fn request_body(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.send(post("/read").body("a body")).await.text_response(200), "a body true");
    assert_eq!(http.send(post("/read")).await.text_response(200), " true");
}

async fn remote_ip(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/seen").await.json_response(200)["is_local"], true);
}

async fn cookies(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let first = http.get("/theme").await;
    assert_eq!(first.text_response(200), "light");
    first.assert_header("set-cookie", "theme=dark; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(http.get("/theme").await.text_response(200), "dark");
}

async fn assigns(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/assigned").await.text_response(200), "Some(\"alice\") Some(8) None");
}

async fn status(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/teapot").await.text_response(418), "short and stout");
}

async fn response_headers(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/headers").await;
    answer.assert_status(200).assert_header("x-set", "last").assert_no_header("x-gone");
    let two: Vec<_> = answer.headers().get_all("x-two").iter().collect();
    assert_eq!(two, ["a", "b"]);
}

async fn header_values(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/splits").await.assert_status(500).assert_no_header("x-name").assert_no_header("x-forged");
}

async fn response_body(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, media, body) in [
        ("/text", "text/plain; charset=utf-8", &b"text"[..]),
        ("/html", "text/html; charset=utf-8", b"<p>html"),
        ("/json", "application/json; charset=utf-8", b"[1,2]"),
        ("/bytes", "application/octet-stream", b"\x00\xff"),
    ] {
        http.get(target).await.assert_status(200).assert_header("content-type", media).assert_body(body);
    }
}

async fn redirect(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, status, location) in
        [("/found", 302, "/a"), ("/see-other", 303, "/b?c=d"), ("/moved", 308, "https://other.example/")]
    {
        let answer = http.get(target).await;
        assert_eq!(answer.assert_status(status).redirected_to(), location);
    }
}
