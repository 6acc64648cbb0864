//! What keeps strangers out: forged requests, careful browsers, https, origins, proxies, passwords.

use simurgh_config::Secret;
use simurgh_test::{Http, get, post, put};
use simurgh_web::pages::Production;
use simurgh_web::{
    BasicAuth, CheckOrigin, Conn, Endpoint, ForceSsl, Form, Keys, Plug, ProtectFromForgery, SecureHeaders, Sessions,
    TrustedProxies, accepts, fetch_flash, fetch_session, method_override, protect_from_forgery, request_id, router,
    secure_headers,
};

use crate::case::{Stage, cases};

cases! {
    "security.csrf_refused": "a form without the session's token is 403" => csrf_refused;
    "security.csrf_by_field": "a form with the token in its field is let through, and can be read" => csrf_by_field;
    "security.csrf_by_header": "a request with the token in its header is let through" => csrf_by_header;
    "security.csrf_of_another": "the token of another session is refused" => csrf_of_another;
    "security.csrf_cross_site": "what the browser says is from another site is refused, token or not" => csrf_cross_site;
    "security.csrf_masked": "the token is masked anew each time, and each one counts" => csrf_masked;
    "security.csrf_clears": "instead of refusing, the session can be emptied" => csrf_clears;
    "security.script_for_others": "a script that another site asks for is refused" => script_for_others;
    "security.secure_headers": "browsers are told to be careful" => careful;
    "security.csp_nonce": "the policy has a nonce that is new for each request, and the page knows it" => csp_nonce;
    "security.secure_headers_options": "policy and headers can be others" => careful_options;
    "security.https_redirect": "http is sent on to https, with 301 or, keeping the method, 307" => https_redirect;
    "security.https_hosts": "hosts of this machine may be reached by http; no host is 400" => https_hosts;
    "security.hsts": "by https the browser is told to come by https only" => hsts;
    "security.origin": "pages of this origin and of those that are allowed may change things" => origin;
    "security.origin_refused": "pages of other origins, and null, may not" => origin_refused;
    "security.origin_websocket": "other origins may not open WebSockets either" => origin_websocket;
    "security.proxy": "a trusted proxy says address, scheme, host and port" => proxy;
    "security.proxy_chain": "of a chain of proxies only what the trusted ones said is believed" => proxy_chain;
    "security.proxy_forwarded": "the same by Forwarded (RFC 7239)" => proxy_forwarded;
    "security.proxy_untrusted": "others say nothing" => proxy_untrusted;
    "security.request_id": "each request has an id, its own or a new one" => ids;
    "security.method_override": "a form's _method is PUT, PATCH or DELETE" => overrides;
    "security.method_override_refused": "a GET, a query and other methods override nothing" => overrides_refused;
    "security.basic_auth": "name and password let in, others are asked for them" => basic;
}

async fn form(conn: &mut Conn) -> String {
    conn.csrf_token()
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
}

async fn save(_: &mut Conn, Form(named): Form<Named>) -> String {
    format!("saved {}", named.name)
}

async fn change(_: &mut Conn) -> &'static str {
    "changed"
}

async fn say_changed(conn: &mut Conn) {
    conn.text("changed");
}

async fn script(conn: &mut Conn) {
    conn.put_header("content-type", "text/javascript").text("secret()");
}

async fn user(conn: &mut Conn) -> String {
    conn.session().get::<String>("user").unwrap_or("nobody".to_owned())
}

async fn enter(conn: &mut Conn) -> simurgh_web::Result<&'static str> {
    conn.session_mut().put("user", "alice")?;
    Ok("entered")
}

async fn page(conn: &mut Conn) {
    let html = format!("<script nonce=\"{}\">welcome()</script>", conn.csp_nonce());
    conn.html(html);
}

router! {
    pipeline browser { accepts(["html", "js", "txt"]); fetch_session; fetch_flash; protect_from_forgery; secure_headers; }
    pipeline clearing { fetch_session; ProtectFromForgery::new().clear_session(); }

    scope "/" through browser {
        get "/" => form;
        post "/" => save;
        put "/" => change;
        get "/script" => script;
        get "/page" => page;
    }
    scope "/clearing" through clearing {
        get "/" => enter;
        post "/" => user;
    }
}

