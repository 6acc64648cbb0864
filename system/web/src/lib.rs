//! The web layer: one [`Conn`] for each request, [`Plug`]s that work on it, an [`Endpoint`] that
//! answers with what they made of it.
//!
//! # A first service in five minutes
//!
//! Handlers are functions. What they take besides the conn is made from the request ([`Extract`]), what they return
//! becomes the answer ([`Respond`]). [`router!`] says which answers what, and through which plugs the way leads there.
//!
//! ```
//! use serde::Deserialize;
//! use simurgh_http::{Options, Server};
//! use simurgh_runtime as runtime;
//! use simurgh_web::{Conn, Endpoint, Json, Path, RequestLog, StatusCode, pages, router};
//!
//! async fn home(_: &mut Conn) -> &'static str {
//!     "Welcome!\n"
//! }
//!
//! async fn hello(_: &mut Conn, Path(name): Path<String>) -> String {
//!     format!("Hello, {name}!\n")
//! }
//!
//! #[derive(Deserialize)]
//! struct User {
//!     name: String,
//! }
//!
//! async fn create(conn: &mut Conn, Json(user): Json<User>) -> String {
//!     conn.put_status(StatusCode::CREATED);
//!     format!("Created user: {}\n", user.name)
//! }
//!
//! /// A plug of our own.
//! async fn no_store(conn: &mut Conn) {
//!     conn.put_header("cache-control", "no-store");
//! }
//!
//! router! {
//!     pipeline api { no_store; }
//!
//!     scope "/" through api {
//!         get "/" => home;
//!         get "/hello/:name" => hello;
//!         post "/users" => create;
//!     }
//! }
//!
//! type Error = Box<dyn std::error::Error + Send + Sync>;
//!
//! fn main() -> Result<(), Error> {
//!     runtime::run("shop", async {
//!         let endpoint = Endpoint::new(router())
//!             .log(RequestLog::new()) // a line for each request
//!             .pages(pages::Development::new()); // in production `pages::Production`
//!         let addr = "127.0.0.1:4000";
//!         # let addr = "127.0.0.1:0";
//!         let server = Server::start(addr.parse()?, Options::default(), endpoint).await?;
//!         runtime::out!("Server running at http://{}", server.local_addr());
//!         runtime::ready();
//!         # let at = |path: &str| format!("http://{}{path}", server.local_addr());
//!         # let page = simurgh_http::client::get(&at("/hello/world")).await?;
//!         # assert_eq!(page.into_body().collect(100).await?, "Hello, world!\n");
//!         # assert_eq!(simurgh_http::client::get(&at("/users")).await?.status(), 405);
//!         # let lost = simurgh_http::client::get(&at("/hallo/world")).await?.into_body().collect(1 << 20).await?;
//!         # assert!(lost.starts_with(b"# 404 Not Found: no route takes GET /hallo/world"), "{lost:?}");
//!         # let json = http::Request::post("/users").header("content-type", "application/json");
//!         # let mut client = simurgh_http::client::Connection::connect(server.local_addr()).await?;
//!         # let wrong = client.send(json.body(r#"{"name": 7}"#.into())?).await?.into_body().collect(1 << 20).await?;
//!         # let says = "# 422 Unprocessable Entity: The JSON is wrong: `name`: invalid type: integer `7`, expected a string";
//!         # assert!(wrong.starts_with(says.as_bytes()), "{wrong:?}");
//!         # return Ok(());
//!         runtime::signal::shutdown()?.await;
//!         server.drain().await; // answers what is under way
//!         Ok(())
//!     })
//! }
//! ```
//!
//! ```text
//! $ curl localhost:4000/hello/world
//! Hello, world!
//! $ curl localhost:4000/users --json '{"name": "Alice"}'
//! Created user: Alice
//! $ curl localhost:4000/users --json '{"name": 7}'
//! # 422 Unprocessable Entity: The JSON is wrong: `name`: invalid type: integer `7`, expected a string ..
//! $ curl localhost:4000/hallo/world
//! # 404 Not Found: no route takes GET /hallo/world ..
//! ```
//!
//! The last two answers are for you: they go on with the way of the request, the routes, the log. A client elsewhere
//! hears one line. A browser gets a page.
//!
//! What an endpoint answers is tested without a server:
//!
//! ```
//! use simurgh_web::{Conn, Endpoint, test};
//!
//! async fn home(conn: &mut Conn) {
//!     conn.text("Welcome!\n");
//! }
//!
//! # simurgh_runtime::run("doc", async {
//! let response = test::get(&Endpoint::new(home), "/").await;
//! assert_eq!(response.status(), 200);
//! assert_eq!(test::text(response).await, "Welcome!\n");
//! # });
//! ```
//!
//! # The way of a request
//!
//! ```text
//!   request ──> Endpoint ──> its plugs, in order ──> router ──> pipeline, in order ──> handler
//!                                                                                         │
//!   response <── Endpoint <── their before_send, in reverse <── before_send, in reverse <──┘
//! ```
//!
//! A plug that halts the conn, or fails, sends it back from where it is; whoever let it in, and nobody
//! else, sees it on its way out.
//!
//! # The plugs
//!
//! Each says on its page what it is for, with an example, its options and their defaults, what it refuses, and what it
//! bounds. All limits stand in one table with their defaults, [`Limits`](simurgh_config::Limits).
//!
//! | plug | what it does | what it refuses |
//! | --- | --- | --- |
//! | [`request_id`], [`RequestId`] | names the request, in its answer and in logs | nothing |
//! | [`TrustedProxies`] | address, scheme and host of the client, as a proxy says | nothing |
//! | [`ForceSsl`] | sends http to https, and says so to browsers (HSTS) | no host: 400 |
//! | [`Compress`] | answers in gzip | nothing |
//! | [`Inflate`] | request bodies in gzip | bombs: 413; what is no gzip: 400; other codings: 415 |
//! | [`Static`] | files, of a directory or of the program | paths that lead elsewhere: 400 |
//! | [`Cors`] | which foreign pages may read answers | preflights of others: 403 |
//! | [`CheckOrigin`] | which foreign pages may change something | others: 403 |
//! | [`method_override`] | PUT, PATCH and DELETE from forms | what is wrong with the body |
//! | [`MultipartLimits`] | what forms with files may bring | more: 413, 431 |
//! | [`Sessions`], [`fetch_session`] | what is remembered of a browser | a store that fails: 503 |
//! | [`fetch_flash`] | messages for the next page | nothing |
//! | [`protect_from_forgery`], [`ProtectFromForgery`] | that forms are of our pages | others: 403 |
//! | [`secure_headers`], [`SecureHeaders`] | headers that make browsers careful | nothing |
//! | [`accepts()`], [`Accepts`] | in which format to answer | what there is not: 406 |
//! | [`BasicAuth`] | a name and a password | others: 401 |
//! | [`tower()`] | a service of the tower ecosystem as a plug; an endpoint is one, too | as that does |
//!
//! | what a service wants besides | |
//! | --- | --- |
//! | answers to errors | [`pages`]: text, JSON or HTML as the client accepts; in development all that is known |
//! | a line in the log for each request, and telemetry | [`Endpoint::log`], [`RequestLog`] |
//! | the way of a request with times | [`Endpoint::traced`], [`Trace`] |
//! | what is never shown | [`Filter`] |
//!
//! What browsers need is made of plugs, in this order:
//!
//! ```
//! use simurgh_web::{
//!     Endpoint, ForceSsl, Keys, Sessions, TrustedProxies, accepts, fetch_flash, fetch_session,
//!     method_override, protect_from_forgery, request_id, router, secure_headers, test,
//! };
//!
//! mod pages {
//!     pub async fn home(conn: &mut simurgh_web::Conn) -> String {
//!         format!("Hello, {}!", conn.session().get::<String>("user").unwrap_or("stranger".into()))
//!     }
//! }
//!
//! router! {
//!     pipeline browser { accepts(["html"]); fetch_session; fetch_flash; protect_from_forgery; secure_headers; }
//!
//!     scope "/" through browser {
//!         get "/" => pages::home;
//!     }
//! }
//!
//! # simurgh_runtime::run("doc", async {
//! let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
//! let sessions = Sessions::cookie(Keys::random()); // in production `Keys::new` with a secret of the configuration
//! let endpoint = Endpoint::new((request_id, proxies, ForceSsl::new(), method_override, sessions, router()));
//! assert_eq!(test::text(test::get(&endpoint, "/").await).await, "Hello, stranger!");
//! # });
//! ```

