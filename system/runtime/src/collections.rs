//! Maps and sets whose order is a function of the seed in the simulator, and which resist chosen
//! keys in production: SipHash-1-3 with two random keys for each map.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// A hash map; make it with `default()`.
pub type HashMap<K, V> = std::collections::HashMap<K, V, SeededState>;

/// A hash set; make it with `default()`.
pub type HashSet<T> = std::collections::HashSet<T, SeededState>;

/// The keys of one map.
#[derive(Debug, Clone, Copy)]
pub struct SeededState {
    keys: (u64, u64),
}

impl Default for SeededState {
    fn default() -> Self {
        let mut bytes = [0; 16];
        crate::random::fill(&mut bytes);
        let number = u128::from_le_bytes(bytes);
        Self { keys: (number as u64, (number >> 64) as u64) }
    }
}

impl BuildHasher for SeededState {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_finds_what_it_holds_and_no_two_maps_hash_alike() {
        let map: HashMap<u32, u32> = (0..100).map(|n| (n, n * n)).collect();
        assert!((0..100).all(|n| map.get(&n) == Some(&(n * n))));
        assert_ne!(SeededState::default().hash_one(1), SeededState::default().hash_one(1));
    }
}