fn browser() -> Endpoint<impl Plug> {
    Endpoint::new((Sessions::cookie(Keys::random()), router())).pages(Production::new())
}

async fn token(http: &Http) -> String {
    http.get("/").await.text_response(200).to_owned()
}

const JSON: &str = "text/html;q=0.1, application/json";

async fn csrf_refused(stage: Stage) {
    let http = stage.http(browser()).await;
    token(&http).await;
    for token in ["", "x", "AAAA"] {
        let form = post("/").form(&[("name", "a"), ("_csrf_token", token)]).accept(JSON);
        http.send(form).await.assert_error(403, "invalid_csrf_token");
    }
    http.forget_cookies();
    http.send(put("/").accept(JSON)).await.assert_error(403, "invalid_csrf_token");
}

async fn csrf_by_field(stage: Stage) {
    let http = stage.http(browser()).await;
    let token = token(&http).await;
    let saved = http.send(post("/").form(&[("name", "a"), ("_csrf_token", &token)])).await;
    assert_eq!(saved.text_response(200), "saved a");
}

async fn csrf_by_header(stage: Stage) {
    let http = stage.http(browser()).await;
    let token = token(&http).await;
    assert_eq!(http.send(put("/").header("x-csrf-token", &token)).await.text_response(200), "changed");
}

async fn csrf_of_another(stage: Stage) {
    let http = stage.http(browser()).await;
    let others = token(&http).await;
    http.forget_cookies();
    token(&http).await;
    http.send(put("/").header("x-csrf-token", &others).accept(JSON)).await.assert_error(403, "invalid_csrf_token");
}

async fn csrf_cross_site(stage: Stage) {
    let http = stage.http(browser()).await;
    let token = token(&http).await;
    let request = |site| put("/").header("x-csrf-token", &token).header("sec-fetch-site", site).accept(JSON);
    http.send(request("cross-site")).await.assert_error(403, "invalid_csrf_token");
    http.send(request("same-origin")).await.assert_status(200);
}

async fn csrf_masked(stage: Stage) {
    let http = stage.http(browser()).await;
    let (one, other) = (token(&http).await, token(&http).await);
    assert_ne!(one, other);
    for token in [one, other] {
        http.send(put("/").header("x-csrf-token", &token)).await.assert_status(200);
    }
}

async fn csrf_clears(stage: Stage) {
    let http = stage.http(browser()).await;
    http.get("/clearing").await.assert_status(200);
    assert_eq!(http.send(post("/clearing")).await.text_response(200), "nobody");
}

async fn script_for_others(stage: Stage) {
    let http = stage.http(browser()).await;
    let refused = http.send(get("/script").accept(JSON)).await;
    refused.assert_error(403, "invalid_cross_origin_request");
    assert!(!refused.text().contains("secret()"));
    http.send(get("/script").header("x-requested-with", "XMLHttpRequest")).await.assert_body("secret()");
    http.send(get("/script").header("sec-fetch-site", "same-origin")).await.assert_body("secret()");
}

async fn careful(stage: Stage) {
    let http = stage.http(browser()).await;
    let answer = http.get("/page").await;
    answer
        .assert_header("x-content-type-options", "nosniff")
        .assert_header("referrer-policy", "strict-origin-when-cross-origin")
        .assert_header("x-permitted-cross-domain-policies", "none");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in ["default-src 'self'", "base-uri 'self'", "frame-ancestors 'self'", "object-src 'none'"] {
        assert!(policy.split("; ").any(|known| known.trim() == part), "{part} is not in {policy}");
    }
}

async fn csp_nonce(stage: Stage) {
    let http = stage.http(browser()).await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let answer = http.get("/page").await;
        let nonce = answer.html_response(200).split('"').nth(1).unwrap_or_default().to_owned();
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains(&format!("script-src 'self' 'nonce-{nonce}'")), "{nonce} is not in {policy}");
        nonces.push(nonce);
    }
    assert!(nonces[0] != nonces[1] && nonces[0].len() >= 22, "{nonces:?}");
}