#![forbid(unsafe_code)]

mod accepts;
mod assigns;
mod basic_auth;
mod compress;
mod conditional;
mod conn;
mod cookies;
mod cors;
mod crypto;
mod csrf;
mod endpoint;
mod error;
mod extract;
mod fields;
mod files;
mod filter;
mod flash;
mod form_field;
mod handler;
mod headers;
mod json_place;
mod keys;
mod log;
mod method_override;
mod multipart;
mod negotiate;
mod origin;
mod percent;
mod plug;
mod proxy;
mod request_id;
mod respond;
mod router;
mod session;
mod sse;
mod ssl;
mod stream;
mod tower;
mod trace;

#[doc(hidden)]
pub mod fuzz;
pub mod pages;
pub mod test;

pub use accepts::{Accepts, RANGES_MAX, accepts};
pub use assigns::Assigns;
pub use basic_auth::{BasicAuth, parse_basic_auth};
pub use compress::{Compress, Inflate};
pub use conditional::Version;
pub use conn::{Conn, PathParams};
pub use cookies::{COOKIE_LEN_MAX, COOKIES_MAX, Cookie, CookieError, SameSite, parse_cookies, parse_cookies_strictly};
pub use cors::{Cors, CorsError, CorsOptions};
pub use crypto::{Opened, TOKEN_LEN_MAX, TokenError};
pub use csrf::{ProtectFromForgery, protect_from_forgery};
pub use endpoint::Endpoint;
pub use error::Error;
pub use extract::{BODY_LEN_MAX, Extract, Form, Params, Path, Query};
pub use files::{Download, Static};
pub use filter::{FILTERED, Filter};
pub use flash::fetch_flash;
pub use handler::{Handler, handle};
pub use headers::{SecureHeaders, secure_headers};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use keys::{KEYS_MAX, Keys, KeysError, SECRET_LEN_MIN};
pub use log::RequestLog;
pub use method_override::method_override;
pub use multipart::{Multipart, MultipartLimits, Part, Upload};
pub use negotiate::etag::ETag;
pub use origin::CheckOrigin;
pub use pages::Pages;
pub use plug::{FnPlug, Plug, Settled};
pub use proxy::{Cidr, CidrError, ForwardedElement, HOPS_MAX, TrustedProxies, parse_forwarded};
pub use request_id::{RequestId, request_id};
pub use respond::{Html, Json, Redirect, Respond};
pub use router::{Route, Router};
#[doc(hidden)]
pub use router::{RouteTable, push_rest, push_segment};
pub use session::{
    MEMORY_SESSIONS_MAX, MemoryStore, SESSION_LEN_MAX, Session, SessionError, SessionId, SessionStore, Sessions,
    StoreError, fetch_session, session_store_contract,
};
pub use simurgh_http::{Body, BodyError, Chunks, Client};
pub use sse::{Event, Events};
pub use ssl::ForceSsl;
pub use tower::{Tower, tower};
pub use trace::{Name, Outcome, STEPS_MAX, Step, Trace, Way};

