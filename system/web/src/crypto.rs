//! Tokens: bytes that come back from a client unchanged, or not at all.
//!
//! ```text
//! signed     "SmS" 1 | issued, ms, u64 | payload | HMAC-SHA-256 of all before it
//! encrypted  "SmE" 1 | nonce, 24 bytes | XChaCha20-Poly1305 of (issued, ms, u64 | payload), with the first four bytes
//! ```
//!
//! in base64url without padding. Numbers are big-endian. A nonce of 192 bits can be drawn at random for each token
//! without ever coming twice, which the 96 bits of RFC 8439 cannot (draft-irtf-cfrg-xchacha).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use simurgh_config::same_bytes;
use simurgh_runtime::{Timestamp, random};

use crate::Keys;
use crate::keys::hmac;

const SIGNED: [u8; 4] = *b"SmS\x01";
const ENCRYPTED: [u8; 4] = *b"SmE\x01";
const HEAD_LEN: usize = 4;
const TIME_LEN: usize = 8;
const MAC_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// Length of a token that is looked at, in bytes of text: 64 KiB. A longer one is malformed.
pub const TOKEN_LEN_MAX: usize = 64 << 10;

/// Why a token is not accepted. It says nothing about the keys, and may be told to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It has not the shape of a token, or is of a version that is not known.
    #[error("this is not a token, or one of an unknown version")]
    Malformed,
    /// No key of the ring has made it for this purpose.
    #[error("the token was changed, or made with a key that is not known, or for another purpose")]
    BadSignature,
    /// It was right once.
    #[error("the token is {age:?} old, and valid for {max_age:?}")]
    Expired {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        max_age: Duration,
    },
}

/// What was in a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    payload: Vec<u8>,
    issued_ms: u64,
    is_of_old_key: bool,
}

impl Opened {
    /// What was signed or encrypted.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The same, to keep.
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// How old the token is, to the millisecond; zero if it comes from a clock that is ahead.
    pub fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.issued_ms))
    }

    /// Whether it was made with a secret that is not the current one: make a new one.
    pub fn is_of_old_key(&self) -> bool {
        self.is_of_old_key
    }

    fn within(self, max_age: Option<Duration>) -> Result<Self, TokenError> {
        let age = self.age();
        match max_age {
            Some(max_age) if age > max_age => Err(TokenError::Expired { age, max_age }),
            _ => Ok(self),
        }
    }
}

/// It does not show what was in it.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Opened");
        out.field("len", &self.payload.len()).field("is_of_old_key", &self.is_of_old_key).finish_non_exhaustive()
    }
}

impl Keys {
    /// A token that everybody can read and nobody can change.
    ///
    /// ```
    /// # simurgh_runtime::run("doc", async {
    /// use simurgh_web::{Keys, TokenError};
    /// use std::time::Duration;
    ///
    /// let keys = Keys::random();
    /// let token = keys.sign("user", "42");
    /// let opened = keys.verify("user", &token, Some(Duration::from_secs(3600))).unwrap();
    /// assert_eq!(opened.payload(), b"42");
    /// assert_eq!(keys.verify("admin", &token, None), Err(TokenError::BadSignature));
    /// # });
    /// ```
    pub fn sign(&self, purpose: &str, payload: impl AsRef<[u8]>) -> String {
        let payload = payload.as_ref();
        let mut bytes = Vec::with_capacity(HEAD_LEN + TIME_LEN + payload.len() + MAC_LEN);
        bytes.extend(SIGNED);
        bytes.extend(now_ms().to_be_bytes());
        bytes.extend(payload);
        let mac = hmac(&self.current("sign", purpose), &[&bytes]);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What [`sign`](Self::sign) has signed for this purpose.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, purpose: &str, token: &str, max_age: Option<Duration>) -> Result<Opened, TokenError> {
        let bytes = decoded(token, SIGNED, HEAD_LEN + TIME_LEN + MAC_LEN)?;
        let (signed, mac) = bytes.split_at(bytes.len() - MAC_LEN);
        let of = self.derive("sign", purpose).position(|key| same_bytes(&hmac(&key, &[signed]), mac));
        let of = of.ok_or(TokenError::BadSignature)?;
        opened(&signed[HEAD_LEN..], of)?.within(max_age)
    }

    /// A token that nobody can read or change.
    ///
    /// ```
    /// # simurgh_runtime::run("doc", async {
    /// # use simurgh_web::Keys;
    /// let keys = Keys::random();
    /// let token = keys.encrypt("note", "for your eyes only");
    /// assert_eq!(keys.decrypt("note", &token, None).unwrap().payload(), b"for your eyes only");
    /// # });
    /// ```
    pub fn encrypt(&self, purpose: &str, payload: impl AsRef<[u8]>) -> String {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce);
        let plain = [&now_ms().to_be_bytes(), payload.as_ref()].concat();
        let cipher = XChaCha20Poly1305::new(&self.current("encrypt", purpose).into());
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &ENCRYPTED })
            .expect("it is shorter than 256 GiB");
        URL_SAFE_NO_PAD.encode([&ENCRYPTED[..], &nonce, &sealed].concat())
    }

    /// What [`encrypt`](Self::encrypt) has encrypted for this purpose.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn decrypt(&self, purpose: &str, token: &str, max_age: Option<Duration>) -> Result<Opened, TokenError> {
        let bytes = decoded(token, ENCRYPTED, HEAD_LEN + NONCE_LEN + TIME_LEN + TAG_LEN)?;
        let (nonce, sealed) = bytes[HEAD_LEN..].split_first_chunk::<NONCE_LEN>().ok_or(TokenError::Malformed)?;
        for (at, key) in self.derive("encrypt", purpose).enumerate() {
            let payload = Payload { msg: sealed, aad: &ENCRYPTED };
            if let Ok(plain) = XChaCha20Poly1305::new(&key.into()).decrypt(&XNonce::from(*nonce), payload) {
                return opened(&plain, at)?.within(max_age);
            }
        }
        Err(TokenError::BadSignature)
    }

    fn current(&self, kind: &'static str, purpose: &str) -> [u8; 32] {
        self.derive(kind, purpose).next().expect("a ring has a current key")
    }
}

fn decoded(token: &str, head: [u8; HEAD_LEN], len_min: usize) -> Result<Vec<u8>, TokenError> {
    if token.len() > TOKEN_LEN_MAX {
        return Err(TokenError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Malformed)?;
    if bytes.len() < len_min || !bytes.starts_with(&head) {
        return Err(TokenError::Malformed);
    }
    Ok(bytes)
}

/// Of the time and the payload.
fn opened(bytes: &[u8], of_key: usize) -> Result<Opened, TokenError> {
    let (issued, payload) = bytes.split_first_chunk::<TIME_LEN>().ok_or(TokenError::Malformed)?;
    let issued_ms = u64::from_be_bytes(*issued);
    Ok(Opened { payload: payload.to_vec(), issued_ms, is_of_old_key: of_key > 0 })
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_nanos()).unwrap_or_default() / 1_000_000
}
