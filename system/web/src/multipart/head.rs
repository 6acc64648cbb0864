//! The head of a part: its header fields, and what `content-disposition` says (RFC 7578, 4.2).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::wrong::Wrong;
use crate::percent;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) headers: HeaderMap,
}

impl Head {
    /// Reads lines, each with its line break before it.
    pub(super) fn parse(bytes: &[u8], name_len_max: usize) -> Result<Self, Wrong> {
        let mut headers = HeaderMap::new();
        let mut rest = bytes;
        while let Some(line) = rest.strip_prefix(b"\r\n") {
            let end = line.windows(2).position(|window| window == b"\r\n").unwrap_or(line.len());
            let (name, value) = field(&line[..end])?;
            let is_once = name == header::CONTENT_DISPOSITION || name == header::CONTENT_TYPE;
            if is_once && headers.contains_key(&name) {
                return Err(Wrong::Head("a field is there twice"));
            }
            headers.append(name, value);
            rest = &line[end..];
        }
        let disposition =
            headers.get(header::CONTENT_DISPOSITION).ok_or(Wrong::Head("it has no content-disposition"))?;
        let disposition = std::str::from_utf8(disposition.as_bytes()).map_err(|_| Wrong::Head("a name is no UTF-8"))?;
        let Names { name, file_name, extended } = Names::parse(disposition)?;
        let name = name.ok_or(Wrong::Head("it has no name"))?;
        let file_name = extended.or(file_name);
        for name in [Some(&name), file_name.as_ref()].into_iter().flatten() {
            if name.len() > name_len_max {
                return Err(Wrong::NameLen(name_len_max));
            }
            if name.contains('\0') {
                return Err(Wrong::Head("a name has a NUL"));
            }
        }
        Ok(Self { name, file_name, headers })
    }
}

fn field(line: &[u8]) -> Result<(HeaderName, HeaderValue), Wrong> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Wrong::Head("a line is folded"));
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Wrong::Head("a line has no colon"))?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Wrong::Head("a field has no name"))?;
    let value = line[colon + 1..].trim_ascii();
    let value = HeaderValue::from_bytes(value).map_err(|_| Wrong::Head("a value has a control character"))?;
    Ok((name, value))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    name: Option<String>,
    file_name: Option<String>,
    /// `filename*`, which comes before the other (RFC 6266, 4.3). Forms must not use it, some clients do.
    extended: Option<String>,
}

impl Names {
    fn parse(value: &str) -> Result<Self, Wrong> {
        let malformed = Wrong::Head("its content-disposition is malformed");
        let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(Wrong::Head("its content-disposition is not form-data"));
        }
        let mut names = Self::default();
        while !rest.trim_start().is_empty() {
            let (name, value) = rest.split_once('=').ok_or(malformed.clone())?;
            let (value, after) = parameter(value).ok_or(malformed.clone())?;
            rest = match after.trim_start() {
                "" => "",
                after => after.strip_prefix(';').ok_or(malformed.clone())?,
            };
            let (slot, value) = match name.trim().to_ascii_lowercase().as_str() {
                "name" => (&mut names.name, value),
                "filename" => (&mut names.file_name, value),
                "filename*" => {
                    (&mut names.extended, extended(&value).ok_or(Wrong::Head("its filename* is malformed"))?)
                }
                "" => return Err(malformed),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Wrong::Head("it has two names"));
            }
        }
        Ok(names)
    }
}

/// A value, quoted or not, and what comes after it.
fn parameter(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t', '"']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((browsers(&value), &quoted[at + 1..])),
            // Only these two are escaped by anybody; some browsers of old send a path with backslashes.
            '\\' if quoted[at + 1..].starts_with(['"', '\\']) => value.extend(letters.next().map(|(_, next)| next)),
            letter => value.push(letter),
        }
    }
    None
}

