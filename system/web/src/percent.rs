//! Percent-encoding (RFC 3986, 2.1) where it is to be right: in paths and names of files. Queries and forms are read by
//! the URL standard's rules, which know no wrong one.

/// What a text means; none if a percent sign has no two digits after it, or if it is no UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push((digit()? * 16 + digit()?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_means_nothing() {
        for (text, means) in [
            ("", Some("")),
            ("a+b", Some("a+b")),
            ("%2F%c3%BC", Some("/ü")),
            ("%25", Some("%")),
            ("%", None),
            ("a%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(text).as_deref(), means, "{text}");
        }
    }
}
