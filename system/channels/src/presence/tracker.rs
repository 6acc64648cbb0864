//! The tracker: a replicated set of presences, without any waiting in it.

mod answer;
mod entries;
mod generations;
mod merge;
mod options;
mod replicas;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::planted;

use super::{Change, Item, Message, Meta, MetaError, Part, ReplicaId};
use entries::{Entries, ME};
use generations::Generations;
pub use options::TrackerOptions;
use replicas::Replicas;

/// A presence was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The process is there already under this key of this topic.
    #[error("the process is present in {topic:?} as {key:?} already: update it instead")]
    AlreadyTracked {
        /// The topic.
        topic: String,
        /// The key.
        key: String,
    },
    /// The process is not there.
    #[error("the process is not present in {topic:?} as {key:?}: track it first")]
    NotTracked {
        /// The topic.
        topic: String,
        /// The key.
        key: String,
    },
    /// A topic or a key that is empty or too long.
    #[error("a {what} of {len} bytes: there must be 1 to {len_max}")]
    BadName {
        /// Which of the two.
        what: &'static str,
        /// Its bytes.
        len: usize,
        /// How many there may be.
        len_max: usize,
    },
    /// The meta is not fit.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// There are as many metas under this key as there may be.
    #[error("there are {max} presences of {key:?} in {topic:?} already")]
    KeyFull {
        /// The topic.
        topic: String,
        /// The key.
        key: String,
        /// How many there may be.
        max: usize,
    },
    /// This node tracks as many as it may.
    #[error("this node tracks {max} presences already")]
    Full {
        /// How many it may.
        max: usize,
    },
    /// More changes wait to be told than may.
    #[error("{max} changes wait to be told already")]
    Overloaded {
        /// How many may.
        max: usize,
    },
}

impl TrackError {
    /// A stable word for replies, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyTracked { .. } => "already_tracked",
            Self::NotTracked { .. } => "nopresence",
            Self::BadName { .. } => "bad_name",
            Self::Meta(_) => "bad_meta",
            Self::KeyFull { .. } => "key_full",
            Self::Full { .. } => "full",
            Self::Overloaded { .. } => "overloaded",
        }
    }
}

/// What a tracker wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This message to all replicas.
    Broadcast(Message),
    /// This message to one.
    Send(ReplicaId, Message),
}

/// What came of an input: messages to send, and what is seen here from now on or no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// To be sent, in this order.
    pub actions: Vec<Action>,
    /// To be told to the subscribers of this node, in this order.
    pub changes: Vec<Change>,
    /// What was refused, in words: a peer's mistake, or a bound.
    pub refused: Vec<&'static str>,
}

/// One replica of one shard of the set of presences: a delta-CRDT, an observed-remove set in which an addition wins
/// over a removal that does not know of it.
///
/// It has no clock, no network and no chance of its own: each input brings the time since some beginning, and what it
/// wants done is returned. Local changes are seen at once; others hear of them by heartbeats.
///
/// ```
/// use std::time::Duration;
/// use simurgh_channels::presence::{Action, Effects, Meta, Ref, ReplicaId, Tracker, TrackerOptions, Version};
///
/// let replica = |name: &str| {
///     let id = ReplicaId::new(name, Version { started_us: 1, unique: 1 });
///     Tracker::new(id, TrackerOptions::default(), Duration::ZERO, 0)
/// };
/// let (mut here, mut there) = (replica("here"), replica("there"));
///
/// let meta = Meta::new(&(), Ref::new(0, 0, 1), None, 4096).unwrap();
/// here.track(Duration::ZERO, "room:lobby", "alice", 17, meta).unwrap();
/// let mut told = Effects::default();
/// here.tick(Duration::from_millis(1_500), &mut told);
/// let Some(Action::Broadcast(heartbeat)) = told.actions.pop() else { panic!("a tick with news is a heartbeat") };
///
/// let mut seen = Effects::default();
/// there.receive(Duration::from_millis(1_501), heartbeat, &mut seen);
/// assert!(seen.changes[0].joined && *seen.changes[0].item.key == *"alice");
/// assert_eq!(there.list("room:lobby"), here.list("room:lobby"));
/// ```
///
/// Source: the behaviour of `phoenix_pubsub`'s tracker; Almeida, Shoker, Baquero, *Efficient state-based CRDTs by
/// delta-mutation* (2014).
pub struct Tracker {
    options: TrackerOptions,
    entries: Entries,
    replicas: Replicas,
    /// What changed here since the last heartbeat.
    delta: Part,
    generations: Generations,
    clock: u64,
    own_count: usize,
    ticks: u64,
    /// Ticks since the last heartbeat.
    silent: u32,
    next_tick: Duration,
    /// When the first changes after a quiet while are due.
    flush_at: Option<Duration>,
    /// When changes were last sent.
    flushed: Option<Duration>,
    requests: u64,
}

