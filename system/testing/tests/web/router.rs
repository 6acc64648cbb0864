//! The router: scopes, resources, what no route takes, and `path!`.

use simurgh_test::{delete, get, head, options, patch, post, put, request};
use simurgh_web::{Conn, Endpoint, Plug, Router, accepts, router};

use crate::case::{Stage, cases};

cases! {
    "router.scopes": "scopes nest, and put their paths before those within" => scopes;
    "router.resources": "resources are seven actions under their methods and paths" => resources;
    "router.resources_only_except": "of resources, some actions can be had alone or left out" => only_except;
    "router.catch_all": "a catch-all takes the rest of the path, with its slashes" => catch_all;
    "router.static_first": "static segments come before parameters, and those before a catch-all" => static_first;
    "router.decoded": "segments are decoded; what is no UTF-8 is 400" => decoded;
    "router.slash_at_the_end": "a slash at the end of a path does not count" => slash;
    "router.any": "a route may take any method" => any;
    "router.not_found": "a path without a route is 404" => not_found;
    "router.method_not_allowed": "another method is 405 with Allow" => not_allowed;
    "router.not_acceptable": "a format that is not there is 406, and says which are" => not_acceptable;
    "router.accepted_format": "the handler hears which format the client likes best" => accepted;
    "router.head_from_get": "HEAD is answered by GET's route, without the body" => head_from_get;
    "router.options": "OPTIONS says which methods the path takes" => options_of_a_path;
    "router.path_of_a_handler": "path! makes a handler's path, with values percent-encoded" => path_of_a_handler;
    "router.path_with_query": "path! makes a query" => path_with_query;
    "router.path_written_out": "path! takes a path that is written out, if a route has it" => path_written_out;
    "router.routes": "the routes can be listed, with handlers and pipelines" => routes;
}

mod posts {
    use simurgh_web::Conn;

    macro_rules! actions {
        ($($name:ident)*) => {
            $(pub(super) async fn $name(conn: &mut Conn) -> String {
                format!("{} {}", stringify!($name), conn.path_param("id").unwrap_or("-"))
            })*
        };
    }

    actions!(index new create show edit update delete);
}

mod pages {
    use simurgh_web::{Conn, Json, Query};

    #[derive(serde::Deserialize)]
    pub(super) struct Search {
        q: String,
        page: Option<u32>,
    }

    pub(super) async fn home(_: &mut Conn) -> &'static str {
        "home"
    }
    pub(super) async fn latest(_: &mut Conn) -> &'static str {
        "latest"
    }
    pub(super) async fn named(conn: &mut Conn) -> String {
        conn.path_param("name").unwrap_or_default().to_owned()
    }
    pub(super) async fn rest(conn: &mut Conn) -> String {
        format!("rest {}", conn.path_param("path").unwrap_or_default())
    }
    pub(super) async fn method(conn: &mut Conn) -> String {
        conn.method().to_string()
    }
    pub(super) async fn search(_: &mut Conn, Query(search): Query<Search>) -> Json<(String, Option<u32>)> {
        Json((search.q, search.page))
    }
    pub(super) async fn format(conn: &mut Conn) -> String {
        conn.format().unwrap_or("none").to_owned()
    }
}

router! {
    pipeline formats { accepts(["html", "json"]); }

    get "/" => pages::home;
    scope "/admin" {
        get "/" => pages::home;
        scope "/reports" { get "/latest" => pages::latest; }
    }
    resources "/posts" => posts;
    resources "/notes" => posts only (index, show);
    resources "/drafts" => posts except (delete);
    get "/files/latest" => pages::latest;
    get "/files/:name" => pages::named;
    get "/files/*path" => pages::rest;
    any "/any" => pages::method;
    get "/search" => pages::search;
    scope "/" through formats { get "/format" => pages::format; }
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router())
}

async fn scopes(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/admin").await.text_response(200), "home");
    assert_eq!(http.get("/admin/reports/latest").await.text_response(200), "latest");
    http.get("/reports/latest").await.assert_status(404);
}

async fn resources(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (request, text) in [
        (get("/posts"), "index -"),
        (get("/posts/new"), "new -"),
        (post("/posts"), "create -"),
        (get("/posts/7"), "show 7"),
        (get("/posts/7/edit"), "edit 7"),
        (put("/posts/7"), "update 7"),
        (patch("/posts/7"), "update 7"),
        (delete("/posts/7"), "delete 7"),
    ] {
        assert_eq!(http.send(request).await.text_response(200), text);
    }
}

