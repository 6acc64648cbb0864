//! Presence as an application uses it: the trackers of a node, and what is around them.

use std::future::Future;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use simurgh_otp::{self as otp, Pid, ServerRef, Supervisor};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, Timestamp, planted, random, timeout};
use simurgh_telemetry::event;
use siphasher::sip::SipHasher13;

use super::hooks::{Broadcast, Fetch, Link, fetch};
use super::shard::{HotLimits, Shard};
use super::worker::{Work, Worker};
use super::{
    Action, Change, DecodeError, Diff, Effects, Extras, MESSAGE_LEN_MAX, Message, Meta, PresenceOptions, Presences,
    ReplicaId, TrackError, Tracker,
};

/// A message of another node was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is for a shard that there is not: the nodes have different numbers of shards.
    #[error("there are {shards} shards here, and the message is for shard {shard}: all nodes must have as many")]
    NoSuchShard {
        /// For which it is.
        shard: usize,
        /// How many there are.
        shards: usize,
    },
}

/// Who is where: processes of this and of other nodes, under keys of topics, each with a meta.
///
/// What is tracked here is listed here at once, and told to the subscribers of the topic on this node as a
/// `presence_diff`. Other nodes hear of it within 1.7 s, and tell their own. A process that ends is untracked; a node
/// that falls silent is hidden after 30 s, and one that ends in order at once.
///
/// ```
/// use simurgh_channels::presence::{Diff, Presence};
/// use simurgh_otp::{self as otp, Supervisor};
/// use serde_json::json;
/// # use simurgh_runtime::DurationExt;
///
/// simurgh_runtime::run("doc", async {
///     let presence = Presence::new(|_topic: &str, _diff: &Diff| { /* broadcast on this node */ });
///     let root = Supervisor::one_for_one().child("presence", presence.supervisor()).start("root").await.unwrap();
///
///     let alice = otp::spawn("alice", std::future::pending::<()>());
///     presence.track(alice, "room:lobby", "alice", &json!({"status": "here"})).unwrap();
///     presence.update(alice, "room:lobby", "alice", &json!({"status": "away"})).unwrap();
///     let meta = presence.get_by_key("room:lobby", "alice").items()[0].meta.clone();
///     assert_eq!(meta.field::<String>("status").as_deref(), Some("away"));
///     assert!(meta.phx_ref_prev().is_some());
///
///     otp::kill(alice);
///     otp::monitor(alice).await;
///     while !presence.list("room:lobby").is_empty() {
///         simurgh_runtime::sleep(1.millis()).await;
///     }
///     root.stop(5.secs()).await;
/// });
/// ```
///
/// Reads and local changes go through a lock of the topic's shard, not through a process. The processes of
/// [`Presence::supervisor`] notice the ends of others, speak to other nodes by the clock and call the fetch hook: it has
/// to be among the children of the application.
///
/// Source: `Phoenix.Presence`, by its behaviour.
#[derive(Clone)]
pub struct Presence {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) options: PresenceOptions,
    broadcast: Box<dyn Broadcast>,
    link: Option<Box<dyn Link>>,
    fetch: Option<Fetch>,
    shards: Box<[Part]>,
    began: Instant,
    own_count: AtomicUsize,
}

struct Part {
    shard: Mutex<Shard>,
    worker: Mutex<Option<ServerRef<Worker>>>,
}

/// What a [`Presence`] is made of.
pub struct PresenceBuilder {
    options: PresenceOptions,
    broadcast: Box<dyn Broadcast>,
    link: Option<Box<dyn Link>>,
    fetch: Option<Fetch>,
}

impl PresenceBuilder {
    /// With these options.
    pub fn options(mut self, options: PresenceOptions) -> Self {
        self.options = options;
        self
    }

    /// With other nodes.
    pub fn link(mut self, link: impl Link) -> Self {
        self.link = Some(Box::new(link));
        self
    }

