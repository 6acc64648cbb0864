//! Services of the tower ecosystem behind a forward.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Frame;
use simurgh_web::{Body, Client, Conn, Endpoint, router, test, tower};

/// A service as one finds them: not `Sync`, ready only at the second poll, with a body of its own.
#[derive(Clone)]
struct Echo {
    is_ready: Cell<bool>,
}

fn echo() -> Echo {
    Echo { is_ready: Cell::new(false) }
}

/// One part, then a failure if it is to fail.
struct Part {
    text: Option<String>,
    fails: bool,
}

impl http_body::Body for Part {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
            None if std::mem::take(&mut self.fails) => Poll::Ready(Some(Err(std::io::Error::other("cut off")))),
            None => Poll::Ready(None),
        }
    }
}

impl tower_service::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Part>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.is_ready.replace(true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert!(self.is_ready.get(), "called when it was ready");
        Box::pin(async move {
            let (head, body) = request.into_parts();
            if head.uri.path() == "/fails" {
                return Err(std::io::Error::other("the service's own trouble"));
            }
            let peer = head.extensions.get::<Client>().map(|client| client.peer().to_string());
            let body = body.collect(1_024).await.map_err(std::io::Error::other)?;
            let name = head.headers.get("x-name").map_or("", |name| name.to_str().unwrap_or_default());
            let text = format!(
                "{} {} {name} {} {}",
                head.method,
                head.uri,
                String::from_utf8_lossy(&body),
                peer.unwrap_or_default()
            );
            let fails = head.uri.path() == "/cut";
            let response = http::Response::builder().status(StatusCode::CREATED);
            let response = response.header("x-two", "a").header("x-two", "b").header("cache-control", "private");
            Ok(response.body(Part { text: Some(text), fails }).expect("a response"))
        })
    }
}

async fn no_store(conn: &mut Conn) {
    conn.put_header("cache-control", "no-store");
    conn.put_header("x-own", "yes");
}

router! {
    pipeline browser { no_store; }
    scope "/" through browser { forward "/legacy" => tower(echo()); }
}

#[test]
fn a_service_sees_the_request_and_its_answer_is_ours() {
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new(router());
        let mut request = test::request(Method::POST, "/legacy/a%20b?x=1", "body");
        request.headers_mut().insert("x-name", "n".parse().unwrap());
        let response = test::send(&endpoint, request).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let two: Vec<_> = response.headers().get_all("x-two").iter().collect();
        assert_eq!(two, ["a", "b"]);
        assert_eq!(
            (&response.headers()["cache-control"], &response.headers()["x-own"]),
            (&"private".parse().unwrap(), &"yes".parse().unwrap())
        );
        assert_eq!(test::text(response).await, "POST /a%20b?x=1 n body 127.0.0.1:50000");
        for (target, seen) in [("/legacy", "/"), ("/legacy/", "/"), ("/legacy?x", "/?x"), ("/legacy//a", "//a")] {
            let text = test::text(test::get(&endpoint, target).await).await;
            assert_eq!(text, format!("GET {seen}   127.0.0.1:50000"), "{target}");
        }
    });
}

#[test]
fn what_fails_in_a_service_is_a_500_or_cuts_the_body_off() {
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new(router());
        let response = test::get(&endpoint, "/legacy/fails").await;
        assert_eq!(
            (response.status().as_u16(), test::text(response).await.as_str()),
            (500, "500 Internal Server Error")
        );
        let response = test::get(&endpoint, "/legacy/cut").await;
        assert_eq!(response.into_body().collect(1_024).await.unwrap_err().code(), "body_source");
    });
}

#[test]
fn an_endpoint_is_a_service_that_can_be_mounted() {
    async fn inner(conn: &mut Conn) {
        conn.text(format!("inner {} for {}", conn.path(), conn.client().peer()));
    }
    simurgh_runtime::run("test", async {
        let outer = Endpoint::new(tower(Endpoint::new(inner)));
        let text = test::text(test::get(&outer, "/x").await).await;
        assert_eq!(text, "inner /x for 127.0.0.1:50000");
    });
}
