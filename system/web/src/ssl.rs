//! https only.

use std::borrow::Cow;
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode, header};
use simurgh_http::Body;

use crate::{Conn, Error, Plug, Result};

/// The least that browsers' lists of https-only hosts ask for.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Sends clients that come by http to https, and tells those that come by https to come only so from now on
/// (HSTS).
///
/// ```
/// use simurgh_web::{Conn, Endpoint, ForceSsl, test};
///
/// async fn hello(conn: &mut Conn) {
///     conn.text("hello");
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((ForceSsl::new(), hello));
/// let response = test::get(&endpoint, "http://shop.example/cart?page=2").await;
/// assert_eq!(response.status(), 301);
/// assert_eq!(response.headers()["location"], "https://shop.example/cart?page=2");
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`max_age`](Self::max_age) | a year | for how long a browser remembers it; zero makes it forget |
/// | [`include_subdomains`](Self::include_subdomains) | no | it counts for all hosts below this one |
/// | [`preload`](Self::preload) | no | the host may be put into browsers' lists |
/// | [`exclude`](Self::exclude) | `localhost`, `127.0.0.1`, `[::1]` | hosts that may be reached by http |
/// | [`host`](Self::host) | the request's | host, with port if it is not 443, to send clients to |
///
/// GET and HEAD are sent on with `301 Moved Permanently`, others with `307 Temporary Redirect`, which keeps method
/// and body. Behind a proxy that takes the TLS off, [`TrustedProxies`](crate::TrustedProxies) comes before, or the
/// clients are sent in circles.
///
/// | failure | answer |
/// | --- | --- |
/// | no host, or one that is none | 400 `bad_host` |
///
/// Limits: those of a request's head. Source: RFC 6797.
#[derive(Debug, Clone)]
pub struct ForceSsl {
    max_age: Duration,
    include_subdomains: bool,
    preload: bool,
    excluded: Vec<Cow<'static, str>>,
    host: Option<Authority>,
}

impl Default for ForceSsl {
    fn default() -> Self {
        Self::new()
    }
}

impl ForceSsl {
    /// With its defaults.
    pub fn new() -> Self {
        let excluded = ["localhost", "127.0.0.1", "[::1]"].map(Cow::Borrowed).into();
        Self { max_age: YEAR, include_subdomains: false, preload: false, excluded, host: None }
    }

    /// For how long a browser remembers it, to the second.
    ///
    /// # Panics
    /// If it is less than a year and the host is to be [preloaded](Self::preload).
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self.checked()
    }

    /// It counts for all hosts below this one.
    pub fn include_subdomains(mut self) -> Self {
        self.include_subdomains = true;
        self
    }

    /// The host may be put into browsers' lists of hosts that are reached by https only.
    ///
    /// # Panics
    /// If it does not [include the hosts below](Self::include_subdomains), or for less than a year: the lists ask
    /// for both.
    pub fn preload(mut self) -> Self {
        self.preload = true;
        self.checked()
    }

    /// One more host that may be reached by http.
    pub fn exclude(mut self, host: impl Into<Cow<'static, str>>) -> Self {
        self.excluded.push(host.into());
        self
    }

    /// The host to send clients to, with a port if it is not 443.
    ///
    /// # Panics
    /// If it is none.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.parse().unwrap_or_else(|_| panic!("{host:?} is not a host")));
        self
    }

    fn checked(self) -> Self {
        assert!(
            !self.preload || (self.include_subdomains && self.max_age >= YEAR),
            "a host is preloaded for a year or more and with all below it: say include_subdomains, and a max_age of that length"
        );
        self
    }

    fn hsts(&self) -> String {
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if self.preload { "; preload" } else { "" };
        format!("max-age={}{subdomains}{preload}", self.max_age.as_secs())
    }
}

impl Plug for ForceSsl {
    async fn call(&self, conn: &mut Conn) -> Result {
        let host = conn.host().unwrap_or_default();
        if self.excluded.iter().any(|excluded| excluded.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        if conn.scheme() == "https" {
            conn.try_put_header(header::STRICT_TRANSPORT_SECURITY, self.hsts())?;
            return Ok(());
        }
        // What stands before an @ is a name for the host behind it.
        let given = || host.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@'));
        let bad_host = || Error::bad_request("bad_host", "The request has no host, or one that is none.");
        let host = self.host.clone().or_else(given).ok_or_else(bad_host)?;
        let target = conn.uri().path_and_query().map_or("/", |target| target.as_str());
        let location = HeaderValue::try_from(format!("https://{host}{target}"))?;
        let is_safe = [Method::GET, Method::HEAD].contains(conn.method());
        let status = if is_safe { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
        conn.response_headers_mut().insert(header::LOCATION, location);
        conn.put_status(status);
        conn.put_body(Body::empty());
        conn.halt();
        Ok(())
    }
}