    /// With a hook that gives more about keys, beside their metas: it is called once for all keys of a list, and once
    /// for all keys of a diff, with the topic.
    ///
    /// ```
    /// use simurgh_channels::presence::{Diff, Extras, Presence};
    /// use serde_json::json;
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let presence = Presence::builder(|_: &str, _: &Diff| ())
    ///         .fetch(|_topic, keys| async move {
    ///             // One query for all keys.
    ///             let row = |key: String| (key, json!({"name": "Alice"}).as_object().cloned().unwrap_or_default());
    ///             keys.into_iter().map(row).collect::<Extras>()
    ///         })
    ///         .build();
    ///     presence.track(simurgh_otp::spawn("u1", std::future::pending::<()>()), "room", "u1", &()).unwrap();
    ///     let state = serde_json::to_value(presence.state("room").await).unwrap();
    ///     assert_eq!(state["u1"]["name"], "Alice");
    /// });
    /// ```
    pub fn fetch<F, T>(mut self, hook: F) -> Self
    where
        F: Fn(String, Vec<String>) -> T + Send + Sync + 'static,
        T: Future<Output = Extras> + Send + 'static,
    {
        self.fetch = Some(fetch(hook));
        self
    }

    /// Makes it.
    pub fn build(self) -> Presence {
        let Self { mut options, broadcast, link, fetch } = self;
        options.tracker.replicates = link.is_some();
        let me = ReplicaId::here(Arc::clone(&options.node));
        let part = || {
            let tracker = Tracker::new(me.clone(), options.tracker.clone(), Duration::ZERO, random::u64());
            Part { shard: Mutex::new(Shard::new(tracker, random::u64())), worker: Mutex::new(None) }
        };
        let shards = (0..options.shards.max(1)).map(|_| part()).collect();
        let (began, own_count) = (Instant::now(), AtomicUsize::new(0));
        Presence { inner: Arc::new(Inner { options, broadcast, link, fetch, shards, began, own_count }) }
    }
}

impl Presence {
    /// On this node alone, with default options.
    pub fn new(broadcast: impl Broadcast) -> Self {
        Self::builder(broadcast).build()
    }

    /// To be made with options, a link to other nodes, a fetch hook.
    pub fn builder(broadcast: impl Broadcast) -> PresenceBuilder {
        let (options, broadcast) = (PresenceOptions::default(), Box::new(broadcast));
        PresenceBuilder { options, broadcast, link: None, fetch: None }
    }

    /// The processes that work for it: a child of the application.
    pub fn supervisor(&self) -> Supervisor {
        let mut supervisor = Supervisor::one_for_one();
        for number in 0..self.inner.shards.len() {
            let inner = Arc::clone(&self.inner);
            supervisor =
                supervisor.child(&format!("shard {number}"), move || Worker::start(Arc::clone(&inner), number));
        }
        supervisor
    }

    /// Adds a presence: the process is in the topic, under the key, as long as it lives. The meta is what serialises to
    /// an object; `()` if there is nothing to say.
    ///
    /// # Errors
    /// [`TrackError`]; nothing is changed.
    pub fn track(&self, pid: Pid, topic: &str, key: &str, meta: &impl Serialize) -> Result<Meta, TrackError> {
        let (inner, number) = (&self.inner, self.inner.number_of(topic));
        let len_max = inner.options.tracker.meta_len_max;
        let entries_max = inner.options.tracker.entries_max;
        let fields = Meta::fields_of(meta)?; // whatever runs there, it is not under the lock
        let (now, wall_ns) = (inner.now(), Timestamp::now().as_nanos());
        let mut shard = inner.shards[number].shard.lock();
        inner.check_pending(&shard)?;
        if inner.own_count.load(Ordering::Relaxed) >= entries_max {
            return Err(TrackError::Full { max: entries_max });
        }
        let own = shard.next_ref(wall_ns, pid);
        let meta = Meta::of(&fields, own, None, len_max)?;
        let item = shard.tracker.track(now, topic, key, pid.number(), meta)?;
        inner.own_count.fetch_add(1, Ordering::Relaxed);
        shard.watch(pid);
        let meta = item.meta.clone();
        shard.tell(now, [Change::join(item)], inner.hot());
        inner.carry_out(number, shard);
        Ok(meta)
    }

    /// As [`Presence::track`], of the running process: a channel tracks itself.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// Outside of a process.
    pub fn track_self(&self, topic: &str, key: &str, meta: &impl Serialize) -> Result<Meta, TrackError> {
        self.track(otp::self_pid(), topic, key, meta)
    }

    /// Replaces the meta of a presence: it gets a new ref, and the old one as `phx_ref_prev`. Subscribers hear of it in
    /// one diff.
    ///
    /// # Errors
    /// [`TrackError`]; nothing is changed.
    pub fn update(&self, pid: Pid, topic: &str, key: &str, meta: &impl Serialize) -> Result<Meta, TrackError> {
        let fields = Meta::fields_of(meta)?;
        self.change(pid, topic, key, |_| fields)
    }

