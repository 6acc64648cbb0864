//! A name for each request.

use http::{HeaderName, HeaderValue};
use simurgh_runtime::{Timestamp, random};
use simurgh_telemetry::event;

use crate::{Conn, Plug, Result};

/// Length of an id that is taken over from the request, in bytes.
const LEN: std::ops::RangeInclusive<usize> = 20..=200;

/// Gives the request an id: [`RequestId`] with its defaults.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, request_id, test};
///
/// async fn hello(conn: &mut Conn) {
///     let text = format!("request {}", conn.request_id().unwrap());
///     conn.text(text);
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let response = test::get(&Endpoint::new((request_id, hello)), "/").await;
/// let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
/// assert_eq!(test::text(response).await, format!("request {id}"));
/// # });
/// ```
///
/// # Errors
/// None.
pub async fn request_id(conn: &mut Conn) -> Result {
    RequestId::new().call(conn).await
}

/// Gives the request an id, by which its lines are found in the logs of all who had part in it: the one that
/// it came with, from a proxy say, if that can be one; else a UUID of version 7, from the runtime's clock and
/// chance.
///
/// It stands in the response's header of the same name and in [`Conn::request_id`]; it is recorded as `request_id`
/// in the current span of `tracing` if that has such a field, and told as `web.request.id` with `id`.
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`header`](Self::header) | `x-request-id` | the header it is read from and written to |
/// | [`always_new`](Self::always_new) | no | takes none from the request |
///
/// It does not fail. Limits: an id that is not 20 to 200 letters, digits, `+`, `-`, `.`, `/`, `=` and `_` is not taken
/// over.
#[derive(Debug, Clone)]
pub struct RequestId {
    header: HeaderName,
    is_always_new: bool,
}

struct Given(HeaderValue);

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestId {
    /// With its defaults.
    pub fn new() -> Self {
        Self { header: HeaderName::from_static("x-request-id"), is_always_new: false }
    }

    /// The header it is read from and written to.
    ///
    /// # Panics
    /// If it is none, or not in small letters.
    pub fn header(mut self, name: &'static str) -> Self {
        self.header = HeaderName::from_static(name);
        self
    }

    /// Takes no id from the request: for servers that strangers reach.
    pub fn always_new(mut self) -> Self {
        self.is_always_new = true;
        self
    }
}

impl Plug for RequestId {
    async fn call(&self, conn: &mut Conn) -> Result {
        let came = conn.request_headers().get(&self.header).filter(|_| !self.is_always_new).cloned();
        let id = match came.filter(|id| is_id(id.as_bytes())) {
            Some(id) => id,
            None => HeaderValue::try_from(uuid_v7())?,
        };
        let text = id.to_str()?;
        tracing::Span::current().record("request_id", text);
        event!("web.request.id", {}, { id: text });
        conn.response_headers_mut().insert(&self.header, id.clone());
        conn.assign(Given(id));
        Ok(())
    }
}

impl Conn {
    /// The request's id, if [`request_id`] gave it one.
    pub fn request_id(&self) -> Option<&str> {
        self.assigned::<Given>()?.0.to_str().ok()
    }
}

fn is_id(id: &[u8]) -> bool {
    LEN.contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-./=_".contains(byte))
}

/// RFC 9562, 5.7: milliseconds, and 74 bits of chance.
fn uuid_v7() -> String {
    let ms = u128::from(u64::try_from(Timestamp::now().as_nanos()).unwrap_or_default() / 1_000_000);
    let chance = u128::from(random::u64()) << 64 | u128::from(random::u64());
    let bits = (ms << 80) | (chance & ((1 << 80) - 1));
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x7 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_and_grow() {
        simurgh_runtime::run("test", async {
            for _ in 0..100 {
                let id = uuid_v7();
                assert_eq!(id.len(), 36);
                assert_eq!(&id[14..15], "7");
                assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
                let now_ms = Timestamp::now().as_nanos() / 1_000_000;
                let ms = i64::from_str_radix(&id[..13].replace('-', ""), 16).unwrap();
                assert!((now_ms - 10_000..=now_ms).contains(&ms), "{id} at {now_ms}");
            }
        });
    }
}
