//! Section 3: the order of what is checked, and the answers.

use simurgh_channels::{CheckOrigin, SocketOptions, Vsn};
use simurgh_http::client::Connection;
use simurgh_http::ws;
use simurgh_http::{Body, Request};

use crate::app::{App, Client, run};

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn request(method: &str, query: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = http::Request::builder().method(method).uri(format!("/socket/websocket?{query}"));
    for (name, value) in [("host", "chat.example:4000")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// The status, the body, and the sub-protocol.
async fn answer(app: &App, request: Request) -> (u16, String, Option<String>) {
    let mut connection = Connection::connect(app.addr()).await.unwrap();
    let response = connection.send(request).await.unwrap();
    let protocol = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = if status == 101 { bytes::Bytes::new() } else { response.into_body().collect(10_000).await.unwrap() };
    (status, String::from_utf8(body.to_vec()).unwrap(), protocol)
}

async fn status(app: &App, query: &str, headers: &[(&str, &str)]) -> u16 {
    answer(app, request("GET", query, &[&UPGRADE, headers].concat())).await.0
}

#[test]
fn every_refusal_has_its_answer() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        for (method, query, headers, status, body) in [
            ("GET", "vsn=2.0.0", &UPGRADE[..], 101, ""),
            ("GET", "", &UPGRADE, 101, ""),
            ("GET", "a=1&token=&vsn=2.0.0&", &UPGRADE, 101, ""),
            ("POST", "vsn=2.0.0", &UPGRADE, 400, ""),
            ("GET", "vsn=3.0.0", &UPGRADE, 403, ""),
            ("GET", "vsn=x", &UPGRADE, 403, ""),
            ("GET", "vsn[]=2.0.0", &UPGRADE, 403, ""),
            ("GET", "vsn=2.0.0&refuse=silently", &UPGRADE, 403, ""),
            ("GET", "vsn=2.0.0&refuse=too%20many", &UPGRADE, 429, "too many"),
            // refused before it is looked at whether it is a handshake at all
            ("GET", "vsn=2.0.0&refuse=silently", &[], 403, ""),
            ("GET", "vsn=9", &[], 403, ""),
        ] {
            let (got, text, _) = answer(&app, request(method, query, headers)).await;
            assert_eq!((got, text.as_str()), (status, body), "{method} {query} {headers:?}");
        }
        for missing in 0..UPGRADE.len() {
            let mut headers = UPGRADE.to_vec();
            headers.remove(missing);
            let (status, text, _) = answer(&app, request("GET", "vsn=2.0.0", &headers)).await;
            assert_eq!(status, 400, "{headers:?}");
            assert!(!text.is_empty());
        }
        let only = App::start(SocketOptions { versions: vec![Vsn::V2], ..SocketOptions::default() }).await;
        assert_eq!((status(&only, "vsn=1.0.0", &[]).await, status(&only, "vsn=2.0.1", &[]).await), (403, 101));
    });
}

#[test]
fn origins_are_checked_as_the_mode_says() {
    run(async {
        let list = || CheckOrigin::list(["https://shop.example", "//any.example:888", "//*.below.example"]);
        for (check, origin, allowed) in [
            (CheckOrigin::default(), "https://chat.example", true),
            (CheckOrigin::default(), "http://CHAT.example:9999", true),
            (CheckOrigin::default(), "https://evil.example", false),
            (CheckOrigin::default(), "null", false),
            (CheckOrigin::default(), "https://chat.example.evil.example", false),
            (CheckOrigin::host("Shop.example"), "http://shop.example", true),
            (CheckOrigin::host("shop.example"), "http://chat.example", false),
            (CheckOrigin::Conn, "http://chat.example:4000", true),
            (CheckOrigin::Conn, "https://chat.example:4000", false),
            (CheckOrigin::Conn, "http://chat.example", false),
            (CheckOrigin::Conn, "null", false),
            (list(), "https://shop.example", true),
            (list(), "https://shop.example:443", true),
            (list(), "https://shop.example:444", false),
            (list(), "http://shop.example", false),
            (list(), "http://any.example:888", true),
            (list(), "https://any.example:888", true),
            (list(), "https://any.example", false),
            (list(), "https://a.b.below.example", true),
            (list(), "https://below.example:1", true),
            (list(), "https://notbelow.example", false),
            (list(), "null", false),
            (CheckOrigin::custom(|uri| uri.host() == Some("x.example")), "https://x.example", true),
            (CheckOrigin::custom(|uri| uri.host() == Some("x.example")), "https://y.example", false),
            (CheckOrigin::Off, "https://evil.example", true),
            (CheckOrigin::Off, "null", true),
        ] {
            let words = format!("{check:?} {origin}");
            let app = App::start(SocketOptions { check_origin: check, ..SocketOptions::default() }).await;
            let want = if allowed { 101 } else { 403 };
            assert_eq!(status(&app, "vsn=2.0.0", &[("origin", origin)]).await, want, "{words}");
        }
        let app = App::start(SocketOptions::default()).await;
        let two = [("origin", "http://chat.example"), ("origin", "http://evil.example")];
        assert_eq!(status(&app, "vsn=2.0.0", &two).await, 403);
    });
}

