//! Which sites may use this one.

use http::uri::Authority;
use http::{HeaderValue, Method, header};
use serde_json::json;

use crate::{Conn, Error, Plug, Result};

/// Refuses requests of pages of other sites, if they change something (all but GET, HEAD and OPTIONS) or open a
/// WebSocket.
///
/// ```
/// use simurgh_web::{CheckOrigin, Conn, Endpoint, test};
///
/// async fn vote(conn: &mut Conn) {
///     conn.text("counted");
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let check = CheckOrigin::same_host().allow("https://polls.example").allow("//*.polls.example");
/// let endpoint = Endpoint::new((check, vote));
/// let from = async |origin: &str| {
///     let mut request = test::request(http::Method::POST, "/", "");
///     request.headers_mut().insert("origin", origin.parse().unwrap());
///     test::send(&endpoint, request).await.status()
/// };
/// assert_eq!(from("http://localhost").await, 200);
/// assert_eq!(from("https://polls.example").await, 200);
/// assert_eq!(from("http://www.polls.example:8080").await, 200);
/// assert_eq!(from("http://polls.example").await, 403);
/// # });
/// ```
///
/// | option | | |
/// | --- | --- | --- |
/// | [`same_host`](Self::same_host) | scheme, host and port of the request | Phoenix's `:conn` |
/// | [`only`](Self::only) | none but those that are [allowed](Self::allow) | |
/// | [`allow`](Self::allow) | one more origin | `https://example.com`, with `:port`; `//example.com` in any scheme and on any port; `//*.example.com` all hosts below |
///
/// Behind a proxy that takes the TLS off, [`TrustedProxies`](crate::TrustedProxies) comes before, or nobody comes from
/// the same host. A request without `Origin` is let through: it is not of a page. The origin `null` is of no site.
///
/// | failure | answer |
/// | --- | --- |
/// | another origin, `null`, or several | 403 `origin_not_allowed` |
///
/// Limits: those of a request's head. Source: RFC 6454, 7; RFC 6455, 10.2.
#[derive(Debug, Clone)]
pub struct CheckOrigin {
    allows_same_host: bool,
    allowed: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    scheme: Option<String>,
    host: String,
    /// All hosts below it, and not itself.
    is_below: bool,
    port: Option<u16>,
}

/// An origin (RFC 6454, 4).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl CheckOrigin {
    /// Pages of the same scheme, host and port as the request.
    pub fn same_host() -> Self {
        Self { allows_same_host: true, allowed: Vec::new() }
    }

    /// None yet but those that are [allowed](Self::allow).
    pub fn only() -> Self {
        Self { allows_same_host: false, allowed: Vec::new() }
    }

    /// Pages of this origin too.
    ///
    /// # Panics
    /// If it is none, or has a star elsewhere than as its first label.
    pub fn allow(mut self, origin: &str) -> Self {
        self.allowed.push(Pattern::parse(origin).unwrap_or_else(|| {
            panic!("{origin:?} is not an origin: https://example.com, //example.com or //*.example.com")
        }));
        self
    }

    /// Whether the page that sent the request may; whatever its method. For those who open sockets by
    /// themselves.
    ///
    /// # Errors
    /// 403 `origin_not_allowed`.
    pub fn check(&self, conn: &Conn) -> Result {
        let mut origins = conn.request_headers().get_all(header::ORIGIN).iter();
        let Some(given) = origins.next() else { return Ok(()) };
        let origin = given.to_str().ok().and_then(Origin::parse).filter(|_| origins.next().is_none());
        if origin.is_some_and(|origin| self.allows(conn, &origin)) {
            return Ok(());
        }
        let given = String::from_utf8_lossy(given.as_bytes());
        let error = Error::forbidden("origin_not_allowed", "Pages of this site may not do that.");
        Err(error.details(json!({ "origin": given })))
    }

    fn allows(&self, conn: &Conn, origin: &Origin) -> bool {
        let is_same = || {
            let host = conn.host().unwrap_or_default();
            origin.scheme == conn.scheme()
                && origin.host.eq_ignore_ascii_case(host)
                && origin.port() == Some(conn.port())
        };
        (self.allows_same_host && is_same()) || self.allowed.iter().any(|pattern| pattern.fits(origin))
    }
}

