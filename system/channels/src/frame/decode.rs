//! From frames to messages.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use simurgh_http::ws::{Message, Text};

use super::{REF_LEN_MAX, Ref, TOPIC_LEN_MAX, Vsn, binary};
use crate::Payload;

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The `ref` of the join that this message belongs to; none is for whichever there is.
    pub join_ref: Option<Ref>,
    /// The message's own name, which its reply bears.
    pub reference: Option<Ref>,
    /// The topic.
    pub topic: Text,
    /// The event.
    pub event: Text,
    /// The payload: any JSON, or bytes.
    pub payload: Payload,
}

/// A frame that is no message. There is no answer to it: the socket ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No JSON, or not of the shape that the version wants.
    #[error("a text frame is no message: {0}")]
    Json(String),
    /// A binary frame that ends before its lengths say, or is not UTF-8 where it is text.
    #[error("a binary frame is no message: {0}")]
    Binary(&'static str),
    /// Text that is not UTF-8.
    #[error("a frame is not UTF-8")]
    Utf8,
    /// Beyond [`TOPIC_LEN_MAX`].
    #[error("a topic has {len} bytes; the limit is {TOPIC_LEN_MAX}")]
    TopicTooLong {
        /// In bytes.
        len: usize,
    },
    /// Beyond [`REF_LEN_MAX`].
    #[error("a reference has {len} bytes; the limit is {REF_LEN_MAX}")]
    RefTooLong {
        /// In bytes.
        len: usize,
    },
}

impl Incoming {
    /// Reads a frame.
    ///
    /// ```
    /// use simurgh_channels::{Incoming, Vsn};
    /// use simurgh_http::ws::Message;
    ///
    /// let frame = Message::text(r#"["3","5","room:1","ping",{"n":1}]"#);
    /// let message = Incoming::decode(Vsn::V2, &frame)?;
    /// assert_eq!((message.topic.as_str(), message.event.as_str()), ("room:1", "ping"));
    /// assert_eq!(message.payload.as_bytes(), br#"{"n":1}"#);
    /// # Ok::<(), simurgh_channels::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// If it is no message of this version.
    pub fn decode(vsn: Vsn, frame: &Message) -> Result<Self, DecodeError> {
        match (vsn, frame) {
            (Vsn::V2, Message::Binary(bytes)) => binary::decode(bytes)?.checked(),
            (_, Message::Text(text)) => Self::of_text(vsn, text.as_str()),
            (Vsn::V1, Message::Binary(bytes)) => {
                Self::of_text(vsn, simdutf8::basic::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?)
            }
        }
        .map(|message| message.within(frame))
    }

    fn of_text(vsn: Vsn, text: &str) -> Result<Slices<'_>, DecodeError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let slices = match vsn {
            Vsn::V1 => json.deserialize_map(Object),
            Vsn::V2 => json.deserialize_seq(Array),
        };
        let slices = slices.and_then(|slices| json.end().map(|()| slices));
        slices.map_err(|error| DecodeError::Json(error.to_string()))?.checked()
    }
}

/// A message whose parts lie in the frame, but for text that had to be unescaped.
pub(super) struct Slices<'a> {
    pub(super) join_ref: Option<Ref>,
    pub(super) reference: Option<Ref>,
    pub(super) ref_len: usize,
    pub(super) topic: Cow<'a, str>,
    pub(super) event: Cow<'a, str>,
    pub(super) payload: PayloadSlice<'a>,
}

