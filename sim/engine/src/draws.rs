//! Named random draws: one root seed, and a `ChaCha` stream for each (purpose, entity).
//!
//! A draw is keyed by what it is for and whom it concerns, and numbered within that key. Dropping
//! one fault or one client therefore shifts no other draw, which is what makes a failure shrinkable.

use crate::chacha::ChaCha8;

/// What a draw is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// How many of what, and which faults may happen at all.
    Topology = 1,
    /// Which task goes next, and where a poll is cut short.
    Schedule,
    /// Latency, loss, sizes of reads and writes.
    Net,
    /// Disk faults.
    Disk,
    /// Clock faults.
    Clock,
    /// When a fault strikes, and whom.
    Faults,
    /// What the test's clients do.
    Workload,
    /// Whether a `buggify!` site fires.
    Buggify,
    /// What the code under test draws for itself.
    User,
    /// What libc's entropy functions return.
    Entropy,
}

/// The draws of one run.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    seed: u64,
}

/// The draws for one purpose and entity, in order.
#[derive(Debug, Clone)]
pub struct Stream {
    rng: ChaCha8,
    count: u64,
}

impl Draws {
    /// All draws of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream for `purpose` and `entity`, from its beginning.
    pub fn stream(&self, purpose: Purpose, entity: u64) -> Stream {
        Stream { rng: ChaCha8::new(self.seed, purpose as u8, entity), count: 0 }
    }
}

impl Draws {
    /// The stream for `purpose` and the entity of this name: stable, whatever else exists.
    pub fn named(&self, purpose: Purpose, name: &str) -> Stream {
        self.stream(purpose, entity(name))
    }
}

impl Stream {
    /// Any number.
    #[inline]
    pub fn u64(&mut self) -> u64 {
        self.count += 1;
        self.rng.next_u64()
    }

    /// A number below `bound` (0 for a bound of 0). The bias is below 2^-32 for bounds below 2^32.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high, "{low}..={high} is empty");
        low + self.below(high - low + 1)
    }

    /// A number from 0 up to and without 1.
    pub fn unit(&mut self) -> f64 {
        (self.u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with the given probability; draws nothing for 0.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.count += 1;
        self.rng.fill_bytes(bytes);
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }

    /// How many draws were made.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// The number of an entity that has a name: stable, whatever else exists.
pub(crate) fn entity(name: &str) -> u64 {
    crate::trace::digest(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        let draws = Draws::new(7);
        let mut alone = draws.stream(Purpose::Net, 3);
        let expected: Vec<u64> = (0..100).map(|_| alone.u64()).collect();
        let (mut one, mut other) = (draws.stream(Purpose::Net, 3), draws.stream(Purpose::Net, 4));
        for wanted in expected {
            other.u64();
            assert_eq!(one.u64(), wanted);
        }
        assert_ne!(draws.stream(Purpose::Net, 3).u64(), draws.stream(Purpose::Disk, 3).u64());
        assert_ne!(draws.stream(Purpose::Net, 3).u64(), Draws::new(8).stream(Purpose::Net, 3).u64());
    }

    #[test]
    fn bounds_hold() {
        let mut stream = Draws::new(1).stream(Purpose::User, 0);
        assert_eq!(stream.below(0), 0);
        assert!((0..1000).all(|_| stream.below(3) < 3));
        assert!((0..1000).all(|_| (5..=6).contains(&stream.between(5, 6))));
        assert!(!stream.chance(0.0));
        assert!(stream.chance(1.0));
        assert_eq!(stream.pick::<u8>(&[]), None);
    }
}
