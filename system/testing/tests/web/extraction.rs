//! Typed extraction: values of a type, or an error that names the field.

use serde::{Deserialize, Serialize};
use serde_json::json;
use simurgh_test::{Request, get, post};
use simurgh_web::pages::Production;
use simurgh_web::{Conn, Endpoint, Form, Json, Params, Path, Plug, Query, router};

use crate::case::{Stage, cases};

cases! {
    "extraction.path": "parameters of the path, one, several in order, or by name" => path;
    "extraction.path_of_another_type": "a parameter that is not of its type is 404" => path_of_another_type;
    "extraction.query": "the query as a record: optional fields, lists, choices" => query;
    "extraction.query_error": "what is wrong with a query is 400, and names the field" => query_error;
    "extraction.form": "a form as a record, ticked boxes included" => form;
    "extraction.form_error": "what is wrong with a form is 400, and names the field" => form_error;
    "extraction.json": "JSON as a value of a type, also of a +json type" => json_body;
    "extraction.json_error": "JSON of another shape is 422, and names the field and its place" => json_error;
    "extraction.params": "a body that is a form or JSON, by its type" => params;
    "extraction.json_declared_as_form": "JSON that curl -d sends as a form is read as JSON (row 3.4)" => json_as_form;
    "extraction.media_type": "a body of another type is 415, and says which is wanted" => media_type;
    "extraction.several": "a handler may want several values" => several;
}

#[derive(Debug, Deserialize, Serialize)]
struct Search {
    q: String,
    page: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    order: Option<Order>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Deserialize, Serialize)]
struct User {
    name: String,
    age: Option<u8>,
    #[serde(default)]
    agrees: bool,
}

#[derive(Deserialize)]
struct Place {
    shop: String,
    item: u64,
}

async fn one(_: &mut Conn, Path(id): Path<u64>) -> String {
    format!("one {id}")
}

async fn two(_: &mut Conn, Path((shop, item)): Path<(String, u64)>) -> String {
    format!("two {shop} {item}")
}

async fn named(_: &mut Conn, Path(place): Path<Place>) -> String {
    format!("named {} {}", place.shop, place.item)
}

async fn search(_: &mut Conn, Query(search): Query<Search>) -> Json<Search> {
    Json(search)
}

async fn of_form(_: &mut Conn, Form(user): Form<User>) -> Json<User> {
    Json(user)
}

async fn of_json(_: &mut Conn, Json(user): Json<User>) -> Json<User> {
    Json(user)
}

async fn create(_: &mut Conn, Params(user): Params<User>) -> String {
    format!("Created user: {}", user.name)
}

async fn all(_: &mut Conn, Path(id): Path<u64>, Query(search): Query<Search>, Json(user): Json<User>) -> String {
    format!("{id} {} {}", search.q, user.name)
}

router! {
    get "/one/:id" => one;
    get "/two/:shop/:item" => two;
    get "/named/:shop/:item" => named;
    get "/search" => search;
    post "/form" => of_form;
    post "/json" => of_json;
    post "/users" => create;
    post "/all/:id" => all;
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router()).pages(Production::new())
}

async fn path(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, text) in
        [("/one/7", "one 7"), ("/two/books/7", "two books 7"), ("/named/b%C3%BCcher/7", "named bücher 7")]
    {
        assert_eq!(http.get(target).await.text_response(200), text);
    }
}

async fn path_of_another_type(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for target in ["/one/seven", "/one/-1", "/two/books/x"] {
        http.get(target).await.assert_status(404);
    }
}

async fn query(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let all = http.get("/search?q=a+b&page=2&tags=x&tags=y%26&order=newest").await.json_response(200);
    assert_eq!(all, json!({ "q": "a b", "page": 2, "tags": ["x", "y&"], "order": "newest" }));
    let least = http.get("/search?q=&page=&unknown=1").await.json_response(200);
    assert_eq!(least, json!({ "q": "", "page": null, "tags": [], "order": null }));
}

