//! Which foreign pages may read answers: CORS (WHATWG Fetch, 3.2).

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, Uri, header};
use simurgh_http::Body;
use thiserror::Error;

use crate::negotiate::vary;
use crate::{Conn, Error, Plug, Result};

/// Headers that one preflight may ask for.
const HEADERS_MAX: usize = 64;

/// What [`Cors`] lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsOptions {
    /// Origins: `https://app.example`, all below a name `https://*.app.example`, or all there are `*`.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<Method>,
    /// Request headers, in any case, or all there are `*`.
    pub headers: Vec<String>,
    /// Response headers that a page may read, beside those that it always may.
    pub expose: Vec<String>,
    /// Whether requests with cookies are let through.
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight; browsers keep it 2 h at most.
    pub max_age: Duration,
}

impl Default for CorsOptions {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE],
            headers: vec!["content-type".to_owned()],
            expose: Vec::new(),
            credentials: false,
            max_age: Duration::from_mins(10),
        }
    }
}

/// Why options make no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorsError {
    /// An origin that is none.
    #[error(
        "{0:?} is no origin: write scheme and host, and the port if it is not the usual one, as in https://app.example, or *"
    )]
    Origin(String),
    /// Everybody with cookies.
    #[error(
        "{0} goes not together with credentials, since any page could then act as the user; name what is let through"
    )]
    AnyWithCredentials(&'static str),
    /// What can be in no header.
    #[error("{0:?} is no header's name")]
    Header(String),
}

/// Answers preflights, and says to browsers which foreign pages may read the answers.
///
/// ```
/// use simurgh_web::{Conn, Cors, CorsOptions, Endpoint, test};
///
/// async fn api(conn: &mut Conn) {
///     conn.text("for you");
/// }
///
/// let cors = Cors::new(CorsOptions { origins: vec!["https://app.example".into()], ..CorsOptions::default() })?;
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((cors, api));
/// let mut request = test::request(http::Method::GET, "/", "");
/// request.headers_mut().insert("origin", "https://app.example".parse().unwrap());
/// let response = test::send(&endpoint, request).await;
/// assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
/// # });
/// # Ok::<(), simurgh_web::CorsError>(())
/// ```
///
/// | option | default |
/// | --- | --- |
/// | `origins` | none: no foreign page reads anything |
/// | `methods` | GET, HEAD, POST, PUT, PATCH, DELETE |
/// | `headers` | `content-type` |
/// | `expose` | none |
/// | `credentials` | no; not together with a `*` |
/// | `max_age` | 10 min |
///
/// | request | answer |
/// | --- | --- |
/// | a preflight that is let through | 204, the conn is halted |
/// | another preflight | 403 `cors_refused`, which says what is not let through |
/// | from an origin that is let through | passed on, and the answer allows the page to read it, also an error |
/// | from another origin | passed on; the browser does not let the page read the answer |
/// | without `origin` | passed on |
///
/// Limits: a preflight that asks for more than 64 headers is refused.
///
/// Answers vary by `origin`, unless all are let through. CORS lets more through than a browser would without
/// it and never less: that a foreign page may not *do* something is for CSRF protection to say. It belongs
/// before the router, which would answer `OPTIONS` itself.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<Pattern>,
    any_origin: bool,
    any_header: bool,
    methods: Vec<Method>,
    headers: Vec<String>,
    credentials: bool,
    says: Says,
}

/// What is said the same each time.
#[derive(Debug)]
struct Says {
    methods: HeaderValue,
    headers: HeaderValue,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
}

#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    /// Begins so, ends so, and has at least one label in between.
    Below(String, String),
}

impl Cors {
    /// # Errors
    /// If an option makes no sense.
    pub fn new(options: CorsOptions) -> Result<Self, CorsError> {
        let any_origin = options.origins.iter().any(|origin| origin == "*");
        let any_header = options.headers.iter().any(|name| name == "*");
        if options.credentials && any_origin {
            return Err(CorsError::AnyWithCredentials("the origin *"));
        }
        if options.credentials && any_header {
            return Err(CorsError::AnyWithCredentials("the header *"));
        }
        let named = options.origins.iter().filter(|origin| *origin != "*");
        let origins = named.map(|origin| pattern(origin)).collect::<Result<_, _>>()?;
        for name in options.headers.iter().chain(&options.expose).filter(|name| *name != "*") {
            http::HeaderName::try_from(name).map_err(|_| CorsError::Header(name.clone()))?;
        }
        if options.credentials && options.expose.iter().any(|name| name == "*") {
            return Err(CorsError::AnyWithCredentials("the exposed header *"));
        }
        let list = |names: &[String]| HeaderValue::try_from(names.join(", ")).expect("names were looked at before");
        let methods: Vec<String> = options.methods.iter().map(Method::to_string).collect();
        let says = Says {
            methods: list(&methods),
            headers: list(&options.headers),
            expose: (!options.expose.is_empty()).then(|| list(&options.expose)),
            max_age: HeaderValue::from(options.max_age.as_secs()),
        };
        let headers = options.headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        let (methods, credentials) = (options.methods, options.credentials);
        Ok(Self { origins, any_origin, any_header, methods, headers, credentials, says })
    }

