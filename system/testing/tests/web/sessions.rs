//! Sessions and flash: what is remembered, where, of whom and for how long.

use std::time::Duration;

use simurgh_config::Secret;
use simurgh_runtime::sleep;
use simurgh_test::{Http, get};
use simurgh_web::pages::Production;
use simurgh_web::{
    Conn, Endpoint, Keys, MemoryStore, Plug, Redirect, Result, Sessions, fetch_flash, fetch_session, router,
};

use crate::case::{Arm, Only, Stage, cases};

const DAYS: Only = Only { arms: &[Arm::Simulator], because: "it waits for days" };

cases! {
    "sessions.encrypted_cookie": "a session is remembered, and nobody can read its cookie" => encrypted;
    "sessions.signed_cookie": "a session that is signed only can be read, and not changed" => signed;
    "sessions.tampered_cookie": "a cookie that was changed is as none" => tampered;
    "sessions.cookie_attributes": "the cookie is HttpOnly and SameSite=Lax, and Secure by https" => attributes;
    "sessions.key_rotation": "a cookie of an older key is accepted and written anew under the current one" => rotation;
    "sessions.key_retired": "a cookie of a key that was taken away is as none" => retired;
    "sessions.store": "in a store, the cookie has an id and no values" => store;
    "sessions.store_renew": "renewed, a session has a new id, and the old one is worth nothing" => renew;
    "sessions.store_bound": "at the store's bound the session that was not used for longest makes room" => bound;
    "sessions.store_expiry": "a session that was not used for its time is gone" => expiry only DAYS;
    "sessions.cookie_expiry": "a cookie's session that is too old is as none" => cookie_expiry only DAYS;
    "sessions.dropped": "a session that is dropped is forgotten by browser and store" => dropped;
    "sessions.untouched": "a request that changes nothing sets no cookie" => untouched;
    "sessions.private": "an answer for which a session was fetched is for no shared cache" => private;
    "sessions.too_large": "a session that does not fit into a cookie is 500, and the former one stays" => too_large;
    "sessions.flash": "a flash is on the page after a redirect, once" => flash;
    "sessions.flash_redirects": "a flash outlives several redirects" => flash_redirects;
}

async fn put(conn: &mut Conn) -> Result<&'static str> {
    let value = conn.query_string().to_owned();
    conn.session_mut().put("value", value)?;
    Ok("put")
}

async fn value(conn: &mut Conn) -> String {
    conn.session().get::<String>("value").unwrap_or("none".to_owned())
}

async fn log_in(conn: &mut Conn) -> &'static str {
    conn.session_mut().renew();
    "in"
}

async fn log_out(conn: &mut Conn) -> &'static str {
    conn.drop_session();
    "out"
}

async fn fill(conn: &mut Conn) -> Result<&'static str> {
    conn.session_mut().put("filling", "x".repeat(5_000))?;
    Ok("full")
}

async fn save(conn: &mut Conn) -> Redirect {
    conn.put_flash("info", "Saved.");
    Redirect::see_other("/home")
}

async fn by_way_of(conn: &mut Conn) -> Redirect {
    conn.put_flash("info", "Moved.");
    Redirect::to("/further")
}

async fn further(_: &mut Conn) -> Redirect {
    Redirect::to("/home")
}

async fn home(conn: &mut Conn) -> String {
    format!("[{}]", conn.flash("info").unwrap_or_default())
}

router! {
    pipeline browser { fetch_session; fetch_flash; }

    scope "/" through browser {
        get "/put" => put;
        get "/get" => value;
        get "/in" => log_in;
        get "/out" => log_out;
        get "/fill" => fill;
        get "/save" => save;
        get "/by" => by_way_of;
        get "/further" => further;
        get "/home" => home;
    }
}

fn endpoint(sessions: Sessions) -> Endpoint<impl Plug> {
    Endpoint::new((sessions, router())).pages(Production::new())
}

fn secret() -> Secret<String> {
    Secret::new(Keys::generate_secret())
}

const NAME: &str = "_session";

async fn says(http: &Http, target: &str) -> String {
    http.get(target).await.assert_status(200).text().to_owned()
}

