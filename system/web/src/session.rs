//! The session: what the server remembers of one browser from request to request.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Conn, Result};

mod memory;
mod sessions;
mod store;

pub use memory::{MEMORY_SESSIONS_MAX, MemoryStore};
pub use sessions::{SESSION_LEN_MAX, SessionError, Sessions, fetch_session};
pub use store::{SessionId, SessionStore, StoreError, session_store_contract};

/// Values by name, which [`Sessions`] read and write.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Keys, Result, Sessions, fetch_session, router, test};
///
/// async fn count(conn: &mut Conn) -> Result<String> {
///     let visits = conn.session().get::<u32>("visits").unwrap_or(0) + 1;
///     conn.session_mut().put("visits", visits)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// router! {
///     pipeline browser { fetch_session; }
///     scope "/" through browser { get "/" => count; }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), router()));
/// let mut browser = test::Browser::default();
/// browser.get(&endpoint, "/").await;
/// assert_eq!(test::text(browser.get(&endpoint, "/").await).await, "visit 2");
/// # });
/// ```
#[derive(Default)]
pub struct Session {
    values: Map<String, Value>,
    is_changed: bool,
    fate: Fate,
}

/// What becomes of the session that came with the request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Fate {
    #[default]
    Kept,
    Renewed,
    Dropped,
}

impl Session {
    /// The value of this name, if there is one and it is of this type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.values.get(key)?).ok()
    }

    /// Remembers a value.
    ///
    /// # Errors
    /// `500`, if it cannot be written as JSON.
    pub fn put(&mut self, key: &str, value: impl Serialize) -> Result<&mut Self> {
        let value = serde_json::to_value(value)?;
        if self.values.get(key) != Some(&value) {
            self.values.insert(key.to_owned(), value);
            self.is_changed = true;
        }
        Ok(self)
    }

    /// Forgets a value.
    pub fn delete(&mut self, key: &str) -> &mut Self {
        self.is_changed |= self.values.remove(key).is_some();
        self
    }

    /// Forgets all values.
    pub fn clear(&mut self) -> &mut Self {
        self.is_changed |= !self.values.is_empty();
        self.values.clear();
        self
    }

    /// Gives the session a new id, and a new token against forged requests; its values stay. To do
    /// whenever somebody logs in, lest it is a session that somebody else has put into the browser.
    pub fn renew(&mut self) -> &mut Self {
        self.values.remove(crate::csrf::SESSION_KEY);
        self.fate = Fate::Renewed;
        self
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names of its values.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Ends it: the browser and the store forget it. What is put afterwards is lost.
    fn end(&mut self) {
        self.values.clear();
        self.fate = Fate::Dropped;
    }
}

/// It shows the names of its values only.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

const NOT_FETCHED: &str = "the session was not fetched: put `fetch_session` into the pipeline";

impl Conn {
    /// The session.
    ///
    /// # Panics
    /// If [`fetch_session`] did not run before.
    pub fn session(&self) -> &Session {
        self.try_session().expect(NOT_FETCHED)
    }

    /// The session, to change.
    ///
    /// # Panics
    /// As [`session`](Self::session).
    pub fn session_mut(&mut self) -> &mut Session {
        self.assigns_mut().get_mut::<sessions::Loaded>().map(|loaded| &mut loaded.session).expect(NOT_FETCHED)
    }

    /// The session, if it was fetched.
    pub fn try_session(&self) -> Option<&Session> {
        self.assigned::<sessions::Loaded>().map(|loaded| &loaded.session)
    }

    /// Ends the session, when somebody logs out say: the browser and the store forget it.
    ///
    /// # Panics
    /// As [`session`](Self::session).
    pub fn drop_session(&mut self) {
        self.session_mut().end();
    }
}