    /// Whether this one origin may read; more than one field, or none that is text, is none.
    fn allowed<'a>(&self, conn: &'a Conn) -> Option<&'a HeaderValue> {
        let mut fields = conn.request_headers().get_all(header::ORIGIN).iter();
        let (Some(value), None) = (fields.next(), fields.next()) else { return None };
        let origin = value.to_str().ok()?.to_ascii_lowercase();
        let is_named = || self.origins.iter().any(|pattern| pattern.is(&origin));
        (self.any_origin || is_named()).then_some(value)
    }

    /// What of a preflight is not let through.
    fn refuse(&self, conn: &Conn, method: &str) -> Option<String> {
        if self.allowed(conn).is_none() {
            return Some("This origin is not let through.".to_owned());
        }
        if !self.methods.iter().any(|known| known.as_str() == method) {
            return Some("This method is not let through.".to_owned());
        }
        let fields = conn.request_headers().get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let mut names = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
        let is_known = |(at, name): (usize, &[u8])| {
            let name = name.trim_ascii();
            let is_listed = || self.headers.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
            at < HEADERS_MAX && (self.any_header || name.is_empty() || is_listed())
        };
        let is_refused = names.by_ref().enumerate().any(|header| !is_known(header));
        is_refused.then(|| format!("Of the headers only these are let through: {:?}.", self.says.headers))
    }
}

impl Plug for Cors {
    async fn call(&self, conn: &mut Conn) -> Result {
        let asked = conn.request_headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let (true, Some(method)) = (*conn.method() == Method::OPTIONS && is_foreign(conn), asked) else {
            return Ok(());
        };
        let method = method.to_str().unwrap_or_default().to_owned();
        if let Some(why) = self.refuse(conn, &method) {
            return Err(Error::forbidden("cors_refused", why));
        }
        let headers = conn.response_headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.says.methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.says.headers.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.says.max_age.clone());
        conn.put_status(StatusCode::NO_CONTENT);
        conn.put_body(Body::empty());
        conn.halt();
        Ok(())
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        let allowed = self.allowed(conn).cloned();
        let headers = conn.response_headers_mut();
        if !self.any_origin {
            vary(headers, "origin");
        }
        let Some(origin) = allowed else { return Ok(()) };
        let origin = if self.any_origin { HeaderValue::from_static("*") } else { origin };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(expose) = &self.says.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        Ok(())
    }
}

fn is_foreign(conn: &Conn) -> bool {
    conn.request_headers().contains_key(header::ORIGIN)
}

impl Pattern {
    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Exactly(known) => known == origin,
            Self::Below(begin, end) => {
                let labels = origin.strip_prefix(begin.as_str()).and_then(|rest| rest.strip_suffix(end.as_str()));
                let is_label = |label: &str| {
                    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                labels.is_some_and(|labels| labels.split('.').all(is_label))
            }
        }
    }
}

