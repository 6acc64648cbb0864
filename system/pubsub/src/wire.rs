//! The wire form of a message, for adapters.
//!
//! ```text
//!   "SPM" | version 1 | kind | topic len, 2 | event len, 2 | dispatcher len, 1 | payload len, 4
//!         | topic | event | dispatcher | payload
//! ```
//!
//! Numbers are big endian; kind is 0 for JSON and 1 for binary. Nothing follows the payload.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use serde::de::IgnoredAny;

use crate::{BroadcastError, EncodeError, Encoding, Message, Payload};

#[cfg(test)]
mod tests;

const MAGIC: [u8; 3] = *b"SPM";
const VERSION: u8 = 1;
const HEAD: usize = 14;

/// The wire form of a message: made once, shared by all links. It begins with a magic number and a
/// version; [`Message::from_wire`] reads it.
///
/// ```
/// use simurgh_pubsub::{Message, Wire};
///
/// let message = Message::json("room:lobby", "new_msg", &["hello"]).unwrap();
/// let bytes = message.encoded::<Wire>().unwrap();
/// assert_eq!(Message::from_wire(&bytes).unwrap(), message);
/// assert!(Message::from_wire(&bytes.slice(1..)).is_err());
/// ```
#[derive(Debug)]
pub struct Wire;

impl Encoding for Wire {
    type Output = Bytes;

    fn encode(message: &Message) -> Result<Bytes, EncodeError> {
        let (topic, event) = (message.topic(), message.event());
        let dispatcher = message.dispatcher().unwrap_or_default();
        let (kind, payload) = match message.payload() {
            Payload::Json(bytes) => (0, bytes),
            Payload::Binary(bytes) => (1, bytes),
        };
        let mut wire = Vec::with_capacity(HEAD + topic.len() + event.len() + dispatcher.len() + payload.len());
        wire.put_slice(&MAGIC);
        wire.put_u8(VERSION);
        wire.put_u8(kind);
        wire.put_u16(u16::try_from(topic.len()).map_err(|_| EncodeError::new("its topic is too long"))?);
        wire.put_u16(u16::try_from(event.len()).map_err(|_| EncodeError::new("its event is too long"))?);
        wire.put_u8(u8::try_from(dispatcher.len()).map_err(|_| EncodeError::new("its dispatcher's name is too long"))?);
        wire.put_u32(u32::try_from(payload.len()).map_err(|_| EncodeError::new("its payload is too long"))?);
        for part in [topic.as_bytes(), event.as_bytes(), dispatcher.as_bytes(), payload] {
            wire.put_slice(part);
        }
        Ok(wire.into())
    }
}

/// Why bytes from another node are not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// They do not begin as a message does.
    #[error("the bytes are no message: they do not begin with its magic number")]
    NotAMessage,
    /// They are of another version.
    #[error("the message is of version {version}; this node reads version {VERSION}")]
    Version {
        /// Theirs.
        version: u8,
    },
    /// They end too early, or go on after the end.
    #[error("the message has {len} bytes; its head says {expected}")]
    Length {
        /// How many there are.
        len: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A part is not what it should be.
    #[error("the {part} of the message is malformed")]
    Malformed {
        /// Which.
        part: &'static str,
    },
    /// It is a message that this node does not deliver.
    #[error("the message is refused: {0}")]
    Refused(#[source] BroadcastError),
}

impl WireError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAMessage => "pubsub.wire.not_a_message",
            Self::Version { .. } => "pubsub.wire.version",
            Self::Length { .. } => "pubsub.wire.length",
            Self::Malformed { .. } => "pubsub.wire.malformed",
            Self::Refused(error) => error.code(),
        }
    }
}

impl Message {
    /// Reads a message in its wire form ([`Wire`]). The payload shares the bytes; a JSON payload is looked
    /// through, since serializers will put it into their frames as it is.
    ///
    /// # Errors
    /// [`WireError`], if the bytes are not exactly one message of this version.
    pub fn from_wire(bytes: &Bytes) -> Result<Self, WireError> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
            let starts_well = bytes.iter().zip(&MAGIC).all(|(one, other)| one == other) && bytes.len() >= MAGIC.len();
            let short = WireError::Length { len: bytes.len(), expected: HEAD };
            return Err(if starts_well { short } else { WireError::NotAMessage });
        };
        let [m0, m1, m2, version, kind, t0, t1, e0, e1, dispatcher_len, p0, p1, p2, p3] = *head;
        if [m0, m1, m2] != MAGIC {
            return Err(WireError::NotAMessage);
        }
        if version != VERSION {
            return Err(WireError::Version { version });
        }
        let lens = [u16::from_be_bytes([t0, t1]), u16::from_be_bytes([e0, e1]), dispatcher_len.into()].map(usize::from);
        let payload_len = u32::from_be_bytes([p0, p1, p2, p3]) as usize;
        let text_len = lens.iter().sum::<usize>();
        if rest.len() != text_len + payload_len {
            return Err(WireError::Length { len: bytes.len(), expected: HEAD + text_len + payload_len });
        }
        let mut rest = rest;
        let mut text = |len: usize, part| {
            let (text, after) = rest.split_at(len);
            rest = after;
            std::str::from_utf8(text).map_err(|_| WireError::Malformed { part })
        };
        let (topic, event) = (text(lens[0], "topic")?, text(lens[1], "event")?);
        let dispatcher = text(lens[2], "dispatcher")?;
        let dispatcher = (!dispatcher.is_empty()).then(|| Arc::from(dispatcher));
        let payload = bytes.slice(HEAD + text_len..);
        let payload = match kind {
            0 if serde_json::from_slice::<IgnoredAny>(&payload).is_ok() => Payload::Json(payload),
            0 => return Err(WireError::Malformed { part: "payload" }),
            1 => Payload::Binary(payload),
            _ => return Err(WireError::Malformed { part: "kind" }),
        };
        Ok(Self::whole(topic, event, payload, dispatcher))
    }
}
