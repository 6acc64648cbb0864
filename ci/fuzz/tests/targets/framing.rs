//! Where one request ends and the next begins.

use fuzz::{Target, byte_by_byte};
use simurgh_http::fuzz::{Framed, FramedRequest, frame};

/// Of targets, heads, fields and bodies.
const BOUNDS: [usize; 4] = [60, 200, 6, 40];

const SAMPLES: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /last HTTP/1.0\r\n\r\n",
    "\r\nPOST /a?b HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: [::1]:4000\r\nconnection: x, Upgrade\r\nupgrade: y\r\n\r\n",
    "GET http://a.test/b?c HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: a\r\nX: \u{e4}\r\n\r\n",
];

const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ",",
    "\0",
    "0\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: +3\r\n",
    "content-length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Host: b\r\n",
    " folded: x\r\n",
    "HTTP/1.2",
    "HTTP/2.0",
    "CONNECT",
    "http://u@h/",
    "ffffffffffffffff",
    ";ext",
    "GET / HTTP/1.1\r\nHost: evil\r\n\r\n",
];

fn target(name: &'static str) -> Target {
    Target::new(name).samples(SAMPLES.iter().copied()).words(WORDS.iter().copied())
}

/// Whatever the bytes: whole, cut anywhere and byte by byte they are the same requests and the same refusal.
#[test]
fn framing_at_splits() {
    target("framing_at_splits").check(|input| {
        let whole = frame([&input.bytes[..]], BOUNDS);
        assert_eq!(frame(input.parts(), BOUNDS), whole, "in parts");
        assert_eq!(frame(byte_by_byte(&input.bytes), BOUNDS), whole, "byte by byte");
        let at = input.pick(0, input.bytes.len() + 1);
        assert_eq!(frame([&input.bytes[..at], &input.bytes[at..]], BOUNDS), whole, "cut at {at}");
    });
}

/// What is passed on as a head, `httparse` reads as one head to its last byte, and finds the same body announced in it:
/// there is no second reading of it that could smuggle something.
#[test]
fn framing_and_httparse() {
    target("framing_and_httparse").check(|input| {
        for request in &frame([&input.bytes[..]], BOUNDS).requests {
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut parsed = httparse::Request::new(&mut fields);
            let status = parsed.parse(&request.head).expect("httparse reads it");
            assert_eq!(status, httparse::Status::Complete(request.head.len()), "where it ends");
            let values = |name: &str| -> Vec<&[u8]> {
                let named = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
                named.map(|field| field.value).collect()
            };
            let (lens, codings) = (values("content-length"), values("transfer-encoding"));
            match request.len {
                None => {
                    assert!(lens.is_empty() && parsed.version == Some(1), "chunked, and a length");
                    assert!(codings.len() == 1 && codings[0].trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                Some(len) => {
                    assert!(codings.is_empty(), "a length, and a coding");
                    let said = lens.first().map(|len| std::str::from_utf8(len).expect("digits"));
                    assert_eq!(said.map_or(Ok(0), str::parse), Ok(len), "the length");
                    assert!(lens.len() <= 1, "two lengths");
                }
            }
        }
    });
}

/// Nothing is passed on that is larger than its bound, and no byte that did not come: heads, bodies and what waits are
/// together no longer than the input. A chunked body has exactly the chunks that `httparse` finds in it.
#[test]
fn framing_in_bounds() {
    target("framing_in_bounds").check(|input| {
        let Framed { requests, waiting, .. } = frame([&input.bytes[..]], BOUNDS);
        let passed: usize = requests.iter().map(|request| request.head.len() + request.body.len()).sum();
        assert!(passed + waiting <= input.bytes.len(), "more than came");
        let last = requests.len().saturating_sub(1);
        for (at, request) in requests.iter().enumerate() {
            let [uri_len_max, head_len_max, fields_max, body_len_max] = BOUNDS;
            let lines = request.head.split(|byte| *byte == b'\n').count();
            assert!(request.head.len() <= head_len_max && lines - 3 <= fields_max, "a head beyond its bound");
            let uri = request.head.split(|byte| *byte == b' ').nth(1).expect("a target");
            assert!(uri.len() <= uri_len_max, "a target beyond its bound");
            let data = request.len.map_or_else(|| chunks(request), |_| request.body.len());
            assert!(data <= body_len_max, "a body beyond its bound");
            let is_whole = request.len.is_none_or(|len| len == request.body.len() as u64);
            assert!(at == last || is_whole, "a request begins within the body of another");
        }
    });
}

/// How much data is in a chunked body.
fn chunks(request: &FramedRequest) -> usize {
    let (mut rest, mut data) = (&request.body[..], 0);
    while let Ok(httparse::Status::Complete((at, len))) = httparse::parse_chunk_size(rest) {
        let len = usize::try_from(len).expect("a size within the bound");
        if len == 0 {
            break;
        }
        let end = (at + len).min(rest.len());
        data += end - at;
        let after = &rest[end..];
        assert!(after.len() < 2 || after.starts_with(b"\r\n"), "a chunk ends with CR LF");
        rest = after.get(2..).unwrap_or_default();
    }
    data
}
