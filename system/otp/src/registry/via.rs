//! Servers by key: looked up at each use.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{Key, Name, Registry, Stored};
use crate::{CALL_TIMEOUT, CallError, CastError, Pid, Reply, Server, ServerRef};

/// A server by its key in a registry, whoever that is at each use: so it outlives restarts.
///
/// ```
/// use simurgh_otp::{self as otp, CallError, Context, Flow, Reply, Server, Start, Supervisor};
/// # use simurgh_runtime::DurationExt;
///
/// struct Counter(u64);
///
/// impl Server for Counter {
///     type Message = Reply<u64>;
///     async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>) -> Flow {
///         self.0 += 1;
///         reply.send(self.0);
///         Flow::Continue
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let counter = otp::named::<Counter>("counter");
///     assert!(matches!(counter.call(|reply| reply).await, Err(CallError::NotRegistered { .. })));
///
///     let start = || Start::new("counter", Counter(0)).name("counter");
///     let root = Supervisor::one_for_one().child("counter", start).start("root").await.unwrap();
///     assert_eq!(counter.call(|reply| reply).await, Ok(1));
///     root.stop(5.secs()).await;
/// });
/// ```
pub struct Via<S: Server, K = Name, V = ()> {
    registry: Registry<K, V>,
    key: K,
    server: PhantomData<fn() -> S>,
}

/// A server by a name of its node: see [`named`](crate::named).
pub type Named<S> = Via<S, Name, ()>;

impl<S: Server, K: Key, V: Stored> Via<S, K, V> {
    pub(super) fn new(registry: Registry<K, V>, key: K) -> Self {
        Self { registry, key, server: PhantomData }
    }

    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Who has the key now.
    pub fn pid(&self) -> Option<Pid> {
        self.registry.whereis(&self.key)
    }

    /// The server that has the key now.
    pub fn server(&self) -> Option<ServerRef<S>> {
        self.registry.server(&self.key)
    }

    /// Asks whoever has the key: see [`ServerRef::call`].
    ///
    /// # Errors
    /// As there, and [`CallError::NotRegistered`] if nobody has the key.
    pub async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> S::Message) -> Result<T, CallError> {
        self.call_within(CALL_TIMEOUT, make).await
    }

    /// As [`Via::call`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    pub async fn call_within<T>(
        &self,
        limit: Duration,
        make: impl FnOnce(Reply<T>) -> S::Message,
    ) -> Result<T, CallError> {
        match self.server() {
            Some(server) => server.call_within(limit, make).await,
            None => Err(CallError::NotRegistered { name: self.text() }),
        }
    }

    /// Sends a message to whoever has the key: see [`ServerRef::cast`].
    ///
    /// # Errors
    /// As there, and [`CastError::NotRegistered`] if nobody has the key.
    pub async fn cast(&self, message: S::Message) -> Result<(), CastError<S::Message>> {
        self.cast_within(CALL_TIMEOUT, message).await
    }

    /// As [`Via::cast`], with a limit of one's own.
    ///
    /// # Errors
    /// As there.
    pub async fn cast_within(&self, limit: Duration, message: S::Message) -> Result<(), CastError<S::Message>> {
        match self.server() {
            Some(server) => server.cast_within(limit, message).await,
            None => Err(CastError::NotRegistered { name: self.text(), message }),
        }
    }

    /// Sends a message without waiting: see [`ServerRef::try_cast`].
    ///
    /// # Errors
    /// As there, and [`CastError::NotRegistered`] if nobody has the key.
    pub fn try_cast(&self, message: S::Message) -> Result<(), CastError<S::Message>> {
        match self.server() {
            Some(server) => server.try_cast(message),
            None => Err(CastError::NotRegistered { name: self.text(), message }),
        }
    }

    #[cold]
    fn text(&self) -> Arc<str> {
        format!("{:?} of {}", self.key, self.registry.name()).into()
    }
}

impl<S: Server, K: Clone, V> Clone for Via<S, K, V> {
    fn clone(&self) -> Self {
        Self { registry: self.registry.clone(), key: self.key.clone(), server: PhantomData }
    }
}

impl<S: Server, K: fmt::Debug, V> fmt::Debug for Via<S, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Via({:?} of {:?})", self.key, self.registry)
    }
}
