//! Methods that HTML forms do not have.

use http::Method;

use crate::form_field::form_field;
use crate::{Conn, Result};

/// Takes a POST for the method that the form's field `_method` names: PUT, PATCH or DELETE, in any case of
/// letters. HTML forms have no others than GET and POST.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, method_override, test};
///
/// async fn method(conn: &mut Conn) {
///     conn.text(conn.method().to_string());
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((method_override, method));
/// let mut request = test::request(http::Method::POST, "/", "_method=delete");
/// request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
/// assert_eq!(test::text(test::send(&endpoint, request).await).await, "DELETE");
/// # });
/// ```
///
/// It is an endpoint's plug: the router must see the method. Any other value, and the field in a request that is
/// no POST or in the query, changes nothing. The form is left for the handler to read. In a form with files
/// (`multipart/form-data`) the field stands before the files, in the first 64 KiB of the body (limit
/// `form_early_len_max`). No options.
///
/// # Errors
/// Those of reading the body, 413 for one above [`BODY_LEN_MAX`](crate::BODY_LEN_MAX) say, which is its limit for forms
/// without files.
pub async fn method_override(conn: &mut Conn) -> Result {
    if conn.method() != Method::POST {
        return Ok(());
    }
    let Some(wanted) = form_field(conn, "_method").await? else { return Ok(()) };
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        if wanted.eq_ignore_ascii_case(method.as_str()) {
            conn.set_method(method);
        }
    }
    Ok(())
}
