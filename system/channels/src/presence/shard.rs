//! One shard of a node's presences, under a lock: the tracker, what is to be told of it, who is watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use simurgh_otp::Pid;
use simurgh_runtime::collections::HashMap;

use super::{Change, Ref, Tracker};

/// What stands under the lock of a shard.
pub(super) struct Shard {
    pub(super) tracker: Tracker,
    /// The processes of which the end is awaited, or soon will be, by their numbers.
    pub(super) watched: HashMap<u64, Pid>,
    /// Those whose end is not awaited yet.
    pub(super) to_watch: Vec<Pid>,
    /// What is to be told, in order.
    pub(super) outbox: Vec<Change>,
    /// Whether somebody is telling: there is one at a time, so that the order stays.
    pub(super) is_telling: bool,
    pub(super) hot: Hot,
    /// Whether there is a process that works for this shard.
    pub(super) has_worker: bool,
    /// When that process will look by itself.
    pub(super) wakes_at: Option<Duration>,
    /// Whether the others were told that this replica has ended.
    pub(super) is_over: bool,
    refs: u16,
    ref_hash: u64,
}

impl Shard {
    pub(super) fn new(tracker: Tracker, random: u64) -> Self {
        Self {
            tracker,
            watched: HashMap::default(),
            to_watch: Vec::new(),
            outbox: Vec::new(),
            is_telling: false,
            hot: Hot::default(),
            has_worker: false,
            wakes_at: None,
            is_over: false,
            refs: random as u16,
            ref_hash: random,
        }
    }

    /// A ref that no other presence has.
    pub(super) fn next_ref(&mut self, wall_ns: i64, pid: Pid) -> Ref {
        self.refs = self.refs.wrapping_add(1);
        let process = (pid.number() ^ self.ref_hash).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
        Ref::new(wall_ns.max(0) as u64, process as u16, self.refs)
    }

    /// Sees to it that a process's end is noticed.
    pub(super) fn watch(&mut self, pid: Pid) {
        if self.watched.insert(pid.number(), pid).is_none() {
            self.to_watch.push(pid);
        }
    }

    /// How many changes wait.
    pub(super) fn pending(&self) -> usize {
        self.outbox.len() + self.hot.held.len()
    }

    /// Puts changes where they wait to be told: those of a topic that changes too often for a while longer.
    pub(super) fn tell(&mut self, now: Duration, changes: impl IntoIterator<Item = Change>, limits: HotLimits) {
        for change in changes {
            if self.has_worker && self.hot.is_hot(now, &change.item.topic, limits) {
                self.hot.hold(change);
                self.hot.due.get_or_insert(now + limits.period);
            } else {
                self.outbox.push(change);
            }
        }
    }

    /// Lets out what was held back, if it is time.
    pub(super) fn release(&mut self, now: Duration) {
        if self.hot.due.is_some_and(|due| now >= due) {
            self.hot.due = None;
            self.hot.holding.clear();
            self.outbox.append(&mut self.hot.held);
        }
    }

    /// When the worker has to look next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        [self.tracker.deadline(), self.hot.due].into_iter().flatten().min()
    }
}

/// From when on, and for how long, the changes of a topic are gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct HotLimits {
    pub(super) changes_per_second: u32,
    pub(super) period: Duration,
}

/// The topics that change so often that a diff for each change would be too many.
#[derive(Default)]
pub(super) struct Hot {
    second: u64,
    /// Changes of this second by topic.
    counts: HashMap<Arc<str>, u32>,
    /// The topics that had too many in the last second.
    before: BTreeSet<Arc<str>>,
    held: Vec<Change>,
    /// The topics of those that are held.
    holding: BTreeSet<Arc<str>>,
    due: Option<Duration>,
}

impl Hot {
    fn is_hot(&mut self, now: Duration, topic: &Arc<str>, limits: HotLimits) -> bool {
        if now.as_secs() != self.second {
            let counts = std::mem::take(&mut self.counts).into_iter();
            let is_next = now.as_secs() == self.second + 1;
            let hot = counts.filter(|(_, count)| is_next && *count > limits.changes_per_second);
            self.before = hot.map(|(topic, _)| topic).collect();
            self.second = now.as_secs();
        }
        let count = match self.counts.get_mut(topic) {
            Some(count) => count,
            None => self.counts.entry(Arc::clone(topic)).or_default(),
        };
        *count = count.saturating_add(1);
        // Order: as long as some are held, those that follow are held with them.
        let is_over = *count > limits.changes_per_second || self.before.contains(topic);
        is_over || self.holding.contains(topic)
    }

    fn hold(&mut self, change: Change) {
        if !self.holding.contains(&change.item.topic) {
            self.holding.insert(Arc::clone(&change.item.topic));
        }
        self.held.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tracker_for_tests;
    use super::super::{Item, Meta};
    use super::*;

    fn change(topic: &str) -> Change {
        let meta = Meta::new(&(), Ref::new(0, 0, 0), None, 4096).unwrap();
        Change::join(Arc::new(Item { topic: topic.into(), key: "k".into(), owner: 0, meta }))
    }

    #[test]
    fn a_topic_that_changes_too_often_is_told_in_batches_and_the_others_at_once() {
        let limits = HotLimits { changes_per_second: 10, period: Duration::from_millis(100) };
        let mut shard = Shard::new(tracker_for_tests("a"), 1);
        shard.has_worker = true;
        let ms = Duration::from_millis;
        let mut check = |at: u64, topic: &str, times: usize, told: usize, held: usize| {
            shard.release(ms(at));
            shard.tell(ms(at), (0..times).map(|_| change(topic)), limits);
            assert_eq!((std::mem::take(&mut shard.outbox).len(), shard.pending()), (told, held), "{at} ms");
        };
        check(0, "big", 15, 10, 5);
        check(10, "small", 3, 3, 5);
        check(50, "big", 1, 0, 6);
        check(100, "big", 1, 6, 1);
        check(1_000, "big", 1, 1, 1);
        check(1_100, "big", 0, 1, 0);
        check(2_000, "big", 3, 3, 0);
    }
}
