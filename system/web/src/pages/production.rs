//! What strangers hear of an error.

use http::{HeaderName, HeaderValue, header};
use serde_json::{Value, json};

use super::escape::Escaped;
use super::{Format, Pages};
use crate::{Conn, Error};

/// Answers to errors in the form that the client accepts, without a word of their causes.
///
/// ```
/// use simurgh_web::pages::Production;
/// use simurgh_web::{Conn, Endpoint, Error, Result, test};
/// use http::{Method, StatusCode};
///
/// async fn handler(_: &mut Conn) -> Result {
///     Err(Error::new(StatusCode::CONFLICT, "name_taken", "This name is taken."))
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(handler).pages(Production::new());
/// assert_eq!(test::text(test::get(&endpoint, "/").await).await, "409 This name is taken.");
///
/// let mut request = test::request(Method::GET, "/", "");
/// request.headers_mut().insert("accept", "application/json".parse().unwrap());
/// let text = test::text(test::send(&endpoint, request).await).await;
/// assert_eq!(text, r#"{"error":{"code":"name_taken","message":"This name is taken.","status":409}}"#);
/// # });
/// ```
///
/// | accepted | answer |
/// | --- | --- |
/// | JSON | `{"error": {"status", "code", "message", "details", "request_id"}}`, the last two if there are any |
/// | HTML | a small page of its own, light or dark, under a strict content security policy |
/// | text, anything, nothing | one line: `404 Not Found` |
///
/// The request's id is the response's header `x-request-id`. No answer may be stored by a cache, unless
/// a plug has said so.
#[derive(Debug, Clone, Copy)]
pub struct Production {
    usual: Format,
}

impl Default for Production {
    fn default() -> Self {
        Self { usual: Format::Text }
    }
}

impl Production {
    /// Pages as described.
    pub fn new() -> Self {
        Self::default()
    }

    /// The form for clients that accept anything: text, if nothing else is said.
    pub fn usual(mut self, format: Format) -> Self {
        self.usual = format;
        self
    }
}

impl Pages for Production {
    fn answer(&self, conn: &mut Conn, error: &Error) {
        let format = Format::accepted(conn, self.usual);
        vary(conn);
        conn.response_headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        match format {
            Format::Text => super::Plain.answer(conn, error),
            Format::Json => put_json(conn, &in_json(conn, error)),
            Format::Html => {
                let nonce = nonce();
                let page = page(conn, error, &nonce);
                put_html(conn, page, &nonce, "");
            }
        }
    }
}

/// The answer depends on what the client accepts: for caches.
pub(super) fn vary(conn: &mut Conn) {
    let headers = conn.response_headers_mut();
    let is_said = headers.get_all(header::VARY).iter().any(|value| value.to_str().is_ok_and(says_accept));
    if !is_said {
        headers.append(header::VARY, HeaderValue::from_static("accept"));
    }
}

fn says_accept(vary: &str) -> bool {
    vary.split(',').map(str::trim).any(|name| name == "*" || name.eq_ignore_ascii_case("accept"))
}

pub(super) fn put_json(conn: &mut Conn, json: &Value) {
    conn.respond_with(HeaderValue::from_static("application/json; charset=utf-8"), json.to_string());
}

/// Puts a page of ours there, under a policy that lets it do only what it has to.
pub(super) fn put_html(conn: &mut Conn, page: String, nonce: &str, also: &str) {
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; {also}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = conn.response_headers_mut();
    let policy = HeaderValue::try_from(policy).expect("a policy of ours is a header");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    conn.html(page);
}

/// 128 bits that nobody can guess.
pub(super) fn nonce() -> String {
    format!("{:016x}{:016x}", simurgh_runtime::random::u64(), simurgh_runtime::random::u64())
}

pub(super) fn request_id(conn: &Conn) -> Option<&str> {
    conn.response_headers().get("x-request-id")?.to_str().ok()
}

/// What programs hear.
pub(super) fn in_json(conn: &Conn, error: &Error) -> Value {
    let mut said = json!({ "status": error.status().as_u16(), "code": error.code(), "message": error.message() });
    if let Some(details) = error.get_details() {
        said["details"] = details.clone();
    }
    if let Some(id) = request_id(conn) {
        said["request_id"] = id.into();
    }
    json!({ "error": said })
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b2330;--soft:#5d6878;--paper:#fbfaf8;--line:#e3dfd8;--mark:#b3541e}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e1;--soft:#9aa3b0;--paper:#14171c;--line:#2a2f38;--mark:#f0a46c}}\
*{box-sizing:border-box;margin:0}\
body{min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:30rem;border-left:4px solid var(--mark);padding:4px 0 4px 28px}\
.status{font-size:15px;font-weight:600;letter-spacing:.08em;color:var(--mark)}\
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.01em;margin:6px 0 12px;text-wrap:balance}\
p{color:var(--soft);overflow-wrap:anywhere}\
p.id{margin-top:22px;padding-top:14px;border-top:1px solid var(--line);font-size:13px}\
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--ink)}";

fn page(conn: &Conn, error: &Error, nonce: &str) -> String {
    let status = error.status();
    let number = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("Error");
    let said = if error.message() == reason { sentence(number) } else { error.message() };
    let said = Escaped(said);
    let id = request_id(conn).map(|id| format!("<p class=\"id\">Request <code>{}</code></p>", Escaped(id)));
    let id = id.unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{number} {reason}</title><style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><div class=\"status\">{number}</div><h1>{reason}</h1><p>{said}</p>{id}</main></body></html>\n"
    )
}

/// For people, where the error says no more than its status.
fn sentence(status: u16) -> &'static str {
    match status {
        404 | 410 => "There is nothing at this address. It may have moved, or the address has a mistake in it.",
        401 => "You have to sign in to see this.",
        403 => "You may not see this.",
        413 => "What you sent is too large.",
        429 => "Too many requests came from you. Please wait a moment.",
        503 => "The service is not available just now. Please try again in a moment.",
        500.. => "Something went wrong on our side. It has been noted, and trying again may help.",
        _ => "The request could not be answered.",
    }
}
