//! What the client can read.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{Conn, Error, Plug, Result};

/// Ranges of one `Accept` header that are looked at; the rest is not read.
pub const RANGES_MAX: usize = 64;

/// Formats by name: what the handler answers with, and the media types that mean it.
const FORMATS: &[(&str, &[&str])] = &[
    ("html", &["text/html", "application/xhtml+xml"]),
    ("json", &["application/json"]),
    ("txt", &["text/plain"]),
    ("xml", &["application/xml", "text/xml"]),
    ("csv", &["text/csv"]),
    ("js", &["text/javascript", "application/javascript"]),
    ("css", &["text/css"]),
    ("sse", &["text/event-stream"]),
    ("pdf", &["application/pdf"]),
    ("atom", &["application/atom+xml"]),
    ("rss", &["application/rss+xml"]),
    ("ics", &["text/calendar"]),
    ("zip", &["application/zip"]),
    ("bin", &["application/octet-stream"]),
];

/// Answers in one of these formats: the plug [`Accepts`].
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Result, accepts, test};
/// use serde_json::json;
///
/// async fn user(conn: &mut Conn) -> Result {
///     match conn.format() {
///         Some("json") => conn.json(&json!({ "name": "Alice" }))?,
///         _ => conn.html("<h1>Alice</h1>"),
///     }
///     Ok(())
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((accepts(["html", "json"]), user));
/// let accepting = async |accept: &str| {
///     let mut request = test::request(http::Method::GET, "/", "");
///     request.headers_mut().insert("accept", accept.parse().unwrap());
///     test::text(test::send(&endpoint, request).await).await
/// };
/// assert_eq!(accepting("text/html, */*;q=0.1").await, "<h1>Alice</h1>");
/// assert_eq!(accepting("application/json").await, r#"{"name":"Alice"}"#);
/// assert_eq!(accepting("image/png").await, "406 This is to be had as text/html, application/xhtml+xml, application/json only.");
/// # });
/// ```
///
/// # Panics
/// If a format has no name of those that are known: `html`, `json`, `txt`, `xml`, `csv`, `js`, `css`, `sse`, `pdf`,
/// `atom`, `rss`, `ics`, `zip`, `bin`. Others are made with [`Accepts::format`].
pub fn accepts<const N: usize>(formats: [&'static str; N]) -> Accepts {
    formats.into_iter().fold(Accepts::default(), |accepts, name| {
        let known = FORMATS.iter().find(|(known, _)| *known == name);
        let (_, types) = known.unwrap_or_else(|| panic!("no format is called {name:?}; say Accepts::format"));
        types.iter().fold(accepts, |accepts, media_type| accepts.format(name, media_type))
    })
}

/// Finds the format that the client likes best of those that there are, for [`Conn::format`].
///
/// The query's `_format` says it by name. Else the `Accept` header does: the format of the highest quality; of several
/// the one whose range stands first in the header, as Phoenix does it; of those that one range means (`*/*`) the one
/// that was named first here. Without a header the first. What the header says of a format's types counts before what it
/// says of all types, and `*/*` means the first type of a format: who refuses `text/html` is not sent `html` because it
/// is called `application/xhtml+xml`, too. The answer varies by `Accept`, and says so if there are several formats.
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`format`](Self::format) | those given to [`accepts()`] | one more format, or one more type of one |
///
/// | failure | answer |
/// | --- | --- |
/// | none of the formats is accepted, or known by `_format` | 406 `not_acceptable`, with the types in the details |
///
/// Limits: [`RANGES_MAX`]. Source: RFC 9110, 12.5.1.
#[derive(Debug, Clone, Default)]
pub struct Accepts {
    formats: Vec<(&'static str, &'static str)>,
}

impl Accepts {
    /// One more format, by its name and a media type that means it; several types are several calls.
    ///
    /// # Panics
    /// If it is no media type.
    pub fn format(mut self, name: &'static str, media_type: &'static str) -> Self {
        let parts = media_type.split_once('/');
        let is_type = parts.is_some_and(|(kind, sub)| [kind, sub].iter().all(|part| crate::cookies::is_token(part)));
        assert!(is_type, "{media_type:?} is not a media type");
        self.formats.push((name, media_type));
        self
    }

    fn choose(&self, conn: &Conn) -> Option<&'static str> {
        let asked = form_urlencoded::parse(conn.query_string().as_bytes()).find(|(name, _)| name == "_format");
        if let Some((_, asked)) = asked {
            return self.formats.iter().map(|(name, _)| *name).find(|name| *name == asked);
        }
        let headers = conn.request_headers().get_all(header::ACCEPT);
        let headers: Vec<&str> = headers.iter().filter_map(|value| value.to_str().ok()).collect();
        best(&headers.join(","), &self.formats)
    }
}

impl Plug for Accepts {
    async fn call(&self, conn: &mut Conn) -> Result {
        if self.formats.iter().any(|(name, _)| *name != self.formats[0].0) {
            conn.response_headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
        }
        if let Some(format) = self.choose(conn) {
            conn.assign(Format(format));
            return Ok(());
        }
        let types: Vec<&str> = self.formats.iter().map(|(_, media_type)| *media_type).collect();
        let text = format!("This is to be had as {} only.", types.join(", "));
        let error = Error::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", text);
        Err(error.details(json!({ "acceptable": types })))
    }
}

#[derive(Clone, Copy)]
struct Format(&'static str);

impl Conn {
    /// The format to answer in, if [`accepts`] has found one.
    pub fn format(&self) -> Option<&'static str> {
        self.assigned::<Format>().map(|format| format.0)
    }

    /// Another format to answer in.
    pub fn put_format(&mut self, format: &'static str) -> &mut Self {
        self.assign(Format(format))
    }
}

