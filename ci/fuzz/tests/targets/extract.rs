//! Queries, forms and JSON, turned into types.

use std::collections::BTreeMap;

use fuzz::{Input, Target};
use http::{HeaderValue, Method};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use simurgh_web::{Conn, Endpoint, Form, Json, Params, Query, router};

use crate::with_body;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Search {
    q: String,
    page: Option<u32>,
    ratio: Option<f64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    agree: bool,
    order: Option<Order>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

type Lists = BTreeMap<String, Vec<String>>;

async fn query_lists(_: &mut Conn, Query(lists): Query<Lists>) -> String {
    format!("{lists:?}")
}

async fn form_lists(_: &mut Conn, Form(lists): Form<Lists>) -> String {
    format!("{lists:?}")
}

async fn query(_: &mut Conn, Query(search): Query<Search>) -> String {
    format!("{search:?}")
}

async fn form(_: &mut Conn, Form(search): Form<Search>) -> String {
    format!("{search:?}")
}

async fn json(_: &mut Conn, Json(search): Json<Search>) -> String {
    format!("{search:?}")
}

async fn params(_: &mut Conn, Params(search): Params<Search>) -> String {
    format!("{search:?}")
}

router! {
    get "/query-lists" => query_lists;
    post "/form-lists" => form_lists;
    get "/query" => query;
    post "/form" => form;
    post "/json" => json;
    post "/params" => params;
}

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

const FORMS: &[&str] = &[
    "q=a+b&page=2&tags=x&tags=y%26&order=newest&agree=on&ratio=0.5",
    "q=&page=",
    "q=%C3%BC&unknown=1&agree=false",
    "a=1&a=2&b=&=c&d",
];

const WORDS: &[&str] =
    &["&", "=", "%", "%zz", "+", "%00", "%ff", "q=", "page=-1", "tags[]=", "%26", "%3D", "order=x", ";"];

/// What WHATWG's URL standard makes of it (section 5.1), read by a second, simple reader.
fn lists(text: &[u8]) -> Lists {
    let mut lists = Lists::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let value = pair.get(at + 1..).unwrap_or_default();
        lists.entry(decoded(&pair[..at])).or_default().push(decoded(value));
    }
    lists
}

fn decoded(text: &[u8]) -> String {
    String::from_utf8_lossy(&decoded_bytes(text)).into_owned()
}

/// Whether names and values are UTF-8; they end at ASCII, so that they are if the whole is.
fn is_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(&decoded_bytes(text)).is_ok()
}

