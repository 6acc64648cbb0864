//! Typed extraction: what a handler's arguments are made of.

use std::borrow::Cow;
use std::future::Future;

use bytes::Bytes;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::fields::{self, Given, Wrong};
use crate::multipart::{self, Received, with_files};
use crate::{Conn, Error, Json, Result, json_place};

/// What of a body an extractor keeps, in bytes, at most: a mebibyte. More is answered with 413.
pub const BODY_LEN_MAX: usize = 1 << 20;

/// A value that is made from a request. A failure is answered as the error that it is.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Form, Path, Query, router, test};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Search { q: String, page: Option<u32> }
///
/// async fn search(_: &mut Conn, Path(shop): Path<String>, Query(search): Query<Search>) -> String {
///     format!("{} in {shop}, page {}", search.q, search.page.unwrap_or(1))
/// }
///
/// router! { get "/:shop/search" => search; }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(router());
/// let found = test::get(&endpoint, "/books/search?q=birds").await;
/// assert_eq!(test::text(found).await, "birds in books, page 1");
///
/// let wrong = test::get(&endpoint, "/books/search?q=birds&page=two").await;
/// assert_eq!(wrong.status(), 400);
/// let text = test::text(wrong).await;
/// assert_eq!(text, "400 The query is wrong: `page`: `two` is not a whole number of 32 bits that is not negative");
/// # });
/// ```
///
/// | extractor | from | failure |
/// | --- | --- | --- |
/// | [`Path`] | the path's parameters, by name or in order | 404, as no such thing is there; 400 `bad_path` if one is no UTF-8 |
/// | [`Query`] | the query | 400 `bad_query`, also if it is no UTF-8 |
/// | [`Form`] | a body of type `application/x-www-form-urlencoded`, or `multipart/form-data` with files as [`Upload`](crate::Upload) | 415, 400 `bad_form`, 413; as [`Multipart`](crate::Multipart) |
/// | [`Multipart`](crate::Multipart) | a body of type `multipart/form-data`, part by part | as it says |
/// | [`Json`] | a body of type `application/json`, or `+json` | 415, 400 `bad_json`, 422 `wrong_json` with the field, or if it nests deeper than 127; 413 |
/// | [`Params`] | a body that is either | as those |
///
/// Of a body at most [`BODY_LEN_MAX`] bytes are kept; with files,
/// [`MultipartLimits`](crate::MultipartLimits) say how much.
pub trait Extract: Sized + Send {
    /// Makes it.
    fn extract(conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send;
}

/// The path's parameters: one value, several in a tuple in the path's order, or a record by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// The query, as a record by names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// The body of a form, as a record by names. Of a form with files, text is kept in memory and files are
/// [`Upload`](crate::Upload)s on disk: `Option<Upload>` where none need be chosen, `Vec<Upload>` where several
/// may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<T>(pub T);

/// The body, as a form or as JSON, by its type.
///
/// A tool that sends JSON without saying so (`curl -d '{"name": "Alice"}'`) declares it a form: a form
/// whose text begins with `{` is read as JSON if it is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + Send> Extract for Path<T> {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        let pairs = conn.path_params().iter();
        let pairs = pairs.map(|(name, value)| (Cow::Borrowed(*name), Cow::Owned(value.clone())));
        fields::from_pairs(pairs).map(Self).map_err(|wrong| Error::not_found().because(wrong))
    }
}

impl<T: DeserializeOwned + Send> Extract for Query<T> {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        let query = conn.query_string().as_bytes();
        fields::from_encoded(query).map(Self).map_err(|wrong| refused("bad_query", "The query", &wrong))
    }
}

impl<T: DeserializeOwned + Send> Extract for Form<T> {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        if multipart::is_declared(conn.request_headers()) {
            let (pairs, files) = multipart::whole(conn).await?;
            return with_files(files, || form_of_parts(pairs)).map(Self);
        }
        if kind(conn) != Kind::Form {
            return Err(unsupported("application/x-www-form-urlencoded or multipart/form-data"));
        }
        let body = body(conn).await?;
        form(&body).map(Self)
    }
}

