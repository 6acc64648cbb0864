//! Locks.
//!
//! [`Mutex`] is for short work without an await: it does not poison, since a panic is one process's
//! exit and not the node's. [`AsyncMutex`] may be held across an await; in the simulator it reports
//! who holds and who waits, and a circle of waiting tasks ends the run with their names.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

use crate::sim;

/// A lock that is never poisoned.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    inner: std::sync::Mutex<T>,
}

/// Access to what a [`Mutex`] protects.
pub type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { inner: std::sync::Mutex::new(value) }
    }

    /// What it protected.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    ///
    /// # Panics
    /// In the simulator, if it is held: one thread would wait for itself forever.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if sim::is_simulated() {
            return self.lock_or_fail();
        }
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Has the processor fetch the lock, which is soon to be taken. A look at it, unlike the lock, lets the processor fetch
    /// others meanwhile.
    #[inline]
    pub fn approach(&self) {
        std::hint::black_box(self.inner.is_poisoned());
    }

    /// What it protects, without locking.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn lock_or_fail(&self) -> MutexGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| {
            let why = format!(
                "the lock around a {} is held already, and this thread would wait for itself",
                std::any::type_name::<T>()
            );
            sim::world(|world| world.stuck(&why));
            panic!("{why}")
        })
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("Mutex").field(&&*guard).finish(),
            None => f.write_str("Mutex(<held>)"),
        }
    }
}

/// A lock that may be held across an await. Waiters are served in order.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// let accounts = simurgh_runtime::sync::AsyncMutex::named("accounts", vec![100]);
/// accounts.lock().await.push(200);
/// assert_eq!(accounts.lock().await.len(), 2);
/// # });
/// ```
pub struct AsyncMutex<T> {
    name: &'static str,
    /// Its number among the simulated world's resources; 0 in production.
    resource: u64,
    inner: tokio::sync::Mutex<T>,
}

impl<T> AsyncMutex<T> {
    /// A lock around `value`, called `name` in reports.
    pub fn named(name: &'static str, value: T) -> Self {
        let resource = sim::world(|world| world.new_resource()).unwrap_or(0);
        Self { name, resource, inner: tokio::sync::Mutex::new(value) }
    }

    /// Waits for the lock. Dropping the future gives up the place in the queue.
    pub async fn lock(&self) -> AsyncMutexGuard<'_, T> {
        let waiting = Waiting::begin(self);
        let guard = self.inner.lock().await;
        drop(waiting);
        self.held(guard)
    }

    /// The lock, if it is free.
    pub fn try_lock(&self) -> Option<AsyncMutexGuard<'_, T>> {
        self.inner.try_lock().ok().map(|guard| self.held(guard))
    }

    fn held<'a>(&'a self, guard: tokio::sync::MutexGuard<'a, T>) -> AsyncMutexGuard<'a, T> {
        if self.resource != 0 {
            sim::world(|world| world.hold(self.resource));
        }
        AsyncMutexGuard { release: Release(self.resource), guard }
    }
}

impl<T> fmt::Debug for AsyncMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncMutex({})", self.name)
    }
}

/// The time in which a task waits for a lock.
struct Waiting(u64);

impl Waiting {
    fn begin<T>(lock: &AsyncMutex<T>) -> Self {
        if lock.resource != 0 {
            sim::world(|world| world.wait_begin(lock.resource, lock.name));
        }
        Self(lock.resource)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0 != 0 {
            sim::world(|world| world.wait_end(self.0));
        }
    }
}

/// Tells the simulated world that a lock is free. It stands before the guard, so that it goes first:
/// the next holder must not be overwritten.
struct Release(u64);

impl Drop for Release {
    fn drop(&mut self) {
        if self.0 != 0 {
            sim::world(|world| world.release(self.0));
        }
    }
}

/// Access to what an [`AsyncMutex`] protects.
pub struct AsyncMutexGuard<'a, T> {
    #[allow(dead_code)] // held for its drop
    release: Release,
    guard: tokio::sync::MutexGuard<'a, T>,
}

impl<T> Deref for AsyncMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for AsyncMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: fmt::Debug> fmt::Debug for AsyncMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_does_not_poison() {
        let lock = Mutex::new(1);
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.lock();
            panic!("while holding it");
        }));
        *lock.lock() += 1;
        assert_eq!(lock.into_inner(), 2);
    }

    #[test]
    fn an_async_lock_serves_one_at_a_time() {
        crate::run("test", async {
            let lock = std::sync::Arc::new(AsyncMutex::named("count", 0));
            let guard = lock.lock().await;
            assert!(lock.try_lock().is_none());
            drop(guard);
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let lock = lock.clone();
                    crate::spawn(async move {
                        let mut count = lock.lock().await;
                        let before = *count;
                        crate::yield_now().await;
                        *count = before + 1;
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*lock.lock().await, 10);
        });
    }
}