async fn careful_options(stage: Stage) {
    let headers = SecureHeaders::new()
        .content_security_policy("default-src 'none'")
        .header("cross-origin-opener-policy", "same-origin")
        .without("x-permitted-cross-domain-policies");
    let http = stage.http(Endpoint::new((headers, page))).await;
    http.get("/")
        .await
        .assert_header("content-security-policy", "default-src 'none'")
        .assert_header("cross-origin-opener-policy", "same-origin")
        .assert_no_header("x-permitted-cross-domain-policies");
}

fn secure() -> Endpoint<impl Plug> {
    let proxies = TrustedProxies::new(["127.0.0.0/8"]).unwrap();
    Endpoint::new((proxies, ForceSsl::new().include_subdomains(), say_changed)).pages(Production::new())
}

async fn https_redirect(stage: Stage) {
    let http = stage.http(secure()).await;
    for (request, status) in [(get("/cart?page=2"), 301), (post("/cart?page=2"), 307)] {
        let answer = http.send(request.header("host", "shop.example")).await;
        assert_eq!(answer.assert_status(status).header("location"), Some("https://shop.example/cart?page=2"));
        answer.assert_no_header("strict-transport-security").assert_body("");
    }
}

async fn https_hosts(stage: Stage) {
    let http = stage.http(secure()).await;
    for host in ["localhost:4000", "127.0.0.1", "[::1]:4000"] {
        http.send(get("/").header("host", host)).await.assert_status(200);
    }
    if stage.has_connections() {
        return; // a server refuses what is no host before any plug sees it
    }
    http.send(get("/").header("host", "a b")).await.assert_status(400);
}

async fn hsts(stage: Stage) {
    let http = stage.http(secure()).await;
    let request = get("/").header("host", "shop.example").header("x-forwarded-proto", "https");
    let answer = http.send(request.header("x-forwarded-for", "203.0.113.7")).await;
    answer.assert_status(200).assert_header("strict-transport-security", "max-age=31536000; includeSubDomains");
}

fn origins() -> Endpoint<impl Plug> {
    let check = CheckOrigin::same_host().allow("https://polls.example").allow("//*.polls.example");
    Endpoint::new((check, say_changed)).pages(Production::new())
}

async fn origin(stage: Stage) {
    let http = stage.http(origins()).await;
    for origin in ["http://localhost", "https://polls.example", "http://www.polls.example:8080"] {
        http.send(post("/").header("origin", origin)).await.assert_status(200);
    }
    http.send(post("/")).await.assert_status(200);
    http.send(get("/").header("origin", "https://evil.example")).await.assert_status(200);
}

async fn origin_refused(stage: Stage) {
    let http = stage.http(origins()).await;
    for origin in ["https://evil.example", "http://polls.example", "https://localhost", "http://localhost:81", "null"] {
        let request = post("/").header("origin", origin).accept("application/json");
        http.send(request).await.assert_error(403, "origin_not_allowed");
    }
}

async fn origin_websocket(stage: Stage) {
    let http = stage.http(origins()).await;
    let request = get("/").header("upgrade", "websocket").header("connection", "upgrade");
    let request = request.header("origin", "https://evil.example").accept("application/json");
    http.send(request).await.assert_error(403, "origin_not_allowed");
}

fn who(conn: &Conn) -> String {
    let is_local = conn.remote_ip().is_loopback();
    let ip = if is_local { "local".to_owned() } else { conn.remote_ip().to_string() };
    format!("{ip} {} {} {}", conn.scheme(), conn.host().unwrap_or("-"), conn.port())
}

async fn say_who(conn: &mut Conn) {
    let text = who(conn);
    conn.text(text);
}

fn behind(proxies: TrustedProxies) -> Endpoint<impl Plug> {
    Endpoint::new((proxies, say_who))
}

async fn proxy(stage: Stage) {
    let http = stage.http(behind(TrustedProxies::new(["127.0.0.0/8"]).unwrap())).await;
    let request = get("/").header("x-forwarded-for", "203.0.113.7").header("x-forwarded-proto", "https");
    let request = request.header("x-forwarded-host", "shop.example:8443");
    assert_eq!(http.send(request).await.text_response(200), "203.0.113.7 https shop.example 8443");
    assert_eq!(http.get("/").await.text_response(200), "local http localhost 80");
}

