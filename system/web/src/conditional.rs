//! Answers that a client has already (RFC 9110, 13).

use http::{HeaderValue, Method, StatusCode, header};
use simurgh_http::Body;
use simurgh_runtime::Timestamp;

use crate::negotiate::date;
use crate::negotiate::etag::{Listed, listed};
use crate::{Conn, ETag};

/// What tells the version of a resource: an entity tag, a date, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    pub(crate) etag: Option<ETag>,
    /// In seconds since 1970: HTTP knows no finer.
    pub(crate) modified_s: Option<i64>,
}

impl Version {
    /// Told by an entity tag.
    pub fn etag(etag: ETag) -> Self {
        Self { etag: Some(etag), modified_s: None }
    }

    /// Told by the time of its last change, to the second.
    pub fn modified(at: Timestamp) -> Self {
        Self::default().and_modified(at)
    }

    /// Told by this time also.
    pub fn and_modified(mut self, at: Timestamp) -> Self {
        self.modified_s = Some(at.as_nanos().div_euclid(1_000_000_000));
        self
    }
}

impl Conn {
    /// Says which version the answer is, and answers at once if the client has it, or wants to change
    /// another one. True: the conn is answered, there is nothing left to do.
    ///
    /// ```
    /// use simurgh_web::{Conn, ETag, Endpoint, Result, Version, test};
    ///
    /// async fn show(conn: &mut Conn) -> Result {
    ///     if !conn.fresh(&Version::etag(ETag::strong("v7")?)) {
    ///         conn.text("what takes long to make");
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let endpoint = Endpoint::new(show);
    /// let mut request = test::request(http::Method::GET, "/", "");
    /// request.headers_mut().insert("if-none-match", r#""v7""#.parse().unwrap());
    /// assert_eq!(test::send(&endpoint, request).await.status(), 304);
    /// # });
    /// ```
    ///
    /// | the request says | and | answer |
    /// | --- | --- | --- |
    /// | `if-match` | no tag is this version's, compared strongly | 412 |
    /// | `if-unmodified-since`, no `if-match` | it was changed after that | 412 |
    /// | `if-none-match` | a tag is this version's, compared weakly | 304 to GET and HEAD, else 412 |
    /// | `if-modified-since`, no `if-none-match`, GET or HEAD | it was not changed after that | 304 |
    ///
    /// In this order, as section 13.2.2 of RFC 9110 has it. Dates that cannot be read are not looked at.
    pub fn fresh(&mut self, version: &Version) -> bool {
        self.put_version(version);
        let Some(status) = self.precondition(version) else { return false };
        self.put_status(status);
        self.response_headers_mut().remove(header::CONTENT_TYPE);
        self.put_body(Body::empty());
        true
    }

    pub(crate) fn put_version(&mut self, version: &Version) {
        if let Some(etag) = &version.etag {
            let etag = HeaderValue::try_from(etag.to_string()).expect("a tag is printable ASCII");
            self.response_headers_mut().insert(header::ETAG, etag);
        }
        if let Some(modified_s) = version.modified_s {
            let date = HeaderValue::try_from(date::format(modified_s)).expect("a date is printable ASCII");
            self.response_headers_mut().insert(header::LAST_MODIFIED, date);
        }
    }

    /// The status, if a condition of the request ends it.
    fn precondition(&self, version: &Version) -> Option<StatusCode> {
        let headers = self.request_headers();
        let date = |name| date::parse(self.header(name)?);
        match listed(headers, &header::IF_MATCH, version.etag.as_ref(), true) {
            Listed::Yes => {}
            Listed::No => return Some(StatusCode::PRECONDITION_FAILED),
            Listed::NotSaid => {
                let since = date(header::IF_UNMODIFIED_SINCE).zip(version.modified_s);
                if since.is_some_and(|(since, modified)| modified > since) {
                    return Some(StatusCode::PRECONDITION_FAILED);
                }
            }
        }
        let reads = matches!(*self.method(), Method::GET | Method::HEAD);
        match listed(headers, &header::IF_NONE_MATCH, version.etag.as_ref(), false) {
            Listed::Yes if reads => Some(StatusCode::NOT_MODIFIED),
            Listed::Yes => Some(StatusCode::PRECONDITION_FAILED),
            Listed::No => None,
            Listed::NotSaid => {
                let since = date(header::IF_MODIFIED_SINCE).zip(version.modified_s).filter(|_| reads);
                since.filter(|(since, modified)| modified <= since).map(|_| StatusCode::NOT_MODIFIED)
            }
        }
    }
}
