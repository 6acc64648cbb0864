//! Sessions: what is remembered, of whom, and for how long.

mod support;

use std::time::Duration;

use http::Method;
use simurgh_runtime::sleep;
use simurgh_sim::Sim;
use simurgh_web::{
    Conn, Endpoint, Error, Keys, MemoryStore, Pages, Plug, Result, SameSite, SessionError, SessionId, SessionStore,
    Sessions, StoreError, fetch_session, session_store_contract,
};
use support::{Answer, Browser};

/// Does what the path says, word for word, and answers with what it got.
async fn act(conn: &mut Conn) -> Result {
    let words: Vec<String> = conn.path_segments().map(str::to_owned).collect();
    let mut words = words.iter().map(String::as_str);
    let mut got = Vec::new();
    while let Some(word) = words.next() {
        let mut next = || words.next().expect("a word follows");
        match word {
            "put" => drop(conn.session_mut().put(next(), next())?),
            "get" => got.push(conn.session().get::<String>(next()).unwrap_or_else(|| "-".to_owned())),
            "delete" => drop(conn.session_mut().delete(next())),
            "fill" => {
                let len = next().parse()?;
                conn.session_mut().put("filling", "x".repeat(len))?;
            }
            "clear" => drop(conn.session_mut().clear()),
            "renew" => drop(conn.session_mut().renew()),
            "drop" => conn.drop_session(),
            "wait" => sleep(Duration::from_millis(next().parse()?)).await,
            "fail" => return Err(Error::forbidden("no", "No.")),
            "panic" => panic!("as planned"),
            other => panic!("what is {other}?"),
        }
    }
    conn.text(got.join(" "));
    Ok(())
}

/// The error's cause for tests to see.
struct Causes;

impl Pages for Causes {
    fn answer(&self, conn: &mut Conn, error: &Error) {
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        let panic = error.get_panic().map(ToString::to_string).unwrap_or_default();
        conn.text(format!("{} {source}{panic}", error.code()));
    }
}

fn with(sessions: Sessions) -> Endpoint<impl Plug> {
    Endpoint::new((sessions, fetch_session, act)).pages(Causes)
}

fn all_kinds(keys: &Keys) -> [Sessions; 3] {
    let keys = || keys.clone();
    [Sessions::cookie(keys()), Sessions::cookie(keys()).signed(), Sessions::stored(keys(), MemoryStore::new())]
}

/// Visits one after the other, and what they got.
async fn visits<P: Plug>(endpoint: &Endpoint<P>, browser: &mut Browser, targets: &[&str]) -> Vec<String> {
    let mut got = Vec::new();
    for target in targets {
        got.push(browser.get(endpoint, target).await.text);
    }
    got
}

#[test]
fn a_session_is_remembered_in_every_kind() {
    simurgh_runtime::run("test", async {
        for sessions in all_kinds(&Keys::random()) {
            let endpoint = with(sessions);
            let (mut alice, mut bob) = (Browser::default(), Browser::default());
            let got = visits(&endpoint, &mut alice, &["/get/name", "/put/name/alice", "/get/name"]).await;
            assert_eq!(got, ["-", "", "alice"]);
            assert_eq!(visits(&endpoint, &mut bob, &["/get/name"]).await, ["-"]);
            let got = visits(&endpoint, &mut alice, &["/put/b/2/delete/name", "/get/name/get/b"]).await;
            assert_eq!(got, ["", "- 2"]);
            assert_eq!(visits(&endpoint, &mut alice, &["/clear", "/get/b"]).await, ["", "-"]);
            assert_eq!(alice.cookies(), "", "an empty session has no cookie");
        }
    });
}

#[test]
fn it_is_written_if_it_has_changed_only() {
    simurgh_runtime::run("test", async {
        for sessions in all_kinds(&Keys::random()) {
            let endpoint = with(sessions);
            let mut browser = Browser::default();
            let cookies = |answer: &Answer| answer.all("set-cookie").len();
            for (target, written) in [("/get/a", 0), ("/delete/a", 0), ("/clear", 0), ("/drop", 0), ("/put/a/1", 1)] {
                assert_eq!(cookies(&browser.get(&endpoint, target).await), written, "{target}");
            }
            for target in ["/get/a", "/put/a/1", "/delete/b"] {
                assert_eq!(cookies(&browser.get(&endpoint, target).await), 0, "{target}");
            }
            // an error is an answer too; after a panic nobody knows what is half done
            assert_eq!(browser.get(&endpoint, "/put/a/2/fail").await.status, 403);
            assert_eq!(browser.get(&endpoint, "/put/a/3/panic").await.status, 500);
            assert_eq!(browser.get(&endpoint, "/get/a").await.text, "2");
        }
    });
}

