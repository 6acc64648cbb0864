//! The real-time watchdog: which task is being polled, and since when, seen from another thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use simurgh_runtime::Headed;

/// What the watching thread sees of a run.
#[derive(Default)]
pub(crate) struct Watch {
    /// Counts up at the begin and at the end of each poll: odd while a poll lasts.
    polls: AtomicU64,
    slot: AtomicU64,
    tasks: Mutex<BTreeMap<u32, Arc<dyn Headed>>>,
}

impl Watch {
    pub(crate) fn add(&self, slot: u32, headed: Arc<dyn Headed>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, headed);
    }

    pub(crate) fn remove(&self, slot: u32) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&slot);
    }

    /// A poll of the task in `slot` begins.
    #[inline]
    pub(crate) fn begin(&self, slot: u32) {
        self.slot.store(u64::from(slot), Ordering::Relaxed);
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// It has ended.
    #[inline]
    pub(crate) fn end(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// The number of the poll that lasts, if one does.
    pub(crate) fn polling(&self) -> Option<u64> {
        Some(self.polls.load(Ordering::Acquire)).filter(|polls| polls % 2 == 1)
    }

    /// The task in the slot being polled, in words.
    pub(crate) fn describe(&self) -> String {
        let slot = self.slot.load(Ordering::Relaxed) as u32;
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.get(&slot).map_or_else(|| "a task".to_owned(), |headed| crate::engine::describe(headed.header()))
    }
}
