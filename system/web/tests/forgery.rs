//! Forged requests, flash, and the method that a form wants: what reads the session or the form before the handler.

mod support;

use http::Method;
use serde::Deserialize;
use simurgh_web::{
    Body, Conn, Endpoint, Error, Form, Keys, Plug, ProtectFromForgery, Redirect, Result, Sessions, fetch_flash,
    fetch_session, method_override, protect_from_forgery, router, test,
};
use support::Browser;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

const PARTS: (&str, &str) = ("content-type", "multipart/form-data; boundary=B");

#[derive(Deserialize)]
struct Note {
    text: String,
}

async fn token(conn: &mut Conn) -> String {
    let user = conn.session().get::<String>("user").unwrap_or_default();
    format!("{} {user}", conn.csrf_token())
}

async fn log_in(conn: &mut Conn) -> Result<&'static str> {
    conn.session_mut().renew().put("user", "alice")?;
    Ok("in")
}

async fn save(conn: &mut Conn, Form(note): Form<Note>) -> String {
    format!("{} {} {:?}", conn.method(), note.text, conn.session().get::<String>("user"))
}

async fn script(conn: &mut Conn) {
    conn.put_header("content-type", "text/javascript; charset=utf-8");
    conn.text("secrets()");
}

router! {
    pipeline browser { fetch_session; protect_from_forgery; }
    pipeline lenient { fetch_session; ProtectFromForgery::new().clear_session(); }

    scope "/" through browser {
        get "/" => token;
        get "/log_in" => log_in;
        any "/notes" => save;
        get "/app.js" => script;
    }
    scope "/lenient" through lenient { post "/notes" => save; }
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new((method_override, Sessions::cookie(Keys::random()), router()))
}

async fn token_of<P: Plug>(endpoint: &Endpoint<P>, browser: &mut Browser) -> String {
    let answer = browser.get(endpoint, "/").await;
    answer.text.split(' ').next().expect("a token").to_owned()
}

