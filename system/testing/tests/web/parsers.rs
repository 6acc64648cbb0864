//! Bodies: forms, JSON, compressed ones, and their bounds.

use serde_json::{Value, json};
use simurgh_test::post;
use simurgh_web::pages::Production;
use simurgh_web::{BODY_LEN_MAX, Compress, Conn, Endpoint, Form, Inflate, Json, Plug, Result, router};

use crate::case::{Stage, cases};

cases! {
    "parsers.urlencoded": "a form is decoded: plus, percent, UTF-8, lists" => urlencoded;
    "parsers.unknown_fields": "fields that nobody wants are let be, also several of a name, and files" => unknown_fields;
    "parsers.urlencoded_utf8": "a form that is no UTF-8 is 400" => urlencoded_utf8;
    "parsers.urlencoded_fields": "more than 1,000 fields are 400" => urlencoded_fields;
    "parsers.json": "JSON of any shape and depth up to 128" => json_of_any_shape;
    "parsers.json_malformed": "what is no JSON is 400, with line and column" => json_malformed;
    "parsers.json_utf8": "JSON that is no UTF-8 is 400" => json_utf8;
    "parsers.too_large": "a form or JSON above a mebibyte is 413" => too_large;
    "parsers.inflate": "a body that comes compressed is decoded" => inflate;
    "parsers.inflate_bomb": "a body that grows beyond its bound is 413" => inflate_bomb;
    "parsers.unknown_coding": "a body in another coding is 415, and says what is taken" => unknown_coding;
    "parsers.cut_off": "a compressed body that ends too early is 400" => cut_off;
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Tags {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
}

async fn tags(_: &mut Conn, Form(form): Form<Tags>) -> Json<Tags> {
    Json(form)
}

async fn value(_: &mut Conn, Json(value): Json<Value>) -> Json<Value> {
    Json(value)
}

async fn count(conn: &mut Conn) -> Result<String> {
    let body = conn.take_body().unwrap_or_default().collect(4 << 20).await?;
    Ok(format!("{} {:?}", body.len(), conn.header("content-encoding")))
}

async fn zeros(conn: &mut Conn) {
    let len = conn.query_string().parse().unwrap_or(0);
    conn.text(vec![b'0'; len]);
}

router! {
    pipeline inflating { Inflate::new().len_max(1 << 20).ratio_max(10_000); }

    post "/tags" => tags;
    post "/json" => value;
    scope "/" through inflating { post "/inflated" => count; }
    get "/zeros" => zeros;
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new((Compress::new(), router())).pages(Production::new())
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn urlencoded(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(post("/tags").header("content-type", FORM).body("name=a+b%26%C3%BC&tags=1&x&tags=")).await;
    assert_eq!(answer.json_response(200), json!({ "name": "a b&ü", "tags": ["1", ""] }));
}

async fn unknown_fields(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(post("/tags").header("content-type", FORM).body("other=1&name=a&other=2&other=")).await;
    assert_eq!(answer.json_response(200)["name"], "a");
    let file = "--cut\r\ncontent-disposition: form-data; name=\"other\"; filename=\"f\"\r\n\r\nx\r\n\
                --cut\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\na\r\n--cut--\r\n";
    let answer = http.send(post("/tags").header("content-type", "multipart/form-data; boundary=cut").body(file)).await;
    assert_eq!(answer.json_response(200)["name"], "a");
}

async fn urlencoded_utf8(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let request = post("/tags").header("content-type", FORM).accept("application/json");
    http.send(request.body(&b"name=\xff"[..])).await.assert_error(400, "bad_form");
}

async fn urlencoded_fields(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let request = |fields: usize| {
        let body = format!("name=a{}", "&x=1".repeat(fields - 1));
        post("/tags").header("content-type", FORM).accept("application/json").body(body)
    };
    http.send(request(1_000)).await.assert_status(200);
    http.send(request(1_001)).await.assert_error(400, "bad_form");
}

async fn json_of_any_shape(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for value in [json!(null), json!("ü\n\u{1F600}"), json!([1, -2.5, {"a": {"b": []}}])] {
        assert_eq!(http.send(post("/json").json(&value)).await.json_response(200), value);
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let request = |depth| post("/json").header("content-type", "application/json").body(nested(depth));
    http.send(request(100)).await.assert_status(200);
    // It is JSON, so the answer is not 400.
    http.send(request(100_000).accept("application/json")).await.assert_error(422, "wrong_json");
}

async fn json_malformed(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for body in ["", "{", "{\"a\": }", "[1,]", "nul", "{} {}"] {
        let request = post("/json").header("content-type", "application/json").accept("application/json");
        let answer = http.send(request.body(body)).await;
        answer.assert_error(400, "bad_json");
        let details = &answer.json_response(400)["error"]["details"];
        assert!(details["line"].is_u64() && details["column"].is_u64(), "{body}: {details}");
    }
}

async fn json_utf8(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let request = post("/json").header("content-type", "application/json").accept("application/json");
    http.send(request.body(&b"\"\xc3\x28\""[..])).await.assert_error(400, "bad_json");
}

async fn too_large(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let fits = format!("\"{}\"", "x".repeat(BODY_LEN_MAX - 2));
    let json =
        |body: String| post("/json").header("content-type", "application/json").accept("application/json").body(body);
    http.send(json(fits.clone())).await.assert_status(200);
    http.send(json(fits + " ")).await.assert_error(413, "body_too_large");
    let form = post("/tags").header("content-type", FORM).accept("application/json");
    http.send(form.body(format!("name={}", "x".repeat(BODY_LEN_MAX)))).await.assert_error(413, "body_too_large");
}

/// So many zeros, compressed.
async fn gzip(http: &simurgh_test::Http, len: usize) -> bytes::Bytes {
    let answer = http.send(simurgh_test::get(&format!("/zeros?{len}")).header("accept-encoding", "gzip")).await;
    answer.assert_status(200).assert_header("content-encoding", "gzip").body().clone()
}

async fn inflate(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let body = gzip(&http, 100_000).await;
    assert!(body.len() < 1_000);
    let answer = http.send(post("/inflated").header("content-encoding", "gzip").body(body)).await;
    assert_eq!(answer.text_response(200), "100000 None");
    assert_eq!(http.send(post("/inflated").body("plain")).await.text_response(200), "5 None");
}

async fn inflate_bomb(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let bomb = gzip(&http, 2 << 20).await;
    assert!(bomb.len() < 10_000);
    let request = post("/inflated").header("content-encoding", "gzip").accept("application/json").body(bomb);
    http.send(request).await.assert_error(413, "body_too_large");
}

async fn unknown_coding(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let request = post("/inflated").header("content-encoding", "br").accept("application/json").body("x");
    http.send(request).await.assert_error(415, "unsupported_coding").assert_header("accept-encoding", "gzip");
}

async fn cut_off(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let body = gzip(&http, 100_000).await;
    let half = body.slice(..body.len() / 2);
    let request = post("/inflated").header("content-encoding", "gzip").accept("application/json").body(half);
    http.send(request).await.assert_error(400, "body_malformed");
}
