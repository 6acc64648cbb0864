//! The body of a request, while it arrives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use simurgh_runtime::sync::Mutex;

use super::wire::Wire;
use crate::BodyError;

/// hyper's body, with our words for what goes wrong.
pub(super) struct Arriving {
    pub(super) incoming: Incoming,
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) len_max: u64,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        if frame.is_none() || self.incoming.is_end_stream() {
            self.wire.lock().body_was_read();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| self.explain(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Arriving {
    fn explain(&self, error: &hyper::Error) -> BodyError {
        let known = self.wire.lock().body_error(self.len_max);
        known.unwrap_or_else(|| {
            // The framing has read it first; what hyper still finds is the connection's end.
            if error.is_parse() { BodyError::Malformed(error.to_string()) } else { BodyError::Gone }
        })
    }
}
