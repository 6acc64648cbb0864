//! The parser of multipart bodies (RFC 2046, 5.1.1; RFC 7578): bytes in, heads and data out, no IO.
//!
//! ```text
//!   preamble CRLF --boundary CRLF head CRLF CRLF data CRLF --boundary CRLF .. CRLF --boundary-- epilogue
//! ```
//!
//! A line ends with CR LF and nothing else: a parser that is kinder reads another body than the one that a
//! filter before it has read.

use bytes::{Bytes, BytesMut};
use simurgh_runtime::planted;

use super::MultipartLimits;
use super::head::Head;
use super::wrong::Wrong;

/// Spaces that may come after a boundary.
const PADDING_LEN_MAX: usize = 64;

pub(super) struct Parser {
    /// `CR LF - - boundary`.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
    limits: MultipartLimits,
    parts: usize,
    part_len: u64,
    body_len: u64,
    is_over: bool,
    /// How much of a head was looked at, so that none is looked at again for each byte that comes.
    searched: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    AfterDelimiter,
    Head,
    Data,
    Epilogue,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A part begins.
    Head(Head),
    /// More of it.
    Data(Bytes),
    /// It ends.
    PartEnd,
    /// The body ends; what comes after is nobody's.
    End,
    /// More bytes are needed.
    Hungry,
}

