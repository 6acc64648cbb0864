//! Requests that another site has a browser send.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, header};
use simurgh_config::same_bytes;
use simurgh_runtime::random;

use crate::form_field::form_field;
use crate::{Conn, Error, Plug, Result};

/// Where the session keeps its secret.
pub(crate) const SESSION_KEY: &str = "_csrf_token";

const SECRET_LEN: usize = 24;

/// What a token begins with: magic and version.
const HEAD: [u8; 3] = *b"Sm\x01";

/// Refuses requests that change something and do not come from a page of this application:
/// [`ProtectFromForgery`] with its defaults.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Keys, Sessions, fetch_session, protect_from_forgery, router, test};
///
/// async fn form(conn: &mut Conn) -> String {
///     conn.csrf_token()
/// }
///
/// async fn save(_: &mut Conn) -> &'static str {
///     "saved"
/// }
///
/// router! {
///     pipeline browser { fetch_session; protect_from_forgery; }
///     scope "/" through browser {
///         get "/" => form;
///         post "/" => save;
///     }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), router()));
/// let mut browser = test::Browser::default();
/// let token = test::text(browser.get(&endpoint, "/").await).await;
/// let saved = browser.post(&endpoint, "/", format!("_csrf_token={token}")).await;
/// assert_eq!(test::text(saved).await, "saved");
/// assert_eq!(browser.post(&endpoint, "/", "").await.status(), 403);
/// # });
/// ```
///
/// # Errors
/// See [`ProtectFromForgery`].
pub async fn protect_from_forgery(conn: &mut Conn) -> Result {
    ProtectFromForgery::new().call(conn).await
}

/// Refuses requests that change something (all but GET, HEAD and OPTIONS) and do not come from a page
/// of this application.
///
/// Such a page has the token of [`Conn::csrf_token`] in the field `_csrf_token` of its forms, or its scripts
/// send it in the header `x-csrf-token`. The token belongs to the session, so [`fetch_session`](crate::fetch_session)
/// comes before. The form is left for the handler to read. In a form with files (`multipart/form-data`) the field is
/// looked for in the first 64 KiB of the body (limit `form_early_len_max`), so it stands before the files.
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`clear_session`](Self::clear_session) | refuse | let the request through, with an empty session |
///
/// Two things are refused whatever the token: a request that changes something and of which the browser says
/// that another site has sent it (`Sec-Fetch-Site: cross-site`, which no script can forge; older browsers do not
/// say), and the answer to a GET if it is JavaScript and another site may have asked for it in a `<script>`
/// element (neither `x-requested-with: XMLHttpRequest` nor `Sec-Fetch-Site: same-origin` or `none`): what is in
/// it would be theirs to read.
///
/// | failure | answer |
/// | --- | --- |
/// | no token, or a wrong one, or from another site | 403 `invalid_csrf_token` |
/// | JavaScript for another site | 403 `invalid_cross_origin_request` |
/// | the session was not fetched | 500 |
/// | the form cannot be read | 413, 408 or 400, as of any body |
///
/// Limits: of a form that is urlencoded, [`BODY_LEN_MAX`](crate::BODY_LEN_MAX) bytes are read.
///
/// ```
/// use simurgh_web::{Endpoint, Keys, ProtectFromForgery, Sessions, fetch_session, test};
///
/// # simurgh_runtime::run("doc", async {
/// let save = async |conn: &mut simurgh_web::Conn| conn.text("for a stranger");
/// let protect = ProtectFromForgery::new().clear_session();
/// let endpoint = Endpoint::new((Sessions::cookie(Keys::random()), fetch_session, protect, save));
/// let response = test::send(&endpoint, test::request(http::Method::POST, "/", "")).await;
/// assert_eq!(test::text(response).await, "for a stranger");
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProtectFromForgery {
    clears_session: bool,
}

impl ProtectFromForgery {
    /// With its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a request without the token through, with an empty session: its handler sees somebody who
    /// is not logged in.
    pub fn clear_session(mut self) -> Self {
        self.clears_session = true;
        self
    }
}

