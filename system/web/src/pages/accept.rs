//! Which form of an answer a client wants.

use http::header;

use crate::Conn;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text.
    Text,
    /// HTML.
    Html,
    /// JSON.
    Json,
}

impl Format {
    /// What the request's header `accept` (RFC 9110, section 12.5.1) wants most; `usual`, if it has no
    /// such header, takes anything or none of these.
    pub fn accepted(conn: &Conn, usual: Self) -> Self {
        let mut best = (0, 0, usual);
        for value in conn.request_headers().get_all(header::ACCEPT) {
            let Ok(value) = value.to_str() else { continue };
            for range in value.split(',') {
                let (quality, exactness, format) = read(range, usual);
                // What stands first goes before its equals.
                if (quality, exactness) > (best.0, best.1) {
                    best = (quality, exactness, format);
                }
            }
        }
        best.2
    }
}

/// The quality of a media range in thousandths, how exactly it says what it wants, and what it wants;
/// a quality of 0 is not wanted, or not known here.
fn read(range: &str, usual: Format) -> (u16, u8, Format) {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
    let quality = (quality * 1_000.0) as u16;
    match media.as_str() {
        "text/html" | "application/xhtml+xml" => (quality, 2, Format::Html),
        "application/json" => (quality, 2, Format::Json),
        "text/plain" => (quality, 2, Format::Text),
        "text/*" => (quality, 1, if usual == Format::Json { Format::Text } else { usual }),
        "application/*" => (quality, 1, Format::Json),
        "*/*" => (quality, 0, usual),
        other if other.ends_with("+json") => (quality, 2, Format::Json),
        _ => (0, 0, usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, test};

    #[test]
    fn the_most_wanted_form_is_chosen() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        let cases = [
            ("", "Text"),
            ("*/*", "Text"),
            ("image/png", "Text"),
            (browser, "Html"),
            ("application/json", "Json"),
            ("application/json, text/plain, */*", "Json"),
            ("application/problem+json", "Json"),
            ("text/html;q=0.5, application/json;q=0.8", "Json"),
            ("text/html; q=0, */*", "Text"),
            ("TEXT/HTML", "Html"),
            ("text/html;q=x,application/json;q=0.001", "Json"),
            ("application/*", "Json"),
            ("text/*", "Text"),
            (";;;,,,q=1", "Text"),
        ];
        simurgh_runtime::run("test", async move {
            let endpoint =
                Endpoint::new(async |conn: &mut Conn| conn.text(format!("{:?}", Format::accepted(conn, Format::Text))));
            for (accept, expected) in cases {
                let mut request = test::request(http::Method::GET, "/", "");
                request.headers_mut().insert(header::ACCEPT, accept.parse().unwrap());
                assert_eq!(test::text(test::send(&endpoint, request).await).await, expected, "{accept}");
            }
        });
    }
}