async fn encrypted(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    assert_eq!(says(&http, "/get").await, "none");
    says(&http, "/put?alice").await;
    assert_eq!(says(&http, "/get").await, "alice");
    assert!(!readable(&http).contains("alice"));
    http.forget_cookies();
    assert_eq!(says(&http, "/get").await, "none");
}

/// All that can be made of the cookie without its key: each of its parts, as it is and out of base64.
fn readable(http: &Http) -> String {
    use base64::Engine as _;
    let cookie = http.cookie(NAME).unwrap();
    let decode = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let parts = cookie.split('.').map(|part| String::from_utf8_lossy(&decode(part)).into_owned());
    parts.collect::<String>() + &cookie
}

async fn signed(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()).signed())).await;
    says(&http, "/put?alice").await;
    assert!(readable(&http).contains("alice"), "{}", readable(&http));
    assert_eq!(says(&http, "/get").await, "alice");
    tamper(&http);
    assert_eq!(says(&http, "/get").await, "none");
}

/// Changes one letter in the middle of the cookie.
fn tamper(http: &Http) {
    let mut cookie = http.cookie(NAME).unwrap().into_bytes();
    let middle = cookie.len() / 2;
    cookie[middle] = if cookie[middle] == b'A' { b'B' } else { b'A' };
    http.put_cookie(NAME, &String::from_utf8(cookie).unwrap());
}

async fn tampered(stage: Stage) {
    let keys = Keys::random();
    for sessions in [Sessions::cookie(keys.clone()), Sessions::stored(keys, MemoryStore::new())] {
        let http = stage.http(endpoint(sessions)).await;
        says(&http, "/put?alice").await;
        tamper(&http);
        assert_eq!(says(&http, "/get").await, "none");
        for cookie in ["", "x", "a.b.c", "%00"] {
            http.put_cookie(NAME, cookie);
            assert_eq!(says(&http, "/get").await, "none", "{cookie}");
        }
    }
}

