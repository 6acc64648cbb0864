//! A browser without a window.

use http::{HeaderValue, Method, header};
use simurgh_http::{Body, Request, Response};

use super::{request, send};
use crate::{Endpoint, Plug, parse_cookies};

/// Sends requests with the cookies that the responses before had it keep.
///
/// ```
/// use simurgh_web::{Conn, Cookie, Endpoint, Result, test};
///
/// async fn count(conn: &mut Conn) -> Result {
///     let visits = conn.cookie("visits").map_or(0, str::len) + 1;
///     conn.put_cookie(Cookie::new("visits", "x".repeat(visits)))?;
///     conn.text(format!("visit {visits}"));
///     Ok(())
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(count);
/// let mut browser = test::Browser::default();
/// browser.get(&endpoint, "/").await;
/// assert_eq!(test::text(browser.get(&endpoint, "/").await).await, "visit 2");
/// # });
/// ```
///
/// It keeps names and values: it sends a cookie to all hosts and paths, and until it is deleted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    /// Answers a GET.
    pub async fn get<P: Plug>(&mut self, endpoint: &Endpoint<P>, target: &str) -> Response {
        self.send(endpoint, request(Method::GET, target, Body::empty())).await
    }

    /// Answers a POST of a form.
    pub async fn post<P: Plug>(&mut self, endpoint: &Endpoint<P>, target: &str, form: impl Into<Body>) -> Response {
        let mut request = request(Method::POST, target, form);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.send(endpoint, request).await
    }

    /// Answers a request, to which it puts its cookies.
    ///
    /// # Panics
    /// If a cookie cannot be sent.
    pub async fn send<P: Plug>(&mut self, endpoint: &Endpoint<P>, mut request: Request) -> Response {
        if !self.cookies.is_empty() {
            let cookies = HeaderValue::try_from(self.cookie_header()).expect("cookies are a header");
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        let response = send(endpoint, request).await;
        for value in response.headers().get_all(header::SET_COOKIE) {
            self.keep(value.to_str().expect("cookies are text"));
        }
        response
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Keeps a cookie, in place of the one of its name.
    pub fn put_cookie(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.cookies.retain(|(known, _)| *known != name);
        self.cookies.push((name, value.into()));
    }

    /// All its cookies, as a request has them.
    pub fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, set_cookie: &str) {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let Some((name, value)) = parse_cookies(pair).next() else { return };
        if attributes.split(';').any(|attribute| attribute.trim().eq_ignore_ascii_case("max-age=0")) {
            self.cookies.retain(|(known, _)| known != name);
        } else {
            self.put_cookie(name, value);
        }
    }
}