#[test]
fn a_session_that_is_dropped_is_gone_for_good() {
    simurgh_runtime::run("test", async {
        let store = MemoryStore::new();
        let endpoint = with(Sessions::stored(Keys::random(), store.clone()));
        let mut browser = Browser::default();
        browser.get(&endpoint, "/put/a/1").await;
        let mut thief = browser.clone();
        let answer = browser.get(&endpoint, "/put/b/2/drop/put/c/3").await;
        assert!(answer.one("set-cookie").starts_with("_session=; Path=/; Max-Age=0;"));
        assert_eq!((store.len(), browser.cookies().as_str()), (0, ""));
        // whoever has its cookie has nothing, and does not bring its id back
        let stolen = thief.cookies();
        assert_eq!(visits(&endpoint, &mut thief, &["/get/a", "/put/a/2"]).await, ["-", ""]);
        assert_ne!(thief.cookies(), stolen);
    });
}

#[simurgh_sim::test(seeds = 10)]
async fn a_session_that_is_ended_does_not_come_back_by_a_request_that_still_had_it(_sim: Sim) {
    let store = MemoryStore::new();
    let endpoint = with(Sessions::stored(Keys::random(), store.clone()));
    let mut browser = Browser::default();
    browser.get(&endpoint, "/put/user/alice").await;
    let (mut slow, mut other) = (browser.clone(), browser);
    let (slow, _) = simurgh_runtime::join!(slow.get(&endpoint, "/wait/100/put/cart/full"), async {
        sleep(Duration::from_millis(50)).await;
        other.get(&endpoint, "/drop").await
    });
    assert_eq!((slow.status, store.len()), (200, 0));
    assert!(slow.one("set-cookie").starts_with("_session=; "));
}

#[test]
fn a_renewed_session_has_its_values_and_another_id() {
    simurgh_runtime::run("test", async {
        let store = MemoryStore::new();
        let endpoint = with(Sessions::stored(Keys::random(), store.clone()));
        let mut browser = Browser::default();
        browser.get(&endpoint, "/put/cart/full").await;
        let mut attacker = browser.clone();
        assert_eq!(
            visits(&endpoint, &mut browser, &["/renew/put/user/alice", "/get/cart/get/user"]).await[1],
            "full alice"
        );
        assert_eq!(visits(&endpoint, &mut attacker, &["/get/cart/get/user"]).await, ["- -"]);
        assert_eq!(store.len(), 1);
    });
}

#[test]
fn a_cookie_that_is_not_ours_is_as_none() {
    simurgh_runtime::run("test", async {
        let keys = Keys::random();
        let mut browser = Browser::default();
        let endpoint = with(Sessions::cookie(keys.clone()));
        browser.get(&endpoint, "/put/a/1").await;
        let good = browser.0.cookie("_session").unwrap().to_owned();
        let got = async |cookies: &str| {
            let answer = Browser::default().send(&endpoint, Method::GET, "/get/a", &[("cookie", cookies)], "").await;
            answer.text
        };
        assert_eq!(got(&format!("_session={good}")).await, "1");
        for at in 0..good.len() {
            assert_eq!(got(&format!("_session={}", &good[..at])).await, "-", "cut at {at}");
        }
        // one of a neighbour in the same domain does not hide it
        assert_eq!(got(&format!("_session=x; _session={good}")).await, "1");
        // a session under another name, or an id, is not taken for it
        for other in [
            Sessions::cookie(keys.clone()).name("other"),
            Sessions::cookie(keys.clone()).signed(),
            Sessions::stored(keys.clone(), MemoryStore::new()),
        ] {
            let mut browser = Browser::default();
            browser.get(&with(other), "/put/a/1").await;
            assert_eq!(got(&browser.cookies().replace("other=", "_session=")).await, "-");
        }
    });
}

async fn as_by_https(conn: &mut Conn) {
    conn.set_scheme("https");
}

