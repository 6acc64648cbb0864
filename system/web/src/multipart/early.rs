//! A field of a form of parts, read by a plug that leaves the body for those after it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use simurgh_http::{Body, BodyError};

use super::parser::{Parser, Step};
use super::{Declared, MultipartLimits, boundary};
use crate::{Conn, Result};

/// Bytes of a body in which plugs look for a field.
pub(crate) const EARLY_LEN_MAX: usize = simurgh_config::Limits::DEFAULT.form_early_len_max.as_usize();

/// The text of the first part of this name, of those that end within the body's first [`EARLY_LEN_MAX`] bytes. A file is
/// no text, and neither is what is no UTF-8. What was read of the body is put back before its rest.
///
/// # Errors
/// What the body's reading fails with.
pub(crate) async fn early_text(conn: &mut Conn, name: &str) -> Result<Option<String>> {
    let Declared::Boundary(boundary) = boundary(conn.request_headers()) else { return Ok(None) };
    let limits = conn.assigned::<MultipartLimits>().cloned().unwrap_or_default();
    let Some(mut body) = conn.take_body() else { return Ok(None) };
    let mut search = Search { parser: Parser::new(&boundary, limits), name, text: None };
    let (mut read, mut room) = (VecDeque::new(), EARLY_LEN_MAX);
    let found = loop {
        match search.go_on() {
            Progress::Over(found) => break found,
            Progress::Hungry if room == 0 => break None,
            Progress::Hungry => {}
        }
        let Some(chunk) = body.chunk().await.transpose()? else { break None };
        let len = chunk.len().min(room);
        room -= len;
        let is_taken = search.parser.feed(&chunk[..len]).is_ok();
        read.push_back(chunk);
        if !is_taken {
            break None; // whoever reads the form says what is wrong with it
        }
    };
    conn.put_request_body(Body::new(PutBack { read, rest: body }));
    Ok(found)
}

struct Search<'a> {
    parser: Parser,
    name: &'a str,
    /// What has come of the part.
    text: Option<Vec<u8>>,
}

enum Progress {
    Hungry,
    Over(Option<String>),
}

impl Search<'_> {
    fn go_on(&mut self) -> Progress {
        loop {
            match self.parser.step() {
                Ok(Step::Hungry) => return Progress::Hungry,
                Ok(Step::Head(head)) => {
                    let is_it = head.name == self.name && head.file_name.is_none();
                    self.text = is_it.then(Vec::new);
                }
                Ok(Step::Data(data)) => {
                    if let Some(text) = &mut self.text {
                        text.extend_from_slice(&data);
                    }
                }
                Ok(Step::PartEnd) => {
                    if let Some(text) = self.text.take() {
                        return Progress::Over(String::from_utf8(text).ok());
                    }
                }
                Ok(Step::End) | Err(_) => return Progress::Over(None),
            }
        }
    }
}

/// A body of which some was read: that, and the rest.
struct PutBack {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl HttpBody for PutBack {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.read.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|chunk| chunk.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simurgh_http::Client;

    use super::*;
    use crate::{Endpoint, test};

    fn part(head: &str, data: &str) -> String {
        format!("--B\r\ncontent-disposition: form-data; {head}\r\n\r\n{data}\r\n")
    }

    /// What is found of `_token` in a body that comes in these pieces, and the body that is left.
    fn found(pieces: Vec<Bytes>) -> (Option<String>, Vec<u8>) {
        simurgh_runtime::run("test", async move {
            let look = async |conn: &mut Conn| -> Result {
                let found = early_text(conn, "_token").await?;
                let again = early_text(conn, "_token").await?;
                assert_eq!(found, again, "the body is there for the next one");
                let body = conn.take_body().expect("it is put back").collect(1 << 20).await?;
                let said = found.map_or_else(String::new, |found| format!("={found}"));
                conn.put_body([said.as_bytes(), b"|", &body].concat());
                Ok(())
            };
            let body = Body::stream(move |mut chunks| async move {
                for piece in pieces {
                    chunks.send(piece).await?;
                }
                Ok(())
            });
            let mut request = test::request(http::Method::POST, "/", body);
            let media = "multipart/form-data; boundary=B".parse().expect("a header");
            request.headers_mut().insert("content-type", media);
            let client = Client::test(([127, 0, 0, 1], 1).into());
            let answer = Endpoint::new(look).answer(request, &client).await.into_body().collect(2 << 20).await;
            let answer = answer.expect("it is all there");
            let end = answer.iter().position(|byte| *byte == b'|').expect("a bar");
            let found = String::from_utf8_lossy(&answer[..end]).strip_prefix('=').map(str::to_owned);
            (found, answer[end + 1..].to_vec())
        })
    }

    fn check(body: &str, expected: Option<&str>) {
        let (found, left) = found(vec![Bytes::copy_from_slice(body.as_bytes())]);
        assert_eq!(found.as_deref(), expected, "{}", &body[..body.len().min(200)]);
        assert!(left == body.as_bytes(), "the body is not as it was");
    }

    #[test]
    fn a_text_is_found_among_the_first_bytes_and_nothing_is_lost() {
        let end = "--B--\r\n";
        let token = part("name=_token", "abc");
        check(&format!("{token}{end}"), Some("abc"));
        check(&format!("{}{token}{end}", part("name=a; filename=b", "file")), Some("abc"));
        check(&format!("{}{token}{}{end}", part("name=a", ""), part("name=_token", "later")), Some("abc"));
        // the rest is not looked at: it need not come, or be right
        check(&format!("{token}{}", part("name=file; filename=b", &"x".repeat(200_000))), Some("abc"));
        check(&format!("{token}--B\r\nno head"), Some("abc"));
        // too late, by one byte
        let around = part("name=a; filename=b", "").len() + token.len() + "--B".len();
        let big = |len: usize| part("name=a; filename=b", &"x".repeat(len));
        check(&format!("{}{token}{end}", big(EARLY_LEN_MAX - around)), Some("abc"));
        check(&format!("{}{token}{end}", big(EARLY_LEN_MAX - around + 1)), None);
        for none in ["", end, "no boundary", &part("name=a", "1"), &part("name=_token; filename=b", "abc")] {
            check(none, None);
            check(&format!("{none}{end}"), None);
        }
        check("--B\r\nno head\r\n\r\n--B--", None);
        check(&part("name=_token", "abc")[..token.len() - 2], None);
    }

    proptest! {
        #[test]
        fn it_is_the_same_at_every_split(cuts in proptest::collection::vec(0..400usize, 0..6), is_late: bool) {
            let file = part("name=a; filename=b", "\r\n--\r\n-B\r\n\r--B");
            let token = part("name=_token", "\r\n--a\r\n");
            let body = if is_late { [&*file, &file, &token, "--B--"] } else { [&*token, &file, &file, "--B--"] }.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| Bytes::copy_from_slice(&body.as_bytes()[cut[0]..cut[1]])).collect();
            let (found, left) = found(pieces);
            prop_assert_eq!(found.as_deref(), Some("\r\n--a\r\n"));
            prop_assert_eq!(left, body.into_bytes());
        }
    }
}