/// The three characters that browsers write otherwise (WHATWG HTML, multipart/form-data encoding algorithm).
fn browsers(value: &str) -> String {
    value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// `UTF-8'language'percent-encoded` (RFC 8187, 3.2).
fn extended(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '\'');
    let (charset, _, value) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    percent::decoded(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(disposition: &[u8]) -> Result<(String, Option<String>), Wrong> {
        let head = [b"\r\nContent-Disposition: form-data; ", disposition].concat();
        Head::parse(&head, 100).map(|head| (head.name, head.file_name))
    }

    #[test]
    fn names_are_read_as_they_were_meant() {
        for (disposition, name, file_name) in [
            (r#"name="a""#, "a", None),
            ("name=a", "a", None),
            (r#"NAME = "a" ; FileName="b.txt""#, "a", Some("b.txt")),
            (r#"name="a;b=c"; filename="x;y""#, "a;b=c", Some("x;y")),
            (r#"name="a"; filename="say \"hi\" \\o/""#, "a", Some(r#"say "hi" \o/"#)),
            (r#"name="a"; filename="say %22hi%22""#, "a", Some("say \"hi\"")),
            (r#"name="a"; filename="C:\dir\b.txt""#, "a", Some(r"C:\dir\b.txt")),
            (r#"name="a"; filename="100%.txt""#, "a", Some("100%.txt")),
            (r#"name="a"; filename="../../etc/passwd""#, "a", Some("../../etc/passwd")),
            (r#"name="a"; filename="""#, "a", Some("")),
            (r#"name="""#, "", None),
            ("name=\"\u{fc}\"; filename=\"\u{20ac}\"", "\u{fc}", Some("\u{20ac}")),
            (r#"name="a"; filename="b"; filename*=UTF-8''%e2%82%ac.txt"#, "a", Some("\u{20ac}.txt")),
            (r#"name="a"; other="b""#, "a", None),
            (r#"name="a";"#, "a", None),
        ] {
            let expected = (name.to_owned(), file_name.map(str::to_owned));
            assert_eq!(names(disposition.as_bytes()), Ok(expected), "{disposition}");
        }
    }

    #[test]
    fn heads_that_are_wrong_are_refused() {
        for disposition in [
            &b"filename=\"b\""[..],
            b"name=\"a\"; name=\"b\"",
            b"name=\"a\"; filename=\"b\"; filename=\"c\"",
            b"name=\"a",
            b"name=\"a\\\"",
            b"name=\"a\" b",
            b"name=",
            b"name",
            b"=a",
            b"name=a\"b\"",
            b"name=\"\xff\"",
            b"name=\"a\0\"",
            b"name=\"a\"; filename*=UTF-8''%00",
            b"name=\"a\"; filename*=UTF-8''%ff",
            b"name=\"a\"; filename*=UTF-8''%4",
            b"name=\"a\"; filename*=latin1''x",
            b"name=\"a\"; filename*=x",
            b"name=\"a\rb\"",
        ] {
            assert!(matches!(names(disposition), Err(Wrong::Head(_))), "{}", String::from_utf8_lossy(disposition));
        }
        assert_eq!(names(format!("name=\"{}\"", "a".repeat(101)).as_bytes()), Err(Wrong::NameLen(100)));
        for head in [
            "\r\nContent-Disposition: attachment; name=a",
            "\r\nContent-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=b",
            "\r\nContent-Disposition: form-data; name=a\r\nContent-Type: a/b\r\nContent-Type: c/d",
            "\r\nContent-Disposition: form-data;\r\n name=a",
            "\r\nContent-Disposition : form-data; name=a",
            "\r\nno colon\r\nContent-Disposition: form-data; name=a",
            "\r\n: no name\r\nContent-Disposition: form-data; name=a",
            "\r\nX-A: a\nb\r\nContent-Disposition: form-data; name=a",
        ] {
            assert!(matches!(Head::parse(head.as_bytes(), 100), Err(Wrong::Head(_))), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn any_head_ends(head in "(\r\n(content-disposition: form-data|[a-z;=\"\\\\ %2:*'\t]{0,20}))?[a-z;=\"\\\\ %2*']{0,40}") {
            if let Ok(head) = Head::parse(head.as_bytes(), 100) {
                prop_assert!(head.name.len() <= 100 && !head.name.contains('\0'));
            }
        }
    }
}
