//! The secrets of an application, and the keys that are made from them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use simurgh_config::Secret;
use simurgh_runtime::random;

/// Length of a secret, in bytes, at least.
pub const SECRET_LEN_MIN: usize = 64;

/// Secrets in one ring, the current one and older ones.
pub const KEYS_MAX: usize = 8;

/// A ring of secrets: what is signed or encrypted is so under the current one, what older ones have
/// signed or encrypted is still accepted.
///
/// ```
/// use simurgh_config::Secret;
/// use simurgh_web::Keys;
///
/// let old = Secret::new("an old secret, as `Keys::generate_secret` makes one, of 64 bytes or more".to_owned());
/// let new = Secret::new(Keys::generate_secret());
///
/// let token = Keys::new(&old)?.sign("invitation", "alice");
/// let keys = Keys::new(&new)?.also(&old)?;
/// let opened = keys.verify("invitation", &token, None)?;
/// assert_eq!(opened.payload(), b"alice");
/// assert!(opened.is_of_old_key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// To rotate: put a new secret first and the former after it; take the former away when all that it
/// signed is too old to matter. On several nodes first add the new one after the current one everywhere: a node that
/// does not know it yet would refuse what another has signed. What is signed or encrypted for one purpose is of no use for another.
/// Cheap to clone; never shown by `Debug`.
///
/// Limits: a secret has [`SECRET_LEN_MIN`] bytes or more, a ring [`KEYS_MAX`] secrets at most. Source:
/// keys are derived by HKDF-SHA-256 (RFC 5869).
#[derive(Clone)]
pub struct Keys {
    ring: Arc<[Root]>,
}

/// A secret after the first step of HKDF.
type Root = [u8; 32];

/// Why there cannot be such a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A secret that is short can be guessed.
    #[error("the secret has {len} bytes and needs {SECRET_LEN_MIN} or more; `openssl rand -base64 48` makes one")]
    TooShort {
        /// In bytes.
        len: usize,
    },
    /// Each older secret makes what is forged dearer to refuse.
    #[error("there are more than {KEYS_MAX} secrets; take the oldest away")]
    TooMany,
}

impl Keys {
    /// A ring of one secret.
    ///
    /// # Errors
    /// [`KeysError::TooShort`].
    pub fn new(secret: &Secret<String>) -> Result<Self, KeysError> {
        Ok(Self { ring: Arc::new([root(secret)?]) })
    }

    /// The same with an older secret, whose tokens are accepted too.
    ///
    /// # Errors
    /// [`KeysError::TooShort`], [`KeysError::TooMany`].
    pub fn also(&self, older: &Secret<String>) -> Result<Self, KeysError> {
        if self.ring.len() == KEYS_MAX {
            return Err(KeysError::TooMany);
        }
        let root = root(older)?;
        Ok(Self { ring: self.ring.iter().copied().chain([root]).collect() })
    }

    /// A ring of a secret that nobody knows, for tests and development: what it signs is of no use
    /// after a restart.
    pub fn random() -> Self {
        let mut root = Root::default();
        random::fill(&mut root);
        Self { ring: Arc::new([root]) }
    }

    /// A new secret, to put into the configuration: 512 bits from the runtime, in base64.
    pub fn generate_secret() -> String {
        let mut bytes = [0; 64];
        random::fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The keys for one purpose, the current one first.
    pub(crate) fn derive(&self, kind: &'static str, purpose: &str) -> impl Iterator<Item = [u8; 32]> {
        self.ring.iter().map(move |root| expand(root, &[kind.as_bytes(), b"/", purpose.as_bytes()]))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys([secret]; {})", self.ring.len())
    }
}

fn root(secret: &Secret<String>) -> Result<Root, KeysError> {
    let secret = secret.expose().as_bytes();
    if secret.len() < SECRET_LEN_MIN {
        return Err(KeysError::TooShort { len: secret.len() });
    }
    Ok(hmac(b"simurgh keys 1", &[secret]))
}

/// HKDF's second step, of which one block is enough.
fn expand(root: &Root, info: &[&[u8]]) -> [u8; 32] {
    let parts: Vec<&[u8]> = info.iter().copied().chain([[1].as_slice()]).collect();
    hmac(root, &parts)
}

pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, appendix A.1.
    #[test]
    fn keys_are_derived_as_the_rfc_says() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let root = hmac(&salt, &[&[0x0b; 22]]);
        assert_eq!(root[..4], [0x07, 0x77, 0x09, 0x36]);
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let key = expand(&root, &[&info]);
        assert_eq!(key[..8], [0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a]);
        assert_eq!(key[28..], [0xec, 0xc4, 0xc5, 0xbf]);
    }

    #[test]
    fn a_ring_has_long_secrets_and_few() {
        let short = Keys::new(&Secret::new("x".repeat(63))).unwrap_err();
        assert_eq!(short, KeysError::TooShort { len: 63 });
        assert!(short.to_string().starts_with("the secret has 63 bytes and needs 64 or more"));
        let secret = || Secret::new(Keys::generate_secret());
        let full = (1..KEYS_MAX).fold(Keys::new(&secret()).unwrap(), |keys, _| keys.also(&secret()).unwrap());
        assert_eq!(full.also(&secret()).unwrap_err(), KeysError::TooMany);
        assert_eq!(format!("{full:?}"), "Keys([secret]; 8)");
    }

    #[test]
    fn each_purpose_has_keys_of_its_own() {
        let keys = Keys::random();
        let of = |kind, purpose: &str| keys.derive(kind, purpose).next().unwrap();
        assert_ne!(of("sign", "a"), of("sign", "b"));
        assert_ne!(of("sign", "a"), of("encrypt", "a"));
        assert_ne!(of("sign", "a"), Keys::random().derive("sign", "a").next().unwrap());
    }
}