impl Plug for ProtectFromForgery {
    async fn call(&self, conn: &mut Conn) -> Result {
        if conn.try_session().is_none() {
            return Err(Error::internal("put `fetch_session` before `protect_from_forgery`"));
        }
        if conn.method() == Method::GET {
            conn.register_before_send(refuse_script_for_others);
        }
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(conn.method()) || is_from_here(conn).await? {
            return Ok(());
        }
        if self.clears_session {
            conn.session_mut().clear();
            return Ok(());
        }
        Err(Error::forbidden("invalid_csrf_token", "The form is too old, or not from here. Load the page again."))
    }
}

async fn is_from_here(conn: &mut Conn) -> Result<bool> {
    if conn.header("sec-fetch-site") == Some("cross-site") {
        return Ok(false);
    }
    let Some(secret) = secret_of(conn) else { return Ok(false) };
    if conn.header("x-csrf-token").is_some_and(|token| is_token_of(token, &secret)) {
        return Ok(true);
    }
    Ok(form_field(conn, "_csrf_token").await?.is_some_and(|token| is_token_of(&token, &secret)))
}

fn secret_of(conn: &Conn) -> Option<[u8; SECRET_LEN]> {
    let text: String = conn.try_session()?.get(SESSION_KEY)?;
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The secret under a mask that is new each time: a page that is compressed does not tell it by its length
/// (BREACH).
fn masked(secret: &[u8; SECRET_LEN]) -> String {
    let mut mask = [0; SECRET_LEN];
    random::fill(&mut mask);
    let hidden: Vec<u8> = mask.iter().zip(secret).map(|(mask, secret)| mask ^ secret).collect();
    URL_SAFE_NO_PAD.encode([&HEAD[..], &mask, &hidden].concat())
}

/// Whether it is the secret under some mask.
pub(crate) fn is_token_of(token: &str, secret: &[u8; SECRET_LEN]) -> bool {
    let mut bytes = [0; HEAD.len() + 2 * SECRET_LEN];
    if URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) != Ok(bytes.len()) {
        return false;
    }
    let Some(masked) = bytes.strip_prefix(&HEAD) else { return false };
    let (mask, hidden) = masked.split_at(SECRET_LEN);
    let found: Vec<u8> = mask.iter().zip(hidden).map(|(mask, hidden)| mask ^ hidden).collect();
    same_bytes(&found, secret)
}

fn refuse_script_for_others(conn: &mut Conn) -> Result {
    let kind = conn.response_headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_script = matches!(kind.as_str(), "text/javascript" | "application/javascript" | "application/x-javascript");
    let is_asked_here = conn.header("x-requested-with") == Some("XMLHttpRequest")
        || matches!(conn.header("sec-fetch-site"), Some("same-origin" | "none"));
    if !is_script || is_asked_here {
        return Ok(());
    }
    let text = "This script may be loaded by pages of this site only.";
    Err(Error::forbidden("invalid_cross_origin_request", text))
}

impl Conn {
    /// The token that a form sends back in the field `_csrf_token`, a script in the header `x-csrf-token`:
    /// another text each time, all good as long as the session.
    ///
    /// # Panics
    /// If [`fetch_session`](crate::fetch_session) did not run before.
    pub fn csrf_token(&mut self) -> String {
        let secret = secret_of(self).unwrap_or_else(|| {
            let mut secret = [0; SECRET_LEN];
            random::fill(&mut secret);
            let text = URL_SAFE_NO_PAD.encode(secret);
            self.session_mut().put(SESSION_KEY, text).expect("text is JSON");
            secret
        });
        masked(&secret)
    }

    /// Whether this is a token of the session: for those who open sockets by themselves. Without a session it is not.
    pub fn is_csrf_token(&self, token: &str) -> bool {
        secret_of(self).is_some_and(|secret| is_token_of(token, &secret))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_is_of_its_secret_only(secret: [u8; SECRET_LEN], other: [u8; SECRET_LEN]) {
            let token = masked(&secret);
            prop_assert!(is_token_of(&token, &secret));
            prop_assert_eq!(is_token_of(&token, &other), secret == other);
        }

        #[test]
        fn what_is_no_token_is_none(secret: [u8; SECRET_LEN], text in ".{0,100}", at in 0..68usize) {
            prop_assert!(!is_token_of(&text, &secret));
            let token = masked(&secret);
            prop_assert!(!is_token_of(&token[..at], &secret));
        }
    }
}
