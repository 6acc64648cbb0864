//! The web layer: one [`Conn`] for each request, [`Plug`]s that work on it, an [`Endpoint`] that
//! answers with what they made of it.
//!
//! ```
//! use simurgh_web::{Conn, Endpoint, Result, test};
//!
//! async fn hello(conn: &mut Conn) -> Result {
//!     conn.text("Welcome to MiniWeb!");
//!     Ok(())
//! }
//!
//! # simurgh_runtime::run("doc", async {
//! let endpoint = Endpoint::new(hello);
//! let response = test::get(&endpoint, "/").await;
//! assert_eq!(response.status(), 200);
//! # });
//! ```
//!
//! How the parts meet:
//!
//! ```text
//!   request ──> Endpoint ──> its plugs, in order ──> router ──> pipeline, in order ──> handler
//!                                                                                         │
//!   response <── Endpoint <── their before_send, in reverse <── before_send, in reverse <──┘
//! ```
//!
//! | what a service wants besides | |
//! | --- | --- |
//! | answers to errors | [`pages`]: text, JSON or HTML as the client accepts; in development all that is known |
//! | a line in the log for each request, and telemetry | [`Endpoint::log`], [`RequestLog`] |
//! | the way of a request with times | [`Endpoint::traced`], [`Trace`] |
//! | services of the tower ecosystem | [`tower()`]; an endpoint is one, too |
//! | what is never shown | [`Filter`] |
//!
//! A plug that halts the conn, or fails, sends it back from where it is; whoever let it in, and nobody
//! else, sees it on its way out.
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
