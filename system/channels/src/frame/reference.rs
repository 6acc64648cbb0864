//! References: the client's own names for its messages.

use std::borrow::Cow;
use std::fmt;

/// Bytes of a reference as JSON, at most: one that is longer is malformed. (Those of the official client are numbers
/// in quotes.)
pub const REF_LEN_MAX: usize = simurgh_config::Limits::DEFAULT.channels_ref_len_max.as_usize();

const INLINE: usize = 22;

/// A `ref` or `join_ref`: a JSON value that is not null, kept as it came. Two are the same if they are the same JSON.
///
/// Short ones, which nearly all are, take no memory of their own.
#[derive(Clone)]
pub struct Ref(Kept);

#[derive(Clone)]
enum Kept {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Ref {
    /// Of JSON that was checked; none if it is null.
    pub(crate) fn of_json(json: &[u8]) -> Option<Self> {
        if json == b"null" {
            return None;
        }
        let mut bytes = [0; INLINE];
        Some(Self(match bytes.get_mut(..json.len()) {
            Some(place) => {
                place.copy_from_slice(json);
                Kept::Inline { len: json.len() as u8, bytes }
            }
            None => Kept::Heap(json.into()),
        }))
    }

    /// Of a field of a binary frame, which is text; none if it is empty.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut json = Vec::with_capacity(text.len() + 2);
        super::encode::push_str(&mut json, text);
        Self::of_json(&json)
    }

    /// As JSON.
    pub fn as_json(&self) -> &[u8] {
        match &self.0 {
            Kept::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Kept::Heap(bytes) => bytes,
        }
    }

    /// As a field of a binary frame: what is in the quotes, or else the JSON itself.
    pub(crate) fn as_text(&self) -> Cow<'_, [u8]> {
        let json = self.as_json();
        if !json.starts_with(b"\"") {
            return Cow::Borrowed(json);
        }
        let inside = &json[1..json.len() - 1];
        if !inside.contains(&b'\\') {
            return Cow::Borrowed(inside);
        }
        serde_json::from_slice::<String>(json).map_or(Cow::Borrowed(inside), |text| Cow::Owned(text.into_bytes()))
    }
}

impl PartialEq for Ref {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.as_json(), other.as_json());
        if one == two {
            return true;
        }
        let are_strings = one.starts_with(b"\"") && two.starts_with(b"\"");
        are_strings && (one.contains(&b'\\') || two.contains(&b'\\')) && self.as_text() == other.as_text()
    }
}

impl Eq for Ref {}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_is_kept_as_it_came() {
        for json in ["\"3\"", "3", "3.50", "true", "{\"a\": [1]}", "\"a longer one than fits inline\"", "\"\\u0033\""] {
            assert_eq!(Ref::of_json(json.as_bytes()).unwrap().as_json(), json.as_bytes());
        }
        assert_eq!(Ref::of_json(b"null"), None);
        assert_eq!(size_of::<Option<Ref>>(), 24);
    }

    #[test]
    fn the_same_json_is_the_same_reference() {
        let of = |json: &str| Ref::of_json(json.as_bytes()).unwrap();
        for (one, two, same) in [
            ("\"3\"", "\"3\"", true),
            ("\"3\"", "\"\\u0033\"", true),
            ("3", "3", true),
            ("\"3\"", "3", false),
            ("\"3\"", "\"33\"", false),
        ] {
            assert_eq!(of(one) == of(two), same, "{one} {two}");
        }
        assert_eq!(Ref::of_text("3"), Ref::of_json(b"\"3\""));
        assert_eq!(Ref::of_text("\""), Ref::of_json(b"\"\\\"\""));
        assert_eq!(Ref::of_text(""), None);
    }
}
