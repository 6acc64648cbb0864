//! A client: reads and writes through majorities, in two rounds each (Attiya, Bar-Noy and Dolev 1995; for many writers,
//! Lynch and Shvartsman 1997).
//!
//! ```text
//!   read    ask a majority what it has; the newest of it goes to a majority, so that no later read finds less
//!   write   ask a majority what it has; a version that is newer than all of that goes to a majority
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;

use super::courier::{Couriers, QUEUE_MAX};
use super::wire::{Answer, Request, Tagged, Version};

/// The time after which a client gives up.
pub(super) const GIVES_UP: Duration = Duration::from_secs(5);
/// A round that takes longer is begun anew by a client with a planted bug.
const IMPATIENT: Duration = Duration::from_millis(700);

/// How an operation ended, but for what it told.
enum Failed {
    /// Nothing was written.
    Nothing,
    /// Something was sent that may be written.
    Unknown,
}

/// How many answers a step of an operation had.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    asked: usize,
    needed: usize,
    counted: usize,
}

/// How many answers the steps of the operation that is under way had.
#[derive(Debug, Default)]
struct Counts {
    /// Of those that are over, the one with the fewest answers; of two that had as many, the later.
    fewest: Option<Count>,
    /// The last one that was given up.
    given_up: Option<Count>,
}

/// How a later version of this code differs, though it mends nothing: what the bank of failing seeds must bear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// One await more in each round.
    pub(super) awaits_more: bool,
    /// The probe of who waits for one more replica is gone.
    pub(super) leaves_probe_out: bool,
}

/// A client of all replicas.
pub(super) struct Client {
    couriers: Couriers,
    counts: Mutex<Counts>,
    change: Change,
}

impl Client {
    pub(super) fn new(replicas: Vec<SocketAddr>, change: Change) -> Self {
        Self { couriers: Couriers::to(replicas), counts: Mutex::default(), change }
    }

    /// Reads a register, and tells of it.
    pub(super) async fn read(&self, key: &str) {
        event!("history.invoke", {}, { op: "read", key: key });
        let read = timeout(GIVES_UP, self.try_read(key)).await;
        let Count { asked, needed, counted } = self.take_count(read.is_ok());
        match read {
            Ok(Some(value)) => {
                event!("history.ok", {}, { value: value, asked: asked, needed: needed, counted: counted });
            }
            Ok(None) => event!("history.ok", {}, { asked: asked, needed: needed, counted: counted }),
            // It changes nothing.
            Err(_) => event!("history.fail", {}, { asked: asked, needed: needed, counted: counted }),
        }
    }

    /// Writes what no other operation writes, and tells of it.
    pub(super) async fn write(&self, key: &str, op: u64) {
        event!("history.invoke", {}, { op: "write", key: key, value: op });
        event!("effect.begun", {}, { key: op });
        let written = self.try_write(key, op).await;
        let Count { asked, needed, counted } = self.take_count(written.is_ok());
        match written {
            Ok(()) => {
                event!("effect.ok", {}, { key: op });
                event!("history.ok", {}, { asked: asked, needed: needed, counted: counted });
            }
            Err(Failed::Unknown) if !planted!("register.late-is-failed") => {
                event!("effect.unknown", {}, { key: op });
                event!("history.info", {}, { asked: asked, needed: needed, counted: counted });
            }
            Err(_) => {
                event!("effect.fail", {}, { key: op });
                event!("history.fail", {}, { asked: asked, needed: needed, counted: counted });
            }
        }
    }

    /// Of the operation that has just ended.
    fn take_count(&self, is_done: bool) -> Count {
        let Counts { fewest, given_up } = std::mem::take(&mut *self.counts.lock());
        if is_done { fewest } else { given_up.or(fewest) }.unwrap_or_default()
    }

    async fn try_read(&self, key: &str) -> Option<u64> {
        let enough = if planted!("register.read-one") { 1 } else { self.majority() };
        let newest = self.newest(key, enough).await;
        if newest.value.is_some() && !planted!("register.no-write-back") && !planted!("register.read-one") {
            self.keep(key, newest, self.majority()).await;
        }
        newest.value
    }

