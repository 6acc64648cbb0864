//! Requests without a socket.

use http::Method;
use simurgh_http::{Body, Client, Request, Response};

use crate::{Endpoint, Plug};

mod browser;

pub use browser::Browser;

/// A request of this method for this target, from a client on loopback.
///
/// # Panics
/// If the target is no target of a request.
pub fn request(method: Method, target: &str, body: impl Into<Body>) -> Request {
    let request = http::Request::builder().method(method).uri(target).header("host", "localhost");
    request.body(body.into()).expect("a target of a request")
}

/// Answers a GET.
pub async fn get<P: Plug>(endpoint: &Endpoint<P>, target: &str) -> Response {
    send(endpoint, request(Method::GET, target, Body::empty())).await
}

/// Answers a POST.
pub async fn post<P: Plug>(endpoint: &Endpoint<P>, target: &str, body: impl Into<Body>) -> Response {
    send(endpoint, request(Method::POST, target, body)).await
}

/// Answers a request.
pub async fn send<P: Plug>(endpoint: &Endpoint<P>, request: Request) -> Response {
    endpoint.answer(request, &Client::test(([127, 0, 0, 1], 50_000).into())).await
}

/// The body of a response as text.
///
/// # Panics
/// If it fails, is longer than a mebibyte or no UTF-8.
pub async fn text(response: Response) -> String {
    let bytes = response.into_body().collect(1 << 20).await.expect("a body that ends");
    String::from_utf8(bytes.into()).expect("UTF-8")
}