/// The name of the format that an `Accept` header likes best of `formats`, names and media types.
pub(crate) fn best(accept: &str, formats: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let ranges: Vec<Range<'_>> = accept.split(',').enumerate().filter_map(Range::parse).take(RANGES_MAX).collect();
    if ranges.is_empty() {
        return formats.first().map(|(name, _)| *name);
    }
    let mut best: Option<(&Range<'_>, &'static str)> = None;
    for (at, (name, media_type)) in formats.iter().enumerate() {
        let mut before = formats[..at].iter();
        if before.any(|(known, _)| known == name) {
            continue; // an alias
        }
        let types = formats[at..].iter().filter(|(known, _)| known == name).map(|(_, media_type)| *media_type);
        let Some(range) = range_for(&ranges, media_type, &types).filter(|range| range.quality > 0) else { continue };
        if best.is_none_or(|(known, _)| range.is_before(known)) {
            best = Some((range, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The range that speaks of a format: the best of those that name one of its types, else the most special of those that
/// fit its first type, which is the one that is sent. So `*/*` does not bring a format back, by an alias, whose type was
/// refused; nor does who refuses an alias refuse the format.
fn range_for<'r, 'a>(
    ranges: &'r [Range<'a>],
    media_type: &str,
    types: &(impl Iterator<Item = &'static str> + Clone),
) -> Option<&'r Range<'a>> {
    let mut found: Option<&Range<'_>> = None;
    for range in ranges.iter().filter(|range| range.depth() == 2) {
        let mut types = types.clone();
        let names_it = range.fits(media_type) || range.quality > 0 && types.any(|media_type| range.fits(media_type));
        if names_it && found.is_none_or(|found| range.is_before(found)) {
            found = Some(range);
        }
    }
    found.or_else(|| {
        let fitting = ranges.iter().filter(|range| range.depth() < 2 && range.fits(media_type));
        fitting.reduce(|best, range| if range.depth() > best.depth() { range } else { best })
    })
}

/// One range of an `Accept` header. Its parameters but `q` are not looked at.
struct Range<'a> {
    kind: &'a str,
    sub: &'a str,
    /// In thousandths.
    quality: u16,
    /// Its place in the header.
    at: usize,
}

impl<'a> Range<'a> {
    fn parse((at, text): (usize, &'a str)) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, sub) = parts.next()?.split_once('/')?;
        let mut quality = 1_000;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.trim().eq_ignore_ascii_case("q") {
                quality = parse_quality(value.trim())?;
            }
        }
        (kind != "*" || sub == "*").then_some(Self { kind, sub, quality, at })
    }

    fn fits(&self, media_type: &str) -> bool {
        let (kind, sub) = media_type.split_once('/').unwrap_or((media_type, ""));
        let is = |range: &str, part: &str| range == "*" || range.eq_ignore_ascii_case(part);
        is(self.kind, kind) && is(self.sub, sub)
    }

    /// Whether the client likes it better than the other: by its quality, or because it stands before it.
    fn is_before(&self, other: &Self) -> bool {
        (self.quality, other.at) > (other.quality, self.at)
    }

    fn depth(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.sub != "*")
    }
}

/// RFC 9110, 12.4.2: from 0 to 1 with three digits at most, in thousandths.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: &[(&str, &str)] =
        &[("html", "text/html"), ("html", "application/xhtml+xml"), ("json", "application/json")];

    #[test]
    fn the_best_is_found() {
        for (accept, found) in [
            ("", Some("html")),
            ("*/*", Some("html")),
            ("application/*", Some("json")),
            ("text/html;q=0.5, application/json", Some("json")),
            ("text/html;q=0.5, */*", Some("json")),
            ("text/html;q=0, */*;q=0.1", Some("json")),
            ("text/html;q=0", None),
            ("image/png", None),
            ("TEXT/HTML; charset=utf-8", Some("html")),
            ("application/json;q=0.999, text/html;q=0.998", Some("json")),
            // what is no range is left out
            ("nonsense, application/json", Some("json")),
            ("text/html;q=2, application/json", Some("json")),
            ("*/html", Some("html")),
            // of equals the client's first, and of what one range means ours
            ("application/json, text/html", Some("json")),
            ("application/json;q=0.8, text/html;q=0.8", Some("json")),
            ("text/html, application/json", Some("html")),
            ("application/json, */*", Some("json")),
            ("*/*, application/json", Some("html")),
            ("application/*, text/*", Some("json")),
            // a browser's
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some("html")),
            // an alias is a name of its own, but not what `*/*` brings back
            ("application/xhtml+xml, application/json;q=0.9", Some("html")),
            ("application/xhtml+xml;q=0.5, application/json;q=0.6", Some("json")),
            ("text/html;q=0, */*", Some("json")),
            ("text/html;q=0, application/json;q=0.1, */*", Some("json")),
            ("text/html;q=0, application/*;q=0", None),
            ("text/html;q=0.2, application/xhtml+xml, application/json;q=0.5", Some("html")),
            ("application/xhtml+xml;q=0, */*", Some("html")),
        ] {
            assert_eq!(best(accept, BOTH), found, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(accept in "[a-z*/;,=q.0-9 \u{e4}]{0,200}") {
            best(&accept, BOTH);
        }

        #[test]
        fn a_quality_is_at_most_one(text in "[0-9.]{0,8}") {
            prop_assert!(parse_quality(&text).is_none_or(|quality| quality <= 1_000));
        }
    }
}
