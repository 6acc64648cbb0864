//! A response, and what a test may want of it.

use std::fmt::Write as _;

use ::http::{HeaderMap, StatusCode, header, request, response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use simurgh_web::BodyError;

/// Bytes of a body that a failure shows.
const SHOWN_LEN_MAX: usize = 4 * 1024;

/// A request as it was sent.
pub(super) type Sent = (request::Parts, Bytes);

/// A response with the whole of its body. An assertion that fails shows it, and the request.
#[derive(Debug)]
pub struct Answer {
    sent: Sent,
    head: response::Parts,
    body: Result<Bytes, BodyError>,
}

impl Answer {
    pub(super) fn new(sent: Sent, head: response::Parts, body: Result<Bytes, BodyError>) -> Self {
        Self { sent, head, body }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// A header, if it is there and is text; of several the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The body.
    ///
    /// # Panics
    /// If it was cut off.
    #[track_caller]
    pub fn body(&self) -> &Bytes {
        match &self.body {
            Ok(body) => body,
            Err(error) => self.fail(&format!("a whole body was expected: {error}")),
        }
    }

    /// Why the body was cut off, if it was.
    pub fn cut_off(&self) -> Option<&BodyError> {
        self.body.as_ref().err()
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it was cut off or is no UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.body()).unwrap_or_else(|_| self.fail("a body of UTF-8 was expected"))
    }

    /// The status is this one.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        if self.status() != status {
            self.fail(&format!("status {status} was expected, not {}", self.status().as_u16()));
        }
        self
    }

    /// A header has this value; of several one.
    #[track_caller]
    pub fn assert_header(&self, name: &str, value: &str) -> &Self {
        let values: Vec<_> =
            self.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.iter().any(|known| known == value) {
            let found =
                if values.is_empty() { "there is none".to_owned() } else { format!("it is {}", values.join(" and ")) };
            self.fail(&format!("header {name}: {value} was expected, and {found}"));
        }
        self
    }

    /// There is no such header.
    #[track_caller]
    pub fn assert_no_header(&self, name: &str) -> &Self {
        if self.headers().contains_key(name) {
            self.fail(&format!("no header {name} was expected"));
        }
        self
    }

    /// The body is this one, byte for byte.
    #[track_caller]
    pub fn assert_body(&self, body: impl AsRef<[u8]>) -> &Self {
        if self.body() != body.as_ref() {
            self.fail(&format!("another body was expected: {:?}", String::from_utf8_lossy(body.as_ref())));
        }
        self
    }

    /// The plain text of a response with this status.
    #[track_caller]
    pub fn text_response(&self, status: u16) -> &str {
        self.of_type(status, "text/plain", |media| media == "text/plain").text()
    }

    /// The HTML of a response with this status.
    #[track_caller]
    pub fn html_response(&self, status: u16) -> &str {
        self.of_type(status, "text/html", |media| media == "text/html").text()
    }

    /// The JSON of a response with this status.
    #[track_caller]
    pub fn json_response(&self, status: u16) -> Value {
        self.json_as(status)
    }

    /// The JSON of a response with this status, as a value of a type.
    #[track_caller]
    pub fn json_as<T: DeserializeOwned>(&self, status: u16) -> T {
        let is_json = |media: &str| media == "application/json" || media.ends_with("+json");
        let body = self.of_type(status, "application/json", is_json).body();
        serde_json::from_slice(body).unwrap_or_else(|error| self.fail(&format!("other JSON was expected: {error}")))
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn redirected_to(&self) -> &str {
        if !matches!(self.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            self.fail(&format!("a redirect was expected, not {}", self.status().as_u16()));
        }
        self.header("location").unwrap_or_else(|| self.fail("a redirect has a header location"))
    }

    /// An error with this status and code, as the endpoint's pages say it to who accepts JSON.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) -> &Self {
        let is_json = self.header("content-type").is_some_and(|media| media.contains("json"));
        if !is_json {
            self.fail(
                "only JSON says an error's code: send accept(\"application/json\"), and use pages that answer it",
            );
        }
        let said = self.json_response(status);
        if said["error"]["code"] != code {
            self.fail(&format!("the error {code} was expected, not {}", said["error"]["code"]));
        }
        self
    }

    #[track_caller]
    fn of_type(&self, status: u16, wanted: &str, is_wanted: impl Fn(&str) -> bool) -> &Self {
        self.assert_status(status);
        let media = self.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !is_wanted(&media) {
            self.fail(&format!("content-type: {wanted} was expected, not {media:?}"));
        }
        self
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        let status = self.status();
        let body = match &self.body {
            Ok(body) => shown(body),
            Err(error) => format!("  (cut off: {error})\n"),
        };
        let reason = status.canonical_reason().unwrap_or_default();
        let head = format!("  {} {reason}", status.as_u16());
        panic!("{what}\n\n{}\n{}\n{}{body}", request(&self.sent), head.trim_end(), fields(self.headers()));
    }
}

/// A request, for people.
pub(super) fn request((head, body): &Sent) -> String {
    format!("  {} {}\n{}{}", head.method, head.uri, fields(&head.headers), shown(body))
}

fn fields(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        let value =
            if value.is_sensitive() || name == header::AUTHORIZATION { b"[filtered]" } else { value.as_bytes() };
        let _ = writeln!(text, "  {name}: {}", String::from_utf8_lossy(value));
    }
    text
}

fn shown(body: &Bytes) -> String {
    if body.is_empty() {
        return String::new();
    }
    let Ok(text) = std::str::from_utf8(body) else { return format!("\n  ({} bytes that are no text)\n", body.len()) };
    let cut = &text[..text.floor_char_boundary(SHOWN_LEN_MAX)];
    let more = text.len() - cut.len();
    let lines: String = cut.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    let more = if more > 0 { format!("  (and {more} bytes more)\n") } else { String::new() };
    format!("\n{lines}{more}")
}