/// The error names this field, to people and to programs.
async fn names_field(stage: &Stage, request: Request, (status, code): (u16, &str), field: &str) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(request.accept("application/json")).await;
    answer.assert_error(status, code);
    let error = &answer.json_response(status)["error"];
    assert_eq!(error["details"]["field"], field, "{error}");
    assert!(error["message"].as_str().unwrap_or_default().contains(&format!("`{field}`")), "{error}");
}

async fn query_error(stage: Stage) {
    names_field(&stage, get("/search?page=1"), (400, "bad_query"), "q").await;
    names_field(&stage, get("/search?q=x&page=two"), (400, "bad_query"), "page").await;
    names_field(&stage, get("/search?q=x&q=y"), (400, "bad_query"), "q").await;
    names_field(&stage, get("/search?q=x&order=best"), (400, "bad_query"), "order").await;
}

async fn form(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let user = http.send(post("/form").form(&[("name", "Ålice & Bob"), ("age", ""), ("agrees", "on")])).await;
    assert_eq!(user.json_response(200), json!({ "name": "Ålice & Bob", "age": null, "agrees": true }));
}

async fn form_error(stage: Stage) {
    names_field(&stage, post("/form").form(&[("age", "7")]), (400, "bad_form"), "name").await;
    names_field(&stage, post("/form").form(&[("name", "a"), ("age", "256")]), (400, "bad_form"), "age").await;
}

async fn json_body(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let expected = json!({ "name": "Alice", "age": 7, "agrees": false });
    let user = http.send(post("/json").json(&json!({ "name": "Alice", "age": 7 }))).await;
    assert_eq!(user.json_response(200), expected);
    let text = r#"{"age":7,"name":"Al\u0069ce"}"#;
    let user = http.send(post("/json").header("content-type", "application/vnd.api+json; a=b").body(text)).await;
    assert_eq!(user.json_response(200), expected);
}

async fn json_error(stage: Stage) {
    let json = |body: &serde_json::Value| post("/json").json(body);
    names_field(&stage, json(&json!({ "age": 7 })), (422, "wrong_json"), "name").await;
    names_field(&stage, json(&json!({ "agrees": 1, "name": "a" })), (422, "wrong_json"), "agrees").await;
    let http = stage.http(endpoint()).await;
    let answer = http.send(json(&json!({ "age": 256, "name": "a" })).accept("application/json")).await;
    let details = &answer.json_response(422)["error"]["details"];
    assert_eq!((&details["field"], &details["line"]), (&json!("age"), &json!(1)), "{details}");
}

async fn params(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for request in [post("/users").form(&[("name", "Alice")]), post("/users").json(&json!({ "name": "Alice" }))] {
        assert_eq!(http.send(request).await.text_response(200), "Created user: Alice");
    }
}

async fn json_as_form(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let as_curl = post("/users").header("content-type", "application/x-www-form-urlencoded");
    let answer = http.send(as_curl.clone().body(r#"{"name": "Alice"}"#)).await;
    assert_eq!(answer.text_response(200), "Created user: Alice");
    http.send(as_curl.body(r#"{"name": "Alice""#)).await.assert_status(400);
}

async fn media_type(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for (target, wanted) in
        [("/json", "application/json"), ("/form", "multipart/form-data"), ("/users", "application/json")]
    {
        for request in [post(target).header("content-type", "text/xml").body("<a/>"), post(target).body("name=a")] {
            let answer = http.send(request.accept("application/json")).await;
            answer.assert_error(415, "unsupported_media_type");
            assert!(answer.text().contains(wanted), "{}", answer.text());
        }
    }
}

async fn several(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(post("/all/7?q=x").json(&json!({ "name": "Alice" }))).await;
    assert_eq!(answer.text_response(200), "7 x Alice");
    http.send(post("/all/7").json(&json!({ "name": "Alice" }))).await.assert_status(400);
}
