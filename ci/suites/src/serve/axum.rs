//! The peer, set up as its documentation has it.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::{BODY_LEN_MAX, LARGE_LEN};

pub fn http(address: SocketAddr, until: fn()) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let routes = Router::new()
            .route("/", get(async || "hello"))
            .route("/echo", post(async |body: Bytes| body))
            .route("/large", get(async || Body::from(vec![b'a'; LARGE_LEN])))
            .route("/redirect", get(redirect))
            .layer(DefaultBodyLimit::max(BODY_LEN_MAX));
        let listener = TcpListener::bind(address).await.expect("a free address");
        println!("listening on {}", listener.local_addr().expect("a bound socket"));
        tokio::spawn(async { axum::serve(listener, routes).await.expect("a server") });
        tokio::task::spawn_blocking(until).await.expect("nobody panics with it");
    });
    std::process::exit(0); // whoever is still connected
}

async fn redirect(Query(query): Query<Vec<(String, String)>>) -> Response {
    let to = query.into_iter().find(|(key, _)| key == "to").map(|(_, to)| to).unwrap_or_default();
    match HeaderValue::from_str(&to) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
