//! Dispatchers: code of the application between a message and the subscribers of its topic.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::table::{Entry, Snapshot};
use crate::topics::panicked;
use crate::{Delivered, Message, SubscriberId};

/// What became of a message on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dispatched {
    /// Subscribers that took it.
    pub taken: usize,
    /// Subscribers that had no room, and dropped it or an older one.
    pub dropped: usize,
    /// Subscribers that had gone, and are unsubscribed.
    pub gone: usize,
}

/// Decides who of a topic's subscribers gets a message, and as what (Phoenix.PubSub's custom dispatcher).
///
/// ```
/// use std::sync::Arc;
/// use simurgh_pubsub::{Dispatcher, Entries, Message, PubSub, Subscriber, Tagged};
///
/// /// Gives a message to those whose level is high enough.
/// struct ByLevel;
///
/// impl Dispatcher for ByLevel {
///     fn dispatch(&self, entries: &Entries<'_>, message: &Message) {
///         for entry in entries.iter() {
///             if entry.metadata::<u8>().is_some_and(|level| *level >= 5) {
///                 entry.deliver(message);
///             }
///         }
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let pubsub = PubSub::local("chat");
///     pubsub.add_dispatcher("by level", Arc::new(ByLevel)).unwrap();
///     let novice = pubsub.subscribe("room:lobby").unwrap();
///     let master = pubsub.subscribe("room:lobby").unwrap();
///     // The same outboxes, with something beside them, at another topic.
///     let tag = |subscriber, metadata| Arc::new(Tagged { subscriber, metadata });
///     let _a = pubsub.subscribe_with("news", tag(novice.subscriber(), 1_u8)).unwrap();
///     let _b = pubsub.subscribe_with("news", tag(master.subscriber(), 9_u8)).unwrap();
///
///     let message = Message::json("news", "exam", &()).unwrap().dispatched_by("by level");
///     assert_eq!(pubsub.broadcast(message).unwrap().taken, 1);
///     assert_eq!((novice.counts().came, master.counts().came), (0, 1));
/// });
/// ```
///
/// A message that names its dispatcher has it on each node that it reaches; all nodes must have added it.
pub trait Dispatcher: Send + Sync + 'static {
    /// Delivers `message`, or others in its place, to those `entries` that are to have it. Runs in the
    /// task of whoever publishes: it must not wait.
    fn dispatch(&self, entries: &Entries<'_>, message: &Message);
}

/// The subscribers of a topic at the moment of a broadcast, without the one that it comes from.
pub struct Entries<'a> {
    snapshot: &'a Snapshot,
    from: Option<SubscriberId>,
    done: Cell<Dispatched>,
    gone: RefCell<Vec<(u32, SubscriberId)>>,
}

/// One of a topic's subscribers.
pub struct Recipient<'a> {
    entry: &'a Entry,
    slot: u32,
    entries: &'a Entries<'a>,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, from: Option<SubscriberId>) -> Self {
        Self { snapshot, from, done: Cell::default(), gone: RefCell::default() }
    }

    pub(crate) fn into_done(self) -> (Dispatched, Vec<(u32, SubscriberId)>) {
        (self.done.get(), self.gone.into_inner())
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = Recipient<'_>> {
        let entries = self.snapshot.iter().filter(|(_, entry)| Some(entry.id) != self.from);
        entries.map(|(slot, entry)| Recipient { entry, slot, entries: self })
    }
}

impl Recipient<'_> {
    /// The number of the subscription.
    pub fn id(&self) -> SubscriberId {
        self.entry.id
    }

    /// What stands beside the subscriber, if it is an `M`.
    pub fn metadata<M: Any>(&self) -> Option<&M> {
        self.entry.subscriber.metadata()?.downcast_ref()
    }

    /// Gives a message to it. One that panics has gone.
    pub fn deliver(&self, message: &Message) -> Delivered {
        let delivered = catch_unwind(AssertUnwindSafe(|| self.entry.subscriber.deliver(message)));
        let delivered = delivered.unwrap_or_else(|_| {
            panicked(message, self.entry.id);
            Delivered::Gone
        });
        let mut done = self.entries.done.get();
        match delivered {
            Delivered::Taken => done.taken += 1,
            Delivered::Dropped => done.dropped += 1,
            Delivered::Gone => {
                done.gone += 1;
                self.entries.gone.borrow_mut().push((self.slot, self.entry.id));
            }
        }
        self.entries.done.set(done);
        delivered
    }
}
