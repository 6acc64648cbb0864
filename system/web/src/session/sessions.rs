//! How sessions are read and written.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use simurgh_runtime::planted;
use simurgh_telemetry::event;

use super::store::{AnyStore, SessionId, SessionStore, StoreError};
use super::{Fate, Session};
use crate::{COOKIE_LEN_MAX, Conn, Cookie, Error, Keys, Opened, Plug, Result, SameSite, TokenError, flash};

/// The values of one session in a store, as JSON, in bytes, at most. (In a cookie the bound is [`COOKIE_LEN_MAX`].)
pub const SESSION_LEN_MAX: usize = 64 << 10;

/// How long a session lasts if nothing else is said: 14 days since it was used.
const LIFETIME: Duration = Duration::from_hours(14 * 24);

/// A page that was made for one browser is not for a cache that others share.
const PRIVATE: HeaderValue = HeaderValue::from_static("max-age=0, private, must-revalidate");

/// Cookies of the session's name that are tried: another may come from a neighbour that shares the domain.
const TRIED_MAX: usize = 4;

/// Where sessions are, and how: an endpoint's plug. The pipelines that want the session have the plug
/// [`fetch_session`]; it is written before the response is sent, if it has changed.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Keys, MemoryStore, Result, Sessions, fetch_session, test};
/// use std::time::Duration;
///
/// async fn log_in(conn: &mut Conn) -> Result {
///     conn.session_mut().renew().put("user", "alice")?;
///     conn.text("hello");
///     Ok(())
/// }
///
/// # simurgh_runtime::run("doc", async {
/// // all of it in the cookie
/// let sessions = Sessions::cookie(Keys::random()).name("shop").max_age(Duration::from_secs(3600));
/// let response = test::get(&Endpoint::new((sessions, fetch_session, log_in)), "/").await;
/// let cookie = response.headers()["set-cookie"].to_str().unwrap();
/// assert!(cookie.starts_with("shop=") && cookie.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"));
///
/// // an id in the cookie, the rest with the server
/// let store = MemoryStore::new();
/// let sessions = Sessions::stored(Keys::random(), store.clone());
/// test::get(&Endpoint::new((sessions, fetch_session, log_in)), "/").await;
/// assert_eq!(store.len(), 1);
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`name`](Self::name) | `_session` | the cookie's name; `__Host-session` is the safest where all is https |
/// | [`signed`](Self::signed) | encrypted | the browser can read it, not change it |
/// | [`max_age`](Self::max_age) | none | none: the browser forgets it when it is closed, the server 14 days after it was used |
/// | [`same_site`](Self::same_site) | `Lax` | see [`SameSite`] |
/// | [`secure`](Self::secure) | as the request | by https only |
/// | [`path`](Self::path) | `/` | below which path it is sent |
/// | [`domain`](Self::domain) | none | none is this host only |
///
/// Unlike Phoenix it encrypts if nothing is said: what stands in a session then is nobody's business. The
/// cookie is [authenticated](Keys::encrypt) either way. It is written again when half its time is over, and
/// when it is of an older secret of the [`Keys`]. An answer for which the session was fetched is for no shared cache,
/// unless it has a `cache-control` of its own.
///
/// A cookie that was changed, is too old, or names a session that the store does not know is as none, and told
/// as `web.session.refused` with `reason`; an id that the client chose is never taken up. A request that panics
/// writes nothing. Of two requests at once that change a session the later one wins; one that another has
/// [ended](Conn::drop_session) does not come back.
///
/// | failure | answer |
/// | --- | --- |
/// | more than [`COOKIE_LEN_MAX`] in a cookie, [`SESSION_LEN_MAX`] in a store | 500 `session_too_large` |
/// | the store fails | 503 `session_store` |
///
/// Limits: of several cookies of its name four are tried, as a neighbour's that shares the domain may come too; what a
/// store keeps is that store's to bound ([`MemoryStore`](crate::MemoryStore)).
///
/// # Panics
/// The options, when they cannot be: a name that is none, a path without a slash.
#[derive(Debug)]
pub struct Sessions {
    options: Arc<Options>,
}