#[test]
fn a_token_lets_a_form_in_and_the_handler_reads_the_form() {
    simurgh_runtime::run("test", async {
        let (endpoint, mut browser) = (endpoint(), Browser::default());
        let token = token_of(&endpoint, &mut browser).await;
        assert_ne!(token, token_of(&endpoint, &mut browser).await, "each token has a mask of its own");

        let mut post = async |headers: &[(&'static str, &str)], body: String| {
            let answer = browser.send(&endpoint, Method::POST, "/notes", headers, body).await;
            (answer.status, answer.text)
        };
        let saved = |method: &str| (200, format!("{method} hi None"));
        let refused = (403, "403 The form is too old, or not from here. Load the page again.".to_owned());
        assert_eq!(post(&[FORM], format!("text=hi&_csrf_token={token}")).await, saved("POST"));
        assert_eq!(post(&[FORM, ("x-csrf-token", &token)], "text=hi".into()).await, saved("POST"));
        for (headers, body) in [
            (vec![FORM], "text=hi".to_owned()),
            (vec![FORM], format!("text=hi&_csrf_token={}", &token[1..])),
            (vec![FORM], format!("text=hi&_csrf_token={token}A")),
            (vec![FORM, ("x-csrf-token", "x")], "text=hi".into()),
            (vec![("content-type", "text/plain")], format!("text=hi&_csrf_token={token}")),
            // the browser says that it is of another site
            (vec![FORM, ("sec-fetch-site", "cross-site")], format!("text=hi&_csrf_token={token}")),
        ] {
            assert_eq!(post(&headers, body.clone()).await, refused, "{headers:?} {body}");
        }
        // a form with files has them too, before the files
        let part =
            |head: &str, value: &str| format!("--B\r\ncontent-disposition: form-data; name={head}\r\n\r\n{value}\r\n");
        let (token_part, text) = (part("_csrf_token", &token), part("text", "hi"));
        let file = part("file; filename=a", &"x".repeat(100_000));
        for (body, expected) in [
            (format!("{token_part}{file}{text}--B--"), saved("POST")),
            (format!("{text}{}{token_part}{file}--B--", part("_method", "patch")), saved("PATCH")),
            (format!("{text}{file}{token_part}--B--"), refused.clone()),
            (format!("{text}{}--B--", part("_csrf_token; filename=a", &token)), refused.clone()),
            (format!("{text}{file}--B--"), refused.clone()),
        ] {
            let start = body[..80].to_owned();
            assert_eq!(post(&[PARTS], body).await, expected, "{start}");
        }
        let (status, text) = post(&[FORM], format!("text=hi&_method=put&_csrf_token={token}")).await;
        assert_eq!((status, text), saved("PUT"));
        // what makes it another method still needs the token
        assert_eq!(post(&[FORM], "text=hi&_method=delete".into()).await, refused);
        let long = format!("text={}", "x".repeat(simurgh_web::BODY_LEN_MAX));
        assert_eq!(post(&[FORM], long).await.0, 413);
    });
}

#[test]
fn a_form_may_come_in_any_parts() {
    simurgh_runtime::run("test", async {
        let (endpoint, mut browser) = (endpoint(), Browser::default());
        let token = token_of(&endpoint, &mut browser).await;
        let form = format!("text=h%69&_method=put&_csrf_token={token}");
        for at in 0..=form.len() {
            let (first, second) = (form[..at].to_owned(), form[at..].to_owned());
            let whole = Body::stream(|mut parts| async move {
                parts.send(first).await?;
                parts.send(second).await
            });
            let answer = browser.send(&endpoint, Method::POST, "/notes", &[FORM], whole).await;
            assert_eq!(answer.text, "PUT hi None", "in two at {at}");
            // one that ends too early has no token, or no text
            let cut = browser.send(&endpoint, Method::POST, "/notes", &[FORM], form[..at].to_owned()).await;
            assert_eq!(cut.status, if at == form.len() { 200 } else { 403 }, "cut at {at}");
        }
    });
}

#[test]
fn a_token_is_of_one_session() {
    simurgh_runtime::run("test", async {
        let endpoint = endpoint();
        let (mut alice, mut mallory) = (Browser::default(), Browser::default());
        let theirs = token_of(&endpoint, &mut mallory).await;
        let before = token_of(&endpoint, &mut alice).await;
        alice.get(&endpoint, "/log_in").await;
        let own = token_of(&endpoint, &mut alice).await;
        for (token, status) in [(&theirs, 403), (&before, 403), (&own, 200)] {
            let headers = [FORM, ("x-csrf-token", token.as_str())];
            let answer = alice.send(&endpoint, Method::POST, "/notes", &headers, "text=hi").await;
            assert_eq!(answer.status, status);
        }
    });
}

#[test]
fn a_plug_that_clears_the_session_lets_strangers_in() {
    simurgh_runtime::run("test", async {
        let (endpoint, mut browser) = (endpoint(), Browser::default());
        browser.get(&endpoint, "/log_in").await;
        let token = token_of(&endpoint, &mut browser).await;
        let headers = [FORM, ("x-csrf-token", token.as_str())];
        let answer = browser.send(&endpoint, Method::POST, "/lenient/notes", &headers, "text=hi").await;
        assert_eq!(answer.text, "POST hi Some(\"alice\")");
        let answer = browser.send(&endpoint, Method::POST, "/lenient/notes", &[FORM], "text=hi").await;
        assert_eq!(answer.text, "POST hi None");
    });
}

#[test]
fn a_script_is_not_for_other_sites() {
    simurgh_runtime::run("test", async {
        let (endpoint, mut browser) = (endpoint(), Browser::default());
        for (headers, status) in [
            (vec![], 403),
            (vec![("sec-fetch-site", "cross-site")], 403),
            (vec![("sec-fetch-site", "same-site")], 403),
            (vec![("sec-fetch-site", "same-origin")], 200),
            (vec![("sec-fetch-site", "none")], 200),
            (vec![("x-requested-with", "XMLHttpRequest")], 200),
        ] {
            let answer = browser.send(&endpoint, Method::GET, "/app.js", &headers, "").await;
            assert_eq!((answer.status, answer.text.contains("secrets")), (status, status == 200), "{headers:?}");
        }
        assert_eq!(browser.get(&endpoint, "/").await.status, 200);
    });
}

#[test]
fn without_a_session_there_is_no_protection_and_that_is_said() {
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new((protect_from_forgery, script));
        assert_eq!(Browser::default().get(&endpoint, "/").await.status, 500);
        let endpoint = Endpoint::new((fetch_flash, script));
        assert_eq!(Browser::default().get(&endpoint, "/").await.status, 500);
    });
}

