//! Helpers for tests of applications: a development dependency.
//!
//! ```
//! use simurgh_test::{Http, post};
//! use simurgh_web::{Conn, Endpoint, Json, router};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, Serialize)]
//! struct User { name: String }
//!
//! async fn create(_: &mut Conn, Json(user): Json<User>) -> Json<User> { Json(user) }
//!
//! router! { post "/users" => create; }
//!
//! # simurgh_runtime::run("doc", async {
//! let http = Http::new(&Endpoint::new(router()));
//! let answer = http.send(post("/users").json(&User { name: "Alice".into() })).await;
//! assert_eq!(answer.json_response(200)["name"], "Alice");
//!
//! http.get("/nowhere").await.assert_status(404);
//! # });
//! ```
//!
//! [`Http`] is a client that keeps cookies; what it sends goes over a [`Transport`]: straight into an
//! endpoint, or over a [`Socket`], in a plain test and in a simulation alike. A test that takes an `&Http`
//! is the same on any transport. An assertion that fails shows the request and the response.
//!
//! [`channels`] has a client of channels for tests, and one that behaves as the official one does.

#![forbid(unsafe_code)]

pub mod channels;
mod http;

pub use http::{
    Answer, COOKIES_MAX, Failure, Http, InMemory, Request, Sending, Socket, Transport, delete, get, head, options,
    patch, post, put, request,
};
