//! One client that has connected, over whatever transport: its session, and the channels that it has.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use simurgh_pubsub::Registration;
use simurgh_runtime::planted;
use simurgh_telemetry::event;

use crate::budget::Spent;
use crate::filter::Lazy;
use crate::frame::Ref;
use crate::mount::Place;
use crate::outbox::{Close, Item, Weight};
use crate::process::{Started, Talk, Waiting};
use crate::session::{JOIN_CRASHED, Join, Life, RATE_LIMITED, Session, Step, join_reply, reason_of};
use crate::shared::{Disconnects, Link, Shared};
use crate::{Frame, Incoming};

/// Held by the process of the connection. When that ends, however it does, so do the channels.
pub(crate) struct Connected {
    pub(crate) shared: Arc<Shared>,
    session: Session<Member>,
    /// The life that is being started.
    joining: Option<u32>,
    budget: Spent,
    /// What it has told before it was known.
    early: Vec<Item>,
    _disconnects: Option<Registration>,
    _place: Place,
}

/// One of its channels, which ends when this is dropped.
pub(crate) struct Member {
    talk: Box<dyn Talk>,
    spent: Spent,
}

impl Member {
    pub(crate) fn new(talk: Box<dyn Talk>) -> Self {
        Self { talk, spent: Spent::default() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.talk.closed();
    }
}

/// What a message had to wait for.
pub(crate) enum Waited {
    Join(Life, Started),
    /// Whether the channel had room for it.
    Room(bool, Option<Ref>, Life),
}

impl Connected {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let mount = &shared.mount;
        let disconnects = shared.id.as_deref().and_then(|id| {
            let subscribed = mount.pubsub.subscribe_with(id, Arc::new(Disconnects(Arc::clone(&shared))));
            subscribed.inspect_err(|error| tracing::warn!(%error, "a socket cannot subscribe to its id")).ok()
        });
        Self {
            session: Session::new(shared.vsn, mount.options.channels_max),
            joining: None,
            budget: Spent::default(),
            early: Vec::new(),
            _disconnects: disconnects,
            _place: mount.enter(&shared),
            shared,
        }
    }

    /// Does what a message wants; what it has to wait for comes back, and no other message may be begun until
    /// [`finish`](Self::finish) is called with what came of it.
    pub(crate) fn begin(&mut self, message: Incoming) -> Option<Waiting<Waited>> {
        let mount = Arc::clone(&self.shared.mount);
        let budget = &mount.options.budget;
        if !self.budget.allows(budget.socket) {
            return self.limited(&message);
        }
        let (waiting, message) = match self.session.step(message, |topic| mount.channels.find(topic)) {
            Step::Answer(frame) => {
                self.shared.send(frame, Weight::Needed);
                return None;
            }
            Step::Stale => return None,
            Step::Join(join) => return Some(self.join(join)),
            Step::Leave(channel, message) => (channel.talk.leave(message.reference.clone()), message),
            Step::Deliver(channel, message) => {
                if !channel.spent.allows(budget.topic) {
                    return self.limited(&message);
                }
                let reference = message.reference.clone();
                let (topic, join_ref) = (message.topic.clone(), message.join_ref.clone());
                let waiting = channel.talk.deliver(message)?;
                let life = Life { topic: topic.as_str().into(), join_ref, reference: None, number: 0 };
                return Some(Box::pin(async move { Waited::Room(waiting.await, reference, life) }));
            }
        };
        let waiting = waiting?;
        let life =
            Life { topic: message.topic.as_str().into(), join_ref: message.join_ref, reference: None, number: 0 };
        Some(Box::pin(async move { Waited::Room(waiting.await, message.reference, life) }))
    }

    /// A message beyond the budget: answered, and not done.
    fn limited(&mut self, message: &Incoming) -> Option<Waiting<Waited>> {
        event!("channels.limited", { count: 1 }, { topic: message.topic.as_str() });
        if self.budget.is_flood(self.shared.mount.options.budget.refusals_max) {
            self.shared.outbox.close(Close::Flood);
        } else if message.reference.is_some() {
            let frame = self.session.refuse(message, message.join_ref.as_ref(), RATE_LIMITED);
            self.shared.send(frame, Weight::Needed);
        }
        None
    }

    fn join(&mut self, join: Join<Member>) -> Waiting<Waited> {
        let Join { life, pattern, payload, replaced } = join;
        let mount = Arc::clone(&self.shared.mount);
        tracing::debug!(topic = %life.topic, params = %Lazy(&mount.options.filter, &payload), "a client joins");
        self.joining = Some(life.number);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let mut late = None;
            if let Some((former, channel)) = replaced {
                if !planted!("channels.replace-not-awaited") {
                    channel.talk.replace().await;
                }
                let close = Frame::close(shared.vsn, former.bears(), &former.topic);
                if planted!("channels.close-after-join") {
                    late = Some(close);
                } else {
                    shared.send(close, Weight::Needed);
                }
            }
            let limit = mount.options.join_timeout;
            let link =
                Arc::new(Link { shared: Arc::clone(&shared), life: life.clone(), resumes: AtomicBool::new(false) });
            let started = mount.channels.start(pattern, link, payload, limit).await;
            if let Some(close) = late {
                shared.send(close, Weight::Needed);
            }
            Waited::Join(life, started)
        })
    }

    /// What a message has waited for is there.
    pub(crate) fn finish(&mut self, waited: Waited) {
        match waited {
            Waited::Join(life, started) => {
                self.joining = None;
                let early = std::mem::take(&mut self.early);
                match (started, self.shared.take_over()) {
                    (Started::Joined, Some(channel)) => {
                        self.session.joined(life, channel);
                        for item in early {
                            self.shared.tell(item);
                        }
                    }
                    (Started::Joined | Started::Refused, _) => {}
                    (Started::Crashed, _) => {
                        let frame = join_reply(self.shared.vsn, &life, "error", &reason_of(JOIN_CRASHED));
                        self.shared.send(frame.expect("a response in JSON always fits"), Weight::Needed);
                    }
                }
            }
            Waited::Room(true, ..) => {}
            Waited::Room(false, reference, life) => {
                event!("channels.mailbox.full", { count: 1 }, { topic: life.topic.as_str() });
                let life = Life { reference, ..life };
                let frame = join_reply(self.shared.vsn, &life, "error", &reason_of("overloaded"));
                self.shared.send(frame.expect("a response in JSON always fits"), Weight::Needed);
            }
        }
    }

    /// What the client is to be sent of an item.
    pub(crate) fn frame_of(&mut self, item: Item) -> Option<Frame> {
        let number = match &item {
            Item::Frame(_) => None,
            Item::Closing(number) | Item::Ended(number) => Some(*number),
        };
        if number.is_some() && number == self.joining {
            self.early.push(item);
            return None;
        }
        match item {
            Item::Frame(frame) => Some(frame),
            Item::Closing(number) => self.end(number, true),
            Item::Ended(number) => self.end(number, false),
        }
    }

    pub(crate) fn end(&mut self, number: u32, is_told: bool) -> Option<Frame> {
        if is_told { self.session.closing(number) } else { self.session.ended(number) }
    }

    /// Why the socket is to end, if it is.
    pub(crate) fn closing(&self) -> Option<Close> {
        self.shared.outbox.closing()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.shared.leave();
        self.session.drain().for_each(drop);
    }
}
