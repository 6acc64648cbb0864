//! Cookies: what is put reads back, and nothing else gets in.

use http::{HeaderMap, HeaderValue, Method, header};
use proptest::prelude::*;
use simurgh_web::{
    Body, COOKIE_LEN_MAX, COOKIES_MAX, Conn, Cookie, CookieError, Endpoint, Error, Result, SameSite, parse_cookies,
    parse_cookies_strictly, test,
};
use std::time::Duration;

fn put(make: impl Fn(&mut Conn) -> Result + Send + Sync + 'static) -> (u16, Vec<String>) {
    simurgh_runtime::run("test", async move {
        let plug = Doing(make);
        let response = test::get(&Endpoint::new(plug), "/").await;
        let values = response.headers().get_all(header::SET_COOKIE).iter();
        (response.status().as_u16(), values.map(|value| value.to_str().expect("text").to_owned()).collect())
    })
}

/// A plug that does something and answers.
struct Doing<F>(F);

impl<F: Fn(&mut Conn) -> Result + Send + Sync + 'static> simurgh_web::Plug for Doing<F> {
    async fn call(&self, conn: &mut Conn) -> Result {
        (self.0)(conn)?;
        conn.text("done");
        Ok(())
    }
}

#[test]
fn attributes_are_written() {
    for (cookie, text) in [
        (Cookie::new("a", "1"), "a=1; Path=/; HttpOnly; SameSite=Lax"),
        (Cookie::new("a", "").path("/shop").http_only(false), "a=; Path=/shop; SameSite=Lax"),
        (Cookie::new("a", "1").domain("example.com"), "a=1; Path=/; Domain=example.com; HttpOnly; SameSite=Lax"),
        (
            Cookie::new("a", "1").same_site(SameSite::Strict).secure(true),
            "a=1; Path=/; Secure; HttpOnly; SameSite=Strict",
        ),
        (Cookie::new("a", "1").max_age(Duration::from_millis(1_900)), "a=1; Path=/; Max-Age=1; HttpOnly; SameSite=Lax"),
        (
            Cookie::new("a", "1").max_age(Duration::ZERO),
            "a=1; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax",
        ),
        (Cookie::new("__Host-a", "1").secure(true), "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ] {
        assert_eq!(cookie.to_header(false).as_deref(), Ok(text));
    }
    assert!(Cookie::new("a", "1").to_header(true).unwrap().contains("; Secure"));
    assert!(!Cookie::new("a", "1").secure(false).to_header(true).unwrap().contains("Secure"));
}

#[test]
fn what_browsers_would_drop_is_refused() {
    let unkept = |cookie: Cookie| match cookie.to_header(false) {
        Err(CookieError::Unkept { must, .. }) => must,
        other => panic!("{other:?}"),
    };
    assert_eq!(unkept(Cookie::new("__Host-a", "1")), "secure");
    assert_eq!(unkept(Cookie::new("__host-a", "1").secure(true).domain("example.com")), "without a domain");
    assert_eq!(unkept(Cookie::new("__Host-a", "1").secure(true).path("/x")), "of path /");
    assert_eq!(unkept(Cookie::new("__SECURE-a", "1")), "secure");
    assert_eq!(unkept(Cookie::new("a", "1").same_site(SameSite::None)), "secure");

    let long = |len: usize| Cookie::new("a", "x".repeat(len - 1)).to_header(false);
    assert!(long(COOKIE_LEN_MAX).is_ok());
    assert_eq!(long(COOKIE_LEN_MAX + 1), Err(CookieError::TooLong { name: "a".into(), len: COOKIE_LEN_MAX + 1 }));
    let bad = Cookie::new("a", "dark mode").to_header(false).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "the value of cookie a has the byte 0x20 at 4, which no cookie may have; encode it, in base64 say"
    );
}

#[test]
fn a_cookie_that_is_put_again_replaces_the_one_before() {
    let (status, cookies) = put(|conn| {
        conn.put_cookie(Cookie::new("a", "1"))?
            .put_cookie(Cookie::new("ab", "2"))?
            .put_cookie(Cookie::new("a", "3"))?;
        Ok(())
    });
    assert_eq!(status, 200);
    assert_eq!(cookies, ["ab=2; Path=/; HttpOnly; SameSite=Lax", "a=3; Path=/; HttpOnly; SameSite=Lax"]);

    let (_, cookies) = put(|conn| {
        conn.put_cookie(Cookie::new("a", "1"))?.delete_cookie("a")?;
        conn.delete_cookie(Cookie::new("b", "left").path("/shop"))?;
        Ok(())
    });
    let gone = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax";
    assert_eq!(cookies, [format!("a=; Path=/; {gone}"), format!("b=; Path=/shop; {gone}")]);

    let (status, cookies) = put(|conn| conn.put_cookie(Cookie::new("a", "1\r\nx: y")).map(drop));
    assert_eq!((status, cookies.len()), (500, 0));
}

