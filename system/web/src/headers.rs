//! Headers that make browsers careful.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderName, HeaderValue, header};
use simurgh_runtime::random;

use crate::{Conn, Plug, Result};

/// What a page may load, if nothing else is said; see [`SecureHeaders::content_security_policy`].
const POLICY: &str = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; \
                      object-src 'none'; img-src 'self' data:; script-src 'self' 'nonce-{nonce}'; \
                      style-src 'self' 'nonce-{nonce}'";

/// Puts the headers that make browsers careful: [`SecureHeaders`] with its defaults.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, secure_headers, test};
///
/// async fn page(conn: &mut Conn) {
///     let html = format!("<script nonce=\"{}\">welcome()</script>", conn.csp_nonce());
///     conn.html(html);
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let response = test::get(&Endpoint::new((secure_headers, page)), "/").await;
/// assert_eq!(response.headers()["x-content-type-options"], "nosniff");
/// let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
/// let html = test::text(response).await;
/// let nonce = html.split('"').nth(1).unwrap();
/// assert!(policy.contains(&format!("script-src 'self' 'nonce-{nonce}'")));
/// # });
/// ```
///
/// # Errors
/// None.
pub async fn secure_headers(conn: &mut Conn) -> Result {
    SecureHeaders::new().call(conn).await
}

/// Puts the headers that make browsers careful. Handlers may put others in their place.
///
/// | header | default |
/// | --- | --- |
/// | `x-content-type-options` | `nosniff` |
/// | `referrer-policy` | `strict-origin-when-cross-origin` |
/// | `x-permitted-cross-domain-policies` | `none` |
/// | `content-security-policy` | own scripts, styles, forms and frames only, those in the page with its [nonce](Conn::csp_nonce); images also as `data:`; no plugins |
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`content_security_policy`](Self::content_security_policy) | as above | another policy, with `{nonce}` where the nonce stands; none if it is empty |
/// | [`header`](Self::header) | as above | one more header, or another value of one |
/// | [`without`](Self::without) | | one header less |
///
/// ```
/// use simurgh_web::SecureHeaders;
///
/// let headers = SecureHeaders::new()
///     .content_security_policy("default-src 'self'; script-src 'self' 'nonce-{nonce}' https://cdn.example")
///     .header("cross-origin-opener-policy", "same-origin")
///     .without("x-permitted-cross-domain-policies");
/// ```
///
/// It does not fail, and has no limits. Source: CSP level 3, OWASP's secure headers.
#[derive(Debug, Clone)]
pub struct SecureHeaders {
    headers: Vec<(HeaderName, HeaderValue)>,
    policy: String,
}

impl Default for SecureHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl SecureHeaders {
    /// With its defaults.
    pub fn new() -> Self {
        Self { headers: Vec::new(), policy: POLICY.to_owned() }
            .header("x-content-type-options", "nosniff")
            .header("referrer-policy", "strict-origin-when-cross-origin")
            .header("x-permitted-cross-domain-policies", "none")
    }

    /// Another policy; `{nonce}` stands for the page's nonce. An empty one puts no header.
    ///
    /// # Panics
    /// If it cannot stand in a header.
    pub fn content_security_policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = policy.into();
        HeaderValue::from_str(&self.policy).expect("a policy is one line of visible ASCII");
        self
    }

    /// One more header, or another value of one.
    ///
    /// # Panics
    /// If name or value are none.
    pub fn header(self, name: &'static str, value: &'static str) -> Self {
        let mut with = self.without(name);
        with.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        with
    }

    /// Without this header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }
}

impl Plug for SecureHeaders {
    async fn call(&self, conn: &mut Conn) -> Result {
        for (name, value) in &self.headers {
            conn.response_headers_mut().insert(name, value.clone());
        }
        if !self.policy.is_empty() {
            let policy = self.policy.replace("{nonce}", conn.csp_nonce());
            conn.try_put_header(header::CONTENT_SECURITY_POLICY, policy)?;
        }
        Ok(())
    }
}

struct Nonce(String);

impl Conn {
    /// The nonce of this page: a `<script nonce="..">` or `<style nonce="..">` that has it is the page's own,
    /// one that somebody has smuggled in has it not. 128 bits, new for each request.
    pub fn csp_nonce(&mut self) -> &str {
        let draw = || {
            let mut bytes = [0; 16];
            random::fill(&mut bytes);
            Nonce(STANDARD_NO_PAD.encode(bytes))
        };
        &self.assigns_mut().get_or_insert_with(draw).0
    }
}
