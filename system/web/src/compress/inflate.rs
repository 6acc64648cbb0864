//! Request bodies that come compressed.

use http::{HeaderValue, StatusCode, header};
use simurgh_http::Body;

use super::gunzip::Gunzip;
use crate::{Conn, Error, Plug, Result};

/// Decodes request bodies with `content-encoding: gzip`, for all who read them after it.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Inflate, test};
///
/// async fn receive(conn: &mut Conn) -> String {
///     let body = conn.take_body().unwrap().collect(1_024).await.unwrap();
///     String::from_utf8_lossy(&body).into_owned()
/// }
/// # async fn answer(conn: &mut Conn) { let text = receive(conn).await; conn.text(text); }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Inflate::new(), answer));
/// let hello = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0".to_vec();
/// let mut request = test::request(http::Method::POST, "/", hello);
/// request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
/// assert_eq!(test::text(test::send(&endpoint, request).await).await, "hello");
/// # });
/// ```
///
/// | option | default | at the bound |
/// | --- | --- | --- |
/// | [`len_max`](Self::len_max) | 8 MiB | reading fails, 413 `body_too_large` |
/// | [`ratio_max`](Self::ratio_max) | 200; 64 KiB are free | the same |
///
/// It is decoded while it is read, 16 KiB ahead at most, and a bomb is noticed before more than that beyond
/// the bound was made. What comes after it sees neither coding nor length.
///
/// | failure | answer |
/// | --- | --- |
/// | another coding, or several | 415 `unsupported_coding` with `accept-encoding: gzip` (RFC 9110, 12.5.3) |
/// | no gzip, more than 64 members, an end that is too early | reading fails, 400 `body_malformed` |
/// | more than the bounds | reading fails, 413 `body_too_large` |
#[derive(Debug, Clone)]
pub struct Inflate {
    len_max: u64,
    ratio_max: u64,
}

impl Default for Inflate {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflate {
    /// With the defaults.
    pub fn new() -> Self {
        let limits = simurgh_config::Limits::DEFAULT;
        Self { len_max: limits.web_inflate_len_max.0, ratio_max: u64::from(limits.web_inflate_ratio_max) }
    }

    /// Bytes to which a body may inflate.
    pub fn len_max(mut self, len: u64) -> Self {
        self.len_max = len;
        self
    }

    /// How many times its length a body may inflate to, beyond 64 KiB.
    pub fn ratio_max(mut self, ratio: u64) -> Self {
        self.ratio_max = ratio;
        self
    }
}

impl Plug for Inflate {
    async fn call(&self, conn: &mut Conn) -> Result {
        let codings: Vec<_> = conn.request_headers().get_all(header::CONTENT_ENCODING).iter().collect();
        let coding = match codings[..] {
            [] => return Ok(()),
            [only] => only.as_bytes().trim_ascii().to_ascii_lowercase(),
            _ => Vec::new(),
        };
        match &coding[..] {
            b"gzip" | b"x-gzip" => {}
            b"identity" => return Ok(()),
            _ => {
                conn.response_headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
                let text = "The body's coding is not known; gzip is, once.";
                return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_coding", text));
            }
        }
        conn.request_headers_mut().remove(header::CONTENT_ENCODING);
        conn.request_headers_mut().remove(header::CONTENT_LENGTH);
        if let Some(body) = conn.take_body() {
            conn.put_request_body(Body::new(Gunzip::new(body, self.len_max, self.ratio_max)));
        }
        Ok(())
    }
}