impl Tracker {
    /// An empty one. Its first tick comes after a quarter of a period at most, by `random`.
    pub fn new(me: ReplicaId, options: TrackerOptions, now: Duration, random: u64) -> Self {
        let first = options.broadcast_period.mul_f64((random % 1_000) as f64 / 4_000.0);
        Self {
            entries: Entries::default(),
            replicas: Replicas::new(me.clone(), options.replicas_max),
            delta: Part::since(me, 0),
            generations: Generations::new(&options.max_delta_sizes),
            clock: 0,
            own_count: 0,
            ticks: 0,
            silent: options.max_silent_periods, // the first tick says that this replica is there
            next_tick: now + first,
            flush_at: None,
            flushed: None,
            requests: 0,
            options,
        }
    }

    /// Who this is.
    pub fn replica(&self) -> &ReplicaId {
        &self.replicas.at(ME).id
    }

    /// Adds a presence of a process of this node.
    ///
    /// # Errors
    /// [`TrackError`]; nothing is changed.
    pub fn track(
        &mut self,
        now: Duration,
        topic: &str,
        key: &str,
        owner: u64,
        meta: Meta,
    ) -> Result<Arc<Item>, TrackError> {
        self.check_name("topic", topic)?;
        self.check_name("key", key)?;
        let mut metas = 0;
        for place in self.entries.of_key(topic, key) {
            let entry = self.entries.get(place);
            if entry.replica == ME && entry.item.owner == owner {
                return Err(TrackError::AlreadyTracked { topic: topic.to_owned(), key: key.to_owned() });
            }
            metas += 1;
        }
        if metas >= self.options.metas_per_key_max {
            let max = self.options.metas_per_key_max;
            return Err(TrackError::KeyFull { topic: topic.to_owned(), key: key.to_owned(), max });
        }
        if self.own_count >= self.options.entries_max {
            return Err(TrackError::Full { max: self.options.entries_max });
        }
        let item = Arc::new(Item { topic: self.entries.topic_name(topic), key: key.into(), owner, meta });
        self.add(&item);
        self.changed(now);
        Ok(item)
    }

    /// Replaces the meta of a presence: `make` gets the old one. Gives the old and the new presence.
    ///
    /// # Errors
    /// [`TrackError`]; nothing is changed.
    pub fn update(
        &mut self,
        now: Duration,
        topic: &str,
        key: &str,
        owner: u64,
        make: impl FnOnce(&Meta) -> Result<Meta, MetaError>,
    ) -> Result<(Arc<Item>, Arc<Item>), TrackError> {
        let not_tracked = || TrackError::NotTracked { topic: topic.to_owned(), key: key.to_owned() };
        let place = self.own(topic, key, owner).ok_or_else(not_tracked)?;
        let old = Arc::clone(&self.entries.get(place).item);
        let meta = make(&old.meta)?;
        let new = Arc::new(Item { topic: Arc::clone(&old.topic), key: old.key.clone(), owner, meta });
        self.remove(place);
        self.add(&new);
        self.changed(now);
        Ok((old, new))
    }

    /// Removes a presence, if it is there.
    pub fn untrack(&mut self, now: Duration, topic: &str, key: &str, owner: u64) -> Option<Arc<Item>> {
        let place = self.own(topic, key, owner)?;
        let item = self.remove(place);
        self.changed(now);
        Some(item)
    }

    /// Removes all presences of a process of this node.
    pub fn untrack_owner(&mut self, now: Duration, owner: u64, effects: &mut Effects) {
        let mut places: Vec<u32> = self.entries.of_owner(owner).collect();
        places.reverse();
        for place in &places {
            let item = self.remove(*place);
            effects.changes.push(Change::leave(item));
        }
        if !places.is_empty() {
            self.changed(now);
        }
    }

    /// Who is present in a topic, by keys; of one key, the oldest first. It costs what the topic holds.
    pub fn list(&self, topic: &str) -> Vec<Arc<Item>> {
        self.visible(self.entries.of_topic(topic))
    }

    /// Who is present under a key of a topic, the oldest first.
    pub fn get_by_key(&self, topic: &str, key: &str) -> Vec<Arc<Item>> {
        self.visible(self.entries.of_key(topic, key))
    }

