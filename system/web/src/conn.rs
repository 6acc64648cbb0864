//! The conn: a request, and the response that is being made to it.

use std::fmt;

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;
use simurgh_http::{Body, Client, Request, Response};

use crate::endpoint::Shared;
use crate::trace::{Name, Trace, Way};
use crate::{Assigns, Error, Plug, Result, Route};

mod path;

pub use path::PathParams;

/// One request and its response: what every plug and every handler works on.
///
/// | part | read it | change it |
/// | --- | --- | --- |
/// | method, path, query | [`method`](Self::method), [`path`](Self::path), [`query_string`](Self::query_string) | [`set_method`](Self::set_method) |
/// | where it came from | [`host`](Self::host), [`port`](Self::port), [`scheme`](Self::scheme), [`remote_ip`](Self::remote_ip) | `set_*` of the same |
/// | request headers, body | [`header`](Self::header), [`request_headers`](Self::request_headers) | [`take_body`](Self::take_body) |
/// | path parameters | [`path_params`](Self::path_params) | the router |
/// | what plugs leave each other | [`assigned`](Self::assigned) | [`assign`](Self::assign) |
/// | status, response headers, body | [`status`](Self::status), [`response_headers`](Self::response_headers), [`response_body`](Self::response_body) | [`put_status`](Self::put_status), [`put_header`](Self::put_header), [`text`](Self::text), [`html`](Self::html), [`json`](Self::json), [`put_body`](Self::put_body) |
/// | whether later plugs see it | [`is_halted`](Self::is_halted) | [`halt`](Self::halt) |
pub struct Conn {
    request: Parts,
    body: Option<Body>,
    client: Client,
    shared: Shared,
    /// What a proxy said about the outside, in place of what the connection says.
    outside: Outside,
    pub(crate) path: path::PathState,
    assigns: Assigns,
    status: Option<StatusCode>,
    /// All of the response but its status, which is set when it is ready.
    response: http::Response<Option<Body>>,
    halted: bool,
    error: Option<Error>,
    before_send: Vec<BeforeSend>,
    /// How many plugs of each open pipeline were called.
    called: Vec<u8>,
    route: Option<&'static Route>,
    routes: &'static [Route],
    trace: Option<Box<Trace>>,
}

type BeforeSend = Box<dyn FnOnce(&mut Conn) -> Result + Send>;

#[derive(Default)]
struct Outside {
    scheme: Option<&'static str>,
    host: Option<String>,
    port: Option<u16>,
    remote_ip: Option<std::net::IpAddr>,
}

impl Conn {
    // In a box that is there before the conn is, which is so made in it: it is too large to be moved about for each
    // request.
    pub(crate) fn new(request: Request, client: Client, shared: Shared) -> Box<Self> {
        let place = Box::new_uninit();
        let (request, body) = request.into_parts();
        let conn = Self {
            request,
            body: Some(body),
            client,
            shared,
            outside: Outside::default(),
            path: path::PathState::default(),
            assigns: Assigns::default(),
            status: None,
            response: http::Response::new(None),
            halted: false,
            error: None,
            before_send: Vec::new(),
            called: Vec::new(),
            route: None,
            routes: &[],
            trace: None,
        };
        Box::write(place, conn)
    }

    // ---- the request

    /// The method.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Another method, for what comes after.
    pub fn set_method(&mut self, method: Method) -> &mut Self {
        self.request.method = method;
        self
    }

    /// The target, as it came.
    pub fn uri(&self) -> &Uri {
        &self.request.uri
    }

    /// The version of HTTP.
    pub fn version(&self) -> http::Version {
        self.request.version
    }

    /// The whole path, as it came: percent-encoded.
    pub fn path(&self) -> &str {
        self.request.uri.path()
    }

    /// What comes after the question mark; empty if there is none.
    pub fn query_string(&self) -> &str {
        self.request.uri.query().unwrap_or_default()
    }