#[test]
fn a_form_may_want_another_method_and_nothing_else() {
    async fn method(conn: &mut Conn) -> Result<(), Error> {
        let text = conn.method().to_string();
        conn.text(text);
        Ok(())
    }
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new((method_override, method));
        let mut browser = Browser::default();
        for (sent, form, seen) in [
            (Method::POST, "a=1&_method=DELETE", "DELETE"),
            (Method::POST, "_method=patch", "PATCH"),
            (Method::POST, "_method=get", "POST"),
            (Method::POST, "_method=CONNECT", "POST"),
            (Method::POST, "method=put", "POST"),
            (Method::POST, "", "POST"),
            (Method::GET, "_method=put", "GET"),
            (Method::PUT, "_method=delete", "PUT"),
        ] {
            assert_eq!(browser.send(&endpoint, sent, "/", &[FORM], form).await.text, seen, "{form}");
        }
        assert_eq!(browser.send(&endpoint, Method::POST, "/?_method=put", &[FORM], "").await.text, "POST");
        let json = [("content-type", "application/json")];
        assert_eq!(browser.send(&endpoint, Method::POST, "/", &json, "_method=put").await.text, "POST");
    });
}

mod flash {
    use super::*;

    async fn show(conn: &mut Conn) -> String {
        let shown: Vec<String> = conn.flashes().map(|(kind, message)| format!("{kind}: {message}")).collect();
        shown.join(", ")
    }

    async fn leave(conn: &mut Conn) -> Redirect {
        conn.put_flash("info", "Saved.").put_flash("error", "Not all.");
        Redirect::to("/")
    }

    async fn on(_: &mut Conn) -> Redirect {
        Redirect::to("/")
    }

    async fn forget(conn: &mut Conn) -> Redirect {
        conn.clear_flash();
        Redirect::to("/")
    }

    async fn now(conn: &mut Conn) -> String {
        conn.put_flash("info", "Now.");
        show(conn).await
    }

    async fn fail(conn: &mut Conn) -> Result {
        conn.put_flash("info", "Never.");
        Err(Error::forbidden("no", "No."))
    }

    router! {
        pipeline browser { fetch_session; fetch_flash; }
        scope "/" through browser {
            get "/" => show;
            get "/leave" => leave;
            get "/on" => on;
            get "/forget" => forget;
            get "/now" => now;
            get "/fail" => fail;
        }
    }

    #[test]
    fn a_message_lives_until_a_page_is_shown() {
        for (way, text) in [
            (&["/leave"] as &[&str], "error: Not all., info: Saved."),
            (&["/leave", "/on", "/on"], "error: Not all., info: Saved."),
            (&["/leave", "/"], ""),
            (&["/leave", "/forget"], ""),
            (&["/leave", "/now"], ""),
            (&["/leave", "/fail"], ""),
            (&["/now"], ""),
            (&["/on"], ""),
        ] {
            simurgh_runtime::run("test", async move {
                let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), router()));
                let mut browser = Browser::default();
                for target in way {
                    let answer = browser.get(&endpoint, target).await;
                    if *target == "/now" {
                        assert!(answer.text.contains("info: Now."), "what is put before a page is on it");
                    }
                }
                assert_eq!(browser.get(&endpoint, "/").await.text, text, "{way:?}");
                assert_eq!(browser.cookies(), "", "nothing is kept of a flash that was shown");
            });
        }
    }
}

#[test]
fn the_example_of_the_design_can_be_written() {
    use simurgh_web::{accepts, secure_headers};

    mod pages {
        pub(crate) async fn home(conn: &mut simurgh_web::Conn) -> String {
            conn.csp_nonce().to_owned()
        }
    }

    router! {
        pipeline browser { accepts(["html"]); fetch_session; fetch_flash; protect_from_forgery; secure_headers; }

        scope "/" through browser {
            get "/" => pages::home;
        }
    }
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), router()));
        let response = test::get(&endpoint, "/").await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&test::text(response).await), "{policy}");
    });
}
