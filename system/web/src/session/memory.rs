//! Sessions in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Instant;
use simurgh_runtime::collections::HashMap;
use simurgh_runtime::sync::Mutex;
use simurgh_telemetry::event;

use super::store::{SessionId, SessionStore, StoreError};

/// Sessions in one [`MemoryStore`], if not said otherwise.
pub const MEMORY_SESSIONS_MAX: usize = 16_384;

/// Keeps sessions in memory: they are gone when the program ends, and other nodes do not see them.
///
/// It has a bound, [`MEMORY_SESSIONS_MAX`] if not said otherwise. At the bound the session that was not used
/// for longest makes room; that is counted ([`evicted`](Self::evicted)), and told as
/// `web.session.evicted`. Cheap to clone; the clones are the same store.
///
/// ```
/// use simurgh_web::{Keys, MemoryStore, Sessions};
///
/// let store = MemoryStore::bounded(1_000);
/// let sessions = Sessions::stored(Keys::random(), store.clone());
/// assert!(store.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    max: usize,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    kept: HashMap<SessionId, Kept>,
    /// By when they were used last.
    by_use: BTreeMap<u64, SessionId>,
    uses: u64,
    evicted: u64,
}

struct Kept {
    data: Vec<u8>,
    until: Instant,
    used: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store of [`MEMORY_SESSIONS_MAX`] sessions at most.
    pub fn new() -> Self {
        Self::bounded(MEMORY_SESSIONS_MAX)
    }

    /// A store of `max` sessions at most.
    ///
    /// # Panics
    /// If it is to keep none.
    pub fn bounded(max: usize) -> Self {
        assert!(max > 0, "a store keeps one session at least");
        Self { max, inner: Arc::default() }
    }

    /// How many it keeps, those that are too old and were not looked at since among them.
    pub fn len(&self) -> usize {
        self.inner.lock().kept.len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many had to make room before they were too old.
    pub fn evicted(&self) -> u64 {
        self.inner.lock().evicted
    }
}

impl SessionStore for MemoryStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.inner.lock().fresh(id).map(|kept| kept.data.clone()))
    }

    async fn put(&self, id: &SessionId, data: Vec<u8>, ttl: Duration) -> Result<(), StoreError> {
        self.inner.lock().put(*id, data, ttl, self.max);
        Ok(())
    }

    async fn replace(&self, id: &SessionId, data: Vec<u8>, ttl: Duration) -> Result<bool, StoreError> {
        let mut inner = self.inner.lock();
        let is_there = inner.fresh(id).is_some();
        if is_there {
            inner.put(*id, data, ttl, self.max);
        }
        Ok(is_there)
    }

    async fn delete(&self, id: &SessionId) -> Result<(), StoreError> {
        self.inner.lock().remove(id);
        Ok(())
    }
}

impl Inner {
    /// What is there and not too old; it is used by this.
    fn fresh(&mut self, id: &SessionId) -> Option<&Kept> {
        if self.kept.get(id)?.until <= Instant::now() {
            self.remove(id);
            return None;
        }
        self.uses += 1;
        let kept = self.kept.get_mut(id)?;
        self.by_use.remove(&kept.used);
        kept.used = self.uses;
        self.by_use.insert(kept.used, *id);
        Some(kept)
    }

    fn put(&mut self, id: SessionId, data: Vec<u8>, ttl: Duration, max: usize) {
        self.remove(&id);
        while self.kept.len() >= max {
            self.evict();
        }
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.kept.insert(id, Kept { data, until: Instant::now() + ttl, used: self.uses });
    }

    fn remove(&mut self, id: &SessionId) -> Option<Kept> {
        let kept = self.kept.remove(id)?;
        self.by_use.remove(&kept.used);
        Some(kept)
    }

    fn evict(&mut self) {
        let Some((_, id)) = self.by_use.pop_first() else { return };
        if self.kept.remove(&id).is_some_and(|kept| kept.until > Instant::now()) {
            self.evicted += 1;
            event!("web.session.evicted", { evicted: self.evicted });
        }
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} of {})", self.len(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list in the order of use.
        #[test]
        fn it_keeps_what_was_used_last(steps in proptest::collection::vec((0..4u8, 0..6usize), 0..60)) {
            let (store, ids): (_, [SessionId; 6]) = (MemoryStore::bounded(3), std::array::from_fn(|_| SessionId::random()));
            let (mut model, mut evicted): (Vec<usize>, u64) = (Vec::new(), 0);
            for (step, which) in steps {
                let was_there = model.contains(&which);
                let mut inner = store.inner.lock();
                match step {
                    0 => {
                        inner.put(ids[which], Vec::new(), Duration::from_hours(1), store.max);
                        evicted += u64::from(!was_there && model.len() == 3);
                    }
                    1 | 2 => prop_assert_eq!(inner.fresh(&ids[which]).is_some(), was_there),
                    _ => drop(inner.remove(&ids[which])),
                }
                model.retain(|known| *known != which);
                if step == 0 || (step < 3 && was_there) {
                    model.push(which);
                }
                let excess = model.len().saturating_sub(3);
                model.drain(..excess);
                prop_assert_eq!((inner.kept.len(), inner.by_use.len()), (model.len(), model.len()));
                prop_assert!(inner.by_use.values().eq(model.iter().map(|which| &ids[*which])));
                prop_assert_eq!(inner.evicted, evicted);
            }
        }
    }

    #[test]
    fn the_session_that_was_not_used_for_longest_makes_room() {
        simurgh_runtime::run("test", async {
            let store = MemoryStore::bounded(2);
            let ids: [SessionId; 3] = std::array::from_fn(|_| SessionId::random());
            let hour = Duration::from_hours(1);
            store.put(&ids[0], vec![0], hour).await.unwrap();
            store.put(&ids[1], vec![1], hour).await.unwrap();
            store.get(&ids[0]).await.unwrap();
            store.put(&ids[2], vec![2], hour).await.unwrap();
            let mut there = Vec::new();
            for id in &ids {
                there.push(store.get(id).await.unwrap().is_some());
            }
            assert_eq!((there, store.len(), store.evicted()), (vec![true, false, true], 2, 1));
            // what is too old anyway is no loss
            store.put(&ids[0], vec![0], Duration::ZERO).await.unwrap();
            store.get(&ids[2]).await.unwrap();
            store.put(&ids[1], vec![1], hour).await.unwrap();
            assert_eq!((store.len(), store.evicted()), (2, 1));
        });
    }
}