async fn only_except(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/notes/7").await.text_response(200), "show 7");
    http.send(post("/notes")).await.assert_status(405);
    http.get("/notes/7/edit").await.assert_status(404);
    assert_eq!(http.send(post("/drafts")).await.text_response(200), "create -");
    http.send(delete("/drafts/7")).await.assert_status(405);
}

async fn catch_all(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/files/a/b%20c/d").await.text_response(200), "rest a/b c/d");
}

async fn static_first(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, text) in [("/files/latest", "latest"), ("/files/late", "late"), ("/files/latest/x", "rest latest/x")] {
        assert_eq!(http.get(target).await.text_response(200), text, "{target}");
    }
}

async fn decoded(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/files/J%C3%BCrgen%2F1").await.text_response(200), "Jürgen/1");
    for target in ["/files/%ff", "/files/%zz"] {
        http.get(target).await.assert_status(400);
    }
}

async fn slash(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get("/posts/7/").await.text_response(200), "show 7");
}

async fn any(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for method in ["GET", "DELETE", "PROPFIND"] {
        assert_eq!(http.send(request(method.parse().unwrap(), "/any")).await.text_response(200), method);
    }
}

async fn not_found(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for target in ["/nowhere", "/posts/7/nothing", "/POSTS"] {
        assert_eq!(http.get(target).await.text_response(404), "404 Not Found", "{target}");
    }
}

async fn not_allowed(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.send(delete("/posts")).await.assert_status(405).assert_header("allow", "GET, HEAD, POST, OPTIONS");
    http.send(post("/search")).await.assert_status(405).assert_header("allow", "GET, HEAD, OPTIONS");
}

async fn not_acceptable(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(get("/format").accept("image/png")).await;
    assert!(answer.assert_status(406).text().contains("text/html"), "{}", answer.text());
}

async fn accepted(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (accept, format) in [
        ("text/html", "html"),
        ("application/json", "json"),
        ("text/html;q=0.5, application/json", "json"),
        ("*/*", "html"),
    ] {
        let answer = http.send(get("/format").accept(accept)).await;
        assert_eq!(answer.assert_header("vary", "accept").text_response(200), format, "{accept}");
    }
    assert_eq!(http.get("/format?_format=json").await.text_response(200), "json");
}

async fn head_from_get(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(head("/posts/7")).await;
    answer.assert_status(200).assert_header("content-type", "text/plain; charset=utf-8").assert_body("");
    http.send(head("/nowhere")).await.assert_status(404).assert_body("");
    if stage.has_connections() {
        answer.assert_header("content-length", "6");
    }
}

async fn options_of_a_path(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(options("/posts")).await;
    answer.assert_status(204).assert_header("allow", "GET, HEAD, POST, OPTIONS").assert_body("");
    http.send(options("/nowhere")).await.assert_status(404);
}

async fn path_of_a_handler(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(path!(posts::edit, 7), "/posts/7/edit");
    let path = path!(posts::show, "a/b ü?");
    assert_eq!(path, "/posts/a%2Fb%20%C3%BC%3F");
    assert_eq!(http.get(&path).await.text_response(200), "show a/b ü?");
    assert_eq!(path!(pages::rest, "a/b c"), "/files/a/b%20c");
}

async fn path_with_query(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let path = path!(pages::search; q = "red & blue", page = 2);
    assert_eq!(http.get(&path).await.json_response(200), serde_json::json!(["red & blue", 2]));
}

async fn path_written_out(stage: Stage) {
    let http = stage.http(endpoint()).await;
    assert_eq!(http.get(path!("/posts/1")).await.text_response(200), "show 1");
}

async fn routes(stage: Stage) {
    async fn listing(conn: &mut Conn) {
        conn.text(router().listing());
    }
    let http = stage.http(Endpoint::new(listing)).await;
    let answer = http.get("/").await;
    let lines: Vec<Vec<&str>> =
        answer.text_response(200).lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [
        &["GET", "/posts/:id", "posts::show"][..],
        &["DELETE", "/posts/:id", "posts::delete"],
        &["GET", "/format", "pages::format", "formats"],
        &["*", "/any", "pages::method"],
    ] {
        assert!(lines.iter().any(|known| known == line), "{line:?} is not in {lines:?}");
    }
}
