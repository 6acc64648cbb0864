//! A body that is decompressed while it is read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use http_body::{Body as HttpBody, Frame, SizeHint};
use simurgh_http::{Body, BodyError};

/// What is made at once.
const PIECE_LEN: usize = 16 << 10;
/// Bytes to which a body may inflate whatever the ratio: a few short ones repeat a lot.
const FREE_LEN: u64 = 64 << 10;
/// Members of one body (RFC 1952, 2.2): each costs a window, however short it is.
const MEMBERS_MAX: u32 = 64;

pub(super) struct Gunzip {
    body: Body,
    state: Decompress,
    input: Bytes,
    taken: u64,
    made: u64,
    members: u32,
    /// Where the stream stands.
    at: At,
    len_max: u64,
    ratio_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// No byte of a member has come.
    Start,
    Inside,
    /// After a member, where another one may begin.
    Between,
    Over,
}

impl Gunzip {
    pub(super) fn new(body: Body, len_max: u64, ratio_max: u64) -> Self {
        let state = Decompress::new_gzip(15);
        Self { body, state, input: Bytes::new(), taken: 0, made: 0, members: 1, at: At::Start, len_max, ratio_max }
    }

    /// How much may be made of what came.
    fn limit(&self) -> u64 {
        self.taken.saturating_mul(self.ratio_max).max(FREE_LEN).min(self.len_max)
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.at = At::Over;
        Poll::Ready(Some(Err(error)))
    }
}

fn malformed(why: &str) -> BodyError {
    BodyError::Malformed(why.to_owned())
}

impl HttpBody for Gunzip {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if this.at == At::Over {
                return Poll::Ready(None);
            }
            let is_at_end = if this.input.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        this.input = frame.into_data().unwrap_or_default();
                        this.taken += this.input.len() as u64;
                        continue;
                    }
                    Some(Err(error)) => return this.fail(error),
                    None => true,
                }
            } else {
                false
            };
            if is_at_end && this.at != At::Inside {
                this.at = At::Over;
                return Poll::Ready(None);
            }
            if this.at == At::Between {
                this.members += 1;
                if this.members > MEMBERS_MAX {
                    return this.fail(malformed("it has too many members"));
                }
                this.state = Decompress::new_gzip(15);
            }
            this.at = At::Inside;
            let (was_in, was_out) = (this.state.total_in(), this.state.total_out());
            let mut output = Vec::with_capacity(PIECE_LEN);
            let outcome = this.state.decompress_vec(&this.input, &mut output, FlushDecompress::None);
            let Ok(status) = outcome else { return this.fail(malformed("it is no gzip")) };
            let (read, made) = (this.state.total_in() - was_in, this.state.total_out() - was_out);
            this.input.advance(read as usize);
            this.made += made;
            if this.made > this.limit() {
                let limit = this.limit();
                return this.fail(BodyError::TooLarge { limit });
            }
            if status == Status::StreamEnd {
                this.at = At::Between;
            } else if read == 0 && made == 0 {
                let why = if is_at_end { "it ends in the middle of gzip" } else { "it is no gzip" };
                return this.fail(malformed(why));
            }
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(output.into()))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}
