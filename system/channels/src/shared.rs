//! What the processes of one client share.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simurgh_pubsub::{self as pubsub, Delivered, Encoding, Message, Subscriber};
use simurgh_runtime::planted;
use simurgh_runtime::sync::Mutex;
use simurgh_telemetry::event;

use crate::connected::Member;
use crate::mount::Mount;
use crate::outbox::{Close, Item, Outbox, Overflow, Weight};
use crate::session::Life;
use crate::{EncodeError, Frame, Payload, Vsn};

/// One client's connection, or long-poll session.
pub(crate) struct Shared {
    pub(crate) vsn: Vsn,
    pub(crate) outbox: Outbox,
    pub(crate) mount: Arc<Mount>,
    /// The topic at which a broadcast of `disconnect` ends it.
    pub(crate) id: Option<Box<str>>,
    /// A channel that has joined and that the connection's process has not taken over yet.
    handed: Mutex<Handed>,
    /// What the application's `connect` has made of it.
    pub(crate) user: Box<dyn Any + Send + Sync>,
}

impl Shared {
    pub(crate) fn new(vsn: Vsn, mount: Arc<Mount>, id: Option<String>, user: Box<dyn Any + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            vsn,
            outbox: Outbox::new(mount.options.outbox),
            handed: Mutex::default(),
            mount,
            id: id.map(Into::into),
            user,
        })
    }

    /// Sends a frame; false if the client will not get it.
    pub(crate) fn send(&self, frame: Frame, weight: Weight) -> bool {
        self.outbox.push(frame, weight, &self.mount.counters)
    }

    /// A channel that has joined is handed over; false if nobody is there any more to take it.
    pub(crate) fn hand_over(&self, channel: Member) -> bool {
        let mut handed = self.handed.lock();
        if matches!(*handed, Handed::Gone) && !planted!("channels.join-left-behind") {
            return false;
        }
        let former = std::mem::replace(&mut *handed, Handed::Channel(channel));
        drop(handed);
        drop(former);
        true
    }

    /// Takes the channel that was handed over.
    pub(crate) fn take_over(&self) -> Option<Member> {
        let mut handed = self.handed.lock();
        match std::mem::take(&mut *handed) {
            Handed::Channel(channel) => Some(channel),
            Handed::Nothing => None,
            Handed::Gone => {
                *handed = Handed::Gone;
                None
            }
        }
    }

    /// Nobody takes over anything any more.
    pub(crate) fn leave(&self) {
        self.outbox.leave();
        let handed = std::mem::replace(&mut *self.handed.lock(), Handed::Gone);
        drop(handed);
    }

    pub(crate) fn tell(&self, item: Item) {
        self.outbox.tell(item);
    }
}

/// Between a join and the connection's process, which may end in between.
#[derive(Default)]
enum Handed {
    #[default]
    Nothing,
    Channel(Member),
    Gone,
}

/// One life of a channel on one connection: what names it, and its way to the client. It is the subscriber at the
/// channel's topic: a broadcast goes from here to the client, past the channel's process.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) life: Life,
    /// The client has asked for a topic that it can resume: nothing that it gets may be left out.
    pub(crate) resumes: AtomicBool,
}

impl Link {
    pub(crate) fn broadcast(&self, message: &Message) -> Delivered {
        let frame = match self.shared.vsn {
            Vsn::V1 => message.encoded::<V1>(),
            Vsn::V2 => message.encoded::<V2>(),
        };
        let Ok(frame) = frame else {
            event!("channels.broadcast.unsuited", { count: 1 }, { topic: message.topic() });
            return Delivered::Dropped;
        };
        let weight = match self.shared.mount.options.outbox.overflow {
            Overflow::LatestPerKey => Weight::Keyed(key_of(message)),
            _ => Weight::Push,
        };
        let weight = if self.resumes.load(Ordering::Relaxed) { Weight::Needed } else { weight };
        if self.shared.send(Frame::clone(&frame), weight) { Delivered::Taken } else { Delivered::Dropped }
    }
}

impl Subscriber for Link {
    fn deliver(&self, message: &Message) -> Delivered {
        self.broadcast(message)
    }

    fn approach(&self) {
        self.shared.outbox.approach();
    }
}

/// At the socket's id: `disconnect` ends it.
pub(crate) struct Disconnects(pub(crate) Arc<Shared>);

impl Subscriber for Disconnects {
    fn deliver(&self, message: &Message) -> Delivered {
        if message.event() == "disconnect" {
            self.0.outbox.close(Close::Disconnect);
        }
        Delivered::Taken
    }
}

/// A broadcast as a frame of version 1.
pub(crate) struct V1;

/// A broadcast as a frame of version 2.
pub(crate) struct V2;

impl Encoding for V1 {
    type Output = Frame;

    fn encode(message: &Message) -> Result<Frame, pubsub::EncodeError> {
        frame_of(Vsn::V1, message).map_err(pubsub::EncodeError::new)
    }
}

impl Encoding for V2 {
    type Output = Frame;

    fn encode(message: &Message) -> Result<Frame, pubsub::EncodeError> {
        frame_of(Vsn::V2, message).map_err(pubsub::EncodeError::new)
    }
}

fn frame_of(vsn: Vsn, message: &Message) -> Result<Frame, EncodeError> {
    Frame::broadcast(vsn, message.topic(), message.event(), &Payload::from(message.payload().clone()))
}

impl From<pubsub::Payload> for Payload {
    fn from(payload: pubsub::Payload) -> Self {
        match payload {
            pubsub::Payload::Json(json) => Self::Json(json),
            pubsub::Payload::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<Payload> for pubsub::Payload {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Json(json) => Self::Json(json),
            Payload::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// FNV-1a: two broadcasts that share it by chance would only be taken for updates of one thing.
fn key_of(message: &Message) -> u64 {
    let bytes = message.topic().bytes().chain([0xff]).chain(message.event().bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