    /// As [`Presence::update`], with what `make` makes of the old meta's fields. It runs under a lock: it must be short, and
    /// not come back here.
    ///
    /// # Errors
    /// As there.
    pub fn update_with(
        &self,
        pid: Pid,
        topic: &str,
        key: &str,
        make: impl FnOnce(Map<String, Value>) -> Map<String, Value>,
    ) -> Result<Meta, TrackError> {
        self.change(pid, topic, key, |old| Meta::without_refs(make(old.fields())))
    }

    fn change(
        &self,
        pid: Pid,
        topic: &str,
        key: &str,
        make: impl FnOnce(&Meta) -> Map<String, Value>,
    ) -> Result<Meta, TrackError> {
        let (inner, number) = (&self.inner, self.inner.number_of(topic));
        let len_max = inner.options.tracker.meta_len_max;
        let (now, wall_ns) = (inner.now(), Timestamp::now().as_nanos());
        let mut shard = inner.shards[number].shard.lock();
        inner.check_pending(&shard)?;
        let own = shard.next_ref(wall_ns, pid);
        let make = |old: &Meta| Meta::of(&make(old), own, Some(old.own_ref()), len_max);
        let (old, new) = shard.tracker.update(now, topic, key, pid.number(), make)?;
        let meta = new.meta.clone();
        let leave = (!planted!("presence.update-without-leave")).then(|| Change::leave(old));
        shard.tell(now, leave.into_iter().chain([Change::join(new)]), inner.hot());
        inner.carry_out(number, shard);
        Ok(meta)
    }

    /// Removes a presence. Tells whether it was there.
    pub fn untrack(&self, pid: Pid, topic: &str, key: &str) -> bool {
        let (inner, number, now) = (&self.inner, self.inner.number_of(topic), self.inner.now());
        let mut shard = inner.shards[number].shard.lock();
        let Some(item) = shard.tracker.untrack(now, topic, key, pid.number()) else { return false };
        inner.own_count.fetch_sub(1, Ordering::Relaxed);
        shard.tell(now, [Change::leave(item)], inner.hot());
        inner.carry_out(number, shard);
        true
    }

    /// Removes all presences of a process.
    pub fn untrack_all(&self, pid: Pid) {
        for number in 0..self.inner.shards.len() {
            let shard = self.inner.shards[number].shard.lock();
            self.inner.untrack_owner(number, shard, pid.number());
        }
    }

    /// Who is present in a topic, without what a fetch hook gives. It costs what the topic holds.
    pub fn list(&self, topic: &str) -> Presences {
        let shard = self.inner.shards[self.inner.number_of(topic)].shard.lock();
        Presences::of(shard.tracker.list(topic))
    }

    /// Who is present under a key of a topic, without what a fetch hook gives.
    pub fn get_by_key(&self, topic: &str, key: &str) -> Presences {
        let shard = self.inner.shards[self.inner.number_of(topic)].shard.lock();
        Presences::of(shard.tracker.get_by_key(topic, key))
    }

    /// Who is present in a topic, with what a fetch hook gives: the payload of `presence_state`, to be pushed after
    /// each join.
    ///
    /// A channel subscribes to its topic first, then tracks itself, then pushes this: what changes in between reaches
    /// the client as a diff, which it can take before and after.
    pub async fn state(&self, topic: &str) -> Presences {
        let list = self.list(topic);
        if self.inner.fetch.is_none() || list.is_empty() {
            return list;
        }
        let keys = list.keys().map(str::to_owned).collect();
        let extras = self.inner.fetched(topic, keys).await;
        list.with_extras(extras)
    }

    /// How many presences this node has itself.
    pub fn own_count(&self) -> usize {
        self.inner.own_count.load(Ordering::Relaxed)
    }

    /// The replicas of other nodes that are known, and whether they are up.
    pub fn peers(&self) -> Vec<(ReplicaId, bool)> {
        self.inner.shards[0].shard.lock().tracker.peers()
    }

