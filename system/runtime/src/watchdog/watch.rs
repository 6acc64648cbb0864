//! What a node's watchdog knows: its threads, and those among them that are held.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::{Duration, Instant};

use super::tracker::{Key, Step, Tracker};
use super::{Settings, Stuck};
use crate::header::{Header, Inspection, Place};
use crate::sync::Mutex;
use crate::{Node, node::Slot};

type Handler = Arc<dyn Fn(&Stuck) + Send + Sync>;

/// What a node's watchdog knows.
#[derive(Default)]
pub(crate) struct Watch {
    threads: Mutex<Vec<Thread>>,
    handler: Mutex<Option<Handler>>,
    reported: AtomicU64,
    is_over: Mutex<bool>,
    over: Condvar,
}

/// A thread that polls tasks.
struct Thread {
    place: Place,
    name: String,
    tracker: Tracker,
    /// What was reported of the poll that goes on.
    told: Option<Stuck>,
}

impl Watch {
    /// That of `node`.
    pub(crate) fn of(node: &Node) -> &Arc<Self> {
        node.slot(Slot::Watchdog, Arc::default)
    }

    /// Watches this thread until the guard is dropped, on this thread.
    pub(crate) fn watch_this_thread(self: &Arc<Self>) -> Watched {
        let place = Place::of_this_thread();
        let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
        self.threads.lock().push(Thread { place, name, tracker: Tracker::default(), told: None });
        Watched { watch: Arc::clone(self), place, stays_here: PhantomData }
    }

    /// Watches this thread until it ends. Tied to the thread itself, by a thread-local with a
    /// destructor: a hook of tokio's would be missed by a thread that ends by a panic.
    pub(crate) fn watch_this_thread_to_its_end(self: &Arc<Self>) {
        thread_local! {
            static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
        }
        let watched = self.watch_this_thread();
        WATCHED.with_borrow_mut(|slot| *slot = Some(watched));
    }

    /// Looks at all threads once, and tells what is new.
    pub(super) fn tick(&self, now: Instant, patience: u32) -> Vec<Stuck> {
        let mut news = Vec::new();
        let mut threads = self.threads.lock();
        let inspection = Inspection::begin();
        for thread in &mut *threads {
            // SAFETY: a thread takes its entry out before it ends (`Watched`), for which it needs
            // the lock that is held here.
            #[allow(unsafe_code)]
            let header = unsafe { inspection.header_at(thread.place) };
            header.inspect(|header| header.sample());
            let header = header.filter(|header| !header.may_hold());
            let key = header.map(|header| Key { task: header.number(), polls: header.polls() });
            match (thread.tracker.tick(key, now, patience), header) {
                (Step::Late(seen_for), Some(header)) => {
                    let stuck = Stuck::new(header, &thread.name, seen_for);
                    news.push(stuck.clone());
                    thread.told = Some(stuck);
                }
                (Step::Returned(lasted), _) => news.extend(thread.told.take().map(|stuck| stuck.returned(lasted))),
                (Step::Nothing | Step::Late(_), _) => {}
            }
        }
        drop(inspection);
        drop(threads);
        let begun = news.iter().filter(|stuck| !stuck.has_returned).count();
        self.reported.fetch_add(begun as u64, Ordering::Relaxed);
        news
    }

    /// What is held now, as of the last tick.
    pub(super) fn stuck(&self) -> Vec<Stuck> {
        let now = Instant::now();
        let threads = self.threads.lock();
        let stuck = |thread: &Thread| {
            let told = thread.told.clone()?;
            Some(Stuck { for_ms: thread.tracker.seen_for(now).as_millis() as u64, ..told })
        };
        threads.iter().filter_map(stuck).collect()
    }

    pub(super) fn reported(&self) -> u64 {
        self.reported.load(Ordering::Relaxed)
    }

    pub(super) fn set_handler(&self, handler: Handler) {
        let before = self.handler.lock().replace(handler);
        drop(before); // Outside of the lock: it is somebody else's code.
    }

    /// Sets a handler if there is none.
    pub(super) fn set_default_handler(&self, handler: Handler) {
        self.handler.lock().get_or_insert(handler);
    }

    pub(super) fn handler(&self) -> Option<Handler> {
        self.handler.lock().clone()
    }

    /// Waits for the next tick; false if there will be none.
    pub(super) fn wait(&self, tick: Duration) -> bool {
        let is_over = self.is_over.lock();
        let waited = self.over.wait_timeout_while(is_over, tick, |is_over| !*is_over);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// No more ticks.
    pub(super) fn end(&self) {
        *self.is_over.lock() = true;
        self.over.notify_all();
    }
}

/// The time in which a thread is watched. It cannot leave that thread, and so ends before it.
pub(crate) struct Watched {
    watch: Arc<Watch>,
    place: Place,
    stays_here: PhantomData<*const ()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut threads = self.watch.threads.lock();
        threads.retain(|thread| thread.place != self.place);
    }
}

impl Stuck {
    fn new(header: &Header, thread: &str, seen_for: Duration) -> Self {
        Self {
            node: header.node().id(),
            incarnation: header.node().incarnation(),
            task: header.number(),
            label: header.label(),
            polls: header.polls(),
            thread: thread.to_owned(),
            for_ms: seen_for.as_millis() as u64,
            has_returned: false,
        }
    }

    fn returned(self, lasted: Duration) -> Self {
        Self { for_ms: lasted.as_millis() as u64, has_returned: true, ..self }
    }
}

impl Settings {
    /// How many ticks must find a poll again to make it late.
    pub(super) fn patience(&self) -> u32 {
        let ticks = self.late.as_nanos().div_ceil(self.tick.as_nanos().max(1));
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}
