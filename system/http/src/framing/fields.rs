//! The fields of a head, and what they say of the message's length (RFC 9112, 5 and 6).

use http::StatusCode;

use super::head::{Line, is_host, token_len};
use super::{BodyKind, Bounds, Head, Refusal};

/// The fields that have come.
#[derive(Debug, Default)]
pub(super) struct Fields {
    count: usize,
    hosts: usize,
    length: Option<u64>,
    coding: Option<Coding>,
    has_upgrade: bool,
    connection_upgrade: bool,
}

/// What `Transfer-Encoding` says, over all its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// `chunked` and nothing else.
    Chunked,
    /// Others, and `chunked` last.
    OthersThenChunked,
    /// `chunked` is not last, so nobody knows where the body ends.
    NotChunkedLast,
    /// `chunked` more than once, or nothing where a coding should be.
    Wrong,
}

impl Fields {
    /// Takes a line without its end, which has no control bytes but tabs.
    pub(super) fn add(&mut self, line: &[u8], bounds: &Bounds) -> Result<(), Refusal> {
        self.count += 1;
        if self.count > bounds.fields_max {
            return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_fields"));
        }
        let (name, value) = split(line)?;
        match name.len() {
            4 | 6 | 7 | 10 | 14 | 17 => self.known(name, value),
            _ => Ok(()),
        }
    }

    /// Few names matter here, and most others differ in their length already.
    #[inline]
    fn known(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"host") {
            self.host(value)
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length(value)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encoding(value);
            Ok(())
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.connection_upgrade |= has_word(value, b"upgrade");
            Ok(())
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.has_upgrade = true;
            Ok(())
        } else if name.eq_ignore_ascii_case(b"expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::new(StatusCode::EXPECTATION_FAILED, "expectation"));
            }
            Ok(())
        } else {
            Ok(())
        }
    }

    /// All lines have come: what they say together.
    pub(super) fn head(self, line: Line) -> Result<Head, Refusal> {
        if line.is_http_11 && self.hosts == 0 {
            return Err(Refusal::bad("no_host"));
        }
        debug_assert!(self.hosts <= 1, "a second one was refused");
        let body = match (self.coding, self.length) {
            (None, None | Some(0)) => BodyKind::None,
            (None, Some(len)) => BodyKind::Length(len),
            (Some(_), Some(_)) => return Err(Refusal::bad("length_and_coding")),
            (Some(_), None) if !line.is_http_11 => return Err(Refusal::bad("coding_in_1_0")),
            (Some(Coding::Chunked), None) => BodyKind::Chunked,
            (Some(Coding::OthersThenChunked), None) => {
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "unknown_coding"));
            }
            (Some(Coding::NotChunkedLast), None) => return Err(Refusal::bad("chunked_not_last")),
            (Some(Coding::Wrong), None) => return Err(Refusal::bad("transfer_encoding")),
        };
        Ok(Head { wants_upgrade: line.is_http_11 && self.has_upgrade && self.connection_upgrade, body })
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        if self.hosts > 1 {
            return Err(Refusal::bad("two_hosts"));
        }
        if is_host(value) { Ok(()) } else { Err(Refusal::bad("host")) }
    }

    /// RFC 9110, 8.6: digits, once. A list of equal ones could be taken for one, but says that something
    /// on the way is wrong.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::bad("two_lengths"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::bad("content_length"));
        }
        let digits = std::str::from_utf8(value).map_err(|_| Refusal::bad("content_length"))?;
        // Beyond 64 bits it is a number all the same, only larger than any body.
        self.length = Some(digits.parse().unwrap_or(u64::MAX));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.coding = Some(match (self.coding, is_chunked) {
                (Some(Coding::Wrong), _) => Coding::Wrong,
                _ if coding.is_empty() => Coding::Wrong,
                (None, true) => Coding::Chunked,
                (Some(Coding::NotChunkedLast), true) => Coding::OthersThenChunked,
                (None | Some(Coding::NotChunkedLast), false) => Coding::NotChunkedLast,
                // Something after `chunked`.
                (Some(Coding::Chunked | Coding::OthersThenChunked), _) => Coding::Wrong,
            });
        }
    }
}

/// `name ":" OWS value OWS` (RFC 9112, 5): a token right before the colon, no line that begins with a
/// space. That no control character but a tab is in the value, is known.
#[inline]
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let name_len = token_len(line);
    match line[name_len..] {
        [b':', ref value @ ..] if name_len > 0 => Ok((&line[..name_len], trim(value))),
        _ => Err(why_no_name(line)),
    }
}

/// What is wrong with a line that has a control character.
#[cold]
pub(super) fn why_control(line: &[u8]) -> Refusal {
    split(line).err().unwrap_or(Refusal::bad("field_value"))
}

#[cold]
fn why_no_name(line: &[u8]) -> Refusal {
    Refusal::bad(match line.first() {
        Some(b' ' | b'\t') => "folded_field",
        _ if !line.contains(&b':') => "field",
        _ => "field_name",
    })
}

/// Without spaces and tabs around it: only these, whatever else is white elsewhere.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether a list has a word, in any case.
fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|element| element.trim_ascii().eq_ignore_ascii_case(word))
}
