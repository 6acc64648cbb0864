//! Registries: processes by key.
//!
//! ```text
//!   key   ──> its holders: a pid, the process, a value          removed in the process's own end,
//!   pid   ──> the keys that it holds                            before anybody hears of that end
//! ```
//!
//! Both maps are in parts, each with a lock of its own that is held only for the step itself. A
//! registry is no process: a name goes in the end of the process that held it, before its monitors,
//! its links and its supervisor are told. So a name never points to a process whose end was told, and
//! who is started anew finds the name of its predecessor free.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use simurgh_runtime::{Header, Node};

use crate::cell::Process;
use crate::process::running;
use crate::table::Table;
use crate::{Pid, Server, ServerRef};

mod error;
mod holders;
mod inner;
mod listeners;
mod name;
#[cfg(test)]
mod tests;
mod via;

pub use self::error::RegisterError;
pub use self::listeners::{Change, ListenerRef};
pub use self::name::{Name, named, names, register, unregister, whereis};
pub use self::via::{Named, Via};

pub(crate) use self::name::names_of;

use self::inner::Inner;

/// Parts of a registry unless told otherwise.
const PARTITIONS: usize = 16;

/// What can be a key: anything that can be hashed, and told to people.
pub trait Key: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static> Key for K {}

/// What can stand beside a key.
pub trait Stored: Clone + Send + Sync + 'static {}

impl<V: Clone + Send + Sync + 'static> Stored for V {}

/// How many processes may hold one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// One.
    Unique,
    /// Any number.
    Duplicate,
}

/// Processes of a node by key (Elixir's `Registry`), each with a value. Cheap to clone.
///
/// ```
/// use simurgh_otp::{self as otp, Registry, RegisterError};
///
/// simurgh_runtime::run("doc", async {
///     let rooms: Registry<u32, &str> = Registry::unique("rooms");
///     let (keeper, end) = {
///         let rooms = rooms.clone();
///         otp::spawn_monitor("keeper", async move {
///             rooms.register(17, "the blue one").unwrap();
///             std::future::pending::<()>().await;
///         })
///     };
///     while rooms.whereis(&17).is_none() {
///         simurgh_runtime::yield_now().await;
///     }
///     let room = rooms.get(&17).unwrap();
///     assert_eq!((room.pid, room.value), (keeper, "the blue one"));
///
///     let (late, _end) = otp::spawn_monitor("late", std::future::pending::<()>());
///     let taken = rooms.register_for(late, 17, "mine");
///     assert!(matches!(taken, Err(RegisterError::AlreadyRegistered { pid, .. }) if pid == keeper));
///
///     otp::kill(keeper);
///     end.await; // whoever hears of the end finds the name free
///     rooms.register_for(late, 17, "mine").unwrap();
/// });
/// ```
///
/// With duplicate keys it is a list of subscribers: see [`Registry::dispatch`]. Servers are registered
/// before they begin by [`Start::register`](crate::Start::register), and called by key through
/// [`Registry::via`]. Events: `otp.registry.register` and `otp.registry.unregister`, with the registry,
/// the key's hash and the process.
///
/// Nothing here waits. Closures of the caller run under the lock of a part where it is said so: they
/// must be short, and must not come back to the same registry.
pub struct Registry<K, V = ()> {
    inner: Arc<Inner<K, V>>,
}

/// One entry of a registry, as it was when it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<V> {
    /// Who is registered.
    pub pid: Pid,
    /// What stands beside it.
    pub value: V,
}

