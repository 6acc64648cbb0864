//! Flash: messages for the page that comes next.

use std::collections::BTreeMap;

use crate::{Conn, Result};

/// Where the session keeps what the next request is to see.
const SESSION_KEY: &str = "_flash";

/// What came with the request, and what is put for the next: one list, as it is shown and as it is kept.
#[derive(Default)]
struct Flash {
    messages: BTreeMap<String, String>,
    came: bool,
}

/// Fetches the flash from the session: messages that one request leaves for the page that comes next.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Keys, Redirect, Sessions, fetch_flash, fetch_session, router, test};
///
/// async fn save(conn: &mut Conn) -> Redirect {
///     conn.put_flash("info", "Saved.");
///     Redirect::see_other("/")
/// }
///
/// async fn home(conn: &mut Conn) -> String {
///     format!("[{}] Home", conn.flash("info").unwrap_or_default())
/// }
///
/// router! {
///     pipeline browser { fetch_session; fetch_flash; }
///     scope "/" through browser {
///         get "/" => home;
///         post "/" => save;
///     }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), router()));
/// let mut browser = test::Browser::default();
/// browser.post(&endpoint, "/", "").await;
/// assert_eq!(test::text(browser.get(&endpoint, "/").await).await, "[Saved.] Home");
/// assert_eq!(test::text(browser.get(&endpoint, "/").await).await, "[] Home");
/// # });
/// ```
///
/// As in Phoenix it lives until a response that is no redirect: what is put before a page is shown is on that
/// page, what is put before a redirect (300 to 308) is on the page that it leads to, also by several.
/// It stands in the session, and counts for its size; it has no other limits, and no options.
///
/// # Errors
/// 500 if the session was not fetched before.
pub async fn fetch_flash(conn: &mut Conn) -> Result {
    let Some(session) = conn.try_session() else {
        return Err(crate::Error::internal("put `fetch_session` before `fetch_flash`"));
    };
    if conn.assigned::<Flash>().is_none() {
        let messages = session.get::<BTreeMap<String, String>>(SESSION_KEY);
        let came = messages.is_some();
        conn.assign(Flash { messages: messages.unwrap_or_default(), came });
    }
    Ok(())
}

impl Conn {
    /// Leaves a message of this kind (`info`, `error`) for the next page.
    ///
    /// # Panics
    /// If [`fetch_flash`] did not run before.
    pub fn put_flash(&mut self, kind: impl Into<String>, message: impl Into<String>) -> &mut Self {
        self.flash_mut().messages.insert(kind.into(), message.into());
        self
    }

    /// The message of this kind: left by the request before, or by this one.
    pub fn flash(&self, kind: &str) -> Option<&str> {
        self.assigned::<Flash>()?.messages.get(kind).map(String::as_str)
    }

    /// All messages, by kind.
    pub fn flashes(&self) -> impl Iterator<Item = (&str, &str)> {
        let messages = self.assigned::<Flash>().into_iter().flat_map(|flash| &flash.messages);
        messages.map(|(kind, message)| (kind.as_str(), message.as_str()))
    }

    /// Takes all messages away.
    ///
    /// # Panics
    /// As [`put_flash`](Self::put_flash).
    pub fn clear_flash(&mut self) -> &mut Self {
        self.flash_mut().messages.clear();
        self
    }

    fn flash_mut(&mut self) -> &mut Flash {
        self.assigns_mut().get_mut::<Flash>().expect("the flash was not fetched: put `fetch_flash` into the pipeline")
    }
}

/// Puts into the session what the next request is to see. Before the session is written.
pub(crate) fn settle(conn: &mut Conn) -> Result {
    let Some(flash) = conn.assigns_mut().remove::<Flash>() else { return Ok(()) };
    let is_redirect = conn.status().is_some_and(|status| (300..=308).contains(&status.as_u16()));
    if is_redirect && !flash.messages.is_empty() {
        conn.session_mut().put(SESSION_KEY, &flash.messages)?;
    } else if flash.came {
        conn.session_mut().delete(SESSION_KEY);
    }
    conn.assign(flash);
    Ok(())
}
