//! Cookies: read from the request, written to the response.

use std::fmt::{self, Write as _};
use std::time::Duration;

use http::{HeaderValue, header};

use crate::{Conn, Result};

/// Cookies of one request that are looked at; the rest of them is not read.
pub const COOKIES_MAX: usize = 128;

/// Name and value of one cookie together, in bytes, at most: browsers drop longer ones without a word.
pub const COOKIE_LEN_MAX: usize = 4_096;

/// A cookie for the browser to keep: safe if nothing is said, `Path=/; HttpOnly; SameSite=Lax`, and
/// `Secure` when the request came by https.
///
/// ```
/// use simurgh_web::{Conn, Cookie, Endpoint, Result, test};
/// use std::time::Duration;
///
/// async fn theme(conn: &mut Conn) -> Result {
///     let theme = conn.cookie("theme").unwrap_or("light").to_owned();
///     conn.put_cookie(Cookie::new("theme", "dark").max_age(Duration::from_secs(3600)))?;
///     conn.text(theme);
///     Ok(())
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let response = test::get(&Endpoint::new(theme), "/").await;
/// assert_eq!(response.headers()["set-cookie"], "theme=dark; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`path`](Self::path) | `/` | below which path it is sent |
/// | [`domain`](Self::domain) | none | none is this host only; one is that host and all below it |
/// | [`max_age`](Self::max_age) | none | none: until the browser is closed |
/// | [`secure`](Self::secure) | as the request | by https only |
/// | [`http_only`](Self::http_only) | yes | scripts do not see it |
/// | [`same_site`](Self::same_site) | `Lax` | see [`SameSite`] |
///
/// Limits: [`COOKIE_LEN_MAX`]. Source: RFC 6265, 4.1; the prefixes and `SameSite` RFC 6265bis, 4.1.2
/// and 4.1.3.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    value: String,
    path: Option<String>,
    domain: Option<String>,
    max_age: Option<Duration>,
    secure: Option<bool>,
    http_only: bool,
    same_site: SameSite,
}

/// With which requests from other sites a browser sends a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With a GET that shows the page, a click on a link say.
    Lax,
    /// With all; the cookie must be [secure](Cookie::secure).
    None,
}

/// Why there cannot be such a cookie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token of RFC 9110, 5.6.2.
    #[error("the cookie name {0:?} is not a token: letters, digits and !#$%&'*+-.^_`|~")]
    BadName(String),
    /// The value has a byte that none may have (RFC 6265, 4.1.1).
    #[error(
        "the value of cookie {name} has the byte {byte:#04x} at {at}, which no cookie may have; encode it, in base64 say"
    )]
    BadValue {
        /// Of the cookie.
        name: String,
        /// The first such byte.
        byte: u8,
        /// Where it is.
        at: usize,
    },
    /// Path or domain have a byte that would end them.
    #[error("cookie {name} has the {attribute} {value:?}, which is none")]
    BadAttribute {
        /// Of the cookie.
        name: String,
        /// `path` or `domain`.
        attribute: &'static str,
        /// What it was to be.
        value: String,
    },
    /// Browsers would drop it.
    #[error("cookie {name} has {len} bytes, name and value; browsers keep {COOKIE_LEN_MAX} at most")]
    TooLong {
        /// Of the cookie.
        name: String,
        /// Of name and value.
        len: usize,
    },
    /// The name promises what the cookie does not keep, or it is for other sites and not secure.
    #[error("cookie {name} must be {must}, or browsers drop it")]
    Unkept {
        /// Of the cookie.
        name: String,
        /// What is missing.
        must: &'static str,
    },
    /// Text between two semicolons of a request's header that is no cookie.
    #[error("the cookie header has at byte {at} what is no cookie")]
    BadPair {
        /// Where it begins.
        at: usize,
    },
    /// More than [`COOKIES_MAX`].
    #[error("the cookie header has more than {COOKIES_MAX} cookies")]
    TooMany,
}

