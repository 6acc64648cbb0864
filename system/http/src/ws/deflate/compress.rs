//! Messages made smaller.

use flate2::{Compress, Compression, FlushCompress};

use super::{TAIL, ZLIB_BITS_MIN};

/// zlib keeps this many bytes of a window for what comes next, and never refers back to them.
const LOOKAHEAD: usize = 262;

/// Room that zlib must find in its output, so that it never writes a flush's mark twice.
const ROOM_MIN: usize = 64;

/// The sending side of a connection that keeps its context.
#[derive(Debug)]
pub(crate) struct Deflater {
    zlib: Compress,
    /// The receiver's window holds what this context does not know of.
    is_stale: bool,
}

impl Deflater {
    pub(crate) fn new(level: u8, window_bits: u8) -> Self {
        let level = Compression::new(u32::from(level.clamp(1, 9)));
        let window_bits = window_bits.clamp(ZLIB_BITS_MIN, 15);
        Self { zlib: Compress::new_with_window_bits(level, false, window_bits), is_stale: false }
    }

    /// Compresses a message, which is not empty, into the payload of its frame.
    pub(crate) fn message(&mut self, plain: &[u8]) -> Vec<u8> {
        debug_assert!(!plain.is_empty(), "zlib flushes nothing only once");
        if std::mem::take(&mut self.is_stale) {
            self.zlib.reset();
        }
        let start = self.zlib.total_in();
        let mut out = Vec::with_capacity(plain.len() / 2 + ROOM_MIN);
        loop {
            let taken = (self.zlib.total_in() - start) as usize;
            self.zlib
                .compress_vec(&plain[taken..], &mut out, FlushCompress::Sync)
                .expect("zlib refuses only streams that were set up wrongly");
            if out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len().max(ROOM_MIN));
        }
        debug_assert_eq!(self.zlib.total_in() - start, plain.len() as u64, "room was left, so all was taken");
        debug_assert!(out.ends_with(&TAIL), "a flush ends so");
        out.truncate(out.len() - TAIL.len());
        out
    }

    /// A message that this context has not seen has gone to the receiver: the next one begins anew.
    ///
    /// The receiver slides its window over all that it inflates. Distances count from the end, so what this
    /// context remembers is no longer where it thinks. A sender may always forget (RFC 7692, 7.2.1): a fresh
    /// context refers to nothing before itself, whatever the window holds.
    pub(crate) fn forget(&mut self) {
        self.is_stale = true;
    }
}

/// Compresses a message on its own, in the smallest window that it can use; `None` if that saves nothing.
pub(crate) fn compress_fresh(plain: &[u8], level: u8, window_bits_max: u8) -> Option<Vec<u8>> {
    let out = Deflater::new(level, window_bits(plain.len()).min(window_bits_max)).message(plain);
    (out.len() < plain.len()).then_some(out)
}

/// Whether a message of this length, compressed on its own, stays within a window.
pub(crate) fn fits_window(plain_len: usize, window_bits_max: u8) -> bool {
    window_bits(plain_len) <= window_bits_max.max(ZLIB_BITS_MIN)
}

/// The smallest window in which a message can refer to all of itself.
fn window_bits(plain_len: usize) -> u8 {
    let whole = plain_len.saturating_add(LOOKAHEAD).checked_next_power_of_two();
    whole.map_or(15, |size| (size.trailing_zeros() as u8).clamp(ZLIB_BITS_MIN, 15))
}
