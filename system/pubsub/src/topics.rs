//! The topics of one node, and the dispatch to their subscribers.
//!
//! Locks are taken in one order: a shard's, then a topic's. Neither is held while a subscriber runs or
//! anything of the application's is dropped.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use simurgh_runtime::collections::SeededState;
use simurgh_runtime::planted;
use simurgh_runtime::sync::Mutex;
use simurgh_sync::shards::Shards;
use simurgh_telemetry::event;

use crate::dispatch::{Dispatched, Entries};
use crate::table::{Entry, Snapshot, Table};
use crate::{Counts, Delivered, Limits, Message, Registration, SubscribeError, Subscriber, SubscriberId, TopicInfo};

/// Parts of the table of topics.
const PARTS: usize = 64;

/// All topics of one node.
pub(crate) struct Topics {
    shards: Shards<Arc<str>, Arc<Topic>, SeededState>,
    count: AtomicUsize,
    next_id: AtomicU64,
    limits: Limits,
    counters: Counters,
}

/// One topic that has subscribers.
pub(crate) struct Topic {
    name: Arc<str>,
    topics: Weak<Topics>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Counters {
    broadcasts: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    closed: AtomicU64,
}

impl Topics {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            shards: Shards::new(PARTS, SeededState::default()),
            count: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            limits,
            counters: Counters::default(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn next_id(&self) -> SubscriberId {
        SubscriberId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a subscriber to a topic, which is made if nobody was subscribed.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        name: &str,
        id: SubscriberId,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<Registration, SubscribeError> {
        let max = self.limits.topic_len_max;
        if name.len() > max {
            return Err(SubscribeError::TopicTooLong { len: name.len(), max });
        }
        // Under the shard's lock, for the topic must not be taken away in between. Who is refused
        // is not dropped before it is free.
        let _kept = Arc::clone(&subscriber);
        let entry = Entry { id, subscriber };
        let (topic, slot) = self.shards.change(name, |part| {
            if let Some(topic) = part.get(name) {
                let mut table = topic.table.lock();
                let max = self.limits.subscribers_max;
                if table.len() >= max {
                    return Err(SubscribeError::TooManySubscribers { topic: Arc::clone(&topic.name), max });
                }
                return Ok((Arc::clone(topic), table.insert(entry)));
            }
            self.one_more_topic()?;
            let mut table = Table::new();
            let slot = table.insert(entry);
            let name: Arc<str> = name.into();
            let topic =
                Arc::new(Topic { name: Arc::clone(&name), topics: Arc::downgrade(self), table: Mutex::new(table) });
            part.insert(name, Arc::clone(&topic));
            Ok((topic, slot))
        })?;
        event!("pubsub.subscribe", { count: 1 }, { topic: name, subscriber: id.0 });
        Ok(Registration::new(topic, id, slot))
    }

    fn one_more_topic(&self) -> Result<(), SubscribeError> {
        let max = self.limits.topics_max;
        let more = |count| (count < max).then_some(count + 1);
        let counted = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.map(drop).map_err(|_| SubscribeError::TooManyTopics { max })
    }

    fn snapshot(&self, name: &str) -> Option<Snapshot> {
        self.shards.get(name, |topic| topic.table.lock().snapshot())
    }

    /// Delivers to all subscribers of the message's topic but `from`.
    pub(crate) fn dispatch(&self, from: Option<SubscriberId>, message: &Message) -> Dispatched {
        let mut done = Dispatched::default();
        if let Some(snapshot) = self.snapshot(message.topic()) {
            let gone = deliver(&snapshot, from, message, &mut done);
            drop(snapshot);
            self.forget(message.topic(), &gone);
        }
        self.count(message, done);
        done
    }

    /// As [`Topics::dispatch`], by a dispatcher of the caller's.
    pub(crate) fn dispatch_by(
        &self,
        from: Option<SubscriberId>,
        message: &Message,
        dispatch: impl FnOnce(&Entries<'_>),
    ) -> Dispatched {
        let Some(snapshot) = self.snapshot(message.topic()) else {
            self.count(message, Dispatched::default());
            return Dispatched::default();
        };
        let entries = Entries::new(&snapshot, from);
        dispatch(&entries);
        let (done, gone) = entries.into_done();
        drop(snapshot);
        self.forget(message.topic(), &gone);
        self.count(message, done);
        done
    }

    fn count(&self, message: &Message, done: Dispatched) {
        let counters = &self.counters;
        counters.broadcasts.fetch_add(1, Ordering::Relaxed);
        let Dispatched { taken, dropped, gone } = done;
        for (counter, more) in [(&counters.delivered, taken), (&counters.dropped, dropped), (&counters.closed, gone)] {
            if more > 0 {
                counter.fetch_add(more as u64, Ordering::Relaxed);
            }
        }
        event!("pubsub.broadcast", { taken: taken, dropped: dropped, gone: gone }, {
            topic: message.topic(),
            event: message.event(),
        });
    }

    /// Unsubscribes who has said to be gone.
    fn forget(&self, name: &str, gone: &[(u32, SubscriberId)]) {
        if gone.is_empty() {
            return;
        }
        if let Some(topic) = self.shards.get(name, Arc::clone) {
            for (slot, id) in gone {
                topic.unsubscribe(*slot, *id);
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut subscribers = 0;
        self.shards.each(|_, topic| subscribers += topic.table.lock().len());
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            topics: self.count.load(Ordering::Relaxed),
            subscribers,
            broadcasts: read(&self.counters.broadcasts),
            delivered: read(&self.counters.delivered),
            dropped: read(&self.counters.dropped),
            closed: read(&self.counters.closed),
        }
    }

    pub(crate) fn topic(&self, name: &str) -> Option<TopicInfo> {
        self.shards.get(name, |topic| topic.info())
    }

    pub(crate) fn list(&self) -> Vec<TopicInfo> {
        let mut list = Vec::new();
        self.shards.each(|_, topic| list.push(topic.info()));
        list.sort_unstable_by(|one, other| one.topic.cmp(&other.topic));
        list
    }
}

impl Topic {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn info(&self) -> TopicInfo {
        TopicInfo { topic: Arc::clone(&self.name), subscribers: self.table.lock().len() }
    }

    /// Takes a subscriber away, and the topic too if it was the last.
    pub(crate) fn unsubscribe(&self, slot: u32, id: SubscriberId) {
        let mut table = self.table.lock();
        let entry = table.remove(slot, id);
        let is_empty = table.len() == 0;
        drop(table);
        if entry.is_none() {
            return;
        }
        drop(entry);
        if (is_empty || planted!("pubsub.topic-taken-away"))
            && let Some(topics) = self.topics.upgrade()
        {
            let taken = topics.shards.change(&*self.name, |part| {
                let is_this = part.get(&*self.name).is_some_and(|topic| std::ptr::eq(&raw const **topic, self));
                let is_empty = self.table.lock().len() == 0 || planted!("pubsub.topic-taken-away");
                if is_this && is_empty { part.remove_entry(&*self.name) } else { None }
            });
            if taken.is_some() {
                topics.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        event!("pubsub.unsubscribe", { count: 1 }, { topic: &*self.name, subscriber: id.0 });
    }
}

/// Delivers to one after another. One that panics has gone, and the next one's turn comes: the cost of
/// catching it is paid once for all.
fn deliver(
    snapshot: &Snapshot,
    from: Option<SubscriberId>,
    message: &Message,
    done: &mut Dispatched,
) -> Vec<(u32, SubscriberId)> {
    let mut gone = Vec::new();
    let (mut entries, mut ahead) = (snapshot.iter(), snapshot.iter());
    let (mut now, mut approached) = (None, 0);
    loop {
        let all = catch_unwind(AssertUnwindSafe(|| {
            loop {
                if approached == 0 {
                    now = None; // what approaching says of a subscriber is not for us to judge: its message comes
                    ahead.by_ref().take(AHEAD).for_each(|(_, entry)| entry.subscriber.approach());
                    approached = AHEAD;
                }
                let Some((slot, entry)) = entries.next() else { break };
                approached -= 1;
                if Some(entry.id) == from && !planted!("pubsub.from-forgotten") {
                    continue;
                }
                now = Some((slot, entry.id));
                match entry.subscriber.deliver(message) {
                    Delivered::Taken => done.taken += 1,
                    Delivered::Dropped => done.dropped += 1,
                    Delivered::Gone => {
                        done.gone += 1;
                        gone.push((slot, entry.id));
                    }
                }
            }
        }));
        let Err(_) = all else { return gone };
        if let Some((slot, id)) = now {
            done.gone += 1;
            gone.push((slot, id));
            panicked(message, id);
        }
        if planted!("pubsub.panic-stops") {
            return gone;
        }
        if planted!("pubsub.panic-starts-over") {
            entries = snapshot.iter();
        }
    }
}

/// So many subscribers are told at once that a message is on its way: about as much as a processor fetches at a time.
const AHEAD: usize = 8;

#[cold]
pub(crate) fn panicked(message: &Message, id: SubscriberId) {
    tracing::error!(topic = message.topic(), subscriber = id.0, "a subscriber panicked and is unsubscribed");
    event!("pubsub.subscriber_panicked", { count: 1 }, { topic: message.topic(), subscriber: id.0 });
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