impl Plug for CheckOrigin {
    async fn call(&self, conn: &mut Conn) -> Result {
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(conn.method());
        if is_safe && !is_websocket(conn) { Ok(()) } else { self.check(conn) }
    }
}

/// Whether it wants to be one: by the header of HTTP/1, or by CONNECT of HTTP/2, which is not safe anyway.
fn is_websocket(conn: &Conn) -> bool {
    let is_it = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|part| part.trim().eq_ignore_ascii_case("websocket"))
    };
    conn.request_headers().get_all(header::UPGRADE).iter().any(is_it)
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = match text.strip_prefix("//") {
            Some(host) => (None, host),
            None => text.split_once("://").map(|(scheme, host)| (Some(scheme), host))?,
        };
        let is_below = host.starts_with("*.");
        let host = if is_below { &host[2..] } else { host };
        let origin = Origin::parse(&format!("{}://{host}", scheme.unwrap_or("https")))?;
        if origin.host.contains('*') {
            return None;
        }
        Some(Self { scheme: scheme.map(|_| origin.scheme), host: origin.host, is_below, port: origin.port })
    }

    fn fits(&self, origin: &Origin) -> bool {
        let is_scheme = self.scheme.as_ref().is_none_or(|scheme| *scheme == origin.scheme);
        let is_port = match (self.port, &self.scheme) {
            (Some(port), _) => origin.port() == Some(port),
            (None, Some(scheme)) => origin.port() == usual_port(scheme),
            (None, None) => true,
        };
        let is_host = if self.is_below {
            origin.host.strip_suffix(&self.host).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        } else {
            origin.host == self.host
        };
        is_scheme && is_port && is_host
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let authority: Authority = rest.parse().ok()?;
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
        if !is_scheme || rest.contains('@') || authority.host().is_empty() {
            return None;
        }
        let port = match rest[authority.host().len()..].strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        Some(Self { scheme: scheme.to_ascii_lowercase(), host: authority.host().to_ascii_lowercase(), port })
    }

    fn port(&self) -> Option<u16> {
        self.port.or(usual_port(&self.scheme))
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_fit_what_they_say() {
        for (pattern, origin, fits) in [
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "https://example.com:443", true),
            ("https://example.com", "https://EXAMPLE.com", true),
            ("https://example.com", "http://example.com", false),
            ("https://example.com", "https://example.com:8443", false),
            ("https://example.com:8443", "https://example.com:8443", true),
            ("https://example.com", "https://example.com.evil.test", false),
            ("//example.com", "http://example.com:8080", true),
            ("//example.com:8080", "http://example.com", false),
            ("//*.example.com", "https://a.b.example.com", true),
            ("//*.example.com", "https://example.com", false),
            ("//*.example.com", "https://evilexample.com", false),
            ("//*.example.com", "https://.example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("//[::1]", "http://[::1]:4000", true),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            let fitting = Origin::parse(origin).is_some_and(|origin| pattern.fits(&origin));
            assert_eq!(fitting, fits, "{origin} by {pattern:?}");
        }
        for wrong in
            ["example.com", "//", "https://", "//a.*.example.com", "//*", "https://u@example.com", "://a", "//a:x"]
        {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
        for wrong in ["null", "", "https://", "https://a/b", "https://a:99999", "https://u@a", "https://a b"] {
            assert_eq!(Origin::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z*:/@.\\[\\]0-9 \u{e4}]{0,40}") {
            Pattern::parse(&text);
            Origin::parse(&text);
        }
    }
}