impl<K: Key, V: Stored> Registry<K, V> {
    /// A registry of the current node, of which each key belongs to one process.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn unique(name: &str) -> Self {
        Self::with_partitions(name, Keys::Unique, PARTITIONS)
    }

    /// A registry of the current node, of which a key may belong to any number of processes, and to
    /// one process more than once.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn duplicate(name: &str) -> Self {
        Self::with_partitions(name, Keys::Duplicate, PARTITIONS)
    }

    /// A registry in so many parts (rounded up to a power of two; 16 unless told otherwise): the more,
    /// the seldomer those meet who register at the same time.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn with_partitions(name: &str, keys: Keys, partitions: usize) -> Self {
        let node = Node::current();
        Self { inner: Arc::new(Inner::new(name, keys, partitions, (node.id().0, node.incarnation()))) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Registers the running process.
    ///
    /// # Errors
    /// [`RegisterError`]: another has the key (or the process itself, of a unique key), the process is
    /// about to end, or who asks is none.
    pub fn register(&self, key: K, value: V) -> Result<(), RegisterError> {
        let me = running().ok_or(RegisterError::NotAProcess)?;
        self.enlist(&me, key, value)
    }

    /// Registers a process of this node.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn register_for(&self, pid: Pid, key: K, value: V) -> Result<(), RegisterError> {
        let process = find(pid).ok_or(RegisterError::Ended { pid })?;
        self.enlist(&process, key, value)
    }

    pub(crate) fn enlist(&self, process: &Arc<dyn Process>, key: K, value: V) -> Result<(), RegisterError> {
        self.inner.insert(process, key, value)
    }

    /// Removes what the running process has under this key; how many entries that were.
    pub fn unregister<Q>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.unregister_match(key, |_| true)
    }

    /// As [`Registry::unregister`], for the entries whose value `matches`. The closure runs under a lock.
    pub fn unregister_match<Q>(&self, key: &Q, matches: impl FnMut(&V) -> bool) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        running_pid().map_or(0, |pid| self.inner.remove(key, pid, matches))
    }

    /// As [`Registry::unregister`], for another process of this node.
    pub fn unregister_for<Q>(&self, pid: Pid, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.remove(key, pid, |_| true)
    }

    /// Changes the value of the running process under this key (the first, if there are more); none if
    /// it has no such entry. The closure runs under a lock.
    pub fn update<Q, R>(&self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let pid = running_pid()?;
        self.inner.held.change(key, |part| part.get_mut(key)?.of_mut(pid).next().map(|held| change(&mut held.value)))
    }

    /// Who has this key; of a duplicate one, the oldest process.
    #[inline]
    pub fn whereis<Q>(&self, key: &Q) -> Option<Pid>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.held.get(key, |holders| holders.first().map(|held| held.pid)).flatten()
    }

    /// The entry of this key; of a duplicate one, that of the oldest process.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<Entry<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.held.get(key, |holders| holders.first().map(holders::Held::entry)).flatten()
    }

    /// All entries of this key, by the age of their processes.
    pub fn lookup<Q>(&self, key: &Q) -> Vec<Entry<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.lookup_match(key, |_, _| true)
    }

    /// The entries of this key that match. The closure runs under a lock.
    pub fn lookup_match<Q>(&self, key: &Q, mut matches: impl FnMut(Pid, &V) -> bool) -> Vec<Entry<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let found = self.inner.held.get(key, |holders| {
            holders.iter().filter(|held| matches(held.pid, &held.value)).map(holders::Held::entry).collect()
        });
        found.unwrap_or_default()
    }

    /// The server that has this key, if it is one of this kind.
    ///
    /// ```
    /// # use simurgh_otp::{self as otp, Context, Flow, Registry, Server, ServerRef, Start};
    /// # struct Room;
    /// # impl Server for Room {
    /// #     type Message = ();
    /// #     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow { Flow::Continue }
    /// # }
    /// simurgh_runtime::run("doc", async {
    ///     let rooms: Registry<u32> = Registry::unique("rooms");
    ///     let room = Start::new("room", Room).register(&rooms, 17, ()).start().await.unwrap();
    ///     assert_eq!(rooms.server::<Room, _>(&17), Some(room));
    /// });
    /// ```
    #[inline]
    pub fn server<S: Server, Q>(&self, key: &Q) -> Option<ServerRef<S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let process = self.inner.held.get(key, |holders| holders.first().map(|held| Arc::clone(&held.process)));
        ServerRef::of(process.flatten()?)
    }

    /// The server of this key, whoever that is at each use: see [`Via`].
    pub fn via<S: Server>(&self, key: K) -> Via<S, K, V> {
        Via::new(self.clone(), key)
    }

    /// Calls `tell` with all entries of a key, if there is one; no lock is held meanwhile. What it gives
    /// back is given back.
    ///
    /// ```
    /// use simurgh_otp::{self as otp, Registry};
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let topics: Registry<&str, u8> = Registry::duplicate("topics");
    ///     let subscriber = otp::spawn("subscriber", std::future::pending::<()>());
    ///     topics.register_for(subscriber, "news", 1).unwrap();
    ///     topics.register_for(subscriber, "news", 2).unwrap();
    ///     assert_eq!(topics.dispatch("news", |entries| entries.len()), Some(2));
    ///     assert_eq!(topics.dispatch("sport", |entries| entries.len()), None);
    /// });
    /// ```
    pub fn dispatch<Q, R>(&self, key: &Q, tell: impl FnOnce(&[Entry<V>]) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.lookup(key);
        (!entries.is_empty()).then(|| tell(&entries))
    }

    /// The keys of a process, in no order that means anything.
    pub fn keys(&self, pid: Pid) -> Vec<K> {
        self.inner.owned.get(&pid, |keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// How many entries there are, counted part by part.
    pub fn count(&self) -> usize {
        let mut count = 0;
        self.inner.held.each(|_, holders| count += holders.len());
        count
    }

    /// How many entries a key has.
    pub fn count_of<Q>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.held.get(key, holders::Holders::len).unwrap_or(0)
    }

    /// What `pick` picks of all entries, part by part. The closure runs under a lock.
    pub fn select<R>(&self, mut pick: impl FnMut(&K, Pid, &V) -> Option<R>) -> Vec<R> {
        let mut picked = Vec::new();
        self.inner.held.each(|key, holders| {
            picked.extend(holders.iter().filter_map(|held| pick(key, held.pid, &held.value)));
        });
        picked
    }

    /// Calls `listener` with each change from now on, in the order in which they happen, in the task
    /// that changes (or one that changes at the same time). It must be short; it may come back to the
    /// registry; one that panics is removed. A change may be told after what made it has returned.
    pub fn listen(&self, listener: impl Fn(&Change<K, V>) + Send + Sync + 'static) -> ListenerRef {
        self.inner.listeners.add(move |change| {
            listener(change);
            true
        })
    }

    /// Sends each change to a server from now on, until it ends. One whose mailbox is full misses
    /// changes, which is logged and counted (`otp.registry.listener_full`): give it room.
    ///
    /// ```
    /// use simurgh_otp::{self as otp, Change, Context, Flow, Registry, Server};
    ///
    /// struct Log(Vec<Change<u32, ()>>);
    ///
    /// impl Server for Log {
    ///     type Message = Change<u32, ()>;
    ///     async fn handle(&mut self, change: Change<u32, ()>, _: &mut Context<Self>) -> Flow {
    ///         self.0.push(change);
    ///         Flow::Continue
    ///     }
    /// }
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let rooms: Registry<u32> = Registry::unique("rooms");
    ///     let log = otp::start("log", Log(Vec::new())).await.unwrap();
    ///     rooms.notify(&log, Change::clone);
    ///     let (keeper, end) = otp::spawn_monitor("keeper", std::future::pending::<()>());
    ///     rooms.register_for(keeper, 1, ()).unwrap();
    ///     otp::kill(keeper);
    ///     end.await;
    ///     let changes = log.visit(|log| log.0.clone()).await.unwrap();
    ///     assert!(matches!(changes[..], [Change::Registered { key: 1, .. }, Change::Unregistered { key: 1, .. }]));
    /// });
    /// ```
    pub fn notify<S: Server>(
        &self,
        server: &ServerRef<S>,
        make: impl Fn(&Change<K, V>) -> S::Message + Send + Sync + 'static,
    ) -> ListenerRef {
        let (server, registry) = (server.clone(), Arc::clone(&self.inner.name));
        self.inner.listeners.add(move |change| listeners::send(&registry, &server, make(change)))
    }

    /// Removes a listener; false if it was gone already.
    pub fn unlisten(&self, listener: ListenerRef) -> bool {
        self.inner.listeners.remove(listener)
    }
}

/// A process of the current node.
fn find(pid: Pid) -> Option<Arc<dyn Process>> {
    Table::of(&*Node::try_current()?).get(pid)
}

fn running_pid() -> Option<Pid> {
    Header::with(|header| header.map(Pid::of))
}

impl<K, V> Clone for Registry<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V> fmt::Debug for Registry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.inner.name)
    }
}
