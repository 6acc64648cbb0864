//! Messages: made once, shared by all who get them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use simurgh_runtime::Carried;

use crate::encoding::Encodings;
use crate::{DecodeError, EncodeError, Encoding};

/// What is published: a topic, an event and a payload. One allocation that all subscribers share; to
/// clone it is to count one more.
///
/// ```
/// use simurgh_pubsub::{Message, Payload};
///
/// let message = Message::json("room:lobby", "new_msg", &["hello"]).unwrap();
/// assert_eq!((message.topic(), message.event()), ("room:lobby", "new_msg"));
/// assert_eq!(message.payload(), &Payload::Json(r#"["hello"]"#.into()));
/// assert_eq!(message.deserialize::<Vec<String>>().unwrap(), ["hello"]);
/// ```
///
/// A message remembers the trace context of the task that made it; [`Subscription::recv`] passes it on.
///
/// [`Subscription::recv`]: crate::Subscription::recv
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    /// The topic, and then the event.
    text: Box<str>,
    topic_len: u32,
    payload: Payload,
    /// Which dispatcher is to deliver it, if not the plain one.
    dispatcher: Option<Arc<str>>,
    carried: Option<Arc<Carried>>,
    encodings: Encodings,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// One JSON text, as bytes, for a serializer to put into its frame as it is.
    Json(Bytes),
    /// Any bytes.
    Binary(Bytes),
}

impl Payload {
    /// The bytes, whatever they are.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Json(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

impl Message {
    /// A message with a payload that is written as JSON, now and once.
    ///
    /// # Errors
    /// [`EncodeError`], if `payload` cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(topic: &str, event: &str, payload: &T) -> Result<Self, EncodeError> {
        let json = serde_json::to_vec(payload).map_err(EncodeError::new)?;
        Ok(Self::raw_json(topic, event, json))
    }

    /// A message whose payload is JSON already. That it is is not looked at: serializers put it into
    /// their frames as it is, and who reads [`Message::deserialize`] is told.
    pub fn raw_json(topic: &str, event: &str, json: impl Into<Bytes>) -> Self {
        Self::of(topic, event, Payload::Json(json.into()))
    }

    /// A message with a payload of any bytes.
    pub fn binary(topic: &str, event: &str, bytes: impl Into<Bytes>) -> Self {
        Self::of(topic, event, Payload::Binary(bytes.into()))
    }

    /// A message with this payload.
    pub fn of(topic: &str, event: &str, payload: Payload) -> Self {
        Self::whole(topic, event, payload, None)
    }

    pub(crate) fn whole(topic: &str, event: &str, payload: Payload, dispatcher: Option<Arc<str>>) -> Self {
        let mut text = String::with_capacity(topic.len() + event.len());
        text.push_str(topic);
        text.push_str(event);
        Self(Arc::new(Inner {
            text: text.into(),
            topic_len: topic.len() as u32,
            payload,
            dispatcher,
            carried: Carried::current(),
            encodings: Encodings::default(),
        }))
    }

    /// The same, to be delivered by the dispatcher of this name on each node that it reaches: see
    /// [`Dispatcher`](crate::Dispatcher).
    pub fn dispatched_by(self, name: &str) -> Self {
        Self::whole(self.topic(), self.event(), self.payload().clone(), Some(name.into()))
    }

    /// Where it is published.
    #[inline]
    pub fn topic(&self) -> &str {
        &self.0.text[..self.0.topic_len as usize]
    }

    /// What happened.
    #[inline]
    pub fn event(&self) -> &str {
        &self.0.text[self.0.topic_len as usize..]
    }

    /// What it says.
    #[inline]
    pub fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// The name of the dispatcher that is to deliver it, if not the plain one.
    #[inline]
    pub fn dispatcher(&self) -> Option<&str> {
        self.0.dispatcher.as_deref()
    }

    /// What the task carried that made it: its trace context and locale.
    pub fn carried(&self) -> Option<&Arc<Carried>> {
        self.0.carried.as_ref()
    }

    /// Reads a JSON payload.
    ///
    /// # Errors
    /// [`DecodeError`]: it is binary, or not what is asked for.
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        match self.payload() {
            Payload::Json(json) => serde_json::from_slice(json).map_err(DecodeError::json),
            Payload::Binary(_) => Err(DecodeError::Binary),
        }
    }

    /// The message in the form of `E`, which is made at the first call and then shared: see [`Encoding`].
    ///
    /// # Errors
    /// What [`Encoding::encode`] said; the error is remembered too.
    pub fn encoded<E: Encoding>(&self) -> Result<Arc<E::Output>, EncodeError> {
        self.0.encodings.get::<E>(self)
    }
}

/// Equal are messages that say the same, whoever made them.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        let parts = |message: &Self| (message.0.topic_len, message.0.dispatcher.clone());
        Arc::ptr_eq(&self.0, &other.0)
            || (parts(self) == parts(other) && self.0.text == other.0.text && self.0.payload == other.0.payload)
    }
}

impl Eq for Message {}

/// Topic, event and the payload's length: what it says is the application's, and not for logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.payload() {
            Payload::Json(_) => "json",
            Payload::Binary(_) => "binary",
        };
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("event", &self.event())
            .field(kind, &self.payload().bytes().len())
            .finish_non_exhaustive()
    }
}
