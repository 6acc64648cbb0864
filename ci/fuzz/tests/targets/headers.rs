//! Headers that browsers send: cookies, what they accept, where a page is from, ids.

use fuzz::Target;
use http::Method;
use simurgh_web::{
    COOKIE_LEN_MAX, COOKIES_MAX, CheckOrigin, Conn, Cookie, Endpoint, RANGES_MAX, accepts, parse_cookies,
    parse_cookies_strictly, request_id,
};

use crate::answer;

const COOKIES: &[&str] = &["a=1", "a=1; b=\"two\"; c=x=y", "_session=U21FAQ; theme=dark", "__Host-a=b;c = d ;; e"];

fn is_token(text: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_good)
}

/// Names are tokens, values have no semicolon and no control character, and nothing is there that was not in the
/// header; what the strict reader takes, the lenient one reads alike.
#[test]
fn cookies() {
    Target::new("cookies").samples(COOKIES.iter().copied()).words([";", "; ", "=", "\"", ",", "\0", "\u{7f}"]).check(
        |input| {
            let header = input.text();
            let lenient: Vec<_> = parse_cookies(&header).collect();
            assert!(lenient.len() <= header.matches(';').count() + 1);
            for (name, value) in &lenient {
                assert!(is_token(name), "{name:?}");
                assert!(!value.contains(|c: char| c == ';' || c.is_ascii_control()), "{value:?}");
                assert!(header.contains(name) && header.contains(value));
            }
            if let Ok(strict) = parse_cookies_strictly(&header) {
                assert!(strict.len() <= COOKIES_MAX);
                assert_eq!(strict, lenient);
            }
        },
    );
}

/// A cookie that can be written is one line with no more attributes than were asked for, no longer than browsers
/// keep, and reads back as it was.
#[test]
fn cookies_written() {
    let samples = ["a|1|/|a.test", "theme|dark|/a/b|x", "__Host-x|y|/|"];
    Target::new("cookies_written").samples(samples).words(["|", ";", "\r\n", "=", "\"", " ", ","]).check(|input| {
        let text = input.text();
        let mut parts = text.split('|');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (name, value, path, domain) = (part(), part(), part(), part());
        let cookie = Cookie::new(name.clone(), value.clone()).path(path).domain(domain).secure(input.pick(0, 2) == 0);
        let Ok(header) = cookie.to_header(true) else { return };
        assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{header:?}");
        assert!(name.len() + value.len() <= COOKIE_LEN_MAX);
        let attributes = 4 + usize::from(input.pick(0, 2) == 0);
        assert_eq!(header.split("; ").count(), attributes + 1, "{header:?}");
        assert_eq!(header.matches(';').count(), attributes, "{header:?}");
        let pair = header.split(';').next().expect("a pair");
        assert_eq!(parse_cookies_strictly(pair), Ok(vec![(&*name, &*value)]));
    });
}

async fn say_format(conn: &mut Conn) {
    conn.text(conn.format().unwrap_or("none"));
}

/// The quality of a range; 1 if it says none, or nothing that is one.
fn quality(range: &str) -> f64 {
    let q = range.split(';').skip(1).filter_map(|parameter| parameter.trim().strip_prefix("q=")).last();
    q.and_then(|q| q.trim().parse().ok()).unwrap_or(1.0)
}

