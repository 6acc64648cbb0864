//! Whatever the bytes, and wherever the reads cut them: the framing says the same.

use bytes::{Buf, BytesMut};
use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { uri_len_max: 60, head_len_max: 200, fields_max: 6, body_len_max: 40 };

/// What the framing makes of a stream of bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// Each head, as it was passed on, and the bytes of its body.
    requests: Vec<(Vec<u8>, Head, Vec<u8>)>,
    refused: Option<Refusal>,
}

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let (mut framing, mut input, mut said) = (Framing::new(BOUNDS), BytesMut::new(), Said::default());
    for part in parts {
        input.extend_from_slice(part);
        loop {
            let in_body = framing.is_in_body();
            match framing.step(&mut input) {
                Ok(Step::Wait) => break,
                Ok(Step::Head(len, head)) => {
                    said.requests.push((input.copy_to_bytes(len).to_vec(), head, Vec::new()));
                    framing.release();
                }
                Ok(Step::Body(len)) => {
                    assert!(len > 0 && len <= input.len());
                    let body = &mut said.requests.last_mut().expect("a body comes after its head").2;
                    body.extend_from_slice(&input.copy_to_bytes(len));
                }
                Err(refusal) => {
                    if in_body && let Some((_, _, body)) = said.requests.last_mut() {
                        body.clear(); // how much of a wrong body is passed on is the reads' affair
                    }
                    said.refused = Some(refusal);
                    assert!(framing.is_over() && framing.step(&mut input) == Ok(Step::Wait));
                    return said;
                }
            }
        }
    }
    said
}

/// Reads it whole, cut in two at each place, and byte by byte; a refusal may come earlier in the bytes, but is the same.
fn check(said: &[u8]) -> Said {
    let whole = read([said]);
    for at in 0..=said.len() {
        assert_eq!(read([&said[..at], &said[at..]]), whole, "cut at {at} of {:?}", String::from_utf8_lossy(said));
    }
    assert_eq!(read(said.chunks(1)), whole, "byte by byte: {:?}", String::from_utf8_lossy(said));
    whole
}

const HEAD: &str = "POST /a?b HTTP/1.1\r\nHost: a.test:80\r\n";

#[test]
fn requests_are_told_apart_wherever_the_reads_cut_them() {
    let stream = format!(
        "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n{HEAD}Content-Length: 5\r\n\r\nhello\
         {HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00a;x=\"y\" ;z\r\n0123456789\r\n0\r\nx: y\r\n\r\n\
         GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Upgrade\r\nupgrade: y\r\n\r\nGET /last HTTP/1.0\r\n\r\n"
    );
    let said = check(stream.as_bytes());
    assert_eq!(said.refused, None);
    let heads: Vec<_> =
        said.requests.iter().map(|(head, ..)| head.split(|byte| *byte == b'\r').next().unwrap()).collect();
    let lines = ["GET / HTTP/1.1", "POST /a?b HTTP/1.1", "POST /a?b HTTP/1.1", "GET / HTTP/1.1", "GET /last HTTP/1.0"];
    assert_eq!(heads, lines.map(str::as_bytes));
    assert_eq!(said.requests[1].2, b"hello");
    assert_eq!(said.requests[2].1.body, BodyKind::Chunked);
    assert!(said.requests[2].2.ends_with(b"0\r\nx: y\r\n\r\n"));
    assert!(said.requests[3].1.wants_upgrade);
}

