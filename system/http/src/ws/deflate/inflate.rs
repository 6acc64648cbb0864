//! Messages made whole, within bounds.

use flate2::{Decompress, FlushDecompress, Status};

use super::super::config::Config;
use super::super::error::ProtocolError;
use super::{Direction, TAIL, ZLIB_BITS_MIN};

/// What is allocated for the first bytes of a message, at least.
const FIRST_LEN: usize = 256;

/// Compressed bytes of a message after which it is judged how much came of them, and at its end: not where reads or
/// frames happen to cut it, so that each message is judged by its bytes alone.
const JUDGED_EVERY: usize = 1 << 10;

/// The receiving side of a connection.
///
/// It grows its output step by step and stops *at* the bound: no more than that is ever allocated, and whether
/// there would have been more is found out with one byte on the stack.
#[derive(Debug)]
pub(crate) struct Inflater {
    zlib: Decompress,
    /// Compressed bytes of the message under way.
    taken: usize,
    /// Nothing has been read since the stream began.
    is_fresh: bool,
}

impl Inflater {
    pub(crate) fn new(direction: Direction) -> Self {
        let window_bits = direction.window_bits.clamp(ZLIB_BITS_MIN, 15);
        Self { zlib: Decompress::new_with_window_bits(false, window_bits), taken: 0, is_fresh: true }
    }

    /// Inflates the next piece of a message, behind what `out` holds of it.
    pub(crate) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>, config: &Config) -> Result<(), ProtocolError> {
        let mut rest = piece;
        while !rest.is_empty() {
            let until = JUDGED_EVERY - self.taken % JUDGED_EVERY;
            let (now, later) = rest.split_at(until.min(rest.len()));
            let bound = bound(self.taken + until, config);
            self.taken += now.len();
            self.run(now, out, bound)?;
            rest = later;
        }
        Ok(())
    }

    /// Ends a message.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>, config: &Config) -> Result<(), ProtocolError> {
        let (len_max, too_much) = bound(std::mem::take(&mut self.taken), config);
        if out.len() > len_max {
            return Err(too_much);
        }
        // A message of no bytes, or one that ended with a final block (RFC 7692, 7.2.3.4), has no block open that
        // the tail would close.
        if self.is_fresh { Ok(()) } else { self.run(&TAIL, out, (len_max, too_much)) }
    }

    fn run(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        (len_max, too_much): (usize, ProtocolError),
    ) -> Result<(), ProtocolError> {
        loop {
            let taken_before = self.zlib.total_in();
            let is_full = out.len() >= len_max;
            let status = if is_full {
                let produced_before = self.zlib.total_out();
                let status = self.zlib.decompress(input, &mut [0], FlushDecompress::Sync);
                if self.zlib.total_out() > produced_before {
                    return Err(too_much);
                }
                status
            } else {
                if out.len() == out.capacity() {
                    let step = out.len().max(input.len().saturating_mul(4)).max(FIRST_LEN);
                    out.reserve_exact(step.min(len_max - out.len()));
                }
                self.zlib.decompress_vec(input, out, FlushDecompress::Sync)
            };
            let status = status.map_err(|_| ProtocolError::InvalidDeflate)?;
            let taken = (self.zlib.total_in() - taken_before) as usize;
            input = &input[taken..];
            self.is_fresh &= taken == 0;
            if out.len() > len_max {
                return Err(too_much);
            }
            let has_room = is_full || out.len() < out.capacity();
            if status == Status::StreamEnd {
                self.zlib.reset(false);
                self.is_fresh = true;
            } else if has_room && taken == 0 && !input.is_empty() {
                return Err(ProtocolError::InvalidDeflate);
            }
            if input.is_empty() && (has_room || self.is_fresh) {
                return Ok(());
            }
        }
    }
}

/// How long a message may become by so many compressed bytes, and what it is if it becomes longer.
fn bound(taken: usize, config: &Config) -> (usize, ProtocolError) {
    let by_ratio = taken.saturating_mul(config.inflate_ratio_max as usize).max(Config::INFLATE_FREE);
    if by_ratio < config.message_len_max {
        (by_ratio, ProtocolError::InflatesTooMuch { ratio_max: config.inflate_ratio_max })
    } else {
        (config.message_len_max, ProtocolError::MessageTooBig { len_max: config.message_len_max })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Deflater;
    use super::*;

    /// What a bomb of 64 MiB inflates to, in pieces of `piece` bytes, under a bound: the error, and what was allocated.
    fn explode(piece: usize, config: &Config) -> (ProtocolError, usize) {
        let bomb = Deflater::new(9, 15).message(&vec![0; 64 << 20]);
        let mut inflater = Inflater::new(Direction { takeover: false, window_bits: 15 });
        let mut out = Vec::new();
        let error = bomb.chunks(piece).find_map(|piece| inflater.push(piece, &mut out, config).err());
        (error.expect("a bomb is refused"), out.capacity())
    }

    #[test]
    fn no_more_is_ever_allocated_than_is_allowed() {
        for len_max in [1, 100, 4_096, 100_000, 1_000_003] {
            let config = Config { message_len_max: len_max, inflate_ratio_max: 2_000, ..Config::default() };
            for piece in [1, 100, usize::MAX] {
                let (error, allocated) = explode(piece, &config);
                assert_eq!(error, ProtocolError::MessageTooBig { len_max });
                assert!(allocated <= len_max.max(8), "{allocated} bytes for {len_max}"); // a Vec has 8 at least
            }
        }
        let (error, allocated) = explode(100, &Config::default());
        assert_eq!(error, ProtocolError::InflatesTooMuch { ratio_max: 200 });
        assert!(allocated <= JUDGED_EVERY * 200, "{allocated} bytes");
    }
}
