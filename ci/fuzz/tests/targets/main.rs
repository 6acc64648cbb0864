//! All targets, in one program: their names are the tests'.

#![forbid(unsafe_code)]

use fuzz::{Input, ready};
use http::{HeaderValue, Method};
use simurgh_web::{Body, Endpoint, Plug, test};

mod credentials;
mod extract;
mod framing;
mod handshake;
mod headers;
mod multipart;
mod negotiate;
mod proxies;
mod routes;
mod websocket;

/// The input as the value of a header, if it can be one: what cannot never reaches what reads headers.
fn value(input: &Input) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&input.bytes).ok()
}

/// Status and text of the answer to a request with this header. A panic would be an answer with 500, so there is none.
fn answer<P: Plug>(
    endpoint: &Endpoint<P>,
    method: Method,
    target: &str,
    header: (&str, &HeaderValue),
) -> (u16, String) {
    with_body(endpoint, method, target, header, Body::empty())
}

/// The same with a body.
fn with_body<P: Plug>(
    endpoint: &Endpoint<P>,
    method: Method,
    target: &str,
    (name, value): (&str, &HeaderValue),
    body: impl Into<Body>,
) -> (u16, String) {
    let mut request = test::request(method, target, body);
    let name: http::HeaderName = name.parse().expect("a header's name");
    request.headers_mut().insert(name, value.clone());
    let response = ready(test::send(endpoint, request));
    let status = response.status().as_u16();
    (status, ready(test::text(response)))
}