    /// The request's headers.
    pub fn request_headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// The request's headers, to change for what comes after.
    pub fn request_headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.request.headers
    }

    /// A header of the request, if it is there and is text; of several the first.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }

    /// What the server, or an upgrade, attached to the request.
    pub fn request_extensions_mut(&mut self) -> &mut Extensions {
        &mut self.request.extensions
    }

    /// The request's body. Who takes it reads it; the next one gets none.
    pub fn take_body(&mut self) -> Option<Body> {
        self.body.take()
    }

    /// Puts a body in the request's place (a decoded one, say).
    pub fn put_request_body(&mut self, body: Body) {
        self.body = Some(body);
    }

    /// The connection it came on.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who sent it: the other end of the connection, or what a trusted proxy says.
    pub fn remote_ip(&self) -> std::net::IpAddr {
        self.outside.remote_ip.unwrap_or_else(|| self.client.peer().ip())
    }

    /// `http` or `https`, as the client sees it.
    pub fn scheme(&self) -> &'static str {
        self.outside.scheme.unwrap_or_else(|| self.client.scheme())
    }

    /// The host as the client sees it, without the port.
    pub fn host(&self) -> Option<&str> {
        if let Some(host) = &self.outside.host {
            return Some(host);
        }
        if let Some(host) = self.request.uri.host() {
            return Some(host);
        }
        let host = self.header(header::HOST)?;
        // An IPv6 address is in brackets, with colons of its own.
        let end = host.rfind(':').filter(|colon| !host[*colon..].contains(']')).unwrap_or(host.len());
        Some(&host[..end])
    }

    /// The port as the client sees it.
    pub fn port(&self) -> u16 {
        let said = || {
            let host = self.header(header::HOST)?.parse::<Authority>().ok()?;
            host.port_u16()
        };
        let usual = if self.scheme() == "https" { 443 } else { 80 };
        self.outside.port.or_else(|| self.request.uri.port_u16()).or_else(said).unwrap_or(usual)
    }

    /// What a proxy that is trusted says of the outside: the scheme.
    pub fn set_scheme(&mut self, scheme: &'static str) {
        self.outside.scheme = Some(scheme);
    }

    /// The same for the host.
    pub fn set_host(&mut self, host: impl Into<String>) {
        self.outside.host = Some(host.into());
    }

    /// The same for the port.
    pub fn set_port(&mut self, port: u16) {
        self.outside.port = Some(port);
    }

    /// The same for the client's address.
    pub fn set_remote_ip(&mut self, ip: std::net::IpAddr) {
        self.outside.remote_ip = Some(ip);
    }

    // ---- what plugs leave each other

    /// Leaves a value for those who come after, one of each type.
    pub fn assign<T: Send + Sync + 'static>(&mut self, value: T) -> &mut Self {
        self.assigns.insert(value);
        self
    }

    /// What somebody before has left.
    pub fn assigned<T: 'static>(&self) -> Option<&T> {
        self.assigns.get()
    }

    /// All that was left.
    pub fn assigns(&self) -> &Assigns {
        &self.assigns
    }

    /// All that was left, to change.
    pub fn assigns_mut(&mut self) -> &mut Assigns {
        &mut self.assigns
    }

    // ---- the response

    /// The status, if one has been set.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Sets the status. Without one, a response with a body is `200 OK`.
    pub fn put_status(&mut self, status: StatusCode) -> &mut Self {
        self.status = Some(status);
        self
    }

    /// The response's headers.
    pub fn response_headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The response's headers, to change.
    pub fn response_headers_mut(&mut self) -> &mut HeaderMap {
        self.response.headers_mut()
    }

    /// Sets a header of the response to one value that stands in the program.
    ///
    /// # Panics
    /// If name or value are none (in capitals, with line breaks). For values from elsewhere there is
    /// [`Conn::try_put_header`].
    pub fn put_header(&mut self, name: &'static str, value: &'static str) -> &mut Self {
        self.response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Sets a header of the response, if the value can be one.
    ///
    /// # Errors
    /// `500`, if it has a line break or another byte that no header may have.
    pub fn try_put_header(&mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Result<&mut Self> {
        self.response.headers_mut().insert(name, HeaderValue::from_bytes(value.as_ref())?);
        Ok(self)
    }

    /// What is attached to the response for the server.
    pub fn response_extensions_mut(&mut self) -> &mut Extensions {
        self.response.extensions_mut()
    }

    /// The response's body, if there is one yet.
    pub fn response_body(&self) -> Option<&Body> {
        self.response.body().as_ref()
    }

    /// Takes the response's body, to put another one in its place.
    pub fn take_response_body(&mut self) -> Option<Body> {
        self.response.body_mut().take()
    }

    /// Sets the response's body, and no headers.
    pub fn put_body(&mut self, body: impl Into<Body>) -> &mut Self {
        *self.response.body_mut() = Some(body.into());
        self
    }

    /// Answers with plain text.
    pub fn text(&mut self, text: impl Into<Bytes>) {
        self.respond_with(HeaderValue::from_static("text/plain; charset=utf-8"), text);
    }

    /// Answers with HTML.
    pub fn html(&mut self, html: impl Into<Bytes>) {
        self.respond_with(HeaderValue::from_static("text/html; charset=utf-8"), html);
    }

    /// Answers with a value as JSON.
    ///
    /// # Errors
    /// `500`, if it cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let json = serde_json::to_vec(value)?;
        self.respond_with(HeaderValue::from_static("application/json; charset=utf-8"), json);
        Ok(())
    }

    /// Answers with a body of this type. A type that was set before stays.
    pub fn respond_with(&mut self, content_type: HeaderValue, body: impl Into<Body>) {
        // Mostly there is no header yet, which is faster to see than to find the place of an entry.
        if !self.response.headers().contains_key(header::CONTENT_TYPE) {
            self.response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        *self.response.body_mut() = Some(body.into());
    }

    /// Whether it has an answer.
    pub fn is_answered(&self) -> bool {
        self.response.body().is_some()
    }

    // ---- its way

    /// No further plug is to see it; those that have, see the response.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// Whether it is on its way out.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Something to do with the response when all plugs are through; the last one first.
    pub fn register_before_send(&mut self, f: impl FnOnce(&mut Conn) -> Result + Send + 'static) {
        self.before_send.push(Box::new(f));
    }

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Halts it, and answers with the endpoint's page for this error.
    pub fn fail(&mut self, error: Error) {
        self.halted = true;
        self.status = Some(error.status());
        if let Some(trace) = &mut self.trace {
            trace.failed(error.status().as_u16());
        }
        *self.response.body_mut() = None;
        self.response.headers_mut().remove(header::CONTENT_TYPE);
        let pages = self.shared.pages();
        pages.answer(self, &error);
        self.error = Some(error);
    }

    /// The route that a router found; of several routers, the last one's.
    pub fn route(&self) -> Option<&'static Route> {
        self.route
    }

    /// The routes of the router that saw it last.
    pub(crate) fn routes(&self) -> &'static [Route] {
        self.routes
    }

    /// For routers: among which routes they look.
    pub(crate) fn set_routes(&mut self, routes: &'static [Route]) {
        self.routes = routes;
        self.route = None;
    }

    /// For routers: what they found.
    pub(crate) fn set_route(&mut self, route: &'static Route) {
        self.route = Some(route);
        if let Some(trace) = &mut self.trace {
            trace.detail(route.path);
        }
    }

    /// The way that it has gone, if the endpoint has it [recorded](crate::Endpoint::traced).
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    pub(crate) fn trace_mut(&mut self) -> &mut Option<Box<Trace>> {
        &mut self.trace
    }

    /// Lets a plug work on the request.
    pub async fn run<P: Plug>(&mut self, plug: &P) {
        self.step_begins(Way::In, || Name::of_plug(plug.name()));
        if let Err(error) = plug.call(self).await {
            self.fail(error);
        }
        self.step_ends();
    }

    /// The same for a pipeline with a name.
    #[doc(hidden)]
    pub async fn run_pipeline<P: Plug>(&mut self, called: &'static str, plug: &P) {
        self.step_begins(Way::In, || Name { kind: "pipeline", called });
        if let Err(error) = plug.call(self).await {
            self.fail(error);
        }
        self.step_ends();
    }

    /// The route's handler is called.
    #[doc(hidden)]
    pub fn handler_begins(&mut self) {
        let called = self.route.map_or("", |route| route.handler);
        self.step_begins(Way::In, || Name { kind: "handler", called });
    }

    /// A handler is done.
    #[doc(hidden)]
    pub fn finish(&mut self, outcome: Result) {
        if let Err(error) = outcome {
            self.fail(error);
        }
        self.step_ends();
    }

    /// Lets a plug work on the response.
    pub async fn run_back<P: Plug>(&mut self, plug: &P) {
        self.step_begins(Way::Out, || Name::of_plug(plug.name()));
        if let Err(error) = plug.before_send(self).await {
            self.fail(error);
        }
        self.step_ends();
    }

    /// The same for a pipeline with a name.
    #[doc(hidden)]
    pub async fn run_pipeline_back<P: Plug>(&mut self, called: &'static str, plug: &P) {
        self.step_begins(Way::Out, || Name { kind: "pipeline", called });
        if let Err(error) = plug.before_send(self).await {
            self.fail(error);
        }
        self.step_ends();
    }

    /// A step begins, if anybody wants to know.
    #[inline]
    pub(crate) fn step_begins(&mut self, way: Way, name: impl FnOnce() -> Name) {
        if let Some(trace) = &mut self.trace {
            trace.open(name(), way);
        }
    }

    /// The innermost step ends.
    #[inline]
    pub(crate) fn step_ends(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.close(self.halted);
        }
    }

    /// A pipeline begins: none of its plugs has been called.
    pub(crate) fn open_pipeline(&mut self) {
        self.called.push(0);
    }

    /// One more plug of the innermost pipeline is called.
    pub(crate) fn count_called(&mut self) {
        if let Some(called) = self.called.last_mut() {
            *called += 1;
        }
    }

    /// A pipeline ends: how many of its plugs were called.
    pub(crate) fn close_pipeline(&mut self) -> u8 {
        self.called.pop().unwrap_or_default()
    }

    /// After a panic: all pipelines are over but, if it has one, the endpoint's own.
    pub(crate) fn close_inner_pipelines(&mut self) {
        self.called.truncate(1);
    }

    pub(crate) fn take_before_send(&mut self) -> Option<BeforeSend> {
        self.before_send.pop()
    }

    /// The response that it has become.
    // Out of its box part by part: it is too large to be moved.
    #[allow(clippy::boxed_local)]
    pub(crate) fn into_response(self: Box<Self>) -> Response {
        let mut response = self.response.map(Option::unwrap_or_default);
        *response.status_mut() = self.status.unwrap_or_default();
        response
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({} {}, {:?})", self.method(), self.path(), self.status)
    }
}
