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

    /// Calls `f` with a pointer to read through.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer to write through.
    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// The memory ordering called `$name`. A model can be run with one of them weakened to relaxed, by
/// its name in `SIMURGH_WEAKEN`: some model must then fail.
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
pub(crate) fn weakened(name: &str, order: std::sync::atomic::Ordering) -> std::sync::atomic::Ordering {
    static WEAKEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let weaken = WEAKEN.get_or_init(|| std::env::var("SIMURGH_WEAKEN").ok());
    if weaken.as_deref() == Some(name) { std::sync::atomic::Ordering::Relaxed } else { order }
}
