//! Topics that a client can go on with after its connection was cut.
//!
//! ```text
//!   pubsub ──> ring of the topic ── in its order ──> each client that has asked for it
//!                [ 7 8 9 10 ]                         frame, then phx_cursor "life.11"
//! ```
//!
//! For a client that asks, the ring stands between publish/subscribe and its outbox: what it numbers and what the
//! client gets is then one order, whoever publishes. So whatever comes after a cursor comes again, or its loss is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use simurgh_pubsub::{Delivered, Encoding, Message, PubSub, Registration, Subscriber};
use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, planted, random};
use simurgh_telemetry::event;
use slab::Slab;

use crate::outbox::Weight;
use crate::shared::Link;
use crate::{Frame, Payload};

/// Topics that can be resumed: of each, the last broadcasts are kept from when the first client asks.
///
/// A client asks by a join with `{"resume": null}`. It then gets `phx_cursor` with `{"cursor": ..}` after each
/// broadcast. When its connection was cut it joins with `{"resume": cursor}` and gets, after the answer, `phx_resumed`
/// with `{"cursor", "replayed", "gap"}`, and then all that was broadcast since. `gap` is true if something of that is
/// lost: it is no longer kept, or the server was started anew. Clients that do not ask notice nothing.
///
/// A broadcast comes at least once: one that came right before the cut, without its cursor, comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeOptions {
    /// Broadcasts that are kept of one topic. Default: 256.
    pub messages_max: usize,
    /// Bytes that are kept of one topic. Default: 1 MiB.
    pub bytes_max: usize,
    /// Topics of which any are kept; clients of one more cannot resume it. Default: 1,024.
    pub topics_max: usize,
    /// How long they are kept when the last client that asked has gone. Default: 2 min.
    pub keep: Duration,
}

impl Default for ResumeOptions {
    fn default() -> Self {
        let limits = simurgh_config::Limits::DEFAULT;
        Self {
            messages_max: limits.channels_resume_messages_max,
            bytes_max: limits.channels_resume_len_max.as_usize(),
            topics_max: limits.channels_resume_topics_max,
            keep: limits.channels_resume_keep,
        }
    }
}

/// The rings of one mount.
#[derive(Default)]
pub(crate) struct Rings(Mutex<HashMap<Box<str>, Arc<Ring>>>);

pub(crate) struct Ring {
    /// Names this life of the ring: a cursor of another says nothing.
    life: u64,
    options: ResumeOptions,
    kept: Mutex<Kept>,
}

struct Kept {
    messages: VecDeque<Message>,
    bytes: usize,
    /// The number of the first that is kept.
    first: u64,
    listeners: Slab<Listener>,
    unused_since: Instant,
    /// None once the ring is forgotten.
    registration: Option<Registration>,
}

struct Listener {
    link: Arc<Link>,
    /// The link itself, or what intercepts for it.
    subscriber: Arc<dyn Subscriber>,
}

/// A client at a ring, until this is dropped.
pub(crate) struct Listening {
    ring: Arc<Ring>,
    at: usize,
}

impl Rings {
    /// The ring of a topic; none if there are too many, or it cannot subscribe.
    pub(crate) fn of(&self, topic: &str, pubsub: &PubSub, options: ResumeOptions) -> Option<Arc<Ring>> {
        let mut rings = self.0.lock();
        if let Some(ring) = rings.get(topic) {
            return Some(Arc::clone(ring));
        }
        let mut forgotten = Vec::new();
        if rings.len() >= options.topics_max {
            rings.retain(|_, ring| {
                let is_kept = !ring.is_stale();
                if !is_kept {
                    forgotten.push(ring.kept.lock().registration.take());
                }
                is_kept
            });
        }
        if rings.len() >= options.topics_max {
            event!("channels.resume.full", { count: 1 }, { topic: topic });
            return None;
        }
        let kept = Kept {
            messages: VecDeque::new(),
            bytes: 0,
            first: 0,
            listeners: Slab::new(),
            unused_since: Instant::now(),
            registration: None,
        };
        let ring = Arc::new(Ring { life: random::u64(), options, kept: Mutex::new(kept) });
        let registration = pubsub.subscribe_with(topic, Arc::clone(&ring) as _).ok()?;
        ring.kept.lock().registration = Some(registration);
        rings.insert(topic.into(), Arc::clone(&ring));
        drop(rings);
        drop(forgotten);
        Some(ring)
    }
}

impl Ring {
    /// Nobody listens, and nobody has for long.
    fn is_stale(&self) -> bool {
        let kept = self.kept.lock();
        kept.listeners.is_empty() && kept.unused_since.elapsed() >= self.options.keep
    }

    fn cursor(&self, number: u64) -> String {
        format!("{:016x}.{number}", self.life)
    }

    /// The number that a cursor of this ring stands for.
    fn number_of(&self, cursor: &str) -> Option<u64> {
        let (life, number) = cursor.split_once('.')?;
        (u64::from_str_radix(life, 16) == Ok(self.life)).then(|| number.parse().ok())?
    }

