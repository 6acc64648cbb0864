//! What a client hears.

use serde_json::Value;
use simurgh_http::ws::Message;

/// One frame of the server, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of which life of the channel; none in broadcasts.
    pub join_ref: Option<String>,
    /// To which message it is the answer.
    pub reference: Option<String>,
    /// The topic.
    pub topic: String,
    /// The event.
    pub event: String,
    /// What it carries. Bytes are a list of numbers.
    pub payload: Value,
}

/// The answer to a join or a push.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// `ok`, `error`, or a word of the application's own.
    pub status: String,
    /// What it says.
    pub response: Value,
}

impl Response {
    /// It is `ok`; gives what it says.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_ok(self) -> Value {
        assert_eq!(self.status, "ok", "the answer is {self:?}");
        self.response
    }

    /// It is `error`; gives what it says.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_error(self) -> Value {
        assert_eq!(self.status, "error", "the answer is {self:?}");
        self.response
    }
}

impl Event {
    /// Reads a frame of version 2; none if it is not one.
    pub(super) fn read(frame: &Message) -> Option<Self> {
        match frame {
            Message::Text(text) => {
                let (join_ref, reference, topic, event, payload) = serde_json::from_str(text.as_str()).ok()?;
                Some(Self { join_ref, reference, topic, event, payload })
            }
            Message::Binary(bytes) => Self::read_binary(bytes),
        }
    }

    fn read_binary(frame: &[u8]) -> Option<Self> {
        let (kind, rest) = frame.split_first()?;
        let fields = match kind {
            0 => 3,
            1 => 4,
            2 => 2,
            _ => return None,
        };
        let (lens, mut rest) = rest.split_at_checked(fields)?;
        let mut texts = Vec::new();
        for len in lens {
            let (text, after) = rest.split_at_checked(usize::from(*len))?;
            texts.push(String::from_utf8(text.to_vec()).ok()?);
            rest = after;
        }
        let payload = Value::from(rest.to_vec());
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let mut texts = texts.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        Some(match kind {
            0 => Self { join_ref: some(next()), reference: None, topic: next(), event: next(), payload },
            1 => Self {
                join_ref: some(next()),
                reference: some(next()),
                topic: next(),
                event: "phx_reply".into(),
                payload: serde_json::json!({ "status": next(), "response": payload }),
            },
            _ => Self { join_ref: None, reference: None, topic: next(), event: next(), payload },
        })
    }

    /// As the answer that it is, if it is one.
    pub(super) fn response(&self) -> Option<Response> {
        (self.event == "phx_reply").then(|| Response {
            status: self.payload["status"].as_str().unwrap_or_default().to_owned(),
            response: self.payload["response"].clone(),
        })
    }
}

/// A client's message of version 2.
pub(super) fn text(join_ref: Option<&str>, reference: &str, topic: &str, event: &str, payload: &Value) -> Message {
    Message::text(serde_json::json!([join_ref, reference, topic, event, payload]).to_string())
}
