//! Answers to errors: as text, as what the client accepts, and, in development, with all that is known.
//!
//! ```
//! use simurgh_web::pages::{Development, Production};
//! use simurgh_web::{Conn, Endpoint, Error, Result};
//!
//! async fn handler(_: &mut Conn) -> Result { Err(Error::not_found()) }
//!
//! # simurgh_runtime::run("doc", async {
//! let in_development = true; // a setting
//! let endpoint = Endpoint::new(handler);
//! let endpoint = if in_development { endpoint.pages(Development::new()) } else { endpoint.pages(Production::new()) };
//! # let _ = endpoint;
//! # });
//! ```
//!
//! An endpoint of which nothing else is said answers with [`Plain`].

use http::HeaderValue;

use crate::{Conn, Error};

mod accept;
mod development;
mod escape;
mod production;

pub use accept::Format;
pub use development::Development;
pub use production::Production;

/// Answers errors.
pub trait Pages: Send + Sync + 'static {
    /// Puts an answer to the error into the conn; its status is there already.
    fn answer(&self, conn: &mut Conn, error: &Error);

    /// Whether its answers show the [`Trace`](crate::Trace) of a request, which is recorded then.
    fn want_trace(&self) -> bool {
        false
    }
}

/// Errors as one line of text: `404 Not Found`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Pages for Plain {
    fn answer(&self, conn: &mut Conn, error: &Error) {
        let text = format!("{} {}", error.status().as_u16(), error.message());
        conn.respond_with(HeaderValue::from_static("text/plain; charset=utf-8"), text);
    }
}
