//! Partitions: one server too busy for itself, split by key into several of its kind.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Label;
use simurgh_runtime::collections::SeededState;
use simurgh_runtime::sync::Mutex;

use super::spec::{ChildSpec, IntoChild, IntoStart};
use super::{Supervisor, SupervisorRef};
use crate::cell::Process;
use crate::{Server, ServerRef, StartError};

/// The partition of a key is not running: not started yet, being restarted, or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} is not running: try again when it is (re)started")]
pub struct NotRunning {
    /// Which.
    pub partition: usize,
}

/// A supervisor of servers of one kind, each of which has its share of the keys and is restarted by
/// itself. Elixir's `PartitionSupervisor`.
///
/// ```
/// use simurgh_otp::{Context, Flow, PartitionSupervisor, Reply, Server};
/// use std::collections::BTreeMap;
///
/// /// Counts visits, of those pages that are its own.
/// #[derive(Default)]
/// struct Visits(BTreeMap<String, u64>);
///
/// impl Server for Visits {
///     type Message = (String, Reply<u64>);
///     async fn handle(&mut self, (page, reply): (String, Reply<u64>), _: &mut Context<Self>) -> Flow {
///         let count = self.0.entry(page).or_default();
///         *count += 1;
///         reply.send(*count);
///         Flow::Continue
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let partitions = PartitionSupervisor::new(4, |_| Visits::default());
///     let visits = partitions.handle();
///     partitions.start("visits").await.unwrap();
///     for count in 1..=3 {
///         let server = visits.pick("/home").unwrap(); // always the same one
///         assert_eq!(server.call(|reply| ("/home".into(), reply)).await, Ok(count));
///     }
/// });
/// ```
///
/// Which key belongs to which partition is drawn anew when the supervisor is made, so that nobody can
/// choose keys that all meet in one, and stays so as long as it or a handle lives.
pub struct PartitionSupervisor<S: Server> {
    supervisor: Supervisor,
    partitions: Partitions<S>,
}

/// Finds the server of a key: see [`PartitionSupervisor`]. Cheap to clone.
pub struct Partitions<S: Server> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Server> {
    hasher: SeededState,
    servers: Box<[Mutex<Option<ServerRef<S>>>]>,
}

impl<S: Server> PartitionSupervisor<S> {
    /// So many partitions, at least 1; `make` makes the server of one, by its number. As many as the
    /// machine has cores is a good beginning.
    pub fn new<M>(partitions: usize, make: impl Fn(usize) -> M + Send + Sync + 'static) -> Self
    where
        M: IntoStart<Server = S>,
    {
        let servers = (0..partitions.max(1)).map(|_| Mutex::default()).collect();
        let partitions = Partitions { inner: Arc::new(Inner { hasher: SeededState::default(), servers }) };
        let make = Arc::new(make);
        let mut supervisor = Supervisor::one_for_one();
        for index in 0..partitions.len() {
            let (make, handle) = (Arc::clone(&make), partitions.clone());
            let spec = ChildSpec::new(move |parent, label| {
                let process = make(index).into_start(label).spawn(Some(parent), None, None);
                handle.set(index, ServerRef::new(Arc::clone(&process)));
                process as Arc<dyn Process>
            });
            supervisor = supervisor.child(&format!("partition {index}"), spec);
        }
        Self { supervisor, partitions }
    }

    /// How many restarts of partitions are borne, all together: see [`Supervisor::intensity`].
    pub fn intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.supervisor = self.supervisor.intensity(restarts, within);
        self
    }

    /// With this the server of a key is found. It follows the partitions through their restarts.
    pub fn handle(&self) -> Partitions<S> {
        self.partitions.clone()
    }

    /// Starts it by itself.
    ///
    /// # Errors
    /// If a partition does not start: those that were started are stopped then.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(self, label: impl Into<Label>) -> Result<SupervisorRef, StartError> {
        self.supervisor.start(label).await
    }
}

impl<S: Server> IntoChild for PartitionSupervisor<S> {
    fn into_child(self) -> ChildSpec {
        self.supervisor.into_child()
    }
}

impl<S: Server> Partitions<S> {
    /// The server to which a key belongs.
    ///
    /// # Errors
    /// [`NotRunning`]. Between this and a call it may end: then the call says so.
    pub fn pick<K: Hash + ?Sized>(&self, key: &K) -> Result<ServerRef<S>, NotRunning> {
        self.get(self.partition_of(key))
    }

    /// The number of the partition to which a key belongs.
    pub fn partition_of<K: Hash + ?Sized>(&self, key: &K) -> usize {
        (self.inner.hasher.hash_one(key) % self.inner.servers.len() as u64) as usize
    }

    /// The server of a partition, by its number.
    ///
    /// # Errors
    /// [`NotRunning`].
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn get(&self, partition: usize) -> Result<ServerRef<S>, NotRunning> {
        let server = self.inner.servers[partition].lock().clone();
        server.filter(ServerRef::is_alive).ok_or(NotRunning { partition })
    }

    /// How many partitions there are.
    #[allow(clippy::len_without_is_empty)] // there is one at least
    pub fn len(&self) -> usize {
        self.inner.servers.len()
    }

    fn set(&self, index: usize, server: ServerRef<S>) {
        let last = self.inner.servers[index].lock().replace(server);
        drop(last); // it may be the last of it: not under the lock
    }
}

impl<S: Server> Clone for Partitions<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: Server> fmt::Debug for Partitions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<S: Server> fmt::Debug for PartitionSupervisor<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionSupervisor").field("partitions", &self.partitions.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use simurgh_runtime::collections::HashSet;
    use simurgh_runtime::run;

    use super::*;
    use crate::{Context, Flow, Reply, kill};

    struct Numbered(usize);

    impl Server for Numbered {
        type Message = Reply<usize>;

        async fn handle(&mut self, reply: Reply<usize>, _: &mut Context<Self>) -> Flow {
            reply.send(self.0);
            Flow::Continue
        }
    }

    #[test]
    fn a_key_has_its_partition_and_keys_are_spread() {
        run("test", async {
            let supervisor = PartitionSupervisor::new(8, Numbered);
            let partitions = supervisor.handle();
            assert_eq!(partitions.get(3).unwrap_err(), NotRunning { partition: 3 });
            supervisor.start("partitions").await.unwrap();
            let mut hit = HashSet::default();
            for key in 0..200_u32 {
                let number = partitions.pick(&key).unwrap().call(|reply| reply).await.unwrap();
                assert_eq!(number, partitions.partition_of(&key));
                hit.insert(number);
            }
            assert_eq!(hit.len(), 8);
        });
    }

    #[test]
    fn a_partition_is_restarted_by_itself_and_keeps_its_keys() {
        run("test", async {
            let supervisor = PartitionSupervisor::new(2, Numbered);
            let partitions = supervisor.handle();
            supervisor.start("partitions").await.unwrap();
            let (victim, other) = (partitions.get(0).unwrap(), partitions.get(1).unwrap());
            kill(victim.pid());
            let again = loop {
                match partitions.get(0) {
                    Ok(server) if server != victim => break server,
                    _ => simurgh_runtime::yield_now().await,
                }
            };
            assert_eq!(again.call(|reply| reply).await, Ok(0));
            assert_eq!(partitions.get(1), Ok(other));
        });
    }
}