async fn attributes(stage: Stage) {
    async fn by_https(conn: &mut Conn) {
        if conn.header("x-https").is_some() {
            conn.set_scheme("https");
        }
    }
    let endpoint =
        Endpoint::new((by_https, Sessions::cookie(Keys::random()).max_age(Duration::from_hours(1)), router()));
    let http = stage.http(endpoint).await;
    let set = |answer: &simurgh_test::Answer| {
        let cookie = answer.header("set-cookie").unwrap_or_default().to_owned();
        cookie.split_once("; ").map(|(_, attributes)| attributes.to_owned()).unwrap_or_default()
    };
    assert_eq!(set(&http.get("/put?a").await), "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    let https = set(&http.send(get("/put?b").header("x-https", "1")).await);
    assert!(https.split("; ").any(|attribute| attribute == "Secure"), "{https}");
}

async fn rotation(stage: Stage) {
    let (old, new) = (secret(), secret());
    let before = stage.http(endpoint(Sessions::cookie(Keys::new(&old).unwrap()))).await;
    says(&before, "/put?alice").await;
    let cookie = before.cookie(NAME).unwrap();

    let both = Keys::new(&new).unwrap().also(&old).unwrap();
    let during = stage.http(endpoint(Sessions::cookie(both))).await;
    during.put_cookie(NAME, &cookie);
    assert_eq!(says(&during, "/get").await, "alice");
    let rewritten = during.cookie(NAME).unwrap();
    assert_ne!(rewritten, cookie);

    let after = stage.http(endpoint(Sessions::cookie(Keys::new(&new).unwrap()))).await;
    after.put_cookie(NAME, &rewritten);
    assert_eq!(says(&after, "/get").await, "alice");
}

async fn retired(stage: Stage) {
    let before = stage.http(endpoint(Sessions::cookie(Keys::new(&secret()).unwrap()))).await;
    says(&before, "/put?alice").await;
    let after = stage.http(endpoint(Sessions::cookie(Keys::new(&secret()).unwrap()))).await;
    after.put_cookie(NAME, &before.cookie(NAME).unwrap());
    assert_eq!(says(&after, "/get").await, "none");
}

async fn store(stage: Stage) {
    let store = MemoryStore::new();
    let http = stage.http(endpoint(Sessions::stored(Keys::random(), store.clone()))).await;
    says(&http, &format!("/put?{}", "x".repeat(6_000))).await;
    let cookie = http.cookie(NAME).unwrap();
    assert!(store.len() == 1 && cookie.len() < 200, "{cookie}");
    says(&http, "/put?alice").await;
    assert_eq!((says(&http, "/get").await.as_str(), http.cookie(NAME)), ("alice", Some(cookie)));
    assert_eq!(store.len(), 1);
}

async fn renew(stage: Stage) {
    let store = MemoryStore::new();
    let http = stage.http(endpoint(Sessions::stored(Keys::random(), store.clone()))).await;
    says(&http, "/put?alice").await;
    let old = http.cookie(NAME).unwrap();
    says(&http, "/in").await;
    let new = http.cookie(NAME).unwrap();
    assert_ne!(old, new);
    assert_eq!(says(&http, "/get").await, "alice");
    http.put_cookie(NAME, &old);
    assert_eq!(says(&http, "/get").await, "none");
}

async fn bound(stage: Stage) {
    let store = MemoryStore::bounded(2);
    let http = stage.http(endpoint(Sessions::stored(Keys::random(), store.clone()))).await;
    let mut cookies = Vec::new();
    for name in ["a", "b", "c"] {
        says(&http, &format!("/put?{name}")).await;
        cookies.push(http.cookie(NAME).unwrap());
        http.forget_cookies();
    }
    assert_eq!((store.len(), store.evicted()), (2, 1));
    for (cookie, value) in cookies.iter().zip(["none", "b", "c"]) {
        http.put_cookie(NAME, cookie);
        assert_eq!(says(&http, "/get").await, value);
    }
}

async fn expiry(stage: Stage) {
    let day = Duration::from_hours(24);
    let store = MemoryStore::new();
    let http = stage.http(endpoint(Sessions::stored(Keys::random(), store.clone()).max_age(2 * day))).await;
    says(&http, "/put?alice").await;
    let cookie = http.cookie(NAME).unwrap();
    for (wait, value) in [(Duration::from_hours(20), "alice"), (Duration::from_hours(29), "none")] {
        sleep(wait).await;
        http.put_cookie(NAME, &cookie);
        assert_eq!(says(&http, "/get").await, value);
    }
}

async fn cookie_expiry(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    says(&http, "/put?alice").await;
    let cookie = http.cookie(NAME).unwrap();
    for (days, value) in [(13, "alice"), (2, "none")] {
        sleep(Duration::from_hours(24 * days)).await;
        http.put_cookie(NAME, &cookie);
        assert_eq!(says(&http, "/get").await, value);
    }
}

async fn dropped(stage: Stage) {
    let store = MemoryStore::new();
    let http = stage.http(endpoint(Sessions::stored(Keys::random(), store.clone()))).await;
    says(&http, "/put?alice").await;
    let cookie = http.cookie(NAME).unwrap();
    says(&http, "/out").await;
    assert_eq!((http.cookie(NAME), store.len()), (None, 0));
    http.put_cookie(NAME, &cookie);
    assert_eq!(says(&http, "/get").await, "none");
}

async fn untouched(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    http.get("/get").await.assert_status(200).assert_no_header("set-cookie");
    says(&http, "/put?alice").await;
    http.get("/get").await.assert_no_header("set-cookie");
    http.get("/put?alice").await.assert_no_header("set-cookie");
}

async fn private(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    http.get("/get").await.assert_header("cache-control", "max-age=0, private, must-revalidate");
}

async fn too_large(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    says(&http, "/put?alice").await;
    http.get("/fill").await.assert_status(500).assert_no_header("set-cookie");
    assert_eq!(says(&http, "/get").await, "alice");
}

async fn flash(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    let saved = http.get("/save").await;
    assert_eq!(http.follow(&saved).await.text_response(200), "[Saved.]");
    assert_eq!(says(&http, "/home").await, "[]");
}

async fn flash_redirects(stage: Stage) {
    let http = stage.http(endpoint(Sessions::cookie(Keys::random()))).await;
    let first = http.get("/by").await;
    let second = http.follow(&first).await;
    assert_eq!(http.follow(&second).await.text_response(200), "[Moved.]");
    assert_eq!(says(&http, "/home").await, "[]");
}
