//! What clients hear of errors.

use std::net::SocketAddr;

use http::{Method, StatusCode, header};
use simurgh_web::pages::{Development, Format, Production};
use simurgh_web::{
    Body, Client, Conn, Endpoint, Error, Extract, Filter, Json, Keys, Plug, Result, Sessions, fetch_session, router,
    test,
};

mod shop {
    use simurgh_web::{Conn, Error, Result};

    pub(crate) async fn order(_: &mut Conn) -> Result<&'static str> {
        let _: u32 = "seven".parse()?;
        Ok("never said")
    }

    pub(crate) async fn panics(conn: &mut Conn) -> &'static str {
        panic!("no stock for {}", conn.path_param("id").unwrap_or_default())
    }

    pub(crate) async fn taken(_: &mut Conn) -> Result {
        let details = serde_json::json!({ "field": "name" });
        Err(Error::new(http::StatusCode::CONFLICT, "name_taken", "This name is <b>taken</b>.").details(details))
    }

    pub(crate) async fn reset(_: &mut Conn) -> Result {
        Err(Error::internal("mail server said no"))
    }
}

async fn with_id(conn: &mut Conn) {
    conn.put_header("x-request-id", "r-1");
}

router! {
    pipeline browser { with_id; }
    scope "/" through browser {
        get "/orders/:id" => shop::order;
        get "/stock/:id" => shop::panics;
        post "/users" => shop::taken;
        get "/reset/:token" => shop::reset;
    }
}

fn request(method: Method, target: &str, headers: &[(&'static str, &str)]) -> http::Request<Body> {
    let mut request = test::request(method, target, "");
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().expect("a header"));
    }
    request
}

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const JSON: (&str, &str) = ("accept", "application/json");

fn run(body: impl Future<Output = ()> + Send + 'static) {
    simurgh_runtime::run("test", body);
}

fn production() -> Endpoint<impl Plug> {
    Endpoint::new(router()).pages(Production::new())
}