#[derive(Clone)]
struct Options {
    keys: Keys,
    store: Option<Arc<dyn AnyStore>>,
    name: Cow<'static, str>,
    is_encrypted: bool,
    max_age: Option<Duration>,
    same_site: SameSite,
    secure: Option<bool>,
    path: Cow<'static, str>,
    domain: Option<Cow<'static, str>>,
}

/// What went wrong with a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// [`fetch_session`] is used without [`Sessions`].
    #[error("there are no `Sessions` among the plugs before `fetch_session`")]
    NoSessions,
    /// It does not fit.
    #[error("the session has {len} bytes {place}, and {max} at most; keep less in it, or use `Sessions::stored`")]
    TooLarge {
        /// In bytes: of the whole cookie, or of the values as JSON.
        len: usize,
        /// How much there may be.
        max: usize,
        /// Where it was to go.
        place: &'static str,
    },
    /// The store has failed.
    #[error("the session store has failed: {0}")]
    Store(#[source] StoreError),
}

/// What an endpoint's plug leaves for [`fetch_session`].
#[derive(Clone)]
struct Offered(Arc<Options>);

/// A session that was fetched.
pub(super) struct Loaded {
    pub(super) session: Session,
    options: Arc<Options>,
    /// Its name in the store.
    id: Option<SessionId>,
    /// The browser has a cookie of this name.
    has_cookie: bool,
    /// It is to be written even if it has not changed.
    is_stale: bool,
}

/// Fetches the session, from the cookie or the store, as the [`Sessions`] of the endpoint say.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Keys, Sessions, fetch_session, test};
///
/// async fn who(conn: &mut Conn) {
///     let user = conn.session().get::<String>("user");
///     conn.text(user.unwrap_or_else(|| "nobody".to_owned()));
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), fetch_session, who));
/// assert_eq!(test::text(test::get(&endpoint, "/").await).await, "nobody");
/// # });
/// ```
///
/// Afterwards there is [`Conn::session`]. A second time it does nothing. Its options and limits are those of
/// [`Sessions`].
///
/// # Errors
/// 500 if there are no [`Sessions`] before it, 503 `session_store` if the store fails.
pub async fn fetch_session(conn: &mut Conn) -> Result {
    if conn.assigned::<Loaded>().is_some() {
        return Ok(());
    }
    let Some(Offered(options)) = conn.assigned::<Offered>().cloned() else {
        return Err(Error::internal(SessionError::NoSessions));
    };
    let (opened, has_cookie) = options.of_request(conn);
    let mut loaded = Loaded { session: Session::default(), options, id: None, has_cookie, is_stale: false };
    if let Some(opened) = opened {
        loaded.read(opened).await?;
    }
    conn.assign(loaded);
    Ok(())
}

impl Sessions {
    /// Sessions that are kept in the cookie itself.
    pub fn cookie(keys: Keys) -> Self {
        Self { options: Arc::new(Options::new(keys, None)) }
    }

    /// Sessions that are kept in a store; the cookie has their id.
    pub fn stored(keys: Keys, store: impl SessionStore) -> Self {
        Self { options: Arc::new(Options::new(keys, Some(Arc::new(store)))) }
    }