    /// The topics in which somebody is.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.inner.shards.iter().flat_map(|part| part.shard.lock().tracker.topics()).collect()
    }

    /// Takes a message that a [`Link`] has brought for a shard.
    ///
    /// # Errors
    /// [`ReceiveError`]; nothing is changed.
    pub fn receive(&self, shard: usize, message: &[u8]) -> Result<(), ReceiveError> {
        let shards = self.inner.shards.len();
        let part = self.inner.shards.get(shard).ok_or(ReceiveError::NoSuchShard { shard, shards })?;
        let message = Message::decode(message)?;
        let mut effects = Effects::default();
        let mut locked = part.shard.lock();
        let now = self.inner.now();
        locked.tracker.receive(now, message, &mut effects);
        self.inner.carry_out_effects(shard, locked, effects);
        Ok(())
    }

    /// Hides what a node has tracked, at once: for a membership that knows of its end before 30 s of silence.
    pub fn node_down(&self, node: &str) {
        for (number, part) in self.inner.shards.iter().enumerate() {
            let mut effects = Effects::default();
            let mut shard = part.shard.lock();
            shard.tracker.node_down(node, &mut effects);
            self.inner.carry_out_effects(number, shard, effects);
        }
    }

    /// Forgets what a replica has tracked, for good: for a membership that knows that it will not come back.
    pub fn replica_left(&self, replica: &ReplicaId) {
        for (number, part) in self.inner.shards.iter().enumerate() {
            let mut effects = Effects::default();
            let mut shard = part.shard.lock();
            shard.tracker.replica_left(replica, &mut effects);
            self.inner.carry_out_effects(number, shard, effects);
        }
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presence({}, {} shards, {} own)", self.inner.options.node, self.inner.shards.len(), self.own_count())
    }
}

type Locked<'a> = simurgh_runtime::sync::MutexGuard<'a, Shard>;

impl Inner {
    /// The time that trackers know: since this was made.
    pub(super) fn now(&self) -> Duration {
        if planted!("presence.silence-by-wall") {
            return Duration::from_nanos(Timestamp::now().as_nanos().unsigned_abs());
        }
        self.began.elapsed()
    }

    /// The same on each node.
    fn number_of(&self, topic: &str) -> usize {
        let mut hasher = SipHasher13::new_with_keys(0x7072_6573, 0x656E_6365);
        hasher.write(topic.as_bytes());
        (hasher.finish() % self.shards.len() as u64) as usize
    }

    fn hot(&self) -> HotLimits {
        let PresenceOptions { hot_changes_per_second: changes_per_second, hot_period: period, .. } = self.options;
        HotLimits { changes_per_second, period }
    }

    fn check_pending(&self, shard: &Shard) -> Result<(), TrackError> {
        let max = self.options.pending_max;
        if shard.pending() >= max { Err(TrackError::Overloaded { max }) } else { Ok(()) }
    }

