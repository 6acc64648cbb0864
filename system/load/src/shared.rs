//! What all clients of a run count together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;

use crate::client::Failure;
use crate::{Histogram, Options};

/// Different failures that are told apart.
const FAILURES_MAX: usize = 16;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) latencies: Mutex<Histogram>,
    failures: Mutex<BTreeMap<String, u64>>,
    pub(crate) ready: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Whether all has been sent.
    pub(crate) is_sent: AtomicBool,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            latencies: Mutex::new(Histogram::default()),
            failures: Mutex::new(BTreeMap::new()),
            ready: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            is_sent: AtomicBool::new(false),
        }
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Something that was to be done at `intended` is done.
    pub(crate) fn done(&self, intended: Instant) {
        Self::count(&self.received);
        self.latencies.lock().record(Instant::now().saturating_duration_since(intended));
    }

    pub(crate) fn fail(&self, failure: &Failure) {
        Self::count(&self.failed);
        let mut failures = self.failures.lock();
        let mut why = failure.to_string();
        if failures.len() >= FAILURES_MAX && !failures.contains_key(&why) {
            "others".clone_into(&mut why);
        }
        *failures.entry(why).or_default() += 1;
    }

    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        self.failures.lock().clone()
    }
}
