//! What a message carries.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::EncodeError;

/// What a message carries: JSON that is not taken apart until somebody asks, or bytes.
///
/// ```
/// use simurgh_channels::Payload;
///
/// #[derive(serde::Deserialize)]
/// struct NewMessage { body: String }
///
/// let payload = Payload::json(&serde_json::json!({"body": "hi"}))?;
/// let message: NewMessage = payload.deserialize()?;
/// assert_eq!(message.body, "hi");
/// assert_eq!(payload.as_bytes(), br#"{"body":"hi"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON. That it is, is for whoever makes one to know.
    Json(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// A payload that is not what a channel wants: the client's fault, and it is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Bytes came where JSON is wanted, or the other way round.
    #[error("the payload is of the other kind: {wanted} is wanted")]
    Kind {
        /// What is wanted.
        wanted: &'static str,
    },
    /// It is other JSON than is wanted.
    #[error("the payload is wrong: {0}")]
    Json(String),
}

impl Payload {
    /// A value as JSON.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let json = serde_json::to_vec(value).map_err(|error| EncodeError::Json(error.to_string()))?;
        Ok(Self::Json(json.into()))
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// `{}`.
    pub const fn empty() -> Self {
        Self::Json(Bytes::from_static(b"{}"))
    }

    /// The text of the JSON, or the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(bytes) | Self::Binary(bytes) => bytes,
        }
    }

    /// What is pushed and broadcast has to be an object, or bytes.
    pub(crate) fn check_object(&self) -> Result<(), EncodeError> {
        let is_object = self.is_binary() || self.as_bytes().trim_ascii_start().starts_with(b"{");
        if is_object { Ok(()) } else { Err(EncodeError::NotAnObject) }
    }

    /// Whether it is bytes.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// The JSON as a value of this type.
    ///
    /// # Errors
    /// If it is none, or bytes.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        match self {
            Self::Json(json) => serde_json::from_slice(json).map_err(|error| PayloadError::Json(error.to_string())),
            Self::Binary(_) => Err(PayloadError::Kind { wanted: "JSON" }),
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// If it is JSON.
    pub fn bytes(&self) -> Result<&Bytes, PayloadError> {
        match self {
            Self::Binary(bytes) => Ok(bytes),
            Self::Json(_) => Err(PayloadError::Kind { wanted: "a binary frame" }),
        }
    }
}

/// What can be sent: a [`Payload`] as it is, anything else as JSON.
pub trait ToPayload {
    /// As a payload.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    fn to_payload(&self) -> Result<Payload, EncodeError>;
}

impl ToPayload for Payload {
    fn to_payload(&self) -> Result<Payload, EncodeError> {
        Ok(self.clone())
    }
}

// A payload is not `Serialize`, or it could be either.
impl<T: Serialize + ?Sized> ToPayload for T {
    fn to_payload(&self) -> Result<Payload, EncodeError> {
        Payload::json(self)
    }
}
