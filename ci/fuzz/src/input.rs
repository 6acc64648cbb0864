//! One input.

use std::borrow::Cow;
use std::fmt;

/// Bytes for what is tested, and some more to make decisions with.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// What comes from the peer.
    pub bytes: Vec<u8>,
    /// Where it is cut, which option is on.
    pub spare: Vec<u8>,
}

impl Input {
    /// As text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// As text that can be the value of a header: visible ASCII and spaces.
    pub fn header(&self) -> String {
        self.bytes.iter().map(|byte| char::from(*byte)).filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
    }

    /// A spare number, below `end`.
    pub fn pick(&self, at: usize, end: usize) -> usize {
        self.spare.get(at).map_or(0, |byte| usize::from(*byte)) % end
    }

    /// The bytes in parts, as reads may cut them.
    pub fn parts(&self) -> Vec<&[u8]> {
        cut(&self.bytes, &self.spare)
    }
}

/// Bytes in parts of these lengths, again and again; without any, byte by byte.
pub(crate) fn cut<'a>(mut rest: &'a [u8], lens: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut lens = if lens.is_empty() { &[1][..] } else { lens }.iter().cycle();
    while !rest.is_empty() {
        let len = usize::from(*lens.next().expect("it goes round and round")).clamp(1, rest.len());
        let (part, after) = rest.split_at(len);
        parts.push(part);
        rest = after;
    }
    parts
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes: \"{}\"\nspare: {:?}", self.bytes.escape_ascii(), self.spare)
    }
}