#[test]
fn what_is_refused_is_refused_wherever_the_reads_cut_it() {
    for (said, want) in [
        ("GET / HTTP/1.1\r\n\r\n", "no_host"),
        ("GET / HTTP/1.1\nhost: a\r\n\r\n", "bare_lf"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "two_hosts"),
        ("GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n", "folded_field"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "field_name"),
        ("GET / HTTP/1.1\r\nhost: a\x01\r\n\r\n", "field_value"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: long\tand\tlong\x7f\r\n\r\n", "field_value"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \ra\r\n\r\n", "field_value"),
        ("GET / HTTP/1.1\r\nhost: a\r\n\x01x: y\r\n\r\n", "field_name"),
        ("GET /\x01 HTTP/1.1\r\nhost: a\r\n\r\n", "target"),
        ("GET / HTTP/1.1\r\nhost: [::1\r\n\r\n", "host"),
        ("GET / HTTP/3.0\r\nhost: a\r\n\r\n", "version"),
        ("GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n", "expectation"),
        ("\r\n\r\n\r\n\r\n\r\n\r\n", "empty_lines"),
        ("GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n", "target"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 41\r\n\r\n", "body_too_large"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n29\r\n", "body_too_large"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxx", "chunk_end"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1 1\r\n", "chunk_size"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n x: y\r\n", "trailer"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: \x01\r\n", "trailer"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\n", "bare_lf"),
    ] {
        assert_eq!(check(said.as_bytes()).refused.map(|refusal| refusal.reason), Some(want), "{said:?}");
    }
}

#[test]
fn bounds_are_exact_wherever_the_reads_cut() {
    let target = |len: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(len - 1));
    assert_eq!(check(target(60).as_bytes()).refused, None);
    assert_eq!(check(target(61).as_bytes()).refused.map(|refusal| refusal.reason), Some("uri_too_long"));
    let unended = |len: usize| format!("{}\n", "x".repeat(len));
    for (len, reason) in [(102, "bare_lf"), (103, "uri_too_long"), (110, "uri_too_long")] {
        assert_eq!(check(unended(len).as_bytes()).refused.map(|refusal| refusal.reason), Some(reason), "{len}");
    }
    let head = |len: usize| format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(len - 26));
    assert_eq!(check(head(200).as_bytes()).refused, None);
    assert_eq!(check(head(201).as_bytes()).refused.map(|refusal| refusal.reason), Some("head_too_large"));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
    assert_eq!(check(fields(6).as_bytes()).refused, None);
    assert_eq!(check(fields(7).as_bytes()).refused.map(|refusal| refusal.reason), Some("too_many_fields"));
}

proptest! {
    /// Eight bytes at a time and byte by byte, the first control byte is the same.
    #[test]
    fn the_first_control_byte_is_found(bytes in proptest::collection::vec(prop_oneof![0u8..=255, 0x7eu8..0x82, 8u8..12], 0..40)) {
        let slowly = bytes.iter().position(|byte| byte.is_ascii_control() && *byte != b'\t').unwrap_or(bytes.len());
        prop_assert_eq!(head::first_control(&bytes), slowly);
    }

    /// A valid stream with some bytes changed: nothing panics, and cuts change nothing.
    #[test]
    fn changed_streams_are_read_alike(
        changes in proptest::collection::vec((0usize..220, any::<u8>()), 0..4),
        cuts in proptest::collection::vec(1usize..40, 0..12),
    ) {
        let mut stream = format!(
            "{HEAD}Content-Length: 5\r\n\r\nhello{HEAD}Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nx: y\r\n\r\n\
             GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        )
        .into_bytes();
        for (at, byte) in changes {
            let at = at % stream.len();
            stream[at] = byte;
        }
        let (mut parts, mut rest) = (Vec::new(), &stream[..]);
        for len in cuts {
            let (part, after) = rest.split_at(len.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        prop_assert_eq!(read(parts), read([&stream[..]]));
    }
}

/// Requests of one connection that say the same, or nearly the same, as the one before.
#[test]
fn fields_that_come_again_are_judged_as_the_first_time() {
    let fields = "Host: a\r\nAccept: */*\r\n\r\n";
    let plain = |target: &str| format!("GET /{target} HTTP/1.1\r\n{fields}");
    let said = check([plain("1"), plain("2"), plain("3")].concat().as_bytes());
    let heads: Vec<&[u8]> = said.requests.iter().map(|(head, ..)| &head[..]).collect();
    assert_eq!(heads, [plain("1").as_bytes(), plain("2").as_bytes(), plain("3").as_bytes()]);

    let with_body = "POST /2 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nContent-Length: 2\r\n\r\nhi";
    let said = check([&plain("1"), with_body, &plain("3")].concat().as_bytes());
    assert_eq!((said.requests.len(), &said.requests[1].2[..]), (3, &b"hi"[..]));

    let without_host = "GET /2 HTTP/1.1\r\nAccept: */*\r\n\r\n";
    let said = check([&plain("1"), without_host, &plain("3")].concat().as_bytes());
    assert_eq!((said.requests.len(), said.refused.unwrap().reason), (1, "no_host"));

    // The line passes, the fields passed before, and together they are too long.
    let long = format!("Host: a\r\nAccept: {}\r\n\r\n", "x".repeat(BOUNDS.head_len_max - 45));
    let (short, line) = (format!("GET / HTTP/1.1\r\n{long}"), format!("GET /{} HTTP/1.1\r\n", "x".repeat(50)));
    let said = check(format!("{short}{line}{long}").as_bytes());
    assert_eq!((said.requests.len(), said.refused.unwrap().reason), (1, "head_too_large"));
}