    /// The topics in which somebody is, or was when a replica went down.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.entries.topics().cloned().collect()
    }

    /// The processes of this node that are present somewhere.
    pub fn owners(&self) -> Vec<u64> {
        self.entries.owners().collect()
    }

    /// How many presences are known, hidden ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are of this node.
    pub fn own_count(&self) -> usize {
        self.own_count
    }

    /// The other replicas that are known, and whether they are up.
    pub fn peers(&self) -> Vec<(ReplicaId, bool)> {
        self.replicas.others().map(|place| self.replicas.at(place)).map(|peer| (peer.id.clone(), peer.is_up)).collect()
    }

    /// When [`Tracker::tick`] wants to be called next; never, if nobody else is to hear of anything.
    pub fn deadline(&self) -> Option<Duration> {
        let due = self.flush_at.map_or(self.next_tick, |flush_at| flush_at.min(self.next_tick));
        self.options.replicates.then_some(due)
    }

    /// Another life of this replica, after [`Tracker::goodbye`]: what it tracked itself stays, and the rest is learnt anew.
    pub fn reborn(&mut self, me: ReplicaId, now: Duration, random: u64, effects: &mut Effects) {
        let new = Self::new(me, self.options.clone(), now, random);
        let old = std::mem::replace(self, new);
        let mut own: Vec<(u64, Arc<Item>)> = Vec::new();
        let mut others: Vec<(u32, u64, Arc<Item>)> = Vec::new();
        for entry in old.entries.iter() {
            if entry.replica == ME {
                own.push((entry.clock, Arc::clone(&entry.item)));
            } else if old.replicas.at(entry.replica).is_up {
                others.push((entry.replica, entry.clock, Arc::clone(&entry.item)));
            }
        }
        own.sort_unstable_by_key(|(clock, _)| *clock);
        others.sort_unstable_by_key(|(replica, clock, _)| (*replica, *clock));
        effects.changes.extend(others.into_iter().map(|(.., item)| Change::leave(item)));
        for (_, item) in own {
            self.add(&item);
        }
        self.changed(now);
    }

    fn visible(&self, places: impl Iterator<Item = u32>) -> Vec<Arc<Item>> {
        let entries = places.map(|place| self.entries.get(place));
        entries.filter(|entry| self.replicas.at(entry.replica).is_up).map(|entry| Arc::clone(&entry.item)).collect()
    }

    fn own(&self, topic: &str, key: &str, owner: u64) -> Option<u32> {
        let is_it = |place: &u32| {
            let entry = self.entries.get(*place);
            entry.replica == ME && entry.item.owner == owner
        };
        self.entries.of_key(topic, key).find(is_it)
    }

    fn check_name(&self, what: &'static str, name: &str) -> Result<(), TrackError> {
        let (len, len_max) = (name.len(), self.options.name_len_max);
        if (1..=len_max).contains(&len) { Ok(()) } else { Err(TrackError::BadName { what, len, len_max }) }
    }

    fn add(&mut self, item: &Arc<Item>) {
        let clock = self.count_up();
        self.entries.insert(Arc::clone(item), ME, clock);
        self.own_count += 1;
        if self.options.replicates {
            self.delta.values.insert(clock, Arc::clone(item));
        }
    }

    fn remove(&mut self, place: u32) -> Arc<Item> {
        let entry = self.entries.remove(place);
        self.own_count -= 1;
        if self.options.replicates {
            self.delta.values.remove(&entry.clock);
            // Others have it under the clock at which it was added: that this is gone must be among what they hear.
            if !planted!("presence.removal-forgets-tag") {
                self.delta.dots.insert(entry.clock..=entry.clock);
            }
        }
        if !planted!("presence.removal-without-tick") {
            self.count_up();
        }
        entry.item
    }

    /// Each addition and each removal takes one clock.
    fn count_up(&mut self) -> u64 {
        self.clock += 1;
        let clock = self.clock;
        if self.options.replicates {
            self.replicas.at_mut(ME).seen.insert(clock..=clock);
            self.delta.dots.insert(clock..=clock);
            self.delta.end = clock;
        }
        clock
    }

    /// The first change after a quiet period leaves soon, so that what follows at once goes with it.
    fn changed(&mut self, now: Duration) {
        let is_quiet = self.flushed.is_none_or(|flushed| now >= flushed + self.options.broadcast_period);
        if self.flush_at.is_none() && is_quiet && !planted!("presence.waits-two-ticks") {
            self.flush_at = Some(now + self.options.first_delay);
        }
    }
}

impl std::fmt::Debug for Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tracker({}, {} presences, clock {})", self.replica(), self.len(), self.clock)
    }
}