    async fn try_write(&self, key: &str, op: u64) -> Result<(), Failed> {
        let deadline = Instant::now() + GIVES_UP;
        let left = || deadline.saturating_duration_since(Instant::now());
        let enough = if planted!("register.ack-one") { 1 } else { self.majority() };
        let mut is_anew = false;
        loop {
            let newest = timeout(left(), self.newest(key, self.majority())).await.map_err(|_| Failed::Nothing)?;
            let version = Version { time: newest.version.time + 1, op };
            if std::mem::replace(&mut is_anew, true) {
                note!("begins the write of {key} anew, with version {} of {op}", version.time);
            }
            let keep = self.keep(key, Tagged { version, value: Some(op) }, enough);
            let patience = if planted!("register.new-version-on-retry") { IMPATIENT.min(left()) } else { left() };
            match timeout(patience, keep).await {
                Ok(()) => return Ok(()),
                Err(_) if left().is_zero() => return Err(Failed::Unknown),
                Err(_) => {} // only an impatient one has time left
            }
        }
    }

    fn majority(&self) -> usize {
        if planted!("register.waits-for-all") {
            return self.couriers.len();
        }
        let of = if planted!("register.quorum-of-reachable") { self.couriers.reached() } else { self.couriers.len() };
        of / 2 + 1
    }

    /// The newest that as many replicas have.
    async fn newest(&self, key: &str, enough: usize) -> Tagged {
        let answers = self.round(&Request::Get(key.to_owned()), enough).await;
        let has = |answer: Answer| match answer {
            Answer::Has(tagged) => Some(tagged),
            Answer::Kept => None,
        };
        let versions: Vec<Version> = answers.iter().copied().filter_map(has).map(|tagged| tagged.version).collect();
        if versions.windows(2).any(|two| two[0] != two[1]) {
            probe!("register.disagreed");
        }
        answers.into_iter().filter_map(has).max_by_key(|tagged| tagged.version).unwrap_or_default()
    }

    /// Waits until as many replicas keep it.
    async fn keep(&self, key: &str, tagged: Tagged, enough: usize) {
        self.round(&Request::Put(key.to_owned(), tagged), enough).await;
    }

    /// Asks all, and waits for as many.
    async fn round(&self, request: &Request, enough: usize) -> Vec<Answer> {
        let mut round = self.couriers.ask(request);
        if self.change.awaits_more {
            runtime::yield_now().await;
        }
        event!("bound.level", {}, { what: "questions wait for a replica", len: self.couriers.waiting(), max: QUEUE_MAX });
        let mut heard = Vec::new();
        let count = Count { asked: self.couriers.len(), ..Count::default() };
        let mut step = Step { counts: &self.counts, count, is_over: false };
        loop {
            step.count.needed = enough.min(self.majority());
            step.count.counted = heard.len();
            if heard.len() >= step.count.needed {
                step.is_over = true;
                return heard;
            }
            if let Ok(Some((_, answer))) = timeout(50.millis(), round.answers.recv()).await {
                heard.push(answer);
                if heard.len() == 1 && matches!(request, Request::Put(..)) {
                    probe!("register.half-written");
                }
            } else {
                if !self.change.leaves_probe_out {
                    probe!("register.waited");
                }
                if !planted!("register.not-asked-again") {
                    // Whom one reaches may have changed, and who has room.
                    self.couriers.ask_left(&mut round);
                }
            }
        }
    }
}

/// A step of an operation: when it is over, or given up, it is known how many answers it had.
struct Step<'a> {
    counts: &'a Mutex<Counts>,
    count: Count,
    is_over: bool,
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if !self.is_over {
            counts.given_up = Some(self.count);
        } else if counts.fewest.is_none_or(|fewest| self.count.counted <= fewest.counted) {
            counts.fewest = Some(self.count);
        }
    }
}
