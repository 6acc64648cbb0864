//! The head of a request: its line and its fields (RFC 9112, 2 to 6; RFC 9110, 5).

use http::StatusCode;
use simurgh_runtime::planted;

use super::fields::{self, Fields};
use super::{Bounds, Head, Refusal};

/// How far a head has been looked at.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    /// Where the line begins that has not ended.
    line_start: usize,
    /// Bytes in which its end was looked for in vain.
    scanned: usize,
    /// The line has a control byte that is neither a tab nor of its end.
    has_control: bool,
    /// Empty lines before the request line.
    empty_lines: usize,
    line: Option<Line>,
    fields: Fields,
}

/// What a request line says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) is_http_11: bool,
}

/// Bytes of a request line beside the target: the longest method, two spaces, the version.
pub(super) const LINE_LEN_REST: usize = 32 + 10;

/// Empty lines before a request line that are passed over (RFC 9112, 2.2 wants at least one).
const EMPTY_LINES_MAX: usize = 4;

impl HeadScan {
    /// Whether a byte of the request line was seen.
    pub(super) fn has_begun(&self) -> bool {
        self.line.is_some() || self.scanned > 0
    }

    /// Bytes of empty lines at the front, to be thrown away (RFC 9112, 2.2).
    pub(super) fn leading_empty_lines(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        if self.has_begun() {
            return Ok(0);
        }
        let mut len = 0;
        while input[len..].starts_with(b"\r\n") {
            len += 2;
            self.empty_lines += 1;
            if self.empty_lines > EMPTY_LINES_MAX {
                return Err(Refusal::bad("empty_lines"));
            }
        }
        Ok(len)
    }

    /// The head's length and what it says, once it is all there.
    pub(super) fn look(&mut self, input: &mut [u8], bounds: &Bounds) -> Result<Option<(usize, Head)>, Refusal> {
        while let Some(end) = self.line_end(input) {
            let (start, next) = (self.line_start, end + 1);
            // What was too long before its end came is so too if all came at once.
            self.check_len(end, bounds)?;
            if end == start || input[end - 1] != b'\r' {
                return Err(Refusal::bad("bare_lf"));
            }
            self.check_len(next, bounds)?;
            let line = &mut input[start..end - 1];
            match self.line {
                None => self.line = Some(request_line(line, bounds)?),
                Some(request) if line.is_empty() => {
                    return std::mem::take(&mut self.fields).head(request).map(|head| Some((next, head)));
                }
                Some(_) if self.has_control => return Err(fields::why_control(line)),
                Some(_) => self.fields.add(line, bounds)?,
            }
            (self.line_start, self.scanned) = (next, next);
        }
        self.check_len(input.len(), bounds)?;
        Ok(None)
    }

    /// Where the line's LF is. A line is to have no control bytes but those of its end, so that the first one is
    /// looked for: this finds the end and checks the line in one pass.
    #[inline]
    fn line_end(&mut self, input: &[u8]) -> Option<usize> {
        if !self.has_control {
            self.scanned += first_control(&input[self.scanned..]);
            match &input[self.scanned..] {
                [b'\r', b'\n', ..] => return Some(self.scanned + 1),
                [] | [b'\r'] => return None,
                _ => self.has_control = true,
            }
        }
        // It is refused, but what for depends on its whole.
        let at = memchr::memchr(b'\n', &input[self.scanned..]);
        let end = at.map(|at| self.scanned + at);
        self.scanned = end.unwrap_or(input.len());
        end
    }

    /// Whether the head, or its first line, is too long already.
    fn check_len(&self, len: usize, bounds: &Bounds) -> Result<(), Refusal> {
        if self.line.is_none() {
            let line_len_max = bounds.uri_len_max + LINE_LEN_REST;
            return if len > line_len_max { Err(URI_TOO_LONG) } else { Ok(()) };
        }
        if len > bounds.head_len_max && !planted!("http.head-unbounded") {
            return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"));
        }
        Ok(())
    }
}

const URI_TOO_LONG: Refusal = Refusal::new(StatusCode::URI_TOO_LONG, "uri_too_long");

/// Where the first control byte is that is no tab; the length if there is none. Eight bytes at a time: a byte below
/// a bound sets its highest bit when the bound is subtracted. A borrow may set more of them, but only above the first.
#[inline]
pub(super) fn first_control(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let no_del = word ^ (ONES * 0x7f);
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let del = no_del.wrapping_sub(ONES) & !no_del;
        let controls = (below_space | del) & (ONES << 7);
        if controls == 0 {
            at += chunk.len();
            continue;
        }
        at += controls.trailing_zeros() as usize / 8;
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    at + bytes[at..].iter().position(is_control).unwrap_or(bytes.len() - at)
}

