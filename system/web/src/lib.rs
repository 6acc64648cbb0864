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
//! A plug that halts the conn, or fails, sends it back from where it is; whoever let it in, and nobody
//! else, sees it on its way out.

#![forbid(unsafe_code)]

mod assigns;
mod conn;
mod endpoint;
mod error;
mod extract;
mod fields;
mod handler;
mod plug;
mod respond;
mod router;

pub mod test;

pub use assigns::Assigns;
pub use conn::{Conn, PathParams};
pub use endpoint::{Endpoint, Pages};
pub use error::Error;
pub use extract::{BODY_LEN_MAX, Extract, Form, Params, Path, Query};
pub use handler::{Handler, handle};
pub use plug::{FnPlug, Plug, Settled};
pub use respond::{Html, Json, Redirect, Respond};
pub use router::{Route, Router};
#[doc(hidden)]
pub use router::{RouteTable, push_rest, push_segment};
pub use simurgh_http::{Body, BodyError, Chunks, Client};

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
