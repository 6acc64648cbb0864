//! Messages and events.

use std::fmt;

use bytes::Bytes;

use super::close::CloseFrame;

/// What a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole message, unmasked, inflated, and checked.
    Message(Message),
    /// A ping; its pong is already in the output.
    Ping(Bytes),
    /// An answer to a ping of ours, or unasked for (RFC 6455, 5.5.3).
    Pong(Bytes),
    /// The peer closes; if it was the first to do so, the echo is already in the output. Nothing comes after.
    Close(Option<CloseFrame>),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Text.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload, whatever its kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// UTF-8 that is cheap to clone and to pass on.
///
/// ```
/// use simurgh_http::ws::Text;
///
/// let text = Text::from("κόσμε");
/// assert_eq!(text.as_str(), "κόσμε");
/// assert_eq!(text.as_bytes().len(), 10);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes that have been checked.
    pub(crate) fn checked(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok(), "text was checked as it came");
        Self(bytes)
    }

    /// As a string.
    ///
    /// This crate holds no unsafe code, so the bytes are looked at once more, at memory speed (some 20 ns for
    /// a kilobyte). Keep the result rather than asking twice, and give parsers of bytes
    /// [`as_bytes`](Self::as_bytes), which costs nothing.
    pub fn as_str(&self) -> &str {
        simdutf8::basic::from_utf8(&self.0).expect("text is checked when it is made")
    }

    /// The bytes, which are UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, for whoever keeps them.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<Bytes> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        match simdutf8::basic::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(std::str::from_utf8(&bytes).expect_err("both judge alike")),
        }
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
