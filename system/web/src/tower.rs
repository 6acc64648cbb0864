//! Services of the tower ecosystem as plugs.

use std::error::Error as StdError;
use std::future::poll_fn;

use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;
use simurgh_http::{Body, Client};
use simurgh_runtime::sync::Mutex;
use tower_service::Service;

use crate::{Conn, Error, Plug, Respond, Result};

type BoxError = Box<dyn StdError + Send + Sync>;

/// A tower service as a plug: `forward "/legacy" => tower(axum_router);`.
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
/// use simurgh_web::{Body, Endpoint, router, test, tower};
///
/// #[derive(Clone)]
/// struct Legacy;
///
/// impl tower_service::Service<http::Request<Body>> for Legacy {
///     type Response = http::Response<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Self::Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: http::Request<Body>) -> Self::Future {
///         ready(Ok(http::Response::new(format!("legacy {}", request.uri()))))
///     }
/// }
///
/// router! { forward "/legacy" => tower(Legacy); }
///
/// # simurgh_runtime::run("doc", async {
/// let response = test::get(&Endpoint::new(router()), "/legacy/orders?page=2").await;
/// assert_eq!(test::text(response).await, "legacy /orders?page=2");
/// # });
/// ```
///
/// The service sees the rest of the path, as a forward leaves it, the query, the headers, the body as
/// it comes, and the request's extensions with the [`Client`] among them. Its answer replaces headers of
/// the same name. It is cloned for each request, and called when it is ready; a layer that limits how
/// many run at once makes the request wait there. An error of the service is a 500, of which the client
/// hears nothing. No options, and no limits but those of the service.
pub fn tower<S>(service: S) -> Tower<S> {
    Tower { service: Mutex::new(service) }
}

/// See [`tower()`].
#[derive(Debug)]
pub struct Tower<S> {
    /// Services need not be `Sync`; the lock is held for a clone.
    service: Mutex<S>,
}

impl<S, B> Plug for Tower<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn call(&self, conn: &mut Conn) -> Result {
        let mut service = self.service.lock().clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(Error::internal)?;
        let request = request_of(conn)?;
        let response = service.call(request).await.map_err(Error::internal)?;
        response.map(Body::from_any).respond(conn)
    }

    fn name(&self) -> &'static str {
        "tower"
    }
}

/// The request as the service is to see it. The conn keeps its head.
fn request_of(conn: &mut Conn) -> Result<http::Request<Body>> {
    let mut target = conn.path_info().to_owned();
    if let Some(query) = conn.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    let mut request = http::Request::new(conn.take_body().unwrap_or_default());
    *request.method_mut() = conn.method().clone();
    *request.uri_mut() = Uri::from(PathAndQuery::try_from(target)?);
    *request.version_mut() = conn.version();
    *request.headers_mut() = conn.request_headers().clone();
    let client: Client = conn.client().clone();
    *request.extensions_mut() = std::mem::take(conn.request_extensions_mut());
    request.extensions_mut().insert(client);
    Ok(request)
}
