//! The endpoint: where requests come in and responses go out.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use simurgh_http::{Body, Client, Request, Response, Service};
use simurgh_runtime::PanicReport;

use crate::log::Watch;
use crate::pages::{self, Pages};
use crate::trace::{Name, Trace, Way};
use crate::{Conn, Error, Plug, RequestLog};

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

#[derive(Clone)]
struct Settings {
    pages: Arc<dyn Pages>,
    log: Option<Arc<RequestLog>>,
    traced: Option<Arc<Traced>>,
    /// Whether requests record their way: somebody looks at it.
    is_traced: bool,
}

type Traced = dyn Fn(&Conn, &Trace) + Send + Sync;

impl Shared {
    pub(crate) fn pages(&self) -> Arc<dyn Pages> {
        Arc::clone(&self.0.pages)
    }

    fn change(&mut self, f: impl FnOnce(&mut Settings)) {
        f(Arc::make_mut(&mut self.0));
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl<P: Plug> Endpoint<P> {
    /// An endpoint of one plug: a router, or several in a tuple. Its errors are answered by
    /// [`pages::Plain`], and it keeps no log of its requests.
    pub fn new(plugs: P) -> Self {
        let settings = Settings { pages: Arc::new(pages::Plain), log: None, traced: None, is_traced: false };
        Self { plugs: Arc::new(plugs), shared: Shared(Arc::new(settings)) }
    }

    /// Who answers errors.
    pub fn pages(mut self, pages: impl Pages) -> Self {
        self.shared.change(|settings| {
            settings.is_traced |= pages.want_trace();
            settings.pages = Arc::new(pages);
        });
        self
    }

    /// A line in the log for each request.
    pub fn log(mut self, log: RequestLog) -> Self {
        self.shared.change(|settings| settings.log = Some(Arc::new(log)));
        self
    }

    /// Records the way of each request, and shows it to `look` when its response is ready.
    ///
    /// It costs two looks at the clock for each step. Where nobody looks it costs a branch.
    pub fn traced(mut self, look: impl Fn(&Conn, &Trace) + Send + Sync + 'static) -> Self {
        self.shared.change(|settings| {
            settings.is_traced = true;
            settings.traced = Some(Arc::new(look));
        });
        self
    }

    /// Answers one request.
    // The conn is made before the future and beside it: the future is moved a few times until it has its place.
    pub fn answer<'a>(
        &'a self,
        request: Request,
        client: &Client,
    ) -> impl Future<Output = Response> + Send + use<'a, P> {
        let settings = &*self.shared.0;
        let watch = Watch::begin(&request, settings.log.as_ref());
        let mut conn = Conn::new(request, client.clone(), self.shared.clone());
        if settings.is_traced {
            *conn.trace_mut() = Some(Box::new(Trace::begin()));
        }
        async move {
            let panicked = caught(pin!(conn.run(&*self.plugs))).await;
            conn.settle(panicked);
            if !conn.is_answered() {
                conn.fail(Error::not_found());
            }
            let panicked = caught(pin!(conn.run_back(&*self.plugs))).await;
            conn.settle(panicked);
            conn.run_registered();
            if let (Some(look), Some(trace)) = (&settings.traced, conn.trace()) {
                look(&conn, trace);
            }
            watch.end(&conn);
            conn.into_response()
        }
    }
}

impl Conn {
    /// What was registered to be done with the response, the last one first.
    fn run_registered(&mut self) {
        while let Some(before_send) = self.take_before_send() {
            self.step_begins(Way::Out, || Name::of_plug("registered before_send"));
            if let Err(error) = before_send(self) {
                self.fail(error);
            }
            self.step_ends();
        }
    }

    /// A panic fails the conn, and ends nothing else.
    fn settle(&mut self, panicked: Option<PanicReport>) {
        if let Some(report) = panicked {
            self.close_inner_pipelines();
            self.fail(Error::panic(report));
            if let Some(trace) = self.trace_mut() {
                trace.unwind();
            }
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
    fn call(&self, request: Request, client: &Client) -> impl Future<Output = Response> + Send {
        self.answer(request, client)
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
