//! One file as the answer, with conditions and ranges.

use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use simurgh_http::{Body, BodyError, Chunks};
use simurgh_runtime::fs::{File, OpenOptions, Resolved};
use simurgh_runtime::random;

use crate::negotiate::range::{Wanted, wanted};
use crate::negotiate::{date, etag};
use crate::{Conn, ETag, Error, Result, Version};

/// What is read of a file at once.
const CHUNK_LEN: usize = 64 << 10;

/// What can be sent, in whole or in part.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Bytes),
    File { file: File, len: u64 },
}

impl Content {
    /// Opens an ordinary file that was found, and reads a short one if that is wanted: going where it may block takes
    /// longer than to read it there. Blocks.
    pub(super) fn open(found: &Resolved, is_wanted: bool) -> io::Result<Self> {
        let file = File::open(&found.path, &OpenOptions::reading())?;
        let len = file.len()?;
        if is_wanted && len <= CHUNK_LEN as u64 {
            let mut bytes = vec![0; len as usize];
            // One that is cut meanwhile fails where all of them do.
            if file.read_exact_at(&mut bytes, 0).is_ok() {
                return Ok(Self::Bytes(bytes.into()));
            }
        }
        Ok(Self::File { file, len })
    }

    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    async fn send(&self, range: Range<u64>, chunks: &mut Chunks) -> Result<(), BodyError> {
        match self {
            Self::Bytes(bytes) => chunks.send(slice(bytes, range)).await,
            Self::File { file, .. } => {
                let mut at = range.start;
                while at < range.end {
                    let len = (range.end - at).min(CHUNK_LEN as u64) as usize;
                    let chunk = file.run(move |file| {
                        let mut chunk = vec![0; len];
                        file.read_exact_at(&mut chunk, at).map(|()| chunk)
                    });
                    let chunk = chunk.await.map_err(|error| BodyError::Source(error.into()))?;
                    at += len as u64;
                    chunks.send(chunk).await?;
                }
                Ok(())
            }
        }
    }

    fn into_body(self, range: Range<u64>) -> Body {
        match self {
            Self::Bytes(bytes) => slice(&bytes, range).into(),
            file @ Self::File { .. } => {
                Body::sized(
                    range.end - range.start,
                    move |mut chunks| async move { file.send(range, &mut chunks).await },
                )
            }
        }
    }
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    bytes.slice(range.start as usize..range.end as usize)
}

/// Whether the answer has a file's bytes in all likelihood: nothing is said of what the client has of it.
pub(super) fn is_wanted(conn: &Conn) -> bool {
    const SAYS: [HeaderName; 5] = [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
    ];
    *conn.method() == Method::GET && !SAYS.iter().any(|name| conn.request_headers().contains_key(name))
}

/// The version of a file on disk: its length and the time of its last change. A disk that does not know
/// that time (a simulated one) tells no version.
pub(super) fn version_of(found: &Resolved) -> Version {
    let Some(modified) = found.modified else { return Version::default() };
    let etag = ETag::strong(format!("{:x}-{:x}", found.len, modified.as_nanos())).expect("digits and a line");
    Version::etag(etag).and_modified(modified)
}

/// Answers with this, or with the parts of it that the request wants.
pub(super) fn deliver(conn: &mut Conn, content: Content, version: &Version, media: HeaderValue) -> Result {
    if conn.fresh(version) {
        return Ok(());
    }
    let media = conn.response_headers_mut().entry(header::CONTENT_TYPE).or_insert(media).clone();
    conn.put_header("accept-ranges", "bytes");
    let len = content.len();
    match asked(conn, version, len) {
        Wanted::Whole => {
            conn.put_body(content.into_body(0..len));
        }
        Wanted::Nothing => {
            conn.response_headers_mut().insert(header::CONTENT_RANGE, HeaderValue::try_from(format!("bytes */{len}"))?);
            let text = format!("The file has {len} bytes, and none of them is in the range.");
            return Err(Error::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", text));
        }
        Wanted::Parts(parts) => {
            conn.put_status(StatusCode::PARTIAL_CONTENT);
            if let [only] = &parts[..] {
                let range = HeaderValue::try_from(content_range(only, len))?;
                conn.response_headers_mut().insert(header::CONTENT_RANGE, range);
                conn.put_body(content.into_body(only.clone()));
            } else {
                several(conn, content, &parts, &media)?;
            }
        }
    }
    Ok(())
}

fn content_range(range: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.start, range.end - 1)
}

/// What the request asks for, if what it has of the file is of this version.
fn asked(conn: &Conn, version: &Version, len: u64) -> Wanted {
    // Another method has no ranges, and a second field is none that a client sends.
    let mut fields = conn.request_headers().get_all(header::RANGE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Wanted::Whole };
    if *conn.method() != Method::GET || !if_range(conn, version) {
        return Wanted::Whole;
    }
    field.to_str().map_or(Wanted::Whole, |field| wanted(field, len))
}

/// Whether `if-range` lets the range through (RFC 9110, 13.1.5): its tag is this strong one, or its date
/// this very one.
fn if_range(conn: &Conn, version: &Version) -> bool {
    let Some(value) = conn.request_headers().get(header::IF_RANGE) else { return true };
    let value = value.as_bytes().trim_ascii();
    if let Some((tag, rest)) = etag::first(value) {
        return rest.is_empty() && version.etag.as_ref().is_some_and(|etag| etag.matches(&tag, true));
    }
    let date = std::str::from_utf8(value).ok().and_then(date::parse);
    date.is_some() && date == version.modified_s
}

/// Several parts, as `multipart/byteranges` (RFC 9110, 14.6).
fn several(conn: &mut Conn, content: Content, parts: &[Range<u64>], media: &HeaderValue) -> Result {
    let boundary = format!("{:016x}{:016x}", random::u64(), random::u64());
    let media = String::from_utf8_lossy(media.as_bytes());
    let len = content.len();
    let heads = parts.iter().map(|part| {
        let range = content_range(part, len);
        format!("\r\n--{boundary}\r\ncontent-type: {media}\r\ncontent-range: {range}\r\n\r\n")
    });
    let parts: Vec<(String, Range<u64>)> = heads.zip(parts.iter().cloned()).collect();
    let end = format!("\r\n--{boundary}--\r\n");
    let body_len = parts.iter().map(|(head, part)| head.len() as u64 + part.end - part.start).sum::<u64>();
    let body = Body::sized(body_len + end.len() as u64, move |mut chunks| async move {
        for (head, part) in parts {
            chunks.send(head).await?;
            content.send(part, &mut chunks).await?;
        }
        chunks.send(end).await
    });
    let media = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"))?;
    conn.response_headers_mut().insert(header::CONTENT_TYPE, media);
    conn.put_body(body);
    Ok(())
}

/// The last part of a path, for its type and its name.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
