//! Entity tags (RFC 9110, 8.8.3) and lists of them.

use std::fmt;

use http::HeaderMap;
use http::header::HeaderName;
use siphasher::sip128::SipHasher;

use crate::{Error, Result};

/// The name of one version of a resource.
///
/// ```
/// use simurgh_web::ETag;
///
/// assert_eq!(ETag::strong("v7")?.to_string(), r#""v7""#);
/// assert_eq!(ETag::weak("v7")?.to_string(), r#"W/"v7""#);
/// assert_eq!(ETag::of(b"content"), ETag::of(b"content"));
/// # Ok::<(), simurgh_web::Error>(())
/// ```
///
/// A strong one changes with each byte of the answer; a weak one when its meaning does. Only a strong one
/// lets a client continue a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag {
    is_weak: bool,
    tag: String,
}

impl ETag {
    /// A strong tag.
    ///
    /// # Errors
    /// `500` if it has a quote, a space, a control character or one beyond ASCII.
    pub fn strong(tag: impl Into<String>) -> Result<Self> {
        let tag = tag.into();
        if tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
            Ok(Self { is_weak: false, tag })
        } else {
            Err(Error::internal(format!("{tag:?} cannot be an entity tag")))
        }
    }

    /// A weak tag, with the same errors.
    pub fn weak(tag: impl Into<String>) -> Result<Self> {
        Ok(Self { is_weak: true, ..Self::strong(tag)? })
    }

    /// The strong tag of these bytes: a hash of 128 bits, the same in every build.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = SipHasher::new().hash(bytes);
        Self { is_weak: false, tag: format!("{:016x}{:016x}", hash.h1, hash.h2) }
    }

    /// Whether it is weak.
    pub fn is_weak(&self) -> bool {
        self.is_weak
    }

    /// Whether `tag` names the same version; a strong comparison wants both strong.
    pub(crate) fn matches(&self, tag: &ETagRef<'_>, strong: bool) -> bool {
        self.tag.as_bytes() == tag.tag && !(strong && (self.is_weak || tag.is_weak))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.is_weak { "W/" } else { "" }, self.tag)
    }
}

/// One tag of a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ETagRef<'a> {
    is_weak: bool,
    tag: &'a [u8],
}

/// Reads a tag at the beginning of `text`, and says what comes after it.
pub(crate) fn first(text: &[u8]) -> Option<(ETagRef<'_>, &[u8])> {
    let (is_weak, rest) = match text.strip_prefix(b"W/") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let rest = rest.strip_prefix(b"\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (tag, rest) = (&rest[..end], &rest[end + 1..]);
    let is_tag = tag.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80);
    is_tag.then_some((ETagRef { is_weak, tag }, rest))
}

/// What `if-match` or `if-none-match` says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The field is not there.
    NotSaid,
    /// One of its tags is the version, or it is `*`.
    Yes,
    /// None is, or the field cannot be read.
    No,
}

/// Looks for a version in a field.
pub(crate) fn listed(headers: &HeaderMap, field: &HeaderName, version: Option<&ETag>, strong: bool) -> Listed {
    let mut found = Listed::NotSaid;
    for value in headers.get_all(field) {
        let value = value.as_bytes().trim_ascii();
        if value == b"*" || version.is_some_and(|version| has(value, version, strong)) {
            return Listed::Yes;
        }
        found = Listed::No;
    }
    found
}

fn has(mut list: &[u8], version: &ETag, strong: bool) -> bool {
    loop {
        list = list.trim_ascii_start();
        if let Some(rest) = list.strip_prefix(b",") {
            list = rest;
            continue;
        }
        let Some((tag, rest)) = first(list) else { return false };
        let rest = rest.trim_ascii_start();
        let is_whole = rest.is_empty() || rest.starts_with(b",");
        if !is_whole {
            return false;
        }
        if version.matches(&tag, strong) {
            return true;
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};
    use proptest::prelude::*;

    use super::*;

    fn check(value: &[u8], strong: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_bytes(value).unwrap());
        let version = ETag::strong("a").unwrap();
        listed(&headers, &header::IF_NONE_MATCH, Some(&version), strong) == Listed::Yes
    }

    #[test]
    fn lists_are_read_to_the_tag() {
        for (value, weakly, strongly) in [
            (r#""a""#, true, true),
            (r#"W/"a""#, true, false),
            (r#""b", "a""#, true, true),
            (r#" , "b",,"a" , "#, true, true),
            (r#""b,a", W/"a""#, true, false),
            ("*", true, true),
            (r#""b""#, false, false),
            (r#""b" "a""#, false, false),
            (r#"w/"a""#, false, false),
            ("a", false, false),
            (r#""a"#, false, false),
            (r#""a b", "a""#, false, false),
            ("", false, false),
        ] {
            assert_eq!((check(value.as_bytes(), false), check(value.as_bytes(), true)), (weakly, strongly), "{value}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_says_nothing() {
        assert_eq!(listed(&HeaderMap::new(), &header::IF_MATCH, None, true), Listed::NotSaid);
        assert!(ETag::strong("a b").is_err() && ETag::strong("\"").is_err() && ETag::weak("\u{e4}").is_err());
        assert_ne!(ETag::of(b"a"), ETag::of(b"b"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(value in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'W'), Just(b'/'), Just(b'a'), 0x20u8..0x7f], 0..60)) {
            let weakly = check(&value, false);
            prop_assert!(weakly || !check(&value, true));
        }
    }
}