#[test]
fn sub_protocols_and_the_token_among_them() {
    run(async {
        let plain = App::start(SocketOptions::default()).await;
        let listed = SocketOptions { protocols: vec!["v2.chat".into(), "chat".into()], ..SocketOptions::default() };
        let listed = App::start(listed).await;
        let token = App::start(SocketOptions { auth_token: true, ..SocketOptions::default() }).await;
        for (app, offered, status, chosen) in [
            (&plain, "phoenix,base64url.bearer.phx.dG9r", 101, None), // left alone, and nothing echoed
            (&listed, "other, chat, v2.chat", 101, Some("v2.chat")),
            (&listed, "other", 403, None),
            (&token, "phoenix,base64url.bearer.phx.dG9r", 101, Some("phoenix")),
            (&token, "phoenix, base64url.bearer.phx.Pz8/Pj4+", 101, Some("phoenix")),
            (&token, "phoenix, base64url.bearer.phx.Pz8_Pj4-", 101, Some("phoenix")),
            (&token, "phoenix, base64url.bearer.phx.!!", 400, None),
            (&token, "base64url.bearer.phx.dG9r", 101, None),
            (&token, "other, base64url.bearer.phx.dG9r", 403, None),
        ] {
            let headers = [&UPGRADE[..], &[("sec-websocket-protocol", offered)]].concat();
            let (got, _, protocol) = answer(app, request("GET", "vsn=2.0.0", &headers)).await;
            assert_eq!((got, protocol.as_deref()), (status, chosen), "{offered}");
        }
        assert_eq!(status(&listed, "vsn=2.0.0", &[]).await, 101);
    });
}

/// What `connect` is told of a request with these headers.
async fn told(app: &App, query: &str, headers: &[(&'static str, String)]) -> serde_json::Value {
    let uri = format!("ws://{}/socket/websocket?vsn=2.0.0&{query}", app.addr());
    let options = ws::Options::default().protocols(&["phoenix", "base64url.bearer.phx.dG9r"]);
    let change = |request: &mut Request| {
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
    };
    let mut client = Client { socket: ws::connect_with(&uri, &options, change).await.unwrap() };
    client.send(r#"["1","1","picky:told","phx_join",{}]"#).await;
    let Ok(Some(message)) = client.message().await else { panic!("a reply") };
    let reply: serde_json::Value = serde_json::from_slice(message.as_bytes()).unwrap();
    assert_eq!(reply[4]["status"], "ok", "{reply}");
    reply[4]["response"].clone()
}

#[test]
fn connect_is_told_what_it_may_know() {
    run(async {
        let options = SocketOptions { auth_token: true, session: true, ..SocketOptions::default() };
        let app = App::start(options.clone()).await;
        let mut connection = Connection::connect(app.addr()).await.unwrap();
        let login = http::Request::get("/login").header("host", "x").body(Body::empty()).unwrap();
        let response = connection.send(login).await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let token = String::from_utf8(response.into_body().collect(1_000).await.unwrap().to_vec()).unwrap();
        let headers = [("x-app", "yes".to_owned()), ("user-agent", "me".to_owned()), ("cookie", cookie.clone())];

        let seen = told(&app, "n[k]=v&l[]=1&_csrf_token=wrong", &headers).await;
        assert_eq!((&seen["token"], &seen["x"], &seen["agent"]), (&"tok".into(), &"yes".into(), &"me".into()));
        assert_eq!((&seen["cookie"], &seen["user"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert_eq!((&seen["params"]["n"]["k"], &seen["params"]["l"][0]), (&"v".into(), &"1".into()));
        assert_eq!(told(&app, &format!("_csrf_token={token}"), &headers).await["user"], "alice");
        assert_eq!(told(&app, &format!("_csrf_token={token}"), &[]).await["user"], serde_json::Value::Null);
    });
}

#[test]
#[should_panic(expected = "check_origin and check_csrf are off together")]
fn a_session_without_any_check_is_refused_at_the_start() {
    let open =
        SocketOptions { session: true, check_csrf: false, check_origin: CheckOrigin::Off, ..SocketOptions::default() };
    run(async move {
        App::start(open).await;
    });
}
