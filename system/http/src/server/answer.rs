//! One request, from hyper to the service and back.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, planted};
use simurgh_telemetry::{event, is_heard};

use super::Options;
use super::arriving::Arriving;
use super::date::Date;
use super::shield::Shields;
use super::wire::{Asked, Turn, Wire};
use crate::framing::{BodyKind, Head, Refusal};
use crate::upgrade::OnUpgrade;
use crate::{Body, BodyError, Client, Response, Service};

/// A handler at work.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What the requests of one connection share.
pub(super) struct At<S> {
    pub(super) service: Arc<S>,
    pub(super) client: Client,
    pub(super) options: Arc<Options>,
    pub(super) shields: Arc<Shields>,
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) turn: Arc<Turn>,
    /// Answers have the date of the node's clock; if not, hyper gives them the machine's.
    pub(super) dates: bool,
    /// The next answer is the last.
    pub(super) ends: AtomicBool,
    pub(super) slow: Mutex<Slow>,
}

/// What is seldom needed of a connection.
#[derive(Default)]
pub(super) struct Slow {
    date: Date,
    /// How the connection goes on after the answer 101.
    pub(super) upgrade: Option<OnUpgrade>,
    /// What a handler's panic said.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

impl<S> At<S> {
    /// The body of a request.
    fn body(&self, incoming: Incoming) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::new(Arriving { incoming, wire: Arc::clone(&self.wire), len_max: self.options.body_len_max })
    }
}

/// The service, as hyper calls it.
pub(super) struct Adapter<S>(pub(super) Arc<At<S>>);

impl<S: Service> hyper::service::Service<http::Request<Incoming>> for Adapter<S> {
    type Response = http::Response<Sending<S>>;
    type Error = Infallible;
    type Future = Handling<S>;

    fn call(&self, request: http::Request<Incoming>) -> Handling<S> {
        let at = Arc::clone(&self.0);
        let asked = at.turn.begin_answer().or_else(|| at.wire.lock().take_asked());
        let Asked { head, number } = asked.expect("hyper is given one head, and calls once for it");
        let since = is_heard().then(Instant::now);
        let mut told = Told { at, number, since, status: 0, has_ended: false };
        match head {
            Ok(head) => told.serve(request, head),
            Err(refusal) => {
                let response = told.refuse(refusal);
                Handling { told: Some(told), work: Work::Done(Some(response)), head: None }
            }
        }
    }
}

/// A request's record: tells of it once, however it ends.
struct Told<S> {
    at: Arc<At<S>>,
    number: u64,
    /// None if nobody listened when it began.
    since: Option<Instant>,
    status: u16,
    has_ended: bool,
}

impl<S: Service> Told<S> {
    /// Begins to serve.
    #[inline] // a request is too large to be handed on for nothing
    fn serve(self, mut request: http::Request<Incoming>, head: Head) -> Handling<S> {
        let at = Arc::clone(&self.at);
        event!("http.request.start", {}, {
            connection: at.client.number(), request: self.number, safe: request.method().is_safe(),
        });
        if self.number >= at.options.requests_max {
            at.ends.store(true, Ordering::Relaxed);
        }
        to_origin_form(&mut request);
        let work = if request.uri().path() == "*" {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Work::Done(Some(response))
        } else {
            let is_shielded = !request.method().is_safe();
            // The box is there before the future is, which is so made in it: with a request in it, it is too large to be
            // moved about for each request.
            let place = Box::new_uninit();
            let future = async move {
                let request = request.map(|incoming| at.body(incoming));
                at.service.call(request, &at.client).await
            };
            let future = Box::into_pin(Box::write(place, future));
            Work::Running { future, is_shielded, has_begun: false }
        };
        Handling { told: Some(self), work, head: Some(head) }
    }

    /// Answers what is no request; it never began, so its one event is this.
    fn refuse(&mut self, refusal: Refusal) -> Response {
        self.has_ended = true;
        let Refusal { status, reason } = refusal;
        event!("http.refused", { status: status.as_u16() }, {
            connection: self.at.client.number(), request: self.number, reason: reason,
        });
        self.at.ends.store(true, Ordering::Relaxed);
        let text = status.canonical_reason().unwrap_or("Refused");
        let mut response = Response::new(format!("{} {text}: {reason}\n", status.as_u16()).into());
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }

    /// The request is over.
    fn tell(&mut self, result: &'static str) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let duration_ns = self.since.map_or(0, |since| since.elapsed().as_nanos());
            event!("http.request.stop", { duration_ns: duration_ns, status: self.status }, {
                connection: self.at.client.number(), request: self.number, result: result,
            });
        }
    }
}

