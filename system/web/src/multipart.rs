//! Bodies of several parts: forms with files (RFC 7578).

mod early;
mod form;
mod head;
mod limits;
mod parser;
mod sweep;
mod upload;
mod wrong;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use simurgh_http::Body;
use simurgh_runtime::planted;

use crate::negotiate::disposition;
use crate::{Conn, Error, Extract, Result};
pub(crate) use early::early_text;
pub(crate) use form::{UPLOAD, with_files};
use head::Head;
pub use limits::MultipartLimits;
use parser::{Parser, Step};
use upload::Temporary;
pub use upload::Upload;
use wrong::{Wrong, refused};

/// The type that such a body is declared to be.
const MEDIA: &str = "multipart/form-data";
/// What is written to a file at once, at least; the body's parts may be shorter.
const WRITE_LEN: usize = 64 << 10;

/// A body of several parts, read part by part while it comes.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Multipart, Result, router, test};
///
/// async fn upload(_: &mut Conn, mut parts: Multipart) -> Result<String> {
///     let mut said = String::new();
///     while let Some(mut part) = parts.next_part().await? {
///         if part.file_name().is_some() {
///             let file = part.save().await?; // vanishes when it is dropped
///             said += &format!("{}: {} bytes\n", file.safe_name().unwrap_or_default(), file.len());
///         } else {
///             said += &format!("{} = {}\n", part.name().to_owned(), part.text().await?);
///         }
///     }
///     Ok(said)
/// }
///
/// router! { post "/" => upload; }
///
/// # simurgh_runtime::run("doc", async {
/// let body = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
///             --x\r\ncontent-disposition: form-data; name=\"b\"; filename=\"/b.txt\"\r\n\r\nhello\r\n--x--\r\n";
/// let mut request = test::request(http::Method::POST, "/", body);
/// request.headers_mut().insert("content-type", "multipart/form-data; boundary=x".parse().unwrap());
/// let response = test::send(&Endpoint::new(router()), request).await;
/// assert_eq!(test::text(response).await, "a = 1\nb.txt: 5 bytes\n");
/// # });
/// ```
///
/// A part that is not read, or not to its end, is skipped. Whole forms are read by [`Form`](crate::Form).
///
/// | what is wrong | answer |
/// | --- | --- |
/// | another type | 415 `unsupported_media_type` |
/// | no boundary, or one longer than 70 characters; no last boundary; bare line feeds; a part without name, with two, with one that is no UTF-8 or has a NUL; a field twice; text that is no UTF-8 | 400 `bad_multipart` |
/// | a part's head beyond its bound | 431 `multipart_too_large` |
/// | another [bound](MultipartLimits) | 413 `multipart_too_large` |
/// | the client goes away or is slow | as of any body |
pub struct Multipart {
    body: Body,
    parser: Parser,
    /// A part has begun that was not read to its end.
    is_in_part: bool,
}

impl Extract for Multipart {
    async fn extract(conn: &mut Conn) -> Result<Self> {
        let boundary = match boundary(conn.request_headers()) {
            Declared::Boundary(boundary) => boundary,
            Declared::Wrong => return Err(refused(&Wrong::Boundary)),
            Declared::Other => {
                let text = format!("The body must be of the type {MEDIA}.");
                return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text));
            }
        };
        let limits = conn.assigned::<MultipartLimits>().cloned().unwrap_or_default();
        let body = conn.take_body().ok_or_else(|| Error::internal("the request's body was taken before"))?;
        Ok(Self { body, parser: Parser::new(&boundary, limits), is_in_part: false })
    }
}

impl Multipart {
    /// The next part; none at the end.
    ///
    /// # Errors
    /// What is wrong with the body, as in the table above.
    pub async fn next_part(&mut self) -> Result<Option<Part<'_>>> {
        loop {
            match self.step().await? {
                Step::Head(head) => {
                    self.is_in_part = true;
                    return Ok(Some(Part { head, multipart: self }));
                }
                Step::End => return Ok(None),
                _ => {}
            }
        }
    }

    /// The next step that is one.
    async fn step(&mut self) -> Result<Step> {
        loop {
            let step = self.parser.step().map_err(|wrong| refused(&wrong))?;
            match step {
                Step::Hungry => match self.body.chunk().await {
                    Some(bytes) => self.parser.feed(&bytes?).map_err(|wrong| refused(&wrong))?,
                    None => self.parser.finish(),
                },
                Step::PartEnd => {
                    self.is_in_part = false;
                    return Ok(Step::PartEnd);
                }
                step => return Ok(step),
            }
        }
    }
}

impl std::fmt::Debug for Multipart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Multipart")
    }
}

/// One part of a [`Multipart`] body.
#[derive(Debug)]
pub struct Part<'m> {
    head: Head,
    multipart: &'m mut Multipart,
}

