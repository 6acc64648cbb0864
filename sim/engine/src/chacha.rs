//! `ChaCha` with eight rounds (Bernstein, "`ChaCha`, a variant of Salsa20", 2008), one block at a time.
//!
//! A world has a stream for each task and each connection, and most draw a number now and then: what counts is
//! that a stream is small. This one is 96 bytes, a third of `rand_chacha`'s, whose words it gives (a test
//! compares them).

#![allow(clippy::inline_always)] // the rows are to stay in four registers

/// The words of one block.
const WORDS: usize = 16;

/// A stream of words.
#[derive(Debug, Clone)]
pub(crate) struct ChaCha8 {
    block: [u32; WORDS],
    seed: u64,
    entity: u64,
    /// The number of the next block.
    counter: u64,
    purpose: u8,
    /// Words used of the block.
    used: u8,
}

impl ChaCha8 {
    pub(crate) fn new(seed: u64, purpose: u8, entity: u64) -> Self {
        Self { block: [0; WORDS], seed, entity, counter: 0, purpose, used: WORDS as u8 }
    }

    /// The next word.
    #[inline]
    pub(crate) fn next_u32(&mut self) -> u32 {
        if self.used as usize == WORDS {
            self.next_block();
        }
        let word = self.block[self.used as usize % WORDS];
        self.used += 1;
        word
    }

    /// The next two words, the lower half first.
    #[inline]
    pub(crate) fn next_u64(&mut self) -> u64 {
        if let Some(&[low, high]) = self.block.get(self.used as usize..self.used as usize + 2) {
            self.used += 2;
            return u64::from(low) | u64::from(high) << 32;
        }
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    /// Fills bytes from the next words; what is left of the last one is not used.
    pub(crate) fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_u32().to_le_bytes()[..chunk.len()]);
        }
    }

    #[inline(never)]
    fn next_block(&mut self) {
        let half = |value: u64| [value as u32, (value >> 32) as u32];
        let (seed, entity, counter) = (half(self.seed), half(self.entity), half(self.counter));
        let name = half(u64::from_le_bytes(*b"simurgh1"));
        let start = [
            // "expand 32-byte k", the key, the number of the block, and no nonce.
            [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574],
            [seed[0], seed[1], entity[0], entity[1]],
            [u32::from(self.purpose), 0, name[0], name[1]],
            [counter[0], counter[1], 0, 0],
        ];
        let mut rows = start;
        for _ in 0..4 {
            quarters(&mut rows);
            // Turned to the left by their number, so that diagonals are columns; and back.
            rows = turned(rows, [1, 2, 3]);
            quarters(&mut rows);
            rows = turned(rows, [3, 2, 1]);
        }
        for (word, (mixed, first)) in self.block.iter_mut().zip(rows.as_flattened().iter().zip(start.as_flattened())) {
            *word = mixed.wrapping_add(*first);
        }
        (self.counter, self.used) = (self.counter + 1, 0);
    }
}

/// Four quarter rounds, one in each column.
#[inline(always)]
fn quarters([a, b, c, d]: &mut [[u32; 4]; 4]) {
    half_round(a, b, d, 16);
    half_round(c, d, b, 12);
    half_round(a, b, d, 8);
    half_round(c, d, b, 7);
}

/// `sum += add; turned = (turned ^ sum) <<< by`, in each column.
#[inline(always)]
fn half_round(sum: &mut [u32; 4], add: &[u32; 4], turned: &mut [u32; 4], by: u32) {
    for column in 0..4 {
        sum[column] = sum[column].wrapping_add(add[column]);
        turned[column] = (turned[column] ^ sum[column]).rotate_left(by);
    }
}

/// The lower three rows turned to the left.
#[inline(always)]
fn turned([a, b, c, d]: [[u32; 4]; 4], [of_b, of_c, of_d]: [usize; 3]) -> [[u32; 4]; 4] {
    let turn = |row: [u32; 4], by: usize| [row[by % 4], row[(by + 1) % 4], row[(by + 2) % 4], row[(by + 3) % 4]];
    [a, turn(b, of_b), turn(c, of_c), turn(d, of_d)]
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_words_are_those_of_rand_chacha() {
        for (seed, purpose, entity) in [(0, 1, 0), (7, 3, u64::MAX), (u64::MAX, 10, 0x0123_4567_89AB_CDEF)] {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&u64::to_le_bytes(seed));
            key[8..16].copy_from_slice(&u64::to_le_bytes(entity));
            key[16] = purpose;
            key[24..].copy_from_slice(b"simurgh1");
            let (mut theirs, mut ours) = (ChaCha8Rng::from_seed(key), ChaCha8::new(seed, purpose, entity));
            for step in 0..1000usize {
                assert_eq!(ours.next_u64(), theirs.next_u64());
                // Lengths that end inside of a word, and streams that are at an odd one.
                let (mut one, mut other) = (vec![0; step % 71], vec![0; step % 71]);
                ours.fill_bytes(&mut one);
                theirs.fill_bytes(&mut other);
                assert_eq!(one, other, "{step}");
            }
        }
        assert!(size_of::<ChaCha8>() <= 96, "{}", size_of::<ChaCha8>());
    }
}
