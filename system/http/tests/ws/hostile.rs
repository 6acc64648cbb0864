//! Whatever a peer sends costs the peer its connection, and us no panic.

use simurgh_http::ws::{Codec, Config};

use crate::compression::{NO_TAKEOVER, TAKEOVER};
use crate::frames::*;

/// A small generator (splitmix64), so that a failure can be found again by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn good() -> Vec<u8> {
    let mut sender = Codec::client(config(), Some(TAKEOVER), || [0x5a, 0xa5, 0x0f, 0xf0]);
    for round in 0..3 {
        sender.text(&format!("{round}: ёлка, 中文 ").repeat(30)).unwrap();
        sender.ping(b"ping").unwrap();
        sender.binary(&[round; 40]).unwrap();
    }
    let compressed = sent(&mut sender);
    [
        client(TEXT, b"first"),
        compressed,
        masked(TEXT, b"a", [1; 4]),
        masked(FIN, b"b", [2; 4]),
        client(CLOSE, b"\x03\xe8"),
    ]
    .concat()
}

#[test]
fn changed_bytes() {
    let good = good();
    let config = Config { message_len_max: 1 << 16, ..Config::default() }.shared();
    let mut failed = 0;
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        let params = [None, Some(TAKEOVER), Some(NO_TAKEOVER)][random.below(3)];
        let mut codec = Codec::server(config.clone(), params);
        let piece = 1 + random.below(bytes.len());
        let events = feed(&mut codec, bytes.chunks(piece));
        let errors = events.iter().filter(|event| event.is_err()).count();
        assert!(errors <= 1 && events.iter().take(events.len() - errors).all(Result::is_ok), "seed {seed}: {events:?}");
        assert_eq!(errors == 1, codec.is_closed() && events.last().is_some_and(Result::is_err), "seed {seed}");
        failed += errors;
    }
    assert!(failed > 10_000, "{failed}: most changes are noticed");
}

#[test]
fn noise() {
    for seed in 0..5_000 {
        let mut random = Random(seed ^ 0xffff_0000);
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8).collect();
        let compressed = masked(FIN | RSV1 | TEXT, &bytes, [1, 2, 3, 4]);
        for bytes in [bytes, compressed] {
            feed(&mut Codec::server(config(), Some(TAKEOVER)), [&bytes[..]]);
            feed(&mut Codec::client(config(), Some(NO_TAKEOVER), || [0; 4]), bytes.chunks(3));
        }
    }
}
