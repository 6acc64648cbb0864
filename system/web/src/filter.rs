//! What is never shown: the values of names that say that they are secret.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Conn;

/// What stands in the place of a value that is not shown.
pub const FILTERED: &str = "[filtered]";

/// Parts of names whose values are secret.
const SECRET: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "key",
    "authorization",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "otp",
    "session",
    "signature",
];

/// Decides by the name of a header, parameter or field whether its value may be shown in a log or on the
/// development page.
///
/// ```
/// use simurgh_web::Filter;
///
/// let filter = Filter::default().hide("iban").show("keyboard");
/// assert!(filter.hides("X-Api-Key") && filter.hides("new_password") && filter.hides("IBAN"));
/// assert!(!filter.hides("keyboard") && !filter.hides("name"));
/// assert_eq!(filter.query("name=a+b&token=abc"), "name=a+b&token=[filtered]");
/// ```
///
/// A name is secret if it contains, in any case, one of: password, passwd, passphrase, secret, token, key,
/// authorization, cookie, credential, csrf, jwt, otp, session, signature.
#[derive(Debug, Clone)]
pub struct Filter {
    hidden: Vec<Cow<'static, str>>,
    shown: Vec<Cow<'static, str>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { hidden: SECRET.map(Cow::Borrowed).to_vec(), shown: Vec::new() }
    }
}

impl Filter {
    /// Names that contain this are secret too.
    pub fn hide(mut self, part: impl Into<String>) -> Self {
        self.hidden.push(part.into().to_ascii_lowercase().into());
        self
    }

    /// This name, as a whole, is none.
    pub fn show(mut self, name: impl Into<String>) -> Self {
        self.shown.push(name.into().to_ascii_lowercase().into());
        self
    }

    /// Whether the value of this name is secret.
    pub fn hides(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.hidden.iter().any(|part| name.contains(&**part)) && !self.shown.iter().any(|shown| **shown == name)
    }

    /// The value of this name, if it may be shown.
    pub fn value<'a>(&self, name: &str, value: &'a str) -> &'a str {
        if self.hides(name) { FILTERED } else { value }
    }

    /// A query, as it came, without the values that are secret.
    pub fn query(&self, query: &str) -> String {
        let mut shown = String::with_capacity(query.len());
        for (at, pair) in query.split('&').enumerate() {
            shown.push_str(if at == 0 { "" } else { "&" });
            let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            shown.push_str(name);
            if let Some(value) = value {
                let decoded = form_urlencoded::parse(name.as_bytes()).next();
                let decoded = decoded.map_or_else(String::new, |(name, _)| name.into_owned());
                let _ = write!(shown, "={}", self.value(&decoded, value));
            }
        }
        shown
    }

    /// An address whose query has no values that are secret.
    pub fn address(&self, address: &str) -> String {
        match address.split_once('?') {
            Some((path, query)) => format!("{path}?{}", self.query(query)),
            None => address.to_owned(),
        }
    }

    /// A request's target: the path without its secret parameters, and the query without those.
    pub fn target(&self, conn: &Conn) -> String {
        let mut target = self.path(conn);
        if !conn.query_string().is_empty() {
            let _ = write!(target, "?{}", self.query(conn.query_string()));
        }
        target
    }

    /// A request's path, without the values of its secret parameters.
    fn path(&self, conn: &Conn) -> String {
        let Some(route) = conn.route().filter(|route| !route.is_forward) else { return conn.path().to_owned() };
        if !conn.path_params().iter().any(|(name, _)| self.hides(name)) {
            return conn.path().to_owned();
        }
        let mut path = conn.script_name().to_owned();
        let mut given = conn.path_segments();
        for pattern in route.path.split('/').filter(|segment| !segment.is_empty()) {
            let hides = |name: &str| self.hides(name).then_some(FILTERED);
            if let Some(name) = pattern.strip_prefix('*') {
                let rest = given.by_ref().collect::<Vec<_>>().join("/");
                let _ = write!(path, "/{}", hides(name).unwrap_or(&rest));
            } else if let Some(segment) = given.next() {
                let _ = write!(path, "/{}", pattern.strip_prefix(':').and_then(hides).unwrap_or(segment));
            }
        }
        path
    }
}