    pub(super) fn lock(&self, number: usize) -> Locked<'_> {
        self.shards[number].shard.lock()
    }

    pub(super) fn set_worker(&self, number: usize, worker: Option<ServerRef<Worker>>) {
        *self.shards[number].worker.lock() = worker;
    }

    fn untrack_owner<'a>(&'a self, number: usize, mut shard: Locked<'a>, owner: u64) {
        let mut effects = Effects::default();
        shard.tracker.untrack_owner(self.now(), owner, &mut effects);
        self.own_count.fetch_sub(effects.changes.len(), Ordering::Relaxed);
        self.carry_out_effects(number, shard, effects);
    }

    /// A process has ended: it is nowhere any more.
    pub(super) fn ended(&self, number: usize, pid: Pid) {
        let mut shard = self.lock(number);
        shard.watched.remove(&pid.number());
        self.untrack_owner(number, shard, pid.number());
    }

    /// The replica ends in order: the others are told.
    pub(super) fn end(&self, number: usize) {
        let mut effects = Effects::default();
        let mut shard = self.lock(number);
        (shard.has_worker, shard.is_over) = (false, true);
        shard.release(Duration::MAX);
        shard.tracker.goodbye(&mut effects);
        self.carry_out_effects(number, shard, effects);
    }

    /// Another life of the replica: the others know the former one as ended, what is tracked here goes on.
    pub(super) fn reborn(&self, shard: &mut Shard) -> Effects {
        let me = ReplicaId::here(Arc::clone(&self.options.node));
        let mut effects = Effects::default();
        shard.tracker.reborn(me, self.now(), random::u64(), &mut effects);
        effects
    }

    /// Sends and tells what came of an input. The lock is let go first.
    pub(super) fn carry_out_effects<'a>(&'a self, number: usize, mut shard: Locked<'a>, effects: Effects) {
        shard.tell(self.now(), effects.changes, self.hot());
        self.carry_out(number, shard);
        for why in effects.refused {
            event!("presence.refused", { count: 1 }, { shard: number, why: why });
        }
        let Some(link) = &self.link else { return };
        for action in effects.actions {
            let (to, message) = match action {
                Action::Broadcast(message) => (None, message.encode()),
                Action::Send(to, message) => (Some(to), message.encode()),
            };
            match to {
                _ if message.len() > MESSAGE_LEN_MAX => {
                    event!("presence.refused", { count: 1 }, { shard: number, why: "a message that is too long to send" });
                }
                None => link.broadcast(number, message),
                Some(to) => link.send(number, &to, message),
            }
        }
    }

    /// Tells what is to be told, or lets the worker do it, and wakes it if it has to do something sooner than it thinks.
    fn carry_out<'a>(&'a self, number: usize, shard: Locked<'a>) {
        let is_sooner = match (shard.deadline(), shard.wakes_at) {
            (Some(deadline), Some(wakes_at)) => deadline < wakes_at,
            (deadline, _) => deadline.is_some(),
        };
        let fetches = self.fetch.is_some() && shard.has_worker;
        let wakes = !shard.to_watch.is_empty() || is_sooner || (fetches && !shard.outbox.is_empty());
        let wakes = wakes && shard.has_worker;
        let tells = !fetches && !shard.outbox.is_empty() && !shard.is_telling;
        if tells {
            self.tell_all(number, shard);
        } else {
            drop(shard);
        }
        if wakes && let Some(worker) = &*self.shards[number].worker.lock() {
            // Full, it has work before it, after which it looks as well.
            let _ = worker.try_cast(Work::Look);
        }
    }

    /// Tells until there is nothing left. Whoever has something to tell meanwhile leaves it to this one.
    fn tell_all<'a>(&'a self, number: usize, mut shard: Locked<'a>) {
        shard.is_telling = true;
        loop {
            let batch = std::mem::take(&mut shard.outbox);
            if batch.is_empty() {
                shard.is_telling = false;
                return;
            }
            drop(shard);
            let telling = Telling { inner: self, number };
            for changes in by_topic(batch) {
                self.broadcast(&changes[0].item.topic, &Diff::of(&changes));
            }
            std::mem::forget(telling);
            shard = self.lock(number);
        }
    }

    fn broadcast(&self, topic: &str, diff: &Diff) {
        if !diff.is_empty() {
            self.broadcast.presence_diff(topic, diff);
        }
    }

    /// Whether the worker has to tell, since it takes time.
    pub(super) fn fetches(&self) -> bool {
        self.fetch.is_some()
    }

    /// Tells a batch, with what the hook gives for it.
    pub(super) async fn tell_fetched(&self, batch: Vec<Change>) {
        for changes in by_topic(batch) {
            let mut diff = Diff::of(&changes);
            if diff.is_empty() {
                continue;
            }
            let topic = &changes[0].item.topic;
            let extras = self.fetched(topic, diff.keys()).await;
            diff.leaves = diff.leaves.with_extras(extras.clone());
            diff.joins = diff.joins.with_extras(extras);
            self.broadcast(topic, &diff);
        }
    }

    /// What the hook gives. It runs in a task of its own: if it fails, there is nothing beside the metas.
    async fn fetched(&self, topic: &str, keys: Vec<String>) -> Extras {
        let Some(hook) = &self.fetch else { return Extras::new() };
        let fetching = simurgh_runtime::spawn(hook(topic.to_owned(), keys));
        let why = match timeout(self.options.fetch_timeout, fetching).await {
            Ok(Ok(extras)) => return extras,
            Ok(Err(_)) => "it panicked",
            Err(_) => "it took too long",
        };
        event!("presence.fetch_failed", { count: 1 }, { topic: topic, why: why });
        Extras::new()
    }
}

/// Lets others tell again, if whoever is told panics.
struct Telling<'a> {
    inner: &'a Inner,
    number: usize,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.inner.lock(self.number).is_telling = false;
    }
}

/// The changes of each topic, in their order.
fn by_topic(mut batch: Vec<Change>) -> Vec<Vec<Change>> {
    if batch.windows(2).all(|pair| pair[0].item.topic == pair[1].item.topic) {
        return vec![batch];
    }
    batch.sort_by(|a, b| a.item.topic.cmp(&b.item.topic));
    batch.chunk_by(|a, b| a.item.topic == b.item.topic).map(<[Change]>::to_vec).collect()
}
