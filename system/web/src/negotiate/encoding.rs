//! Codings that a client takes (RFC 9110, 12.5.3).

use http::{HeaderMap, header};

/// Chooses the coding that the client likes best; of those it likes equally, the first. None: send it as it
/// is.
///
/// A client that says nothing gets no coding, and neither does one that likes `identity` better. One that
/// refuses `identity` and takes none of these gets it nevertheless: there is nothing else.
pub(crate) fn choose<T: AsRef<str>>(headers: &HeaderMap, available: &[T]) -> Option<usize> {
    let identity = quality(headers, "identity", false).unwrap_or(0);
    let mut best = None;
    for (at, coding) in available.iter().enumerate() {
        let quality = quality(headers, coding.as_ref(), true).unwrap_or(0);
        if quality > 0 && quality >= identity && best.is_none_or(|(_, known)| quality > known) {
            best = Some((at, quality));
        }
    }
    best.map(|(at, _)| at)
}

/// How much a coding is liked, in thousandths; none if nothing is said of it. `*` is said of all that are
/// not named.
fn quality(headers: &HeaderMap, coding: &str, or_any: bool) -> Option<u16> {
    let mut any = None;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let (name, weight) = item.split_once(';').map_or((item, None), |(name, weight)| (name, Some(weight)));
            let Some(quality) = weight.map_or(Some(1_000), thousandths) else { continue };
            let name = name.trim();
            let is_it = name.eq_ignore_ascii_case(coding) || coding == "gzip" && name.eq_ignore_ascii_case("x-gzip");
            if is_it {
                return Some(quality);
            }
            if name == "*" {
                any = Some(quality);
            }
        }
    }
    any.filter(|_| or_any)
}

/// A weight: `q=0.8`, from 0 to 1 with at most three digits after the point.
fn thousandths(weight: &str) -> Option<u16> {
    let value = weight.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim_start();
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{digits:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str) -> Option<&'static str> {
        const CODINGS: [&str; 3] = ["br", "zstd", "gzip"];
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        choose(&headers, &CODINGS).map(|at| CODINGS[at])
    }

    #[test]
    fn the_best_liked_is_chosen() {
        for (value, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip;q=1.0, br;q=0.9", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("*", Some("br")),
            ("br;q=0, *", Some("zstd")),
            ("gzip;q=0", None),
            ("gzip; q = 0.001", Some("gzip")),
            ("gzip;q=0.5, identity", None),
            ("identity;q=0, gzip;q=0.1", Some("gzip")),
            ("identity;q=0", None),
            ("deflate", None),
            ("", None),
            ("gzip;q=1.5", None),
            ("gzip;q=0.1234", None),
            ("gzip;level=9", None),
            ("gzip;q=2, br", Some("br")),
        ] {
            assert_eq!(check(value), expected, "{value}");
        }
        assert_eq!(choose(&HeaderMap::new(), &["gzip"]), None);
    }

    proptest! {
        #[test]
        fn any_text_ends(value in "[a-z;,q=0-9.* -]{0,60}") {
            let chosen = check(&value);
            prop_assert!(chosen.is_none_or(|coding| value.contains(coding) || value.contains('*')));
        }
    }
}