#[test]
fn cookies_of_several_headers_are_read_and_no_more_than_there_may_be() {
    async fn count(conn: &mut Conn) -> Result<(), Error> {
        let text = format!("{} {} {:?}", conn.cookies().count(), conn.cookie("b").unwrap_or("-"), conn.cookie("z"));
        conn.text(text);
        Ok(())
    }
    let text = |headers: &[&str]| {
        let mut request = test::request(Method::GET, "/", Body::empty());
        let mut all = HeaderMap::new();
        for header in headers {
            all.append(header::COOKIE, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        request.headers_mut().extend(all);
        simurgh_runtime::run("test", async { test::text(test::send(&Endpoint::new(count), request).await).await })
    };
    assert_eq!(text(&["a=1; b=2", "c=3; b=4"]), "4 2 None");
    assert_eq!(text(&["a=1; \u{e4}=2; b=\u{e4}"]), "2 \u{e4} None");
    let flood: Vec<String> = (0..1_000).map(|n| format!("n{n}=x")).collect();
    assert_eq!(text(&[&flood.join("; "), "z=1"]), format!("{COOKIES_MAX} - None"));
}

#[test]
fn the_strict_reader_takes_what_the_rfc_says() {
    assert_eq!(parse_cookies_strictly("a=1; b=\"2\"; c="), Ok(vec![("a", "1"), ("b", "2"), ("c", "")]));
    for (header, at) in [("", 0), ("a=1;b=2", 0), ("a=1; b", 5), ("a=1; b=2 ", 5), ("a=1; =2", 5), ("a=1; b=\"2", 5)] {
        assert_eq!(parse_cookies_strictly(header), Err(CookieError::BadPair { at }), "{header}");
    }
    let flood: Vec<String> = (0..=COOKIES_MAX).map(|n| format!("n{n}=x")).collect();
    assert_eq!(parse_cookies_strictly(&flood.join("; ")), Err(CookieError::TooMany));
}

/// Cut anywhere, with any byte put in anywhere: what is read is in the text, and the rest is left out.
#[test]
fn every_cut_and_every_change_of_a_header_is_survived() {
    let header = "a=1; bc=\"two\";  d=x=y ; nonsense; e=";
    let whole: Vec<_> = parse_cookies(header).collect();
    assert_eq!(whole, [("a", "1"), ("bc", "two"), ("d", "x=y"), ("e", "")]);
    for at in 0..=header.len() {
        let cut: Vec<_> = parse_cookies(&header[..at]).collect();
        let names = cut.iter().map(|(name, _)| *name);
        assert!(names.eq(whole.iter().map(|(name, _)| *name).take(cut.len())), "{at}: {cut:?}");
        for byte in 0..=127u8 {
            let mut bytes = header.as_bytes().to_vec();
            bytes.insert(at, byte);
            let text = std::str::from_utf8(&bytes).unwrap();
            assert!(parse_cookies(text).count() <= 6);
            let _ = parse_cookies_strictly(text);
        }
    }
}

proptest! {
    #[test]
    fn any_header_is_read(header in "[a-c=;\" \t\\x00\u{e4}\u{1f600},]{0,80}") {
        let (mut found, most) = (0, header.len() / 2 + 1);
        for (name, value) in parse_cookies(&header) {
            prop_assert!(!name.is_empty() && header.contains(name) && header.contains(value));
            found += 1;
        }
        prop_assert!(found <= most);
        if let Ok(strict) = parse_cookies_strictly(&header) {
            prop_assert_eq!(strict, parse_cookies(&header).collect::<Vec<_>>());
        }
    }

    /// Whatever its parts are, a cookie is one cookie or none.
    #[test]
    fn nothing_is_smuggled_into_a_header(
        name in any::<String>(), value in any::<String>(), path in any::<String>(), domain in any::<String>(),
    ) {
        let cookie = Cookie::new(name.clone(), value.clone()).path(path).domain(domain);
        if let Ok(text) = cookie.to_header(true) {
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", text);
            prop_assert_eq!(text.matches(';').count(), 5);
        }
    }

    #[test]
    fn what_is_put_reads_back(name in "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}", value in "[!#-+.-:<-\\[\\]-~-]{0,100}") {
        let text = Cookie::new(name.clone(), value.clone()).secure(true).to_header(true).unwrap();
        let pair = text.split(';').next().unwrap();
        prop_assert_eq!(parse_cookies_strictly(pair), Ok(vec![(name.as_str(), value.as_str())]));
        prop_assert_eq!(parse_cookies(pair).collect::<Vec<_>>(), vec![(name.as_str(), value.as_str())]);
    }
}
