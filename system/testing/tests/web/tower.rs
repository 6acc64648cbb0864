//! Services of the tower ecosystem, below an endpoint and around one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use simurgh_test::post;
use simurgh_web::pages::Production;
use simurgh_web::{Body, Client, Conn, Endpoint, Plug, StatusCode, router, tower as mount};
use tower_service::Service;

use crate::case::{Stage, cases};

cases! {
    "tower.mounted": "a tower service behind a forward sees the rest of the path, headers, body and client" => mounted;
    "tower.answer": "its status, headers and body are the answer" => answer;
    "tower.error": "an error of a service is 500, and clients hear nothing of it" => error;
    "tower.endpoint_is_a_service": "an endpoint is a tower service: it can stand in a stack, and behind another" => endpoint_is_a_service;
    "tower.called_by_hand": "called as a service, an endpoint answers requests with bodies of any kind" => called_by_hand;
}

#[derive(Clone)]
struct Legacy;

impl Service<http::Request<Body>> for Legacy {
    type Response = http::Response<Body>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            if head.uri.path() == "/fails" {
                return Err(std::io::Error::other("the service's own trouble"));
            }
            let is_local = head.extensions.get::<Client>().is_some_and(|client| client.peer().ip().is_loopback());
            let body = body.collect(1_024).await.map_err(std::io::Error::other)?;
            let name = head.headers.get("x-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            let text = format!("{} {} {name} {body} {is_local}", head.method, head.uri);
            let response = http::Response::builder().status(StatusCode::CREATED).header("cache-control", "private");
            Ok(response.header("x-two", "a").header("x-two", "b").body(text.into()).expect("a response"))
        })
    }
}

/// A layer as the ecosystem has them: it adds a header to what another service answers.
#[derive(Clone)]
struct Tagged<S>(S);

impl<S> Service<http::Request<Body>> for Tagged<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            response.headers_mut().insert("x-tag", http::HeaderValue::from_static("tagged"));
            Ok(response)
        })
    }
}

mod inner {
    use simurgh_web::{Conn, router};

    async fn item(conn: &mut Conn) -> String {
        format!("item {}", conn.path_param("id").unwrap_or_default())
    }

    router! { get "/items/:id" => item; }
}

async fn no_store(conn: &mut Conn) {
    conn.put_header("cache-control", "no-store").put_header("x-own", "yes");
}

router! {
    pipeline browser { no_store; }

    scope "/" through browser {
        forward "/legacy" => mount(Legacy);
        forward "/inner" => mount(Tagged(Endpoint::new(inner::router())));
    }
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router()).pages(Production::new())
}

async fn mounted(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(post("/legacy/orders?page=2").header("x-name", "alice").body("a body")).await;
    answer.assert_body("POST /orders?page=2 alice a body true");
}

async fn answer(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/legacy").await;
    answer.assert_status(201).assert_header("cache-control", "private").assert_header("x-own", "yes");
    let two: Vec<_> = answer.headers().get_all("x-two").iter().collect();
    assert_eq!(two, ["a", "b"]);
}

async fn error(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(post("/legacy/fails").accept("application/json")).await;
    answer.assert_error(500, "internal");
    assert!(!answer.text().contains("trouble"), "{}", answer.text());
}

async fn endpoint_is_a_service(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/inner/items/7").await;
    answer.assert_status(200).assert_header("x-tag", "tagged").assert_header("x-own", "yes").assert_body("item 7");
    http.get("/inner/nothing").await.assert_status(404).assert_header("x-tag", "tagged");
}

async fn called_by_hand(stage: Stage) {
    async fn relay(conn: &mut Conn) -> simurgh_web::Result<http::Response<Body>> {
        let mut service = Endpoint::new(inner::router());
        let call = |service: &mut Endpoint<_>| {
            Service::call(service, http::Request::get("/items/8").body(conn_body()).expect("a request"))
        };
        poll_fn(|cx| Service::<http::Request<Body>>::poll_ready(&mut service, cx)).await?;
        conn.put_header("x-relayed", "yes");
        Ok(call(&mut service).await?)
    }
    let http = stage
        .http(Endpoint::new(async |conn: &mut Conn| -> simurgh_web::Result {
            let response = relay(conn).await?;
            simurgh_web::Respond::respond(response, conn)
        }))
        .await;
    http.get("/").await.assert_body("item 8").assert_header("x-relayed", "yes");
}

fn conn_body() -> Body {
    Body::from("of any kind")
}
