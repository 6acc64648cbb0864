//! What waits to be written.
//!
//! Headers and small payloads are copied behind one another into one buffer. A large payload, and a frame that many
//! connections share, stays the bytes that it is, and its place among the copied ones is noted:
//!
//! ```text
//!   copied:  [ header small header ][ header small ... ]
//!                                  ^ gap 1             ^ gap 2
//!   large:                         [ payload ]         [ shared frame ]
//! ```

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::spare;

/// Payloads up to this many bytes are copied: dearer to keep apart than to copy.
pub(crate) const COPY_LEN_MAX: usize = 1024;

/// Bytes that wait to be written, as a [`Buf`]: [`chunks_vectored`](Buf::chunks_vectored) for one vectored
/// write, [`advance`](Buf::advance) by what was written. Once empty, it owns no memory.
#[derive(Debug, Default)]
pub struct Output {
    copied: BytesMut,
    /// Each with the number of copied bytes between the one before and it.
    large: VecDeque<(usize, Bytes)>,
    /// The sum of these numbers.
    gaps_len: usize,
    /// Bytes in `large`.
    large_len: usize,
}

impl Output {
    /// Appends a copy of both.
    pub(crate) fn copy(&mut self, header: &[u8], payload: &[u8]) {
        let len = header.len() + payload.len();
        if self.copied.capacity() == 0 {
            self.copied = spare::take(len);
        } else {
            self.copied.reserve(len);
        }
        self.copied.extend_from_slice(header);
        self.copied.extend_from_slice(payload);
    }

    /// Appends a header and then bytes, which are not copied unless that is cheaper.
    pub(crate) fn push(&mut self, header: &[u8], bytes: Bytes) {
        if bytes.len() <= COPY_LEN_MAX {
            return self.copy(header, &bytes);
        }
        self.copy(header, &[]);
        self.large_len += bytes.len();
        self.large.push_back((self.copied.len() - self.gaps_len, bytes));
        self.gaps_len = self.copied.len();
    }

    /// The last bytes that were copied.
    pub(crate) fn last_mut(&mut self, len: usize) -> &mut [u8] {
        let start = self.copied.len() - len;
        &mut self.copied[start..]
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.copied.len() + self.large_len
    }

    fn chunk(&self) -> &[u8] {
        match self.large.front() {
            Some((0, bytes)) => bytes,
            Some((gap, _)) => &self.copied[..*gap],
            None => &self.copied,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut copied = &self.copied[..];
        let mut count = 0;
        let mut push = |chunk: &'a [u8]| {
            if let Some(slice) = slices.get_mut(count).filter(|_| !chunk.is_empty()) {
                *slice = IoSlice::new(chunk);
                count += 1;
            }
        };
        for (gap, bytes) in &self.large {
            let (before, after) = copied.split_at(*gap);
            push(before);
            push(bytes);
            copied = after;
        }
        push(copied);
        count
    }

    fn advance(&mut self, mut len: usize) {
        if len == self.remaining() {
            spare::give(&mut self.copied);
            *self = Self::default();
            return;
        }
        while let Some((gap, bytes)) = self.large.front_mut() {
            let step = len.min(*gap);
            self.copied.advance(step);
            self.gaps_len -= step;
            *gap -= step;
            len -= step;
            let step = len.min(bytes.len());
            bytes.advance(step);
            self.large_len -= step;
            len -= step;
            if !bytes.is_empty() {
                return;
            }
            self.large.pop_front();
        }
        self.copied.advance(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_way_to_write_it_gives_the_same_bytes() {
        for step in [1, 7, 1024, 3_000, 10_000] {
            let mut output = Output::default();
            output.copy(b"sm", b"all");
            output.push(b"header", Bytes::from(vec![1; 4_000]));
            output.push(b"", Bytes::from(vec![2; COPY_LEN_MAX + 1]));
            output.push(b"", Bytes::from(vec![3; COPY_LEN_MAX]));
            output.copy(b"", b"end");
            let want = [&b"smallheader"[..], &[1; 4_000], &[2; COPY_LEN_MAX + 1], &[3; COPY_LEN_MAX], b"end"].concat();
            assert_eq!(output.remaining(), want.len());

            let mut got = Vec::new();
            while output.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 8];
                let count = output.chunks_vectored(&mut slices);
                assert_eq!(slices[..count].iter().map(|slice| slice.len()).sum::<usize>(), output.remaining());
                assert_eq!(output.chunk(), &slices[0][..]);
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                let written = step.min(all.len());
                got.extend_from_slice(&all[..written]);
                output.advance(written);
            }
            assert_eq!(got, want);
            assert_eq!((output.large.capacity(), output.copied.capacity()), (0, 0), "an empty output owns nothing");
        }
    }
}