impl Cookie {
    /// A cookie of this name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            path: Some("/".to_owned()),
            domain: None,
            max_age: None,
            secure: None,
            http_only: true,
            same_site: SameSite::Lax,
        }
    }

    /// Sent below this path only.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sent to this host and to all below it.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Kept for so long, to the second.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Whether it is sent by https only. If not said: yes, if the request came so.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = Some(secure);
        self
    }

    /// Whether it is hidden from scripts.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// With which requests from other sites it is sent.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// As the value of a `Set-Cookie` header, for a request that came by https or not.
    ///
    /// # Errors
    /// If it is none, or browsers would drop it. What is written has no line break and no semicolon but
    /// its own, whatever the parts are.
    pub fn to_header(&self, is_https: bool) -> Result<String, CookieError> {
        let secure = self.secure.unwrap_or(is_https);
        self.check(secure)?;
        let mut text = format!("{}={}", self.name, self.value);
        let mut add = |part: fmt::Arguments<'_>| text.write_fmt(part).expect("a string takes what it is given");
        if let Some(path) = &self.path {
            add(format_args!("; Path={path}"));
        }
        if let Some(domain) = &self.domain {
            add(format_args!("; Domain={domain}"));
        }
        if let Some(max_age) = self.max_age {
            add(format_args!("; Max-Age={}", max_age.as_secs()));
            if max_age.is_zero() {
                add(format_args!("; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
            }
        }
        if secure {
            add(format_args!("; Secure"));
        }
        if self.http_only {
            add(format_args!("; HttpOnly"));
        }
        add(format_args!("; SameSite={:?}", self.same_site));
        Ok(text)
    }

    /// What counts for [`COOKIE_LEN_MAX`].
    pub(crate) fn len(&self) -> usize {
        self.name.len() + self.value.len()
    }

    /// # Errors
    /// As [`to_header`](Self::to_header).
    pub(crate) fn check(&self, secure: bool) -> Result<(), CookieError> {
        let name = || self.name.clone();
        if !is_token(&self.name) {
            return Err(CookieError::BadName(name()));
        }
        if let Some((at, byte)) = self.value.bytes().enumerate().find(|(_, byte)| !is_octet(*byte)) {
            return Err(CookieError::BadValue { name: name(), byte, at });
        }
        let attributes = [("path", &self.path, is_path as fn(&str) -> bool), ("domain", &self.domain, is_domain)];
        for (attribute, value, is_good) in attributes {
            if let Some(value) = value.as_ref().filter(|value| !is_good(value)) {
                return Err(CookieError::BadAttribute { name: name(), attribute, value: value.clone() });
            }
        }
        let len = self.len();
        if len > COOKIE_LEN_MAX {
            return Err(CookieError::TooLong { name: name(), len });
        }
        self.unkept(secure).map_or(Ok(()), |must| Err(CookieError::Unkept { name: name(), must }))
    }

    /// What the name's prefix, or `SameSite=None`, asks for and is not there.
    fn unkept(&self, secure: bool) -> Option<&'static str> {
        let has_prefix =
            |prefix: &str| self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let is_host = has_prefix("__Host-");
        if !secure && (is_host || has_prefix("__Secure-") || self.same_site == SameSite::None) {
            return Some("secure");
        }
        if is_host && self.domain.is_some() {
            return Some("without a domain");
        }
        (is_host && self.path.as_deref() != Some("/")).then_some("of path /")
    }
}

/// Its value may be what lets somebody in, and is not shown.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Cookie");
        out.field("name", &self.name).field("value", &format_args!("[secret]"));
        out.field("path", &self.path).field("domain", &self.domain).field("max_age", &self.max_age);
        out.field("secure", &self.secure).field("http_only", &self.http_only).field("same_site", &self.same_site);
        out.finish()
    }
}

/// To say which cookie is meant: of path `/` and no domain.
impl From<&str> for Cookie {
    fn from(name: &str) -> Self {
        Self::new(name, "")
    }
}