/// What is answered is something the header takes, with a quality that is not nothing; 406 only if it takes something
/// else. Case does not matter, nor does the order of ranges of different quality that are not named twice.
#[test]
fn accept() {
    let endpoint = Endpoint::new((accepts(["html", "json"]), say_format));
    let samples = ["text/html, */*;q=0.1", "application/json", "text/*;q=0.3, text/html;q=0.7, */*;q=0.5", "image/png"];
    let words = ["q=0", ";q=0.001", ";q=1.000", ";q=1.001", ",", "/", "*", "application/*", ";charset=utf-8"];
    Target::new("accept").samples(samples).words(words).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let (status, found) = answer(&endpoint, Method::GET, "/", ("accept", &value));
        let Ok(text) = value.to_str() else { return };
        let ranges: Vec<String> = text.split(',').map(|range| range.trim().to_ascii_lowercase()).collect();
        let names = |media: &str| {
            let (kind, _) = media.split_once('/').expect("a type");
            let is_it = |range: &String| {
                let name = range.split(';').next().unwrap_or_default().trim();
                name == media || name == "*/*" || name.strip_suffix("/*") == Some(kind)
            };
            ranges.iter().any(is_it)
        };
        let is_range = |range: &String| {
            let name = range.split(';').next().unwrap_or_default().trim();
            name.contains('/') && (!name.starts_with("*/") || name == "*/*")
        };
        let has_ranges = ranges.iter().any(is_range);
        let takes = |format: &str| match format {
            "html" => names("text/html") || names("application/xhtml+xml"),
            "json" => names("application/json"),
            _ => false,
        };
        match status {
            200 => assert!(takes(&found) || !has_ranges || found == "html", "{found} for {text:?}"),
            406 => assert!(has_ranges, "{text:?} refuses nothing"),
            _ => panic!("{status} for {text:?}"),
        }
        if has_ranges && status == 200 && ranges.iter().all(|range| is_range(range) && !range.contains(';')) {
            assert!(takes(&found), "{found} for {text:?}");
        }
        let capitals = text.to_ascii_uppercase().parse().expect("a header");
        assert_eq!(answer(&endpoint, Method::GET, "/", ("accept", &capitals)).1, found);
        let mut names: Vec<&str> = ranges.iter().filter_map(|range| range.split(';').next()).map(str::trim).collect();
        names.sort_unstable();
        names.dedup();
        // Of equals the client's first counts.
        let mut qualities: Vec<f64> = ranges.iter().map(|range| quality(range)).collect();
        qualities.sort_by(f64::total_cmp);
        qualities.dedup();
        if names.len() == ranges.len() && qualities.len() == ranges.len() && ranges.len() <= RANGES_MAX {
            let turned: Vec<&str> = text.split(',').rev().collect();
            let turned = turned.join(",").parse().expect("a header");
            assert_eq!(answer(&endpoint, Method::GET, "/", ("accept", &turned)).1, found, "turned round");
        }
    });
}

async fn counted(conn: &mut Conn) {
    conn.text("counted");
}

/// Only those origins pass that are allowed, judged by a second, simple reading of the text.
#[test]
fn origin() {
    let check = CheckOrigin::only().allow("https://a.test").allow("//*.b.test").allow("http://c.test:4000");
    let (listed, same) = (Endpoint::new((check, counted)), Endpoint::new((CheckOrigin::same_host(), counted)));
    let samples = [
        "https://a.test",
        "https://A.test:443",
        "http://x.b.test:8080",
        "http://c.test:4000",
        "http://localhost",
        "null",
    ];
    let words = ["a.test", ".b.test", "@", ":", "/", "://", ".", "#", "?", "\\", "[::1]", ":443", "evil", "%2e"];
    Target::new("origin").samples(samples).words(words).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let (status, _) = answer(&listed, Method::POST, "/", ("origin", &value));
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.~!$&'()*+,;=%_".contains(&byte));
        let port_is = |number: u16| port.parse() == Ok(number);
        let may = (scheme == "https" && host == "a.test" && (port.is_empty() || port_is(443)))
            || (is_plain && host.len() > ".b.test".len() && host.ends_with(".b.test"))
            || (scheme == "http" && host == "c.test" && port_is(4000));
        assert!(status == 403 || (status == 200 && may), "{status} for {text:?}");
        let (status, _) = answer(&same, Method::POST, "/", ("origin", &value));
        let may = scheme == "http" && host == "localhost" && (port.is_empty() || port_is(80));
        assert!(status == 403 || (status == 200 && may), "{status} for {text:?}");
    });
}

async fn say_id(conn: &mut Conn) {
    let id = conn.request_id().unwrap_or("none").to_owned();
    conn.text(id);
}

/// An id is the one that came, if that is 20 to 200 harmless characters, and else a new one.
#[test]
fn request_ids() {
    let endpoint = Endpoint::new((request_id, say_id));
    let samples = ["0190163d-8694-739b-aea5-966c26f8ad91", "short", &"x".repeat(200)];
    Target::new("request_ids").samples(samples).words(["=", "+", "\"", "<", "aaaaaaaaaaaaaaaaaaaaaaaa"]).check(
        |input| {
            let Some(value) = crate::value(input) else { return };
            let (status, id) = answer(&endpoint, Method::GET, "/", ("x-request-id", &value));
            assert_eq!(status, 200);
            let is_good = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || "+-./=_".contains(c));
            let is_kept = (20..=200).contains(&value.len()) && value.to_str().is_ok_and(is_good);
            assert!(is_good(&id), "{id:?}");
            assert_eq!(id.as_bytes() == value.as_bytes(), is_kept, "{id:?}");
            assert!(is_kept || id.len() == 36, "{id:?}");
        },
    );
}
