//! What a handler gets of a request, and what a client hears if it is wrong.

use http::{Method, header};
use serde::Deserialize;
use simurgh_web::{Body, Conn, Endpoint, Form, Json, Params, Path, Query, router, test};

#[derive(Deserialize)]
struct User {
    name: String,
    age: Option<u8>,
}

async fn by_form(_: &mut Conn, Form(user): Form<User>) -> String {
    format!("{} {:?}", user.name, user.age)
}

async fn by_json(_: &mut Conn, Json(user): Json<User>) -> String {
    format!("{} {:?}", user.name, user.age)
}

async fn by_either(_: &mut Conn, Params(user): Params<User>) -> String {
    format!("{} {:?}", user.name, user.age)
}

async fn show(_: &mut Conn, Path((year, title)): Path<(u16, String)>) -> String {
    format!("{title} of {year}")
}

async fn search(_: &mut Conn, Query(user): Query<User>) -> String {
    format!("{} {:?}", user.name, user.age)
}

router! {
    get "/:year/:title" => show;
    get "/search" => search;
    post "/form" => by_form;
    post "/json" => by_json;
    post "/either" => by_either;
}

fn post(target: &'static str, kind: &'static str, body: impl Into<Body>) -> (u16, String) {
    let mut request = test::request(Method::POST, target, body);
    if !kind.is_empty() {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
    }
    simurgh_runtime::run("test", async move {
        let response = test::send(&Endpoint::new(router()), request).await;
        (response.status().as_u16(), test::text(response).await)
    })
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json; charset=utf-8";

#[test]
fn a_body_is_read_by_its_type() {
    assert_eq!(post("/form", FORM, "name=Al%20i+ce&age=7"), (200, "Al i ce Some(7)".into()));
    assert_eq!(post("/json", JSON, r#"{"name": "Alice"}"#), (200, "Alice None".into()));
    assert_eq!(post("/json", "application/vnd.api+json", r#"{"name": "Alice"}"#), (200, "Alice None".into()));
    assert_eq!(post("/either", JSON, r#"{"name": "Alice"}"#), (200, "Alice None".into()));
    assert_eq!(post("/either", FORM, "name=Alice&age="), (200, "Alice None".into()));
    // what curl sends if nobody tells it that it is JSON
    assert_eq!(post("/either", FORM, r#"{"name": "Alice"}"#), (200, "Alice None".into()));
}

#[test]
fn a_client_hears_what_is_wrong() {
    assert_eq!(post("/form", JSON, "{}").0, 415);
    assert_eq!(post("/json", "", "{}").0, 415);
    assert_eq!(post("/form", FORM, "age=7"), (400, "400 The form is wrong: `name`: is missing".into()));
    assert_eq!(
        post("/form", FORM, "name=x&age=300"),
        (400, "400 The form is wrong: `age`: `300` is not a whole number from 0 to 255".into())
    );
    assert_eq!(post("/form", FORM, vec![b'n', 0xff]).0, 400);
    let (status, text) = post("/json", JSON, "{\"name\":");
    assert_eq!((status, text.as_str()), (400, "400 The JSON is wrong: EOF while parsing a value at line 1 column 8"));
    assert_eq!(post("/json", JSON, r#"{"name": 7}"#).0, 422);
    assert_eq!(post("/json", JSON, vec![b' '; simurgh_web::BODY_LEN_MAX + 1]).0, 413);
}

fn get(target: &'static str) -> (u16, String) {
    simurgh_runtime::run("test", async move {
        let response = test::get(&Endpoint::new(router()), target).await;
        (response.status().as_u16(), test::text(response).await)
    })
}

#[test]
fn a_path_that_is_no_such_thing_is_not_found() {
    assert_eq!(get("/1984/Emil"), (200, "Emil of 1984".into()));
    assert_eq!(get("/x/Emil").0, 404);
}

#[test]
fn what_is_no_utf8_is_refused_wherever_it_stands() {
    assert_eq!(get("/search?name=J%C3%BCrgen"), (200, "J\u{fc}rgen None".into()));
    assert_eq!(get("/search?name=%ff"), (400, "400 The query is wrong: `name`: is no UTF-8".into()));
    assert_eq!(get("/search?name=x&other=%c3%28").0, 400);
    assert_eq!(get("/1984/%ff").0, 400);
    assert_eq!(post("/form", FORM, "name=%ff"), (400, "400 The form is wrong: `name`: is no UTF-8".into()));
    assert_eq!(post("/either", FORM, "name=x&%ff").0, 400);
}