    /// Answers a join and goes on from its cursor, with nothing in between that would be lost.
    pub(crate) fn listen(
        self: &Arc<Self>,
        link: &Arc<Link>,
        subscriber: Arc<dyn Subscriber>,
        asked: &Asked,
        answer: Frame,
    ) -> Listening {
        let mut kept = self.kept.lock();
        link.shared.send(answer, Weight::Needed);
        let next = kept.next();
        let from = match asked {
            Asked::Cursors => Some(next),
            Asked::From(cursor) => self.number_of(cursor),
        };
        let start = from.filter(|from| (kept.first..=next).contains(from)).unwrap_or(kept.first);
        let start =
            if planted!("channels.resume-one-too-many") { start.saturating_sub(1).max(kept.first) } else { start };
        let is_gap =
            from.is_none_or(|from| from < kept.first || from > next) && !planted!("channels.resume-gap-unsaid");
        let replayed = next - start;
        tell(
            link,
            "phx_resumed",
            &serde_json::json!({
                "cursor": self.cursor(start), "replayed": replayed, "gap": is_gap,
            }),
        );
        for (number, message) in (kept.first..).zip(&kept.messages).filter(|(number, _)| *number >= start) {
            subscriber.deliver(message);
            self.tell_cursor(link, number + 1);
        }
        event!("channels.resume", { replayed: replayed }, { topic: link.life.topic.as_str(), gap: is_gap });
        let at = kept.listeners.insert(Listener { link: Arc::clone(link), subscriber });
        Listening { ring: Arc::clone(self), at }
    }

    fn tell_cursor(&self, link: &Link, next: u64) {
        tell(link, "phx_cursor", &serde_json::json!({ "cursor": self.cursor(next) }));
    }
}

fn tell(link: &Link, event: &str, payload: &Value) {
    let payload = Payload::Json(payload.to_string().into());
    let frame = Frame::push(link.shared.vsn, link.life.bears(), &link.life.topic, event, &payload);
    link.shared.send(frame.expect("an object in JSON always fits"), Weight::Needed);
}

impl Kept {
    /// The number of the next broadcast.
    fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    fn push(&mut self, message: Message, options: &ResumeOptions) -> VecDeque<Message> {
        self.bytes += message.payload().bytes().len();
        self.messages.push_back(message);
        let mut old = VecDeque::new();
        while self.messages.len() > options.messages_max || self.bytes > options.bytes_max {
            let Some(message) = self.messages.pop_front() else { break };
            self.bytes -= message.payload().bytes().len();
            self.first += 1;
            old.push_back(message);
        }
        old
    }
}

impl Subscriber for Ring {
    fn deliver(&self, message: &Message) -> Delivered {
        let mut kept = self.kept.lock();
        let old = kept.push(message.clone(), &self.options);
        let next = kept.next();
        let skipped = message.encoded::<Sender>().map_or(0, |sender| sender.load(Ordering::Relaxed));
        for (_, listener) in &kept.listeners {
            if listener.link.shared.outbox.is_gone() {
                continue;
            }
            if listener.link.token() != skipped {
                listener.subscriber.deliver(message);
            }
            self.tell_cursor(&listener.link, next);
        }
        drop(kept);
        drop(old);
        Delivered::Taken
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut kept = self.ring.kept.lock();
        let listener = kept.listeners.try_remove(self.at);
        kept.unused_since = Instant::now();
        drop(kept);
        drop(listener);
    }
}

/// Who has published a message that it does not want to have itself: beside the message, on this node only.
pub(crate) struct Sender;

impl Encoding for Sender {
    type Output = AtomicU64;

    fn encode(_: &Message) -> Result<AtomicU64, simurgh_pubsub::EncodeError> {
        Ok(AtomicU64::new(0))
    }
}

impl Link {
    /// Tells this link from all others of the process; never 0.
    fn token(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    /// A message that this link publishes is not to come to itself.
    pub(crate) fn sign(&self, message: &Message) {
        if let Ok(sender) = message.encoded::<Sender>() {
            sender.store(self.token(), Ordering::Relaxed);
        }
    }
}

/// What a join can ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To be able to resume.
    Cursors,
    /// To resume from here.
    From(String),
}

/// What a join asks, if it does.
pub(crate) fn asked(params: &Payload) -> Option<Asked> {
    // Most do not, which is seen faster so.
    if !params.as_bytes().windows(8).any(|word| word == b"\"resume\"") {
        return None;
    }
    let mut params: serde_json::Map<String, Value> = params.deserialize().ok()?;
    match params.remove("resume")? {
        Value::Null => Some(Asked::Cursors),
        Value::String(cursor) => Some(Asked::From(cursor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_join_asks() {
        for (json, want) in [
            ("{}", None),
            (r#"{"resume": null}"#, Some(Asked::Cursors)),
            (r#"{"a": 1, "resume": "x.1"}"#, Some(Asked::From("x.1".to_owned()))),
            (r#"{"resume": 5}"#, None),
            (r#"{"a": "\"resume\""}"#, None),
            (r#"["resume"]"#, None),
        ] {
            assert_eq!(asked(&Payload::Json(json.into())), want, "{json}");
        }
    }
}
