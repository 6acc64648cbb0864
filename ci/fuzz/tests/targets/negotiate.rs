//! Ranges, codings, entity tags and dates.

use fuzz::{Target, ready};
use http::Method;
use simurgh_web::fuzz::ranges;
use simurgh_web::{Compress, Conn, ETag, Endpoint, Version, test};

/// The parts that are sent are within the resource, none empty, none twice: no request is answered with more than there
/// is. A single range is read as a second, simple reader reads it.
#[test]
fn byte_ranges() {
    let samples =
        ["bytes=0-4", "bytes=-5", "bytes=5-", "bytes=0-0, 2-3,-1", "bytes=1-99999999999999999999", "items=0-1"];
    Target::new("byte_ranges")
        .samples(samples)
        .words(["bytes=", "-", ",", "0", "99999999999999999999", " ", "=", "+"])
        .check(|input| {
            let (text, len) = (input.text(), [0, 1, 10, u64::MAX][input.pick(0, 4)]);
            let Some(mut parts) = ranges(&text, len) else { return };
            let simple = text
                .strip_prefix("bytes=")
                .and_then(|set| set.split_once('-'))
                .and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
            if let Some((from, to)) = simple.filter(|_| !text.contains('+')) {
                let wanted = from.min(len)..to.saturating_add(1).min(len);
                assert_eq!(parts, if wanted.is_empty() { vec![] } else { vec![wanted] });
            }
            parts.sort_unstable_by_key(|part| part.start);
            assert!(
                parts.len() <= 16 && parts.iter().all(|part| part.start < part.end && part.end <= len),
                "{parts:?}"
            );
            assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].start), "{parts:?} overlap");
        });
}

async fn long(conn: &mut Conn) {
    conn.text("the same again and again; ".repeat(100));
}

/// gzip is sent only to who has named it or `*`, with a weight that is not nothing.
#[test]
fn codings() {
    let endpoint = Endpoint::new((Compress::new(), long));
    let samples = ["gzip, br", "*;q=0.5, identity;q=0.1", "gzip;q=0, *", "x-gzip;q=1.000", "identity"];
    let words = [";q=0", ";q=0.001", ",", "*", "gzip", "q", "=", "identity;q=1", " "];
    Target::new("codings").samples(samples).words(words).times(5_000).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let mut request = test::request(Method::GET, "/", "");
        request.headers_mut().insert("accept-encoding", value.clone());
        let response = ready(test::send(&endpoint, request));
        assert_eq!(response.status(), 200);
        let Some(coding) = response.headers().get("content-encoding") else { return };
        assert_eq!(coding, "gzip");
        let text = value.to_str().expect("what is no text names nothing").to_ascii_lowercase();
        let names_it = |item: &str| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let is_nothing = weight.contains('=') && !weight.contains(|c: char| ('1'..='9').contains(&c));
            matches!(name.trim(), "gzip" | "x-gzip" | "*") && !is_nothing
        };
        assert!(text.split(',').any(names_it), "{text:?}");
        let plain = "the same again and again; ".repeat(100);
        let body = ready(response.into_body().collect(1 << 20)).expect("a body");
        assert!(body.len() < plain.len() && body.starts_with(&[0x1f, 0x8b]));
    });
}

async fn tagged(conn: &mut Conn) -> simurgh_web::Result {
    if !conn.fresh(&Version::etag(ETag::strong("v7")?)) {
        conn.text("all");
    }
    Ok(())
}

/// 304 is said only to who has named this version or any; a change passes only to who has named it strongly. A list with
/// the tag in it, however much is before it that is a list, names it.
#[test]
fn entity_tags() {
    let endpoint = Endpoint::new(tagged);
    let samples = ["\"v7\"", "W/\"v7\"", "\"v6\", \"v7\"", "*", "\"v6\""];
    Target::new("entity_tags").samples(samples).words(["\"", "W/", ",", "*", "\"v7\"", " ", "v7"]).check(|input| {
        let Some(value) = crate::value(input) else { return };
        let (status, _) = crate::answer(&endpoint, Method::GET, "/", ("if-none-match", &value));
        let text = String::from_utf8_lossy(&input.bytes);
        let may = text.contains("\"v7\"") || text.trim() == "*";
        assert!(status == 200 || (status == 304 && may), "{status}");
        let (status, _) = crate::answer(&endpoint, Method::PUT, "/", ("if-match", &value));
        let strongly = text.trim() == "*" || text.replace("W/\"v7\"", "").contains("\"v7\"");
        assert!(status == 412 || (status == 200 && strongly), "{status}");
        if text.trim() != "*" && status == 200 {
            let longer = format!("\"other\" ,, W/\"v7\",{text}").parse::<http::HeaderValue>();
            if let Ok(longer) = longer {
                assert_eq!(crate::answer(&endpoint, Method::PUT, "/", ("if-match", &longer)).0, 200);
            }
        }
    });
}

async fn dated(conn: &mut Conn) {
    let at = simurgh_runtime::Timestamp::from_nanos(784_111_777 * 1_000_000_000);
    if !conn.fresh(&Version::modified(at)) {
        conn.text("all");
    }
}

/// A date that is written out with another day, month, year or hour than the version's is another one: 304 is said to no
/// date before it, and to every one that is the same day or later; what is no date is not looked at.
#[test]
fn dates() {
    let endpoint = Endpoint::new(dated);
    let samples = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sat, 29 Feb 2020 23:59:60 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    Target::new("dates").samples(samples).words(["GMT", ":", "00", "31", "Feb", "9999", "-", " ", "24", "1994"]).check(
        |input| {
            let Some(value) = crate::value(input) else { return };
            let (status, _) = crate::answer(&endpoint, Method::GET, "/", ("if-modified-since", &value));
            assert!(status == 200 || status == 304, "{status}");
            let text = value.to_str().unwrap_or_default();
            let words: Vec<&str> = text.split(' ').collect();
            if let (304, [_, _, _, year, _, "GMT"]) = (status, &words[..]) {
                assert!(year.parse::<u32>().is_ok_and(|year| year >= 1994), "{text}");
            }
            assert!(status == 200 || text.matches(':').count() >= 2, "{text:?} is no date");
            assert!(text != "Sun, 06 Nov 1994 08:49:37 GMT" || status == 304);
        },
    );
}
