//! Middleware of both kinds.
//!
//! A *function* is called for each request. A *type* has an `init`, its constructor, which checks its
//! options once when the application starts, and a `call` for each request; it may have a `before_send`
//! for the response as well.

use simurgh::runtime::Instant;
use simurgh::web::{Conn, Error, HeaderName, Plug, Result, StatusCode};

/// A function: names the server.
pub async fn server_name(conn: &mut Conn) {
    conn.put_header("server", "MiniWeb");
}

/// A type: says in a header how long the answer took.
pub struct ResponseTime {
    header: &'static str,
}

/// When the request came, left in the conn's assigns by [`ResponseTime`].
struct Began(Instant);

impl ResponseTime {
    /// Init: which header.
    ///
    /// # Panics
    /// If that is no header's name, at the start and not at the first request.
    pub fn new(header: &'static str) -> Self {
        assert!(header.parse::<HeaderName>().is_ok(), "{header:?} is no header: x-response-time is one");
        Self { header }
    }
}

impl Plug for ResponseTime {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assign(Began(Instant::now()));
        Ok(())
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        let took = conn.assigned::<Began>().map(|began| began.0.elapsed().as_micros()).unwrap_or_default();
        conn.try_put_header(self.header.parse()?, format!("{took}us"))?;
        Ok(())
    }
}

/// A type that lets nobody in who does not know the word: it halts the conn, so that neither later plugs
/// nor the handler see it.
pub struct Gate {
    word: &'static str,
}

impl Gate {
    /// Init: the word.
    pub fn new(word: &'static str) -> Self {
        Self { word }
    }
}

impl Plug for Gate {
    async fn call(&self, conn: &mut Conn) -> Result {
        if conn.header("x-word") != Some(self.word) {
            conn.put_status(StatusCode::UNAUTHORIZED);
            conn.text("The word, please.");
            conn.halt();
        }
        Ok(())
    }
}

/// A function that fails: its error halts the conn, and is answered by the endpoint's pages.
pub async fn only_known_agents(conn: &mut Conn) -> Result {
    match conn.header("user-agent") {
        Some(agent) if agent.contains("scraper") => Err(Error::forbidden("agent", "No scrapers, please.")),
        _ => Ok(()),
    }
}