/// Whether there is a control byte that is no tab.
pub(super) fn has_control(bytes: &[u8]) -> bool {
    first_control(bytes) < bytes.len()
}

/// `METHOD target HTTP/1.1`, single spaces between (RFC 9112, 3). A later version 1.x is read as 1.1, as
/// RFC 9110, 2.5 has it, and rewritten so for the parser.
fn request_line(line: &mut [u8], bounds: &Bounds) -> Result<Line, Refusal> {
    if is_usual(line, bounds) { Ok(Line { is_http_11: true }) } else { unusual_request_line(line, bounds) }
}

/// Whether it is what nearly all requests have: a path on this server, and this version.
#[inline]
pub(super) fn is_usual(line: &[u8], bounds: &Bounds) -> bool {
    let Some(words) = line.strip_suffix(b" HTTP/1.1") else { return false };
    let method_len = run_len(words, TOKEN);
    let (method, rest) = words.split_at(method_len);
    let [b' ', target @ ..] = rest else { return false };
    target.first() == Some(&b'/')
        && target.len() <= bounds.uri_len_max
        && run_len(target, TARGET) == target.len()
        && !matches!(method, b"" | b"CONNECT")
}

/// Any other: word by word, to say what is wrong with it.
fn unusual_request_line(line: &mut [u8], bounds: &Bounds) -> Result<Line, Refusal> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(Refusal::bad("request_line"));
    };
    if method.is_empty() || token_len(method) != method.len() {
        return Err(Refusal::bad("method"));
    }
    if target.len() > bounds.uri_len_max {
        return Err(URI_TOO_LONG);
    }
    let is_http_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => true,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "version"));
        }
        _ => return Err(Refusal::bad("request_line")),
    };
    check_target(method, target)?;
    if is_http_11 && let Some(minor) = line.last_mut() {
        *minor = b'1';
    }
    Ok(Line { is_http_11 })
}

/// The four forms of a target (RFC 9112, 3.2).
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    if method == b"CONNECT" {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "connect"));
    }
    if !target.iter().all(|byte| has(*byte, TARGET)) {
        return Err(Refusal::bad("target"));
    }
    if target.starts_with(b"/") {
        return Ok(());
    }
    if target == b"*" {
        return if method == b"OPTIONS" { Ok(()) } else { Err(Refusal::bad("target")) };
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    });
    let authority = rest.and_then(|rest| rest.split(|byte| matches!(byte, b'/' | b'?')).next());
    match authority {
        Some(authority) if !authority.is_empty() && is_host(authority) => Ok(()),
        _ => Err(Refusal::bad("target")),
    }
}

/// `uri-host [ ":" port ]` without user information (RFC 9110, 7.2 and 4.2.4); may be empty.
pub(super) fn is_host(host: &[u8]) -> bool {
    if run_len(host, HOST) == host.len() {
        return true; // most have no port
    }
    let (name, port) = match host.iter().rposition(|byte| *byte == b':') {
        Some(at) if !host[at..].contains(&b']') => (&host[..at], &host[at + 1..]),
        _ => (host, &b""[..]),
    };
    if !port.iter().all(u8::is_ascii_digit) || port.len() > 5 {
        return false;
    }
    match name {
        [b'[', address @ .., b']'] => {
            !address.is_empty() && address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        name => name.iter().all(|byte| has(*byte, HOST)),
    }
}

/// How many bytes at the front are a token's (RFC 9110, 5.6.2).
#[inline]
pub(super) fn token_len(bytes: &[u8]) -> usize {
    run_len(bytes, TOKEN)
}

pub(super) const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

#[inline]
fn has(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many bytes at the front are of a class; four at a time, as most are.
#[inline]
pub(super) fn run_len(bytes: &[u8], class: u8) -> usize {
    let mut at = 0;
    while let Some([a, b, c, d]) = bytes[at..].first_chunk() {
        let of_all = [b, c, d].into_iter().fold(CLASSES[*a as usize], |of, byte| of & CLASSES[*byte as usize]);
        if of_all & class == 0 {
            break;
        }
        at += 4;
    }
    while bytes.get(at).is_some_and(|byte| has(*byte, class)) {
        at += 1;
    }
    at
}

/// What each byte may be a part of.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    while byte < 0x7f {
        let is_word = byte.is_ascii_alphanumeric();
        let is_token = matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        let is_host = matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'='
        );
        // No fragment (RFC 9112, 3.2.1), and nothing that is not visible ASCII.
        let is_target = byte > 0x20 && !matches!(byte, b'#' | b'"' | b'<' | b'>');
        if is_word || is_token {
            classes[byte as usize] |= TOKEN;
        }
        if is_word || is_host {
            classes[byte as usize] |= HOST;
        }
        if is_target {
            classes[byte as usize] |= TARGET;
        }
        byte += 1;
    }
    classes
};
