//! Who hears of each change in a registry.
//!
//! A change is noted under the lock of its key, so that the queue has the order of what happened, and
//! told when no lock is held: by whoever comes first, one at a time, so that the order stays.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use simurgh_runtime::PanicReport;
use simurgh_runtime::sync::Mutex;
use simurgh_telemetry::event;

use crate::{CastError, Pid, Server, ServerRef};

/// What happened in a registry: see [`Registry::listen`](crate::Registry::listen).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<K, V> {
    /// A process was registered.
    Registered {
        /// By which key.
        key: K,
        /// Which.
        pid: Pid,
        /// What stands beside it.
        value: V,
    },
    /// An entry was removed, also by the end of its process.
    Unregistered {
        /// Of which key.
        key: K,
        /// Of which process.
        pid: Pid,
    },
}

/// Names a listener of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerRef(u64);

/// Hears of a change; false if it wants no more.
type Listener<K, V> = dyn Fn(&Change<K, V>) -> bool + Send + Sync;

type List<K, V> = Vec<(ListenerRef, Arc<Listener<K, V>>)>;

struct State<K, V> {
    /// Replaced as a whole, so that no lock is held while they run.
    list: Arc<List<K, V>>,
    next: u64,
    queue: VecDeque<Change<K, V>>,
    delivering: bool,
}

/// Made when the first listener comes: most registries have none.
pub(super) struct Listeners<K, V>(OnceLock<Mutex<State<K, V>>>);

impl<K, V> Default for Listeners<K, V> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<K, V> Listeners<K, V> {
    pub(super) fn add(&self, listener: impl Fn(&Change<K, V>) -> bool + Send + Sync + 'static) -> ListenerRef {
        let first = || Mutex::new(State { list: Arc::default(), next: 0, queue: VecDeque::new(), delivering: false });
        let mut state = self.0.get_or_init(first).lock();
        state.next += 1;
        let added = ListenerRef(state.next);
        Arc::make_mut(&mut state.list).push((added, Arc::new(listener)));
        added
    }

    pub(super) fn remove(&self, listener: ListenerRef) -> bool {
        let Some(state) = self.0.get() else { return false };
        let mut state = state.lock();
        let kept: Vec<_> = state.list.iter().filter(|(known, _)| *known != listener).cloned().collect();
        let found = kept.len() < state.list.len();
        // What a listener owns may come back here when it is dropped: not under the lock.
        let before = std::mem::replace(&mut state.list, Arc::new(kept));
        drop(state);
        drop(before);
        found
    }

    /// A change, under the lock of its key.
    pub(super) fn note(&self, change: impl FnOnce() -> Change<K, V>) {
        if let Some(state) = self.0.get() {
            let mut state = state.lock();
            if !state.list.is_empty() {
                state.queue.push_back(change());
            }
        }
    }

    /// Tells what was noted, under no lock. If somebody does already, it will tell also this.
    pub(super) fn deliver(&self) {
        let Some(state) = self.0.get() else { return };
        if std::mem::replace(&mut state.lock().delivering, true) {
            return;
        }
        loop {
            let (change, list) = {
                let mut state = state.lock();
                let Some(change) = state.queue.pop_front() else {
                    state.delivering = false;
                    return;
                };
                (change, Arc::clone(&state.list))
            };
            for (name, listener) in &*list {
                match catch_unwind(AssertUnwindSafe(|| listener(&change))) {
                    Ok(true) => {}
                    Ok(false) => drop(self.remove(*name)),
                    Err(payload) => {
                        self.remove(*name);
                        let report = PanicReport::from_payload(payload);
                        tracing::error!("a listener of a registry panicked and was removed: {report}");
                    }
                }
            }
        }
    }
}

/// Sends a change to a server; false if it has ended.
pub(super) fn send<S: Server>(registry: &str, server: &ServerRef<S>, message: S::Message) -> bool {
    match server.try_cast(message) {
        Ok(()) => true,
        Err(CastError::Full { pid, .. }) => {
            event!("otp.registry.listener_full", { count: 1 }, { registry: registry, process: pid.number() });
            tracing::warn!(registry, %pid, "a listener's mailbox is full: it misses a change of the registry");
            true
        }
        Err(_) => false,
    }
}
