//! Who asks, from where, and by which way.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use simurgh_config::Secret;
use simurgh_web::{
    BasicAuth, CheckOrigin, Client, Conn, Endpoint, ForceSsl, HOPS_MAX, Plug, RequestId, SecureHeaders, TrustedProxies,
    accepts, parse_basic_auth, request_id, test,
};
use support::{Answer, Browser};

async fn who(conn: &mut Conn) {
    let host = conn.host().unwrap_or("-");
    let text = format!("{} {}://{host}:{}", conn.remote_ip(), conn.scheme(), conn.port());
    conn.text(text);
}

async fn ok(conn: &mut Conn) {
    conn.text("ok");
}

fn sent(plug: impl Plug, method: Method, target: &str, headers: &[(&'static str, &str)]) -> Answer {
    answered(Endpoint::new((plug, ok)), method, target, headers)
}

fn answered(endpoint: Endpoint<impl Plug>, method: Method, target: &str, headers: &[(&'static str, &str)]) -> Answer {
    let target = target.to_owned();
    let headers: Vec<(&'static str, String)> =
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    simurgh_runtime::run("test", async move {
        let headers: Vec<(&'static str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Browser::default().send(&endpoint, method, &target, &headers, "").await
    })
}

/// What the server thinks of a request from this peer.
fn seen(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> String {
    let mut request = test::request(Method::GET, "/", "");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header, an address");
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header, an address"));
    }
    let client = Client::test(SocketAddr::new(peer.parse().expect("a header, an address"), 1));
    let endpoint = Endpoint::new((proxies.clone(), who));
    simurgh_runtime::run("test", async move { test::text(endpoint.answer(request, &client).await).await })
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32"]).unwrap();
    let (xff, proto, host, port) = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port");
    for (peer, headers, is) in [
        ("10.0.0.1", vec![(xff, "203.0.113.7")], "203.0.113.7 http://localhost:80"),
        ("203.0.113.9", vec![(xff, "1.1.1.1"), (proto, "https"), (host, "evil")], "203.0.113.9 http://localhost:80"),
        ("10.0.0.1", vec![], "10.0.0.1 http://localhost:80"),
        // what the client has made up stands to the left
        ("10.0.0.1", vec![(xff, "1.1.1.1, 203.0.113.7, 10.0.0.2")], "203.0.113.7 http://localhost:80"),
        ("10.0.0.1", vec![(xff, "1.1.1.1"), (xff, "203.0.113.7")], "203.0.113.7 http://localhost:80"),
        // only proxies: the farthest
        ("10.0.0.1", vec![(xff, "10.0.0.3, 10.0.0.2")], "10.0.0.3 http://localhost:80"),
        // what cannot be read ends the chain
        ("10.0.0.1", vec![(xff, "1.1.1.1, unknown, 10.0.0.2")], "10.0.0.2 http://localhost:80"),
        ("10.0.0.1", vec![(xff, "1.1.1.1, \u{e4}")], "10.0.0.1 http://localhost:80"),
        ("10.0.0.1", vec![(xff, "[2001:db8::9]:1, [2001:db9::1]:80")], "2001:db9::1 http://localhost:80"),
        ("2001:db8::5", vec![(xff, "203.0.113.7")], "203.0.113.7 http://localhost:80"),
        ("::ffff:10.0.0.1", vec![(xff, "203.0.113.7")], "203.0.113.7 http://localhost:80"),
        // scheme, host and port
        (
            "10.0.0.1",
            vec![(xff, "203.0.113.7"), (proto, "HTTPS"), (host, "shop.example")],
            "203.0.113.7 https://shop.example:443",
        ),
        ("10.0.0.1", vec![(proto, "https")], "10.0.0.1 https://localhost:443"),
        ("10.0.0.1", vec![(host, "shop.example:8443")], "10.0.0.1 http://shop.example:8443"),
        ("10.0.0.1", vec![(host, "shop.example"), (port, "8443")], "10.0.0.1 http://shop.example:8443"),
        ("10.0.0.1", vec![(host, "a@b"), (proto, "javascript"), (port, "99999")], "10.0.0.1 http://localhost:80"),
        // as many as addresses: those of the same proxy; else those of the nearest
        (
            "10.0.0.1",
            vec![(xff, "6.6.6.6, 203.0.113.7, 10.0.0.2"), (proto, "x, https, http")],
            "203.0.113.7 https://localhost:443",
        ),
        ("10.0.0.1", vec![(xff, "203.0.113.7, 10.0.0.2"), (proto, "x, x, https")], "203.0.113.7 https://localhost:443"),
        // the other kind of header is the client's
        ("10.0.0.1", vec![("forwarded", "for=1.1.1.1;proto=https")], "10.0.0.1 http://localhost:80"),
    ] {
        assert_eq!(seen(&proxies, peer, &headers), is, "{peer} {headers:?}");
    }
    let long = vec!["10.0.0.2"; HOPS_MAX + 10].join(",");
    assert_eq!(seen(&proxies, "10.0.0.1", &[(xff, &format!("1.1.1.1,{long}"))]), "10.0.0.2 http://localhost:80");
}

#[test]
fn the_header_of_the_rfc_is_read_if_one_says_so() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().forwarded();
    for (header, is) in [
        ("for=203.0.113.7", "203.0.113.7 http://localhost:80"),
        (
            "for=1.1.1.1, for=203.0.113.7;proto=https;host=\"shop.example:8443\", for=10.0.0.2",
            "203.0.113.7 https://shop.example:8443",
        ),
        ("for=\"[2001:db8::1]:99\";proto=https", "2001:db8::1 https://localhost:443"),
        ("for=_hidden;proto=https", "10.0.0.1 https://localhost:443"),
        ("for=1.1.1.1, for=\"203.0.113.7", "10.0.0.1 http://localhost:80"),
        ("", "10.0.0.1 http://localhost:80"),
    ] {
        assert_eq!(
            seen(&proxies, "10.0.0.1", &[("forwarded", header), ("x-forwarded-for", "6.6.6.6")]),
            is,
            "{header}"
        );
    }
    assert_eq!(
        TrustedProxies::new(["10.0.0.0/8", "proxy"]).unwrap_err().to_string(),
        "\"proxy\" is not a network: an address, or an address and how many bits count, as in 10.0.0.0/8"
    );
}

#[test]
fn nobody_is_sent_to_a_host_that_is_none() {
    let with_host = |host: &[u8]| {
        let mut request = test::request(Method::GET, "/", "");
        request.headers_mut().insert("host", HeaderValue::from_bytes(host).expect("a header"));
        simurgh_runtime::run("test", async move {
            let response = test::send(&Endpoint::new((ForceSsl::new(), ok)), request).await;
            (response.status().as_u16(), response.headers().contains_key("location"))
        })
    };
    for host in ["", "a@b", "a b", "a/b", "a?b", "[::1"] {
        assert_eq!(with_host(host.as_bytes()), (400, false), "{host}");
    }
    assert_eq!(with_host(b"\xff"), (400, false));
    assert_eq!(with_host(b"a.example:8080"), (301, true));
}

/// Says that it came by https.
async fn by_https(conn: &mut Conn) {
    conn.set_scheme("https");
}

#[test]
fn http_is_sent_to_https() {
    let ssl = ForceSsl::new;
    for (plug, method, target, status, location) in [
        (ssl(), Method::GET, "http://a.example/x?y=1", 301, "https://a.example/x?y=1"),
        (ssl(), Method::HEAD, "http://a.example:8080/", 301, "https://a.example/"),
        (ssl(), Method::POST, "http://a.example//b.example/", 307, "https://a.example//b.example/"),
        (ssl().host("b.example:8443"), Method::GET, "http://a.example/", 301, "https://b.example:8443/"),
        (ssl(), Method::GET, "http://[2001:db8::1]/", 301, "https://[2001:db8::1]/"),
    ] {
        let answer = sent(plug, method, target, &[]);
        assert_eq!((answer.status, answer.one("location")), (status, location));
        assert!(answer.all("strict-transport-security").is_empty(), "by http it is not believed");
    }
    for (plug, target) in [
        (ssl(), "http://localhost/"),
        (ssl(), "http://LOCALHOST:4000/"),
        (ssl(), "http://[::1]/"),
        (ssl().exclude("health.internal"), "http://health.internal/"),
    ] {
        assert_eq!(sent(plug, Method::GET, target, &[]).text, "ok");
    }
}

#[test]
fn https_is_asked_for_from_now_on() {
    let hsts = |ssl: ForceSsl, target: &str| {
        let answer = sent((by_https, ssl), Method::GET, target, &[]);
        assert_eq!(answer.text, "ok");
        answer.all("strict-transport-security").join("|")
    };
    let day = Duration::from_hours(24);
    assert_eq!(hsts(ForceSsl::new(), "http://a.example/"), "max-age=31536000");
    assert_eq!(
        hsts(ForceSsl::new().max_age(day).include_subdomains(), "http://a.example/"),
        "max-age=86400; includeSubDomains"
    );
    let preloaded = ForceSsl::new().include_subdomains().preload();
    assert_eq!(hsts(preloaded, "http://a.example/"), "max-age=31536000; includeSubDomains; preload");
    assert_eq!(hsts(ForceSsl::new(), "http://localhost/"), "");
}

#[test]
#[should_panic(expected = "a host is preloaded for a year or more and with all below it")]
fn a_host_is_not_preloaded_for_a_day() {
    let _ = ForceSsl::new().max_age(Duration::from_hours(24)).include_subdomains().preload();
}

#[test]
fn pages_of_other_sites_change_nothing_and_open_no_socket() {
    let check = CheckOrigin::same_host;
    let websocket = [("upgrade", "websocket"), ("connection", "upgrade")];
    for (method, target, headers, status) in [
        (Method::POST, "/", vec![], 200),
        (Method::POST, "/", vec![("origin", "http://localhost")], 200),
        (Method::POST, "/", vec![("origin", "http://localhost:80")], 200),
        (Method::POST, "http://localhost:4000/", vec![("origin", "http://localhost:4000")], 200),
        (Method::POST, "http://localhost:4000/", vec![("origin", "http://localhost")], 403),
        (Method::DELETE, "/", vec![("origin", "https://localhost")], 403),
        (Method::POST, "/", vec![("origin", "http://evil.example")], 403),
        (Method::POST, "/", vec![("origin", "null")], 403),
        (Method::POST, "/", vec![("origin", "")], 403),
        (Method::POST, "/", vec![("origin", "http://localhost"), ("origin", "http://evil.example")], 403),
        (Method::GET, "/", vec![("origin", "http://evil.example")], 200),
        (Method::GET, "/", vec![websocket[0], websocket[1], ("origin", "http://localhost")], 200),
        (Method::GET, "/", vec![websocket[0], websocket[1], ("origin", "http://evil.example")], 403),
        (Method::GET, "/", vec![("upgrade", "h2c, WebSocket"), ("origin", "http://evil.example")], 403),
    ] {
        assert_eq!(sent(check(), method, target, &headers).status, status, "{target} {headers:?}");
    }
    let polls = || CheckOrigin::only().allow("https://polls.example");
    assert_eq!(sent(polls(), Method::POST, "/", &[("origin", "https://polls.example")]).status, 200);
    assert_eq!(sent(polls(), Method::POST, "/", &[("origin", "http://localhost")]).status, 403);
}

#[test]
fn a_request_has_one_id() {
    let id = |plug: RequestId, came: &str| {
        sent(plug, Method::GET, "/", &[("x-request-id", came)]).one("x-request-id").to_owned()
    };
    let good = "0123456789abcdefABCDEF+-./=_";
    assert_eq!(id(RequestId::new(), good), good);
    assert_ne!(id(RequestId::new().always_new(), good), good);
    for bad in ["short", &"x".repeat(201), "0123456789 0123456789", "0123456789;0123456789", ""] {
        let new = id(RequestId::new(), bad);
        assert!(new != bad && new.len() == 36, "{bad}: {new}");
    }
    let answer =
        sent(RequestId::new().header("x-trace"), Method::GET, "/", &[("x-trace", good), ("x-request-id", "short")]);
    assert_eq!((answer.one("x-trace"), answer.all("x-request-id").len()), (good, 0));
    assert_ne!(
        sent(request_id, Method::GET, "/", &[]).one("x-request-id"),
        sent(request_id, Method::GET, "/", &[]).one("x-request-id")
    );
}

#[test]
fn who_knows_the_password_gets_in() {
    let auth = || BasicAuth::new("Aladdin", Secret::new("open:sesame \u{e4}".to_owned())).realm(r#"The "cave" \o/"#);
    let header = |text: &str| {
        use base64::Engine as _;
        format!("basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    for (given, status) in [
        (header("Aladdin:open:sesame \u{e4}"), 200),
        (header("Aladdin:open:sesame"), 401),
        (header("aladdin:open:sesame \u{e4}"), 401),
        (header("Aladdin"), 401),
        (header(""), 401),
        (header(":"), 401),
        (header("Aladdin:open:sesame \u{e4}\n"), 401),
        ("Basic".into(), 401),
        ("Basic !!!!".into(), 401),
        ("Bearer QWxhZGRpbjpvcGVu".into(), 401),
    ] {
        let answer = sent(auth(), Method::GET, "/", &[("authorization", &given)]);
        assert_eq!(answer.status, status, "{given}");
        let challenge = answer.all("www-authenticate");
        let expected = if status == 401 { vec![r#"Basic realm="The \"cave\" \\o/", charset="UTF-8""#] } else { vec![] };
        assert_eq!(challenge, expected);
    }
    assert_eq!(format!("{:?}", auth()).matches("sesame").count(), 0);
}

proptest::proptest! {
    #[test]
    fn any_authorization_is_read(text in ".{0,60}", encoded in "(?i:basic) [A-Za-z0-9+/]{0,40}={0,3}") {
        let _ = parse_basic_auth(&text);
        if let Some((name, _)) = parse_basic_auth(&encoded) {
            proptest::prop_assert!(!name.contains(':'));
        }
    }
}

#[test]
fn headers_can_be_chosen() {
    let chosen = SecureHeaders::new()
        .content_security_policy("script-src 'nonce-{nonce}'")
        .header("referrer-policy", "no-referrer")
        .without("x-permitted-cross-domain-policies");
    let answer = sent(chosen, Method::GET, "/", &[]);
    assert_eq!(answer.one("x-content-type-options"), "nosniff");
    assert_eq!(answer.one("referrer-policy"), "no-referrer");
    assert!(answer.all("x-permitted-cross-domain-policies").is_empty());
    let policy = answer.one("content-security-policy");
    assert!(policy.starts_with("script-src 'nonce-") && policy.len() == "script-src 'nonce-'".len() + 22, "{policy}");
    let answer = sent(SecureHeaders::new().content_security_policy(""), Method::GET, "/", &[]);
    assert!(answer.all("content-security-policy").is_empty());
    let policy = || sent(SecureHeaders::new(), Method::GET, "/", &[]).one("content-security-policy").to_owned();
    assert_ne!(policy(), policy(), "each page has a nonce of its own");
    assert!(policy().starts_with("default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; "));
}

#[test]
fn a_format_is_chosen_by_header_and_query() {
    async fn format(conn: &mut Conn) {
        let text = conn.format().unwrap_or("-");
        conn.text(text);
    }
    let asked = |target: &str, headers: &[(&'static str, &str)]| {
        answered(Endpoint::new((accepts(["html", "json"]), format)), Method::GET, target, headers)
    };
    assert_eq!(asked("/", &[]).text, "html");
    assert_eq!(asked("/", &[("accept", "image/*"), ("accept", "application/json")]).text, "json");
    assert_eq!(asked("/?_format=json", &[("accept", "text/html")]).text, "json");
    let refused = asked("/?_format=pdf", &[]);
    assert_eq!((refused.status, refused.one("vary")), (406, "accept"));
    let answer = sent(accepts(["json"]), Method::GET, "/", &[("accept", "text/html")]);
    assert_eq!((answer.status, answer.all("vary").len()), (406, 0));
    assert_eq!(answer.text, "406 This is to be had as application/json only.");
}