impl Parser {
    pub(super) fn new(boundary: &str, limits: MultipartLimits) -> Self {
        let mut buffer = BytesMut::new();
        // The first boundary may stand at the very beginning.
        buffer.extend_from_slice(b"\r\n");
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            buffer,
            state: State::Preamble,
            limits,
            parts: 0,
            part_len: 0,
            body_len: 0,
            is_over: false,
            searched: 0,
        }
    }

    pub(super) fn limits(&self) -> &MultipartLimits {
        &self.limits
    }

    /// Takes bytes. All steps but the last, [`Step::Hungry`], come before the next.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        self.body_len += bytes.len() as u64;
        if self.body_len > self.limits.body_len_max {
            return Err(Wrong::BodyLen(self.limits.body_len_max));
        }
        if self.state != State::Epilogue {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// No more bytes will come.
    pub(super) fn finish(&mut self) {
        self.is_over = true;
    }

    pub(super) fn step(&mut self) -> Result<Step, Wrong> {
        loop {
            let step = match self.state {
                State::Preamble => self.preamble(),
                State::AfterDelimiter => self.after_delimiter()?,
                State::Head => self.head()?,
                State::Data => self.data()?,
                State::Epilogue => Some(Step::End),
            };
            match step {
                Some(Step::Hungry) if self.is_over => return Err(Wrong::Unfinished),
                Some(step) => return Ok(step),
                None => {}
            }
        }
    }

    fn preamble(&mut self) -> Option<Step> {
        let (len, is_found) = self.until_delimiter();
        let _ = self.buffer.split_to(len);
        if !is_found {
            return Some(Step::Hungry);
        }
        self.take_delimiter();
        None
    }

    /// How many bytes are none of a delimiter, and whether one comes after them.
    fn until_delimiter(&self) -> (usize, bool) {
        let mut from = 0;
        while let Some(at) = self.buffer[from..].iter().position(|byte| *byte == b'\r').map(|at| from + at) {
            let rest = &self.buffer[at..];
            if rest.starts_with(&self.delimiter) {
                return (at, true);
            }
            if self.delimiter.starts_with(rest) {
                return (at, false);
            }
            from = at + 1;
        }
        (self.buffer.len(), false)
    }

    fn take_delimiter(&mut self) {
        let _ = self.buffer.split_to(self.delimiter.len());
        self.state = State::AfterDelimiter;
    }

    fn after_delimiter(&mut self) -> Result<Option<Step>, Wrong> {
        if self.buffer.starts_with(b"--") {
            self.state = State::Epilogue;
            self.buffer.clear();
            return Ok(None);
        }
        let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if padding > PADDING_LEN_MAX {
            return Err(Wrong::AfterBoundary);
        }
        match &self.buffer[padding..] {
            [] | [b'\r'] => Ok(Some(Step::Hungry)),
            [b'-'] if padding == 0 => Ok(Some(Step::Hungry)),
            [b'\r', b'\n', ..] => {
                // The line break stays: it is the one before the head's first line, or before its end.
                let _ = self.buffer.split_to(padding);
                self.state = State::Head;
                Ok(None)
            }
            _ => Err(Wrong::AfterBoundary),
        }
    }

    fn head(&mut self) -> Result<Option<Step>, Wrong> {
        const END: &[u8] = b"\r\n\r\n";
        let len_max = self.limits.head_len_max;
        let within = &self.buffer[..self.buffer.len().min(len_max + END.len())];
        let Some(end) = within[self.searched..].windows(END.len()).position(|window| window == END) else {
            self.searched = within.len().saturating_sub(END.len() - 1);
            return if self.buffer.len() > len_max + END.len() && !planted!("web.part-head-unbounded") {
                Err(Wrong::HeadLen(len_max))
            } else {
                Ok(Some(Step::Hungry))
            };
        };
        let end = self.searched + end;
        self.searched = 0;
        self.parts += 1;
        if self.parts > self.limits.parts_max {
            return Err(Wrong::Parts(self.limits.parts_max));
        }
        let head = self.buffer.split_to(end + END.len());
        let head = Head::parse(&head[..end], self.limits.name_len_max)?;
        self.state = State::Data;
        self.part_len = 0;
        Ok(Some(Step::Head(head)))
    }

    fn data(&mut self) -> Result<Option<Step>, Wrong> {
        let (len, is_found) = self.until_delimiter();
        if len > 0 {
            self.part_len += len as u64;
            if self.part_len > self.limits.file_len_max {
                return Err(Wrong::PartLen(self.limits.file_len_max));
            }
            return Ok(Some(Step::Data(self.buffer.split_to(len).freeze())));
        }
        if !is_found {
            return Ok(Some(Step::Hungry));
        }
        self.take_delimiter();
        Ok(Some(Step::PartEnd))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    /// Parses pieces as they come.
    fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &MultipartLimits) -> Result<Parts, Wrong> {
        let mut parser = Parser::new("B", limits.clone());
        let (mut parts, mut is_open) = (Parts::new(), false);
        let mut pieces = pieces.into_iter();
        loop {
            match parser.step()? {
                Step::Head(head) => {
                    assert!(!is_open);
                    is_open = true;
                    parts.push((head.name, head.file_name, Vec::new()));
                }
                Step::Data(data) => {
                    assert!(is_open && !data.is_empty());
                    parts.last_mut().unwrap().2.extend_from_slice(&data);
                }
                Step::PartEnd => {
                    assert!(is_open);
                    is_open = false;
                }
                Step::End => {
                    assert!(!is_open);
                    return Ok(parts);
                }
                Step::Hungry => match pieces.next() {
                    Some(piece) => parser.feed(piece)?,
                    None => parser.finish(),
                },
            }
        }
    }

    fn part(name: &str, data: &str) -> String {
        format!("\r\n--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{data}")
    }

    fn limits() -> MultipartLimits {
        MultipartLimits::default()
    }

    fn named(parts: &[(&str, &str)]) -> Parts {
        let own = |(name, data): &(&str, &str)| ((*name).to_owned(), None, data.as_bytes().to_vec());
        parts.iter().map(own).collect()
    }

    #[test]
    fn bodies_and_what_is_wrong_with_them() {
        let a = part("a", "1");
        let check = |body: &str, expected: Result<Parts, Wrong>| {
            assert_eq!(parse([body.as_bytes()], &limits()), expected, "{body:?}");
        };
        check(&format!("{a}\r\n--B--\r\n"), Ok(named(&[("a", "1")])));
        check(&format!("{}\r\n--B--", &a[2..]), Ok(named(&[("a", "1")])));
        check(
            &format!("preamble{a}{}\r\n--B--epilogue\r\n--B\r\n", part("b", "")),
            Ok(named(&[("a", "1"), ("b", "")])),
        );
        check("--B--", Ok(Parts::new()));
        check(
            &format!("{}\r\n--B--", part("a", "\r\n--\r\n-B\r\n\r--B\n--B")),
            Ok(named(&[("a", "\r\n--\r\n-B\r\n\r--B\n--B")])),
        );
        check(
            &format!("{a}\r\n--B \t\r\nContent-Disposition: form-data; name=b\r\n\r\n2\r\n--B--"),
            Ok(named(&[("a", "1"), ("b", "2")])),
        );
        check("", Err(Wrong::Unfinished));
        check("no boundary", Err(Wrong::Unfinished));
        check(&a, Err(Wrong::Unfinished));
        check(&format!("{a}\r\n--B"), Err(Wrong::Unfinished));
        check(&format!("{a}\r\n--B-"), Err(Wrong::Unfinished));
        check(&format!("{a}\n--B--"), Err(Wrong::Unfinished));
        check(&format!("{a}\r\n--B\n"), Err(Wrong::AfterBoundary));
        check(&format!("{a}\r\n--Bx"), Err(Wrong::AfterBoundary));
        check(&format!("{a}\r\n--B{}", " ".repeat(65)), Err(Wrong::AfterBoundary));
        check("--B\r\n\r\ndata\r\n--B--", Err(Wrong::Head("it has no content-disposition")));
        check("--B\r\nContent-Disposition: form-data; name=a\n\ndata\r\n--B--", Err(Wrong::Unfinished));
    }

    #[test]
    fn bounds_are_exact() {
        let body = format!("{}{}\r\n--B--", part("a", "12"), part("b", "345"));
        let check = |limits: MultipartLimits, expected: Option<Wrong>| {
            assert_eq!(parse([body.as_bytes()], &limits).err(), expected);
            assert_eq!(parse(body.as_bytes().chunks(1), &limits).err(), expected);
        };
        check(MultipartLimits { parts_max: 2, ..limits() }, None);
        check(MultipartLimits { parts_max: 1, ..limits() }, Some(Wrong::Parts(1)));
        check(MultipartLimits { file_len_max: 3, ..limits() }, None);
        check(MultipartLimits { file_len_max: 2, ..limits() }, Some(Wrong::PartLen(2)));
        check(MultipartLimits { body_len_max: body.len() as u64, ..limits() }, None);
        let len = body.len() as u64 - 1;
        check(MultipartLimits { body_len_max: len, ..limits() }, Some(Wrong::BodyLen(len)));
        let head_len = "\r\nContent-Disposition: form-data; name=\"a\"".len();
        check(MultipartLimits { head_len_max: head_len, ..limits() }, None);
        check(MultipartLimits { head_len_max: head_len - 1, ..limits() }, Some(Wrong::HeadLen(head_len - 1)));
        check(MultipartLimits { name_len_max: 1, ..limits() }, None);
        check(MultipartLimits { name_len_max: 0, ..limits() }, Some(Wrong::NameLen(0)));
    }

    #[test]
    fn a_body_is_the_same_at_every_split() {
        let tricky = "\r\n--\r\r\n-\r\n--b\r\n--";
        let body = format!("pre\r\n--{}{}{}\r\n--B--epi\r\n--B", part("a", tricky), part("b", ""), part("c", "\r\n"));
        let whole = parse([body.as_bytes()], &limits()).unwrap();
        assert_eq!(whole, named(&[("a", tricky), ("b", ""), ("c", "\r\n")]));
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let pieces = [&body.as_bytes()[..first], &body.as_bytes()[first..second], &body.as_bytes()[second..]];
                assert_eq!(parse(pieces, &limits()).as_ref(), Ok(&whole), "{first} {second}");
            }
        }
        for cut in 0..body.rfind("--epi").unwrap() + 2 {
            assert_eq!(parse(body.as_bytes()[..cut].chunks(3), &limits()), Err(Wrong::Unfinished), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_alike_in_any_pieces(
            words in proptest::collection::vec(prop_oneof![
                Just("\r\n"), Just("--B"), Just("\r\n--B"), Just("\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n"),
                Just("\r"), Just("\n"), Just("-"), Just("B"), Just(" "), Just("data"), Just("\r\n--B--"),
            ], 0..20),
            len in 1usize..9,
        ) {
            let body = words.concat();
            prop_assert_eq!(parse([body.as_bytes()], &limits()), parse(body.as_bytes().chunks(len), &limits()));
        }
    }
}
