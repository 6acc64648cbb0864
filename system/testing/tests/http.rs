//! The client for tests, and what it says when an assertion fails.

use std::panic::AssertUnwindSafe;

use http::StatusCode;
use simurgh_http::{Options, Server};
use simurgh_test::{Answer, Http, Socket, get, head, post, request};
use simurgh_web::pages::Production;
use simurgh_web::{Conn, Endpoint, Error, Form, Html, Json, Plug, Redirect, Result, router};

mod pages {
    use super::*;

    pub(crate) async fn home(_: &mut Conn) -> &'static str {
        "Welcome!"
    }

    pub(crate) async fn page(_: &mut Conn) -> Html<&'static str> {
        Html("<p>hi</p>")
    }

    pub(crate) async fn echo(conn: &mut Conn) -> Result<String> {
        let body = conn.take_body().unwrap_or_default().collect(1_024).await?;
        let headers: Vec<String> = conn
            .request_headers()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap_or_default()))
            .collect();
        let (method, uri, peer) = (conn.method(), conn.uri(), conn.client().peer());
        Ok(format!("{method} {uri} {peer} {} {}", headers.join(","), String::from_utf8_lossy(&body)))
    }

    pub(crate) async fn sign_in(conn: &mut Conn, Form(user): Form<User>) -> Redirect {
        let cookie = format!("user={}; Path=/; HttpOnly", user.name);
        conn.response_headers_mut().append("set-cookie", cookie.parse().expect("a header"));
        Redirect::see_other("/me")
    }

    pub(crate) async fn sign_out(conn: &mut Conn) -> Redirect {
        conn.put_header("set-cookie", "user=; Path=/; Max-Age=0");
        Redirect::see_other("/me")
    }

    pub(crate) async fn me(conn: &mut Conn) -> Result<Json<String>> {
        Ok(Json(conn.header("cookie").ok_or_else(|| Error::forbidden("no_user", "Sign in first."))?.to_owned()))
    }
}

#[derive(serde::Deserialize)]
struct User {
    name: String,
}

router! {
    get "/" => pages::home;
    get "/page" => pages::page;
    any "/echo" => pages::echo;
    post "/session" => pages::sign_in;
    delete "/session" => pages::sign_out;
    get "/me" => pages::me;
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router()).pages(Production::new())
}

fn run<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    simurgh_runtime::run("test", body)
}

#[test]
fn a_request_is_sent_as_it_was_made() {
    run(async {
        let http = Http::new(&endpoint()).header("accept", "*/*");
        for (request, expected) in [
            (get("/echo"), "GET /echo 127.0.0.1:50000 host=localhost,accept=*/* "),
            (
                get("/echo?a=1").query(&[("b", "ü &")]),
                "GET /echo?a=1&b=%C3%BC+%26 127.0.0.1:50000 host=localhost,accept=*/* ",
            ),
            (
                post("/echo").form(&[("a", "1 2")]).accept("text/plain"),
                "POST /echo 127.0.0.1:50000 content-type=application/x-www-form-urlencoded,accept=text/plain,host=localhost a=1+2",
            ),
            (
                post("/echo").json(&["x"]).peer(([192, 0, 2, 1], 7).into()).bearer("t"),
                "POST /echo 192.0.2.1:7 content-type=application/json,authorization=Bearer t,host=localhost,accept=*/* [\"x\"]",
            ),
            (
                request(http::Method::TRACE, "/echo")
                    .header("host", "shop")
                    .cookie("a", "1")
                    .cookie("b", "2")
                    .body("raw"),
                "TRACE /echo 127.0.0.1:50000 host=shop,cookie=a=1; b=2,accept=*/* raw",
            ),
        ] {
            assert_eq!(http.send(request).await.text_response(200), expected);
        }
        http.send(head("/"))
            .await
            .assert_status(200)
            .assert_body("")
            .assert_header("content-type", "text/plain; charset=utf-8");
    });
}

/// The same on any transport.
async fn signs_in_and_out(http: &Http) {
    http.send(get("/me").accept("application/json")).await.assert_error(403, "no_user");
    let signed_in = http.send(post("/session").form(&[("name", "alice")])).await;
    assert_eq!(signed_in.redirected_to(), "/me");
    assert_eq!(http.follow(&signed_in).await.json_response(200), "user=alice");
    assert_eq!(http.get("/me").await.json_as::<String>(200), "user=alice");
    http.put_cookie("theme", "dark");
    assert_eq!(http.get("/me").await.json_response(200), "user=alice; theme=dark");
    http.send(simurgh_test::delete("/session")).await.assert_status(303);
    assert_eq!((http.cookie("user"), http.cookie("theme").as_deref()), (None, Some("dark")));
    http.forget_cookies();
    http.get("/me").await.assert_status(403);
}

