//! Which handler a request reaches, and what it meets on its way.

use http::{Method, StatusCode};
use simurgh_web::{Body, Conn, Endpoint, Error, Plug, Result, Route, Router, router, test};

mod pages {
    use simurgh_web::{Conn, Error, Result};

    pub(crate) async fn home(conn: &mut Conn) {
        conn.text("Welcome to MiniWeb!");
    }

    pub(crate) async fn hello(conn: &mut Conn) -> String {
        format!("Hello, {}!", conn.path_param("name").unwrap_or_default())
    }

    pub(crate) async fn file(conn: &mut Conn) -> String {
        conn.path_param("path").unwrap_or_default().to_owned()
    }

    pub(crate) async fn fails(_: &mut Conn) -> Result<&'static str> {
        Err(Error::forbidden("no", "Not for you."))
    }

    pub(crate) async fn panics(_: &mut Conn) -> &'static str {
        panic!("a handler's panic")
    }

    pub(crate) async fn silent(_: &mut Conn) {}
}

mod posts {
    use simurgh_web::Conn;

    pub(crate) async fn index(_: &mut Conn) -> &'static str {
        "index"
    }

    pub(crate) async fn new(_: &mut Conn) -> &'static str {
        "new"
    }

    pub(crate) async fn show(conn: &mut Conn) -> String {
        format!("show {}", conn.path_param("id").unwrap_or_default())
    }

    pub(crate) async fn update(_: &mut Conn) -> &'static str {
        "update"
    }
}

/// Writes down who saw the request, in and out.
struct Trace(&'static str);

#[derive(Default)]
struct Seen(Vec<String>);

impl Plug for Trace {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assigns_mut().get_or_insert_with(Seen::default).0.push(format!("+{}", self.0));
        Ok(())
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        let seen = conn.assigns_mut().get_or_insert_with(Seen::default);
        seen.0.push(format!("-{}", self.0));
        let seen = seen.0.join(" ");
        conn.try_put_header(http::HeaderName::from_static("x-seen"), seen)?;
        Ok(())
    }
}

async fn only_with_key(conn: &mut Conn) -> Result {
    if conn.header("x-key").is_none() {
        return Err(Error::new(StatusCode::UNAUTHORIZED, "no_key", "A key is needed."));
    }
    Ok(())
}

async fn whole_answer(conn: &mut Conn) {
    let answer = format!("{} then {}", conn.script_name(), conn.path_info());
    conn.text(answer);
}

router! {
    pipeline browser { Trace("a"); Trace("b"); }
    pipeline keyed { Trace("c"); only_with_key; Trace("d"); }

    scope "/" through browser {
        get "/" => pages::home;
        get "/hello/:name" => pages::hello;
        get "/hello/static" => pages::home;
        get "/files/*path" => pages::file;
        get "/fails" => pages::fails;
        get "/panics" => pages::panics;
        get "/silent" => pages::silent;
        resources "/posts" => posts only (index, new, show, update);

        scope "/keyed" through keyed {
            get "/" => pages::home;
        }
    }
    forward "/other" => whole_answer;
}

fn asked(method: Method, target: &str) -> (StatusCode, String, http::HeaderMap) {
    let request = test::request(method, target, Body::empty());
    simurgh_runtime::run("test", async move {
        let endpoint = Endpoint::new((Trace("endpoint"), router()));
        let response = test::send(&endpoint, request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        (status, test::text(response).await, headers)
    })
}

fn get(target: &str) -> (u16, String) {
    let (status, text, _) = asked(Method::GET, target);
    (status.as_u16(), text)
}

#[test]
fn a_path_finds_its_handler() {
    for (target, text) in [
        ("/", "Welcome to MiniWeb!"),
        ("/hello/world", "Hello, world!"),
        ("/hello/world/", "Hello, world!"),
        ("/hello/J%C3%BCrgen", "Hello, Jürgen!"),
        ("/hello/a%2Fb?x=1", "Hello, a/b!"),
        ("/hello/static", "Welcome to MiniWeb!"),
        ("/files/a/b%20c/d", "a/b c/d"),
        ("/posts", "index"),
        ("/posts/new", "new"),
        ("/posts/17", "show 17"),
        ("/other", "/other then /"),
        ("/other/a/b", "/other then /a/b"),
    ] {
        assert_eq!(get(target), (200, text.to_owned()), "{target}");
    }
    assert_eq!(asked(Method::PUT, "/posts/1").1, "update");
    assert_eq!(asked(Method::PATCH, "/posts/1").1, "update");
}

#[test]
fn what_has_no_handler_is_refused() {
    for (target, status) in
        [("/nowhere", 404), ("/hello", 404), ("/files", 404), ("/hello/%ff", 400), ("/hello/%zz", 400)]
    {
        assert_eq!(get(target).0, status, "{target}");
    }
    assert_eq!(get("/nowhere").1, "404 Not Found");
    let (status, _, headers) = asked(Method::DELETE, "/posts/1");
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers["allow"], "GET, HEAD, PATCH, PUT, OPTIONS");
    let (status, text, headers) = asked(Method::OPTIONS, "/posts");
    assert_eq!((status, text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(headers["allow"], "GET, HEAD, OPTIONS");
    assert_eq!(asked(Method::HEAD, "/posts").0, StatusCode::OK);
}

#[test]
fn each_plug_that_let_a_request_in_sees_it_out_in_reverse() {
    let seen = |target: &str| asked(Method::GET, target).2["x-seen"].to_str().unwrap().to_owned();
    assert_eq!(seen("/"), "+endpoint +a +b -b -a -endpoint");
    // halted in the middle of a pipeline: those after it never see it
    assert_eq!(seen("/keyed"), "+endpoint +a +b +c -c -b -a -endpoint");
    assert_eq!(seen("/fails"), "+endpoint +a +b -b -a -endpoint");
    assert_eq!(seen("/nowhere"), "+endpoint -endpoint");
    // a panic goes past the pipelines; the endpoint's own plugs see its answer
    assert_eq!(seen("/panics"), "+endpoint +a +b -endpoint");
}

#[test]
fn a_handler_fails_with_its_error_a_panic_is_500_and_silence_404() {
    assert_eq!(get("/fails"), (403, "403 Not for you.".to_owned()));
    assert_eq!(get("/panics"), (500, "500 Internal Server Error".to_owned()));
    assert_eq!(get("/silent"), (404, "404 Not Found".to_owned()));
    assert_eq!(get("/keyed"), (401, "401 A key is needed.".to_owned()));
}

#[test]
fn paths_are_built_from_handlers_and_checked_where_they_are_written() {
    assert_eq!(path!(pages::home), "/");
    assert_eq!(path!(pages::hello, "a b/ü"), "/hello/a%20b%2F%C3%BC");
    assert_eq!(path!(pages::file, "a/b c"), "/files/a/b%20c");
    assert_eq!(path!(posts::show, 17), "/posts/17");
    assert_eq!(path!(posts::index; page = 2, q = "a&b"), "/posts?page=2&q=a%26b");
    assert_eq!(path!("/posts/17"), "/posts/17");
}

#[test]
fn the_routes_can_be_listed() {
    let router = router();
    let routes: &[Route] = router.routes();
    assert_eq!(routes.len(), 14);
    let listing = router.listing();
    assert!(listing.contains("GET    /hello/:name   pages::hello    browser\n"), "{listing}");
    assert!(listing.contains("GET    /keyed         pages::home     browser, keyed\n"), "{listing}");
}