/// What plugs and handlers return.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

#[doc(hidden)]
pub use simurgh_web_macros::{path as __path, router as __router};

/// Routes, pipelines and scopes.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Result, Router, router, test};
///
/// mod pages {
///     use simurgh_web::Conn;
///
///     pub async fn home(conn: &mut Conn) {
///         conn.text("Welcome to MiniWeb!");
///     }
///
///     pub async fn hello(conn: &mut Conn) -> String {
///         format!("Hello, {}!", conn.path_param("name").unwrap_or("world"))
///     }
/// }
///
/// async fn no_store(conn: &mut Conn) {
///     conn.put_header("cache-control", "no-store");
/// }
///
/// router! {
///     pipeline browser { no_store; }
///
///     scope "/" through browser {
///         get "/" => pages::home;
///         get "/hello/:name" => pages::hello;
///     }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(router());
/// let response = test::get(&endpoint, &path!(pages::hello, "J\u{fc}rgen")).await;
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// assert_eq!(test::text(response).await, "Hello, J\u{fc}rgen!");
/// # });
/// ```
///
/// It makes a function `router()` and a macro `path!` in the module where it stands, so there is one in a
/// module. What it takes:
///
/// | line | meaning |
/// | --- | --- |
/// | `pipeline name { plug; plug; }` | plugs in order: functions, or values of types, made once when `router()` is called; at most 12 |
/// | `scope "/path" through name { .. }` | all inside is below this path and goes through this pipeline; several: `through (a, b)`; scopes nest |
/// | `get "/path/:name" => handler;` | also `post`, `put`, `patch`, `delete`, `head`, `options`, `any`; `:name` is one segment, `*name` at the end the rest |
/// | `resources "/posts" => posts;` | index, new, create, show, edit, update, delete of that module; `only (index, show)`, `except (delete)` |
/// | `forward "/path" => plug;` | all below this path goes to this plug, which sees the rest of it |
/// | `socket "/path" => sockets;` | the same, of what makes the sockets of `simurgh-channels` |
///
/// A `GET` route answers `HEAD` too, `OPTIONS` is answered with the methods that the path takes, and any
/// other method with 405 and the same list. Static segments come before parameters, and those before
/// `*name`, whatever the order of the lines; a slash at a path's end does not count.
///
/// `path!(posts::show, post.id)` is the path to a handler, with its values percent-encoded, and
/// `path!(posts::index; page = 2)` has a query. `path!("/posts/1")` is a path that is written out. What no
/// route leads to does not compile, and the error names the nearest that does:
///
/// ```compile_fail
/// # use simurgh_web::{Conn, router};
/// # mod posts { pub async fn show(conn: &mut simurgh_web::Conn) {} }
/// router! { get "/posts/:id" => posts::show; }
/// let path = path!(posts::shwo, 1); // no route leads to `posts::shwo`; the nearest is `posts::show` (GET /posts/:id)
/// ```
#[macro_export]
macro_rules! router {
    ($($tokens:tt)*) => { $crate::__router! { $crate; $($tokens)* } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_limits_says_what_is_enforced() {
        let limits = simurgh_config::Limits::DEFAULT;
        for (said, enforced) in [
            (limits.cookies_max, COOKIES_MAX),
            (limits.cookie_len_max.as_usize(), COOKIE_LEN_MAX),
            (limits.token_len_max.as_usize(), TOKEN_LEN_MAX),
            (limits.keys_max, KEYS_MAX),
            (limits.session_len_max.as_usize(), SESSION_LEN_MAX),
            (limits.memory_sessions_max, MEMORY_SESSIONS_MAX),
            (limits.proxy_hops_max, HOPS_MAX),
            (limits.accept_ranges_max, RANGES_MAX),
        ] {
            assert_eq!(said, enforced);
        }
    }
}
