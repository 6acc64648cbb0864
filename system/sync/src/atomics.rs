//! The primitives that everything here stands on: the standard library's, or loom's in a model.

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    sync::atomic::AtomicU8,
    sync::{Arc, Mutex, MutexGuard, RwLock},
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::AtomicU8,
    sync::{Arc, Mutex, MutexGuard, RwLock},
};

/// A cell whose accesses loom can watch.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Calls `f` with a pointer to write through.
    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// The memory ordering called `$name`. A model can be run with one of them weakened: `SIMURGH_WEAKEN`
/// is its name, or its name and the half of an `AcqRel` that is kept, as in `port.done=Release`.
/// Some model must then fail (`ci/loom`).
macro_rules! order {
    ($name:literal, $order:ident) => {{
        #[cfg(loom)]
        let order = $crate::atomics::weakened($name, std::sync::atomic::Ordering::$order);
        #[cfg(not(loom))]
        let order = std::sync::atomic::Ordering::$order;
        order
    }};
}
pub(crate) use order;

#[cfg(loom)]
#[allow(clippy::disallowed_methods)] // a model has no node, and so no environment but the process's
pub(crate) fn weakened(name: &str, order: std::sync::atomic::Ordering) -> std::sync::atomic::Ordering {
    use std::sync::atomic::Ordering;

    let weaken = std::env::var("SIMURGH_WEAKEN").unwrap_or_default();
    match weaken.strip_prefix(name) {
        Some("") => Ordering::Relaxed,
        Some("=Acquire") => Ordering::Acquire,
        Some("=Release") => Ordering::Release,
        _ => order,
    }
}