    /// The cookie's name.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|options| options.name = name.into())
    }

    /// The cookie is signed only: the browser can read it.
    pub fn signed(self) -> Self {
        self.with(|options| options.is_encrypted = false)
    }

    /// The cookie is encrypted and signed, as it is if nothing is said.
    pub fn encrypted(self) -> Self {
        self.with(|options| options.is_encrypted = true)
    }

    /// How long it lasts after it was used, in the browser too when that is closed.
    pub fn max_age(self, max_age: Duration) -> Self {
        self.with(|options| options.max_age = Some(max_age))
    }

    /// With which requests from other sites the cookie is sent.
    pub fn same_site(self, same_site: SameSite) -> Self {
        self.with(|options| options.same_site = same_site)
    }

    /// Whether the cookie is sent by https only.
    pub fn secure(self, secure: bool) -> Self {
        self.with(|options| options.secure = Some(secure))
    }

    /// Below which path the cookie is sent.
    pub fn path(self, path: impl Into<Cow<'static, str>>) -> Self {
        self.with(|options| options.path = path.into())
    }

    /// To which domain the cookie is sent, and to all below it.
    pub fn domain(self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.with(|options| options.domain = Some(domain.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        if let Err(error) = self.options.cookie("").check(true) {
            panic!("sessions: {error}");
        }
        self
    }
}

impl Plug for Sessions {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assign(Offered(Arc::clone(&self.options)));
        Ok(())
    }

    async fn before_send(&self, conn: &mut Conn) -> Result {
        if conn.error().is_some_and(|error| error.get_panic().is_some()) {
            return Ok(());
        }
        flash::settle(conn)?;
        let Some(mut loaded) = conn.assigns_mut().remove::<Loaded>() else { return Ok(()) };
        conn.response_headers_mut().entry(header::CACHE_CONTROL).or_insert(PRIVATE);
        let written = if Arc::ptr_eq(&loaded.options, &self.options) { loaded.write(conn).await } else { Ok(()) };
        conn.assign(loaded);
        written
    }
}

impl Loaded {
    /// Reads what was in the cookie, or what the store has under the id that was.
    async fn read(&mut self, opened: Opened) -> Result {
        let is_of_old_key = opened.is_of_old_key() && !planted!("web.session-not-rewritten");
        self.is_stale = is_of_old_key || opened.age() > self.options.lifetime() / 2;
        let data = match &self.options.store {
            None => opened.into_payload(),
            Some(store) => {
                let Some(id) = SessionId::from_bytes(opened.payload()) else { return Ok(()) };
                let Some(data) = store.get(&id).await.map_err(store_failed)? else {
                    refused("unknown");
                    return Ok(());
                };
                self.id = Some(id);
                data
            }
        };
        match serde_json::from_slice(&data) {
            Ok(values) => self.session.values = values,
            Err(_) => refused("unreadable"),
        }
        Ok(())
    }

    async fn write(&mut self, conn: &mut Conn) -> Result {
        let Session { values, is_changed, fate } = &self.session;
        let has_values = !values.is_empty();
        let is_to_be_written = *is_changed || *fate != Fate::Kept || (self.is_stale && has_values);
        if !is_to_be_written {
            return Ok(());
        }
        if !has_values || *fate == Fate::Dropped {
            return self.forget(conn).await;
        }
        let data = serde_json::to_vec(values)?;
        match self.options.store.clone() {
            None => self.put_cookie(conn, &data),
            Some(store) => self.store(conn, &*store, data).await,
        }
    }

    /// The browser and the store need not keep it.
    async fn forget(&mut self, conn: &mut Conn) -> Result {
        if let (Some(store), Some(id)) = (&self.options.store, self.id.take()) {
            store.delete(&id).await.map_err(store_failed)?;
        }
        if self.has_cookie {
            conn.delete_cookie(self.options.cookie(""))?;
        }
        Ok(())
    }

    async fn store(&mut self, conn: &mut Conn, store: &dyn AnyStore, data: Vec<u8>) -> Result {
        fits(data.len(), SESSION_LEN_MAX, "of JSON")?;
        let lifetime = self.options.lifetime();
        if let Some(id) = self.id.filter(|_| self.session.fate != Fate::Renewed) {
            let replaced = if planted!("web.session-comes-back") {
                store.put(&id, data, lifetime).await.map(|()| true)
            } else {
                store.replace(&id, data, lifetime).await
            };
            if !replaced.map_err(store_failed)? {
                // Another request has ended it meanwhile.
                refused("ended");
                return self.forget(conn).await;
            }
            return if self.is_stale { self.put_cookie(conn, id.as_bytes()) } else { Ok(()) };
        }
        let id = SessionId::random();
        store.put(&id, data, lifetime).await.map_err(store_failed)?;
        if let Some(former) = self.id.replace(id) {
            store.delete(&former).await.map_err(store_failed)?;
        }
        self.put_cookie(conn, id.as_bytes())
    }

