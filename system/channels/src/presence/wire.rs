//! Messages as bytes.
//!
//! ```text
//!   message   magic "SPrT", version, kind, replicas, body
//!   replicas  count, then each: name, started, unique; the first is the sender
//!   clocks    count, then each: replica, clock
//!   delta     is full, count of parts, topics, then each part:
//!             replica, start, end, runs (count; gap, length), values (count; gap, topic, key, process, meta)
//! ```
//!
//! Numbers are LEB128 in its shortest form, texts are UTF-8 with their length before them. Clocks of a part are written as
//! the distance from the one before. What does not follow these rules to the last byte is refused.

mod read;
mod write;

use super::Message;

/// Bytes at the beginning of each message.
const MAGIC: [u8; 4] = *b"SPrT";
/// The version of the form.
const VERSION: u8 = 1;
/// Bytes of a message.
pub const MESSAGE_LEN_MAX: usize = 64 * 1024 * 1024;

const HEARTBEAT: u8 = 1;
const HEARTBEAT_WITH_DELTA: u8 = 2;
const TRANSFER_REQUEST: u8 = 3;
const TRANSFER_ACK: u8 = 4;
const GOODBYE: u8 = 5;

/// Bytes that are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They do not begin as one.
    #[error("this is no message of a presence tracker")]
    NotAMessage,
    /// The sender speaks another version.
    #[error("version {0} of the presence tracker's messages is not known here, which speaks version {VERSION}")]
    UnknownVersion(u8),
    /// They end too early.
    #[error("the message ends in the middle")]
    Truncated,
    /// Something in them cannot be.
    #[error("byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What.
        what: &'static str,
    },
    /// There are too many of them.
    #[error("a message of {0} bytes is longer than {MESSAGE_LEN_MAX}")]
    TooLong(usize),
}

impl DecodeError {
    /// A stable word for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAMessage => "not_a_message",
            Self::UnknownVersion(_) => "unknown_version",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::TooLong(_) => "too_long",
        }
    }
}

impl Message {
    /// The message as bytes.
    ///
    /// ```
    /// use simurgh_channels::presence::{Message, ReplicaId, Version};
    ///
    /// let message = Message::Goodbye { from: ReplicaId::new("chat-1", Version { started_us: 1, unique: 2 }) };
    /// assert_eq!(Message::decode(&message.encode()), Ok(message));
    /// assert!(Message::decode(b"something else").is_err());
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        write::message(self)
    }

    /// The message that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read::message(bytes)
    }
}

#[cfg(test)]
mod tests;
