//! Paths, and what they lead to.

use fuzz::Target;
use http::{Method, Uri};
use simurgh_web::{Conn, Endpoint, push_rest, push_segment, router, test};

use crate::answer;

async fn say(conn: &mut Conn) -> String {
    conn.path_params().iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

async fn root(_: &mut Conn) -> &'static str {
    "root"
}

async fn fixed(_: &mut Conn) -> &'static str {
    "fixed"
}

router! {
    get "/" => root;
    get "/a/new" => fixed;
    get "/a/:id" => say;
    post "/a/:id/b/:other" => say;
    get "/files/*rest" => say;
}

/// What a segment says, if it is percent-encoded UTF-8: a second, simple reading.
fn decoded(segment: &str) -> Option<String> {
    let mut parts = segment.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(part[2..].as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Any path is answered with what its segments say, decoded once, or with 400, 404 or 405; a slash that is encoded ends
/// no segment.
#[test]
fn paths() {
    let endpoint = Endpoint::new(router());
    let samples = ["/", "/a/1", "/a/new", "/a/%C3%BC/b/%2F", "/files/x/../y%20z", "/a/", "//a//1", "/a/new/?q=/a/2"];
    let words = ["/", "%2F", "%2f", "%00", "%", "%zz", "..", ".", "//", "%25", "new", "b", "?", "{p1}", ":id", "*"];
    Target::new("paths").samples(samples).words(words).check(|input| {
        let target = format!("/{}", input.text().trim_start_matches('/'));
        let Ok(uri) = target.parse::<Uri>() else { return };
        if uri.authority().is_some() || !uri.path().starts_with('/') {
            return;
        }
        let accept = http::HeaderValue::from_static("*/*");
        let method = if input.pick(0, 4) == 0 { Method::POST } else { Method::GET };
        let (status, said) = answer(&endpoint, method.clone(), &target, ("accept", &accept));
        let path = if uri.path().len() > 1 { uri.path().trim_end_matches('/') } else { "/" };
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let param = |name: &str, segment: &str| decoded(segment).map(|value| format!("{name}={value}\n"));
        let is_get = method == Method::GET;
        let (wanted, text) = match &segments[..] {
            [] | [""] => (if is_get { 200 } else { 405 }, Some("root".to_owned())),
            ["a", "new"] => (if is_get { 200 } else { 405 }, Some("fixed".to_owned())),
            ["a", id] if !id.is_empty() => (if is_get { 200 } else { 405 }, param("id", id)),
            ["a", id, "b", other] if !id.is_empty() && !other.is_empty() => {
                (if is_get { 405 } else { 200 }, param("id", id).zip(param("other", other)).map(|(a, b)| a + &b))
            }
            ["files", rest @ ..] if !rest.is_empty() => {
                (if is_get { 200 } else { 405 }, param("rest", &rest.join("/")))
            }
            _ => (404, None),
        };
        match text {
            Some(text) if wanted == 200 => assert_eq!((status, said), (200, text), "{target}"),
            None if wanted == 200 => assert_eq!(status, 400, "{target}"),
            _ => assert_eq!(status, wanted, "{target}"),
        }
    });
}

/// Any value that is put into a path comes out of it as it was.
#[test]
fn path_values() {
    let endpoint = Endpoint::new(router());
    let samples = ["plain", "Jürgen", "a/b/../c", "%2F", "?#", "\0\u{7f}", "a+b c"];
    Target::new("path_values").samples(samples).words(["/", "%", "?", "#", " ", "..", "🦅"]).check(|input| {
        let value = input.text();
        let get = |path: String| {
            let response = fuzz::ready(test::get(&endpoint, &path));
            let status = response.status();
            (status.as_u16(), fuzz::ready(test::text(response)))
        };
        let mut path = "/a/".to_owned();
        push_segment(&mut path, &value);
        assert!(path[3..].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{path}");
        if !value.is_empty() && value != "new" {
            assert_eq!(get(path), (200, format!("id={value}\n")));
        }
        let mut path = "/files/".to_owned();
        push_rest(&mut path, &value);
        if !value.is_empty() && !value.ends_with('/') {
            assert_eq!(get(path), (200, format!("rest={value}\n")));
        }
    });
}