#[test]
fn options_are_the_cookies_attributes() {
    simurgh_runtime::run("test", async {
        let keys = Keys::random();
        let attributes = async |sessions: Sessions, target: &str| {
            let answer = Browser::default().get(&with(sessions), target).await;
            let (name, rest) = answer.one("set-cookie").split_once('=').unwrap();
            format!("{name} {}", rest.split_once("; ").unwrap().1)
        };
        let sessions = || Sessions::cookie(keys.clone());
        for (sessions, target, text) in [
            (sessions(), "/put/a/1", "_session Path=/; HttpOnly; SameSite=Lax"),
            (sessions(), "https://shop.example/put/a/1", "_session Path=/; HttpOnly; SameSite=Lax"),
            (
                sessions().name("__Host-s").secure(true).same_site(SameSite::Strict).max_age(Duration::from_hours(1)),
                "/put/a/1",
                "__Host-s Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                sessions().path("/put").domain("example.com"),
                "/put/a/1",
                "_session Path=/put; Domain=example.com; HttpOnly; SameSite=Lax",
            ),
        ] {
            assert_eq!(attributes(sessions, target).await, text);
        }
        // https is what the connection or a trusted proxy says, not what stands in the request
        let endpoint = Endpoint::new((as_by_https, sessions(), fetch_session, act));
        assert!(Browser::default().get(&endpoint, "/put/a/1").await.one("set-cookie").contains("; Secure;"));
    });
}

#[test]
fn an_answer_of_a_session_is_for_no_shared_cache() {
    async fn public(conn: &mut Conn) {
        conn.put_header("cache-control", "public, max-age=60");
    }
    simurgh_runtime::run("test", async {
        let sessions = || Sessions::cookie(Keys::random());
        let answer = Browser::default().get(&with(sessions()), "/get/a").await;
        assert_eq!(answer.one("cache-control"), "max-age=0, private, must-revalidate");
        let endpoint = Endpoint::new((sessions(), fetch_session, public, act));
        assert_eq!(Browser::default().get(&endpoint, "/get/a").await.one("cache-control"), "public, max-age=60");
        let endpoint = Endpoint::new((sessions(), public_text));
        assert!(Browser::default().get(&endpoint, "/").await.all("cache-control").is_empty());
    });
}

async fn public_text(conn: &mut Conn) {
    conn.text("for all");
}

#[test]
#[should_panic(expected = "the cookie name \"a b\" is not a token")]
fn a_name_that_is_none_is_found_at_the_start() {
    let _ = Sessions::cookie(Keys::random()).name("a b");
}

#[test]
fn a_session_that_is_too_large_says_how_large() {
    simurgh_runtime::run("test", async {
        let [encrypted, signed, stored] = all_kinds(&Keys::random());
        let fill = async |sessions: Sessions, len: usize| {
            let endpoint = with(sessions);
            let answer = Browser::default().get(&endpoint, &format!("/fill/{len}")).await;
            assert_eq!((answer.status == 200), answer.all("set-cookie").len() == 1);
            answer.text
        };
        assert_eq!(fill(Sessions::cookie(Keys::random()), 3_000).await, "");
        let text = fill(encrypted, 3_001).await;
        assert!(text.starts_with("session_too_large the session has 4098 bytes as a cookie"), "{text}");
        assert_eq!(
            fill(signed, 4_000).await,
            "session_too_large the session has 5419 bytes as a cookie, and 4096 at most; keep less in it, or use \
             `Sessions::stored`"
        );
        let text = fill(stored, 64 << 10).await;
        assert!(text.starts_with("session_too_large the session has 65550 bytes of JSON, and 65536 at most"), "{text}");
    });
}

#[test]
fn what_is_missing_is_said() {
    simurgh_runtime::run("test", async {
        let mut browser = Browser::default();
        let answer = browser.get(&Endpoint::new((fetch_session, act)).pages(Causes), "/get/a").await;
        assert_eq!(answer.text, format!("internal {}", SessionError::NoSessions));
        let answer = browser.get(&Endpoint::new(act).pages(Causes), "/get/a").await;
        assert!(answer.text.contains("put `fetch_session` into the pipeline"), "{}", answer.text);
    });
}

/// Works until it is told not to.
struct Broken(MemoryStore, &'static str);

impl SessionStore for Broken {
    async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        if self.1 == "get" { Err("no connection".into()) } else { self.0.get(id).await }
    }

    async fn put(&self, id: &SessionId, data: Vec<u8>, ttl: Duration) -> Result<(), StoreError> {
        if self.1 == "put" { Err("no connection".into()) } else { self.0.put(id, data, ttl).await }
    }

    async fn replace(&self, id: &SessionId, data: Vec<u8>, ttl: Duration) -> Result<bool, StoreError> {
        if self.1 == "replace" { Err("no connection".into()) } else { self.0.replace(id, data, ttl).await }
    }

    async fn delete(&self, id: &SessionId) -> Result<(), StoreError> {
        if self.1 == "delete" { Err("no connection".into()) } else { self.0.delete(id).await }
    }
}

