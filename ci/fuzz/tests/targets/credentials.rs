//! What lets somebody in: tokens, sessions, tokens of forms, names and passwords.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fuzz::{Target, ready};
use http::Method;
use simurgh_config::Secret;
use simurgh_web::{
    BasicAuth, Conn, Endpoint, Keys, Sessions, fetch_session, parse_basic_auth, protect_from_forgery, router, test,
};

use crate::{answer, with_body};

fn keys() -> Keys {
    Keys::new(&Secret::new("a secret for the fuzzer alone ".repeat(3))).expect("it is long enough")
}

/// Of any text, none is a token but the one that was made: not with a bit, a letter or a piece of another one in its
/// place, not cut, not longer; and the one that was made is, for its purpose and under its keys.
#[test]
fn tokens() {
    let (keys, others) = (keys(), Keys::random());
    let signed = [keys.sign("a", "payload"), keys.sign("a", ""), keys.sign("a", [0; 90])];
    let sealed = [keys.encrypt("a", "payload"), keys.encrypt("a", ""), keys.encrypt("a", [0; 90])];
    let made = signed.iter().chain(&sealed).cloned();
    let strange =
        [others.sign("a", "payload"), others.encrypt("a", "payload"), keys.sign("b", "x"), keys.encrypt("b", "x")];
    Target::new("tokens").samples(made.clone().chain(strange)).words(["U21T", "U21F", "A", "=", "-", "_", "+"]).check(
        |input| {
            let text = input.text();
            let opened = (keys.verify("a", &text, None), keys.decrypt("a", &text, None));
            assert_eq!(opened.0.is_ok(), signed.contains(&text.clone().into_owned()), "verified: {opened:?}");
            assert_eq!(opened.1.is_ok(), sealed.contains(&text.clone().into_owned()), "decrypted: {opened:?}");
            assert!(
                keys.verify("c", &text, None).is_err() && keys.decrypt("c", &text, None).is_err(),
                "another purpose"
            );
        },
    );
}

async fn who(conn: &mut Conn) {
    let user: Option<String> = conn.session().get("user");
    conn.text(user.unwrap_or("nobody".to_owned()));
}

async fn log_in(conn: &mut Conn) -> simurgh_web::Result {
    conn.session_mut().put("user", "alice")?;
    conn.text("welcome");
    Ok(())
}

/// A cookie header that holds the session's cookie as it was made is somebody's; any other is nobody's, and none is an
/// error.
#[test]
fn session_cookies() {
    for is_signed in [false, true] {
        let sessions = || if is_signed { Sessions::cookie(keys()).signed() } else { Sessions::cookie(keys()) };
        let mut browser = test::Browser::default();
        ready(browser.get(&Endpoint::new((sessions(), fetch_session, log_in)), "/"));
        let cookie = browser.cookie_header();
        let endpoint = Endpoint::new((sessions(), fetch_session, who));
        let samples =
            [cookie.clone(), format!("a=b; {cookie}; c=d"), "_session=".to_owned(), "_session=U21FAQ".to_owned()];
        let words = ["_session=", "; ", ";", "=", "A", "-", "\""];
        Target::new("session_cookies").samples(samples).words(words).times(10_000).check(|input| {
            let Some(value) = crate::value(input) else { return };
            let (status, user) = answer(&endpoint, Method::GET, "/", ("cookie", &value));
            let text = String::from_utf8_lossy(&input.bytes);
            let has_it = text.contains(cookie.trim_start_matches("_session="));
            assert!(status == 200 && (user == "nobody" || (user == "alice" && has_it)), "{status} {user}");
            if text == cookie {
                assert_eq!(user, "alice");
            }
        });
    }
}

async fn form(conn: &mut Conn) -> String {
    conn.csrf_token()
}

async fn save(_: &mut Conn) -> &'static str {
    "saved"
}

router! {
    pipeline browser { fetch_session; protect_from_forgery; }
    scope "/" through browser {
        get "/" => form;
        post "/" => save;
    }
}

/// A form is taken with one of the tokens that were given out in this session, and with nothing else, wherever it says
/// it; a form that is none of the kind is refused and not an error.
#[test]
fn form_tokens() {
    let endpoint = Endpoint::new((Sessions::cookie(keys()), router()));
    let mut browser = test::Browser::default();
    let token = ready(test::text(ready(browser.get(&endpoint, "/"))));
    let other = ready(test::text(ready(test::Browser::default().get(&endpoint, "/"))));
    let samples =
        [format!("_csrf_token={token}"), format!("a=b&_csrf_token={token}&c=d"), format!("_csrf_token={other}")];
    let words = ["_csrf_token=", "&", "%", "=", "+", "A", "_", "%5Fcsrf_token=", "U20B"];
    Target::new("form_tokens").samples(samples).words(words).times(10_000).check(|input| {
        let post = |name: &'static str, value: &http::HeaderValue, body: Vec<u8>| {
            let mut request = test::request(Method::POST, "/", body);
            request.headers_mut().insert("cookie", browser.cookie_header().parse().expect("a header"));
            request.headers_mut().insert(name, value.clone());
            ready(test::send(&endpoint, request)).status().as_u16()
        };
        let kind = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        let status = post("content-type", &kind, input.bytes.clone());
        let text = String::from_utf8_lossy(&input.bytes);
        // Percent-encoding may hide it.
        let may = text.contains(&token) || text.contains('%');
        assert!(status == 403 || (status == 200 && may), "{status}");
        let Some(value) = crate::value(input) else { return };
        let status = post("x-csrf-token", &value, Vec::new());
        assert_eq!(status, if input.bytes == token.as_bytes() { 200 } else { 403 });
    });
}

async fn dashboard(conn: &mut Conn) {
    conn.text("in");
}

/// A name and a password come out as they were put in; nothing else comes out of anything, and who does not know the
/// password does not come in.
#[test]
fn basic_auth() {
    let password = || Secret::new("open sesame".to_owned());
    let endpoint = Endpoint::new((BasicAuth::new("admin", password()), dashboard));
    let samples = ["Basic YWRtaW46b3BlbiBzZXNhbWU=", "basic OjEyMw==", "Basic  w7xzZXI6OjpwYXNz", "Bearer YTpi"];
    Target::new("basic_auth").samples(samples).words(["Basic ", "=", " ", "Og==", "AA==", "YTo="]).check(|input| {
        let text = input.text();
        if let Some((name, password)) = parse_basic_auth(&text) {
            let (scheme, rest) = text.split_once(' ').expect("two words");
            assert!(scheme.eq_ignore_ascii_case("basic") && !name.contains(':'));
            let pair = format!("{name}:{}", password.expose());
            assert!(!pair.contains(char::is_control));
            assert_eq!(BASE64_STANDARD.encode(pair), rest.trim_matches(' '));
        }
        let Some(value) = crate::value(input) else { return };
        let (status, _) = with_body(&endpoint, Method::GET, "/", ("authorization", &value), "");
        let is_it = text.ends_with("YWRtaW46b3BlbiBzZXNhbWU=") || text.trim_end().ends_with("YWRtaW46b3BlbiBzZXNhbWU=");
        assert!(status == 401 || (status == 200 && is_it), "{status} for {text:?}");
    });
}
