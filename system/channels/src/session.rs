//! One client's topics: which of its messages go where, with no process and no socket behind it.
//!
//! ```text
//!               phx_join                   phx_leave                 told, or ended
//!   no channel ─────────> joined ──────────────────────────> leaving ──────────────> no channel
//!                           │ ^ phx_join: the old one is closed, then a new one               ^
//!                           │ └──────────────────────────────────────────────┘                │
//!                           └──────── stopped: phx_close, crashed: phx_error ─────────────────┘
//! ```
//!
//! [`Session::step`] takes one message and says what is to be done. Whoever does it tells of what came of it, by
//! [`joined`](Session::joined), [`closing`](Session::closing) and [`ended`](Session::ended). Messages of one client
//! are done one after another, so nothing comes in between.

use crate::frame::Ref;
use crate::{EncodeError, Frame, Incoming, Payload, Topic, Vsn};

/// What names one life of a channel: pushes and replies bear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) topic: Topic,
    /// As the join had it.
    pub(crate) join_ref: Option<Ref>,
    /// The `ref` of the join, which serves where it had no `join_ref`.
    pub(crate) reference: Option<Ref>,
    /// Tells one life from another within a session.
    pub(crate) number: u32,
}

impl Life {
    /// What its own frames bear.
    pub(crate) fn bears(&self) -> Option<&Ref> {
        self.join_ref.as_ref().or(self.reference.as_ref())
    }
}

/// The channels of one socket. `C` is how one talks to a channel.
pub(crate) struct Session<C> {
    vsn: Vsn,
    channels_max: usize,
    next: u32,
    /// In the order of their topics.
    channels: Vec<Entry<C>>,
}

struct Entry<C> {
    life: Life,
    channel: C,
}

