//! The short way for a head of the usual kind.

use super::Bounds;
use super::fields::trim;
use super::head::{LINE_LEN_REST, TOKEN, first_control, is_host, is_usual, run_len};

/// The length of a head that is all there, has nothing after it, and says nothing that matters to the framing but its
/// host; none if it is not so, or may not be so, and is to be looked at [line by line](super::head::HeadScan::look).
///
/// What passes here passes there with the same result: the fuzz target `framing_at_splits` holds one against the other,
/// as a head that comes in parts goes the long way.
pub(super) fn usual_head(input: &[u8], bounds: &Bounds, last: &mut LastFields) -> Option<usize> {
    let line_len = first_control(input);
    if !is_usual(&input[..line_len], bounds) || line_len + 2 > bounds.uri_len_max + LINE_LEN_REST {
        return None;
    }
    let fields = &input[line_len..];
    let fields_len = match last.len_in(fields) {
        Some(len) => len,
        None => last.set(&fields[..usual_fields(fields, bounds)?]),
    };
    let len = line_len + fields_len;
    (len <= bounds.head_len_max).then_some(len)
}

/// The fields of the request before, as they came: clients say the same of each request, and what was looked at need
/// not be looked at again.
#[derive(Debug, Default)]
pub(super) struct LastFields(Vec<u8>);

impl LastFields {
    /// More is not kept: a connection that waits is to cost little.
    const LEN_MAX: usize = 512;

    /// Their length, if the same ones have come again.
    #[inline]
    fn len_in(&self, fields: &[u8]) -> Option<usize> {
        (!self.0.is_empty() && fields.starts_with(&self.0)).then_some(self.0.len())
    }

    /// Keeps these, and says how long they are.
    fn set(&mut self, fields: &[u8]) -> usize {
        self.0.clear();
        if fields.len() <= Self::LEN_MAX {
            self.0.extend_from_slice(fields);
        }
        fields.len()
    }
}

/// The length of fields, from the end of the request line to that of the empty line.
fn usual_fields(input: &[u8], bounds: &Bounds) -> Option<usize> {
    let (mut at, mut fields, mut has_host) = (0, 0, false);
    loop {
        let rest = input[at..].strip_prefix(b"\r\n")?;
        at += 2;
        if let [b'\r', b'\n', ..] = rest {
            at += 2;
            return (has_host && fields <= bounds.fields_max).then_some(at);
        }
        fields += 1;
        let name_len = run_len(rest, TOKEN);
        let (name, rest) = rest.split_at(name_len);
        let [b':', rest @ ..] = rest else { return None };
        let value_len = first_control(rest);
        let value = &rest[..value_len];
        match name.len() {
            0 => return None,
            4 if is(name, b"host") => {
                if has_host || !is_host(trim(value)) {
                    return None;
                }
                has_host = true;
            }
            10 if is(name, b"connection") && !is(trim(value), b"keep-alive") => return None,
            6 if is(name, b"expect") => return None,
            7 if is(name, b"upgrade") => return None,
            14 if is(name, b"content-length") => return None,
            17 if is(name, b"transfer-encoding") => return None,
            _ => {}
        }
        at += name_len + 1 + value_len;
    }
}

/// Whether it is the word, in any case. Most are told apart by their first letter.
#[inline]
fn is(name: &[u8], word: &[u8]) -> bool {
    name.first().is_some_and(|first| first | 0x20 == word[0]) && name.eq_ignore_ascii_case(word)
}
