//! What a client and a resource agree on: dates, entity tags, ranges, codings, types.
//!
//! Parsers of header fields. They read at most what the server let through as a head, in one pass, and
//! what they cannot read counts as not said.

pub(crate) mod disposition;
pub(crate) mod encoding;
pub(crate) mod etag;
pub(crate) mod media;
pub(crate) mod range;

use http::{HeaderMap, HeaderValue, header};
pub(crate) use simurgh_http::date;

/// Says that the response depends on a field of the request.
pub(crate) fn vary(headers: &mut HeaderMap, field: &'static str) {
    let says = |value: &HeaderValue| {
        let names = value.as_bytes().split(|byte| *byte == b',');
        names.map(<[u8]>::trim_ascii).any(|name| name == b"*" || name.eq_ignore_ascii_case(field.as_bytes()))
    };
    if !headers.get_all(header::VARY).iter().any(says) {
        headers.append(header::VARY, HeaderValue::from_static(field));
    }
}