impl<T: DeserializeOwned + Send> Extract for Json<T> {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        if kind(conn) != Kind::Json {
            return Err(unsupported("application/json"));
        }
        let body = body(conn).await?;
        json(&body).map(Self)
    }
}

impl<T: DeserializeOwned + Send> Extract for Params<T> {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        let kind = kind(conn);
        if kind == Kind::Other {
            return Err(unsupported("application/json or application/x-www-form-urlencoded"));
        }
        let body = body(conn).await?;
        let undeclared = || body.trim_ascii_start().starts_with(b"{") && is_json(&body);
        let value = if kind == Kind::Json || undeclared() { json(&body) } else { form(&body) };
        value.map(Self)
    }
}

fn is_json(body: &[u8]) -> bool {
    // What is ignored is not looked at for UTF-8.
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Form,
    Json,
    Other,
}

/// What the body is declared to be.
fn kind(conn: &Conn) -> Kind {
    let declared = conn.header(header::CONTENT_TYPE).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Kind::Form,
        "application/json" => Kind::Json,
        other if other.starts_with("application/") && other.ends_with("+json") => Kind::Json,
        _ => Kind::Other,
    }
}

async fn body(conn: &mut Conn) -> Result<Bytes> {
    match conn.take_body() {
        Some(body) => Ok(body.collect(BODY_LEN_MAX).await?),
        None => Err(Error::internal("the request's body was taken before")),
    }
}

fn form<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    fields::from_encoded(body).map_err(|wrong| refused("bad_form", "The form", &wrong))
}

fn form_of_parts<T: DeserializeOwned>(pairs: Vec<(String, Received)>) -> Result<T> {
    let pairs = pairs.into_iter().map(|(name, value)| {
        let value = match value {
            Received::Text(text) => Given::Text(Cow::Owned(text)),
            Received::File(number) => Given::File(number),
        };
        (Cow::Owned(name), value)
    });
    fields::from_given(pairs).map_err(|wrong| refused("bad_form", "The form", &wrong))
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        // A value of another kind may look to the parser like no JSON, a number where a variant's name should be say.
        if !error.is_data() && !is_json(body) {
            let text = format!("The JSON is wrong: {error}");
            return Error::bad_request("bad_json", text).details(json!({ "line": line, "column": column }));
        }
        let field = json_place::field(body, &error);
        let named = field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default();
        let text = format!("The JSON is wrong: {named}{error}");
        let details = json!({ "field": field, "line": line, "column": column });
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_json", text).details(details)
    })
}

fn refused(code: &'static str, what: &str, wrong: &Wrong) -> Error {
    let details = json!({ "field": wrong.field, "message": wrong.message });
    Error::bad_request(code, format!("{what} is wrong: {wrong}")).details(details)
}

fn unsupported(wanted: &str) -> Error {
    let text = format!("The body must be of the type {wanted}.");
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text)
}

macro_rules! all_of {
    ($($arg:ident),*) => {
        impl<$($arg: Extract),*> Extract for ($($arg,)*) {
            async fn extract(conn: &mut Conn) -> Result<Self> {
                let _ = &conn;
                Ok(($($arg::extract(conn).await?,)*))
            }
        }
    };
}

all_of!();
all_of!(A);
all_of!(A, B);
all_of!(A, B, C);
all_of!(A, B, C, D);
all_of!(A, B, C, D, E);
all_of!(A, B, C, D, E, F);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Newest,
    }

    #[test]
    fn what_is_json_of_another_kind_is_told_from_what_is_none() {
        for (body, status) in [
            (&b"\"oldest\""[..], 422),
            (b"2", 422),
            (b"null", 422),
            (b"\"newest\" x", 400),
            (b"\"newest", 400),
            (b"\"\xff\"", 400),
            (b"{\"\xff\": 2}", 400),
        ] {
            let error = json::<Order>(body).unwrap_err();
            assert_eq!(error.status(), status, "{}: {error}", body.escape_ascii());
        }
        assert!(matches!(json(b"\"newest\""), Ok(Order::Newest)));
    }
}