/// A request that is being answered.
pub(super) struct Handling<S: Service> {
    told: Option<Told<S>>,
    work: Work,
    /// What was asked; nothing if it was refused.
    head: Option<Head>,
}

enum Work {
    Running { future: Answering, is_shielded: bool, has_begun: bool },
    Done(Option<Response>),
}

impl<S: Service> Future for Handling<S> {
    type Output = Result<http::Response<Sending<S>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let response = match &mut this.work {
            Work::Done(response) => response.take().expect("a future is not polled after its end"),
            Work::Running { future, has_begun, .. } => {
                *has_begun = true;
                // The handler is not used again.
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(polled) => ready!(polled),
                    Err(panic) => this.panicked(panic),
                }
            }
        };
        this.work = Work::Done(None);
        Poll::Ready(Ok(this.finish(response)))
    }
}

impl<S: Service> Handling<S> {
    fn panicked(&mut self, panic: Box<dyn Any + Send>) -> Response {
        if let Some(told) = &self.told {
            told.at.ends.store(true, Ordering::Relaxed);
            told.at.slow.lock().panic = Some(panic);
        }
        status_only(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What every answer has.
    fn finish(&mut self, mut response: Response) -> http::Response<Sending<S>> {
        let mut told = self.told.take().expect("an answer is finished once");
        let at = &*told.at;
        let is_upgrade = self.upgrades(at, &mut response);
        if response.status().is_informational() && !is_upgrade {
            tracing::error!("a handler answered {}, which is no final answer; 500 is sent", response.status());
            response = status_only(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let is_last = self.is_last(at, response.body());
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        if at.dates && !headers.contains_key(header::DATE) {
            headers.insert(header::DATE, at.slow.lock().date.now());
        }
        if !is_upgrade && is_last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        told.status = response.status().as_u16();
        response.map(|body| Sending { body, told, is_complete: false })
    }

    /// Whether the connection goes on with another protocol, which is then put aside.
    fn upgrades(&self, at: &At<S>, response: &mut Response) -> bool {
        let Some(head) = self.head.filter(|head| head.wants_upgrade) else { return false };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && head.body == BodyKind::None
            && let Some(upgrade) = response.extensions_mut().remove::<OnUpgrade>()
        {
            at.slow.lock().upgrade = Some(upgrade);
            return true;
        }
        at.wire.lock().release();
        false
    }

    /// Whether the connection ends after this answer: it is told to, or the request's body was not read
    /// and lies between us and the next request. Who streams an answer may still read; if not, hyper ends the
    /// connection after it.
    fn is_last(&self, at: &At<S>, body: &Body) -> bool {
        at.ends.load(Ordering::Relaxed)
            || (body.as_bytes().is_some()
                && self.head.is_some_and(|head| head.body != BodyKind::None)
                && !at.wire.lock().is_body_read())
    }
}

impl<S: Service> Drop for Handling<S> {
    fn drop(&mut self) {
        let Some(told) = &mut self.told else { return };
        let work = std::mem::replace(&mut self.work, Work::Done(None));
        let Work::Running { future, is_shielded: true, has_begun: true } = work else {
            return told.tell("cancelled");
        };
        if planted!("http.write-not-shielded") {
            return told.tell("cancelled");
        }
        told.tell("shielded");
        told.at.shields.adopt(future, (told.at.client.number(), told.number));
    }
}

/// An absolute target says which host is meant, whatever `Host` says (RFC 9112, 3.2.2).
fn to_origin_form(request: &mut http::Request<Incoming>) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().insert(header::HOST, host);
    }
    let path = match request.uri().path_and_query() {
        Some(path) if *request.method() == Method::OPTIONS && path.as_str() == "/" => "*", // RFC 9112, 3.2.4
        Some(path) => path.as_str(),
        None => "/",
    };
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// An answer that only its status says.
fn status_only(status: StatusCode) -> Response {
    let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The body of an answer, while it is sent; its end is the request's.
pub(super) struct Sending<S: Service> {
    body: Body,
    told: Told<S>,
    is_complete: bool,
}

impl<S: Service> HttpBody for Sending<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.is_complete = true,
            Some(Ok(_)) => self.is_complete = self.body.is_end_stream(),
            Some(Err(error)) => {
                tracing::error!("an answer is cut off: {error}");
                self.told.tell("failed");
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S: Service> Drop for Sending<S> {
    fn drop(&mut self) {
        self.told.at.turn.end_answer();
        let is_complete = self.is_complete || self.body.is_end_stream();
        self.told.tell(if is_complete { "answered" } else { "cut" });
    }
}
