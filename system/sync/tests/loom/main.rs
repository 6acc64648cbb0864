//! Models of the cells: every interleaving of a few threads, every value that a weak load may see,
//! every wake-up that comes for nothing, within a bound of preemptions (3 unless
//! `LOOM_MAX_PREEMPTIONS` says otherwise). `ci/loom` builds and runs them, and runs them again with
//! each memory ordering weakened.
//!
//! A model panics on a wrong result, on a cell that two threads touch without an order between
//! them, on a wake-up that never comes (loom calls it a deadlock), and on anything leaked. It also
//! has to reach every outcome that it names: a race that never happens proves nothing.

#![cfg(loom)]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // figures for `ci/loom`
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // the machine's clock: what the models cost

mod mailbox;
mod port;
mod shards;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use loom::alloc::Track;
use loom::future::block_on;

/// Runs a model: `threads` has how many operations each thread does, the first of them being the
/// test's own. The model returns how it came out, and must come out in every way of `outcomes`.
fn model(threads: &[usize], outcomes: &[&str], run: impl Fn() -> &'static str + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    let preemptions = builder.preemption_bound.unwrap_or_default();
    // The standard library's: loom does not see them.
    let seen = Arc::new(std::sync::Mutex::new((0_u64, BTreeSet::new())));
    let began = Instant::now();
    builder.check({
        let seen = Arc::clone(&seen);
        move || {
            let outcome = run();
            let mut seen = seen.lock().expect("no model panics here");
            seen.0 += 1;
            seen.1.insert(outcome);
        }
    });
    let (interleavings, reached) = &*seen.lock().expect("no model panicked here");
    let operations: Vec<String> = threads.iter().map(ToString::to_string).collect();
    println!(
        "\nmodel: {} threads, {} operations, {preemptions} preemptions, {interleavings} interleavings, {} outcomes, {:.2} s",
        threads.len(),
        operations.join("+"),
        reached.len(),
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(*reached, outcomes.iter().copied().collect(), "the outcomes reached are not those named");
}

/// A value that is counted when it is dropped, and missed by loom if it never is.
#[derive(Debug)]
struct Value {
    number: u32,
    drops: Arc<AtomicUsize>,
    _track: Track<()>,
}

impl Value {
    /// Values of these numbers, and the count of those that were dropped.
    fn several<const N: usize>(numbers: [u32; N]) -> ([Self; N], Arc<AtomicUsize>) {
        let drops = Arc::new(AtomicUsize::new(0));
        let value = |number| Self { number, drops: Arc::clone(&drops), _track: Track::new(()) };
        (numbers.map(value), drops)
    }

    fn one() -> (Self, Arc<AtomicUsize>) {
        let ([value], drops) = Self::several([1]);
        (value, drops)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

/// A waker that remembers whether it was woken, and is missed by loom if it is never dropped.
struct Flag {
    woken: AtomicUsize,
    _track: Track<()>,
}

impl Flag {
    fn new() -> Arc<Self> {
        Arc::new(Self { woken: AtomicUsize::new(0), _track: Track::new(()) })
    }

    fn is_woken(&self) -> bool {
        self.woken.load(Relaxed) > 0
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Relaxed);
    }
}

/// Polls once, with a waker of its own.
fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Waits for a future, and says whether it had to.
fn wait<F: Future + Unpin>(future: &mut F) -> (F::Output, bool) {
    let mut waited = false;
    let out = block_on(poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut *future).poll(cx);
        waited |= polled.is_pending();
        polled
    }));
    (out, waited)
}