#[test]
fn cookies_carry_over() {
    run(async { signs_in_and_out(&Http::new(&endpoint())).await });
}

#[test]
fn the_same_test_runs_on_sockets() {
    run(async {
        let server = Server::start(([127, 0, 0, 1], 0).into(), Options::default(), endpoint()).await.unwrap();
        let http = Http::over(Socket::to(server.local_addr()));
        signs_in_and_out(&http).await;
        http.send(head("/")).await.assert_status(200).assert_body("").assert_header("content-length", "8");
        server.drain().await;
        let caught = simurgh_runtime::spawn(async move { http.get("/").await }).await;
        let failure = caught.expect_err("nobody listens any more").to_string();
        assert!(failure.contains("no response: no connection to 127.0.0.1:") && failure.contains("GET /"), "{failure}");
    });
}

#[simurgh_sim::test(seeds = 20)]
async fn the_same_test_runs_in_the_simulator(_sim: simurgh_sim::Sim) {
    signs_in_and_out(&Http::new(&endpoint())).await;
    let server = Server::start(([127, 0, 0, 1], 4000).into(), Options::default(), endpoint()).await.unwrap();
    signs_in_and_out(&Http::over(Socket::to(server.local_addr()))).await;
    server.drain().await;
}

#[test]
fn what_is_right_is_right() {
    run(async {
        let http = Http::new(&endpoint());
        let home = http.get("/").await;
        home.assert_status(200)
            .assert_body("Welcome!")
            .assert_no_header("x-y")
            .assert_header("content-type", "text/plain; charset=utf-8");
        assert_eq!((home.status(), home.text(), home.header("x-y")), (StatusCode::OK, "Welcome!", None));
        assert_eq!(http.get("/page").await.html_response(200), "<p>hi</p>");
        assert_eq!(http.get("/nowhere").await.text_response(404), "404 Not Found");
    });
}

/// What an assertion that has to fail says.
fn said(assertion: impl Fn(&Answer) + Send + 'static) -> String {
    run(async move {
        let http = Http::new(&endpoint());
        let answer = http.send(post("/echo").json("x").bearer("s3cr3t")).await;
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| assertion(&answer)));
        *caught.expect_err("it fails").downcast::<String>().expect("what was formatted")
    })
}

#[test]
fn a_failure_shows_request_and_response() {
    let expected = "\
status 404 was expected, not 200

  POST /echo
  content-type: application/json
  authorization: [filtered]
  host: localhost

  \"x\"

  200 OK
  content-type: text/plain; charset=utf-8

  POST /echo 127.0.0.1:50000 content-type=application/json,authorization=Bearer s3cr3t,host=localhost \"x\"
";
    assert_eq!(
        said(|answer| {
            let _ = answer.assert_status(404);
        }),
        expected
    );
    for (first_line, assertion) in [
        (
            "header x-y: 1 was expected, and there is none",
            (|answer| {
                answer.assert_header("x-y", "1");
            }) as fn(&Answer),
        ),
        ("header content-type: 1 was expected, and it is text/plain; charset=utf-8", |answer| {
            let _ = answer.assert_header("content-type", "1");
        }),
        ("no header content-type was expected", |answer| {
            let _ = answer.assert_no_header("content-type");
        }),
        ("another body was expected: \"1\"", |answer| {
            let _ = answer.assert_body("1");
        }),
        ("content-type: text/html was expected, not \"text/plain\"", |answer| {
            let _ = answer.html_response(200);
        }),
        ("content-type: application/json was expected, not \"text/plain\"", |answer| {
            let _ = answer.json_response(200);
        }),
        ("status 201 was expected, not 200", |answer| {
            let _ = answer.json_response(201);
        }),
        ("a redirect was expected, not 200", |answer| {
            let _ = answer.redirected_to();
        }),
        ("only JSON says an error's code: send accept(\"application/json\"), and use pages that answer it", |answer| {
            let _ = answer.assert_error(200, "x");
        }),
    ] {
        assert_eq!(said(assertion).lines().next(), Some(first_line));
    }
}
