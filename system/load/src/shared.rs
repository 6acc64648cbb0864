//! What all clients of a run count together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

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
    cuts: Mutex<Cuts>,
    pub(crate) ready: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// When the last of them came, by the clock on the wall, in milliseconds.
    pub(crate) last_at_ms: AtomicU64,
    /// Whether all has been sent.
    pub(crate) is_sent: AtomicBool,
}

/// Connections that the server has cut.
#[derive(Default)]
struct Cuts {
    by_reason: BTreeMap<String, u64>,
    between: Option<(Instant, Instant)>,
}

fn count_by_reason(counts: &mut BTreeMap<String, u64>, failure: &Failure) {
    let mut why = failure.to_string();
    if counts.len() >= FAILURES_MAX && !counts.contains_key(&why) {
        "others".clone_into(&mut why);
    }
    *counts.entry(why).or_default() += 1;
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            latencies: Mutex::new(Histogram::default()),
            failures: Mutex::new(BTreeMap::new()),
            cuts: Mutex::new(Cuts::default()),
            ready: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            last_at_ms: AtomicU64::new(0),
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
        let now_ms = Timestamp::now().as_nanos() / 1_000_000;
        self.last_at_ms.fetch_max(now_ms.unsigned_abs(), Ordering::Relaxed);
        self.latencies.lock().record(Instant::now().saturating_duration_since(intended));
    }

    pub(crate) fn fail(&self, failure: &Failure) {
        Self::count(&self.failed);
        count_by_reason(&mut self.failures.lock(), failure);
    }

    /// A server has cut a connection that it was to cut.
    pub(crate) fn cut(&self, how: &Failure, at: Instant) {
        let mut cuts = self.cuts.lock();
        count_by_reason(&mut cuts.by_reason, how);
        let (first, last) = cuts.between.unwrap_or((at, at));
        cuts.between = Some((first.min(at), last.max(at)));
    }

    /// How connections were cut, and how long it was from the first to the last.
    pub(crate) fn cuts(&self) -> (BTreeMap<String, u64>, Option<Duration>) {
        let cuts = self.cuts.lock();
        (cuts.by_reason.clone(), cuts.between.map(|(first, last)| last.saturating_duration_since(first)))
    }

    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        self.failures.lock().clone()
    }
}
