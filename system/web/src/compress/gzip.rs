//! A body that is compressed while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::{Compress, Compression, FlushCompress};
use http_body::{Body as HttpBody, Frame, SizeHint};
use simurgh_http::{Body, BodyError};

/// What is compressed without a pause, at most.
const PIECE_LEN: usize = 64 << 10;

pub(super) struct Gzip {
    body: Body,
    state: Compress,
    /// What came of the body and is not compressed yet.
    input: Bytes,
    is_over: bool,
}

impl Gzip {
    pub(super) fn new(body: Body, level: u32) -> Self {
        Self { body, state: state(level), input: Bytes::new(), is_over: false }
    }
}

fn state(level: u32) -> Compress {
    Compress::new_gzip(Compression::new(level), 15)
}

/// Bytes that are all there.
pub(super) fn at_once(bytes: &[u8], level: u32) -> Vec<u8> {
    run(&mut state(level), bytes, FlushCompress::Finish)
}

/// Compresses all of `input`, and gives out all that it leads to.
fn run(state: &mut Compress, mut input: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len() / 2 + 64);
    loop {
        let before = state.total_in();
        let status = state.compress_vec(input, &mut output, flush).expect("a valid state takes any bytes");
        input = &input[(state.total_in() - before) as usize..];
        // There is more as long as it fills all the room that it has.
        let is_full = output.len() == output.capacity();
        if status == flate2::Status::StreamEnd || input.is_empty() && !is_full {
            return output;
        }
        output.reserve(output.len().max(64));
    }
}

impl HttpBody for Gzip {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.input.is_empty() {
            if this.is_over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                // Trailers would come before the last bytes, and none of ours are needed.
                Some(Ok(frame)) => this.input = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.is_over = true;
                    let end = run(&mut this.state, &[], FlushCompress::Finish);
                    return Poll::Ready(Some(Ok(Frame::data(end.into()))));
                }
            }
        }
        let len = this.input.len().min(PIECE_LEN);
        let output = run(&mut this.state, &this.input[..len], FlushCompress::Sync);
        this.input.advance(len);
        Poll::Ready(Some(Ok(Frame::data(output.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}
