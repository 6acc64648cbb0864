//! Randomness: from the operating system in production, a function of the seed in the simulator.
//!
//! Fit for secrets in production: the generator is rand's, a `ChaCha` stream that the operating
//! system seeds.

use std::ops::Range;

use rand::Rng;

use crate::sim;

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) {
    if sim::world(|world| world.fill_random(bytes)).is_none() {
        rand::rng().fill_bytes(bytes);
    }
}

/// Any number.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// assert_ne!(simurgh_runtime::random::u64(), simurgh_runtime::random::u64());
/// # });
/// ```
pub fn u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A number in `range`, each as likely as the other; its start if the range is empty.
pub fn range(range: Range<u64>) -> u64 {
    let width = range.end.saturating_sub(range.start);
    if width == 0 {
        return range.start;
    }
    // Lemire's method: the high half of the product is a number below `width`; the few low halves
    // that would make some of them likelier are drawn again.
    let unfair = width.wrapping_neg() % width;
    loop {
        let product = u128::from(u64()) * u128::from(width);
        if product as u64 >= unfair {
            return range.start + (product >> 64) as u64;
        }
    }
}

/// A number from 0 up to and without 1.
pub fn f64() -> f64 {
    (u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// True with the given probability.
pub fn chance(probability: f64) -> bool {
    f64() < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_range() {
        assert!((0..1000).all(|_| (3..5).contains(&range(3..5))));
        assert!((0..1000).any(|_| range(3..5) == 4));
        assert_eq!(range(7..7), 7);
        assert_eq!(range(u64::MAX - 1..u64::MAX), u64::MAX - 1);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&f64())));
        assert!(chance(1.0) && !chance(0.0));
    }
}
