//! permessage-deflate (RFC 7692).
//!
//! A side that keeps its context (*takeover*) lets each message refer to those before it; a side that does
//! not begins each message anew, and owns no state between messages.

mod compress;
mod inflate;
mod negotiate;

pub(crate) use compress::{Deflater, compress_fresh, fits_window};
pub(crate) use inflate::Inflater;
pub use negotiate::{DeflateParams, DeflatePolicy};

/// One direction of a connection, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Direction {
    /// The context outlives a message.
    pub(crate) takeover: bool,
    /// The window is two to this power; 8 to 15.
    pub(crate) window_bits: u8,
}

/// What ends each message on zlib's side and is not sent (RFC 7692, 7.2.1): an empty stored block but for its
/// first three bits.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The least window that zlib takes for a stream without a header.
///
/// Where 8 bits were negotiated it still serves: a receiver may keep more than the sender refers to, and a
/// sender with 9 bits refers back by at most 512 - 262 = 250 bytes, which a window of 256 holds.
const ZLIB_BITS_MIN: u8 = 9;