/// What is to be done with a message.
#[derive(Debug)]
pub(crate) enum Step<'a, C> {
    /// This is the answer.
    Answer(Frame),
    /// A channel is to be started, by the pattern of this number.
    Join(Join<C>),
    /// The channel is to end, and to answer this.
    Leave(&'a mut C, Incoming),
    /// The channel is to have it.
    Deliver(&'a mut C, Incoming),
    /// It is of a life that is over.
    Stale,
}

/// A channel to be started.
#[derive(Debug)]
pub(crate) struct Join<C> {
    pub(crate) life: Life,
    pub(crate) pattern: usize,
    pub(crate) payload: Payload,
    /// To be ended before: the client has it twice, and hears of the end of the former.
    pub(crate) replaced: Option<(Life, C)>,
}

impl<C> Session<C> {
    pub(crate) fn new(vsn: Vsn, channels_max: usize) -> Self {
        Self { vsn, channels_max, next: 0, channels: Vec::new() }
    }

    /// Channels that there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// What is to be done with a message; `pattern` finds the first pattern that a topic fits.
    pub(crate) fn step(&mut self, message: Incoming, pattern: impl FnOnce(&str) -> Option<usize>) -> Step<'_, C> {
        let place = self.place(message.topic.as_str());
        match (message.event.as_str(), place) {
            ("heartbeat", _) if message.topic == "phoenix" => {
                Step::Answer(self.reply(&message, None, "ok", &Payload::empty()))
            }
            ("phx_join", place) => self.join(message, place.ok(), pattern),
            (event, Ok(place)) => {
                let is_leave = event == "phx_leave";
                let Entry { life, channel } = &mut self.channels[place];
                let is_its = message.join_ref.is_none() || message.join_ref == life.join_ref;
                match (is_its, is_leave) {
                    (false, _) => Step::Stale,
                    (true, true) => Step::Leave(channel, message),
                    (true, false) => Step::Deliver(channel, message),
                }
            }
            ("phx_leave", Err(_)) => {
                Step::Answer(self.reply(&message, message.join_ref.as_ref(), "ok", &Payload::empty()))
            }
            (_, Err(_)) => Step::Answer(self.refuse(&message, None, UNMATCHED)),
        }
    }

    fn join(
        &mut self,
        message: Incoming,
        place: Option<usize>,
        pattern: impl FnOnce(&str) -> Option<usize>,
    ) -> Step<'_, C> {
        let Some(pattern) = pattern(message.topic.as_str()) else {
            return Step::Answer(self.refuse(&message, None, UNMATCHED));
        };
        if place.is_none() && self.channels.len() >= self.channels_max {
            return Step::Answer(self.refuse(&message, message.join_ref.as_ref(), TOO_MANY));
        }
        let replaced = place.map(|place| self.channels.remove(place)).map(|entry| (entry.life, entry.channel));
        self.next = self.next.wrapping_add(1);
        let topic = match &replaced {
            Some((life, _)) => life.topic.clone(),
            None => Topic::from(message.topic.as_str()),
        };
        let life = Life { topic, join_ref: message.join_ref, reference: message.reference, number: self.next };
        Step::Join(Join { life, pattern, payload: message.payload, replaced })
    }

    /// A channel that was to be started is there.
    pub(crate) fn joined(&mut self, life: Life, channel: C) {
        match self.place(&life.topic) {
            Ok(_) => debug_assert!(false, "a topic has one channel, and its joins come one after another"),
            Err(place) => {
                if self.channels.is_empty() {
                    self.channels.reserve_exact(1); // many sockets have one
                }
                self.channels.insert(place, Entry { life, channel });
            }
        }
    }

    /// A channel tells its client that it has ended; it is no channel any more.
    pub(crate) fn closing(&mut self, number: u32) -> Option<Frame> {
        let entry = self.take(number)?;
        Some(Frame::close(self.vsn, entry.life.bears(), &entry.life.topic))
    }

    /// A channel's process has ended. If it has not told its client, it has crashed.
    pub(crate) fn ended(&mut self, number: u32) -> Option<Frame> {
        let entry = self.take(number)?;
        Some(Frame::error(self.vsn, entry.life.bears(), &entry.life.topic))
    }

    /// All channels, taken out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = C> {
        std::mem::take(&mut self.channels).into_iter().map(|entry| entry.channel)
    }

    /// The answer to a message that goes to no channel.
    pub(crate) fn refuse(&self, message: &Incoming, join_ref: Option<&Ref>, reason: &'static str) -> Frame {
        self.reply(message, join_ref, "error", &reason_of(reason))
    }

    fn reply(&self, message: &Incoming, join_ref: Option<&Ref>, status: &str, response: &Payload) -> Frame {
        Frame::reply(self.vsn, join_ref, message.reference.as_ref(), message.topic.as_str(), status, response)
            .expect("a response in JSON always fits")
    }

    fn take(&mut self, number: u32) -> Option<Entry<C>> {
        let place = self.channels.iter().position(|entry| entry.life.number == number)?;
        let entry = self.channels.remove(place);
        if self.channels.is_empty() {
            self.channels = Vec::new();
        }
        Some(entry)
    }

    fn place(&self, topic: &str) -> Result<usize, usize> {
        self.channels.binary_search_by(|entry| entry.life.topic.as_str().cmp(topic))
    }
}

const UNMATCHED: &str = "unmatched topic";
const TOO_MANY: &str = "too many channels joined";
pub(crate) const JOIN_CRASHED: &str = "join crashed";
pub(crate) const RATE_LIMITED: &str = "rate limited";

/// `{"reason": reason}`, of text that needs no escape.
pub(crate) fn reason_of(reason: &str) -> Payload {
    let mut json = b"{\"reason\":".to_vec();
    crate::frame::push_str(&mut json, reason);
    json.push(b'}');
    Payload::Json(json.into())
}

/// The answer to a join.
pub(crate) fn join_reply(vsn: Vsn, life: &Life, status: &str, response: &Payload) -> Result<Frame, EncodeError> {
    Frame::reply(vsn, life.join_ref.as_ref(), life.reference.as_ref(), &life.topic, status, response)
}

#[cfg(test)]
mod tests;
