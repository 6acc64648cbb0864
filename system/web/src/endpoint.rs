//! The endpoint: where requests come in and responses go out.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::HeaderValue;
use simurgh_http::{Body, Client, Request, Response, Service};
use simurgh_runtime::PanicReport;

use crate::{Conn, Error, Plug};

/// Answers requests with what its plugs make of them.
///
/// It is the service of a server, and a tower service. Cheap to clone.
#[derive(Debug)]
pub struct Endpoint<P> {
    plugs: Arc<P>,
    shared: Shared,
}

impl<P> Clone for Endpoint<P> {
    fn clone(&self) -> Self {
        Self { plugs: Arc::clone(&self.plugs), shared: self.shared.clone() }
    }
}

/// What an endpoint gives to all its requests.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Settings>);

struct Settings {
    pages: Arc<dyn Pages>,
}

/// Answers errors.
pub trait Pages: Send + Sync + 'static {
    /// Puts an answer to the error into the conn; its status is there already.
    fn answer(&self, conn: &mut Conn, error: &Error);
}

/// Errors as one line of text.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl Pages for Plain {
    fn answer(&self, conn: &mut Conn, error: &Error) {
        let text = format!("{} {}", error.status().as_u16(), error.message());
        conn.respond_with(HeaderValue::from_static("text/plain; charset=utf-8"), text);
    }
}

impl Shared {
    pub(crate) fn pages(&self) -> Arc<dyn Pages> {
        Arc::clone(&self.0.pages)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl<P: Plug> Endpoint<P> {
    /// An endpoint of one plug: a router, or several in a tuple.
    pub fn new(plugs: P) -> Self {
        Self { plugs: Arc::new(plugs), shared: Shared(Arc::new(Settings { pages: Arc::new(Plain) })) }
    }

    /// Who answers errors.
    pub fn pages(mut self, pages: impl Pages) -> Self {
        self.shared = Shared(Arc::new(Settings { pages: Arc::new(pages) }));
        self
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request, client: &Client) -> Response {
        let mut conn = Conn::new(request, client.clone(), self.shared.clone());
        let panicked = caught(pin!(conn.run(&*self.plugs))).await;
        conn.settle(panicked);
        if !conn.is_answered() {
            conn.fail(Error::not_found());
        }
        let panicked = caught(pin!(conn.run_back(&*self.plugs))).await;
        conn.settle(panicked);
        while let Some(before_send) = conn.take_before_send() {
            if let Err(error) = before_send(&mut conn) {
                conn.fail(error);
            }
        }
        conn.into_response()
    }
}

impl Conn {
    /// A panic fails the conn, and ends nothing else.
    fn settle(&mut self, panicked: Option<PanicReport>) {
        if let Some(report) = panicked {
            self.close_inner_pipelines();
            self.fail(Error::panic(report));
        }
    }
}

/// Runs it to its end, or to its panic.
async fn caught(mut work: Pin<&mut impl Future<Output = ()>>) -> Option<PanicReport> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(payload) => Poll::Ready(Some(PanicReport::from_payload(payload))),
    })
    .await
}

impl<P: Plug> Service for Endpoint<P> {
    async fn call(&self, request: Request, client: &Client) -> Response {
        self.answer(request, client).await
    }
}

/// As a tower service it takes the client's address from the request's extensions, where whoever
/// mounts it may put a [`Client`], and reads a body of any kind.
impl<P, B> tower_service::Service<http::Request<B>> for Endpoint<P>
where
    P: Plug,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let endpoint = self.clone();
        let client = request.extensions().get::<Client>().cloned();
        let client = client.unwrap_or_else(|| Client::test(([0, 0, 0, 0], 0).into()));
        let request = request.map(Body::from_any);
        Box::pin(async move { Ok(endpoint.answer(request, &client).await) })
    }
}