impl Conn {
    /// The value of a cookie that came with the request; of several of one name the first, which has
    /// the longest path.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The request's cookies in their order, [`COOKIES_MAX`] at most; what is no cookie is left out.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        // HTTP/2 may send them in several headers (RFC 9113, 8.2.3).
        let headers = self.request_headers().get_all(header::COOKIE).into_iter();
        let texts = headers.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
        texts.flat_map(parse_cookies).take(COOKIES_MAX)
    }

    /// Has the browser keep a cookie. One of the same name that was put before is replaced.
    ///
    /// # Errors
    /// A [`CookieError`] as `500`; nothing is put then.
    pub fn put_cookie(&mut self, cookie: impl Into<Cookie>) -> Result<&mut Self> {
        let cookie = cookie.into();
        let value = HeaderValue::try_from(cookie.to_header(self.scheme() == "https")?)?;
        self.forget_cookie(&cookie.name);
        self.response_headers_mut().append(header::SET_COOKIE, value);
        Ok(self)
    }

    /// Has the browser drop a cookie: by its name, or by a [`Cookie`] of the same path and domain.
    ///
    /// # Errors
    /// As [`put_cookie`](Self::put_cookie).
    pub fn delete_cookie(&mut self, cookie: impl Into<Cookie>) -> Result<&mut Self> {
        let mut cookie = cookie.into().max_age(Duration::ZERO);
        cookie.value.clear();
        self.put_cookie(cookie)
    }

    /// Takes a cookie that was put before out of the response.
    fn forget_cookie(&mut self, name: &str) {
        let is_it = |value: &HeaderValue| {
            value.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        };
        let header::Entry::Occupied(entry) = self.response_headers_mut().entry(header::SET_COOKIE) else { return };
        if entry.iter().any(is_it) {
            let (name, values) = entry.remove_entry_mult();
            let kept: Vec<HeaderValue> = values.filter(|value| !is_it(value)).collect();
            for value in kept {
                self.response_headers_mut().append(&name, value);
            }
        }
    }
}

/// The cookies of a `Cookie` header as real clients send them: spaces around names and values and
/// quotes around a value are taken off, what is no cookie is left out.
///
/// ```
/// use simurgh_web::parse_cookies;
///
/// let cookies: Vec<_> = parse_cookies(r#"a=1;b = "two" ; nonsense; c=x=y"#).collect();
/// assert_eq!(cookies, [("a", "1"), ("b", "two"), ("c", "x=y")]);
/// ```
///
/// It is lazy and does not allocate. Source: RFC 6265, 5.4, read as section 5.2 reads what it is given.
pub fn parse_cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim_matches(is_blank), unquoted(value.trim_matches(is_blank)));
        (is_token(name) && !value.bytes().any(|byte| byte.is_ascii_control())).then_some((name, value))
    })
}

/// The cookies of a `Cookie` header that is exactly what RFC 6265, 4.2.1 lets a client send.
///
/// # Errors
/// [`CookieError::BadPair`] where it is not, [`CookieError::TooMany`] beyond [`COOKIES_MAX`].
pub fn parse_cookies_strictly(header: &str) -> Result<Vec<(&str, &str)>, CookieError> {
    let (mut cookies, mut at) = (Vec::new(), 0);
    for pair in header.split("; ") {
        let found = pair.split_once('=').map(|(name, value)| (name, unquoted(value)));
        let Some((name, value)) = found.filter(|(name, value)| is_token(name) && value.bytes().all(is_octet)) else {
            return Err(CookieError::BadPair { at });
        };
        if cookies.len() == COOKIES_MAX {
            return Err(CookieError::TooMany);
        }
        cookies.push((name, value));
        at += pair.len() + 2;
    }
    Ok(cookies)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// A token (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a value is made of: visible ASCII but `"`, `,`, `;` and `\`.
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

fn is_domain(domain: &str) -> bool {
    !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