pub(super) enum PayloadSlice<'a> {
    Json(&'a str),
    Binary(&'a [u8]),
}

impl<'a> Slices<'a> {
    fn new(
        join_ref: &RawValue,
        reference: &RawValue,
        topic: Cow<'a, str>,
        event: Cow<'a, str>,
        payload: &'a RawValue,
    ) -> Self {
        let ref_len = join_ref.get().len().max(reference.get().len());
        let of =
            |json: &RawValue| if json.get().len() > REF_LEN_MAX { None } else { Ref::of_json(json.get().as_bytes()) };
        let payload = PayloadSlice::Json(payload.get());
        Self { join_ref: of(join_ref), reference: of(reference), ref_len, topic, event, payload }
    }

    fn checked(self) -> Result<Self, DecodeError> {
        if self.ref_len > REF_LEN_MAX {
            return Err(DecodeError::RefTooLong { len: self.ref_len });
        }
        if self.topic.len() > TOPIC_LEN_MAX {
            return Err(DecodeError::TopicTooLong { len: self.topic.len() });
        }
        Ok(self)
    }

    /// The message, whose parts share the frame's memory.
    fn within(self, frame: &Message) -> Incoming {
        let whole = match frame {
            Message::Text(text) => text.clone().into_bytes(),
            Message::Binary(bytes) => bytes.clone(),
        };
        let payload = match self.payload {
            PayloadSlice::Json(json) => Payload::Json(whole.slice_ref(json.as_bytes())),
            PayloadSlice::Binary(bytes) => Payload::Binary(whole.slice_ref(bytes)),
        };
        Incoming {
            join_ref: self.join_ref,
            reference: self.reference,
            topic: text_of(self.topic, &whole),
            event: text_of(self.event, &whole),
            payload,
        }
    }
}

fn text_of(text: Cow<'_, str>, whole: &Bytes) -> Text {
    match text {
        Cow::Borrowed(text) => Text::try_from(whole.slice_ref(text.as_bytes())).expect("it was checked"),
        Cow::Owned(text) => Text::from(text),
    }
}

/// Version 2: five values, and more that nobody reads.
struct Array;

impl<'de> Visitor<'de> for Array {
    type Value = Slices<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[join_ref, ref, topic, event, payload]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Slices<'de>, A::Error> {
        let short = |at| de::Error::invalid_length(at, &self);
        let join_ref = items.next_element::<&RawValue>()?.ok_or_else(|| short(0))?;
        let reference = items.next_element::<&RawValue>()?.ok_or_else(|| short(1))?;
        let topic = items.next_element_seed(Str)?.ok_or_else(|| short(2))?;
        let event = items.next_element_seed(Str)?.ok_or_else(|| short(3))?;
        let payload = items.next_element::<&RawValue>()?.ok_or_else(|| short(4))?;
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Slices::new(join_ref, reference, topic, event, payload))
    }
}

/// Version 1: an object, in which four names have to be.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Slices<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with topic, event, payload and ref")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Slices<'de>, A::Error> {
        let (mut topic, mut event, mut payload, mut reference, mut join_ref) = (None, None, None, None, None);
        while let Some(name) = entries.next_key_seed(Str)? {
            match &*name {
                "topic" => topic = Some(entries.next_value_seed(Str)?),
                "event" => event = Some(entries.next_value_seed(Str)?),
                "payload" => payload = Some(entries.next_value::<&RawValue>()?),
                "ref" => reference = Some(entries.next_value::<&RawValue>()?),
                "join_ref" => join_ref = Some(entries.next_value::<&RawValue>()?),
                _ => drop(entries.next_value::<de::IgnoredAny>()?),
            }
        }
        Ok(Slices::new(
            join_ref.unwrap_or(RawValue::NULL),
            reference.ok_or_else(|| de::Error::missing_field("ref"))?,
            topic.ok_or_else(|| de::Error::missing_field("topic"))?,
            event.ok_or_else(|| de::Error::missing_field("event"))?,
            payload.ok_or_else(|| de::Error::missing_field("payload"))?,
        ))
    }
}

/// Text, borrowed unless it has escapes.
struct Str;

impl<'de> DeserializeSeed<'de> for Str {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Str {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A frame of text that came by other means than a socket.
///
/// # Errors
/// If it is not UTF-8.
pub(crate) fn text_frame(bytes: Bytes) -> Result<Message, DecodeError> {
    Text::try_from(bytes).map(Message::Text).map_err(|_| DecodeError::Utf8)
}