#[test]
fn a_store_that_fails_is_not_passed_over() {
    simurgh_runtime::run("test", async {
        let (keys, store) = (Keys::random(), MemoryStore::new());
        let mut browser = Browser::default();
        browser.get(&with(Sessions::stored(keys.clone(), store.clone())), "/put/a/1").await;
        for (fails, target) in [("get", "/get/a"), ("put", "/renew"), ("replace", "/put/a/2"), ("delete", "/drop")] {
            let endpoint = with(Sessions::stored(keys.clone(), Broken(store.clone(), fails)));
            let answer = browser.clone().get(&endpoint, target).await;
            assert_eq!(answer.status, 503, "{fails}");
            assert_eq!(answer.text, "session_store the session store has failed: no connection", "{fails}");
        }
    });
}

#[simurgh_sim::test(seeds = 3)]
async fn a_session_lasts_as_long_as_it_is_used(_sim: Sim) {
    let minute = Duration::from_mins(1);
    for sessions in all_kinds(&Keys::random()) {
        let endpoint = with(sessions.max_age(10 * minute));
        let mut browser = Browser::default();
        browser.get(&endpoint, "/put/a/1").await;
        for (minutes, is_written, text) in
            [(4, false, "1"), (4, true, "1"), (8, true, "1"), (4, false, "1"), (7, false, "-")]
        {
            sleep(minutes * minute).await;
            let answer = browser.get(&endpoint, "/get/a").await;
            assert_eq!((answer.text.as_str(), !answer.all("set-cookie").is_empty()), (text, is_written), "{minutes}");
        }
    }
}

#[simurgh_sim::test(seeds = 3)]
async fn the_store_in_memory_keeps_the_contract(_sim: Sim) {
    session_store_contract(&MemoryStore::new()).await;
}

#[test]
fn an_encrypted_session_cannot_be_read_and_a_signed_one_can() {
    simurgh_runtime::run("test", async {
        use base64::Engine as _;
        let [encrypted, signed, stored] = all_kinds(&Keys::random());
        for (sessions, is_readable) in [(encrypted, false), (signed, true), (stored, false)] {
            let mut browser = Browser::default();
            browser.get(&with(sessions), "/put/name/alice").await;
            let token = browser.0.cookie("_session").unwrap();
            let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).unwrap();
            assert_eq!(bytes.windows(5).any(|bytes| bytes == b"alice"), is_readable);
        }
    });
}

#[simurgh_sim::test(seeds = 2)]
async fn why_a_cookie_is_refused_is_told(_sim: Sim) {
    use simurgh_runtime::sync::Mutex;
    use std::sync::Arc;

    let reasons = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&reasons);
    simurgh_telemetry::attach("test", "web.session.refused", move |event| {
        into.lock().push(event.str("reason").unwrap_or_default().to_owned());
    })?;
    let (keys, store) = (Keys::random(), MemoryStore::new());
    let endpoint = with(Sessions::stored(keys.clone(), store.clone()).max_age(Duration::from_hours(1)));
    let mut browser = Browser::default();
    browser.get(&endpoint, "/put/a/1").await;
    let (mut before, mut expired) = (browser.clone(), browser.clone());
    browser.get(&endpoint, "/drop").await;
    before.get(&endpoint, "/get/a").await;
    before.get(&with(Sessions::stored(Keys::random(), store.clone())), "/get/a").await;
    before.0.put_cookie("_session", "nonsense");
    before.get(&endpoint, "/get/a").await;
    sleep(Duration::from_hours(2)).await;
    expired.get(&endpoint, "/get/a").await;
    assert_eq!(*reasons.lock(), ["unknown", "bad signature", "malformed", "expired"]);
    simurgh_telemetry::detach("test");
}

#[test]
fn what_is_secret_is_not_shown() {
    let keys = Keys::random();
    let token = keys.sign("test", "the payload");
    let opened = keys.verify("test", &token, None).unwrap();
    let cookie = simurgh_web::Cookie::new("name", token.as_str());
    let sessions = Sessions::stored(keys.clone(), MemoryStore::new());
    let shown = format!("{keys:?} {opened:?} {cookie:?} {sessions:?} {:?}", SessionId::random());
    for secret in [token.as_str(), "the payload", "116, 104, 101"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("Keys([secret]; 1)") && shown.contains("SessionId([secret])"), "{shown}");
}
