//! The header `Forwarded`.

use crate::cookies::is_token_byte;

/// What one proxy says in `Forwarded`; other parameters are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedElement {
    /// Whom it was reached from.
    pub from: Option<String>,
    /// At which host.
    pub host: Option<String>,
    /// By which scheme.
    pub proto: Option<String>,
}

/// The elements of a `Forwarded` header, the farthest proxy's first; `None` if it is not one to the last byte.
///
/// ```
/// use simurgh_web::parse_forwarded;
///
/// let elements = parse_forwarded(r#"for=192.0.2.43, For="[2001:db8::17]:4711";proto=https"#).unwrap();
/// assert_eq!(elements[0].from.as_deref(), Some("192.0.2.43"));
/// assert_eq!(elements[1].from.as_deref(), Some("[2001:db8::17]:4711"));
/// assert_eq!(elements[1].proto.as_deref(), Some("https"));
/// assert_eq!(parse_forwarded("for=\"192.0.2.43"), None);
/// ```
///
/// Source: RFC 7239, 4; a parameter comes once in an element.
pub fn parse_forwarded(header: &str) -> Option<Vec<ForwardedElement>> {
    let (mut elements, mut element) = (Vec::new(), ForwardedElement::default());
    let mut rest = blank(header);
    loop {
        if !rest.starts_with([',', ';']) && !rest.is_empty() {
            let (name, after) = token(rest)?;
            let (value, after) = value(after.strip_prefix('=')?)?;
            let place = match name.to_ascii_lowercase().as_str() {
                "for" => Some(&mut element.from),
                "host" => Some(&mut element.host),
                "proto" => Some(&mut element.proto),
                _ => None,
            };
            if place.is_some_and(|place| place.replace(value).is_some()) {
                return None;
            }
            rest = blank(after);
        }
        let Some(end) = rest.bytes().next() else { break };
        match end {
            b',' => elements.push(std::mem::take(&mut element)),
            b';' => {}
            _ => return None,
        }
        rest = blank(&rest[1..]);
    }
    elements.push(element);
    Some(elements)
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token or a quoted string. Many proxies leave the quotes away around an address with a port, which is let pass.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let is_end = |byte: u8| !is_token_byte(byte) && !b":[]".contains(&byte);
        let end = text.bytes().position(is_end).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.to_owned(), rest));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn froms(header: &str) -> Option<Vec<String>> {
        Some(parse_forwarded(header)?.into_iter().map(|element| element.from.unwrap_or_default()).collect())
    }

    #[test]
    fn elements_are_read() {
        for (header, found) in [
            ("for=a", Some(vec!["a"])),
            ("FOR=a;by=b , for=\"c,d\\\"e\"", Some(vec!["a", "c,d\"e"])),
            ("by=b;host=h", Some(vec![""])),
            ("for=192.0.2.1:80", Some(vec!["192.0.2.1:80"])),
            ("", Some(vec![""])),
            ("for=a,,for=b", Some(vec!["a", "", "b"])),
            ("for=a;for=b", None),
            ("for", None),
            ("for = a", None),
            ("for=\"a", None),
            ("for=\"a\\", None),
            ("for=a b", None),
            ("=a", None),
        ] {
            assert_eq!(froms(header), found.map(|found| found.into_iter().map(String::from).collect()), "{header}");
        }
    }

    /// Cut anywhere, or with any byte in place of another, it is read or not, and never as more than it says.
    #[test]
    fn every_cut_and_every_change_is_survived() {
        let header = r#"for="[2001:db8::17]:47";proto=https;by=_x, for=192.0.2.1;host="a\"b""#;
        for at in 0..=header.len() {
            let _ = parse_forwarded(&header[..at]);
            for byte in 0..=127u8 {
                let mut bytes = header.as_bytes().to_vec();
                bytes.insert(at, byte);
                let elements = parse_forwarded(std::str::from_utf8(&bytes).unwrap());
                assert!(elements.is_none_or(|elements| elements.len() <= 3));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z=;,\" \\\\\u{e4}\u{1f600}:\\[\\]]{0,80}") {
            if let Some(elements) = parse_forwarded(&text) {
                prop_assert!(elements.len() <= text.len() + 1);
            }
        }
    }
}
