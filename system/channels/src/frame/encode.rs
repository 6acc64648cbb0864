//! From messages to frames.

use simurgh_http::ws::{Message, Prepared};

use super::{Ref, Vsn, binary};
use crate::Payload;

/// A message for a client, encoded: what a socket writes. Cloning it clones a pointer.
#[derive(Debug, Clone)]
pub struct Frame(Prepared);

/// Why something cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Clients look into it.
    #[error("what is pushed or broadcast is a JSON object or bytes")]
    NotAnObject,
    /// A binary frame has one byte for the length of each field.
    #[error("the {field} of a binary frame has {len} bytes; it has room for 255")]
    FieldTooLong {
        /// Which.
        field: &'static str,
        /// In bytes.
        len: usize,
    },
    /// Version 1 of the protocol has no binary frames.
    #[error("a client of version 1 takes no bytes")]
    BinaryInV1,
    /// JSON is UTF-8.
    #[error("what is said to be JSON is not UTF-8")]
    NotUtf8,
    /// The value does not become JSON.
    #[error("it cannot be written as JSON: {0}")]
    Json(String),
}

const ALL_TEXT: &str = "all its parts are text";

impl Frame {
    /// `[join_ref, null, topic, event, payload]`: from one channel.
    ///
    /// # Errors
    /// If the payload is no object, or does not fit into a binary frame of this version.
    pub fn push(
        vsn: Vsn,
        join_ref: Option<&Ref>,
        topic: &str,
        event: &str,
        payload: &Payload,
    ) -> Result<Self, EncodeError> {
        match (vsn, payload) {
            (_, Payload::Json(json)) => Self::json(vsn, join_ref, None, topic, event, object(json)?),
            (Vsn::V2, Payload::Binary(data)) => Ok(Self::binary(&binary::push(join_ref, topic, event, data)?)),
            (Vsn::V1, Payload::Binary(_)) => Err(EncodeError::BinaryInV1),
        }
    }

    /// `[null, null, topic, event, payload]`: to all who have joined.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn broadcast(vsn: Vsn, topic: &str, event: &str, payload: &Payload) -> Result<Self, EncodeError> {
        match (vsn, payload) {
            (Vsn::V2, Payload::Binary(data)) => Ok(Self::binary(&binary::broadcast(topic, event, data)?)),
            _ => Self::push(vsn, None, topic, event, payload),
        }
    }

    /// `[join_ref, ref, topic, "phx_reply", {"status": status, "response": response}]`: the answer to one message.
    ///
    /// # Errors
    /// As [`push`](Self::push), but a response may be any JSON.
    pub fn reply(
        vsn: Vsn,
        join_ref: Option<&Ref>,
        reference: Option<&Ref>,
        topic: &str,
        status: &str,
        response: &Payload,
    ) -> Result<Self, EncodeError> {
        let json = match (vsn, response) {
            (_, Payload::Json(json)) => json,
            (Vsn::V2, Payload::Binary(data)) => {
                return Ok(Self::binary(&binary::reply(join_ref, reference, topic, status, data)?));
            }
            (Vsn::V1, Payload::Binary(_)) => return Err(EncodeError::BinaryInV1),
        };
        let mut payload = Vec::with_capacity(json.len() + status.len() + 32);
        payload.extend_from_slice(b"{\"status\":");
        push_str(&mut payload, status);
        payload.extend_from_slice(b",\"response\":");
        payload.extend_from_slice(json);
        payload.push(b'}');
        Self::json(vsn, join_ref, reference, topic, "phx_reply", &payload)
    }

    /// `[join_ref, join_ref, topic, "phx_close", {}]`: the channel has ended.
    pub fn close(vsn: Vsn, join_ref: Option<&Ref>, topic: &str) -> Self {
        Self::json(vsn, join_ref, join_ref, topic, "phx_close", b"{}").expect(ALL_TEXT)
    }

    /// `[join_ref, join_ref, topic, "phx_error", {"reason": "channel_crash"}]`: the channel has crashed.
    pub fn error(vsn: Vsn, join_ref: Option<&Ref>, topic: &str) -> Self {
        Self::json(vsn, join_ref, join_ref, topic, "phx_error", b"{\"reason\":\"channel_crash\"}").expect(ALL_TEXT)
    }

    fn json(
        vsn: Vsn,
        join_ref: Option<&Ref>,
        reference: Option<&Ref>,
        topic: &str,
        event: &str,
        payload: &[u8],
    ) -> Result<Self, EncodeError> {
        let of = |reference: Option<&Ref>, into: &mut Vec<u8>| {
            into.extend_from_slice(reference.map_or(b"null", Ref::as_json));
        };
        let mut frame = Vec::with_capacity(payload.len() + topic.len() + event.len() + 64);
        match vsn {
            Vsn::V1 => {
                frame.extend_from_slice(b"{\"topic\":");
                push_str(&mut frame, topic);
                frame.extend_from_slice(b",\"event\":");
                push_str(&mut frame, event);
                frame.extend_from_slice(b",\"payload\":");
                frame.extend_from_slice(payload);
                frame.extend_from_slice(b",\"ref\":");
                of(reference, &mut frame);
                frame.push(b'}');
            }
            Vsn::V2 => {
                frame.push(b'[');
                of(join_ref, &mut frame);
                frame.push(b',');
                of(reference, &mut frame);
                frame.push(b',');
                push_str(&mut frame, topic);
                frame.push(b',');
                push_str(&mut frame, event);
                frame.push(b',');
                frame.extend_from_slice(payload);
                frame.push(b']');
            }
        }
        Prepared::text_bytes(&frame).map(Self).map_err(|_| EncodeError::NotUtf8)
    }

    fn binary(frame: &[u8]) -> Self {
        Self(Prepared::binary(frame))
    }

    /// For a WebSocket.
    pub fn prepared(&self) -> &Prepared {
        &self.0
    }

    /// The text, or the bytes, without what a WebSocket puts around it.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is text.
    pub fn is_text(&self) -> bool {
        self.0.is_text()
    }

    /// As a message that a client receives.
    pub fn message(&self) -> Message {
        self.0.message()
    }
}

/// JSON that was checked, if it is an object.
fn object(json: &[u8]) -> Result<&[u8], EncodeError> {
    if json.trim_ascii_start().starts_with(b"{") { Ok(json) } else { Err(EncodeError::NotAnObject) }
}

/// Writes text as JSON.
pub(crate) fn push_str(into: &mut Vec<u8>, text: &str) {
    into.push(b'"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        into.extend_from_slice(text.as_bytes());
    } else {
        let quoted = serde_json::to_string(text).expect("text is JSON");
        into.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    }
    into.push(b'"');
}
