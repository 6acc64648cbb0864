//! Basic authentication.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use simurgh_config::{Secret, same_bytes};

use crate::{Conn, Error, Plug, Result};

/// Lets those in who know a name and a password (RFC 7617). Fit for a dashboard; the password travels with
/// each request, so https only.
///
/// ```
/// use simurgh_config::Secret;
/// use simurgh_web::{BasicAuth, Conn, Endpoint, test};
///
/// async fn dashboard(conn: &mut Conn) {
///     conn.text("all is well");
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let auth = BasicAuth::new("admin", Secret::new("open sesame".to_owned())).realm("Dashboard");
/// let endpoint = Endpoint::new((auth, dashboard));
/// let refused = test::get(&endpoint, "/").await;
/// assert_eq!(refused.status(), 401);
/// assert_eq!(refused.headers()["www-authenticate"], r#"Basic realm="Dashboard", charset="UTF-8""#);
///
/// let mut request = test::request(http::Method::GET, "/", "");
/// request.headers_mut().insert("authorization", "Basic YWRtaW46b3BlbiBzZXNhbWU=".parse().unwrap());
/// assert_eq!(test::send(&endpoint, request).await.status(), 200);
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`realm`](Self::realm) | `Application` | what the browser shows when it asks |
///
/// Names and passwords are compared in a time that tells nothing about them. For more than one name, or
/// passwords from a database, a plug of one's own calls [`parse_basic_auth`].
///
/// | failure | answer |
/// | --- | --- |
/// | no name and password, or wrong ones | 401 `unauthorized` with `www-authenticate` |
///
/// Limits: those of a request's head; it counts no attempts.
pub struct BasicAuth {
    name: [u8; 32],
    password: [u8; 32],
    challenge: HeaderValue,
}

impl BasicAuth {
    /// Lets in who has this name and this password.
    ///
    /// # Panics
    /// If the password is empty, or the name has a colon, which could never be sent.
    pub fn new(name: &str, password: impl Into<Secret<String>>) -> Self {
        let password = password.into();
        assert!(!password.expose().is_empty(), "the password is empty: everybody would know it");
        assert!(!name.contains(':'), "a name with a colon cannot be sent");
        let (name, password) = (digest(name), digest(password.expose()));
        Self { name, password, challenge: challenge("Application") }
    }

    /// What the browser shows when it asks.
    ///
    /// # Panics
    /// If it has other than visible ASCII and spaces.
    pub fn realm(mut self, realm: &str) -> Self {
        self.challenge = challenge(realm);
        self
    }
}

impl Plug for BasicAuth {
    async fn call(&self, conn: &mut Conn) -> Result {
        let given = conn.header(header::AUTHORIZATION).and_then(parse_basic_auth);
        let is_right = given.is_some_and(|(name, password)| {
            let name = same_bytes(&digest(&name), &self.name);
            let password = same_bytes(&digest(password.expose()), &self.password);
            name & password
        });
        if is_right {
            return Ok(());
        }
        conn.response_headers_mut().insert(header::WWW_AUTHENTICATE, self.challenge.clone());
        Err(Error::new(StatusCode::UNAUTHORIZED, "unauthorized", "A name and a password are needed."))
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

/// Name and password of an `Authorization` header; `None` if it has none.
///
/// ```
/// use simurgh_web::parse_basic_auth;
///
/// let (name, password) = parse_basic_auth("Basic YWRtaW46b3BlbjpzZXNhbWU=").unwrap();
/// assert_eq!((name.as_str(), password.expose().as_str()), ("admin", "open:sesame"));
/// assert!(parse_basic_auth("Bearer YWRtaW4=").is_none());
/// ```
///
/// They are UTF-8 without control characters; the first colon ends the name. Source: RFC 7617, 2.
pub fn parse_basic_auth(header: &str) -> Option<(String, Secret<String>)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim_matches(' ')).ok()?).ok()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(password.to_owned())))
}

/// Of one length, whatever was given: comparing it does not tell how long the right one is.
fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn challenge(realm: &str) -> HeaderValue {
    let quoted = realm.replace('\\', r"\\").replace('"', r#"\""#);
    HeaderValue::from_str(&format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""))
        .expect("a realm is one line of visible ASCII")
}
