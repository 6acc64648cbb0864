//! A field of the request's form, read by a plug that leaves the body for those after it.

use http::header;
use simurgh_http::Body;

use crate::multipart::early_text;
use crate::{BODY_LEN_MAX, Conn, Result};

/// The first value of a field of a form (`application/x-www-form-urlencoded`, `multipart/form-data`); none of another
/// body.
///
/// A form of the first kind is read as a whole, [`BODY_LEN_MAX`] bytes at most; of one with files its beginning is, as
/// the limit `form_early_len_max` says. It is put back.
///
/// # Errors
/// What the body's reading fails with: 413, 408, 400.
pub(crate) async fn form_field(conn: &mut Conn, name: &str) -> Result<Option<String>> {
    if !is_form(conn) {
        return early_text(conn, name).await;
    }
    let Some(body) = conn.take_body() else { return Ok(None) };
    let bytes = body.collect(BODY_LEN_MAX).await?;
    let found = form_urlencoded::parse(&bytes).find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    conn.put_request_body(Body::from(bytes));
    Ok(found)
}

fn is_form(conn: &Conn) -> bool {
    let declared = conn.header(header::CONTENT_TYPE).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
