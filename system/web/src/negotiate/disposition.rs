//! `content-disposition` of a response (RFC 6266, RFC 8187), and what is safe of a file's name.

use std::fmt::Write as _;

use http::HeaderValue;

/// A name's longest form, in bytes: what file systems take.
const NAME_LEN_MAX: usize = 255;

/// Tells a client to save the body under this name.
///
/// Old clients read a name in ASCII, with `_` for the rest; others the whole one. Of a path only the last
/// part is said, and no line break or quote gets through.
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let name = safe_name(name).unwrap_or_else(|| "download".to_owned());
    let plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '%') || letter == ' ';
    let ascii: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // attr-char of RFC 8187, 3.2.1
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    HeaderValue::try_from(value).expect("only printable ASCII was put into it")
}

/// The last part of a path of any system, without what could mislead: separators, control characters,
/// marks that turn the direction of writing, dots and spaces at its ends. None if nothing is left.
pub(crate) fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let misleads = |letter: char| {
        letter.is_control()
            || matches!(letter, ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let kept: String = last.chars().filter(|letter| !misleads(*letter)).collect();
    let kept = kept.trim_matches([' ', '.']);
    let kept = &kept[..kept.floor_char_boundary(NAME_LEN_MAX)];
    (!kept.is_empty()).then(|| kept.trim_end_matches([' ', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_said_twice_if_they_are_not_ascii() {
        for (name, expected) in [
            ("a.pdf", r#"attachment; filename="a.pdf""#),
            ("two words.pdf", r#"attachment; filename="two words.pdf""#),
            ("\u{fc}ber.pdf", r#"attachment; filename="_ber.pdf"; filename*=UTF-8''%C3%BCber.pdf"#),
            ("100%.txt", r#"attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt"#),
            ("a\r\nset-cookie: x=1", r#"attachment; filename="aset-cookie x=1""#),
            ("a\"; filename=\"b", r#"attachment; filename="a; filename=b""#),
            ("../../etc/passwd", r#"attachment; filename="passwd""#),
            ("..", r#"attachment; filename="download""#),
        ] {
            assert_eq!(attachment(name), expected, "{name:?}");
        }
    }

    #[test]
    fn only_the_last_part_of_a_path_is_safe() {
        for (name, expected) in [
            ("a.txt", Some("a.txt")),
            ("/etc/passwd", Some("passwd")),
            ("..\\..\\boot.ini", Some("boot.ini")),
            ("C:\\a\\b.txt", Some("b.txt")),
            ("C:b.txt", Some("Cb.txt")),
            ("a/..", None),
            (".bashrc", Some("bashrc")),
            ("a\0b\r\n.txt. ", Some("ab.txt")),
            ("gnp\u{202e}exe.txt", Some("gnpexe.txt")),
            ("a/", None),
            ("", None),
        ] {
            assert_eq!(safe_name(name).as_deref(), expected, "{name:?}");
        }
        assert_eq!(safe_name(&"\u{20ac}".repeat(100)).unwrap().len(), 255);
    }

    proptest! {
        #[test]
        fn any_name_is_a_header_and_no_path(name in "\\PC{0,40}|[./\\\\\r\n\"%a]{0,20}") {
            attachment(&name);
            if let Some(safe) = safe_name(&name) {
                prop_assert!(!safe.is_empty() && safe.len() <= NAME_LEN_MAX);
                prop_assert!(!safe.contains(['/', '\\', '\0', '\r', '\n', '"']) && !safe.starts_with('.'));
                prop_assert_eq!(safe_name(&safe), Some(safe));
            }
        }
    }
}