async fn proxy_chain(stage: Stage) {
    let http = stage.http(behind(TrustedProxies::new(["127.0.0.0/8", "10.0.0.0/8"]).unwrap())).await;
    for (chain, ip) in [
        ("6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, nonsense", "local"),
    ] {
        let answer = http.send(get("/").header("x-forwarded-for", chain)).await;
        assert_eq!(answer.text_response(200).split(' ').next(), Some(ip), "{chain}");
    }
}

async fn proxy_forwarded(stage: Stage) {
    let http = stage.http(behind(TrustedProxies::new(["127.0.0.0/8"]).unwrap().forwarded())).await;
    let request = get("/").header("x-forwarded-for", "6.6.6.6");
    let request = request.header("forwarded", "for=\"[2001:db8::7]:4711\";proto=https;host=shop.example");
    assert_eq!(http.send(request).await.text_response(200), "2001:db8::7 https shop.example 443");
}

async fn proxy_untrusted(stage: Stage) {
    let http = stage.http(behind(TrustedProxies::new(["10.0.0.0/8"]).unwrap())).await;
    let request = get("/").header("x-forwarded-for", "6.6.6.6").header("x-forwarded-proto", "https");
    assert_eq!(http.send(request).await.text_response(200), "local http localhost 80");
}

async fn say_id(conn: &mut Conn) {
    let text = conn.request_id().unwrap_or_default().to_owned();
    conn.text(text);
}

async fn ids(stage: Stage) {
    let http = stage.http(Endpoint::new((request_id, say_id))).await;
    let came = "0190163d-8694-739b-aea5-966c26f8ad91";
    let answer = http.send(get("/").header("x-request-id", came)).await;
    answer.assert_header("x-request-id", came).assert_body(came);
    let mut made = Vec::new();
    for id in ["short", "", "with spaces, which no id may have"] {
        let answer = http.send(get("/").header("x-request-id", id)).await;
        let text = answer.text_response(200).to_owned();
        answer.assert_header("x-request-id", &text);
        assert_eq!((text.len(), &text[14..15]), (36, "7"), "{text}");
        made.push(text);
    }
    assert!(made[0] != made[1] && made[1] != made[2], "{made:?}");
}

async fn say_method(conn: &mut Conn) {
    let text = conn.method().to_string();
    conn.text(text);
}

async fn overrides(stage: Stage) {
    let http = stage.http(Endpoint::new((method_override, say_method))).await;
    for (given, method) in [("put", "PUT"), ("PATCH", "PATCH"), ("Delete", "DELETE")] {
        let answer = http.send(post("/").form(&[("_method", given), ("a", "b")])).await;
        assert_eq!(answer.text_response(200), method);
    }
}

async fn overrides_refused(stage: Stage) {
    let http = stage.http(Endpoint::new((method_override, say_method))).await;
    for (request, method) in [
        (post("/").form(&[("_method", "get")]), "POST"),
        (post("/").form(&[("_method", "connect")]), "POST"),
        (post("/?_method=delete"), "POST"),
        (get("/?_method=delete"), "GET"),
        (put("/").form(&[("_method", "delete")]), "PUT"),
    ] {
        assert_eq!(http.send(request).await.text_response(200), method);
    }
}

async fn basic(stage: Stage) {
    let auth = BasicAuth::new("admin", Secret::new("open sesame".to_owned())).realm("Dashboard");
    let http = stage.http(Endpoint::new((auth, say_changed)).pages(Production::new())).await;
    let with = |credentials: &str| get("/").header("authorization", credentials).accept("application/json");
    http.send(with("Basic YWRtaW46b3BlbiBzZXNhbWU=")).await.assert_status(200);
    for wrong in ["Basic YWRtaW46b3BlbiBzZXNhbQ==", "Basic !", "Bearer YWRtaW46b3BlbiBzZXNhbWU="] {
        let refused = http.send(with(wrong)).await;
        refused.assert_error(401, "unauthorized");
        refused.assert_header("www-authenticate", r#"Basic realm="Dashboard", charset="UTF-8""#);
    }
    http.get("/").await.assert_status(401);
}
