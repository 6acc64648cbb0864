//! Cookies that a client keeps (RFC 6265, section 5).

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, header};
use simurgh_runtime::Timestamp;

/// Cookies that a client keeps; the oldest goes when one more comes.
pub const COOKIES_MAX: usize = 300;

/// Cookies of one host. `Domain` and `Secure` are of no account: a test talks to one server.
#[derive(Debug, Default)]
pub(super) struct Jar {
    /// The oldest first.
    cookies: Vec<Cookie>,
}

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    expires: Option<Timestamp>,
}

impl Jar {
    /// Keeps what a response to a request for this path sets.
    pub(super) fn keep(&mut self, request_path: &str, response: &HeaderMap) {
        for header in response.get_all(header::SET_COOKIE) {
            let Some(cookie) = header.to_str().ok().and_then(|text| read(request_path, text)) else { continue };
            self.cookies.retain(|known| (&known.name, &known.path) != (&cookie.name, &cookie.path));
            if cookie.is_expired() {
                continue;
            }
            if self.cookies.len() >= COOKIES_MAX {
                self.cookies.remove(0);
            }
            self.cookies.push(cookie);
        }
    }

    /// The header of a request for this path, which may have cookies of its own: they go before ours.
    pub(super) fn header(&self, path: &str, own: Option<&HeaderValue>) -> Option<HeaderValue> {
        let own = own.and_then(|own| own.to_str().ok()).unwrap_or_default();
        let is_own =
            |name: &str| own.split(';').any(|pair| pair.split('=').next().is_some_and(|own| own.trim() == name));
        let kept = self.cookies.iter().filter(|cookie| !cookie.is_expired() && covers(&cookie.path, path));
        let mut kept: Vec<&Cookie> = kept.filter(|cookie| !is_own(&cookie.name)).collect();
        kept.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs = kept.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        let pairs: Vec<String> = (!own.is_empty()).then(|| own.to_owned()).into_iter().chain(pairs).collect();
        (!pairs.is_empty())
            .then(|| HeaderValue::try_from(pairs.join("; ")).expect("what came in a header fits into one"))
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let cookie = self.cookies.iter().rfind(|cookie| cookie.name == name && !cookie.is_expired())?;
        Some(cookie.value.clone())
    }
}

impl Cookie {
    fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Timestamp::now())
    }
}

fn read(request_path: &str, text: &str) -> Option<Cookie> {
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (mut path, mut expires, mut max_age) = (None, None, None);
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => path = Some(value.to_owned()),
            "max-age" => max_age = value.parse::<i64>().ok().map(after),
            "expires" => expires = date(value).or(expires),
            _ => {}
        }
    }
    let path = path.unwrap_or_else(|| default_path(request_path));
    let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
    (!name.is_empty()).then_some(Cookie { name, value, path, expires: max_age.or(expires) })
}

/// The moment this many seconds from now.
fn after(seconds: i64) -> Timestamp {
    let nanos = i64::try_from(Duration::from_secs(1).as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(Timestamp::now().as_nanos().saturating_add(seconds.saturating_mul(nanos)))
}

/// A date as HTTP writes it.
fn date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    let nanos = zoned.timestamp().as_nanosecond();
    Some(Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })))
}

/// The folder of what was asked for.
fn default_path(request_path: &str) -> String {
    match request_path.rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => request_path[..end].to_owned(),
    }
}

/// Whether a request for `path` is within a cookie's path.
fn covers(cookie: &str, path: &str) -> bool {
    path.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent for a path after these were set by a response for `/shop/cart`.
    fn sent(set: &'static [&'static str], path: &'static str) -> String {
        simurgh_runtime::run("test", async move {
            let mut jar = Jar::default();
            for text in set {
                let headers = HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_static(text))]);
                jar.keep("/shop/cart", &headers);
            }
            jar.header(path, None).map_or_else(String::new, |header| header.to_str().unwrap().to_owned())
        })
    }

    #[test]
    fn cookies_go_where_they_belong_as_long_as_they_live() {
        for (set, path, expected) in [
            (&["a=1"][..], "/shop/pay", "a=1"),
            (&["a=1"], "/shop", "a=1"),
            (&["a=1"], "/shopping", ""),
            (&["a=1"], "/", ""),
            (&["a=1; Path=/"], "/anywhere", "a=1"),
            (&["a=1; Path=/", "a=2; Path=/"], "/", "a=2"),
            (&["a=1; Path=/", "a=2; Path=/shop", "b=3; Path=/"], "/shop/x", "a=2; a=1; b=3"),
            (&["a=1; Path=/", "a=; Path=/; Max-Age=0"], "/", ""),
            (&["a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/", "a=1"),
            (&["a=1; Path=/", "a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/", ""),
            (&["a=1; path=/; HTTPONLY; Secure; SameSite=Lax"], "/", "a=1"),
            (&["a=1; Path=/; Max-Age=99999999999999999"], "/", "a=1"),
            (&["a=1=2; Path=/", "=x", "nonsense", "b=; Path=/"], "/", "a=1=2; b="),
        ] {
            assert_eq!(sent(set, path), expected, "{set:?} {path}");
        }
    }

    #[test]
    fn the_jar_is_bounded() {
        simurgh_runtime::run("test", async {
            let mut jar = Jar::default();
            for number in 0..=COOKIES_MAX {
                let value = HeaderValue::try_from(format!("c{number}=1; Path=/")).unwrap();
                jar.keep("/", &HeaderMap::from_iter([(header::SET_COOKIE, value)]));
            }
            assert_eq!((jar.get("c0"), jar.get("c1").as_deref(), jar.cookies.len()), (None, Some("1"), COOKIES_MAX));
        });
    }

    #[test]
    fn a_requests_own_cookies_go_before() {
        simurgh_runtime::run("test", async {
            let mut jar = Jar::default();
            let set = |text| HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_static(text))]);
            jar.keep("/", &set("a=1"));
            jar.keep("/", &set("b=1"));
            let header = jar.header("/", Some(&HeaderValue::from_static("a=own; c=own")));
            assert_eq!(header.unwrap(), "a=own; c=own; b=1");
        });
    }
}