/// Reads an origin; `null`, which any page can be, is none.
fn pattern(origin: &str) -> Result<Pattern, CorsError> {
    let wrong = || CorsError::Origin(origin.to_owned());
    let lower = origin.to_ascii_lowercase();
    let is_origin = |text: &str| {
        let uri: Option<Uri> = text.parse().ok();
        let is_whole = |uri: &Uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty());
        uri.is_some_and(|uri| is_whole(&uri)) && text.matches('/').count() == 2 && !text.contains(['@', '?', '#', '*'])
    };
    match lower.split_once("://*.") {
        Some((scheme, rest)) if is_origin(&format!("{scheme}://{rest}")) => {
            Ok(Pattern::Below(format!("{scheme}://"), format!(".{rest}")))
        }
        None if is_origin(&lower) => Ok(Pattern::Exactly(lower)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};
    use proptest::prelude::*;

    use super::*;
    use crate::{Endpoint, test};

    fn options(origins: &[&str]) -> CorsOptions {
        CorsOptions { origins: origins.iter().map(|origin| (*origin).to_owned()).collect(), ..CorsOptions::default() }
    }

    fn ask(options: CorsOptions, method: Method, headers: &[(&'static str, &str)]) -> (u16, HeaderMap) {
        let mut request = test::request(method, "/", Body::empty());
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value.parse().unwrap());
        }
        simurgh_runtime::run("test", async move {
            let endpoint = Endpoint::new((Cors::new(options).unwrap(), answer));
            let (parts, _) = test::send(&endpoint, request).await.into_parts();
            (parts.status.as_u16(), parts.headers)
        })
    }

    async fn answer(conn: &mut Conn) -> Result {
        conn.put_header("vary", "accept");
        conn.text("answer");
        if conn.path() == "/fails" { Err(Error::not_found()) } else { Ok(()) }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for origin in [
            "",
            "null",
            "app.example",
            "https://",
            "https://app.example/",
            "https://*",
            "https://a.*.b",
            "https://u@a.b",
            "*.a.b",
            "https://a.b?c",
        ] {
            assert_eq!(Cors::new(options(&[origin])).unwrap_err(), CorsError::Origin(origin.to_owned()));
        }
        let with = |origins: &[&str], headers: &[&str], expose: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Cors::new(CorsOptions {
                credentials: true,
                headers: list(headers),
                expose: list(expose),
                ..options(origins)
            })
        };
        assert!(matches!(with(&["*"], &[], &[]), Err(CorsError::AnyWithCredentials(_))));
        assert!(matches!(with(&["https://a.b"], &["*"], &[]), Err(CorsError::AnyWithCredentials(_))));
        assert!(matches!(with(&["https://a.b"], &[], &["*"]), Err(CorsError::AnyWithCredentials(_))));
        assert!(matches!(with(&["https://a.b"], &["a b"], &[]), Err(CorsError::Header(_))));
        assert!(with(&["https://a.b:8443", "http://localhost:4000", "https://*.a.b"], &["x-a"], &["x-b"]).is_ok());
    }

    #[test]
    fn who_is_let_through_is_told() {
        for (known, origin, is_let_through) in [
            ("https://app.example", "https://app.example", true),
            ("https://app.example", "https://APP.example", true),
            ("https://app.example", "http://app.example", false),
            ("https://app.example", "https://app.example.evil", false),
            ("https://app.example", "https://app.example:8443", false),
            ("https://*.app.example", "https://a.app.example", true),
            ("https://*.app.example", "https://a.b.app.example", true),
            ("https://*.app.example", "https://app.example", false),
            ("https://*.app.example", "https://.app.example", false),
            ("https://*.app.example", "https://evilapp.example", false),
            ("https://*.app.example", "https://evil/.app.example", false),
            ("https://app.example", "null", false),
        ] {
            let (status, headers) = ask(options(&[known]), Method::GET, &[("origin", origin)]);
            let told = headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!((status, told), (200, is_let_through.then_some(origin)), "{known} {origin}");
            assert_eq!(headers.get_all("vary").iter().count(), 2);
        }
        let (_, headers) = ask(options(&["*"]), Method::GET, &[("origin", "https://a.b")]);
        assert_eq!(
            (&headers["access-control-allow-origin"], &headers["vary"]),
            (&"*".parse().unwrap(), &"accept".parse().unwrap())
        );
        let twice = [("origin", "https://app.example"), ("origin", "https://evil")];
        assert!(
            !ask(options(&["https://app.example"]), Method::GET, &twice).1.contains_key("access-control-allow-origin")
        );
        let all = CorsOptions { credentials: true, expose: vec!["x-a".into()], ..options(&["https://a.b"]) };
        let (_, headers) = ask(all, Method::GET, &[("origin", "https://a.b")]);
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["access-control-expose-headers"], "x-a");
    }

    #[test]
    fn preflights_are_answered() {
        let preflight = |origin: &str, method: &str, headers: &str| {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", headers),
            ];
            ask(options(&["https://a.b"]), Method::OPTIONS, &headers)
        };
        let (status, headers) = preflight("https://a.b", "PUT", "Content-Type");
        assert_eq!((status, &headers["access-control-max-age"]), (204, &"600".parse().unwrap()));
        assert_eq!(headers["access-control-allow-methods"], "GET, HEAD, POST, PUT, PATCH, DELETE");
        assert_eq!(headers["access-control-allow-headers"], "content-type");
        assert_eq!(headers["access-control-allow-origin"], "https://a.b");
        for (origin, method, names) in [
            ("https://evil", "PUT", ""),
            ("https://a.b", "TRACE", ""),
            ("https://a.b", "put", ""),
            ("https://a.b", "PUT", "content-type, x-a"),
            ("https://a.b", "PUT", &",".repeat(HEADERS_MAX)),
        ] {
            assert_eq!(preflight(origin, method, names).0, 403, "{origin} {method} {names}");
        }
        assert_eq!(ask(options(&["https://a.b"]), Method::OPTIONS, &[("origin", "https://a.b")]).0, 200);
    }

    proptest! {
        #[test]
        fn a_pattern_lets_no_other_host_through(label in "[a-z.:/@-]{0,20}") {
            let origin = format!("https://{label}.app.example");
            if pattern("https://*.app.example").unwrap().is(&origin) {
                let uri: Uri = origin.parse().unwrap();
                prop_assert_eq!(uri.host(), origin.strip_prefix("https://"));
            }
        }
    }
}
