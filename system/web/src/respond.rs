//! What a handler may return.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use simurgh_http::Body;

use crate::{Conn, Error, Result};

/// An answer, put into the conn.
///
/// | type | answer |
/// | --- | --- |
/// | `()` | what the handler has put there itself |
/// | `&'static str`, `String` | text |
/// | `Bytes`, `Vec<u8>` | `application/octet-stream` |
/// | [`Html`], [`Json`], [`Redirect`] | what they say |
/// | `StatusCode` | an empty body |
/// | `(StatusCode, impl Respond)` | the same with another status |
/// | `Option<impl Respond>` | `None`: 404 |
/// | `Result<impl Respond, impl Into<Error>>` | the error's page |
/// | `http::Response<Body>` | as it is; its headers replace those of their names |
pub trait Respond {
    /// Puts it into the conn.
    fn respond(self, conn: &mut Conn) -> Result;
}

/// A body of HTML.
#[derive(Debug, Clone)]
pub struct Html<T>(pub T);

/// A body of JSON; as an argument of a handler, a body of JSON that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// A redirect, `302 Found` if not said otherwise.
#[derive(Debug, Clone)]
pub struct Redirect {
    status: StatusCode,
    to: String,
}

impl Redirect {
    /// `302 Found`: look there, with GET.
    pub fn to(location: impl Into<String>) -> Self {
        Self { status: StatusCode::FOUND, to: location.into() }
    }

    /// `303 See Other`: look there, with GET, whatever this method was.
    pub fn see_other(location: impl Into<String>) -> Self {
        Self { status: StatusCode::SEE_OTHER, to: location.into() }
    }

    /// `308 Permanent Redirect`: from now on there, with the same method.
    pub fn permanent(location: impl Into<String>) -> Self {
        Self { status: StatusCode::PERMANENT_REDIRECT, to: location.into() }
    }
}

impl Respond for () {
    fn respond(self, _: &mut Conn) -> Result {
        Ok(())
    }
}

impl Respond for &'static str {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.text(self);
        Ok(())
    }
}

impl Respond for String {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.text(self);
        Ok(())
    }
}

impl Respond for Bytes {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.respond_with(HeaderValue::from_static("application/octet-stream"), self);
        Ok(())
    }
}

impl Respond for Vec<u8> {
    fn respond(self, conn: &mut Conn) -> Result {
        Bytes::from(self).respond(conn)
    }
}

impl<T: Into<Bytes>> Respond for Html<T> {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.html(self.0);
        Ok(())
    }
}

impl<T: Serialize> Respond for Json<T> {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.json(&self.0)
    }
}

impl Respond for Redirect {
    fn respond(self, conn: &mut Conn) -> Result {
        let location = HeaderValue::try_from(self.to)?;
        conn.put_status(self.status);
        conn.response_headers_mut().insert(header::LOCATION, location);
        conn.put_body(Body::empty());
        Ok(())
    }
}

impl Respond for StatusCode {
    fn respond(self, conn: &mut Conn) -> Result {
        conn.put_status(self);
        conn.put_body(Body::empty());
        Ok(())
    }
}

impl<T: Respond> Respond for (StatusCode, T) {
    fn respond(self, conn: &mut Conn) -> Result {
        self.1.respond(conn)?;
        conn.put_status(self.0);
        Ok(())
    }
}

impl<T: Respond> Respond for Option<T> {
    fn respond(self, conn: &mut Conn) -> Result {
        self.ok_or_else(Error::not_found)?.respond(conn)
    }
}

impl<T: Respond, E: Into<Error>> Respond for std::result::Result<T, E> {
    fn respond(self, conn: &mut Conn) -> Result {
        self.map_err(Into::into)?.respond(conn)
    }
}

impl Respond for http::Response<Body> {
    fn respond(self, conn: &mut Conn) -> Result {
        let (parts, body) = self.into_parts();
        conn.put_status(parts.status);
        let mut last = None;
        for (name, value) in parts.headers {
            // A name comes once, then its further values without it.
            if let Some(name) = name {
                conn.response_headers_mut().insert(&name, value);
                last = Some(name);
            } else if let Some(name) = &last {
                conn.response_headers_mut().append(name, value);
            }
        }
        conn.response_extensions_mut().extend(parts.extensions);
        conn.put_body(body);
        Ok(())
    }
}
