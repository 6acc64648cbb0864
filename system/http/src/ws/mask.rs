//! Masking (RFC 6455, 5.3): byte `i` of a payload is combined by exclusive or with byte `i % 4` of the key.

/// A masking key.
pub(crate) type Key = [u8; 4];

/// Masks or unmasks in place, a word at a time; the compiler makes wide registers of the words.
pub(crate) fn apply(key: Key, bytes: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// The key for what follows `len` bytes that were masked with `key`.
pub(crate) fn advance(mut key: Key, len: usize) -> Key {
    key.rotate_left(len % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_split_is_what_the_rfc_writes_down() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in (0..300).chain([4_095, 4_096, 4_097]) {
            let plain: Vec<u8> = (0..len).map(|at: usize| (at * 31) as u8).collect();
            let want: Vec<u8> = plain.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            for split in [0, len / 3, len / 2, len] {
                let mut got = plain.clone();
                let (head, tail) = got.split_at_mut(split);
                apply(key, head);
                apply(advance(key, split), tail);
                assert_eq!(got, want, "{len} bytes, split at {split}");
            }
        }
    }
}
