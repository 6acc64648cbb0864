//! Buffers that no socket needs just now.
//!
//! A socket that waits owns none, so that it costs little; one that has something to read or to write takes one of these
//! and gives it back a moment later. Each thread keeps a few.

use std::cell::RefCell;

use bytes::BytesMut;

/// Bytes of a buffer that is kept.
const LEN: usize = 2 << 10;

/// Buffers that a thread keeps: what is read, what is written, and the same of a socket that the first one wakes.
const COUNT_MAX: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for `len` bytes.
#[inline]
pub(super) fn take(len: usize) -> BytesMut {
    let spare = if len <= LEN { SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten() } else { None };
    spare.unwrap_or_else(|| BytesMut::with_capacity(if len <= LEN { LEN } else { len }))
}

/// Leaves a buffer without memory. What it had is kept, unless it was large, or a message shares it.
#[inline]
pub(super) fn give(buffer: &mut BytesMut) {
    let mut buffer = std::mem::take(buffer);
    buffer.clear();
    if buffer.capacity() <= LEN && buffer.try_reclaim(LEN) && buffer.capacity() == LEN {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < COUNT_MAX {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, BufMut};

    use super::*;

    #[test]
    fn a_buffer_comes_back_whole_and_empty() {
        let mut buffer = take(10);
        buffer.put_bytes(7, 100);
        buffer.advance(60);
        let memory = buffer.as_ptr() as usize - 60;
        give(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
        let again = take(LEN);
        assert_eq!((again.as_ptr() as usize, again.len(), again.capacity()), (memory, 0, LEN));
    }

    #[test]
    fn what_is_large_or_shared_is_not_kept() {
        give(&mut take(LEN + 1));
        let mut shared = take(10);
        shared.put_bytes(7, 100);
        let message = shared.split_to(50).freeze();
        give(&mut shared);
        assert_eq!(SPARE.with(|spare| spare.borrow().len()), 0);
        assert_eq!(message[..], [7; 50]);
    }

    #[test]
    fn few_are_kept() {
        let mut all: Vec<BytesMut> = (0..10).map(take).collect();
        all.iter_mut().for_each(give);
        assert_eq!(SPARE.with(|spare| spare.borrow().len()), COUNT_MAX);
    }
}
