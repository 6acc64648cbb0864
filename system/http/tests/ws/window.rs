//! A client with two inflaters, each with one context for the whole connection: zlib, and one that has exactly the
//! window that was agreed on, written after RFC 1951 with no thought of speed. zlib keeps more of the past than it must,
//! and so does not notice a sender that refers back too far.

use flate2::{Decompress, FlushDecompress};
use simurgh_http::ws::DeflateParams;

use crate::frames::RSV1;

/// RFC 1951, 3.2.5: the shortest length of each code from 257 on, and its extra bits; the same for distances.
const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

pub(crate) struct Client {
    window: usize,
    takeover: bool,
    /// All that can be referred to, and more.
    past: Vec<u8>,
    zlib: Decompress,
}

impl Client {
    pub(crate) fn new(params: DeflateParams) -> Self {
        let (window, takeover) = (1 << params.server_max_window_bits, !params.server_no_context_takeover);
        Self { window, takeover, past: Vec::new(), zlib: Decompress::new(false) }
    }

    /// The payloads of whole frames of a server.
    pub(crate) fn messages(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let [first, short, ..] = *bytes {
            let (len, header) = match short {
                126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
                127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize, 10),
                len => (usize::from(len), 2),
            };
            let payload = &bytes[header..header + len];
            messages.push(if first & RSV1 == 0 { payload.to_vec() } else { self.inflate(payload) });
            bytes = &bytes[header + len..];
        }
        messages
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.past.clear();
        }
        let start = self.past.len();
        let bytes = [payload, &[0, 0, 0xff, 0xff]].concat();
        let by_zlib = self.by_zlib(&bytes);
        let mut bits = Bits { bytes, at: 0 };
        while bits.at < bits.bytes.len() * 8 {
            assert_eq!(bits.take(1), 0, "no final block");
            match bits.take(2) {
                0 => {
                    bits.at = bits.at.next_multiple_of(8);
                    let (len, complement) = (bits.take(16), bits.take(16));
                    assert_eq!(len, !complement & 0xffff);
                    self.past.extend((0..len).map(|_| bits.take(8) as u8));
                }
                1 => {
                    let lens = [[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat();
                    self.block(&mut bits, &Code::new(&lens), &Code::new(&[5; 30]));
                }
                2 => {
                    let (literals, distances) = codes(&mut bits);
                    self.block(&mut bits, &literals, &distances);
                }
                _ => panic!("no such block"),
            }
        }
        assert!(by_zlib == self.past[start..], "both inflate alike");
        by_zlib
    }

    fn by_zlib(&mut self, bytes: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.zlib.reset(false);
        }
        let mut plain = Vec::with_capacity(1 << 20);
        self.zlib.decompress_vec(bytes, &mut plain, FlushDecompress::Sync).expect("it inflates");
        assert!(plain.len() < plain.capacity());
        plain
    }

    fn block(&mut self, bits: &mut Bits, literals: &Code, distances: &Code) {
        loop {
            match literals.read(bits) {
                literal @ 0..=255 => self.past.push(literal as u8),
                256 => return,
                symbol => {
                    let (shortest, extra) = LENGTHS[symbol - 257];
                    let len = shortest + bits.take(extra);
                    let symbol = distances.read(bits);
                    let extra = (symbol / 2).saturating_sub(1) as u32;
                    let nearest = if symbol < 4 { symbol } else { (2 + symbol % 2) << extra };
                    let distance = 1 + nearest + bits.take(extra);
                    assert!(distance <= self.window, "{distance} back in a window of {}", self.window);
                    for _ in 0..len {
                        self.past.push(self.past[self.past.len() - distance]);
                    }
                }
            }
        }
    }
}

/// RFC 1951, 3.2.7.
fn codes(bits: &mut Bits) -> (Code, Code) {
    let (literals, distances, count) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut lens = [0; 19];
    for place in &ORDER[..count] {
        lens[*place] = bits.take(3);
    }
    let code = Code::new(&lens);
    let mut lens: Vec<usize> = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match code.read(bits) {
            16 => (lens[lens.len() - 1], 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            len => (len, 1),
        };
        lens.extend(std::iter::repeat_n(len, times));
    }
    (Code::new(&lens[..literals]), Code::new(&lens[literals..]))
}

struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn take(&mut self, count: u32) -> usize {
        let bit = |at: usize| usize::from(self.bytes[at / 8] >> (at % 8) & 1);
        let value = (0..count).map(|place| bit(self.at + place as usize) << place).sum();
        self.at += count as usize;
        value
    }
}

/// RFC 1951, 3.2.2: for each length, the codes of that length in order.
struct Code(Vec<Vec<usize>>);

impl Code {
    fn new(lens: &[usize]) -> Self {
        let symbols = |len| lens.iter().enumerate().filter(|(_, of)| **of == len).map(|(symbol, _)| symbol).collect();
        Self((1..=15).map(symbols).collect())
    }

    fn read(&self, bits: &mut Bits) -> usize {
        let (mut code, mut first) = (0, 0);
        for symbols in &self.0 {
            code = code * 2 + bits.take(1);
            first *= 2;
            if let Some(symbol) = symbols.get(code - first) {
                return *symbol;
            }
            first += symbols.len();
        }
        panic!("no such code");
    }
}

/// Bytes in which nothing repeats itself before `distance`, and everything after.
pub(crate) fn repeats_after(distance: usize, len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let unit: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(distance)
    .collect();
    unit.into_iter().cycle().take(len).collect()
}