impl Part<'_> {
    /// The field's name.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// The name that the client gave the file, whatever that may be. A part without one is no file; an empty
    /// one is that of a field in which no file was chosen.
    pub fn file_name(&self) -> Option<&str> {
        self.head.file_name.as_deref()
    }

    /// What is safe of the file's name: the last part of a path, without what could mislead.
    pub fn safe_name(&self) -> Option<String> {
        disposition::safe_name(self.file_name()?)
    }

    /// The type that the client says it has.
    pub fn content_type(&self) -> Option<&str> {
        self.head.headers.get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// All its header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// More of its bytes; none at its end.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if !self.multipart.is_in_part {
            return Ok(None);
        }
        match self.multipart.step().await? {
            Step::Data(data) => Ok(Some(data)),
            _ => Ok(None),
        }
    }

    /// What is left of it, if that is at most `limit` bytes.
    ///
    /// # Errors
    /// `413` if it is more, and what is wrong with the body.
    pub async fn bytes(&mut self, limit: usize) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit && !planted!("web.part-text-unbounded") {
                return Err(refused(&Wrong::TextLen(limit)));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// What is left of it as text, at most [`MultipartLimits::text_len_max`] bytes.
    ///
    /// # Errors
    /// `400` if it is no UTF-8, and as [`bytes`](Self::bytes).
    pub async fn text(&mut self) -> Result<String> {
        let limit = self.multipart.parser.limits().text_len_max;
        self.text_within(limit).await
    }

    async fn text_within(&mut self, limit: usize) -> Result<String> {
        let bytes = self.bytes(limit).await?;
        String::from_utf8(bytes.into()).map_err(|_| refused(&Wrong::Text))
    }

    /// Writes what is left of it to a file that vanishes with what is returned.
    ///
    /// # Errors
    /// `500` if the file cannot be written, and what is wrong with the body; no file is left then.
    pub async fn save(&mut self) -> Result<Upload> {
        let directory = self.multipart.parser.limits().directory.clone();
        let (temporary, file) = simurgh_runtime::blocking(move || Temporary::create(directory)).await?;
        let (mut len, mut gathered) = (0u64, BytesMut::new());
        loop {
            let chunk = self.chunk().await?;
            let is_over = chunk.is_none();
            gathered.extend_from_slice(&chunk.unwrap_or_default());
            if gathered.len() >= WRITE_LEN || is_over {
                let (bytes, at) = (gathered.split().freeze(), len);
                len += bytes.len() as u64;
                file.run(move |file| file.write_all_at(&bytes, at)).await?;
            }
            if is_over {
                break;
            }
        }
        let file_name = self.head.file_name.clone();
        let content_type = self.content_type().map(str::to_owned);
        Ok(Upload { file_name, content_type, len, temporary })
    }
}

/// A field of a form: text, or the number of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    File(usize),
}

/// All of a form: its fields in order, and its files. A field in which no file was chosen is left out.
pub(crate) async fn whole(conn: &mut Conn) -> Result<(Vec<(String, Received)>, Vec<Upload>)> {
    let mut parts = Multipart::extract(conn).await?;
    let mut room = parts.parser.limits().text_len_max;
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    while let Some(mut part) = parts.next_part().await? {
        let name = part.name().to_owned();
        let Some(file_name) = part.file_name() else {
            let text = part.text_within(room).await?;
            room = room.saturating_sub(text.len());
            fields.push((name, Received::Text(text)));
            continue;
        };
        let is_chosen = !file_name.is_empty();
        let upload = part.save().await?;
        if is_chosen || upload.len() > 0 {
            fields.push((name, Received::File(files.len())));
            files.push(upload);
        }
    }
    Ok((fields, files))
}

/// Whether the body is declared to be of this kind, well or badly.
pub(crate) fn is_declared(headers: &HeaderMap) -> bool {
    !matches!(boundary(headers), Declared::Other)
}

#[derive(Debug, PartialEq, Eq)]
enum Declared {
    Boundary(String),
    Wrong,
    Other,
}

/// The boundary that the type names (RFC 2046, 5.1.1).
fn boundary(headers: &HeaderMap) -> Declared {
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(Ok(declared)) = fields.next().map(http::HeaderValue::to_str) else { return Declared::Other };
    let (media, rest) = declared.split_once(';').unwrap_or((declared, ""));
    if !media.trim().eq_ignore_ascii_case(MEDIA) {
        return Declared::Other;
    }
    let mut found = None;
    // No character of a boundary needs care between quotes: it has neither quote, backslash nor semicolon.
    for parameter in rest.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if found.replace(value).is_some() {
                return Declared::Wrong;
            }
        }
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    match found.filter(|_| fields.next().is_none()) {
        Some(value) if (1..=70).contains(&value.len()) && value.bytes().all(is_letter) && !value.ends_with(' ') => {
            Declared::Boundary(value.to_owned())
        }
        _ => Declared::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_names_the_boundary() {
        let check = |declared: &str, expected: Declared| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, declared.parse().unwrap());
            assert_eq!(boundary(&headers), expected, "{declared}");
        };
        let some = |boundary: &str| Declared::Boundary(boundary.to_owned());
        check(
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            some("----WebKitFormBoundary7MA4YWxkTrZu0gW"),
        );
        check("Multipart/Form-Data ; charset=utf-8; BOUNDARY=\"a b\"", some("a b"));
        check(&format!("multipart/form-data; boundary={}", "a".repeat(70)), some(&"a".repeat(70)));
        check(&format!("multipart/form-data; boundary={}", "a".repeat(71)), Declared::Wrong);
        for wrong in [
            "",
            "; boundary=",
            "; boundary=\"\"",
            "; boundary=a; boundary=b",
            "; boundary=\"a ",
            "; boundary=a\"b",
            "; boundary=\"a \"",
        ] {
            check(&format!("multipart/form-data{wrong}"), Declared::Wrong);
        }
        check("multipart/mixed; boundary=a", Declared::Other);
        check("text/plain", Declared::Other);
    }
}
