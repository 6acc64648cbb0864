//! Bodies compressed with gzip (RFC 1952; RFC 9110, 8.4.1).

mod gunzip;
mod gzip;
mod inflate;

pub use inflate::Inflate;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use simurgh_http::Body;

use crate::negotiate::{encoding, vary};
use crate::{Conn, Plug, Result};
use gzip::Gzip;

/// Bodies of this length and less are compressed at once, longer ones while they are sent.
const AT_ONCE_LEN: usize = 64 << 10;

/// Compresses answers for clients that take gzip.
///
/// ```
/// use simurgh_web::{Compress, Conn, Endpoint, test};
///
/// async fn list(conn: &mut Conn) {
///     conn.text("the same again and again; ".repeat(100));
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Compress::new(), list));
/// let mut request = test::request(http::Method::GET, "/", "");
/// request.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
/// let response = test::send(&endpoint, request).await;
/// assert_eq!(response.headers()["content-encoding"], "gzip");
/// assert!(response.into_body().collect(200).await.is_ok());
/// # });
/// ```
///
/// | option | default | what it does |
/// | --- | --- | --- |
/// | [`min_len`](Self::min_len) | 1,024 bytes | shorter bodies are left alone; one whose length is not known is not short |
/// | [`level`](Self::level) | 6 | from 1, fast, to 9, small |
/// | [`media_type`](Self::media_type) | text, JSON, JavaScript, XML, SVG, WebAssembly, `+json`, `+xml` | a further type |
///
/// Left alone are also: answers that have a coding already, parts (206), 204 and 304, those with
/// `cache-control: no-transform`, and those with a digest of their bytes. What is compressed varies by
/// `accept-encoding`, its entity tag becomes weak, and it has no ranges. Each part of a stream is flushed,
/// so that server-sent events flow. It belongs first, so that it sees the answer last.
///
/// | failure | answer |
/// | --- | --- |
/// | the body fails while it is sent | is cut off, as it would be without |
///
/// It refuses nothing. Limits: a body of up to 64 KiB is compressed at once, a longer one part by part while it is
/// sent, so that no more of it is in memory than would be without.
///
/// **Secrets.** An answer that has a secret and text from the request in it tells about the secret by its
/// length (BREACH). CSRF tokens are masked anew each time and safe; leave other such answers alone with
/// `cache-control: no-transform`.
#[derive(Debug, Clone)]
pub struct Compress {
    min_len: u64,
    level: u32,
    types: Vec<String>,
}

impl Default for Compress {
    fn default() -> Self {
        Self::new()
    }
}

impl Compress {
    /// With the defaults.
    pub fn new() -> Self {
        Self { min_len: 1_024, level: 6, types: Vec::new() }
    }

    /// The length, in bytes, from which on a body is compressed.
    pub fn min_len(mut self, len: u64) -> Self {
        self.min_len = len;
        self
    }

    /// How much time is spent: from 1 to 9.
    ///
    /// # Panics
    /// If it is another number.
    pub fn level(mut self, level: u32) -> Self {
        assert!((1..=9).contains(&level), "a level of gzip is from 1 to 9, not {level}");
        self.level = level;
        self
    }

    /// A further type that is compressed: `font/ttf`.
    pub fn media_type(mut self, media: &str) -> Self {
        self.types.push(media.to_ascii_lowercase());
        self
    }

    /// Whether the answer would be smaller, whatever the client takes.
    fn suits(&self, conn: &Conn) -> bool {
        let headers = conn.response_headers();
        let status = conn.status().unwrap_or(StatusCode::OK);
        let is_whole = !status.is_informational()
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
        let is_free = [header::CONTENT_ENCODING, header::CONTENT_RANGE].iter().all(|name| !headers.contains_key(name))
            && ["content-digest", "repr-digest", "digest"].iter().all(|name| !headers.contains_key(*name));
        let len = conn.response_body().map_or(0, |body| http_body::Body::size_hint(body).exact().unwrap_or(u64::MAX));
        is_whole && is_free && len > 0 && len >= self.min_len && self.is_text(headers) && !is_fixed(headers)
    }

    fn is_text(&self, headers: &HeaderMap) -> bool {
        let Some(Ok(media)) = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media.starts_with("text/")
            || media.ends_with("+json")
            || media.ends_with("+xml")
            || matches!(
                media.as_str(),
                "application/json" | "application/javascript" | "application/xml" | "application/wasm"
            )
            || self.types.contains(&media)
    }
}

/// Whether nobody may change the body.
fn is_fixed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

impl Plug for Compress {
    async fn call(&self, _: &mut Conn) -> Result {
        Ok(())
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        if !self.suits(conn) {
            // A cache that keeps the answer has to know what an earlier one, or the whole, varied by.
            let varies = match conn.status() {
                Some(StatusCode::NOT_MODIFIED) => true,
                Some(StatusCode::PARTIAL_CONTENT) => self.is_text(conn.response_headers()),
                _ => false,
            };
            if varies {
                vary(conn.response_headers_mut(), "accept-encoding");
            }
            return Ok(());
        }
        vary(conn.response_headers_mut(), "accept-encoding");
        if encoding::choose(conn.request_headers(), &["gzip"]).is_none() {
            return Ok(());
        }
        let Some(body) = conn.take_response_body() else { return Ok(()) };
        let compressed = match body.as_bytes() {
            Some(bytes) if bytes.len() <= AT_ONCE_LEN => gzip::at_once(bytes, self.level).into(),
            _ => Body::new(Gzip::new(body, self.level)),
        };
        conn.put_body(compressed);
        let headers = conn.response_headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        if let Some(etag) = headers.get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\"")) {
            let weak = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())?;
            headers.insert(header::ETAG, weak);
        }
        Ok(())
    }
}
