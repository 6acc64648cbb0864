//! HTTP/1.1 and the WebSocket: a server on the listener, a process for each connection, and a small client.
//!
//! ```
//! use simurgh_http::{Client, Options, Request, Response, Server, client};
//! use simurgh_runtime as runtime;
//!
//! async fn hello(request: Request, _: Client) -> Response {
//!     Response::new(format!("Hello from {}", request.uri().path()).into())
//! }
//!
//! runtime::run("hello", async {
//!     let server = Server::start("127.0.0.1:0".parse()?, Options::default(), hello).await?;
//!     runtime::out!("Listening on {}...", server.local_addr());
//!     runtime::ready();
//!     # let page = client::get(&format!("http://{}/news", server.local_addr())).await?.into_body();
//!     # assert_eq!(page.collect(100).await?, "Hello from /news");
//!     # return Ok::<(), Box<dyn std::error::Error + Send + Sync>>(());
//!     runtime::signal::shutdown()?.await;
//!     server.drain().await; // answers what is under way
//!     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! })
//! .unwrap();
//! ```
//!
//! How the parts meet: a [`Server`] stands on a [`Listener`](simurgh_net::Listener) and gives each [`Request`] to a
//! [`Service`], which makes a [`Response`]; both have a [`Body`]. Bytes are read strictly (RFC 9112) before hyper
//! parses them; what is ambiguous is refused. Everything has a limit, all of them in [`Options`].
//!
//! What may happen to a request, and what is told of it (`system/telemetry` events):
//!
//! | | the handler | the client | events |
//! | --- | --- | --- | --- |
//! | it is answered | ran to its end | has the response | `http.request.start`, `.stop` with `answered` |
//! | it is no request, or too large | is not called | 4xx or 5xx, then the end | `http.refused` with the reason |
//! | its client goes away, it reads | is dropped at its await | | `.stop` with `cancelled` |
//! | its client goes away, it writes | runs on by itself, [within limits](Options::shield_timeout) | | `.stop` with `shielded`, `http.shield.start`, `.stop` |
//! | its client goes away while the answer is sent | had run; the rest of the body is dropped | | `.stop` with `cut` |
//! | its answer's body fails | had run | a response that is cut off | `.stop` with `failed` |
//! | it panics | unwinds | 500, then the end | `.stop` with `answered`, and the process's crash |
//! | it is answered with 101 | gave an [`OnUpgrade`] | speaks the other protocol | `.stop` with `answered` |
//!
//! A connection that ends for another reason than its last answer says so in `http.closed`: `gone`, `idle`, `drain`,
//! `slow_reader`. [`ws`] is the WebSocket: [`ws::upgrade`], [`ws::connect`], [`ws::Socket`], and the codec below them.

#![forbid(unsafe_code)]

mod body;
mod framing;
mod server;
mod service;
mod upgrade;

pub mod client;
pub mod date;
#[doc(hidden)]
pub mod fuzz;
pub mod ws;

pub use body::{Body, BodyError, Chunks};
pub use server::{Options, Server};
pub use service::{Client, Service};
pub use upgrade::{OnUpgrade, Upgraded};

/// A request.
pub type Request = http::Request<Body>;

/// A response.
pub type Response = http::Response<Body>;