fn development() -> Endpoint<impl Plug> {
    Endpoint::new(router()).pages(Development::new().source_root(env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn production_answers_in_the_form_that_is_accepted() {
    run(async {
        let endpoint = production();
        let response = test::get(&endpoint, "/nowhere").await;
        assert_eq!(
            (response.status(), &response.headers()[header::VARY]),
            (StatusCode::NOT_FOUND, &"accept".parse().unwrap())
        );
        assert_eq!(test::text(response).await, "404 Not Found");

        let response = test::send(&endpoint, request(Method::POST, "/users", &[JSON])).await;
        let text = test::text(response).await;
        let expected = r#"{"error":{"code":"name_taken","details":{"field":"name"},"message":"This name is <b>taken</b>.","request_id":"r-1","status":409}}"#;
        assert_eq!(text, expected);

        let response = test::send(&endpoint, request(Method::POST, "/users", &[HTML])).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-") && !policy.contains("script"), "{policy}");
        let text = test::text(response).await;
        assert!(text.contains("This name is &lt;b&gt;taken&lt;/b&gt;.") && text.contains("<code>r-1</code>"), "{text}");
    });
}

#[test]
fn production_says_nothing_of_the_cause() {
    run(async {
        for headers in [&[][..], &[HTML], &[JSON]] {
            for target in ["/orders/7", "/stock/7", "/reset/abc"] {
                let response = test::send(&production(), request(Method::GET, target, headers)).await;
                assert_eq!(response.status(), 500);
                let text = test::text(response).await;
                for cause in ["digit", "stock", "mail", "panic!", ".rs"] {
                    assert!(!text.contains(cause), "{cause}: {text}");
                }
            }
        }
    });
}

#[test]
fn a_usual_form_is_for_those_who_take_anything() {
    run(async {
        let endpoint = Endpoint::new(router()).pages(Production::new().usual(Format::Json));
        let text = test::text(test::get(&endpoint, "/nowhere").await).await;
        assert_eq!(text, r#"{"error":{"code":"not_found","message":"Not Found","status":404}}"#);
        let text = test::send(&endpoint, request(Method::GET, "/nowhere", &[("accept", "text/plain")])).await;
        assert_eq!(test::text(text).await, "404 Not Found");
    });
}

#[test]
fn development_shows_the_error_its_place_and_its_way() {
    run(async {
        let text = test::text(test::get(&development(), "/orders/7?page=2").await).await;
        assert!(text.starts_with("# 500 Internal Server Error: invalid digit found in string\n\nGET /orders/7?page=2\nat system/web/tests/pages.rs:"), "{text}");
        assert!(text.contains("| let _: u32 = \"seven\".parse()?;\n".trim_start_matches("| ")), "{text}");
        for line in [
            "-> pipeline browser",
            "-> with_id",
            "-> handler shop::order",
            "handler: shop::order",
            "id: 7",
            "page: 2",
            "pipelines: browser",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.contains("failed with 500") && text.contains("## Processes"), "{text}");

        let text = test::text(test::get(&development(), "/stock/12").await).await;
        assert!(text.starts_with("# 500 Internal Server Error: panicked: no stock for 12\n"), "{text}");
        assert!(text.contains("> ") && text.contains("panic!(\"no stock for {}\""), "{text}");

        let response = test::send(&development(), request(Method::GET, "/stock/12", &[JSON])).await;
        let json: serde_json::Value = serde_json::from_str(&test::text(response).await).unwrap();
        assert_eq!(json["error"]["code"], "panic");
        assert_eq!(json["error"]["debug"]["headline"], "no stock for 12");
        assert_eq!(json["error"]["debug"]["route"], "/stock/:id");
    });
}

#[test]
fn development_lists_the_routes_when_none_is_found() {
    run(async {
        let text = test::text(test::get(&development(), "/ordres/7").await).await;
        assert!(text.starts_with("# 404 Not Found: no route takes GET /ordres/7\n\nGET /ordres/7\n\n## "), "{text}");
        assert!(text.contains("GET     /orders/:id    shop::order  (did you mean this?)\n"), "{text}");
    });
}

#[test]
fn development_shows_no_secrets_in_any_form() {
    run(async {
        let secret = "s3cr3t";
        let headers = [
            ("authorization", "Bearer s3cr3t"),
            ("cookie", "_shop=s3cr3t; theme=s3cr3t"),
            ("x-csrf-token", "s3cr3t"),
            ("x-api-key", "s3cr3t"),
            ("referer", "http://localhost/?password=s3cr3t&page=1"),
        ];
        for accept in ["*/*", HTML.1, JSON.1] {
            let mut with = headers.to_vec();
            with.push(("accept", accept));
            let pages = Development::new().section("Session", |_| {
                vec![("user_token".to_owned(), "s3cr3t".to_owned()), ("user".to_owned(), "7".to_owned())]
            });
            let endpoint = Endpoint::new(router()).pages(pages);
            let response = test::send(
                &endpoint,
                request(Method::GET, "/reset/s3cr3t?new_password=s3cr3t&%70assword=s3cr3t&page=1", &with),
            )
            .await;
            let text = test::text(response).await;
            assert!(!text.contains(secret), "{accept}: {text}");
            for shown in ["_shop", "theme", "[filtered]", "user_token", "page=1", "mail server said no"] {
                assert!(text.contains(shown), "{shown}: {text}");
            }
        }
        let mine = Development::new().filter(Filter::default().hide("iban"));
        let text = test::text(test::get(&Endpoint::new(router()).pages(mine), "/orders/7?IBAN=DE99").await).await;
        assert!(!text.contains("DE99"), "{text}");
    });
}

#[test]
fn development_shows_the_names_in_a_session_that_was_fetched() {
    const SECRET: &str = concat!("s3", "cr3t"); // the page shows these lines
    async fn fails(conn: &mut Conn) -> Result {
        conn.session_mut().put("user_id", SECRET)?.put("cart", [SECRET])?;
        Err(Error::internal("mail server said no"))
    }
    run(async {
        let sessions = || Sessions::cookie(Keys::random());
        let endpoint = Endpoint::new((sessions(), fetch_session, fails)).pages(Development::new());
        for accept in ["*/*", HTML.1, JSON.1] {
            let text = test::text(test::send(&endpoint, request(Method::GET, "/", &[("accept", accept)])).await).await;
            assert!(!text.contains(SECRET), "{accept}: {text}");
            for shown in ["user_id", "cart"] {
                assert!(text.contains(shown), "{shown}: {text}");
            }
            assert!(text.contains("Session") || text.contains("\"session\""), "{text}");
        }
        // where none was fetched there is nothing to show
        let endpoint = Endpoint::new((sessions(), router())).pages(Development::new());
        let text = test::text(test::get(&endpoint, "/orders/7").await).await;
        assert!(!text.contains("# Session"), "{text}");
    });
}

#[test]
fn nothing_in_the_page_is_markup_of_a_stranger() {
    const EVIL: &str = "</textarea><script>alert(1)</script>\"'&";
    async fn fails(_: &mut Conn) -> Result {
        tracing::info!("{EVIL}");
        let inner = std::io::Error::other(EVIL);
        Err(Error::new(StatusCode::BAD_REQUEST, "evil", EVIL)
            .because(std::io::Error::other(inner))
            .details(EVIL.into()))
    }
    async fn panics(_: &mut Conn) {
        panic!("{EVIL}")
    }
    async fn assert_clean<P: Plug>(endpoint: Endpoint<P>) {
        let encoded = "%3C/textarea%3E%3Cscript%3Ealert(1)%3C/script%3E%22'";
        let target = format!("/{encoded}?{encoded}={encoded}");
        let headers = [HTML, ("x-evil", EVIL), ("cookie", EVIL), ("host", "localhost")];
        let text = test::text(test::send(&endpoint, request(Method::GET, &target, &headers)).await).await;
        assert_eq!(text.matches("<script").count(), text.matches("<script nonce=").count(), "{text}");
        assert!(text.matches("</textarea").count() <= 1 && !text.contains("alert(1)</script"), "{text}");
    }
    run(async {
        let pages = || Development::new().section("Mine", |_| vec![(EVIL.to_owned(), EVIL.to_owned())]);
        assert_clean(Endpoint::new(fails).pages(pages())).await;
        assert_clean(Endpoint::new(panics).pages(pages())).await;
        assert_clean(Endpoint::new(fails).pages(Production::new())).await;
    });
}

#[test]
fn the_page_stands_under_a_strict_policy() {
    run(async {
        let response = test::send(&development(), request(Method::GET, "/orders/7", &[HTML])).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let nonce =
            policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
        let expected = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!((policy, nonce.len()), (expected, 32));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let page = test::text(response).await;
        assert!(
            page.contains(&format!("<script nonce=\"{nonce}\">"))
                && page.contains(&format!("<style nonce=\"{nonce}\">"))
        );
        // A policy with a nonce lets no attribute have a style or a script.
        for banned in [" style=", " onclick=", "=\"http", " src=", "@import", "url("] {
            assert!(!page.contains(banned), "{banned}");
        }
    });
}

#[test]
fn strangers_get_the_answer_of_production() {
    async fn text_for<P: Plug>(endpoint: &Endpoint<P>, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut request = request(Method::GET, "/orders/7", headers);
        if let Some((_, host)) = headers.iter().find(|(name, _)| *name == "host") {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let peer: SocketAddr = peer.parse().unwrap();
        test::text(endpoint.answer(request, &Client::test(peer)).await).await
    }
    run(async {
        let endpoint = development();
        for (peer, headers) in [
            ("127.0.0.1:1", &[][..]),
            ("[::1]:1", &[]),
            ("[::ffff:127.0.0.1]:1", &[]),
            ("127.0.0.1:1", &[("host", "shop.localhost:4000")]),
        ] {
            assert!(text_for(&endpoint, peer, headers).await.starts_with("# 500"), "{peer} {headers:?}");
        }
        for (peer, headers) in [
            ("192.0.2.1:1", &[][..]),
            ("127.0.0.1:1", &[("x-forwarded-for", "192.0.2.1")]),
            ("127.0.0.1:1", &[("forwarded", "for=192.0.2.1")]),
            ("127.0.0.1:1", &[("host", "rebound.example.com")]),
        ] {
            assert_eq!(text_for(&endpoint, peer, headers).await, "500 Internal Server Error", "{peer} {headers:?}");
        }
        let endpoint = Endpoint::new(router()).pages(Development::new().any_peer());
        assert!(text_for(&endpoint, "192.0.2.1:1", &[]).await.starts_with("# 500"));
    });
}

#[test]
fn places_are_links_if_an_editor_is_named() {
    run(async {
        let pages = Development::new().source_root(env!("CARGO_MANIFEST_DIR")).editor("vscode");
        let endpoint = Endpoint::new(router()).pages(pages);
        let page = test::text(test::send(&endpoint, request(Method::GET, "/orders/7", &[HTML])).await).await;
        assert!(page.contains("<a class=\"mono\" href=\"vscode://file//"), "{page}");
        let page = test::text(test::send(&development(), request(Method::GET, "/orders/7", &[HTML])).await).await;
        assert!(page.contains("data-n=") && !page.contains("href="), "no editor, no link");
    });
}

#[test]
fn details_of_what_was_extracted_are_told_to_programs() {
    run(async {
        let named = async |conn: &mut Conn| -> Result {
            let Json(name) = <Json<String> as Extract>::extract(conn).await?;
            conn.text(name);
            Ok(())
        };
        let mut sent = request(Method::POST, "/", &[JSON, ("content-type", "application/json")]);
        *sent.body_mut() = Body::from("7");
        let response = test::send(&Endpoint::new(named).pages(Production::new()), sent).await;
        let json: serde_json::Value = serde_json::from_str(&test::text(response).await).unwrap();
        assert_eq!((&json["error"]["status"], &json["error"]["code"]), (&422.into(), &"wrong_json".into()));
        assert_eq!(json["error"]["details"]["line"], 1);
    });
}
