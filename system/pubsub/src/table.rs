//! The subscribers of one topic, for many readers of the whole and writers of single places.
//!
//! ```text
//!   table ──> [ chunk, chunk, .. ] ──> [ entry, free, entry, .. ] at most 64
//!                 shared                    shared
//! ```
//!
//! A reader takes the whole as it is at one moment: one count. A writer changes one chunk; only if a
//! reader still holds it, the chunk is copied first, and so is the list of chunks. So to subscribe and
//! to unsubscribe cost the same however many subscribers there are, and a broadcast holds no lock
//! while it delivers.

use std::sync::Arc;

use simurgh_runtime::planted;

use crate::{Subscriber, SubscriberId};

#[cfg(test)]
mod tests;

/// Places of a chunk: the bits of its map.
const CHUNK: usize = 64;
/// No chunk.
const NONE: u32 = u32::MAX;

/// One subscriber at a topic.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: SubscriberId,
    pub(crate) subscriber: Arc<dyn Subscriber>,
}

/// See the module.
pub(crate) struct Table {
    chunks: Snapshot,
    len: u32,
    /// The first of the chunks with room, each of which names the next.
    roomy: u32,
}

/// All subscribers at one moment.
#[derive(Clone)]
pub(crate) enum Snapshot {
    /// Most topics have few.
    One(Arc<Chunk>),
    Many(Arc<Vec<Arc<Chunk>>>),
}

#[derive(Clone)]
pub(crate) struct Chunk {
    used: u64,
    entries: Vec<Option<Entry>>,
    next_roomy: u32,
}

impl Chunk {
    const EMPTY: Self = Self { used: 0, entries: Vec::new(), next_roomy: NONE };

    fn is_full(&self) -> bool {
        self.used == u64::MAX
    }

    fn insert(&mut self, entry: Entry) -> usize {
        let place = self.used.trailing_ones() as usize;
        debug_assert!(place < CHUNK, "a chunk with room has a place");
        self.used |= 1 << place;
        if place == self.entries.len() {
            if self.entries.is_empty() {
                self.entries.reserve_exact(1);
            }
            self.entries.push(Some(entry));
        } else {
            self.entries[place] = Some(entry);
        }
        place
    }

    fn remove(&mut self, place: usize) -> Option<Entry> {
        self.used &= !(1 << place);
        let entry = self.entries.get_mut(place)?.take();
        if self.used == 0 {
            self.entries = Vec::new();
        }
        entry
    }
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { chunks: Snapshot::One(Arc::new(Chunk::EMPTY)), len: 0, roomy: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Adds an entry; its place stays its own until it is removed.
    pub(crate) fn insert(&mut self, entry: Entry) -> u32 {
        if self.roomy == NONE {
            self.roomy = self.chunks.push(Chunk::EMPTY);
        }
        let at = self.roomy;
        let chunk = self.chunks.get_mut(at);
        let place = chunk.insert(entry);
        if chunk.is_full() {
            self.roomy = std::mem::replace(&mut chunk.next_roomy, NONE);
        }
        self.len += 1;
        at * CHUNK as u32 + place as u32
    }

    /// Takes an entry out, if it still stands there: to be dropped by the caller, after the lock.
    pub(crate) fn remove(&mut self, slot: u32, id: SubscriberId) -> Option<Entry> {
        let (at, place) = (slot / CHUNK as u32, slot as usize % CHUNK);
        self.chunks
            .get(at)?
            .entries
            .get(place)?
            .as_ref()
            .filter(|entry| entry.id == id || planted!("pubsub.place-not-asked"))?;
        let chunk = self.chunks.get_mut(at);
        if chunk.is_full() {
            chunk.next_roomy = std::mem::replace(&mut self.roomy, at);
        }
        self.len -= 1;
        chunk.remove(place)
    }

    /// All that are here now.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.chunks.clone()
    }
}

impl Snapshot {
    fn chunks(&self) -> &[Arc<Chunk>] {
        match self {
            Self::One(chunk) => std::slice::from_ref(chunk),
            Self::Many(chunks) => chunks,
        }
    }

    fn get(&self, at: u32) -> Option<&Chunk> {
        self.chunks().get(at as usize).map(|chunk| &**chunk)
    }

    fn get_mut(&mut self, at: u32) -> &mut Chunk {
        match self {
            Self::One(chunk) => Arc::make_mut(chunk),
            Self::Many(chunks) => Arc::make_mut(&mut Arc::make_mut(chunks)[at as usize]),
        }
    }

    fn push(&mut self, chunk: Chunk) -> u32 {
        let chunk = Arc::new(chunk);
        match self {
            Self::One(first) => {
                *self = Self::Many(Arc::new(vec![Arc::clone(first), chunk]));
                1
            }
            Self::Many(chunks) => {
                let chunks = Arc::make_mut(chunks);
                chunks.push(chunk);
                chunks.len() as u32 - 1
            }
        }
    }

    /// The entries, each with its place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.chunks().iter().enumerate().flat_map(|(at, chunk)| {
            let first = at as u32 * CHUNK as u32;
            chunk
                .entries
                .iter()
                .enumerate()
                .filter_map(move |(place, entry)| Some((first + place as u32, entry.as_ref()?)))
        })
    }
}
