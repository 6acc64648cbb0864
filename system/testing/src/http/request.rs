//! Requests, step by step.

use std::net::SocketAddr;

use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use serde::Serialize;

/// A request that is being made. See [`get`] and its siblings.
///
/// ```
/// use simurgh_test::{get, post};
///
/// let search = get("/search").query(&[("q", "red shoes"), ("page", "2")]).accept("application/json");
/// assert_eq!(search.target(), "/search?q=red+shoes&page=2");
///
/// let sign_in = post("/session").form(&[("name", "alice"), ("password", "secret")]).header("x-csrf-token", "t");
/// let upload = post("/files").header("content-type", "text/csv").body("a,b\n1,2\n");
/// ```
///
/// # Panics
/// All of its methods, if what they are given cannot stand in a request.
#[derive(Debug, Clone)]
pub struct Request {
    head: Parts,
    body: Bytes,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {
        $(
            #[doc = concat!("A ", stringify!($method), " of this target: a path, and a query if there is one.")]
            pub fn $name(target: &str) -> Request {
                request(Method::$method, target)
            }
        )*
    };
}

methods!(get GET, head HEAD, post POST, put PUT, patch PATCH, delete DELETE, options OPTIONS);

/// A request of any method.
///
/// # Panics
/// If the target is no target of a request.
pub fn request(method: Method, target: &str) -> Request {
    let request = ::http::Request::builder().method(method).uri(target).body(());
    let (head, ()) = request.expect("a target of a request").into_parts();
    Request { head, body: Bytes::new() }
}

impl Request {
    /// A header, beside others of its name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.head.headers.append(name, value.parse().expect("a header's value"));
        self
    }

    /// What the client takes: `application/json`, `text/html`.
    pub fn accept(self, media_type: &str) -> Self {
        self.header("accept", media_type)
    }

    /// A cookie of this request alone.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        let before = self.head.headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        let cookies = before.map_or_else(|| format!("{name}={value}"), |before| format!("{before}; {name}={value}"));
        self.head.headers.insert(header::COOKIE, cookies.parse().expect("a cookie's name and value"));
        self
    }

    /// The header `authorization: Bearer ..`.
    pub fn bearer(mut self, token: &str) -> Self {
        let mut value: HeaderValue = format!("Bearer {token}").parse().expect("a token");
        value.set_sensitive(true);
        self.head.headers.insert(header::AUTHORIZATION, value);
        self
    }

    /// Parameters of the query, after those of the target.
    pub fn query(mut self, params: &[(&str, &str)]) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let target = self.target();
        let mark = if target.contains('?') { '&' } else { '?' };
        self.head.uri = format!("{target}{mark}{query}").parse().expect("a target of a request");
        self
    }

    /// A body of JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("a value that is JSON");
        self.typed("application/json", json)
    }

    /// A body as of a form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.typed("application/x-www-form-urlencoded", form)
    }

    /// A body of which nothing is said.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The client's address, where the transport can choose it.
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.head.extensions.insert(peer);
        self
    }

    /// Its path and query.
    pub fn target(&self) -> String {
        self.head.uri.to_string()
    }

    fn typed(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    pub(super) fn into_parts(self) -> (Parts, Bytes) {
        (self.head, self.body)
    }
}
