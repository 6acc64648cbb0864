//! Bodies of several parts.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fuzz::{Target, byte_by_byte, ready};
use http::{HeaderValue, Method};
use http_body::Frame;
use simurgh_web::fuzz::safe_name;
use simurgh_web::{Body, BodyError, Conn, Endpoint, Multipart, MultipartLimits, Result, router, test};

const LIMITS: fn() -> MultipartLimits = || MultipartLimits {
    parts_max: 4,
    head_len_max: 200,
    name_len_max: 20,
    text_len_max: 100,
    file_len_max: 120,
    body_len_max: 900,
    ..MultipartLimits::default()
};

async fn list(_: &mut Conn, mut parts: Multipart) -> Result<String> {
    let mut said = String::new();
    while let Some(mut part) = parts.next_part().await? {
        let (name, file) = (part.name().to_owned(), part.file_name().map(str::to_owned));
        let bytes = part.bytes(120).await?;
        said += &format!("{name:?} {file:?} {}\n", bytes.escape_ascii());
    }
    Ok(said)
}

router! { post "/" => list; }

/// A body that comes in parts.
struct Parts(VecDeque<Bytes>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

const SAMPLES: &[&str] = &[
    "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n",
    "preamble\r\n--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n-\r\n--\r\n--x \r\ncontent-disposition: form-data; name=c\r\n\r\n\r\n--x--epilogue",
    "--x\r\ncontent-disposition: form-data; name=\"\u{fc}\\\"\"\r\n\r\n--y\r\n\r\n--x--",
];

const WORDS: &[&str] = &[
    "\r\n--x",
    "--x\r\n",
    "--x--",
    "\r\n",
    "\n",
    "\r",
    "--",
    "x",
    "name=\"a\"",
    "; filename=\"",
    "\"",
    "\\",
    "\0",
    "content-disposition: form-data; name=\"z\"\r\n",
    "\r\n\r\n",
    ": ",
    ";",
];

/// Whatever the bytes: cut anywhere they are the same parts or the same refusal; and no bound is passed.
#[test]
fn multipart_at_splits() {
    let endpoint = Endpoint::new((LIMITS(), router()));
    let media = HeaderValue::from_static("multipart/form-data; boundary=x");
    Target::new("multipart_at_splits").samples(SAMPLES.iter().copied()).words(WORDS.iter().copied()).check(|input| {
        let read = |parts: Vec<&[u8]>| {
            let body = Parts(parts.into_iter().map(Bytes::copy_from_slice).collect());
            let mut request = test::request(Method::POST, "/", Body::new(body));
            request.headers_mut().insert("content-type", media.clone());
            let response = ready(test::send(&endpoint, request));
            let status = response.status().as_u16();
            (status, ready(test::text(response)))
        };
        let whole = read(vec![&input.bytes]);
        assert!(matches!(whole.0, 200 | 400 | 413 | 431), "{whole:?}");
        assert_eq!(read(input.parts()), whole);
        assert_eq!(read(byte_by_byte(&input.bytes)), whole);
        if whole.0 == 200 {
            assert!(whole.1.lines().count() <= 4 && input.bytes.len() <= 900);
            assert!(input.bytes.windows(5).any(|window| window == b"--x--"), "no last boundary");
        }
    });
}

/// Names and contents that are written as a body come out of it as they were, if no boundary is in them.
#[test]
fn multipart_round_trip() {
    let endpoint = Endpoint::new((LIMITS(), router()));
    let media = HeaderValue::from_static("multipart/form-data; boundary=x");
    let samples = ["hello", "\r\n--", "\r\n-", "--y--\r\n", "\r\n\r\n", "\0\u{ff}"];
    Target::new("multipart_round_trip").samples(samples).words(["\r\n", "-", "--", "\r", "\n", "y"]).check(|input| {
        let contents: Vec<&[u8]> = input.bytes.split(|byte| *byte == b'|').take(4).collect();
        let has_boundary = |content: &&[u8]| content.windows(3).any(|window| window == b"--x") || content.len() > 100;
        if contents.iter().any(has_boundary) {
            return;
        }
        let (mut body, mut wanted) = (Vec::new(), String::new());
        for (at, content) in contents.iter().enumerate() {
            body.extend_from_slice(format!("--x\r\ncontent-disposition: form-data; name=\"n{at}\"\r\n\r\n").as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
            wanted += &format!("\"n{at}\" None {}\n", content.escape_ascii());
        }
        body.extend_from_slice(b"--x--\r\n");
        let read = crate::with_body(&endpoint, Method::POST, "/", ("content-type", &media), body);
        assert_eq!(read, (200, wanted));
    });
}

/// What is safe of a file's name is one name: no separator, no control character, no dot at its ends, no longer than file
/// systems take, and safe once more it is the same.
#[test]
fn file_names() {
    let samples = ["a.txt", "../../etc/passwd", "C:\\a\\b", "..", ".bashrc", "\u{202e}gpj.exe", "a\0b "];
    Target::new("file_names").samples(samples).words(["/", "\\", ".", " ", ":", "\u{200b}", "\u{2066}", "\0"]).check(
        |input| {
            let name = input.text().repeat(1 + input.pick(0, 20));
            let Some(safe) = safe_name(&name) else { return };
            assert!(!safe.is_empty() && safe.len() <= 255, "{safe:?}");
            assert!(!safe.contains(|c: char| c.is_control() || "/\\:*?\"<>|".contains(c)), "{safe:?}");
            assert!(!safe.starts_with(['.', ' ']) && !safe.ends_with(['.', ' ']), "{safe:?}");
            assert_eq!(safe_name(&safe), Some(safe.clone()));
        },
    );
}