fn decoded_bytes(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        match (text[at], hex) {
            (b'%', Some(hex)) => {
                let hex = std::str::from_utf8(hex).expect("ASCII");
                bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
                at += 2;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        at += 1;
    }
    bytes
}

/// The input as it can stand in a query.
fn as_query(input: &Input) -> Vec<u8> {
    input.bytes.iter().copied().filter(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{}|".contains(byte)).collect()
}

/// Any form that is UTF-8 is read as the URL standard has it, with nothing lost and nothing added, and a query likewise;
/// another one is refused.
#[test]
fn forms_as_lists() {
    let endpoint = Endpoint::new(router());
    Target::new("forms_as_lists").samples(FORMS.iter().copied()).words(WORDS.iter().copied()).check(|input| {
        let read = with_body(&endpoint, Method::POST, "/form-lists", ("content-type", &FORM), input.bytes.clone());
        if is_utf8(&input.bytes) {
            assert_eq!(read, (200, format!("{:?}", lists(&input.bytes))));
        } else {
            assert_eq!(read.0, 400);
        }
        let text = as_query(input);
        let target = format!("/query-lists?{}", String::from_utf8_lossy(&text));
        let read = with_body(&endpoint, Method::GET, &target, ("accept", &FORM), "");
        if is_utf8(&text) {
            assert_eq!(read, (200, format!("{:?}", lists(&text))));
        } else {
            assert_eq!(read.0, 400);
        }
    });
}

/// A record is read of a query as of the same form, or refused as 400 by both; what is read is what stands there.
#[test]
fn forms_as_records() {
    let endpoint = Endpoint::new(router());
    Target::new("forms_as_records").samples(FORMS.iter().copied()).words(WORDS.iter().copied()).check(|input| {
        let text = as_query(input);
        let target = format!("/query?{}", String::from_utf8_lossy(&text));
        let query = with_body(&endpoint, Method::GET, &target, ("accept", &FORM), "");
        let form = with_body(&endpoint, Method::POST, "/form", ("content-type", &FORM), text.clone());
        assert!(matches!(form.0, 200 | 400), "{form:?}");
        assert_eq!(query.0, form.0);
        if form.0 == 200 {
            assert_eq!(query, form);
            let lists = lists(&text);
            assert_eq!(lists["q"].len(), 1);
            assert!(form.1.contains(&format!("q: {:?}", lists["q"][0])));
            assert!(form.1.contains(&format!("tags: {:?}", lists.get("tags").cloned().unwrap_or_default())));
            let page = lists.get("page").and_then(|pages| pages[0].parse::<u32>().ok());
            assert!(form.1.contains(&format!("page: {page:?}")));
        }
    });
}

/// A body of JSON is read as `serde_json` reads it, refused with 400 if it is no JSON and with 422 if it is another value,
/// and by `Params` as by `Json`.
#[test]
fn json_bodies() {
    let endpoint = Endpoint::new(router());
    let samples = [
        r#"{"q":"a","page":2,"ratio":0.5,"tags":["x","y"],"agree":true,"order":"newest"}"#,
        r#"{"q":"\u00fc\ud83e\udd85"}"#,
        r#" [{"q":1}] "#,
    ];
    let words =
        ["{", "}", "[", "\"", "\\u", "\\ud800", ",", ":", "null", "1e999", "-", "0", "\"q\":\"b\",", "\u{feff}"];
    Target::new("json_bodies").samples(samples).words(words).check(|input| {
        let read = with_body(&endpoint, Method::POST, "/json", ("content-type", &JSON), input.bytes.clone());
        match serde_json::from_slice::<Search>(&input.bytes) {
            Ok(search) => assert_eq!(read, (200, format!("{search:?}"))),
            Err(error) => {
                let is_json = serde_json::from_slice::<serde_json::Value>(&input.bytes).is_ok();
                assert!(read.0 == 400 || read.0 == 422, "{read:?}");
                assert!(read.0 == 422 || !is_json, "JSON is called none: {read:?}");
                // Of what is wrong in both ways the first is told; halves of surrogate pairs are let pass where nobody looks.
                let is_text = std::str::from_utf8(&input.bytes).is_ok();
                let may = error.is_data() || (is_text && serde_json::from_slice::<IgnoredAny>(&input.bytes).is_ok());
                assert!(read.0 == 400 || may, "{error}: {read:?}");
            }
        }
        let params = with_body(&endpoint, Method::POST, "/params", ("content-type", &JSON), input.bytes.clone());
        assert_eq!(params, read);
    });
}

/// Only a body that is declared to be JSON or a form is read as that: any other type is 415, and none is an error.
#[test]
fn declared_types() {
    let endpoint = Endpoint::new(router());
    let samples =
        ["application/json", "application/vnd.a+json; charset=utf-8", "application/x-www-form-urlencoded", "text/html"];
    let words = [";", "/", "+json", " ", ",", "application/", "json", "charset=\"utf-8\""];
    Target::new("declared_types").samples(samples).words(words).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let (status, _) = with_body(&endpoint, Method::POST, "/json", ("content-type", &value), r#"{"q":"a"}"#);
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let kind = text.split(';').next().unwrap_or_default().trim();
        let may = kind.contains("json");
        assert!(status == 415 || (status == 200 && may), "{status} for {text:?}");
        assert!(kind != "application/json" || status == 200, "{text:?}");
        let (status, _) = with_body(&endpoint, Method::POST, "/form", ("content-type", &value), "q=a");
        assert!(status == 415 || (status == 200 && kind.contains("form")), "{status} for {text:?}");
    });
}