    fn put_cookie(&self, conn: &mut Conn, payload: &[u8]) -> Result {
        let cookie = self.options.cookie(self.options.seal(payload));
        fits(cookie.len(), COOKIE_LEN_MAX, "as a cookie")?;
        conn.put_cookie(cookie)?;
        Ok(())
    }
}

impl Options {
    fn new(keys: Keys, store: Option<Arc<dyn AnyStore>>) -> Self {
        Self {
            keys,
            store,
            name: Cow::Borrowed("_session"),
            is_encrypted: true,
            max_age: None,
            same_site: SameSite::Lax,
            secure: None,
            path: Cow::Borrowed("/"),
            domain: None,
        }
    }

    fn lifetime(&self) -> Duration {
        self.max_age.unwrap_or(LIFETIME)
    }

    fn cookie(&self, value: impl Into<String>) -> Cookie {
        let mut cookie = Cookie::new(&*self.name, value).path(&*self.path).same_site(self.same_site);
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(&**domain);
        }
        if let Some(max_age) = self.max_age {
            cookie = cookie.max_age(max_age);
        }
        match self.secure {
            Some(secure) => cookie.secure(secure),
            None => cookie,
        }
    }

    /// Under a purpose that names the cookie and what is in it, so that none can be put in another's place.
    fn purpose(&self) -> String {
        let what = if self.store.is_some() { "session id" } else { "session" };
        format!("{what} {}", self.name)
    }

    fn seal(&self, payload: &[u8]) -> String {
        if self.is_encrypted {
            self.keys.encrypt(&self.purpose(), payload)
        } else {
            self.keys.sign(&self.purpose(), payload)
        }
    }

    /// What the request's cookie says, and whether there is one.
    fn of_request(&self, conn: &Conn) -> (Option<Opened>, bool) {
        let mut cookies = conn.cookies().filter(|(name, _)| *name == self.name).take(TRIED_MAX).peekable();
        let has_cookie = cookies.peek().is_some();
        (cookies.find_map(|(_, token)| self.open(token)), has_cookie)
    }

    fn open(&self, token: &str) -> Option<Opened> {
        let (purpose, max_age) = (self.purpose(), Some(self.lifetime()));
        let opened = if self.is_encrypted {
            self.keys.decrypt(&purpose, token, max_age)
        } else {
            self.keys.verify(&purpose, token, max_age)
        };
        let forgets = |opened: &Opened| opened.is_of_old_key() && planted!("web.session-old-key-lost");
        match opened {
            Ok(opened) if forgets(&opened) => None,
            Ok(opened) => Some(opened),
            Err(error) => {
                refused(match error {
                    TokenError::Malformed => "malformed",
                    TokenError::BadSignature => "bad signature",
                    TokenError::Expired { .. } => "expired",
                });
                None
            }
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Options");
        out.field("name", &self.name).field("is_encrypted", &self.is_encrypted);
        out.field("is_stored", &self.store.is_some()).field("max_age", &self.max_age);
        out.field("same_site", &self.same_site).field("secure", &self.secure);
        out.field("path", &self.path).field("domain", &self.domain).finish_non_exhaustive()
    }
}

fn refused(reason: &str) {
    event!("web.session.refused", {}, { reason: reason });
}

fn store_failed(error: StoreError) -> Error {
    let text = "The session cannot be read or written just now.";
    Error::new(StatusCode::SERVICE_UNAVAILABLE, "session_store", text).because(SessionError::Store(error))
}

fn fits(len: usize, max: usize, place: &'static str) -> Result {
    if len <= max {
        return Ok(());
    }
    let error = Error::new(StatusCode::INTERNAL_SERVER_ERROR, "session_too_large", "Internal Server Error");
    Err(error.because(SessionError::TooLarge { len, max, place }))
}
